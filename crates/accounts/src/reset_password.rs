//! Setting a new password by the link that was mailed.

use serde_json::json;
use stoa_contracts::accounts::{PasswordChanged, UserUpdated};
use stoa_platform::{Occasion, database::Tx, events, jobs, mail::SendMail};

use crate::{
    Accounts,
    account::User,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    store::{failures, resets, users},
    tokens::hash_of,
};

impl Accounts {
    /// Sets a new password for whoever was mailed this token. It is good once; all sessions end; and who reads the mail
    /// has proved the address and is not kept out by the failures of before.
    pub(crate) async fn reset_password(
        &self,
        occasion: Occasion,
        client: Client,
        token: &str,
        new: String,
    ) -> Result<(), AccountError> {
        if let Err(flaw) = self.settings().password_policy.check(&new) {
            return Err(AccountError::Invalid { field: "newPassword", flaw });
        }
        let (hash, now) = (hash_of(token), occasion.at);
        // Looked at first, so that a made-up token costs no hashing.
        if !self.database().get(move |c| resets::is_good(c, &hash, now)).await? {
            return Err(AccountError::InvalidMailedToken);
        }
        let new = self.passwords().hash(new).await?;
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                let user = resets::take(tx, &hash, occasion.at)?.ok_or(AccountError::InvalidMailedToken)?;
                let occasion = Occasion { actor: format!("user:{user}"), ..occasion.clone() };
                let user = users::set_password(tx, user, &new, occasion.at)?;
                let user = user.ok_or(AccountError::InvalidMailedToken)?;
                accounts.end_sessions(tx, &occasion, user.id, None)?;
                resets::end(tx, user.id, occasion.at)?;
                welcome_back(tx, &user)?;
                if user.email_verified_at.is_none() {
                    prove_address(tx, &occasion, &client, &user)?;
                }
                events::append(tx, &occasion, &PasswordChanged { user_id: user.id })?;
                let mail = SendMail::new(&user.email, "password_changed", json!({"name": user.name}));
                jobs::enqueue(tx, &occasion, &mail)?;
                let note = Note::new(kind::PASSWORD_CHANGED, &occasion.actor).from(&client);
                Ok(note.with(json!({"by": "reset"})).write(tx, &occasion)?)
            })
            .await
    }
}

/// Forgets the failures that were counted against a user, and the lock they came to.
fn welcome_back(tx: &mut Tx<'_>, user: &User) -> Result<(), AccountError> {
    let identifiers =
        [user.email.to_ascii_lowercase(), user.username.to_ascii_lowercase(), format!("user:{}", user.id)];
    for identifier in identifiers {
        failures::forget(tx, &identifier)?;
    }
    Ok(())
}

fn prove_address(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    client: &Client,
    user: &User,
) -> Result<(), AccountError> {
    users::verify_email(tx, user.id, &user.email.to_ascii_lowercase(), occasion.at)?;
    events::append(tx, occasion, &UserUpdated { user_id: user.id })?;
    Note::new(kind::EMAIL_VERIFIED, format!("user:{}", user.id)).from(client).write(tx, occasion)?;
    Ok(())
}
