//! Which messages carry which files.

use std::collections::{BTreeSet, HashMap};

use stoa_contracts::{
    chat::{MessageId, RoomId},
    files::{Carried, FileId},
};
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, in_list, rows_of_few_lengths, tuples},
    params,
};

use super::files::{COLUMNS, from_row};
use crate::file::File;

/// Rooms of a file that are looked at for whoever asks for it.
const MOST_ROOMS: u32 = 100;

/// Notes what messages carry.
pub(crate) fn insert(tx: &mut Tx<'_>, carried: &[Carried]) -> Result<(), DatabaseError> {
    let mut rows: Vec<(MessageId, i64, FileId, RoomId)> = Vec::new();
    for Carried { message, room, files } in carried {
        rows.extend((0_i64..).zip(files).map(|(place, file)| (*message, place, *file, *room)));
    }
    for some in rows_of_few_lengths(&rows) {
        let mut values = Vec::with_capacity(some.len() * 4);
        for (message, place, file, room) in some {
            values.extend_from_slice(params![*message, *place, *file, *room]);
        }
        let sql = format!(
            "INSERT INTO file_messages (message_id, place, file_id, room_id) VALUES {}",
            tuples(some.len(), 4)
        );
        tx.execute(&sql, &values)?;
    }
    Ok(())
}

/// What these messages carry, in its order.
pub(crate) fn files_of(
    c: &mut Connection<'_>,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, Vec<File>>, DatabaseError> {
    let mut carried: HashMap<MessageId, Vec<File>> = HashMap::new();
    if messages.is_empty() {
        return Ok(carried);
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, messages.iter().map(|id| Value::from(*id)));
    let sql = format!(
        "SELECT {COLUMNS}, m.message_id FROM file_messages AS m JOIN files AS f ON f.id = m.file_id
         WHERE f.state = 'ready' AND m.message_id IN ({list}) ORDER BY m.message_id, m.place"
    );
    for (file, message) in c.query(&sql, &values, |row| Ok((from_row(row)?, row.read::<MessageId>()?)))? {
        carried.entry(message).or_default().push(file);
    }
    Ok(carried)
}

/// The messages that carry a file.
pub(crate) fn carriers(c: &mut Connection<'_>, file: FileId) -> Result<Vec<MessageId>, DatabaseError> {
    c.query(
        "SELECT message_id FROM file_messages WHERE file_id = $1 ORDER BY message_id",
        params![file],
        |row| row.read(),
    )
}

/// Whether a message carries a file.
pub(crate) fn is_carried(c: &mut Connection<'_>, file: FileId) -> Result<bool, DatabaseError> {
    let found = c.find("SELECT 1 FROM file_messages WHERE file_id = $1 LIMIT 1", params![file], |row| {
        row.read::<i64>()
    })?;
    Ok(found.is_some())
}

/// The rooms in which a file was shown.
pub(crate) fn rooms(c: &mut Connection<'_>, file: FileId) -> Result<Vec<RoomId>, DatabaseError> {
    c.query(
        "SELECT DISTINCT room_id FROM file_messages WHERE file_id = $1 LIMIT $2",
        params![file, MOST_ROOMS],
        |row| row.read(),
    )
}

/// Forgets what a message carried; answers that.
pub(crate) fn let_go(tx: &mut Tx<'_>, message: MessageId) -> Result<Vec<FileId>, DatabaseError> {
    tx.query("DELETE FROM file_messages WHERE message_id = $1 RETURNING file_id", params![message], |row| {
        row.read()
    })
}

/// Forgets that anything carries a file; answers the rooms in which something did.
pub(crate) fn let_go_of(tx: &mut Tx<'_>, file: FileId) -> Result<BTreeSet<RoomId>, DatabaseError> {
    let rooms =
        tx.query("DELETE FROM file_messages WHERE file_id = $1 RETURNING room_id", params![file], |row| {
            row.read::<RoomId>()
        })?;
    Ok(rooms.into_iter().collect())
}
