//! Objects as files of a folder.
//!
//! A file is filled beside its place, synced, renamed into its place, and the folder is synced: so it is there whole or
//! not at all, also after a power cut. What is being filled lies in `.drafts`, whose name no key can have. Folders and
//! files are for their owner alone.

mod draft;
mod list;
mod read;

use std::{
    fs::{self, DirBuilder, File},
    io,
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::RwLock;

use super::{
    Listing, ObjectBody, ObjectKey, SignedRequest, StorageError, Store, Working, blocking::blocking,
};

/// How often a put starts over when the folder it wants goes away under it, because its last object was deleted.
const TRIES: u32 = 8;

/// Objects in a folder; clones share it.
#[derive(Clone)]
pub(super) struct Folder(Arc<Inner>);

struct Inner {
    root: PathBuf,
    drafts: PathBuf,
    /// Held alone while folders are made and removed. Whoever has put a file takes it shared before answering, so every
    /// folder above the file has been synced by then, whoever made it.
    folders: RwLock<()>,
}

impl Folder {
    /// Opens a folder and makes it first if need be.
    pub(super) fn open(root: &Path) -> Result<Self, StorageError> {
        let (root, drafts) = (root.to_owned(), root.join(".drafts"));
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&drafts).map_err(|error| of_path(&root, error))?;
        let folder = Self(Arc::new(Inner { root, drafts, folders: RwLock::new(()) }));
        folder.0.sweep().map_err(StorageError::of_file)?;
        Ok(folder)
    }

    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StorageError> + Send + 'static,
    ) -> Working<'static, T> {
        let inner = Arc::clone(&self.0);
        Box::pin(blocking(move || work(&inner)))
    }
}

impl Inner {
    fn place(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn size(&self, key: &ObjectKey) -> io::Result<Option<u64>> {
        let about = present(fs::symlink_metadata(self.place(key)))?;
        Ok(about.filter(fs::Metadata::is_file).map(|about| about.len()))
    }

    fn delete(&self, key: &ObjectKey) -> io::Result<()> {
        let place = self.place(key);
        if self.size(key)?.is_none() || present(fs::remove_file(&place))?.is_none() {
            return Ok(());
        }
        let _alone = self.folders.write();
        self.prune(&place)
    }

    /// Removes the folders above a file that have become empty, and syncs the first that has not.
    fn prune(&self, place: &Path) -> io::Result<()> {
        for folder in place.ancestors().skip(1) {
            if folder == self.root || fs::remove_dir(folder).is_err() {
                return present(File::open(folder))?.map_or(Ok(()), |folder| folder.sync_all());
            }
        }
        Ok(())
    }
}

/// `None` for what is not there, and for what is not there because a file stands where a folder would.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        found => found.map(Some),
    }
}

fn of_path(path: &Path, error: io::Error) -> StorageError {
    StorageError::of_file(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

impl Store for Folder {
    fn put_file<'a>(&'a self, key: &'a ObjectKey, source: &'a Path, _: &'a str) -> Working<'a, ()> {
        let (key, source) = (key.clone(), source.to_owned());
        self.blocking(move |inner| inner.put_file(&key, &source))
    }

    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: Bytes, _: &'a str) -> Working<'a, ()> {
        let key = key.clone();
        self.blocking(move |inner| inner.put(&key, &bytes).map_err(StorageError::of_file))
    }

    fn read<'a>(&'a self, key: &'a ObjectKey, range: Option<Range<u64>>) -> Working<'a, Option<ObjectBody>> {
        let place = self.0.place(key);
        self.blocking(move |_| read::open(&place, range))
    }

    fn size<'a>(&'a self, key: &'a ObjectKey) -> Working<'a, Option<u64>> {
        let key = key.clone();
        self.blocking(move |inner| inner.size(&key).map_err(StorageError::of_file))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Working<'a, ()> {
        let key = key.clone();
        self.blocking(move |inner| inner.delete(&key).map_err(StorageError::of_file))
    }

    fn list(&self, folder: Option<ObjectKey>) -> Listing {
        list::below(&self.0.root, folder)
    }

    fn signed_get<'a>(&'a self, _: &'a ObjectKey, _: Duration, _: &'a str) -> Working<'a, Option<String>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn signed_put<'a>(
        &'a self,
        _: &'a ObjectKey,
        _: &'a str,
        _: u64,
        _: Duration,
    ) -> Working<'a, Option<SignedRequest>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn ready(&self) -> Working<'_, ()> {
        self.blocking(|inner| inner.try_writing().map_err(|error| of_path(&inner.root, error)))
    }

    fn sweep(&self) -> Working<'_, ()> {
        self.blocking(|inner| inner.sweep().map_err(StorageError::of_file))
    }
}
