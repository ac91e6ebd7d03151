//! The table of sessions as their owner sees it.

use stoa_kernel::{SessionId, SortOrder, Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError},
    params,
};
use uuid::Uuid;

use super::walk;

/// A live session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Device {
    pub(crate) id: SessionId,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) address: String,
    pub(crate) user_agent: Option<String>,
}

/// Which sessions to list, by age: those of `user` that live at `now`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) user: UserId,
    pub(crate) now: Timestamp,
    pub(crate) order: SortOrder,
    /// The sort place of the entry before.
    pub(crate) after: Option<(i64, Uuid)>,
}

/// Sessions by age.
pub(crate) fn list(
    c: &mut Connection<'_>,
    wanted: Wanted,
    limit: u32,
    offset: u32,
) -> Result<Vec<Device>, DatabaseError> {
    let (beyond, way, start) = walk(wanted.order);
    let (at, id) = wanted.after.unwrap_or(start);
    c.query(
        &format!(
            "SELECT id, created_at, last_used_at, expires_at, address, user_agent FROM sessions
             WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND (created_at, id) {beyond} ($3, $4)
             ORDER BY created_at {way}, id {way} LIMIT $5 OFFSET $6"
        ),
        params![wanted.user, wanted.now, at, id, limit, offset],
        |row| {
            Ok(Device {
                id: row.read()?,
                created_at: row.read()?,
                last_used_at: row.read()?,
                expires_at: row.read()?,
                address: row.read()?,
                user_agent: row.read()?,
            })
        },
    )
}

/// How many there are, counted to `most`.
pub(crate) fn count(c: &mut Connection<'_>, wanted: Wanted, most: u32) -> Result<u32, DatabaseError> {
    let counted = c.find(
        "SELECT COUNT(*) FROM (SELECT 1 FROM sessions
             WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 LIMIT $3) AS counted",
        params![wanted.user, wanted.now, most],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

/// Whether a session is this user's and lives at `now`.
pub(crate) fn is_live_of(
    c: &mut Connection<'_>,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let found = c.find(
        "SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3",
        params![session, user, now],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}
