//! Proving that mail to an address is read by who gave it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stoa_contracts::accounts::UserUpdated;
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
    jobs::{self, Handler, Job, JobContext, JobFailure},
};

use crate::{
    Accounts,
    account::User,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    mailed_link::Purpose,
    store::{users, verifications},
    tokens::hash_of,
};

/// How long the link in the mail is good for, from when it was asked for.
const VERIFICATION_TTL: Duration = Duration::from_hours(72);

/// Mails somebody a link by which they prove their address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MailVerification {
    user: UserId,
    asked_at: Timestamp,
}

impl Job for MailVerification {
    const QUEUE: &'static str = "emails";
    const KIND: &'static str = "verify-email";
}

/// Has a link mailed to `user`, in the transaction that wants it.
pub(crate) fn ask_for_proof(tx: &mut Tx<'_>, occasion: &Occasion, user: UserId) -> Result<(), DatabaseError> {
    jobs::enqueue(tx, occasion, &MailVerification { user, asked_at: occasion.at }).map(drop)
}

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
                let (user, email) = proof.ok_or(AccountError::InvalidMailedToken)?;
                if !users::verify_email(tx, user, &email, occasion.at)? {
                    return Err(AccountError::InvalidMailedToken);
                }
                events::append(tx, &occasion, &UserUpdated { user_id: user })?;
                Note::new(kind::EMAIL_VERIFIED, format!("user:{user}")).from(&client).write(tx, &occasion)?;
                Ok(())
            })
            .await
    }

    /// Has the link mailed once more to somebody who has not proved their address.
    pub(crate) async fn resend_verification(
        &self,
        occasion: Occasion,
        user: UserId,
    ) -> Result<(), AccountError> {
        self.database()
            .write(move |tx| {
                let found = users::find(tx, user)?.ok_or(AccountError::UnknownUser)?;
                if found.email_verified_at.is_some() {
                    return Err(AccountError::AlreadyVerified);
                }
                Ok(ask_for_proof(tx, &occasion, user)?)
            })
            .await
    }

    pub(crate) fn verification_handler(&self) -> Handler {
        let accounts = self.clone();
        Handler::of::<MailVerification>(move |job: MailVerification, context: JobContext| {
            let accounts = accounts.clone();
            async move { accounts.mail_verification(job, context).await }
        })
    }

    /// Keeps the hash of the link and sends it under the job's id, so that a job that runs twice is one mail.
    async fn mail_verification(&self, job: MailVerification, context: JobContext) -> Result<(), JobFailure> {
        let expires_at = job.asked_at + VERIFICATION_TTL;
        let (secret, link) = self.mailed_link(Purpose::VerifyEmail, context.id);
        let found = self.database().write(move |tx| {
            let unproved = |user: &User| user.email_verified_at.is_none();
            let Some(user) = users::find(tx, job.user)?.filter(unproved) else { return Ok(None) };
            let email = user.email.to_ascii_lowercase();
            verifications::insert(tx, &secret.hash, user.id, &email, expires_at)?;
            Ok::<_, AccountError>(Some(user))
        });
        let Some(user) = found.await? else { return Ok(()) };
        let letter = json!({"name": user.name, "link": link});
        self.mailer().send(&context.id.to_string(), &user.email, "verify_email", letter).await?;
        Ok(())
    }
}
