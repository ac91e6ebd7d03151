//! Changing one's own password.

use serde_json::json;
use stoa_contracts::accounts::PasswordChanged;
use stoa_kernel::SignedIn;
use stoa_platform::{Occasion, events, jobs, mail::SendMail};

use crate::{
    Accounts,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    login::{lock, refuse_locked},
    store::{failures, resets, sessions, users},
};

impl Accounts {
    /// Changes the password of who knows the current one. All refresh tokens are revoked and other sessions end; the
    /// session it is done in lives on until its access token runs out.
    pub(crate) async fn change_password(
        &self,
        occasion: Occasion,
        client: Client,
        person: SignedIn,
        current: String,
        new: String,
    ) -> Result<(), AccountError> {
        if let Err(flaw) = self.settings().password_policy.check(&new) {
            return Err(AccountError::Invalid { field: "newPassword", flaw });
        }
        let counted_as = format!("user:{}", person.user);
        let (user, key, now) = (person.user, counted_as.clone(), occasion.at);
        let checked = self
            .database()
            .get(move |c| {
                refuse_locked(failures::locked_until(c, &key, now)?, now)?;
                users::password_of(c, user)?.ok_or(AccountError::UnknownUser)
            })
            .await?;
        if !self.passwords().verify(current, Some(checked.clone())).await? {
            self.note_refused_change(occasion, client, counted_as).await?;
            return Err(AccountError::WrongPassword);
        }
        let new = self.passwords().hash(new).await?;
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                failures::clear(tx, &counted_as, occasion.at)?;
                let user = users::replace_password(tx, person.user, &checked, &new, occasion.at)?;
                let user = user.ok_or(AccountError::WrongPassword)?;
                accounts.end_sessions(tx, &occasion, person.user, Some(person.session))?;
                sessions::forget_tokens(tx, person.session)?;
                let runs_out = occasion.at + accounts.settings().access_token_ttl;
                sessions::end_by(tx, person.session, runs_out)?;
                resets::end(tx, person.user, occasion.at)?;
                events::append(tx, &occasion, &PasswordChanged { user_id: person.user })?;
                let mail = SendMail::new(&user.email, "password_changed", json!({"name": user.name}));
                jobs::enqueue(tx, &occasion, &mail)?;
                Note::new(kind::PASSWORD_CHANGED, &occasion.actor).from(&client).write(tx, &occasion)?;
                Ok(())
            })
            .await
    }

    /// Whoever holds a stolen access token cannot try passwords here either.
    async fn note_refused_change(
        &self,
        occasion: Occasion,
        client: Client,
        counted_as: String,
    ) -> Result<(), AccountError> {
        self.database()
            .write(move |tx| {
                Note::new(kind::PASSWORD_REFUSED, &counted_as).from(&client).write(tx, &occasion)?;
                if failures::note(tx, &counted_as, occasion.at)? {
                    lock(tx, &occasion, &client, &counted_as)?;
                }
                Ok(())
            })
            .await
    }
}
