//! The table of rooms.

use std::collections::HashMap;

use stoa_contracts::chat::{RoomId, RoomKind};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx, Value},
    params,
};
use uuid::Uuid;

use super::{lock, members};
use crate::{
    room::{Pair, Room, RoomKey},
    standing::Membership,
};

const COLUMNS: &str = "r.id, r.slug, r.name, r.kind, r.everybody, r.pair, r.slow_mode, r.last_seq, r.member_count, \
                       r.version, r.active_at, r.created_at, r.updated_at";

/// How many unread mentions are counted.
const MOST_MENTIONS_COUNTED: u32 = 1_000;

fn from_row(row: &Row<'_>) -> Result<Room, DatabaseError> {
    Ok(Room {
        id: row.read()?,
        slug: row.read()?,
        name: row.read()?,
        kind: row.parse(RoomKind::parse)?,
        everybody: row.read()?,
        pair: row.read::<Option<String>>()?.as_deref().and_then(Pair::parse),
        slow_mode: row.read()?,
        last_seq: row.read()?,
        member_count: row.read()?,
        version: row.read()?,
        active_at: row.read()?,
        created_at: row.read()?,
        updated_at: row.read()?,
    })
}

/// Inserts a room; false when its slug or pair is taken.
pub(crate) fn insert(tx: &mut Tx<'_>, room: &Room) -> Result<bool, DatabaseError> {
    let inserted = tx.execute(
        "INSERT INTO rooms (id, slug, name, kind, everybody, pair, slow_mode, last_seq, member_count, version,
             active_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, FALSE, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        params![
            room.id,
            room.slug.as_deref(),
            &room.name,
            room.kind.as_str(),
            room.pair.map(Pair::key),
            room.slow_mode,
            room.last_seq,
            room.member_count,
            room.version,
            room.active_at,
            room.created_at,
            room.updated_at
        ],
    )?;
    Ok(inserted == 1)
}

/// The room of this id or slug, unless it is closed.
pub(crate) fn find(c: &mut Connection<'_>, key: &RoomKey) -> Result<Option<Room>, DatabaseError> {
    match key {
        RoomKey::Id(id) => c.find(
            &format!("SELECT {COLUMNS} FROM rooms AS r WHERE r.id = $1 AND r.closed_at IS NULL"),
            params![*id],
            from_row,
        ),
        RoomKey::Slug(slug) => c.find(
            &format!("SELECT {COLUMNS} FROM rooms AS r WHERE r.slug = $1"),
            params![slug.as_str()],
            from_row,
        ),
    }
}

/// The id of the room of this slug.
pub(crate) fn id_of_slug(c: &mut Connection<'_>, slug: &str) -> Result<Option<RoomId>, DatabaseError> {
    c.find("SELECT id FROM rooms WHERE slug = $1", params![slug], |row| row.read())
}

/// The room of this id or slug, locked: until the transaction ends nobody else speaks in it, comes or goes.
pub(crate) fn lock_room(tx: &mut Tx<'_>, key: &RoomKey) -> Result<Option<Room>, DatabaseError> {
    let lock = lock(tx.engine());
    match key {
        RoomKey::Id(id) => tx.find(
            &format!("SELECT {COLUMNS} FROM rooms AS r WHERE r.id = $1 AND r.closed_at IS NULL {lock}"),
            params![*id],
            from_row,
        ),
        RoomKey::Slug(slug) => tx.find(
            &format!("SELECT {COLUMNS} FROM rooms AS r WHERE r.slug = $1 {lock}"),
            params![slug.as_str()],
            from_row,
        ),
    }
}

/// Those of these rooms that are there, locked. They have to be given in the order of their ids.
pub(crate) fn lock_rooms(tx: &mut Tx<'_>, ids: &[RoomId]) -> Result<HashMap<RoomId, Room>, DatabaseError> {
    let lock = lock(tx.engine());
    let sql = format!("SELECT {COLUMNS} FROM rooms AS r WHERE r.id = $1 AND r.closed_at IS NULL {lock}");
    let rooms = tx.query_each(&sql, ids.iter().map(|id| [Value::from(*id)]), from_row)?;
    Ok(rooms.into_iter().map(|room| (room.id, room)).collect())
}

/// The direct room of two people.
pub(crate) fn of_pair(c: &mut Connection<'_>, pair: Pair) -> Result<Option<Room>, DatabaseError> {
    c.find(&format!("SELECT {COLUMNS} FROM rooms AS r WHERE r.pair = $1"), params![pair.key()], from_row)
}

/// The rooms that everybody is in.
pub(crate) fn for_everybody(c: &mut Connection<'_>) -> Result<Vec<RoomId>, DatabaseError> {
    c.query("SELECT id FROM rooms WHERE everybody ORDER BY id", &[], |row| row.read())
}

/// The rooms that everybody is in and in which this one has no row yet.
pub(crate) fn not_entered(c: &mut Connection<'_>, user: UserId) -> Result<Vec<RoomId>, DatabaseError> {
    c.query(
        "SELECT r.id FROM rooms AS r WHERE r.everybody
         AND NOT EXISTS (SELECT 1 FROM room_members AS b WHERE b.room_id = r.id AND b.user_id = $1) ORDER BY r.id",
        params![user],
        |row| row.read(),
    )
}

/// Notes the newest number of each of these locked rooms, and when something was said in it.
pub(crate) fn advance(
    tx: &mut Tx<'_>,
    rooms: impl ExactSizeIterator<Item = (RoomId, i64, Timestamp)>,
) -> Result<(), DatabaseError> {
    let count = rooms.len() as u64;
    let rows = rooms.map(|(id, last_seq, at)| [Value::from(id), last_seq.into(), at.into()]);
    let advanced = tx.execute_each("UPDATE rooms SET last_seq = $2, active_at = $3 WHERE id = $1", rows)?;
    if advanced == count {
        Ok(())
    } else {
        Err(DatabaseError::Defect("a room is gone while it is locked".into()))
    }
}

/// Counts members who came (or, below zero, went) in a locked room.
pub(crate) fn count_members(tx: &mut Tx<'_>, id: RoomId, change: i64) -> Result<(), DatabaseError> {
    tx.execute("UPDATE rooms SET member_count = member_count + $2 WHERE id = $1", params![id, change])?;
    Ok(())
}

/// Changes what is given of a locked room; false when the slug is taken.
pub(crate) fn update(tx: &mut Tx<'_>, room: &Room) -> Result<bool, DatabaseError> {
    if let Some(slug) = &room.slug {
        let other =
            tx.find("SELECT 1 FROM rooms WHERE slug = $1 AND id <> $2", params![slug, room.id], |row| {
                row.read::<i64>()
            })?;
        if other.is_some() {
            return Ok(false);
        }
    }
    let updated = tx.savepoint(|tx| {
        tx.execute(
            "UPDATE rooms SET slug = $2, name = $3, slow_mode = $4, version = $5, updated_at = $6 WHERE id = $1",
            params![
                room.id,
                room.slug.as_deref(),
                &room.name,
                room.slow_mode,
                room.version,
                room.updated_at
            ],
        )
    });
    match updated {
        Ok(rows) => Ok(rows == 1),
        // Another was quicker.
        Err(DatabaseError::Unique(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Closes a locked room: nobody finds it any more, and its names are free.
pub(crate) fn close(tx: &mut Tx<'_>, id: RoomId, version: i64, now: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE rooms SET slug = NULL, pair = NULL, closed_at = $2, version = $3, updated_at = $2 WHERE id = $1",
        params![id, now, version],
    )?;
    Ok(())
}

/// A room as it stands in somebody's list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) room: Room,
    pub(crate) row: Option<Membership>,
    pub(crate) mentions: i64,
}

/// The unread mentions of the member `b`.
fn mentions() -> String {
    format!(
        "(SELECT COUNT(*) FROM (SELECT 1 FROM message_mentions AS m WHERE m.user_id = b.user_id
             AND m.room_id = b.room_id AND m.seq > b.read_seq LIMIT {MOST_MENTIONS_COUNTED}) AS counted)"
    )
}

fn listed(row: &Row<'_>) -> Result<Listed, DatabaseError> {
    Ok(Listed { room: from_row(row)?, row: Some(members::from_row(row)?), mentions: row.read()? })
}

/// The rooms somebody is in, those where something was said last first; their number is bounded.
pub(crate) fn of_member(
    c: &mut Connection<'_>,
    user: UserId,
    before: Option<(i64, Uuid)>,
    (limit, offset): (u32, u32),
) -> Result<Vec<Listed>, DatabaseError> {
    let (at, id) = before.unwrap_or((i64::MAX, Uuid::max()));
    c.query(&of_member_sql(), params![user, at, id, limit, offset], listed)
}

pub(super) fn of_member_sql() -> String {
    let (members, mentions) = (members::COLUMNS, mentions());
    format!(
        "SELECT {COLUMNS}, {members}, {mentions} FROM room_members AS b JOIN rooms AS r ON r.id = b.room_id
         WHERE b.user_id = $1 AND b.banned_at IS NULL AND r.closed_at IS NULL AND (r.active_at, r.id) < ($2, $3)
         ORDER BY r.active_at DESC, r.id DESC LIMIT $4 OFFSET $5"
    )
}

/// The unread mentions of somebody in one room.
pub(crate) fn mentions_of(c: &mut Connection<'_>, room: RoomId, user: UserId) -> Result<i64, DatabaseError> {
    let counted = c.find(
        &format!("SELECT {} FROM room_members AS b WHERE b.room_id = $1 AND b.user_id = $2", mentions()),
        params![room, user],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

/// The public rooms somebody is not in, by slug.
pub(crate) fn to_join(
    c: &mut Connection<'_>,
    user: UserId,
    after: &str,
    (limit, offset): (u32, u32),
) -> Result<Vec<Listed>, DatabaseError> {
    c.query(&to_join_sql(), params![user, after, limit, offset], |row| {
        Ok(Listed { room: from_row(row)?, row: None, mentions: 0 })
    })
}

pub(super) fn to_join_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM rooms AS r WHERE r.kind = 'public' AND r.slug > $2 AND NOT r.everybody
         AND NOT EXISTS (SELECT 1 FROM room_members AS b WHERE b.room_id = r.id AND b.user_id = $1
             AND b.banned_at IS NULL)
         ORDER BY r.slug LIMIT $3 OFFSET $4"
    )
}

/// How many rooms somebody is in.
pub(crate) fn count_of(c: &mut Connection<'_>, user: UserId) -> Result<u32, DatabaseError> {
    let counted = c.find(
        "SELECT COUNT(*) FROM room_members AS b JOIN rooms AS r ON r.id = b.room_id
         WHERE b.user_id = $1 AND b.banned_at IS NULL AND r.closed_at IS NULL",
        params![user],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

/// How many public rooms there are that somebody is not in, counted to `most`.
pub(crate) fn count_to_join(c: &mut Connection<'_>, user: UserId, most: u32) -> Result<u32, DatabaseError> {
    let counted = c.find(
        "SELECT COUNT(*) FROM (SELECT 1 FROM rooms AS r WHERE r.kind = 'public' AND r.slug > '' AND NOT r.everybody
             AND NOT EXISTS (SELECT 1 FROM room_members AS b WHERE b.room_id = r.id AND b.user_id = $1
                 AND b.banned_at IS NULL) LIMIT $2) AS counted",
        params![user, most],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

/// The rooms somebody is in, for those who have to hear of all of them.
pub(crate) fn ids_of(c: &mut Connection<'_>, user: UserId) -> Result<Vec<RoomId>, DatabaseError> {
    c.query(
        "SELECT r.id FROM room_members AS b JOIN rooms AS r ON r.id = b.room_id
         WHERE b.user_id = $1 AND b.banned_at IS NULL AND r.closed_at IS NULL ORDER BY r.id",
        params![user],
        |row| row.read(),
    )
}

/// Those of them that not everybody may read.
pub(crate) fn closed_circles_of(c: &mut Connection<'_>, user: UserId) -> Result<Vec<RoomId>, DatabaseError> {
    c.query(
        "SELECT r.id FROM room_members AS b JOIN rooms AS r ON r.id = b.room_id
         WHERE b.user_id = $1 AND b.banned_at IS NULL AND r.closed_at IS NULL AND r.kind <> 'public' ORDER BY r.id",
        params![user],
        |row| row.read(),
    )
}

/// The rooms in which somebody has a row that would outlive them, also those they were sent out of, in the order in which
/// rooms are locked.
pub(crate) fn ids_with(c: &mut Connection<'_>, user: UserId) -> Result<Vec<RoomId>, DatabaseError> {
    c.query("SELECT room_id FROM room_members WHERE user_id = $1 ORDER BY room_id", params![user], |row| {
        row.read()
    })
}
