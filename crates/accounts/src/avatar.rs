//! One's own picture: received by files, worn from the moment on from which it is there.

use std::sync::Arc;

use stoa_contracts::{
    accounts::UserUpdated,
    files::{FileView, PictureUpload, Pictures},
};
use stoa_kernel::{Refusal, UserId};
use stoa_platform::{Occasion, database::Tx, events};

use crate::{Accounts, account::User, error::AccountError, store::users};

impl Accounts {
    /// Receives a picture and wears it in the place of the one before, which is deleted.
    pub(crate) async fn change_avatar(
        &self,
        pictures: &Arc<dyn Pictures>,
        upload: PictureUpload,
    ) -> Result<User, Refusal> {
        let (occasion, wearer, keeper) = (upload.occasion.clone(), upload.owner, Arc::clone(pictures));
        let known = self.known_people().clone();
        let wear = move |tx: &mut Tx<'_>, picture: &FileView| {
            known.forget_after_commit(tx, wearer);
            wear(tx, &occasion, wearer, keeper.as_ref(), picture).map_err(Refusal::from)
        };
        pictures.receive_square(upload, Box::new(wear)).await?;
        Ok(self.user(wearer).await?)
    }
}

fn wear(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    user: UserId,
    pictures: &dyn Pictures,
    picture: &FileView,
) -> Result<(), AccountError> {
    let changed = users::set_avatar(tx, user, &picture.url, occasion.at)?;
    let (_, before) = changed.ok_or(AccountError::UnknownUser)?;
    if let Some(before) = before {
        pictures.discard(tx, occasion, user, &before)?;
    }
    events::append(tx, occasion, &UserUpdated { user_id: user })?;
    Ok(())
}
