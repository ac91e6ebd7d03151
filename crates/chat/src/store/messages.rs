//! The table of messages.

use std::collections::HashMap;

use stoa_contracts::chat::{MessageId, MessageKind, RoomId};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row, Tx, Value, in_list, rows_of_few_lengths, tuples},
    params,
};

use super::lock;
use crate::message::Message;

pub(super) const COLUMNS: &str = "m.doc, m.id, m.room_id, m.seq, m.sender_id, m.kind, m.content, m.reply_to, \
                                  m.thread_id, m.reaction_count, m.mention_count, m.version, m.pinned_at, \
                                  m.edited_at, m.deleted_at, m.created_at";

pub(super) fn from_row(row: &Row<'_>) -> Result<Message, DatabaseError> {
    Ok(Message {
        doc: row.read()?,
        id: row.read()?,
        room: row.read()?,
        seq: row.read()?,
        sender: row.read()?,
        kind: row.parse(MessageKind::parse)?,
        content: row.read()?,
        reply_to: row.read()?,
        thread: row.read()?,
        reaction_count: row.read()?,
        mention_count: row.read()?,
        version: row.read()?,
        pinned_at: row.read()?,
        edited_at: row.read()?,
        deleted_at: row.read()?,
        created_at: row.read()?,
    })
}

const INTO: &str = "messages (id, room_id, seq, sender_id, client_id, kind, content, reply_to, thread_id, \
                    reaction_count, mention_count, version, created_at)";
const WIDTH: usize = 13;

/// Inserts messages, each with the client's name for it; answers the `doc` that each was given.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    messages: &[(&Message, Option<&str>)],
) -> Result<HashMap<MessageId, i64>, DatabaseError> {
    let rows: Vec<_> = messages.iter().map(|(message, client_id)| row(message, *client_id)).collect();
    let doc = |row: &Row<'_>| Ok((row.read()?, row.read()?));
    if tx.engine() == Engine::Sqlite {
        let sql = format!("INSERT INTO {INTO} VALUES {} RETURNING id, doc", tuples(1, WIDTH));
        return Ok(tx.query_each(&sql, &rows, doc)?.into_iter().collect());
    }
    let mut docs = HashMap::with_capacity(rows.len());
    for some in rows_of_few_lengths(&rows) {
        let sql = format!("INSERT INTO {INTO} VALUES {} RETURNING id, doc", tuples(some.len(), WIDTH));
        docs.extend(tx.query(&sql, some.as_flattened(), doc)?);
    }
    Ok(docs)
}

fn row<'m>(message: &'m Message, client_id: Option<&'m str>) -> [Value<'m>; WIDTH] {
    [
        message.id.into(),
        message.room.into(),
        message.seq.into(),
        message.sender.into(),
        client_id.into(),
        message.kind.as_str().into(),
        (&message.content).into(),
        message.reply_to.into(),
        message.thread.into(),
        message.reaction_count.into(),
        message.mention_count.into(),
        message.version.into(),
        message.created_at.into(),
    ]
}

/// The message of this id.
pub(crate) fn find(c: &mut Connection<'_>, id: MessageId) -> Result<Option<Message>, DatabaseError> {
    c.find(&format!("SELECT {COLUMNS} FROM messages AS m WHERE m.id = $1"), params![id], from_row)
}

/// The message of this id, locked.
pub(crate) fn lock_message(tx: &mut Tx<'_>, id: MessageId) -> Result<Option<Message>, DatabaseError> {
    let lock = lock(tx.engine());
    tx.find(&format!("SELECT {COLUMNS} FROM messages AS m WHERE m.id = $1 {lock}"), params![id], from_row)
}

/// Those of these messages that are there, in any order.
pub(crate) fn of_ids(c: &mut Connection<'_>, ids: &[MessageId]) -> Result<Vec<Message>, DatabaseError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, ids.iter().map(|id| Value::from(*id)));
    c.query(&format!("SELECT {COLUMNS} FROM messages AS m WHERE m.id IN ({list})"), &values, from_row)
}

/// What a client calls a message: in which room, who, and how.
pub(crate) type ClientName<'n> = (RoomId, UserId, &'n str);

/// The messages that were sent under these names.
pub(crate) fn of_clients<'n>(
    c: &mut Connection<'_>,
    names: &[ClientName<'n>],
) -> Result<HashMap<ClientName<'n>, MessageId>, DatabaseError> {
    let mut found = HashMap::new();
    for some in rows_of_few_lengths(names) {
        let values: Vec<Value<'_>> = some
            .iter()
            .flat_map(|(room, sender, name)| [(*room).into(), (*sender).into(), (*name).into()])
            .collect();
        let conditions: Vec<String> = (1..=some.len())
            .map(|place| {
                format!(
                    "(room_id = ${} AND sender_id = ${} AND client_id = ${})",
                    place * 3 - 2,
                    place * 3 - 1,
                    place * 3
                )
            })
            .collect();
        // The engines see that the index is the right one for each.
        let sql = format!(
            "SELECT room_id, sender_id, client_id, id FROM messages WHERE client_id IS NOT NULL AND ({})",
            conditions.join(" OR ")
        );
        let rows: Vec<(RoomId, UserId, String, MessageId)> =
            c.query(&sql, &values, |row| Ok((row.read()?, row.read()?, row.read()?, row.read()?)))?;
        for (room, sender, name, id) in rows {
            let asked = some.iter().find(|asked| asked.0 == room && asked.1 == sender && asked.2 == name);
            found.extend(asked.map(|asked| (*asked, id)));
        }
    }
    Ok(found)
}

/// Which way a conversation is walked, and between which numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Span {
    pub(crate) room: RoomId,
    pub(crate) after: i64,
    pub(crate) before: i64,
    pub(crate) newest_first: bool,
    pub(crate) pinned: bool,
}

/// The messages of a span in the order in which it is walked, `limit` of them.
pub(crate) fn walk(c: &mut Connection<'_>, span: Span, limit: u32) -> Result<Vec<Message>, DatabaseError> {
    c.query(&walk_sql(span), params![span.room, span.after, span.before, limit], from_row)
}

pub(super) fn walk_sql(span: Span) -> String {
    let order = if span.newest_first { "DESC" } else { "ASC" };
    let pinned = if span.pinned { "AND m.pinned_at IS NOT NULL" } else { "" };
    format!(
        "SELECT {COLUMNS} FROM messages AS m WHERE m.room_id = $1 AND m.seq > $2 AND m.seq < $3 {pinned}
         ORDER BY m.seq {order} LIMIT $4"
    )
}

/// A thread after a number: its first message, then the replies.
pub(crate) fn thread(
    c: &mut Connection<'_>,
    root: MessageId,
    after: i64,
    limit: u32,
) -> Result<Vec<Message>, DatabaseError> {
    c.query(&thread_sql(), params![root, after, limit], from_row)
}

pub(super) fn thread_sql() -> String {
    format!(
        "SELECT * FROM (SELECT {COLUMNS} FROM messages AS m WHERE m.id = $1 AND m.seq > $2) AS first
         UNION ALL
         SELECT * FROM (SELECT {COLUMNS} FROM messages AS m WHERE m.thread_id = $1 AND m.seq > $2
             ORDER BY m.seq LIMIT $3) AS replies
         ORDER BY seq LIMIT $3"
    )
}

/// The newest message of each of these rooms.
pub(crate) fn newest_of(c: &mut Connection<'_>, rooms: &[RoomId]) -> Result<Vec<Message>, DatabaseError> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, rooms.iter().map(|id| Value::from(*id)));
    c.query(&newest_sql(&list), &values, from_row)
}

pub(super) fn newest_sql(rooms: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM rooms AS r JOIN messages AS m ON m.room_id = r.id AND m.seq = r.last_seq
         WHERE r.id IN ({rooms})"
    )
}

/// Keeps what a locked message says now.
pub(crate) fn update(tx: &mut Tx<'_>, message: &Message) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE messages SET content = $2, reaction_count = $3, mention_count = $4, version = $5, pinned_at = $6,
             edited_at = $7, deleted_at = $8 WHERE id = $1",
        params![
            message.id,
            &message.content,
            message.reaction_count,
            message.mention_count,
            message.version,
            message.pinned_at,
            message.edited_at,
            message.deleted_at
        ],
    )?;
    Ok(())
}

/// How many messages of a room are pinned.
pub(crate) fn count_pinned(c: &mut Connection<'_>, room: RoomId) -> Result<u32, DatabaseError> {
    let counted = c.find(
        "SELECT COUNT(*) FROM messages WHERE room_id = $1 AND pinned_at IS NOT NULL",
        params![room],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

/// A message that is about to be sent, without its place.
pub(crate) fn unsent(id: MessageId, room: RoomId, sender: UserId, at: Timestamp) -> Message {
    Message {
        doc: 0,
        id,
        room,
        seq: 0,
        sender,
        kind: MessageKind::Text,
        content: String::new(),
        reply_to: None,
        thread: None,
        reaction_count: 0,
        mention_count: 0,
        version: 1,
        pinned_at: None,
        edited_at: None,
        deleted_at: None,
        created_at: at,
    }
}
