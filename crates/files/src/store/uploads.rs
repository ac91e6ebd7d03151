//! Uploads past this server that somebody was given an address for.

use stoa_contracts::files::{FileId, Visibility};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx},
    params,
};

use super::files::number;
use crate::presign::Upload;

const COLUMNS: &str = "id, owner_id, original_name, content_type, size, visibility, created_at, expires_at";

fn from_row(row: &Row<'_>) -> Result<Upload, DatabaseError> {
    Ok(Upload {
        id: row.read()?,
        owner: row.read()?,
        name: row.read()?,
        content_type: row.read()?,
        size: row.read()?,
        visibility: row.parse(Visibility::parse)?,
        created_at: row.read()?,
        expires_at: row.read()?,
    })
}

/// Keeps a new one.
pub(crate) fn insert(tx: &mut Tx<'_>, upload: &Upload) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO file_uploads (id, owner_id, original_name, content_type, size, visibility, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            upload.id,
            upload.owner,
            &upload.name,
            &upload.content_type,
            number(upload.size),
            upload.visibility.as_str(),
            upload.created_at,
            upload.expires_at
        ],
    )
    .map(drop)
}

/// How many somebody has open, counted to `most`.
pub(crate) fn open(c: &mut Connection<'_>, owner: UserId, most: u32) -> Result<u32, DatabaseError> {
    let counted = c.find(
        "SELECT COUNT(*) FROM (SELECT 1 FROM file_uploads WHERE owner_id = $1 LIMIT $2) AS counted",
        params![owner, most],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

/// The one of this id, whose time is not over.
pub(crate) fn find(
    c: &mut Connection<'_>,
    id: FileId,
    now: Timestamp,
) -> Result<Option<Upload>, DatabaseError> {
    c.find(
        &format!("SELECT {COLUMNS} FROM file_uploads WHERE id = $1 AND expires_at > $2"),
        params![id, now],
        from_row,
    )
}

/// Takes an upload to complete it until `until`; false when somebody has it, or it is gone.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    id: FileId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, DatabaseError> {
    let taken = tx.execute(
        "UPDATE file_uploads SET taken_until = $3 WHERE id = $1 AND (taken_until IS NULL OR taken_until <= $2)",
        params![id, now, until],
    )?;
    Ok(taken == 1)
}

/// Gives it back, to be tried again.
pub(crate) fn give_back(tx: &mut Tx<'_>, id: FileId) -> Result<(), DatabaseError> {
    tx.execute("UPDATE file_uploads SET taken_until = NULL WHERE id = $1", params![id]).map(drop)
}

/// Forgets one.
pub(crate) fn delete(tx: &mut Tx<'_>, id: FileId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM file_uploads WHERE id = $1", params![id]).map(drop)
}

/// Those whose time is over, some of them. One that is being completed is not among them.
pub(crate) fn expired(
    c: &mut Connection<'_>,
    now: Timestamp,
    most: u32,
) -> Result<Vec<FileId>, DatabaseError> {
    c.query(
        "SELECT id FROM file_uploads WHERE expires_at <= $1 AND (taken_until IS NULL OR taken_until <= $1)
         ORDER BY expires_at, id LIMIT $2",
        params![now, most],
        |row| row.read(),
    )
}

/// Whether there is one of this id.
pub(crate) fn exists(c: &mut Connection<'_>, id: FileId) -> Result<bool, DatabaseError> {
    let found = c.find("SELECT 1 FROM file_uploads WHERE id = $1", params![id], |row| row.read::<i64>())?;
    Ok(found.is_some())
}
