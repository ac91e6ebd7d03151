//! What contradicts what must hold in these tables.

use stoa_platform::{
    database::{Connection, DatabaseError},
    params,
    verify::ASKED_FOR,
};
use uuid::Uuid;

/// Owners of whom it is noted that they keep something else than their files make.
pub(crate) fn wrong_sums(c: &mut Connection<'_>) -> Result<Vec<String>, DatabaseError> {
    c.query(
        "SELECT owner, CAST(SUM(noted) AS BIGINT), CAST(SUM(kept) AS BIGINT) FROM (
             SELECT owner_id AS owner, bytes AS noted, 0 AS kept, files AS noted_files, 0 AS kept_files FROM file_usage
             UNION ALL
             SELECT owner_id, 0, size + COALESCE(thumbnail_size, 0) + COALESCE(original_size, 0), 0, 1 FROM files
             WHERE state <> 'deleted'
         ) AS both_sides GROUP BY owner
         HAVING SUM(noted) <> SUM(kept) OR SUM(noted_files) <> SUM(kept_files) ORDER BY owner LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (owner, noted, kept): (Uuid, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("owner {owner} is said to keep {noted} bytes, the files have {kept}"))
        },
    )
}

/// Messages that carry a file that is not there.
pub(crate) fn carried_nothing(c: &mut Connection<'_>) -> Result<Vec<String>, DatabaseError> {
    c.query(
        "SELECT m.message_id, m.file_id FROM file_messages AS m LEFT JOIN files AS f ON f.id = m.file_id
         WHERE f.id IS NULL OR f.state <> 'ready' ORDER BY m.message_id LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (message, file): (Uuid, Uuid) = (row.read()?, row.read()?);
            Ok(format!("message {message} carries file {file}, which is not there"))
        },
    )
}
