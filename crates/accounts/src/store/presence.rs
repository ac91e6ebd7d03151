//! Who is here, read from the sessions: no request writes anything for it.

use std::collections::HashSet;

use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Value, placeholders},
    params,
};

use super::users;
use crate::account::User;

/// How many sessions are looked at for the list of those who are here: the latest ones.
const MOST_SESSIONS: u32 = 1_000;

/// Which of these users were active after `since` in a session that lives at `now`.
pub(crate) fn active_among(
    c: &mut Connection<'_>,
    users: &[UserId],
    since: Timestamp,
    now: Timestamp,
) -> Result<HashSet<UserId>, DatabaseError> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    let mut values = params![since, now].to_vec();
    values.extend(users.iter().map(|user| Value::from(*user)));
    let found = c.query(
        &format!(
            "SELECT DISTINCT user_id FROM sessions
             WHERE user_id IN ({}) AND ended_at IS NULL AND last_used_at > $1 AND expires_at > $2",
            placeholders(3, users.len())
        ),
        &values,
        |row| row.read(),
    )?;
    Ok(found.into_iter().collect())
}

/// Those who were active after `since`, in a session that lives at `now`, and do not want to be taken for absent.
/// Written so that both engines begin with the sessions, which are few, and not with everybody.
const ACTIVE: &str = "WITH active AS MATERIALIZED (
         SELECT DISTINCT user_id FROM (
             SELECT user_id FROM sessions WHERE ended_at IS NULL AND last_used_at > $1 AND expires_at > $2
             ORDER BY last_used_at DESC LIMIT $3) AS latest)";

/// Those who are here, by username, after `after`.
pub(crate) fn online(
    c: &mut Connection<'_>,
    (since, now): (Timestamp, Timestamp),
    after: &str,
    (limit, offset): (u32, u32),
) -> Result<Vec<User>, DatabaseError> {
    let columns = users::COLUMNS.replace(", ", ", u.");
    c.query(
        &format!(
            "{ACTIVE} SELECT u.{columns} FROM active CROSS JOIN users u
             WHERE u.id = active.user_id AND u.status <> 'offline' AND u.username_folded > $4
             ORDER BY u.username_folded LIMIT $5 OFFSET $6"
        ),
        params![since, now, MOST_SESSIONS, after, limit, offset],
        users::from_row,
    )
}

/// How many those are.
pub(crate) fn count_online(
    c: &mut Connection<'_>,
    since: Timestamp,
    now: Timestamp,
) -> Result<u32, DatabaseError> {
    let counted = c.find(
        &format!(
            "{ACTIVE} SELECT COUNT(*) FROM active CROSS JOIN users u
             WHERE u.id = active.user_id AND u.status <> 'offline'"
        ),
        params![since, now, MOST_SESSIONS],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}
