//! Looking for what could do harm, where there is somebody to ask.

use crate::{Files, error::FileError, prepare::Arrival};

impl Files {
    /// Asks the scanner about a file, if there is one; what it finds is refused, and told in the log.
    pub(crate) async fn scan(&self, arrival: &Arrival) -> Result<(), FileError> {
        let Some(scanner) = &self.0.platform.scanner else { return Ok(()) };
        match scanner.scan(arrival.spool.path()).await? {
            None => Ok(()),
            Some(found) => {
                tracing::warn!(%found, size = arrival.spool.size, checksum = arrival.spool.checksum, "refused an infected file");
                Err(FileError::Infected(found))
            }
        }
    }
}
