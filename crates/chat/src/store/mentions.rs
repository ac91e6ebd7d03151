//! The table of who is mentioned where.

use std::collections::HashMap;

use stoa_contracts::chat::{MessageId, RoomId};
use stoa_kernel::UserId;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, in_list, insert_rows},
    params,
};

/// One mention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) message: MessageId,
    pub(crate) user: UserId,
    pub(crate) room: RoomId,
    pub(crate) seq: i64,
}

/// Inserts mentions.
pub(crate) fn insert(tx: &mut Tx<'_>, rows: &[Row]) -> Result<(), DatabaseError> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| [row.message.into(), row.user.into(), row.room.into(), row.seq.into()])
        .collect();
    insert_rows(tx, "message_mentions (message_id, user_id, room_id, seq)", &rows, "").map(drop)
}

/// Removes all mentions of a message.
pub(crate) fn delete_all(tx: &mut Tx<'_>, message: MessageId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM message_mentions WHERE message_id = $1", params![message])?;
    Ok(())
}

/// Whom these messages mention, by id.
pub(crate) fn of_messages(
    c: &mut Connection<'_>,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, Vec<UserId>>, DatabaseError> {
    let mut found: HashMap<MessageId, Vec<UserId>> = HashMap::new();
    if messages.is_empty() {
        return Ok(found);
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, messages.iter().map(|id| Value::from(*id)));
    let sql = format!(
        "SELECT message_id, user_id FROM message_mentions WHERE message_id IN ({list}) ORDER BY user_id"
    );
    let rows: Vec<(MessageId, UserId)> = c.query(&sql, &values, |row| Ok((row.read()?, row.read()?)))?;
    for (message, user) in rows {
        found.entry(message).or_default().push(user);
    }
    Ok(found)
}
