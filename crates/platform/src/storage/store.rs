//! What a store of objects has to do. Drivers implement it, and whatever does passes the contract of
//! `testing::storage`.

use std::{fmt, ops::Range, path::Path, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use stoa_kernel::Timestamp;

use super::{ObjectKey, StorageError};

/// Work of a store to wait for.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'a>>;
/// Bytes as they come.
pub type Chunks = BoxStream<'static, Result<Bytes, StorageError>>;
/// Objects as they are found.
pub type Listing = BoxStream<'static, Result<StoredObject, StorageError>>;

/// An object that is being read.
pub struct ObjectBody {
    /// How long the object is, also when only a part was asked for.
    pub size: u64,
    /// The bytes asked for, in order. One that ends early ends with a failure.
    pub stream: Chunks,
}

/// An object as a listing tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredObject {
    /// Its name.
    pub key: ObjectKey,
    /// How long it is.
    pub size: u64,
    /// When it was put, by the store's clock.
    pub modified: Timestamp,
}

/// A PUT that somebody else may do.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Where to; whoever has it may do it.
    pub url: String,
    /// The headers that must go with it, as they are.
    pub headers: Vec<(String, String)>,
}

/// A store of objects; what each call means is told at [`Storage`](super::Storage).
pub trait Store: Send + Sync {
    /// See [`Storage::put_file`](super::Storage::put_file).
    fn put_file<'a>(&'a self, key: &'a ObjectKey, source: &'a Path, content_type: &'a str)
    -> Working<'a, ()>;
    /// See [`Storage::put`](super::Storage::put).
    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: Bytes, content_type: &'a str) -> Working<'a, ()>;
    /// See [`Storage::read`](super::Storage::read).
    fn read<'a>(&'a self, key: &'a ObjectKey, range: Option<Range<u64>>) -> Working<'a, Option<ObjectBody>>;
    /// See [`Storage::size`](super::Storage::size).
    fn size<'a>(&'a self, key: &'a ObjectKey) -> Working<'a, Option<u64>>;
    /// See [`Storage::delete`](super::Storage::delete).
    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Working<'a, ()>;
    /// See [`Storage::list`](super::Storage::list).
    fn list(&self, folder: Option<ObjectKey>) -> Listing;
    /// See [`Storage::signed_get`](super::Storage::signed_get).
    fn signed_get<'a>(
        &'a self,
        key: &'a ObjectKey,
        lifetime: Duration,
        filename: &'a str,
    ) -> Working<'a, Option<String>>;
    /// See [`Storage::signed_put`](super::Storage::signed_put).
    fn signed_put<'a>(
        &'a self,
        key: &'a ObjectKey,
        content_type: &'a str,
        size: u64,
        lifetime: Duration,
    ) -> Working<'a, Option<SignedRequest>>;
    /// See [`Storage::ready`](super::Storage::ready).
    fn ready(&self) -> Working<'_, ()>;
    /// See [`Storage::sweep`](super::Storage::sweep).
    fn sweep(&self) -> Working<'_, ()>;
}

impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody").field("size", &self.size).finish_non_exhaustive()
    }
}

/// The address is as good as a password while it lasts.
impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest").finish_non_exhaustive()
    }
}
