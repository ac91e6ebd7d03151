//! All SQL of the job table.

use serde::Serialize;
use stoa_kernel::{Cursor, CursorValue, Id, Page, PageRequest, Timestamp};

use uuid::Uuid;

use super::Job;
use crate::{
    Occasion,
    database::{Connection, DatabaseError, Engine, Row, Signal, Tx, Value, placeholders},
    params,
};

/// Marker of job ids.
pub enum JobRow {}
/// The id of a queued job.
pub type JobId = Id<JobRow>;

/// Queues a job in this transaction, to run as soon as it is committed. Answers `None` when one with the same key is
/// not finished yet: then nothing is queued.
pub fn enqueue<J: Job>(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    job: &J,
) -> Result<Option<JobId>, DatabaseError> {
    enqueue_at(tx, occasion, job, occasion.at)
}

/// As [`enqueue`], to run at `run_at` or soon after.
pub fn enqueue_at<J: Job>(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    job: &J,
    run_at: Timestamp,
) -> Result<Option<JobId>, DatabaseError> {
    let id: JobId = occasion.id();
    let payload = serde_json::to_string(job)
        .map_err(|error| DatabaseError::Defect(format!("job {} cannot be written: {error}", J::KIND)))?;
    let queued = tx.execute(
        "INSERT INTO jobs (id, queue, kind, payload, key, run_at, max_attempts, created_by, created_at, trace)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (kind, key) WHERE dead_at IS NULL DO NOTHING",
        params![
            id,
            J::QUEUE,
            J::KIND,
            payload,
            job.key(),
            run_at,
            J::MAX_ATTEMPTS.max(1),
            &occasion.actor,
            occasion.at,
            occasion.trace.as_deref()
        ],
    )?;
    if queued == 0 {
        return Ok(None);
    }
    tx.raise(Signal::Jobs);
    Ok(Some(id))
}

/// How many jobs are not finished and not dead, those of the future included.
pub fn waiting(connection: &mut Connection<'_>) -> Result<i64, DatabaseError> {
    let count = connection.find("SELECT COUNT(*) FROM jobs WHERE dead_at IS NULL", &[], |row| row.read())?;
    Ok(count.unwrap_or(0))
}

/// How many jobs are due or running at `now`.
pub fn due(connection: &mut Connection<'_>, now: Timestamp) -> Result<i64, DatabaseError> {
    let sql = "SELECT COUNT(*) FROM jobs WHERE dead_at IS NULL AND run_at <= $1";
    Ok(connection.find(sql, params![now], |row| row.read())?.unwrap_or(0))
}

/// A job that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The job's id.
    pub id: JobId,
    /// The queue it waited in.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// What it was told, as JSON.
    pub payload: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: String,
    /// When it was given up.
    pub dead_at: Timestamp,
}

const DEAD_LETTERS: &str = "dead:desc";

/// Jobs that were given up, the latest first.
pub fn dead_letters(
    connection: &mut Connection<'_>,
    page: &PageRequest,
) -> Result<Page<DeadLetter>, DatabaseError> {
    let after = page.after().and_then(|cursor| Some((cursor.number_in(DEAD_LETTERS)?, cursor.id)));
    let (before, id) = after.unwrap_or((i64::MAX, uuid::Uuid::max()));
    let rows = connection.query(
        "SELECT id, queue, kind, payload, attempts, last_error, dead_at FROM jobs
         WHERE dead_at IS NOT NULL AND (dead_at, id) < ($1, $2)
         ORDER BY dead_at DESC, id DESC LIMIT $3 OFFSET $4",
        params![before, id, page.limit + 1, page.offset()],
        dead_letter,
    )?;
    let total = if page.wants_total() { Some(count_dead(connection)?) } else { None };
    Ok(Page::from_rows(rows, page.limit, total, |letter| Cursor {
        order: DEAD_LETTERS.into(),
        value: CursorValue::Number(letter.dead_at.as_micros()),
        id: letter.id.uuid(),
    }))
}

fn dead_letter(row: &Row<'_>) -> Result<DeadLetter, DatabaseError> {
    Ok(DeadLetter {
        id: row.read()?,
        queue: row.read()?,
        kind: row.read()?,
        payload: row.read()?,
        attempts: row.read()?,
        error: row.read::<Option<String>>()?.unwrap_or_default(),
        dead_at: row.read()?,
    })
}

fn count_dead(connection: &mut Connection<'_>) -> Result<u32, DatabaseError> {
    let count = connection.find(
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE dead_at IS NOT NULL LIMIT $1) AS counted",
        params![stoa_kernel::page::DEEPEST_ENTRY],
        |row| row.read(),
    )?;
    Ok(count.unwrap_or(0))
}

/// Gives a dead letter all its attempts again. False when there is none of that id, or when a job with its key is
/// waiting already.
pub fn retry(tx: &mut Tx<'_>, occasion: &Occasion, id: JobId) -> Result<bool, DatabaseError> {
    let revived = tx.execute(
        "UPDATE jobs SET dead_at = NULL, attempts = 0, deaths = 0, run_at = $2, locked_until = NULL, locked_by = NULL
         WHERE id = $1 AND dead_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jobs AS other
             WHERE other.kind = jobs.kind AND other.key = jobs.key AND other.dead_at IS NULL)",
        params![id, occasion.at],
    )?;
    tx.raise(Signal::Jobs);
    Ok(revived > 0)
}

/// A job in the hands of a worker, until its lease ends.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) payload: String,
    /// The attempt this is, from 1.
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    /// How many workers died with it in their hands.
    pub(super) deaths: u32,
    /// The span it was queued in, as a `traceparent`, if that was traced.
    pub(super) trace: Option<String>,
    /// Proves the lease.
    pub(super) lease: Uuid,
}

/// The jobs somebody wants to run.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) queue: &'static str,
    pub(super) kinds: Vec<&'static str>,
}

impl Wanted {
    /// Those due at `$2` in queue `$1` and free; kinds are numbered from `$from`.
    fn due(&self, from: usize) -> String {
        format!(
            "SELECT id FROM jobs WHERE queue = $1 AND dead_at IS NULL AND run_at <= $2
             AND (locked_until IS NULL OR locked_until <= $2) AND kind IN ({})",
            placeholders(from, self.kinds.len())
        )
    }

    fn kind_values(&self) -> impl Iterator<Item = Value<'_>> {
        self.kinds.iter().map(|kind| Value::from(*kind))
    }

    /// Whether any is due.
    pub(super) fn any_due(
        &self,
        connection: &mut Connection<'_>,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let mut values = params![self.queue, now].to_vec();
        values.extend(self.kind_values());
        Ok(connection.find(&(self.due(3) + " LIMIT 1"), &values, |row| row.read::<Uuid>())?.is_some())
    }

    /// Takes up to `most` that are due, the longest due first, on a lease until `until`. The attempt counts from here;
    /// one whose lease was left behind by a dead worker is that worker's attempt anew.
    pub(super) fn claim(
        &self,
        tx: &mut Tx<'_>,
        most: u32,
        now: Timestamp,
        until: Timestamp,
        lease: Uuid,
    ) -> Result<Vec<Claimed>, DatabaseError> {
        let lock = if tx.engine() == Engine::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = format!(
            "WITH due AS MATERIALIZED ({} ORDER BY run_at, id LIMIT $3 {lock})
             UPDATE jobs SET locked_until = $4, locked_by = $5,
                 attempts = attempts + CASE WHEN locked_by IS NULL THEN 1 ELSE 0 END,
                 deaths = deaths + CASE WHEN locked_by IS NULL THEN 0 ELSE 1 END
             WHERE id IN (SELECT id FROM due)
             RETURNING id, kind, payload, attempts, max_attempts, deaths, trace",
            self.due(6)
        );
        let mut values = params![self.queue, now, most, until, lease].to_vec();
        values.extend(self.kind_values());
        tx.query(&sql, &values, |row| {
            Ok(Claimed {
                id: row.read()?,
                kind: row.read()?,
                payload: row.read()?,
                attempt: row.read()?,
                max_attempts: row.read()?,
                deaths: row.read()?,
                trace: row.read()?,
                lease,
            })
        })
    }
}

/// Prolongs the lease; false when it was lost to another worker.
pub(super) fn extend(tx: &mut Tx<'_>, job: &Claimed, until: Timestamp) -> Result<bool, DatabaseError> {
    let extended = tx.execute(
        "UPDATE jobs SET locked_until = $3 WHERE id = $1 AND locked_by = $2",
        params![job.id, job.lease, until],
    )?;
    Ok(extended == 1)
}

/// Forgets a job that is done; false when its lease was lost.
pub(super) fn finish(tx: &mut Tx<'_>, job: &Claimed) -> Result<bool, DatabaseError> {
    let finished =
        tx.execute("DELETE FROM jobs WHERE id = $1 AND locked_by = $2", params![job.id, job.lease])?;
    Ok(finished == 1)
}

/// Puts a failed job back, to be tried at `run_at`.
pub(super) fn put_back(
    tx: &mut Tx<'_>,
    job: &Claimed,
    reason: &str,
    run_at: Timestamp,
) -> Result<bool, DatabaseError> {
    let put_back = tx.execute(
        "UPDATE jobs SET run_at = $3, last_error = $4, locked_until = NULL, locked_by = NULL
         WHERE id = $1 AND locked_by = $2",
        params![job.id, job.lease, run_at, reason],
    )?;
    tx.raise(Signal::Jobs);
    Ok(put_back == 1)
}

/// Makes a job a dead letter.
pub(super) fn bury(
    tx: &mut Tx<'_>,
    job: &Claimed,
    reason: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let buried = tx.execute(
        "UPDATE jobs SET dead_at = $3, last_error = $4, locked_until = NULL, locked_by = NULL
         WHERE id = $1 AND locked_by = $2",
        params![job.id, job.lease, now, reason],
    )?;
    Ok(buried == 1)
}
