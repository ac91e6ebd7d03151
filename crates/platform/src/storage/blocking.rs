//! Work that waits for a disk.

use super::StorageError;

/// Runs it on a thread that may block; it ends also when nobody waits for it any more.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|stopped| StorageError::Unavailable(stopped.to_string()))?
}
