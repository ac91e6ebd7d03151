//! The table of reactions.

use std::collections::{BTreeMap, HashMap};

use stoa_contracts::chat::MessageId;
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, in_list},
    params,
};

/// Adds a reaction.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    message: MessageId,
    user: UserId,
    emoji: &str,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO message_reactions (message_id, emoji, user_id, reacted_at) VALUES ($1, $2, $3, $4)",
        params![message, emoji, user, at],
    )?;
    Ok(())
}

/// Takes a reaction back; false when there is none.
pub(crate) fn delete(
    tx: &mut Tx<'_>,
    message: MessageId,
    user: UserId,
    emoji: &str,
) -> Result<bool, DatabaseError> {
    let deleted = tx.execute(
        "DELETE FROM message_reactions WHERE message_id = $1 AND emoji = $2 AND user_id = $3",
        params![message, emoji, user],
    )?;
    Ok(deleted == 1)
}

/// Takes all reactions from a message.
pub(crate) fn delete_all(tx: &mut Tx<'_>, message: MessageId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM message_reactions WHERE message_id = $1", params![message])?;
    Ok(())
}

/// How many of each emoji a message has.
pub(crate) fn counts(
    c: &mut Connection<'_>,
    message: MessageId,
) -> Result<BTreeMap<String, u32>, DatabaseError> {
    let rows = c.query(
        "SELECT emoji, COUNT(*) FROM message_reactions WHERE message_id = $1 GROUP BY emoji",
        params![message],
        |row| Ok((row.read()?, row.read()?)),
    )?;
    Ok(rows.into_iter().collect())
}

/// Who reacted to these messages with what, in the order in which they did.
pub(crate) fn of_messages(
    c: &mut Connection<'_>,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, BTreeMap<String, Vec<UserId>>>, DatabaseError> {
    let mut found: HashMap<MessageId, BTreeMap<String, Vec<UserId>>> = HashMap::new();
    if messages.is_empty() {
        return Ok(found);
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, messages.iter().map(|id| Value::from(*id)));
    let sql = format!(
        "SELECT message_id, emoji, user_id FROM message_reactions WHERE message_id IN ({list})
         ORDER BY reacted_at, user_id"
    );
    let rows: Vec<(MessageId, String, UserId)> =
        c.query(&sql, &values, |row| Ok((row.read()?, row.read()?, row.read()?)))?;
    for (message, emoji, user) in rows {
        found.entry(message).or_default().entry(emoji).or_default().push(user);
    }
    Ok(found)
}
