//! The SQL of sessions that sockets take up again.

use serde::{Deserialize, Serialize};
use stoa_kernel::{SessionId, Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx, Value, insert_rows, placeholders},
    params,
};

use crate::Dialect;

/// The SHA-256 of the secret by which a client knows its session.
pub(crate) type SessionHash = [u8; 32];

/// A session as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) user: UserId,
    /// The login session it stands and falls with.
    pub(crate) login: SessionId,
    pub(crate) epoch: String,
    /// The place of the log at which it began.
    pub(crate) since: i64,
    /// How many sockets have had it.
    pub(crate) claim: i64,
    pub(crate) seat: KeptSeat,
    pub(crate) alive_until: Timestamp,
}

/// What a socket hears.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct KeptSeat {
    /// Whether it hears all that its user may hear at home.
    pub(crate) home: bool,
    pub(crate) subscriptions: Vec<KeptSubscription>,
}

/// A thing that a socket is subscribed to by name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct KeptSubscription {
    pub(crate) topic: String,
    pub(crate) dialect: Dialect,
    /// What the client calls it, unless that is its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The place of the log after which it is heard.
    pub(crate) since: i64,
}

/// Inserts sessions that begin.
pub(crate) fn insert(tx: &mut Tx<'_>, begun: &[(SessionHash, &Kept)]) -> Result<(), DatabaseError> {
    let rows = begun.iter().map(|(id, new)| {
        Ok([
            Value::from(&id[..]),
            new.user.into(),
            new.login.into(),
            (&new.epoch).into(),
            new.since.into(),
            new.claim.into(),
            new.seat.home.into(),
            written(&new.seat)?.into(),
            new.alive_until.into(),
        ])
    });
    let rows = rows.collect::<Result<Vec<_>, DatabaseError>>()?;
    let into =
        "realtime_sessions (id, user_id, login, epoch, since, claim, home, subscriptions, alive_until)";
    insert_rows(tx, into, &rows, "").map(drop)
}

pub(crate) fn find(c: &mut Connection<'_>, id: SessionHash) -> Result<Option<Kept>, DatabaseError> {
    let sql = "SELECT user_id, login, epoch, since, claim, home, subscriptions, alive_until
               FROM realtime_sessions WHERE id = $1";
    c.find(sql, params![&id[..]], kept)
}

fn kept(row: &Row<'_>) -> Result<Kept, DatabaseError> {
    let unreadable = |_| DatabaseError::Decode("the subscriptions of a socket's session".into());
    let (user, login, epoch, since, claim) =
        (row.read()?, row.read()?, row.read()?, row.read()?, row.read()?);
    let home = row.read()?;
    let subscriptions: String = row.read()?;
    let subscriptions = serde_json::from_str(&subscriptions).map_err(unreadable)?;
    let alive_until = row.read()?;
    Ok(Kept { user, login, epoch, since, claim, seat: KeptSeat { home, subscriptions }, alive_until })
}

/// Makes a session the next socket's; false when another socket was quicker.
pub(crate) fn claim(
    tx: &mut Tx<'_>,
    id: SessionHash,
    (from, login): (i64, SessionId),
    alive_until: Timestamp,
) -> Result<bool, DatabaseError> {
    let claimed = tx.execute(
        "UPDATE realtime_sessions SET claim = claim + 1, login = $3, alive_until = $4 WHERE id = $1 AND claim = $2",
        params![&id[..], from, login, alive_until],
    )?;
    Ok(claimed == 1)
}

/// Keeps what a socket hears now; false when the session is another socket's.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    id: SessionHash,
    claim: i64,
    seat: &KeptSeat,
) -> Result<bool, DatabaseError> {
    let kept = tx.execute(
        "UPDATE realtime_sessions SET home = $3, subscriptions = $4 WHERE id = $1 AND claim = $2",
        params![&id[..], claim, seat.home, written(seat)?],
    )?;
    Ok(kept == 1)
}

/// Lets sessions live until then.
pub(crate) fn prolong(
    tx: &mut Tx<'_>,
    sessions: &[SessionHash],
    alive_until: Timestamp,
) -> Result<(), DatabaseError> {
    if sessions.is_empty() {
        return Ok(());
    }
    let names = placeholders(2, sessions.len());
    let mut values: Vec<Value<'_>> = vec![alive_until.into()];
    values.extend(sessions.iter().map(|id| Value::from(&id[..])));
    tx.execute(&format!("UPDATE realtime_sessions SET alive_until = $1 WHERE id IN ({names})"), &values)?;
    Ok(())
}

/// Forgets sessions that nobody came back to; answers how many.
pub(crate) fn prune(tx: &mut Tx<'_>, now: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM realtime_sessions WHERE id IN
             (SELECT id FROM realtime_sessions WHERE alive_until < $1 ORDER BY alive_until LIMIT $2)",
        params![now, most],
    )
}

fn written(seat: &KeptSeat) -> Result<String, DatabaseError> {
    serde_json::to_string(&seat.subscriptions)
        .map_err(|error| DatabaseError::Defect(format!("subscriptions cannot be written: {error}")))
}
