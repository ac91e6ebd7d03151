//! What somebody keeps altogether.

use stoa_platform::{
    database::{Connection, DatabaseError, Tx},
    params,
};

use super::files::number;
use crate::file::Owner;

/// Takes room for so many files of so many bytes together, if they are within the quota.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    owner: Owner,
    (files, bytes): (u32, u64),
    quota: Option<u64>,
) -> Result<bool, DatabaseError> {
    tx.execute(
        "INSERT INTO file_usage (owner_id, bytes, files) VALUES ($1, 0, 0) ON CONFLICT (owner_id) DO NOTHING",
        params![owner.uuid()],
    )?;
    let taken = tx.execute(
        "UPDATE file_usage SET bytes = bytes + $2, files = files + $3 WHERE owner_id = $1 AND bytes + $2 <= $4",
        params![owner.uuid(), number(bytes), files, quota.map_or(i64::MAX, number)],
    )?;
    Ok(taken == 1)
}

/// Gives the room of a file back.
pub(crate) fn give_back(tx: &mut Tx<'_>, owner: Owner, bytes: u64) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE file_usage SET bytes = bytes - $2, files = files - 1 WHERE owner_id = $1",
        params![owner.uuid(), number(bytes)],
    )
    .map(drop)
}

/// How many bytes somebody keeps.
pub(crate) fn bytes(c: &mut Connection<'_>, owner: Owner) -> Result<u64, DatabaseError> {
    let found =
        c.find("SELECT bytes FROM file_usage WHERE owner_id = $1", params![owner.uuid()], |row| row.read())?;
    Ok(found.unwrap_or(0))
}
