//! Jobs as an operator looks at them: listed, found, and dead ones deleted. [`retry`](super::retry) revives them.

use serde::{Deserialize, Serialize};
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, Timestamp, page::DEEPEST_ENTRY};

use super::JobId;
use crate::{
    database::{Connection, DatabaseError, Row, Tx, Value},
    params,
};

/// How a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// To be done, now or later.
    Waiting,
    /// In a worker's hands.
    Running,
    /// Given up.
    Dead,
}

/// A job that is not finished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// The queue it waits in.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// How it stands.
    pub state: JobState,
    /// What it was told, as JSON.
    pub payload: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it is tried at most.
    pub max_attempts: u32,
    /// How many workers died with it in their hands.
    pub deaths: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it is or was due.
    pub run_at: Timestamp,
    /// When it was given up.
    pub dead_at: Option<Timestamp>,
    /// Who queued it.
    pub created_by: String,
    /// When it was queued.
    pub created_at: Timestamp,
}

const COLUMNS: &str = "id, queue, kind, payload, attempts, max_attempts, deaths, last_error, run_at, dead_at,
    locked_until, created_by, created_at";
const ORDER: &str = "jobs:desc";
const DEAD_ORDER: &str = "dead-jobs:desc";

/// Which jobs are to be listed.
#[derive(Clone, Debug, Default)]
struct Wanted {
    terms: Vec<String>,
    values: Vec<Value<'static>>,
}

impl Wanted {
    fn new(state: Option<JobState>, queue: Option<&str>, now: Timestamp) -> Self {
        let mut wanted = Self::default();
        match state {
            None => {}
            Some(JobState::Dead) => wanted.terms.push("dead_at IS NOT NULL".into()),
            Some(JobState::Running) => wanted.with("dead_at IS NULL AND locked_until >", now.into()),
            Some(JobState::Waiting) => {
                wanted.with("dead_at IS NULL AND COALESCE(locked_until, 0) <=", now.into());
            }
        }
        if let Some(queue) = queue {
            wanted.with("queue =", queue.to_owned().into());
        }
        wanted
    }

    fn with(&mut self, term: &str, value: Value<'static>) {
        self.values.push(value);
        self.terms.push(format!("{term} ${}", self.values.len()));
    }

    fn bind(&mut self, value: Value<'static>) -> usize {
        self.values.push(value);
        self.values.len()
    }

    fn condition(&self) -> String {
        if self.terms.is_empty() { "TRUE".to_owned() } else { self.terms.join(" AND ") }
    }
}

/// Jobs, the newest first; dead ones alone by when they were given up, the latest first. `None` when the cursor is of
/// another list.
pub fn list(
    connection: &mut Connection<'_>,
    state: Option<JobState>,
    queue: Option<&str>,
    now: Timestamp,
    page: &PageRequest,
) -> Result<Option<Page<JobRecord>>, DatabaseError> {
    let is_dead = state == Some(JobState::Dead);
    let order = if is_dead { DEAD_ORDER } else { ORDER };
    let mut wanted = Wanted::new(state, queue, now);
    let total = if page.wants_total() { Some(count(connection, &wanted)?) } else { None };
    if let Some(cursor) = page.after() {
        let Some(at) = cursor.number_in(order) else { return Ok(None) };
        let id = wanted.bind(cursor.id.into());
        if is_dead {
            let at = wanted.bind(at.into());
            wanted.terms.push(format!("(dead_at, id) < (${at}, ${id})"));
        } else {
            // Ids begin with the time, so the newest jobs have the largest.
            wanted.terms.push(format!("id < ${id}"));
        }
    }
    let condition = wanted.condition();
    let (limit, offset) = (wanted.bind((page.limit + 1).into()), wanted.bind(page.offset().into()));
    let by = if is_dead { "dead_at DESC, id DESC" } else { "id DESC" };
    let rows = connection.query(
        &format!(
            "SELECT {COLUMNS} FROM jobs WHERE {condition} ORDER BY {by} LIMIT ${limit} OFFSET ${offset}"
        ),
        &wanted.values,
        |row| record(row, now),
    )?;
    Ok(Some(Page::from_rows(rows, page.limit, total, |job| Cursor {
        order: order.into(),
        value: CursorValue::Number(job.dead_at.filter(|_| is_dead).unwrap_or(job.created_at).as_micros()),
        id: job.id.uuid(),
    })))
}

/// One job that is not finished.
pub fn find(
    connection: &mut Connection<'_>,
    id: JobId,
    now: Timestamp,
) -> Result<Option<JobRecord>, DatabaseError> {
    connection.find(&format!("SELECT {COLUMNS} FROM jobs WHERE id = $1"), params![id], |row| record(row, now))
}

/// Deletes a dead letter; false when there is none of that id.
pub fn delete_dead(tx: &mut Tx<'_>, id: JobId) -> Result<bool, DatabaseError> {
    Ok(tx.execute("DELETE FROM jobs WHERE id = $1 AND dead_at IS NOT NULL", params![id])? == 1)
}

fn count(connection: &mut Connection<'_>, wanted: &Wanted) -> Result<u32, DatabaseError> {
    let mut wanted = wanted.clone();
    let most = wanted.bind(DEEPEST_ENTRY.into());
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE {} LIMIT ${most}) AS counted",
        wanted.condition()
    );
    Ok(connection.find(&sql, &wanted.values, |row| row.read())?.unwrap_or(0))
}

fn record(row: &Row<'_>, now: Timestamp) -> Result<JobRecord, DatabaseError> {
    let (id, queue, kind, payload) = (row.read()?, row.read()?, row.read()?, row.read()?);
    let (attempts, max_attempts, deaths, error) = (row.read()?, row.read()?, row.read()?, row.read()?);
    let (run_at, dead_at, locked_until): (_, Option<Timestamp>, Option<Timestamp>) =
        (row.read()?, row.read()?, row.read()?);
    let state = match (dead_at, locked_until) {
        (Some(_), _) => JobState::Dead,
        (None, Some(until)) if until > now => JobState::Running,
        (None, _) => JobState::Waiting,
    };
    let (created_by, created_at) = (row.read()?, row.read()?);
    Ok(JobRecord {
        id,
        queue,
        kind,
        state,
        payload,
        attempts,
        max_attempts,
        deaths,
        error,
        run_at,
        dead_at,
        created_by,
        created_at,
    })
}
