//! The table of who is mentioned where.

use std::collections::HashMap;

use stoa_contracts::chat::{MessageId, RoomId};
use stoa_kernel::UserId;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, in_list, rows_of_few_lengths, tuples},
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
    for some in rows_of_few_lengths(rows) {
        let mut values = Vec::with_capacity(some.len() * 4);
        for row in some {
            values.extend_from_slice(params![row.message, row.user, row.room, row.seq]);
        }
        let sql = format!(
            "INSERT INTO message_mentions (message_id, user_id, room_id, seq) VALUES {}",
            tuples(some.len(), 4)
        );
        tx.execute(&sql, &values)?;
    }
    Ok(())
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
