//! Asking for a link to set a new password.
//!
//! The request looks nobody up: it writes one line and one job for any address, so its time tells nothing. The job finds
//! out whose address it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stoa_kernel::Timestamp;
use stoa_platform::{
    Occasion,
    jobs::{self, Handler, Job, JobContext, JobFailure},
};

use crate::{
    Accounts,
    account::EmailAddress,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    mailed_link::Purpose,
    store::{resets, users},
};

/// How long a link is good for, from when it was asked for.
pub(crate) const RESET_TTL: Duration = Duration::from_hours(1);

/// Mails a link to whoever has this address, if anybody has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MailPasswordReset {
    /// The address in its folded form.
    email: String,
    asked_at: Timestamp,
}

impl Job for MailPasswordReset {
    const QUEUE: &'static str = "emails";
    const KIND: &'static str = "password-reset";
}

impl Accounts {
    /// Has a link mailed to an address, if it is somebody's.
    pub(crate) async fn forgot_password(
        &self,
        occasion: Occasion,
        client: Client,
        email: EmailAddress,
    ) -> Result<(), AccountError> {
        self.database()
            .write(move |tx| {
                let asked = Note::new(kind::PASSWORD_RESET_ASKED, email.folded()).from(&client);
                asked.write(tx, &occasion)?;
                let job = MailPasswordReset { email: email.folded().to_owned(), asked_at: occasion.at };
                jobs::enqueue(tx, &occasion, &job)?;
                Ok(())
            })
            .await
    }

    pub(crate) fn password_reset_handler(&self) -> Handler {
        let accounts = self.clone();
        Handler::of::<MailPasswordReset>(move |job: MailPasswordReset, context: JobContext| {
            let accounts = accounts.clone();
            async move { accounts.mail_password_reset(job, context).await }
        })
    }

    /// Keeps the hash of the link and sends it under the job's id, so that a job that runs twice is one link in one mail.
    async fn mail_password_reset(
        &self,
        job: MailPasswordReset,
        context: JobContext,
    ) -> Result<(), JobFailure> {
        let MailPasswordReset { email, asked_at } = job;
        let expires_at = asked_at + RESET_TTL;
        if expires_at <= context.clock.now() {
            tracing::warn!(job.id = %context.id, "a link to reset a password comes too late to be mailed");
            return Ok(());
        }
        let (secret, link) = self.mailed_link(Purpose::ResetPassword, context.id);
        let found = self.database().write(move |tx| {
            let Some(user) = users::find_by_identifier(tx, &email)? else { return Ok(None) };
            let holds = resets::put(tx, user.id, &secret.hash, asked_at, expires_at)?;
            Ok::<_, AccountError>(holds.then_some(user))
        });
        let Some(user) = found.await? else {
            tracing::debug!(job.id = %context.id, "nobody needs the link to reset a password any more, or ever did");
            return Ok(());
        };
        let letter = json!({"name": user.name, "link": link, "minutes": RESET_TTL.as_secs() / 60});
        self.mailer().send(&context.id.to_string(), &user.email, "password_reset", letter).await?;
        Ok(())
    }
}
