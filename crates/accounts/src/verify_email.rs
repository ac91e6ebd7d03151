//! Proving that mail to an address is read by who gave it.

use stoa_contracts::accounts::UserUpdated;
use stoa_platform::{Occasion, events};

use crate::{
    Accounts,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    store::{users, verifications},
    tokens::hash_of,
};

impl Accounts {
    /// Takes the proof out of a mailed link; it is good once.
    pub(crate) async fn verify_email(
        &self,
        occasion: Occasion,
        client: Client,
        token: &str,
    ) -> Result<(), AccountError> {
        let hash = hash_of(token);
        self.database()
            .write(move |tx| {
                let proof = verifications::take(tx, &hash, occasion.at)?;
                let (user, email) = proof.ok_or(AccountError::InvalidVerificationToken)?;
                if !users::verify_email(tx, user, &email, occasion.at)? {
                    return Err(AccountError::InvalidVerificationToken);
                }
                events::append(tx, &occasion, &UserUpdated { user_id: user })?;
                Note::new(kind::EMAIL_VERIFIED, format!("user:{user}")).from(&client).write(tx, &occasion)?;
                Ok(())
            })
            .await
    }
}
