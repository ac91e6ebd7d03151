//! Forgetting old events: by age, behind the slowest follower, never the newest.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoa_kernel::Timestamp;

use super::head;
use crate::{
    database::{Database, DatabaseError, Tx},
    jobs::{Handler, Job, JobContext, Schedule},
    params,
};

/// Rows deleted in one transaction at most.
const SLICE: u32 = 1_000;

/// The job that forgets old events.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PruneEvents {}

impl Job for PruneEvents {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "prune-events";

    fn key(&self) -> Option<String> {
        Some("the-log".into())
    }
}

impl PruneEvents {
    /// Its handler, which keeps what is younger than `keep`.
    pub fn handler(database: &Database, keep: Duration) -> Handler {
        let database = database.clone();
        Handler::of::<Self>(move |_: Self, context: JobContext| {
            let database = database.clone();
            async move { Ok(prune(&database, context.clock.now() - keep).await.map(drop)?) }
        })
    }

    /// Once an hour.
    pub fn schedule() -> Schedule {
        Schedule::of::<Self>("prune-events", "17 * * * *", Self {})
    }
}

/// Forgets events older than `before`, oldest first, as far as every follower has handled them; answers how many.
pub async fn prune(database: &Database, before: Timestamp) -> Result<u64, DatabaseError> {
    let mut pruned = 0;
    loop {
        let slice = database.write(move |tx| prune_slice(tx, before)).await?;
        pruned += slice;
        if slice < u64::from(SLICE) {
            return Ok(pruned);
        }
    }
}

fn prune_slice(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, DatabaseError> {
    let newest = head(tx)?.pos;
    let slowest: Option<i64> =
        tx.find("SELECT MIN(pos) FROM followers", &[], |row| row.read::<Option<i64>>())?.flatten();
    let parked: Option<i64> =
        tx.find("SELECT MIN(pos) FROM parked_events", &[], |row| row.read::<Option<i64>>())?.flatten();
    let bounds = [Some(newest - 1), slowest, parked.map(|pos| pos - 1)];
    let bound = bounds.into_iter().flatten().min().unwrap_or(0);
    let oldest = tx.query(
        "SELECT pos, at FROM events WHERE pos <= $1 ORDER BY pos LIMIT $2",
        params![bound, SLICE],
        |row| Ok((row.read::<i64>()?, row.read::<Timestamp>()?)),
    )?;
    let last = oldest.iter().take_while(|(_, at)| *at < before).last();
    last.map_or(Ok(0), |(pos, _)| tx.execute("DELETE FROM events WHERE pos <= $1", params![*pos]))
}
