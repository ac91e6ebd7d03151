//! What must hold in the event log and among those who follow it.

use std::time::Duration;

use stoa_kernel::Timestamp;

use super::{ASKED_FOR, Check};
use crate::{
    database::{Connection, DatabaseError, Engine},
    events::head,
    params,
};

/// An event that is committed but not numbered after this long is stuck: the sequencer takes milliseconds.
const NUMBERED_WITHIN: Duration = Duration::from_mins(1);

/// The checks of the event log.
pub fn checks() -> Vec<Check> {
    vec![
        Check::new("event-positions", "The positions of the event log have no holes.", holes),
        Check::new("event-head", "The head of the event log is its newest event.", wrong_head),
        Check::new("event-numbering", "Every committed event has its position.", unnumbered),
        Check::new("event-ids", "No event is in the log twice.", doubles),
        Check::new(
            "event-versions",
            "The events of an aggregate are in the order of its versions.",
            disorder,
        ),
        Check::new("event-followers", "No follower is further than the log.", ahead),
        Check::new("event-parked", "No follower has given up on an event.", parked),
        Check::new("event-sequence", "The next number of the event log is a new one.", used_numbers),
    ]
}

fn holes(connection: &mut Connection<'_>, _: Timestamp) -> Result<Vec<String>, DatabaseError> {
    connection.query(
        "SELECT before, pos FROM (SELECT pos, LAG(pos) OVER (ORDER BY pos) AS before FROM events WHERE pos IS NOT NULL) AS walk
         WHERE pos <> before + 1 ORDER BY pos LIMIT $1",
        params![ASKED_FOR],
        |row| Ok(format!("after position {} comes {}", row.read::<i64>()?, row.read::<i64>()?)),
    )
}

fn wrong_head(connection: &mut Connection<'_>, _: Timestamp) -> Result<Vec<String>, DatabaseError> {
    let head = head(connection)?.pos;
    let newest: Option<i64> =
        connection.find("SELECT MAX(pos) FROM events", &[], |row| row.read::<Option<i64>>())?.flatten();
    let newest = newest.unwrap_or(head);
    Ok(if head == newest {
        Vec::new()
    } else {
        vec![format!("the head is {head}, the newest event {newest}")]
    })
}

fn unnumbered(connection: &mut Connection<'_>, now: Timestamp) -> Result<Vec<String>, DatabaseError> {
    if connection.engine() == Engine::Sqlite {
        // There the position is the key.
        return Ok(Vec::new());
    }
    connection.query(
        "SELECT ident, type, aggregate FROM events WHERE pos IS NULL AND at < $1 ORDER BY ident LIMIT $2",
        params![now - NUMBERED_WITHIN, ASKED_FOR],
        |row| {
            let (ident, kind, aggregate): (i64, String, String) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("{kind} of {aggregate} (number {ident}) has no position"))
        },
    )
}

fn doubles(connection: &mut Connection<'_>, _: Timestamp) -> Result<Vec<String>, DatabaseError> {
    connection.query(
        "SELECT CAST(MIN(pos) AS BIGINT), CAST(MAX(pos) AS BIGINT) FROM events GROUP BY id HAVING COUNT(*) > 1 LIMIT $1",
        params![ASKED_FOR],
        |row| {
            Ok(format!(
                "positions {} and {} hold the same event",
                row.read::<i64>()?,
                row.read::<i64>()?
            ))
        },
    )
}

fn disorder(connection: &mut Connection<'_>, _: Timestamp) -> Result<Vec<String>, DatabaseError> {
    connection.query(
        "SELECT aggregate, pos, version, before FROM (
             SELECT aggregate, pos, version, LAG(version) OVER (PARTITION BY aggregate ORDER BY pos) AS before
             FROM events WHERE pos IS NOT NULL
         ) AS walk WHERE version < before ORDER BY pos LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let aggregate: String = row.read()?;
            let (pos, version, before): (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("{aggregate} is at version {version} at position {pos}, after version {before}"))
        },
    )
}

fn ahead(connection: &mut Connection<'_>, _: Timestamp) -> Result<Vec<String>, DatabaseError> {
    let head = head(connection)?.pos;
    connection.query(
        "SELECT name, pos FROM followers WHERE pos > $1 ORDER BY name LIMIT $2",
        params![head, ASKED_FOR],
        |row| {
            Ok(format!(
                "{} is at position {}, the log ends at {head}",
                row.read::<String>()?,
                row.read::<i64>()?
            ))
        },
    )
}

fn parked(connection: &mut Connection<'_>, _: Timestamp) -> Result<Vec<String>, DatabaseError> {
    connection.query(
        "SELECT follower, pos, reason FROM parked_events ORDER BY follower, pos LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (follower, pos, reason): (String, i64, String) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("{follower} has parked position {pos}: {reason}"))
        },
    )
}

fn used_numbers(connection: &mut Connection<'_>, _: Timestamp) -> Result<Vec<String>, DatabaseError> {
    if connection.engine() == Engine::Sqlite {
        // There the next number is made of the newest row.
        return Ok(Vec::new());
    }
    let used = connection.find(
        "SELECT next.last_value, log.newest
         FROM (SELECT last_value FROM events_ident_seq) AS next, (SELECT MAX(ident) AS newest FROM events) AS log
         WHERE log.newest > next.last_value",
        &[],
        |row| {
            Ok(format!(
                "the sequence is at {}, the newest event has {}",
                row.read::<i64>()?,
                row.read::<i64>()?
            ))
        },
    )?;
    Ok(used.into_iter().collect())
}
