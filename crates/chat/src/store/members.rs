//! The table of who is in which room.

use std::collections::HashMap;

use stoa_contracts::chat::{RoomId, RoomRole};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx, Value, in_list, rows_of_few_lengths, tuples},
    params,
};
use uuid::Uuid;

use crate::standing::Membership;

pub(super) const COLUMNS: &str =
    "b.user_id, b.role, b.joined_at, b.read_seq, b.muted_until, b.banned_at, b.last_sent_at";

pub(super) fn from_row(row: &Row<'_>) -> Result<Membership, DatabaseError> {
    Ok(Membership {
        user: row.read()?,
        role: row.parse(RoomRole::parse)?,
        joined_at: row.read()?,
        read_seq: row.read()?,
        muted_until: row.read()?,
        banned_at: row.read()?,
        last_sent_at: row.read()?,
    })
}

/// Somebody's row in a room, also of one who was sent out.
pub(crate) fn find(
    c: &mut Connection<'_>,
    room: RoomId,
    user: UserId,
) -> Result<Option<Membership>, DatabaseError> {
    c.find(
        &format!("SELECT {COLUMNS} FROM room_members AS b WHERE b.room_id = $1 AND b.user_id = $2"),
        params![room, user],
        from_row,
    )
}

/// The rows of these people in a room, also of those who were sent out.
pub(crate) fn of_users(
    c: &mut Connection<'_>,
    room: RoomId,
    users: &[UserId],
) -> Result<HashMap<UserId, Membership>, DatabaseError> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let mut values = vec![Value::from(room)];
    let list = in_list(&mut values, users.iter().map(|user| Value::from(*user)));
    let sql =
        format!("SELECT {COLUMNS} FROM room_members AS b WHERE b.room_id = $1 AND b.user_id IN ({list})");
    let rows = c.query(&sql, &values, from_row)?;
    Ok(rows.into_iter().map(|row| (row.user, row)).collect())
}

/// Inserts a row; false when there is one.
pub(crate) fn insert(tx: &mut Tx<'_>, room: RoomId, new: &Membership) -> Result<bool, DatabaseError> {
    let inserted = tx.execute(
        "INSERT INTO room_members (room_id, user_id, role, joined_at, read_seq) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (room_id, user_id) DO NOTHING",
        params![room, new.user, new.role.as_str(), new.joined_at, new.read_seq],
    )?;
    Ok(inserted == 1)
}

/// Notes that members spoke: they have read up to their own words. In order, so that no two wait for each other.
pub(crate) fn spoke(
    tx: &mut Tx<'_>,
    room: RoomId,
    mut spoken: Vec<(UserId, i64, Timestamp)>,
) -> Result<(), DatabaseError> {
    spoken.sort_unstable_by_key(|(user, ..)| *user);
    for some in rows_of_few_lengths(&spoken) {
        let mut values = Vec::with_capacity(some.len() * 6);
        for (user, seq, at) in some {
            let role = RoomRole::Member.as_str();
            values.extend_from_slice(params![room, *user, role, *at, *seq, *at]);
        }
        // They all have a row, so nothing is inserted: this is an update of many rows by one statement of both engines.
        let sql = format!(
            "INSERT INTO room_members (room_id, user_id, role, joined_at, read_seq, last_sent_at) VALUES {}
             ON CONFLICT (room_id, user_id) DO UPDATE SET last_sent_at = excluded.last_sent_at,
                 read_seq = CASE WHEN room_members.read_seq < excluded.read_seq
                     THEN excluded.read_seq ELSE room_members.read_seq END",
            tuples(some.len(), 6)
        );
        tx.execute(&sql, &values)?;
    }
    Ok(())
}

/// Moves somebody's mark forward; false when it is there already.
pub(crate) fn read_to(tx: &mut Tx<'_>, room: RoomId, user: UserId, seq: i64) -> Result<bool, DatabaseError> {
    let moved = tx.execute(
        "UPDATE room_members SET read_seq = $3 WHERE room_id = $1 AND user_id = $2 AND read_seq < $3",
        params![room, user, seq],
    )?;
    Ok(moved == 1)
}

/// Keeps what a row says of role, silence and being sent out.
pub(crate) fn update(tx: &mut Tx<'_>, room: RoomId, row: &Membership) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE room_members SET role = $3, muted_until = $4, banned_at = $5 WHERE room_id = $1 AND user_id = $2",
        params![room, row.user, row.role.as_str(), row.muted_until, row.banned_at],
    )?;
    Ok(())
}

/// Removes a row; false when there is none.
pub(crate) fn delete(tx: &mut Tx<'_>, room: RoomId, user: UserId) -> Result<bool, DatabaseError> {
    let deleted =
        tx.execute("DELETE FROM room_members WHERE room_id = $1 AND user_id = $2", params![room, user])?;
    Ok(deleted == 1)
}

/// Who would take over a room: the moderator who has been there longest, else the member who has.
pub(crate) fn heir(c: &mut Connection<'_>, room: RoomId) -> Result<Option<Membership>, DatabaseError> {
    for condition in ["b.role <> 'member' AND b.banned_at IS NULL", "b.banned_at IS NULL"] {
        let found = c.find(
            &format!(
                "SELECT {COLUMNS} FROM room_members AS b WHERE b.room_id = $1 AND {condition}
                 ORDER BY b.joined_at, b.user_id LIMIT 1"
            ),
            params![room],
            from_row,
        )?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The owner of a room.
pub(crate) fn owner(c: &mut Connection<'_>, room: RoomId) -> Result<Option<Membership>, DatabaseError> {
    c.find(
        &format!(
            "SELECT {COLUMNS} FROM room_members AS b WHERE b.room_id = $1 AND b.role <> 'member' AND b.role = 'owner'
             AND b.banned_at IS NULL"
        ),
        params![room],
        from_row,
    )
}

/// Members (or those who were sent out) in the order in which they came.
pub(crate) fn list(
    c: &mut Connection<'_>,
    room: RoomId,
    banned: bool,
    after: Option<(i64, Uuid)>,
    (limit, offset): (u32, u32),
) -> Result<Vec<Membership>, DatabaseError> {
    let (at, id) = after.unwrap_or((i64::MIN, Uuid::nil()));
    c.query(&list_sql(banned), params![room, at, id, limit, offset], from_row)
}

pub(super) fn list_sql(banned: bool) -> String {
    format!(
        "SELECT {COLUMNS} FROM room_members AS b WHERE b.room_id = $1 AND b.banned_at {}
         AND (b.joined_at, b.user_id) > ($2, $3) ORDER BY b.joined_at, b.user_id LIMIT $4 OFFSET $5",
        which(banned)
    )
}

/// How many there are, counted to `most`.
pub(crate) fn count(
    c: &mut Connection<'_>,
    room: RoomId,
    banned: bool,
    most: u32,
) -> Result<u32, DatabaseError> {
    let counted = c.find(
        &format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM room_members WHERE room_id = $1 AND banned_at {} LIMIT $2) AS counted",
            which(banned)
        ),
        params![room, most],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

const fn which(banned: bool) -> &'static str {
    if banned { "IS NOT NULL" } else { "IS NULL" }
}

/// Who has read a room at least as far as `seq`, the furthest first, `most` of them.
pub(crate) fn readers(
    c: &mut Connection<'_>,
    from: &[(RoomId, i64)],
    most: u32,
) -> Result<Vec<(RoomId, UserId, i64)>, DatabaseError> {
    let mut found = Vec::new();
    for some in rows_of_few_lengths(from) {
        let mut values = vec![Value::from(most)];
        values.extend(some.iter().flat_map(|(room, seq)| [Value::from(*room), Value::from(*seq)]));
        found.extend(
            c.query(&readers_sql(some.len()), &values, |row| Ok((row.read()?, row.read()?, row.read()?)))?,
        );
    }
    Ok(found)
}

pub(super) fn readers_sql(rooms: usize) -> String {
    let parts: Vec<String> = (0..rooms)
        .map(|index| {
            let (room, seq) = (index * 2 + 2, index * 2 + 3);
            format!(
                "SELECT * FROM (SELECT room_id, user_id, read_seq FROM room_members WHERE room_id = ${room}
                     AND read_seq >= ${seq} AND banned_at IS NULL ORDER BY read_seq DESC LIMIT $1) AS one"
            )
        })
        .collect();
    parts.join(" UNION ALL ")
}
