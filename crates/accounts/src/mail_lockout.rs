//! Telling somebody that their account is locked. Whose the identifier is gets looked up by the job, so that the request
//! that locks does the same work for one that is nobody's.

use serde::{Deserialize, Serialize};
use serde_json::json;
use stoa_platform::jobs::{Handler, Job, JobContext, JobFailure};

use crate::{Accounts, lockout::LOCKED_FOR, store::users};

/// What counts against a signed-in user begins with this, and no address or username holds a colon.
const USER: &str = "user:";

/// Writes to whoever has a locked identifier, if anybody has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MailLockout {
    /// What was tried.
    pub(crate) identifier: String,
    /// Where it was tried from last.
    pub(crate) address: String,
}

impl Job for MailLockout {
    const QUEUE: &'static str = "emails";
    const KIND: &'static str = "account-locked";
}

impl Accounts {
    pub(crate) fn lockout_handler(&self) -> Handler {
        let accounts = self.clone();
        Handler::of::<MailLockout>(move |job: MailLockout, context: JobContext| {
            let accounts = accounts.clone();
            async move { accounts.mail_lockout(job, context).await }
        })
    }

    async fn mail_lockout(&self, job: MailLockout, context: JobContext) -> Result<(), JobFailure> {
        let MailLockout { identifier, address } = job;
        let found = self.database().read(move |c| match identifier.strip_prefix(USER) {
            Some(id) => id.parse().map_or(Ok(None), |id| users::find(c, id)),
            None => users::find_by_identifier(c, &identifier),
        });
        let Some(owner) = found.await? else { return Ok(()) };
        let minutes = LOCKED_FOR.as_secs() / 60;
        let letter = json!({"name": owner.name, "minutes": minutes, "address": address});
        self.mailer().send(&context.id.to_string(), &owner.email, "account_locked", letter).await?;
        Ok(())
    }
}
