//! Forgetting old mails: their records and, where they are kept, their files.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{MailError, Mailer};
use crate::jobs::{Handler, Job, JobContext, Schedule};

/// Records forgotten in one transaction at most.
const SLICE: u32 = 500;

/// The job that forgets old mails.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PruneMails {}

impl Job for PruneMails {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "prune-mails";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

impl PruneMails {
    /// Its handler, which keeps what is younger than `keep`.
    pub fn handler(mailer: Arc<Mailer>, keep: Duration) -> Handler {
        Handler::of::<Self>(move |_: Self, context: JobContext| {
            let mailer = Arc::clone(&mailer);
            async move { Ok(mailer.forget_before(context.clock.now() - keep, SLICE).await?) }
        })
    }

    /// Once an hour.
    pub fn schedule() -> Schedule {
        Schedule::of::<Self>("prune-mails", "37 * * * *", Self {})
    }
}

impl Mailer {
    /// Files go first: a record whose file is gone is met again by the next run, a file without record by none.
    async fn forget_before(&self, before: stoa_kernel::Timestamp, slice: u32) -> Result<(), MailError> {
        let Some(database) = &self.records else { return Ok(()) };
        loop {
            let old = database.read(move |c| super::records::oldest(c, before, slice)).await?;
            let count = u32::try_from(old.len()).unwrap_or(u32::MAX);
            self.remove_files(old.clone()).await?;
            database.write(move |tx| super::records::forget(tx, &old)).await?;
            if count < slice {
                return Ok(());
            }
        }
    }
}
