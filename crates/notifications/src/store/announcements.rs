//! What was said to everybody, and who has read or removed it.

use stoa_contracts::notifications::NotificationId;
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx},
    params,
};

use super::notifications::from_row;
use crate::{
    announce::{Announcement, MOST_ANNOUNCEMENTS},
    notification::Notification,
};

const COLUMNS: &str = "id, title, message, type, created_by, created_at";
const ORDER: &str = "announcements:desc";

pub(crate) fn insert(tx: &mut Tx<'_>, said: &Announcement) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO announcements (id, title, message, type, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        params![said.id, &said.title, &said.message, &said.kind, &said.created_by, said.created_at],
    )
    .map(drop)
}

/// How many there are, counted as far as there can be.
pub(crate) fn count(c: &mut Connection<'_>) -> Result<u32, DatabaseError> {
    let counted = c.find(
        "SELECT COUNT(*) FROM (SELECT 1 FROM announcements LIMIT $1) AS counted",
        params![MOST_ANNOUNCEMENTS],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

/// All of them, the newest first; `None` when the cursor is of another list.
pub(crate) fn list(
    c: &mut Connection<'_>,
    page: &PageRequest,
) -> Result<Option<Page<Announcement>>, DatabaseError> {
    let (before, id) = match page.after() {
        None => (i64::MAX, uuid::Uuid::max()),
        Some(cursor) => match cursor.number_in(ORDER) {
            Some(at) => (at, cursor.id),
            None => return Ok(None),
        },
    };
    let rows = c.query(
        &format!(
            "SELECT {COLUMNS} FROM announcements WHERE (created_at, id) < ($1, $2)
             ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"
        ),
        params![before, id, page.limit + 1, page.offset()],
        announcement,
    )?;
    let total = if page.wants_total() { Some(count(c)?) } else { None };
    Ok(Some(Page::from_rows(rows, page.limit, total, |said| Cursor {
        order: ORDER.into(),
        value: CursorValue::Number(said.created_at.as_micros()),
        id: said.id.uuid(),
    })))
}

pub(crate) fn find(
    c: &mut Connection<'_>,
    id: NotificationId,
) -> Result<Option<Announcement>, DatabaseError> {
    c.find(&format!("SELECT {COLUMNS} FROM announcements WHERE id = $1"), params![id], announcement)
}

/// Deletes one with all marks on it; false when there is none.
pub(crate) fn delete(tx: &mut Tx<'_>, id: NotificationId) -> Result<bool, DatabaseError> {
    Ok(tx.execute("DELETE FROM announcements WHERE id = $1", params![id])? == 1)
}

/// An announcement as it stands in somebody's list; none when they removed it.
pub(crate) fn find_for(
    c: &mut Connection<'_>,
    user: UserId,
    id: NotificationId,
) -> Result<Option<Notification>, DatabaseError> {
    c.find(
        &format!("SELECT {} WHERE a.id = $2 AND NOT COALESCE(m.removed, FALSE)", super::pages::SHARED),
        params![user, id],
        from_row,
    )
}

/// Notes that somebody read it, or removes it for them; what was noted first stays. False when there is none, or it
/// was removed before.
pub(crate) fn mark(
    tx: &mut Tx<'_>,
    user: UserId,
    id: NotificationId,
    now: Timestamp,
    removed: bool,
) -> Result<bool, DatabaseError> {
    let marked = tx.execute(
        "INSERT INTO announcement_marks (user_id, announcement_id, read_at, removed)
         SELECT $1, id, $3, $4 FROM announcements WHERE id = $2
         ON CONFLICT (user_id, announcement_id) DO UPDATE SET removed = excluded.removed
         WHERE NOT announcement_marks.removed",
        params![user, id, now, removed],
    )?;
    Ok(marked == 1)
}

/// Removes it from one's own list.
pub(crate) fn remove_for(
    tx: &mut Tx<'_>,
    user: UserId,
    id: NotificationId,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    mark(tx, user, id, now, true)
}

/// Notes that somebody read all there is until `now`; answers how many were unread. There are few.
pub(crate) fn mark_all(tx: &mut Tx<'_>, user: UserId, now: Timestamp) -> Result<u64, DatabaseError> {
    tx.execute(
        "INSERT INTO announcement_marks (user_id, announcement_id, read_at, removed)
         SELECT $1, id, $2, FALSE FROM announcements WHERE created_at <= $2
         ON CONFLICT (user_id, announcement_id) DO NOTHING",
        params![user, now],
    )
}

/// Forgets up to `most` from before `before`.
pub(crate) fn forget_before(tx: &mut Tx<'_>, before: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM announcements WHERE id IN
             (SELECT id FROM announcements WHERE created_at < $1 ORDER BY created_at, id LIMIT $2)",
        params![before, most],
    )
}

/// Forgets all marks of a user.
pub(crate) fn forget_user(tx: &mut Tx<'_>, user: UserId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM announcement_marks WHERE user_id = $1", params![user]).map(drop)
}

fn announcement(row: &Row<'_>) -> Result<Announcement, DatabaseError> {
    Ok(Announcement {
        id: row.read()?,
        title: row.read()?,
        message: row.read()?,
        kind: row.read()?,
        created_by: row.read()?,
        created_at: row.read()?,
    })
}
