//! What the workers count and time.

use std::time::Duration;

use stoa_kernel::Timestamp;

use crate::{
    database::{Connection, DatabaseError},
    metrics::Metrics,
    params,
    traces::Traces,
};

/// Beyond this many, jobs of a queue are not counted.
const COUNTED: i64 = 10_000;

/// Who watches the workers.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Where their figures go.
    pub metrics: Metrics,
    /// Where their traces begin.
    pub traces: Traces,
}

impl Watch {
    /// Records a run that ended.
    pub(super) fn ended(
        &self,
        queue: &'static str,
        kind: &'static str,
        outcome: &'static str,
        took: Duration,
    ) {
        let about = "How long jobs ran, by how they ended.";
        let labels = [("queue", queue), ("kind", kind), ("outcome", outcome)];
        self.metrics.histogram("stoa_job_seconds", about, &labels).record(took);
    }
}

/// How many jobs a queue has, each count up to ten thousand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueState {
    /// Due, and nobody has them yet.
    pub waiting: i64,
    /// In somebody's hands.
    pub running: i64,
    /// To be done later: at their time, or tried again.
    pub later: i64,
    /// Given up.
    pub dead: i64,
}

/// The state of a queue, for figures: it looks at no more rows than it counts.
pub fn queue_state(
    connection: &mut Connection<'_>,
    queue: &str,
    now: Timestamp,
) -> Result<QueueState, DatabaseError> {
    // Those that run are the longest due, so they are among the first.
    let sql = "SELECT
        (SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE queue = $1 AND dead_at IS NULL AND run_at <= $2
            LIMIT $3) AS due),
        (SELECT COUNT(*) FROM (SELECT locked_until FROM jobs WHERE queue = $1 AND dead_at IS NULL AND run_at <= $2
            ORDER BY run_at, id LIMIT $3) AS due WHERE locked_until > $2),
        (SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE queue = $1 AND dead_at IS NULL AND run_at > $2
            LIMIT $3) AS later),
        (SELECT COUNT(*) FROM (SELECT queue FROM jobs WHERE dead_at IS NOT NULL
            ORDER BY dead_at DESC, id DESC LIMIT $3) AS dead WHERE queue = $1)";
    let state = connection.find(sql, params![queue, now, COUNTED], |row| {
        let (due, running): (i64, i64) = (row.read()?, row.read()?);
        let waiting = (due - running).max(0);
        Ok(QueueState { waiting, running, later: row.read()?, dead: row.read()? })
    })?;
    Ok(state.unwrap_or_default())
}
