//! What contradicts itself in the tables of chat: each query answers the rows that should not be. Rooms that are closed are
//! being removed, so nothing is asked of them.

use stoa_contracts::chat::{MessageId, RoomId};
use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row},
    params,
    verify::ASKED_FOR,
};

type Told = Result<Vec<String>, DatabaseError>;

/// Runs a query that takes the number of rows to answer, and says `what` of each.
fn rows_that(
    c: &mut Connection<'_>,
    sql: &str,
    say: impl Fn(&Row<'_>) -> Result<String, DatabaseError>,
) -> Told {
    c.query(sql, params![ASKED_FOR], |row| say(row))
}

/// Rooms whose messages are not numbered from 1 to the last.
pub(crate) fn numbers(c: &mut Connection<'_>, _: Timestamp) -> Told {
    rows_that(
        c,
        "SELECT r.id, r.last_seq, COALESCE(m.messages, 0), COALESCE(m.least, 1), COALESCE(m.most, 0) FROM rooms AS r
         LEFT JOIN (SELECT room_id, COUNT(*) AS messages, MIN(seq) AS least, MAX(seq) AS most FROM messages
                    GROUP BY room_id) AS m ON m.room_id = r.id
         WHERE r.closed_at IS NULL AND (COALESCE(m.messages, 0) <> r.last_seq OR COALESCE(m.most, 0) <> r.last_seq
             OR COALESCE(m.least, 1) <> 1)
         ORDER BY r.id LIMIT $1",
        |row| {
            let room: RoomId = row.read()?;
            let (newest, messages): (i64, i64) = (row.read()?, row.read()?);
            let (first, last): (i64, i64) = (row.read()?, row.read()?);
            Ok(format!("room {room} is at {newest}, its {messages} messages are numbered {first} to {last}"))
        },
    )
}

/// Members who have read what was not said yet.
pub(crate) fn marks(c: &mut Connection<'_>, _: Timestamp) -> Told {
    rows_that(
        c,
        "SELECT b.room_id, b.user_id, b.read_seq, r.last_seq FROM room_members AS b
         JOIN rooms AS r ON r.id = b.room_id
         WHERE r.closed_at IS NULL AND (b.read_seq > r.last_seq OR b.read_seq < 0)
         ORDER BY b.room_id, b.user_id LIMIT $1",
        |row| {
            let (room, user): (RoomId, stoa_kernel::UserId) = (row.read()?, row.read()?);
            let (read, last): (i64, i64) = (row.read()?, row.read()?);
            Ok(format!("user {user} has read room {room} up to {read}, it is at {last}"))
        },
    )
}

/// Rooms that count others than are in them.
pub(crate) fn member_counts(c: &mut Connection<'_>, _: Timestamp) -> Told {
    rows_that(
        c,
        "SELECT r.id, r.member_count, COALESCE(b.members, 0) FROM rooms AS r
         LEFT JOIN (SELECT room_id, COUNT(*) AS members FROM room_members WHERE banned_at IS NULL GROUP BY room_id) AS b
         ON b.room_id = r.id
         WHERE r.closed_at IS NULL AND r.member_count <> COALESCE(b.members, 0) ORDER BY r.id LIMIT $1",
        |row| {
            let (room, said, members): (RoomId, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("room {room} counts {said} members and has {members}"))
        },
    )
}

/// Rooms with no owner or several.
pub(crate) fn owners(c: &mut Connection<'_>, _: Timestamp) -> Told {
    rows_that(
        c,
        "SELECT r.id, COALESCE(b.owners, 0) FROM rooms AS r
         LEFT JOIN (SELECT room_id, COUNT(*) AS owners FROM room_members
                    WHERE role = 'owner' AND banned_at IS NULL GROUP BY room_id) AS b ON b.room_id = r.id
         WHERE r.closed_at IS NULL
             AND COALESCE(b.owners, 0) <> (CASE WHEN r.everybody OR r.kind = 'direct' THEN 0 ELSE 1 END)
         ORDER BY r.id LIMIT $1",
        |row| {
            let (room, owners): (RoomId, i64) = (row.read()?, row.read()?);
            Ok(format!("room {room} has {owners} owners"))
        },
    )
}

/// Direct rooms that others are in than they are named after.
pub(crate) fn pairs(c: &mut Connection<'_>, _: Timestamp) -> Told {
    let mut rooms: Vec<(RoomId, Option<String>, Vec<String>)> = Vec::new();
    let rows: Vec<(RoomId, Option<String>, Option<stoa_kernel::UserId>)> = c.query(
        "SELECT r.id, r.pair, b.user_id FROM rooms AS r LEFT JOIN room_members AS b ON b.room_id = r.id
         WHERE r.kind = 'direct' AND r.closed_at IS NULL ORDER BY r.id, b.user_id",
        &[],
        |row| Ok((row.read()?, row.read()?, row.read()?)),
    )?;
    for (room, pair, user) in rows {
        let user = user.map(|user| user.to_string());
        match rooms.last_mut() {
            Some((last, _, users)) if *last == room => users.extend(user),
            _ => rooms.push((room, pair, user.into_iter().collect())),
        }
    }
    let wrong = rooms.into_iter().filter(|(_, pair, users)| pair.as_deref() != Some(&users.join(":")));
    let told = wrong.map(|(room, pair, users)| {
        format!("direct room {room} is named after {pair:?}, in it are {users:?}")
    });
    Ok(told.take(usize::try_from(ASKED_FOR).unwrap_or(0)).collect())
}

/// Messages that count other reactions than they have, and reactions to messages that are not there.
pub(crate) fn reactions(c: &mut Connection<'_>, _: Timestamp) -> Told {
    counted(c, "reaction", "message_reactions", "reaction_count")
}

/// The same of mentions.
pub(crate) fn mentions(c: &mut Connection<'_>, _: Timestamp) -> Told {
    let mut told = counted(c, "mention", "message_mentions", "mention_count")?;
    told.extend(rows_that(
        c,
        "SELECT m.id FROM message_mentions AS n JOIN messages AS m ON m.id = n.message_id
         WHERE n.room_id <> m.room_id OR n.seq <> m.seq ORDER BY m.id LIMIT $1",
        |row| Ok(format!("a mention is kept elsewhere than its message {}", row.read::<MessageId>()?)),
    )?);
    Ok(told)
}

fn counted(c: &mut Connection<'_>, what: &str, table: &str, column: &str) -> Told {
    let mut told = rows_that(
        c,
        &format!(
            "SELECT m.id, m.{column}, COALESCE(n.entries, 0) FROM messages AS m
             LEFT JOIN (SELECT message_id, COUNT(*) AS entries FROM {table} GROUP BY message_id) AS n
             ON n.message_id = m.id WHERE m.{column} <> COALESCE(n.entries, 0) ORDER BY m.id LIMIT $1"
        ),
        |row| {
            let (message, said, entries): (MessageId, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("message {message} counts {said} {what}s and has {entries}"))
        },
    )?;
    told.extend(rows_that(
        c,
        &format!(
            "SELECT DISTINCT n.message_id FROM {table} AS n LEFT JOIN messages AS m ON m.id = n.message_id
             WHERE m.id IS NULL LIMIT $1"
        ),
        |row| {
            let message: MessageId = row.read()?;
            Ok(format!("there is a {what} of message {message}, which is not there"))
        },
    )?);
    Ok(told)
}

/// Deleted messages that still say something.
pub(crate) fn deleted(c: &mut Connection<'_>, _: Timestamp) -> Told {
    rows_that(
        c,
        "SELECT id FROM messages WHERE deleted_at IS NOT NULL
         AND (content <> '' OR pinned_at IS NOT NULL OR reaction_count <> 0 OR mention_count <> 0)
         ORDER BY id LIMIT $1",
        |row| Ok(format!("message {} was deleted and is not empty", row.read::<MessageId>()?)),
    )
}

/// Members and messages of rooms that are not there.
pub(crate) fn nobodys_rows(c: &mut Connection<'_>, _: Timestamp) -> Told {
    let mut told = Vec::new();
    for (table, what) in [("room_members", "a member"), ("messages", "a message")] {
        told.extend(rows_that(
            c,
            &format!(
                "SELECT DISTINCT n.room_id FROM {table} AS n LEFT JOIN rooms AS r ON r.id = n.room_id
                 WHERE r.id IS NULL LIMIT $1"
            ),
            |row| {
                let room: RoomId = row.read()?;
                Ok(format!("there is {what} of room {room}, which is not there"))
            },
        )?);
    }
    Ok(told)
}

/// Messages that cannot be found, and deleted ones that can.
pub(crate) fn not_findable(c: &mut Connection<'_>, _: Timestamp) -> Told {
    // The entries of the text index itself cannot be listed; those of its sizes can.
    let (table, key) = match c.engine() {
        Engine::Sqlite => ("message_texts_docsize", "id"),
        Engine::Postgres => ("message_texts", "doc"),
    };
    let mut told = rows_that(
        c,
        &format!(
            "SELECT m.id FROM messages AS m LEFT JOIN {table} AS t ON t.{key} = m.doc
             WHERE (t.{key} IS NULL) <> (m.deleted_at IS NOT NULL) ORDER BY m.id LIMIT $1"
        ),
        |row| Ok(format!("message {} is not in the search as it is", row.read::<MessageId>()?)),
    )?;
    told.extend(rows_that(
        c,
        &format!(
            "SELECT t.{key} FROM {table} AS t LEFT JOIN messages AS m ON m.doc = t.{key}
             WHERE m.doc IS NULL ORDER BY t.{key} LIMIT $1"
        ),
        |row| Ok(format!("entry {} of the search is of no message", row.read::<i64>()?)),
    )?);
    Ok(told)
}
