//! The door to whoever looks into files before they are taken: a virus scanner.
//!
//! Where there is one, a file that it could not look into is not taken.

use std::{path::Path, pin::Pin, time::Duration};

use stoa_kernel::{Refusal, RefusalKind};

/// A file that nobody has looked into, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the file was not scanned: {0}")]
pub struct ScanError(pub String);

/// What a scanner finds in a file, to be waited for: the name of what could do harm, or nothing.
pub type Scanning<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, ScanError>> + Send + 'a>>;

/// Looks into files.
pub trait Scanner: Send + Sync {
    /// Looks into a file of this machine. It answers after a bounded time, whatever becomes of the scanner.
    fn scan<'a>(&'a self, file: &'a Path) -> Scanning<'a>;
}

impl From<ScanError> for Refusal {
    fn from(reason: ScanError) -> Self {
        let detail = "Files cannot be scanned for viruses right now, so none is taken. Try again shortly.";
        let mut refusal = Self::new(RefusalKind::Unavailable, "SCAN_UNAVAILABLE", detail);
        refusal.source = Some(reason.into());
        refusal.with_retry_after(Duration::from_secs(10))
    }
}
