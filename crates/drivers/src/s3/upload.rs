//! How a file goes up: whole when it is small, else in parts.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use object_store::{
    MultipartUpload, ObjectStore, PutMultipartOptions, aws::AmazonS3, path::Path as Location,
};
use stoa_platform::storage::StorageError;
use tokio::{
    sync::{AcquireError, Semaphore, SemaphorePermit},
    task::spawn_blocking,
};

use super::{attributes, of_type, trouble};

/// The smallest part that S3 takes; a file that fits into one goes up whole.
const PART: u64 = 5 * 1_024 * 1_024;

/// Puts a file; what is put is there whole or not at all.
pub(super) async fn file(
    bucket: &AmazonS3,
    room: &Semaphore,
    place: &Location,
    source: &Path,
    content_type: &str,
) -> Result<(), StorageError> {
    let source = source.to_owned();
    let opened = from_disk(move || {
        let file = File::open(source)?;
        let left = file.metadata()?.len();
        Ok(Rest { file, left })
    });
    let mut rest = opened.await?;
    if rest.left <= PART {
        let (part, _room, _) = next_part(rest, room).await?;
        let put = bucket.put_opts(place, part.into(), of_type(content_type)).await;
        return put.map(drop).map_err(trouble);
    }
    let attributes = attributes(content_type);
    let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
    let begun = bucket.put_multipart_opts(place, options).await.map_err(trouble)?;
    let mut upload = Upload(Some(begun));
    while rest.left > 0 {
        let (part, _room, left) = next_part(rest, room).await?;
        upload.put(part).await?;
        rest = left;
    }
    upload.complete().await
}

/// What is left of a file.
struct Rest {
    file: File,
    left: u64,
}

impl Rest {
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let wanted = self.left.min(PART);
        let mut part = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let read = (&self.file).take(wanted).read_to_end(&mut part)? as u64;
        self.left -= read;
        if read == wanted { Ok(part) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Reads the next part when there is room for it in memory, which is held as long as the permit.
async fn next_part(
    mut rest: Rest,
    room: &Semaphore,
) -> Result<(Vec<u8>, SemaphorePermit<'_>, Rest), StorageError> {
    let stopped = |_: AcquireError| StorageError::Unavailable("the server is stopping".into());
    let room = room.acquire().await.map_err(stopped)?;
    let (part, rest) = from_disk(move || Ok((rest.next()?, rest))).await?;
    Ok((part, room, rest))
}

/// Reads on a thread that may wait for a disk.
async fn from_disk<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    let read = spawn_blocking(read).await;
    read.map_err(|stopped| StorageError::Unavailable(stopped.to_string()))?.map_err(StorageError::Source)
}

/// An upload in parts. Dropped before it is complete, it is called off.
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    async fn put(&mut self, part: Vec<u8>) -> Result<(), StorageError> {
        match &mut self.0 {
            Some(upload) => upload.put_part(part.into()).await.map_err(trouble),
            None => Ok(()),
        }
    }

    async fn complete(mut self) -> Result<(), StorageError> {
        if let Some(upload) = &mut self.0 {
            upload.complete().await.map_err(trouble)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "parts of an upload are left in the bucket");
                }
            });
        }
    }
}
