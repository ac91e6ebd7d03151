//! Looking whether what is kept agrees with itself.
//!
//! A module says what must hold in its tables as [`Check`]s: each looks for what contradicts it and answers that in words,
//! with the ids to find it by. [`verify`] runs them beside a serving node: each check sees one moment of the database and
//! writes nothing.

mod events;

use std::sync::Arc;

use stoa_kernel::Timestamp;

use crate::database::{Connection, Database, DatabaseError, Engine};

pub use events::checks as event_log_checks;

/// How many contradictions of a check are told; more are only said to be there.
pub const MOST_TOLD: usize = 20;

/// What to ask a query for, so that [`Findings`] can tell that there are more than are told.
pub const ASKED_FOR: i64 = 21;

type Look = dyn Fn(&mut Connection<'_>, Timestamp) -> Result<Vec<String>, DatabaseError> + Send + Sync;

/// Something that must hold.
#[derive(Clone)]
pub struct Check {
    /// Its name: the module and what it is about, as `stock-movements`.
    pub name: &'static str,
    /// What must hold, as a sentence.
    pub holds: &'static str,
    look: Arc<Look>,
}

impl Check {
    /// A check by a function that answers what contradicts it, at most [`ASKED_FOR`] sentences. It is given the time.
    pub fn new(
        name: &'static str,
        holds: &'static str,
        look: impl Fn(&mut Connection<'_>, Timestamp) -> Result<Vec<String>, DatabaseError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { name, holds, look: Arc::new(look) }
    }
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The check.
    pub check: &'static str,
    /// What must hold.
    pub holds: &'static str,
    /// What contradicts it, at most [`MOST_TOLD`].
    pub contradictions: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

/// Runs every check, each on one moment of the database.
pub async fn verify(
    database: &Database,
    now: Timestamp,
    checks: Vec<Check>,
) -> Result<Vec<Findings>, DatabaseError> {
    let mut found = Vec::with_capacity(checks.len());
    for check in checks {
        let findings = database.read(move |connection| run(connection, now, &check)).await?;
        found.push(findings);
    }
    Ok(found)
}

fn run(connection: &mut Connection<'_>, now: Timestamp, check: &Check) -> Result<Findings, DatabaseError> {
    // A whole table takes as long as it takes: the timeouts of requests are not for this.
    connection.batch(match connection.engine() {
        Engine::Sqlite => "BEGIN DEFERRED",
        Engine::Postgres => {
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
             SET LOCAL idle_in_transaction_session_timeout = 0"
        }
    })?;
    let looked = (check.look)(connection, now);
    connection.batch("ROLLBACK")?;
    let mut contradictions = looked?;
    let more = contradictions.len() > MOST_TOLD;
    contradictions.truncate(MOST_TOLD);
    Ok(Findings { check: check.name, holds: check.holds, contradictions, more })
}
