//! What single people were told.

use serde_json::value::RawValue;
use stoa_contracts::notifications::{Kind, NotificationId};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx},
    events::EventId,
    params,
};

use crate::{notification::Notification, told::Told};

/// Keeps it; false when the event had already put it there.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    id: NotificationId,
    user: UserId,
    event: EventId,
    told: &Told,
    data: &str,
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    let inserted = tx.execute(
        "INSERT INTO notifications (id, user_id, kind, title, message, data, event_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (event_id, user_id) DO NOTHING",
        params![id, user, told.kind.as_str(), &told.title, &told.message, data, event, at],
    )?;
    Ok(inserted == 1)
}

/// One's own notification.
pub(crate) fn find(
    c: &mut Connection<'_>,
    user: UserId,
    id: NotificationId,
) -> Result<Option<Notification>, DatabaseError> {
    c.find(
        "SELECT id, kind, title, message, data, created_at, read_at FROM notifications WHERE id = $1 AND user_id = $2",
        params![id, user],
        from_row,
    )
}

/// Marks one's own as read, the first time counts; false when there is none.
pub(crate) fn mark_read(
    tx: &mut Tx<'_>,
    user: UserId,
    id: NotificationId,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let marked = tx.execute(
        "UPDATE notifications SET read_at = COALESCE(read_at, $3) WHERE id = $1 AND user_id = $2",
        params![id, user, now],
    )?;
    Ok(marked == 1)
}

/// Marks up to `most` of what came until `now`; answers how many.
pub(crate) fn mark_all_read(
    tx: &mut Tx<'_>,
    user: UserId,
    now: Timestamp,
    most: u32,
) -> Result<u64, DatabaseError> {
    tx.execute(
        "UPDATE notifications SET read_at = $2 WHERE read_at IS NULL AND id IN
             (SELECT id FROM notifications WHERE user_id = $1 AND read_at IS NULL AND created_at <= $2
              ORDER BY created_at, id LIMIT $3)",
        params![user, now, most],
    )
}

/// Deletes one's own; false when there is none.
pub(crate) fn delete(tx: &mut Tx<'_>, user: UserId, id: NotificationId) -> Result<bool, DatabaseError> {
    let deleted =
        tx.execute("DELETE FROM notifications WHERE id = $1 AND user_id = $2", params![id, user])?;
    Ok(deleted == 1)
}

/// Forgets up to `most` from before `before`.
pub(crate) fn forget_before(tx: &mut Tx<'_>, before: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM notifications WHERE id IN
             (SELECT id FROM notifications WHERE created_at < $1 ORDER BY created_at, id LIMIT $2)",
        params![before, most],
    )
}

/// Forgets all of a user.
pub(crate) fn forget_user(tx: &mut Tx<'_>, user: UserId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM notifications WHERE user_id = $1", params![user]).map(drop)
}

/// A row of `id, kind, title, message, data, created_at, read_at`.
pub(super) fn from_row(row: &Row<'_>) -> Result<Notification, DatabaseError> {
    let (id, kind) = (row.read()?, row.read::<String>()?);
    let kind = Kind::parse(&kind)
        .ok_or_else(|| DatabaseError::Decode(format!("{kind:?} is no kind of notification")))?;
    let (title, message, data) = (row.read()?, row.read()?, row.read::<String>()?);
    let data = RawValue::from_string(data)
        .map_err(|error| DatabaseError::Decode(format!("the data of notification {id}: {error}")))?;
    let (created_at, read_at): (Timestamp, Option<Timestamp>) = (row.read()?, row.read()?);
    Ok(Notification { id, kind, title, message, data, read: read_at.is_some(), read_at, created_at })
}
