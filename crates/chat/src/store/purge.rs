//! Removing what was in a closed room, a slice at a time.

use stoa_contracts::chat::{MessageId, MessageKind, RoomId};
use stoa_platform::{
    database::{DatabaseError, Engine, Tx, Value, in_list},
    params,
};

/// Messages that were removed.
#[derive(Default)]
pub(crate) struct Removed {
    pub(crate) count: usize,
    /// Those among them that carried files.
    pub(crate) carriers: Vec<MessageId>,
}

/// Removes up to `most` messages of a closed room with all that hangs on them; answers what that was.
pub(crate) fn messages(tx: &mut Tx<'_>, room: RoomId, most: u32) -> Result<Removed, DatabaseError> {
    // Locked, so that nobody who began before the room was closed hangs anything on them any more.
    let lock = if tx.engine() == Engine::Postgres { "FOR UPDATE OF m" } else { "" };
    let sql = format!(
        "SELECT m.id, m.doc, m.kind FROM messages AS m JOIN rooms AS r ON r.id = m.room_id
         WHERE m.room_id = $1 AND r.closed_at IS NOT NULL ORDER BY m.seq LIMIT $2 {lock}"
    );
    let found: Vec<(MessageId, i64, MessageKind)> = tx.query(&sql, params![room, most], |row| {
        Ok((row.read()?, row.read()?, row.parse(MessageKind::parse)?))
    })?;
    if found.is_empty() {
        return Ok(Removed::default());
    }
    let mut values = Vec::new();
    let ids = in_list(&mut values, found.iter().map(|(id, ..)| Value::from(*id)));
    for (table, column) in
        [("message_reactions", "message_id"), ("message_mentions", "message_id"), ("messages", "id")]
    {
        tx.execute(&format!("DELETE FROM {table} WHERE {column} IN ({ids})"), &values)?;
    }
    let mut values = Vec::new();
    let docs = in_list(&mut values, found.iter().map(|(_, doc, _)| Value::from(*doc)));
    let key = if tx.engine() == Engine::Sqlite { "rowid" } else { "doc" };
    tx.execute(&format!("DELETE FROM message_texts WHERE {key} IN ({docs})"), &values)?;
    let carriers = found.iter().filter(|(.., kind)| *kind == MessageKind::File).map(|(id, ..)| *id).collect();
    Ok(Removed { count: found.len(), carriers })
}

/// Removes up to `most` members of a closed room; answers how many.
pub(crate) fn members(tx: &mut Tx<'_>, room: RoomId, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM room_members WHERE room_id = $1 AND user_id IN
             (SELECT b.user_id FROM room_members AS b JOIN rooms AS r ON r.id = b.room_id
              WHERE b.room_id = $1 AND r.closed_at IS NOT NULL ORDER BY b.user_id LIMIT $2)",
        params![room, most],
    )
}

/// Removes a closed room itself.
pub(crate) fn room(tx: &mut Tx<'_>, room: RoomId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM rooms WHERE id = $1 AND closed_at IS NOT NULL", params![room])?;
    Ok(())
}
