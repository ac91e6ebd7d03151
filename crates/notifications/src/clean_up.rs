//! Forgetting what is old.

use serde::{Deserialize, Serialize};
use stoa_kernel::Timestamp;
use stoa_platform::{
    database::DatabaseError,
    jobs::{Handler, Job, JobContext, Schedule},
};

use crate::{
    Notifications,
    store::{announcements, notifications},
};

/// Rows deleted in one transaction at most.
const SLICE: u32 = 500;

/// The job that forgets old notifications and announcements.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CleanUp {}

impl Job for CleanUp {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "cleanup-notifications";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

impl Notifications {
    pub(crate) fn clean_up_handler(&self) -> Handler {
        let room = self.clone();
        Handler::of::<CleanUp>(move |_: CleanUp, context: JobContext| {
            let room = room.clone();
            async move { Ok(room.clean_up(context.clock.now() - room.0.settings.retention).await?) }
        })
    }

    pub(crate) fn clean_up_schedule() -> Schedule {
        Schedule::of("cleanup-notifications", "47 * * * *", CleanUp {})
    }

    async fn clean_up(&self, before: Timestamp) -> Result<(), DatabaseError> {
        for forget in [notifications::forget_before, announcements::forget_before] {
            while self.database().write(move |tx| forget(tx, before, SLICE)).await? == u64::from(SLICE) {}
        }
        Ok(())
    }
}
