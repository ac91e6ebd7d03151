//! Somebody's list: their own notifications and what was said to everybody, as one, and how much of it is unread.

use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, UserId, page::DEEPEST_ENTRY};
use stoa_platform::{
    database::{Connection, DatabaseError},
    params,
};

use super::notifications::from_row;
use crate::notification::Notification;

const ORDER: &str = "notifications:desc";

/// The columns of somebody's own.
const OWN: &str = "id, kind, title, message, data, created_at, read_at FROM notifications";

/// The same columns of an announcement `a` as user `$1` sees it, with their mark `m`. Its type is one of our own words,
/// so it needs no escaping.
pub(super) const SHARED: &str = "a.id, 'announcement' AS kind, a.title, a.message,
    '{\"type\":\"' || a.type || '\"}' AS data, a.created_at, m.read_at
    FROM announcements AS a
    LEFT JOIN announcement_marks AS m ON m.announcement_id = a.id AND m.user_id = $1";

/// A page, the newest first; `None` when the cursor is of another list. Each half is walked by its own index, no
/// further than the page needs.
pub(crate) fn page(
    c: &mut Connection<'_>,
    user: UserId,
    unread: bool,
    page: &PageRequest,
) -> Result<Option<Page<Notification>>, DatabaseError> {
    let (before, id) = match page.after() {
        None => (i64::MAX, uuid::Uuid::max()),
        Some(cursor) => match cursor.number_in(ORDER) {
            Some(at) => (at, cursor.id),
            None => return Ok(None),
        },
    };
    let (own, shared) = if unread { ("AND read_at IS NULL", "AND m.read_at IS NULL") } else { ("", "") };
    let wanted = page.limit + 1;
    let rows = c.query(
        &format!(
            "SELECT * FROM (SELECT {OWN} WHERE user_id = $1 AND (created_at, id) < ($2, $3) {own}
                 ORDER BY created_at DESC, id DESC LIMIT $4) AS own
             UNION ALL
             SELECT * FROM (SELECT {SHARED} WHERE (a.created_at, a.id) < ($2, $3) AND NOT COALESCE(m.removed, FALSE) {shared}
                 ORDER BY a.created_at DESC, a.id DESC LIMIT $4) AS shared
             ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6"
        ),
        params![user, before, id, page.offset() + wanted, wanted, page.offset()],
        from_row,
    )?;
    let total = if page.wants_total() { Some(count(c, user, unread)?) } else { None };
    Ok(Some(Page::from_rows(rows, page.limit, total, |notification| Cursor {
        order: ORDER.into(),
        value: CursorValue::Number(notification.created_at.as_micros()),
        id: notification.id.uuid(),
    })))
}

/// How many there are, or how many of them are unread, counted to [`DEEPEST_ENTRY`].
pub(crate) fn count(c: &mut Connection<'_>, user: UserId, unread: bool) -> Result<u32, DatabaseError> {
    let (own, shared) = if unread { ("AND read_at IS NULL", "AND m.read_at IS NULL") } else { ("", "") };
    let counted: Option<u32> = c.find(
        &format!(
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM notifications WHERE user_id = $1 {own} LIMIT $2) AS own)
             + (SELECT COUNT(*) FROM announcements AS a
                LEFT JOIN announcement_marks AS m ON m.announcement_id = a.id AND m.user_id = $1
                WHERE NOT COALESCE(m.removed, FALSE) {shared})"
        ),
        params![user, DEEPEST_ENTRY],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0).min(DEEPEST_ENTRY))
}
