//! Pictures in other sizes and shapes: made when they are first asked for, kept in the store, dropped with their file.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use stoa_pictures::Rendition;
use stoa_platform::storage::ObjectKey;

use super::content::{Served, Source, etag};
use crate::{
    Files,
    error::FileError,
    file::{File, Part},
};

impl Files {
    /// A picture of a picture. Whoever asks while it is being made waits for it.
    pub(super) async fn rendition(&self, file: &File, rendition: &Rendition) -> Result<Served, FileError> {
        let name = rendition.key();
        let key = ObjectKey::parse(&format!("{}/{name}", file.renditions()))?;
        let source = if let Some(source) = self.made(&key).await? {
            source
        } else {
            let turn = self.0.servings.turn(&key);
            let _turn = turn.lock().await;
            match self.made(&key).await? {
                Some(source) => source,
                None => self.make(file, rendition, &key).await?,
            }
        };
        Ok(Served {
            size: source.1,
            source: source.0,
            content_type: format!("image/{}", ending(rendition)),
            etag: etag(file, &format!("-{name}")),
        })
    }

    /// One that was made before.
    async fn made(&self, key: &ObjectKey) -> Result<Option<(Source, u64)>, FileError> {
        if let Some(bytes) = self.0.servings.kept(key) {
            let size = bytes.len() as u64;
            return Ok(Some((Source::Kept(bytes), size)));
        }
        let Some(size) = self.storage().size(key).await? else { return Ok(None) };
        Ok(Some((self.source(key.clone(), size).await?, size)))
    }

    async fn make(
        &self,
        file: &File,
        rendition: &Rendition,
        key: &ObjectKey,
    ) -> Result<(Source, u64), FileError> {
        let whole = match self.source(file.key(Part::Main)?, file.size).await? {
            Source::Kept(bytes) => bytes,
            Source::Stored(key) => self.whole(&key, file.size).await?,
        };
        let (rendition, bounds) = (*rendition, self.picture_bounds());
        let work = move || stoa_pictures::render(&whole, &rendition, &bounds);
        let picture = self.on_a_processor(work).await??;
        let bytes = Bytes::from(picture.bytes);
        if let Err(error) = self.storage().put(key, bytes.clone(), picture.content_type).await {
            // It can be made again, and is not worth a refusal.
            tracing::warn!(%error, %key, "a rendition cannot be kept");
        }
        let size = bytes.len() as u64;
        self.0.servings.keep(key.clone(), bytes.clone());
        Ok((Source::Kept(bytes), size))
    }

    /// Removes all that was made of a file.
    pub(crate) async fn remove_renditions(&self, file: &File) -> Result<(), FileError> {
        let storage = Arc::new(self.storage().clone());
        let mut made = storage.list(&file.renditions());
        while let Some(object) = made.try_next().await? {
            storage.delete(&object.key).await?;
        }
        Ok(())
    }
}

/// What the name of a rendition ends in: its format, as its media type has it.
pub(super) fn ending(rendition: &Rendition) -> String {
    rendition.key().rsplit('.').next().unwrap_or_default().to_owned()
}
