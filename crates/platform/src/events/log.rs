//! Appending to the log and reading it.

use std::{fmt, str::FromStr};

use serde::{Serialize, de::DeserializeOwned, ser::SerializeStruct};
use serde_json::value::RawValue;
use stoa_kernel::{Id, Timestamp};

use super::HandlerError;
use crate::{
    Occasion,
    database::{Connection, DatabaseError, Engine, Row, Signal, Tx, Value, insert_rows, placeholders},
    params,
};

/// Who is named as the source of events in their outer form.
const SOURCE: &str = "stoa";

/// Something that happened, as its domain tells it. The fields that are serialised become the payload.
pub trait Event: Serialize {
    /// Its name outside, e.g. `order.placed`.
    const TYPE: &'static str;

    /// What listeners subscribe to, e.g. `order:<id>`.
    fn topic(&self) -> String;

    /// The thing it happened to; events of one aggregate are handled in order.
    fn aggregate(&self) -> String;

    /// The aggregate's version after it, where that has one.
    fn version(&self) -> i64 {
        0
    }
}

/// Marker of event ids.
pub enum LoggedEvent {}
/// The id by which the outside tells doubles.
pub type EventId = Id<LoggedEvent>;

/// An event as the log keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEvent {
    /// Its place in the one order.
    pub pos: i64,
    /// By which the outside tells doubles.
    pub id: EventId,
    /// What listeners subscribe to.
    pub topic: String,
    /// The type's name, [`Event::TYPE`].
    pub kind: String,
    /// The thing it happened to.
    pub aggregate: String,
    /// That thing's version after it.
    pub version: i64,
    /// Who did it.
    pub actor: String,
    /// When it happened.
    pub at: Timestamp,
    /// The event's own fields, JSON as it was written.
    pub payload: String,
    /// The span it was appended in, as a `traceparent`, if that was traced.
    pub trace: Option<String>,
}

impl StoredEvent {
    /// The payload as the type it was written from.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        Ok(serde_json::from_str(&self.payload)?)
    }

    fn values(&self) -> [Value<'_>; 9] {
        [
            self.id.into(),
            (&self.topic).into(),
            (&self.kind).into(),
            (&self.aggregate).into(),
            self.version.into(),
            (&self.actor).into(),
            self.at.into(),
            (&self.payload).into(),
            self.trace.as_deref().into(),
        ]
    }

    const COLUMNS: &'static str = "pos, id, topic, type, aggregate, version, actor, at, payload, trace";

    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            pos: row.read()?,
            id: row.read()?,
            topic: row.read()?,
            kind: row.read()?,
            aggregate: row.read()?,
            version: row.read()?,
            actor: row.read()?,
            at: row.read()?,
            payload: row.read()?,
            trace: row.read()?,
        })
    }
}

/// The outer form: `{id, type, timestamp, source, payload}`.
impl Serialize for StoredEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let payload: &RawValue = serde_json::from_str(&self.payload).map_err(serde::ser::Error::custom)?;
        let mut outer = serializer.serialize_struct("Event", 5)?;
        outer.serialize_field("id", &self.id)?;
        outer.serialize_field("type", &self.kind)?;
        outer.serialize_field("timestamp", &self.at)?;
        outer.serialize_field("source", SOURCE)?;
        outer.serialize_field("payload", payload)?;
        outer.end()
    }
}

/// A place in one life of the log, written `epoch-pos`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offset {
    /// Which life of the log: another after a restore, so that nobody waits above the head.
    pub epoch: String,
    /// The place.
    pub pos: i64,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.pos)
    }
}

/// Text that is no offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected an offset as in epoch-pos")]
pub struct NoOffset;

impl FromStr for Offset {
    type Err = NoOffset;

    fn from_str(text: &str) -> Result<Self, NoOffset> {
        let (epoch, pos) = text.rsplit_once('-').ok_or(NoOffset)?;
        let digits = !pos.is_empty() && pos.bytes().all(|byte| byte.is_ascii_digit());
        if epoch.is_empty() || !digits {
            return Err(NoOffset);
        }
        Ok(Self { epoch: epoch.to_owned(), pos: pos.parse().map_err(|_| NoOffset)? })
    }
}

/// Which events of the log are wanted; an empty list is no restriction.
#[derive(Clone, Copy, Default, Debug)]
pub struct Filter<'f> {
    /// Type names.
    pub types: &'f [&'f str],
    /// Topics.
    pub topics: &'f [&'f str],
}

// On PostgreSQL the transaction gets its number before `ident` is drawn (a function in FROM is evaluated before the
// row is projected): that is what lets the sequencer know when no lower ident can turn up any more.
const APPEND_POSTGRES: &str =
    "INSERT INTO events (id, topic, type, aggregate, version, actor, at, payload, trace)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM pg_current_xact_id() AS begun";
const APPEND_SQLITE: &str =
    "INSERT INTO events (id, topic, type, aggregate, version, actor, at, payload, trace)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Appends an event in the transaction that makes it happen. Do it after the aggregate's row is written, so that the
/// log has an aggregate's events in the order of its versions.
pub fn append<E: Event>(tx: &mut Tx<'_>, occasion: &Occasion, event: &E) -> Result<EventId, DatabaseError> {
    let event = written(occasion, event)?;
    let (sql, id) = (if tx.engine() == Engine::Postgres { APPEND_POSTGRES } else { APPEND_SQLITE }, event.id);
    tx.execute(sql, &event.values())?;
    tx.raise(Signal::Events);
    hand_over(tx, vec![event]);
    Ok(id)
}

/// Appends many events of one type, each of its own occasion, in their order and in few statements.
pub fn append_all<E: Event>(tx: &mut Tx<'_>, events: &[(&Occasion, E)]) -> Result<(), DatabaseError> {
    // The first by itself: that gives the transaction its number, as above.
    let Some(((occasion, first), rest)) = events.split_first() else { return Ok(()) };
    append(tx, occasion, first)?;
    let rest =
        rest.iter().map(|(occasion, event)| written(occasion, event)).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<_> = rest.iter().map(StoredEvent::values).collect();
    insert_rows(tx, "events (id, topic, type, aggregate, version, actor, at, payload, trace)", &rows, "")?;
    drop(rows);
    hand_over(tx, rest);
    Ok(())
}

/// An event as it will stand in the log, but for its place.
fn written<E: Event>(occasion: &Occasion, event: &E) -> Result<StoredEvent, DatabaseError> {
    let payload = serde_json::to_string(event)
        .map_err(|error| DatabaseError::Defect(format!("event {} cannot be written: {error}", E::TYPE)))?;
    Ok(StoredEvent {
        pos: 0,
        id: occasion.id(),
        topic: event.topic(),
        kind: E::TYPE.to_owned(),
        aggregate: event.aggregate(),
        version: event.version(),
        actor: occasion.actor.clone(),
        at: occasion.at,
        payload,
        trace: occasion.trace.clone(),
    })
}

/// Where events have their place at once, those who hear the log on this node are handed them when they are committed.
fn hand_over(tx: &mut Tx<'_>, appended: Vec<StoredEvent>) {
    let Some(last) = tx.last_row() else { return };
    let first = last + 1 - i64::try_from(appended.len()).unwrap_or(i64::MAX);
    for (pos, event) in (first..).zip(appended) {
        tx.hand_over(StoredEvent { pos, ..event });
    }
}

/// Takes something out of the log again: gives the events of `aggregate` that are of one of these types the payloads that
/// `change` makes of theirs. The one exception to a log that is only appended to, for what somebody wants forgotten.
///
/// Whoever needs it makes the index it goes by: on `aggregate`, for the rows of exactly these types.
pub fn rewrite(
    tx: &mut Tx<'_>,
    aggregate: &str,
    types: &[&'static str],
    mut change: impl FnMut(&str, &str) -> Result<String, DatabaseError>,
) -> Result<(), DatabaseError> {
    // Written out, so that the engine sees that the index is the right one.
    let names: Vec<String> = types.iter().map(|name| format!("'{name}'")).collect();
    let (key, lock) = match tx.engine() {
        Engine::Sqlite => ("pos", ""),
        Engine::Postgres => ("ident", "FOR UPDATE"),
    };
    let sql = format!(
        "SELECT {key}, type, payload FROM events WHERE aggregate = $1 AND type IN ({}) ORDER BY {key} {lock}",
        names.join(", ")
    );
    let found: Vec<(i64, String, String)> =
        tx.query(&sql, params![aggregate], |row| Ok((row.read()?, row.read()?, row.read()?)))?;
    let update = format!("UPDATE events SET payload = $2 WHERE {key} = $1");
    tx.hand_over_nothing();
    for (place, kind, payload) in found {
        tx.execute(&update, params![place, change(&kind, &payload)?])?;
    }
    Ok(())
}

/// The newest place of the log.
pub fn head(connection: &mut Connection<'_>) -> Result<Offset, DatabaseError> {
    let sql = match connection.engine() {
        Engine::Sqlite => "SELECT epoch, (SELECT COALESCE(MAX(pos), 0) FROM events) FROM event_log",
        Engine::Postgres => "SELECT epoch, pos FROM event_log",
    };
    let offset = connection.find(sql, &[], |row| Ok(Offset { epoch: row.read()?, pos: row.read()? }))?;
    offset.ok_or_else(|| DatabaseError::Decode("the event log has lost its head row".into()))
}

/// The newest place of a topic of which there is any left. On PostgreSQL what is committed has no place yet for a moment.
pub fn newest_of_topic(connection: &mut Connection<'_>, topic: &str) -> Result<Option<i64>, DatabaseError> {
    let newest =
        connection.find("SELECT MAX(pos) FROM events WHERE topic = $1", params![topic], |row| row.read())?;
    Ok(newest.flatten())
}

/// The oldest place of the log that is still kept; nothing when it is empty.
pub fn oldest(connection: &mut Connection<'_>) -> Result<Option<i64>, DatabaseError> {
    let oldest = connection.find("SELECT MIN(pos) FROM events", &[], |row| row.read())?;
    Ok(oldest.flatten())
}

/// Events after `pos` in order, those the filter wants, `limit` at most.
pub fn read_after(
    connection: &mut Connection<'_>,
    pos: i64,
    filter: Filter<'_>,
    limit: u32,
) -> Result<Vec<StoredEvent>, DatabaseError> {
    read_between(connection, pos, i64::MAX, filter, limit)
}

/// As [`read_after`], up to and including `to`.
pub(super) fn read_between(
    connection: &mut Connection<'_>,
    from: i64,
    to: i64,
    filter: Filter<'_>,
    limit: u32,
) -> Result<Vec<StoredEvent>, DatabaseError> {
    let mut sql = format!("SELECT {} FROM events WHERE pos > $1 AND pos <= $2", StoredEvent::COLUMNS);
    let mut values: Vec<Value<'_>> = vec![from.into(), to.into(), limit.into()];
    for (column, wanted) in [("type", filter.types), ("topic", filter.topics)] {
        if !wanted.is_empty() {
            let names = placeholders(values.len() + 1, wanted.len());
            sql.extend([" AND ", column, " IN (", &names, ")"]);
            values.extend(wanted.iter().map(|name| Value::from(*name)));
        }
    }
    sql += " ORDER BY pos LIMIT $3";
    connection.query(&sql, &values, StoredEvent::from_row)
}

/// Whether committed events still wait for their place; never on SQLite.
pub(super) fn unsequenced(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    if connection.engine() == Engine::Sqlite {
        return Ok(false);
    }
    let waiting =
        connection.find("SELECT EXISTS (SELECT 1 FROM events WHERE pos IS NULL)", &[], |row| row.read())?;
    Ok(waiting.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_survives_the_trip_and_refuses_nonsense() {
        let offset = Offset { epoch: "a1b2".into(), pos: 42 };
        assert_eq!(offset.to_string(), "a1b2-42");
        assert_eq!("a1b2-42".parse(), Ok(offset));
        for nonsense in ["", "42", "-42", "a-", "a-+4", "a-4x", "a-99999999999999999999"] {
            assert_eq!(nonsense.parse::<Offset>(), Err(NoOffset), "{nonsense:?}");
        }
    }

    #[test]
    fn the_outer_form_keeps_the_payload_as_written() {
        let event = StoredEvent {
            pos: 1,
            id: uuid::Uuid::nil().into(),
            topic: "order:1".into(),
            kind: "order.placed".into(),
            aggregate: "order:1".into(),
            version: 1,
            actor: "guest".into(),
            at: Timestamp::from_seconds(0),
            payload: r#"{"b":1,"a":19.90}"#.into(),
            trace: None,
        };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(
            json,
            r#"{"id":"00000000-0000-0000-0000-000000000000","type":"order.placed","timestamp":"1970-01-01T00:00:00.000Z","source":"stoa","payload":{"b":1,"a":19.90}}"#
        );
    }
}
