//! Files in an S3 bucket: that of AWS, R2, `MinIO` and whatever else speaks its API.
//!
//! Large files go up in parts, and only so many parts are in memory at once, over all uploads. What fails for now is
//! tried again a few times, also in the middle of reading; nothing is waited for longer than the patience allows.

mod address;
mod bind;
mod client;
mod upload;

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutOptions,
    aws::AmazonS3,
    path::Path as Location,
    signer::{Method, SignedUrlOptions, Signer},
};
use stoa_kernel::Timestamp;
use stoa_platform::storage::{
    Listing, ObjectBody, ObjectKey, SignedRequest, StorageError, Store, StoredObject, Working, attachment,
};
use tokio::sync::Semaphore;

pub use self::{
    address::{BadBucket, S3Address},
    client::SetupError,
};

/// How many parts are in memory at once.
const PARTS: usize = 6;

/// How a bucket is used.
#[derive(Clone)]
pub struct S3Settings {
    /// Which bucket, and where in it.
    pub address: S3Address,
    /// Who asks; without it the role that the machine, the pod or the task has at AWS.
    pub credentials: Option<S3Credentials>,
    /// How long an answer is waited for, or the next piece of one.
    pub patience: Duration,
}

/// A key to a bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials {
    /// Its name.
    pub key_id: String,
    /// What proves it.
    pub secret: String,
    /// What goes with keys that are given for some hours.
    pub session_token: Option<String>,
}

impl S3Settings {
    /// The usual settings for a bucket: half a minute, the role of the machine.
    pub fn of(address: S3Address) -> Self {
        Self { address, credentials: None, patience: Duration::from_secs(30) }
    }
}

/// A bucket, or a folder of one.
pub struct S3 {
    bucket: AmazonS3,
    /// The same as browsers reach it.
    public: AmazonS3,
    folder: Option<ObjectKey>,
    parts: Semaphore,
}

impl S3 {
    /// A way to the bucket; nothing is asked of it yet.
    pub fn new(settings: &S3Settings) -> Result<Arc<Self>, SetupError> {
        let (bucket, public) = client::open(settings)?;
        let folder = settings.address.folder.clone();
        Ok(Arc::new(Self { bucket, public, folder, parts: Semaphore::new(PARTS) }))
    }

    fn place(&self, key: &ObjectKey) -> Location {
        self.folder.as_ref().map_or_else(|| key.as_str().into(), |folder| format!("{folder}/{key}").into())
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<u64>, StorageError> {
        let about = present(self.bucket.head(&self.place(key)).await)?;
        Ok(about.map(|about| about.size))
    }

    async fn open(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<ObjectBody>, StorageError> {
        // A part without bytes cannot be asked for.
        if let Some(range) = range.clone().filter(Range::is_empty) {
            let refused = |size| Err(StorageError::OutOfRange { range, size });
            return self.find(key).await?.map(refused).transpose();
        }
        let wanted = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let found = match (present(self.bucket.get_opts(&self.place(key), wanted).await), range) {
            (Err(failure), Some(range)) => {
                // A part beyond the end is refused without the size being told.
                return match self.find(key).await? {
                    Some(size) if range.end > size => Err(StorageError::OutOfRange { range, size }),
                    _ => Err(failure),
                };
            }
            (Ok(Some(found)), Some(range)) if found.range != range => {
                return Err(StorageError::OutOfRange { range, size: found.meta.size });
            }
            (found, _) => found?,
        };
        Ok(found.map(|found| {
            let size = found.meta.size;
            ObjectBody { size, stream: found.into_stream().map_err(trouble).boxed() }
        }))
    }

    async fn sign_put(
        &self,
        key: &ObjectKey,
        content_type: &str,
        size: u64,
        lifetime: Duration,
    ) -> Result<SignedRequest, StorageError> {
        let link = self.public.signed_url(Method::PUT, &self.place(key), lifetime).await.map_err(trouble)?;
        let credential = self.public.credentials().get_credential().await.map_err(trouble)?;
        let size = size.to_string();
        let headers = [("content-type", content_type), ("content-length", &size)];
        let link = bind::bound(link, "PUT", &headers, &credential.secret_key);
        let link = link.ok_or_else(|| StorageError::Unavailable("there is nothing to sign with".into()))?;
        // A client sends the length by itself, and browsers let nobody else say it.
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Ok(SignedRequest { url: link.into(), headers })
    }
}

impl Store for S3 {
    fn put_file<'a>(
        &'a self,
        key: &'a ObjectKey,
        source: &'a Path,
        content_type: &'a str,
    ) -> Working<'a, ()> {
        let place = self.place(key);
        Box::pin(async move { upload::file(&self.bucket, &self.parts, &place, source, content_type).await })
    }

    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: Bytes, content_type: &'a str) -> Working<'a, ()> {
        Box::pin(async move {
            let put = self.bucket.put_opts(&self.place(key), bytes.into(), of_type(content_type)).await;
            put.map(drop).map_err(trouble)
        })
    }

    fn read<'a>(&'a self, key: &'a ObjectKey, range: Option<Range<u64>>) -> Working<'a, Option<ObjectBody>> {
        Box::pin(self.open(key, range))
    }

    fn size<'a>(&'a self, key: &'a ObjectKey) -> Working<'a, Option<u64>> {
        Box::pin(self.find(key))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Working<'a, ()> {
        Box::pin(async move { present(self.bucket.delete(&self.place(key)).await).map(drop) })
    }

    /// What is in the bucket under names that are no keys was put there by somebody else.
    fn list(&self, folder: Option<ObjectKey>) -> Listing {
        let ours = self.folder.as_ref().map_or_else(String::new, |ours| format!("{ours}/"));
        let place = match folder {
            Some(folder) => Some(self.place(&folder)),
            None => self.folder.as_ref().map(|ours| ours.as_str().into()),
        };
        let object = move |about: object_store::ObjectMeta| {
            let key = ObjectKey::parse(about.location.as_ref().strip_prefix(&ours)?).ok()?;
            Some(StoredObject { key, size: about.size, modified: Timestamp::from(about.last_modified) })
        };
        let found = self.bucket.list(place.as_ref()).map_err(trouble);
        found.try_filter_map(move |about| std::future::ready(Ok(object(about)))).boxed()
    }

    fn signed_get<'a>(
        &'a self,
        key: &'a ObjectKey,
        lifetime: Duration,
        filename: &'a str,
    ) -> Working<'a, Option<String>> {
        Box::pin(async move {
            let disposition = [("response-content-disposition", attachment(filename))];
            let options = SignedUrlOptions::new().with_query(disposition);
            let url = self.public.signed_url_opts(Method::GET, &self.place(key), lifetime, &options).await;
            url.map(|url| Some(url.into())).map_err(trouble)
        })
    }

    fn signed_put<'a>(
        &'a self,
        key: &'a ObjectKey,
        content_type: &'a str,
        size: u64,
        lifetime: Duration,
    ) -> Working<'a, Option<SignedRequest>> {
        Box::pin(async move { self.sign_put(key, content_type, size, lifetime).await.map(Some) })
    }

    /// Lists what should not be there, which a bucket that is missing or closed to us does not answer.
    fn ready(&self) -> Working<'_, ()> {
        Box::pin(async move {
            let nowhere = self.folder.as_ref().map_or_else(String::new, |folder| format!("{folder}/"));
            let nowhere = Location::from(format!("{nowhere}ready"));
            self.bucket.list(Some(&nowhere)).try_next().await.map(drop).map_err(trouble)
        })
    }

    /// Parts of uploads that were interrupted are the bucket's own affair: a rule of it removes them.
    fn sweep(&self) -> Working<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn of_type(content_type: &str) -> PutOptions {
    PutOptions { attributes: attributes(content_type), ..PutOptions::default() }
}

fn attributes(content_type: &str) -> Attributes {
    Attributes::from_iter([(Attribute::ContentType, content_type.to_owned())])
}

/// `None` for what is not there.
fn present<T>(found: object_store::Result<T>) -> Result<Option<T>, StorageError> {
    match found {
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        found => found.map(Some).map_err(trouble),
    }
}

/// Only the words of the answer tell a full store from a broken one.
fn trouble(error: object_store::Error) -> StorageError {
    let told = error.to_string();
    let full = ["StorageFull", "QuotaExceeded", "507 Insufficient Storage"];
    if full.iter().any(|word| told.contains(word)) {
        StorageError::Full(told)
    } else {
        StorageError::Unavailable(told)
    }
}

impl std::fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Settings").field("address", &self.address).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("S3Credentials")
    }
}
