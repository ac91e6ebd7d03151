//! What people chose to be told.

use std::collections::BTreeSet;

use stoa_contracts::notifications::{Channel, Kind};
use stoa_kernel::UserId;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, placeholders},
    params,
};

use crate::preferences::{Choice, holds};

/// Whether somebody wants to be told of this in this way.
pub(crate) fn wants(
    c: &mut Connection<'_>,
    user: UserId,
    kind: Kind,
    channel: Channel,
) -> Result<bool, DatabaseError> {
    let chosen = c.find(
        "SELECT wanted FROM notification_preferences WHERE user_id = $1 AND kind = $2 AND channel = $3",
        params![user, kind.as_str(), channel.as_str()],
        |row| row.read(),
    )?;
    Ok(holds(kind, channel, chosen))
}

/// Those among `users` who do not want to be told of this in this way, in one query.
pub(crate) fn unwilling(
    c: &mut Connection<'_>,
    users: &[UserId],
    kind: Kind,
    channel: Channel,
) -> Result<BTreeSet<UserId>, DatabaseError> {
    if users.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = format!(
        "SELECT user_id, wanted FROM notification_preferences WHERE kind = $1 AND channel = $2 AND user_id IN ({})",
        placeholders(3, users.len())
    );
    let mut values = params![kind.as_str(), channel.as_str()].to_vec();
    values.extend(users.iter().map(|user| Value::from(*user)));
    let chosen: Vec<(UserId, bool)> = c.query(&sql, &values, |row| Ok((row.read()?, row.read()?)))?;
    Ok(chosen
        .into_iter()
        .filter(|(_, wanted)| !holds(kind, channel, Some(*wanted)))
        .map(|(user, _)| user)
        .collect())
}

/// Everything somebody chose. A kind that is no more is left out.
pub(crate) fn of_user(c: &mut Connection<'_>, user: UserId) -> Result<Vec<Choice>, DatabaseError> {
    let rows: Vec<(String, String, bool)> = c.query(
        "SELECT kind, channel, wanted FROM notification_preferences WHERE user_id = $1 ORDER BY kind, channel",
        params![user],
        |row| Ok((row.read()?, row.read()?, row.read()?)),
    )?;
    let channel = |name: &str| [Channel::InApp, Channel::Mail].into_iter().find(|one| one.as_str() == name);
    let choice =
        |(kind, by, wanted): (String, String, bool)| Some((Kind::parse(&kind)?, channel(&by)?, wanted));
    Ok(rows.into_iter().filter_map(choice).collect())
}

/// Keeps choices.
pub(crate) fn choose(tx: &mut Tx<'_>, user: UserId, choices: &[Choice]) -> Result<(), DatabaseError> {
    for (kind, channel, wanted) in choices {
        tx.execute(
            "INSERT INTO notification_preferences (user_id, kind, channel, wanted) VALUES ($1, $2, $3, $4)
             ON CONFLICT (user_id, kind, channel) DO UPDATE SET wanted = excluded.wanted",
            params![user, kind.as_str(), channel.as_str(), *wanted],
        )?;
    }
    Ok(())
}

/// Forgets all of a user.
pub(crate) fn forget_user(tx: &mut Tx<'_>, user: UserId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM notification_preferences WHERE user_id = $1", params![user]).map(drop)
}
