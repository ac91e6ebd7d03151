//! Where the bytes of files are: objects under keys, in a folder or in a store that several nodes share.
//!
//! An object appears whole or not at all, and lasts once its put has answered. What is put is never changed, at most
//! replaced as a whole, so whoever reads one while another takes its place reads one of the two. Objects of any size are
//! read and written in pieces; nothing here holds one whole in memory.

mod blocking;
mod disposition;
mod error;
mod folder;
mod key;
mod store;

use std::{
    fmt,
    fs::{self, File},
    io::Write,
    ops::Range,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::metrics::Metrics;

use self::{blocking::blocking, folder::Folder};
pub use self::{
    disposition::attachment,
    error::StorageError,
    key::ObjectKey,
    store::{Chunks, Listing, ObjectBody, SignedRequest, Store, StoredObject, Working},
};

/// A store of objects as domains are given it. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn Store>,
    metrics: Metrics,
}

impl Storage {
    /// Objects in a folder, which is made if need be. It is for one node, or for several on one file system.
    pub fn folder(root: &Path) -> Result<Self, StorageError> {
        Ok(Self::over(Arc::new(Folder::open(root)?)))
    }

    /// Objects in another store.
    pub fn over(store: Arc<dyn Store>) -> Self {
        Self { store, metrics: Metrics::off() }
    }

    /// The same with its work counted and timed.
    pub fn measured(mut self, metrics: &Metrics) -> Self {
        self.metrics = metrics.clone();
        self
    }

    /// Puts a file under a key and answers when it lasts. The store may take the file itself, so afterwards it may be
    /// gone. After a failure the object is there whole or, most often, not at all.
    pub async fn put_file(
        &self,
        key: &ObjectKey,
        source: &Path,
        content_type: &str,
    ) -> Result<(), StorageError> {
        self.timed("put", self.store.put_file(key, source, content_type)).await
    }

    /// Puts a few bytes under a key; see [`put_file`](Self::put_file).
    pub async fn put(&self, key: &ObjectKey, bytes: Bytes, content_type: &str) -> Result<(), StorageError> {
        self.timed("put", self.store.put(key, bytes, content_type)).await
    }

    /// The bytes of an object, or those of a part of it, which must lie within; `None` when there is no such object.
    pub async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<ObjectBody>, StorageError> {
        self.timed("read", self.store.read(key, range)).await
    }

    /// Copies an object of at most `limit` bytes into a new file and tells its size. A file that could not be filled is
    /// not left behind.
    pub async fn read_to_file(
        &self,
        key: &ObjectKey,
        target: &Path,
        limit: u64,
    ) -> Result<Option<u64>, StorageError> {
        let Some(body) = self.read(key, None).await? else { return Ok(None) };
        if body.size > limit {
            return Err(StorageError::TooLarge(limit));
        }
        let size = body.size;
        let filled = fill(body, target).await;
        if filled.is_err() {
            let target = target.to_owned();
            // The first failure tells more than this one.
            let _ = blocking(move || fs::remove_file(target).map_err(StorageError::of_file)).await;
        }
        filled.map(|()| Some(size))
    }

    /// How long an object is.
    pub async fn size(&self, key: &ObjectKey) -> Result<Option<u64>, StorageError> {
        self.timed("size", self.store.size(key)).await
    }

    /// Removes an object and answers when it stays away. One that is not there is no failure.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        self.timed("delete", self.store.delete(key)).await
    }

    /// The objects whose keys begin with this folder, `2026/01` or `2026/01/`, or all for an empty one; in no order.
    pub fn list(&self, prefix: &str) -> Listing {
        match prefix.trim_end_matches('/') {
            "" => self.store.list(None),
            folder => match ObjectKey::parse(folder) {
                Ok(folder) => self.store.list(Some(folder)),
                Err(error) => Box::pin(futures_util::stream::once(std::future::ready(Err(error)))),
            },
        }
    }

    /// A link by which anybody may download the object for so long, under this name. `None` when the store has none to
    /// give: Stoa's own links serve then.
    pub async fn signed_get(
        &self,
        key: &ObjectKey,
        lifetime: Duration,
        filename: &str,
    ) -> Result<Option<String>, StorageError> {
        self.timed("sign", self.store.signed_get(key, lifetime, filename)).await
    }

    /// A request by which anybody may put exactly so many bytes of this type under the key for so long. `None` when the
    /// store takes uploads from nobody but Stoa.
    pub async fn signed_put(
        &self,
        key: &ObjectKey,
        content_type: &str,
        size: u64,
        lifetime: Duration,
    ) -> Result<Option<SignedRequest>, StorageError> {
        self.timed("sign", self.store.signed_put(key, content_type, size, lifetime)).await
    }

    /// Whether the store can be read and written, as health checks ask it.
    pub async fn ready(&self) -> Result<(), StorageError> {
        self.timed("ready", self.store.ready()).await
    }

    /// Removes what interrupted puts have left, which nobody sees and nobody needs. To be called now and then.
    pub async fn sweep(&self) -> Result<(), StorageError> {
        self.timed("sweep", self.store.sweep()).await
    }

    async fn timed<T>(&self, operation: &'static str, work: Working<'_, T>) -> Result<T, StorageError> {
        let begun = Instant::now();
        let done = work.await;
        let outcome = done.as_ref().map_or_else(StorageError::word, |_| "ok");
        let about =
            "How long the store of files took, by what it was asked; for reads until the first bytes.";
        let labels = [("operation", operation), ("outcome", outcome)];
        self.metrics.histogram("stoa_storage_seconds", about, &labels).record(begun.elapsed());
        done
    }
}

async fn fill(mut body: ObjectBody, target: &Path) -> Result<(), StorageError> {
    let target = target.to_owned();
    let mut file = blocking(move || File::create_new(target).map_err(StorageError::of_file)).await?;
    let mut written = 0_u64;
    while let Some(chunk) = body.stream.try_next().await? {
        written = written.saturating_add(chunk.len() as u64);
        let write = move || file.write_all(&chunk).map(|()| file).map_err(StorageError::of_file);
        file = blocking(write).await?;
    }
    if written == body.size {
        return Ok(());
    }
    Err(StorageError::Unavailable(format!("{written} of {} bytes came", body.size)))
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage")
    }
}
