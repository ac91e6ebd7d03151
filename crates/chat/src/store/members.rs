//! The table of who is in which room.

use std::collections::{BTreeSet, HashMap};

use stoa_contracts::chat::{RoomId, RoomRole};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{
        Connection, DatabaseError, Engine, Row, Tx, Value, in_list, insert_rows, rows_of_few_lengths,
    },
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

/// The rows of these people in these rooms, also of those who were sent out.
pub(crate) fn of_pairs(
    c: &mut Connection<'_>,
    pairs: &BTreeSet<(RoomId, UserId)>,
) -> Result<HashMap<(RoomId, UserId), Membership>, DatabaseError> {
    let mut found = HashMap::with_capacity(pairs.len());
    let by_room: Vec<(RoomId, UserId)> = pairs.iter().copied().collect();
    for of_room in by_room.chunk_by(|one, next| one.0 == next.0) {
        let Some((room, _)) = of_room.first() else { continue };
        let users: Vec<UserId> = of_room.iter().map(|(_, user)| *user).collect();
        found.extend(of_users(c, *room, &users)?.into_iter().map(|(user, row)| ((*room, user), row)));
    }
    Ok(found)
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

/// That somebody spoke in a room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Spoken {
    pub(crate) room: RoomId,
    pub(crate) user: UserId,
    /// The number of what they said last.
    pub(crate) seq: i64,
    pub(crate) at: Timestamp,
}

/// Notes that members spoke: they have read up to their own words. In order, so that no two wait for each other.
pub(crate) fn spoke(tx: &mut Tx<'_>, mut spoken: Vec<Spoken>) -> Result<(), DatabaseError> {
    spoken.sort_unstable();
    if tx.engine() == Engine::Sqlite {
        let rows = spoken.iter().map(|Spoken { room, user, seq, at }| {
            [Value::from(*room), (*user).into(), (*seq).into(), (*at).into()]
        });
        let sql = "UPDATE room_members SET last_sent_at = $4, read_seq = MAX(read_seq, $3)
                   WHERE room_id = $1 AND user_id = $2";
        return tx.execute_each(sql, rows).map(drop);
    }
    let role = RoomRole::Member.as_str();
    let row = |Spoken { room, user, seq, at }: &Spoken| {
        [(*room).into(), (*user).into(), role.into(), (*at).into(), (*seq).into(), (*at).into()]
    };
    let rows: Vec<[Value<'_>; 6]> = spoken.iter().map(row).collect();
    // They all have a row, so nothing is inserted: this is an update of many rows by one statement.
    let into = "room_members (room_id, user_id, role, joined_at, read_seq, last_sent_at)";
    let rest = " ON CONFLICT (room_id, user_id) DO UPDATE SET last_sent_at = excluded.last_sent_at,
                 read_seq = GREATEST(room_members.read_seq, excluded.read_seq)";
    insert_rows(tx, into, &rows, rest).map(drop)
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
