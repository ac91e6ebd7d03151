//! Receiving pictures for others: those of people.

use std::sync::Arc;

use stoa_contracts::files::{FileView, PictureUpload, Pictures, Receiving, Visibility, WithPicture};
use stoa_kernel::{Actor, Refusal, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    Files,
    delete_file::delete,
    error::FileError,
    file::{State, StoredName},
    keep_files::Wish,
    kinds::Kind,
    prepare::Shape,
    receive_upload::{Incoming, Taken},
    store::files,
};

/// One picture, of a kind of which others can be made.
const A_PICTURE: Taken = Taken { kinds: &[Kind::Jpeg, Kind::Png, Kind::Gif, Kind::Webp], ..Taken::ONE };

impl Files {
    async fn receive_square(&self, upload: PictureUpload, then: WithPicture) -> Result<FileView, FileError> {
        let PictureUpload { occasion, owner, content_type, content_length, waits, body } = upload;
        let incoming = Incoming { content_type, length: content_length, waits, body };
        let form = self.receive(incoming, A_PICTURE).await?;
        let wish = Wish {
            visibility: Some(Visibility::Public),
            shape: Shape::Square,
            then: Some(Arc::new(then)),
            ..Wish::of(&Actor::Guest, owner.into())
        };
        let kept = self.keep(occasion, form.files, wish).await?;
        kept.files.into_iter().next().ok_or(FileError::Unknown)
    }
}

impl Pictures for Files {
    fn receive_square(&self, upload: PictureUpload, then: WithPicture) -> Receiving<'_> {
        Box::pin(async move { self.receive_square(upload, then).await.map_err(Refusal::from) })
    }

    fn discard(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        owner: UserId,
        url: &str,
    ) -> Result<(), DatabaseError> {
        let name = url.strip_prefix(self.base()).and_then(|path| path.strip_prefix("/files/"));
        let Some(name) = name.and_then(StoredName::parse) else { return Ok(()) };
        let found = files::lock(tx, name.id)?;
        match found.filter(|file| file.state == State::Ready && file.owner == owner.into()) {
            Some(file) => delete(tx, occasion, &file),
            None => Ok(()),
        }
    }
}
