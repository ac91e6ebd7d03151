//! Keeping an outer system's copy of the users up to date.
//!
//! Whoever is new or changed is PENDING. Every five minutes those who are due are sent in batches: POST of `{users: […]}`
//! with an `Idempotency-Key` that is a digest of the body. A batch keeps together until it is settled, so one whose answer
//! was lost is sent again in the same words under the same key, unless somebody in it has changed since. A 2xx makes all of
//! it SYNCED. A batch whose content is refused is halved until those are found whom it is about; what fails is tried again
//! later and later, and FAILED after ten times, until the user changes again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoa_kernel::{Clock, Random, Timestamp, UserId};
use stoa_platform::{
    database::DatabaseError,
    jobs::{Handler, Job, JobContext, JobFailure, Schedule},
};
use uuid::Uuid;

use crate::{
    Accounts,
    account::User,
    store::sync::{self, Batch},
    sync_client::{Outcome, SyncClient},
};

const EVERY_FIVE_MINUTES: &str = "*/5 * * * *";
/// Users in one request.
const BATCH: u32 = 100;
/// Requests in one run; the next run goes on.
const MOST_REQUESTS: usize = 200;
/// After so many failures a user is given up until they change again: with the pauses between them, about a day.
pub(crate) const MOST_ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_mins(5);
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

/// Sends whoever is due to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SyncPendingUsers {}

impl Job for SyncPendingUsers {
    const QUEUE: &'static str = "sync";
    const KIND: &'static str = "sync-pending-users";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

/// What the outer system is sent.
#[derive(Serialize)]
struct Letter<'u> {
    users: Vec<Copy<'u>>,
}

/// A user as the outer system knows them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Copy<'u> {
    id: UserId,
    username: &'u str,
    name: &'u str,
    email: &'u str,
    email_verified: bool,
    role: &'u str,
    avatar_url: Option<&'u str>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'u> From<&'u User> for Copy<'u> {
    fn from(user: &'u User) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            name: &user.name,
            email: &user.email,
            email_verified: user.email_verified_at.is_some(),
            role: &user.role,
            avatar_url: user.avatar_url.as_deref(),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// What becomes of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Synced,
    Halved,
    Later,
}

fn verdict(outcome: &Outcome, size: usize) -> Verdict {
    match outcome {
        Outcome::Taken => Verdict::Synced,
        Outcome::ContentRefused(_) if size > 1 => Verdict::Halved,
        Outcome::ContentRefused(_) | Outcome::Failed(_) => Verdict::Later,
    }
}

/// How long to wait after the `attempts`th failure.
pub(crate) fn pause_after(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE)
}

impl Accounts {
    /// The handler and its schedule; none without an address to send to.
    pub(crate) fn sync_job(&self) -> Option<(Handler, Schedule)> {
        let client = self.sync_client()?.clone();
        let accounts = self.clone();
        let handler = Handler::of::<SyncPendingUsers>(move |_: SyncPendingUsers, context: JobContext| {
            let (accounts, client) = (accounts.clone(), client.clone());
            async move { accounts.sync_pending(&client, &context).await }
        });
        let schedule = Schedule::of("sync-pending-users", EVERY_FIVE_MINUTES, SyncPendingUsers {});
        Some((handler, schedule))
    }

    /// Sends batch after batch. A failure of the other side ends the run: it is not asked again at once.
    async fn sync_pending(&self, client: &SyncClient, context: &JobContext) -> Result<(), JobFailure> {
        let JobContext { clock, random, .. } = context;
        for _ in 0..MOST_REQUESTS {
            let Some(batch) = self.next_batch(clock, random).await? else { return Ok(()) };
            let outcome = client.send(body_of(&batch)?).await;
            if !self.settle_batch(batch, &outcome, clock, random).await? {
                return Ok(());
            }
        }
        tracing::info!("more users wait to be synced than one run sends");
        Ok(())
    }

    async fn next_batch(&self, clock: &Clock, random: &Random) -> Result<Option<Batch>, DatabaseError> {
        let (now, fresh) = (clock.now(), Uuid::from_bytes(random.bytes()));
        self.database().write(move |tx| sync::next_batch(tx, now, fresh, BATCH)).await
    }

    /// Writes what became of a batch; false when the run had better end.
    async fn settle_batch(
        &self,
        batch: Batch,
        outcome: &Outcome,
        clock: &Clock,
        random: &Random,
    ) -> Result<bool, JobFailure> {
        let (size, now) = (batch.users.len(), clock.now());
        let verdict = verdict(outcome, size);
        let half = Uuid::from_bytes(random.bytes());
        self.database()
            .write(move |tx| match verdict {
                Verdict::Synced => sync::mark_synced(tx, &batch),
                Verdict::Halved => sync::halve(tx, &batch, half),
                Verdict::Later => sync::mark_failure(tx, &batch, now),
            })
            .await?;
        match outcome {
            Outcome::Taken => tracing::debug!(users = size, "synced users"),
            Outcome::ContentRefused(status) => {
                tracing::warn!(users = size, status, "the outer system refuses users as they are");
            }
            Outcome::Failed(reason) => {
                tracing::warn!(users = size, reason, "users could not be synced; trying later");
            }
        }
        Ok(!matches!(outcome, Outcome::Failed(_)))
    }
}

fn body_of(batch: &Batch) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Letter { users: batch.users.iter().map(Copy::from).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_batch_is_halved_until_it_is_about_one() {
        assert_eq!(verdict(&Outcome::Taken, 100), Verdict::Synced);
        assert_eq!(verdict(&Outcome::ContentRefused(422), 2), Verdict::Halved);
        assert_eq!(verdict(&Outcome::ContentRefused(422), 1), Verdict::Later);
        assert_eq!(verdict(&Outcome::Failed("away".into()), 100), Verdict::Later);
    }

    #[test]
    fn a_user_is_given_up_after_about_a_day() {
        assert_eq!(pause_after(1), FIRST_PAUSE);
        assert_eq!(pause_after(3), FIRST_PAUSE * 4);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
        let whole: Duration = (1..MOST_ATTEMPTS).map(pause_after).sum();
        assert!((Duration::from_hours(20)..Duration::from_hours(28)).contains(&whole), "{whole:?}");
    }
}
