//! What accounts does by the clock.

use serde::{Deserialize, Serialize};
use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{DatabaseError, Tx},
    jobs::{Handler, Job, JobContext, Schedule},
};

use crate::{
    Accounts,
    store::{failures, resets, sessions, signing_keys, verifications},
};

/// How many rows one transaction deletes at most, so that no other waits long.
const SLICE: u32 = 500;
/// At the start of each hour.
const HOURLY: &str = "0 * * * *";

/// Deletes what is out of date: tokens, sessions, mailed links, forgotten failures, signing keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CleanupExpiredTokens {}

impl Job for CleanupExpiredTokens {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "cleanup-expired-tokens";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

type Delete = fn(&mut Tx<'_>, Timestamp, u32) -> Result<u64, DatabaseError>;

const DELETIONS: [Delete; 6] = [
    sessions::delete_expired_tokens,
    sessions::delete_ended,
    verifications::delete_expired,
    resets::delete_expired,
    failures::delete_forgotten,
    signing_keys::delete_retired,
];

impl Accounts {
    pub(crate) fn cleanup_handler(&self) -> Handler {
        let accounts = self.clone();
        Handler::of::<CleanupExpiredTokens>(move |_: CleanupExpiredTokens, context: JobContext| {
            let accounts = accounts.clone();
            async move { Ok(accounts.clean_up(context.clock.now()).await?) }
        })
    }

    pub(crate) fn cleanup_schedule() -> Schedule {
        Schedule::of("cleanup-expired-tokens", HOURLY, CleanupExpiredTokens {})
    }

    /// Deletes what is out of date, slice by slice.
    pub(crate) async fn clean_up(&self, now: Timestamp) -> Result<(), DatabaseError> {
        for delete in DELETIONS {
            while self.database().write(move |tx| delete(tx, now, SLICE)).await? == u64::from(SLICE) {}
        }
        Ok(())
    }
}
