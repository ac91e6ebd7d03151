//! The table of files.

use stoa_contracts::files::{FileId, Visibility};
use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx, Value, in_list},
    params,
};
use uuid::Uuid;

use super::{held, locked};
use crate::{
    file::{File, Owner, State},
    kinds::Kind,
};

pub(super) const COLUMNS: &str = "f.id, f.owner_id, f.state, f.visibility, f.kind, f.original_name, f.content_type, \
                                  f.extension, f.size, f.checksum, f.width, f.height, f.thumbnail_size, \
                                  f.original_extension, f.original_size, f.room_id, f.created_at, f.uploaded_at, \
                                  f.expires_at";

pub(super) fn from_row(row: &Row<'_>) -> Result<File, DatabaseError> {
    Ok(File {
        id: row.read()?,
        owner: Owner::stored(row.read()?),
        state: row.parse(State::parse)?,
        visibility: row.parse(Visibility::parse)?,
        kind: row.parse(Kind::parse)?,
        original_name: row.read()?,
        content_type: row.read()?,
        extension: row.read()?,
        size: row.read()?,
        checksum: row.read()?,
        dimensions: both(row.read()?, row.read()?),
        thumbnail_size: row.read()?,
        original: both(row.read()?, row.read()?),
        room: row.read()?,
        created_at: row.read()?,
        uploaded_at: row.read()?,
        expires_at: row.read()?,
    })
}

fn both<A, B>(one: Option<A>, other: Option<B>) -> Option<(A, B)> {
    Some((one?, other?))
}

/// A length as a column has it; no file is longer than half of what a number can say.
pub(super) fn number(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Keeps a new row.
pub(crate) fn insert(tx: &mut Tx<'_>, file: &File, at: Timestamp) -> Result<(), DatabaseError> {
    let (width, height) = file.dimensions.unzip();
    let (original_extension, original_size) =
        file.original.as_ref().map(|(ending, size)| (ending.as_str(), number(*size))).unzip();
    tx.execute(
        "INSERT INTO files (id, owner_id, state, visibility, kind, original_name, content_type, extension, size,
             checksum, width, height, thumbnail_size, original_extension, original_size, room_id, created_at,
             uploaded_at, expires_at, state_since)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        params![
            file.id,
            file.owner.uuid(),
            file.state.as_str(),
            file.visibility.as_str(),
            file.kind.name(),
            &file.original_name,
            &file.content_type,
            &file.extension,
            number(file.size),
            &file.checksum,
            width,
            height,
            file.thumbnail_size.map(number),
            original_extension,
            original_size,
            file.room,
            file.created_at,
            file.uploaded_at,
            file.expires_at,
            at
        ],
    )
    .map(drop)
}

/// The file of this id, in whatever state.
pub(crate) fn find(c: &mut Connection<'_>, id: FileId) -> Result<Option<File>, DatabaseError> {
    c.find(&format!("SELECT {COLUMNS} FROM files AS f WHERE f.id = $1"), params![id], from_row)
}

/// The same, locked.
pub(crate) fn lock(tx: &mut Tx<'_>, id: FileId) -> Result<Option<File>, DatabaseError> {
    let lock = locked(tx.engine());
    tx.find(&format!("SELECT {COLUMNS} FROM files AS f WHERE f.id = $1 {lock}"), params![id], from_row)
}

/// Those of these that are there whole, in any order.
pub(crate) fn ready(c: &mut Connection<'_>, ids: &[FileId]) -> Result<Vec<File>, DatabaseError> {
    of_ids(c, ids, "")
}

/// The same, which stay so until the transaction ends. In the order of their ids, so that no two wait in a circle.
pub(crate) fn hold(tx: &mut Tx<'_>, ids: &[FileId]) -> Result<Vec<File>, DatabaseError> {
    let hold = held(tx.engine());
    of_ids(tx, ids, hold)
}

fn of_ids(c: &mut Connection<'_>, ids: &[FileId], hold: &str) -> Result<Vec<File>, DatabaseError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, ids.iter().map(|id| Value::from(*id)));
    let sql = format!(
        "SELECT {COLUMNS} FROM files AS f WHERE f.state = 'ready' AND f.id IN ({list}) ORDER BY f.id {hold}"
    );
    c.query(&sql, &values, from_row)
}

/// Moves a file on in its life, when it is where it is thought to be.
pub(crate) fn move_on(
    tx: &mut Tx<'_>,
    id: FileId,
    (from, to): (State, State),
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    let moved = tx.execute(
        "UPDATE files SET state = $3, state_since = $4, uploaded_at = CASE WHEN $3 = 'ready' THEN $4 ELSE uploaded_at END,
             expires_at = CASE WHEN $3 = 'deleted' THEN NULL ELSE expires_at END
         WHERE id = $1 AND state = $2",
        params![id, from.as_str(), to.as_str(), at],
    )?;
    Ok(moved == 1)
}

/// Files that are in a state since before `before`, the oldest first.
pub(crate) fn left_in(
    c: &mut Connection<'_>,
    state: State,
    before: Timestamp,
    most: u32,
) -> Result<Vec<FileId>, DatabaseError> {
    c.query(
        "SELECT id FROM files WHERE state <> 'ready' AND state = $1 AND state_since < $2 ORDER BY state_since, id LIMIT $3",
        params![state.as_str(), before, most],
        |row| row.read(),
    )
}

/// Files whose time is over, the oldest first.
pub(crate) fn expired(
    c: &mut Connection<'_>,
    now: Timestamp,
    most: u32,
) -> Result<Vec<FileId>, DatabaseError> {
    c.query(
        "SELECT id FROM files WHERE expires_at IS NOT NULL AND expires_at <= $1 AND state = 'ready'
         ORDER BY expires_at, id LIMIT $2",
        params![now, most],
        |row| row.read(),
    )
}

/// Files of somebody that no message carries, some of them.
pub(crate) fn shown_nowhere(
    c: &mut Connection<'_>,
    owner: Owner,
    most: u32,
) -> Result<Vec<FileId>, DatabaseError> {
    c.query(
        "SELECT id FROM files WHERE owner_id = $1 AND state = 'ready'
             AND NOT EXISTS (SELECT 1 FROM file_messages WHERE file_id = files.id)
         ORDER BY id LIMIT $2",
        params![owner.uuid(), most],
        |row| row.read(),
    )
}

/// Forgets a deleted file whose objects are gone.
pub(crate) fn forget(tx: &mut Tx<'_>, id: FileId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM files WHERE id = $1 AND state = 'deleted'", params![id]).map(drop)
}

/// A page of all files there are, by id, for whoever compares them with the store.
pub(crate) fn after(c: &mut Connection<'_>, after: Uuid, most: u32) -> Result<Vec<File>, DatabaseError> {
    c.query(
        &format!("SELECT {COLUMNS} FROM files AS f WHERE f.id > $1 ORDER BY f.id LIMIT $2"),
        params![after, most],
        from_row,
    )
}
