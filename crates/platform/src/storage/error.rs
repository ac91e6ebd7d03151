//! What can go wrong in a store, told apart by what the caller can do about it.

use std::{io, ops::Range, time::Duration};

use stoa_kernel::{Refusal, RefusalKind};

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A text that is no key.
    #[error("{0:?} is no key of an object")]
    Key(String),
    /// There is no room left.
    #[error("the store is full: {0}")]
    Full(String),
    /// The store cannot serve now, or refuses to.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A part was asked for that the object does not have.
    #[error("an object of {size} bytes has none from {} to {}", range.start, range.end)]
    OutOfRange {
        /// What was asked for.
        range: Range<u64>,
        /// How long the object is.
        size: u64,
    },
    /// An object is longer than its reader allows.
    #[error("the object is longer than {0} bytes")]
    TooLarge(u64),
    /// The file to be put cannot be read.
    #[error("the file to be put cannot be read: {0}")]
    Source(#[source] io::Error),
}

/// When to try again what a full store did not take: somebody has to make room first.
const FULL_FOR: Duration = Duration::from_mins(1);

impl StorageError {
    /// What went wrong with a file of this machine.
    pub(super) fn of_file(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }

    /// Its kind in a word, for figures.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Full(_) => "full",
            Self::Unavailable(_) => "unavailable",
            Self::Key(_) | Self::OutOfRange { .. } | Self::TooLarge(_) | Self::Source(_) => "refused",
        }
    }
}

/// What a client may have caused, a range or a size, its domain tells apart before; here it is a defect.
impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Full(_) => {
                let detail = "There is no room for this at the moment. Try again later.";
                let mut refusal = Self::new(RefusalKind::Unavailable, "STORAGE_FULL", detail);
                refusal.source = Some(error.into());
                refusal.with_retry_after(FULL_FOR)
            }
            StorageError::Unavailable(_) => Self::unavailable(error),
            StorageError::Key(_)
            | StorageError::OutOfRange { .. }
            | StorageError::TooLarge(_)
            | StorageError::Source(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let told = |number| Refusal::from(StorageError::of_file(io::Error::from_raw_os_error(number))).code;
        assert_eq!(told(rustix::io::Errno::NOSPC.raw_os_error()), "STORAGE_FULL");
        assert_eq!(told(rustix::io::Errno::DQUOT.raw_os_error()), "STORAGE_FULL");
        assert_eq!(told(rustix::io::Errno::IO.raw_os_error()), "SERVICE_UNAVAILABLE");
    }
}
