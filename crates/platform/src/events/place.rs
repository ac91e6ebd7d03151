//! All SQL of followers' places and of the events they parked.

use stoa_kernel::Timestamp;
use uuid::Uuid;

use super::{Follower, StartAt, StoredEvent, head};
use crate::{
    database::{Connection, DatabaseError, Engine, Row, Signal, Tx},
    params,
};

/// Events still taken one by one after a crash, so that the one that kills is found.
pub(super) const CAREFUL: u32 = 100;

/// Where a follower stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) pos: i64,
    /// Tries at what comes next, the coming one included.
    pub(super) attempts: u32,
    pub(super) careful: u32,
    pub(super) runner: Option<Uuid>,
    pub(super) last_error: Option<String>,
}

impl Place {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            pos: row.read()?,
            attempts: row.read()?,
            careful: row.read()?,
            runner: row.read()?,
            last_error: row.read()?,
        })
    }
}

/// Makes the follower's row when it is new, at the place its kind begins.
pub(super) fn install(tx: &mut Tx<'_>, follower: &Follower) -> Result<(), DatabaseError> {
    let start = match follower.start {
        StartAt::Head => head(tx)?.pos,
        StartAt::Beginning => 0,
    };
    tx.execute(
        "INSERT INTO followers (name, pos) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        params![follower.name, start],
    )?;
    if tx.engine() == Engine::Sqlite {
        // One process owns the file, so whoever ran before is gone.
        tx.execute("UPDATE followers SET runner = NULL WHERE name = $1", params![follower.name])?;
    }
    Ok(())
}

/// The place, the first parked event that is to be tried again, and the head: what a follower looks at first.
pub(super) fn look(
    connection: &mut Connection<'_>,
    name: &str,
) -> Result<(Place, Option<i64>, i64), DatabaseError> {
    let head = match connection.engine() {
        Engine::Sqlite => "(SELECT COALESCE(MAX(pos), 0) FROM events)",
        Engine::Postgres => "(SELECT pos FROM event_log)",
    };
    let sql = format!(
        "SELECT pos, attempts, careful, runner, last_error,
             (SELECT MIN(pos) FROM parked_events WHERE follower = $1 AND retry), {head}
         FROM followers WHERE name = $1"
    );
    let seen =
        connection.find(&sql, params![name], |row| Ok((Place::from_row(row)?, row.read()?, row.read()?)))?;
    seen.ok_or_else(|| DatabaseError::Decode(format!("follower {name} has lost its row")))
}

/// Locks the row; `None` when another node has it.
pub(super) fn lock(tx: &mut Tx<'_>, name: &str) -> Result<Option<Place>, DatabaseError> {
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT pos, attempts, careful, runner, last_error FROM followers WHERE name = $1",
        Engine::Postgres => {
            "SELECT pos, attempts, careful, runner, last_error FROM followers WHERE name = $1 FOR UPDATE SKIP LOCKED"
        }
    };
    tx.find(sql, params![name], Place::from_row)
}

/// Makes `runner` the one who follows, if the place is as it was seen. When tries are open, somebody died over them.
pub(super) fn claim(tx: &mut Tx<'_>, name: &str, runner: Uuid, seen: &Place) -> Result<bool, DatabaseError> {
    if lock(tx, name)?.as_ref() != Some(seen) {
        return Ok(false);
    }
    let careful = if seen.attempts > 0 { CAREFUL } else { seen.careful };
    let claimed = tx.execute(
        "UPDATE followers SET runner = $2, attempts = attempts + 1, careful = $3 WHERE name = $1",
        params![name, runner, careful],
    )?;
    Ok(claimed == 1)
}

/// Moves from the place that was read to the new one, which must hit.
pub(super) fn advance(tx: &mut Tx<'_>, name: &str, old: &Place, new: &Place) -> Result<(), DatabaseError> {
    let moved = tx.execute(
        "UPDATE followers SET pos = $2, attempts = $3, careful = $4, last_error = $5 WHERE name = $1 AND pos = $6",
        params![name, new.pos, new.attempts, new.careful, new.last_error.as_deref(), old.pos],
    )?;
    if moved == 1 {
        Ok(())
    } else {
        Err(DatabaseError::Defect(format!("follower {name} was moved meanwhile")))
    }
}

/// Moves over events the follower does not listen to.
pub(super) fn pass_over(
    tx: &mut Tx<'_>,
    name: &str,
    runner: Uuid,
    from: i64,
    to: i64,
) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE followers SET pos = $2 WHERE name = $1 AND pos = $3 AND (runner IS NULL OR runner = $4)",
        params![name, to, from, runner],
    )?;
    Ok(())
}

/// Leaves the place to whoever comes next, who need not wait; the try that was announced is taken back.
pub(super) fn release(tx: &mut Tx<'_>, name: &str, runner: Uuid) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE followers SET runner = NULL, attempts = attempts - 1 WHERE name = $1 AND runner = $2",
        params![name, runner],
    )?;
    Ok(())
}

/// Sets an event aside with the reason.
pub(super) fn park(
    tx: &mut Tx<'_>,
    follower: &str,
    event: &StoredEvent,
    reason: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO parked_events (follower, pos, aggregate, reason, parked_at) VALUES ($1, $2, $3, $4, $5)",
        params![follower, event.pos, &event.aggregate, reason, now],
    )?;
    Ok(())
}

/// The oldest parked event of this aggregate below `pos`.
pub(super) fn parked_before(
    tx: &mut Tx<'_>,
    follower: &str,
    aggregate: &str,
    pos: i64,
) -> Result<Option<i64>, DatabaseError> {
    tx.find(
        "SELECT pos FROM parked_events WHERE follower = $1 AND aggregate = $2 AND pos < $3 ORDER BY pos LIMIT 1",
        params![follower, aggregate, pos],
        |row| row.read(),
    )
}

/// Whether some parked event is to be tried again.
pub(super) fn retry_wanted(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    let wanted =
        connection.find("SELECT 1 FROM parked_events WHERE retry LIMIT 1", &[], |row| row.read::<i64>())?;
    Ok(wanted.is_some())
}

/// Whether this follower has anything parked.
pub(super) fn has_parked(tx: &mut Tx<'_>, follower: &str) -> Result<bool, DatabaseError> {
    let sql = "SELECT 1 FROM parked_events WHERE follower = $1 LIMIT 1";
    Ok(tx.find(sql, params![follower], |row| row.read::<i64>())?.is_some())
}

/// Takes the wish to be tried again from a parked event; true when it was there.
pub(super) fn begin_retry(tx: &mut Tx<'_>, follower: &str, pos: i64) -> Result<bool, DatabaseError> {
    let begun = tx.execute(
        "UPDATE parked_events SET retry = FALSE WHERE follower = $1 AND pos = $2 AND retry",
        params![follower, pos],
    )?;
    Ok(begun == 1)
}

pub(super) fn unpark(tx: &mut Tx<'_>, follower: &str, pos: i64) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM parked_events WHERE follower = $1 AND pos = $2", params![follower, pos])?;
    Ok(())
}

pub(super) fn park_again(
    tx: &mut Tx<'_>,
    follower: &str,
    pos: i64,
    reason: &str,
) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE parked_events SET reason = $3 WHERE follower = $1 AND pos = $2",
        params![follower, pos, reason],
    )?;
    Ok(())
}

/// Asks for another try at everything this follower parked, in order; answers how many events that is.
pub fn retry_parked(tx: &mut Tx<'_>, follower: &str) -> Result<u64, DatabaseError> {
    let wanted =
        tx.execute("UPDATE parked_events SET retry = TRUE WHERE follower = $1", params![follower])?;
    tx.raise(Signal::Events);
    Ok(wanted)
}

/// An event a follower gave up on, or one that waits behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParkedEvent {
    /// Its place in the log.
    pub pos: i64,
    /// The aggregate that waits.
    pub aggregate: String,
    /// Why it was parked.
    pub reason: String,
    /// When.
    pub parked_at: Timestamp,
}

/// What a follower has parked, the oldest first.
pub fn parked(
    connection: &mut Connection<'_>,
    follower: &str,
    limit: u32,
) -> Result<Vec<ParkedEvent>, DatabaseError> {
    connection.query(
        "SELECT pos, aggregate, reason, parked_at FROM parked_events WHERE follower = $1 ORDER BY pos LIMIT $2",
        params![follower, limit],
        |row| {
            Ok(ParkedEvent {
                pos: row.read()?,
                aggregate: row.read()?,
                reason: row.read()?,
                parked_at: row.read()?,
            })
        },
    )
}

/// How far a follower is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FollowerState {
    /// Its name.
    pub name: String,
    /// The place it has reached.
    pub pos: i64,
    /// How many events lie between it and the head.
    pub lag: i64,
    /// Events it has parked.
    pub parked: i64,
    /// Why its last try failed, while it is trying again.
    pub last_error: Option<String>,
}

/// The state of every follower, by name.
pub fn followers(connection: &mut Connection<'_>) -> Result<Vec<FollowerState>, DatabaseError> {
    let head = head(connection)?.pos;
    connection.query(
        "SELECT name, pos, (SELECT COUNT(*) FROM parked_events WHERE follower = followers.name), last_error
         FROM followers ORDER BY name",
        &[],
        |row| {
            let (name, pos): (String, i64) = (row.read()?, row.read()?);
            Ok(FollowerState {
                name,
                pos,
                lag: (head - pos).max(0),
                parked: row.read()?,
                last_error: row.read()?,
            })
        },
    )
}
