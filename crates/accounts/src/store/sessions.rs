//! The tables of login sessions and their refresh tokens.

use std::time::Duration;

use stoa_kernel::{SessionId, Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, placeholders},
    params,
};

use crate::{client::Client, tokens::SecretHash};

/// A session to be inserted.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Opens a session.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewSession, client: &Client) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, address, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5, $6)",
        params![new.id, new.user, new.at, new.expires_at, &client.address, client.user_agent.as_deref()],
    )?;
    Ok(())
}

/// Adds a refresh token to a session.
pub(crate) fn insert_token(
    tx: &mut Tx<'_>,
    session: SessionId,
    hash: &SecretHash,
    parent: Option<&SecretHash>,
    expires_at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO refresh_tokens (hash, session_id, parent, expires_at) VALUES ($1, $2, $3, $4)",
        params![&hash[..], session, parent.map(|hash| &hash[..]), expires_at],
    )?;
    Ok(())
}

/// Spends a refresh token in favour of its successor. Of all who try at once the database lets one through; the others
/// get `None`, as for a token that is unknown, spent or out of date.
pub(crate) fn spend(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    successor: &SecretHash,
    at: Timestamp,
) -> Result<Option<SessionId>, DatabaseError> {
    tx.find(
        "UPDATE refresh_tokens SET spent_at = $3, successor = $2
         WHERE hash = $1 AND spent_at IS NULL AND expires_at > $3 RETURNING session_id",
        params![&hash[..], &successor[..], at],
        |row| row.read(),
    )
}

/// A refresh token that could not be spent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SpentToken {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) session_ended: bool,
    pub(crate) spent_at: Option<Timestamp>,
    pub(crate) successor_unused: bool,
}

/// What is known of a refresh token that could not be spent.
pub(crate) fn find_token(
    c: &mut Connection<'_>,
    hash: &SecretHash,
) -> Result<Option<SpentToken>, DatabaseError> {
    c.find(
        "SELECT t.session_id, s.user_id, s.ended_at, t.spent_at, n.hash, n.spent_at
         FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
         LEFT JOIN refresh_tokens n ON n.hash = t.successor
         WHERE t.hash = $1",
        params![&hash[..]],
        |row| {
            Ok(SpentToken {
                session: row.read()?,
                user: row.read()?,
                session_ended: row.read::<Option<Timestamp>>()?.is_some(),
                spent_at: row.read()?,
                successor_unused: {
                    let successor: Option<Vec<u8>> = row.read()?;
                    let spent: Option<Timestamp> = row.read()?;
                    successor.is_some() && spent.is_none()
                },
            })
        },
    )
}

/// Prolongs a session that is being used; answers its user, or `None` when it has ended.
pub(crate) fn prolong(
    tx: &mut Tx<'_>,
    id: SessionId,
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<Option<UserId>, DatabaseError> {
    tx.find(
        "UPDATE sessions SET last_used_at = $2, expires_at = $3
         WHERE id = $1 AND ended_at IS NULL RETURNING user_id",
        params![id, at, expires_at],
        |row| row.read(),
    )
}

/// These sessions are being used; what was known of them after `known_until` is enough.
pub(crate) fn used(
    tx: &mut Tx<'_>,
    sessions: &[SessionId],
    at: Timestamp,
    known_until: Timestamp,
) -> Result<(), DatabaseError> {
    if sessions.is_empty() {
        return Ok(());
    }
    let mut values = params![at, known_until].to_vec();
    values.extend(sessions.iter().map(|session| Value::from(*session)));
    let sql = format!(
        "UPDATE sessions SET last_used_at = $1 WHERE last_used_at <= $2 AND ended_at IS NULL AND id IN ({})",
        placeholders(3, sessions.len())
    );
    tx.execute(&sql, &values)?;
    Ok(())
}

/// A session that nobody has ended, as every request asks for it; it may have run out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LiveSession {
    pub(crate) user: UserId,
    pub(crate) role: std::sync::Arc<str>,
    pub(crate) expires_at: Timestamp,
}

/// The session of this id, if it has not ended.
pub(crate) fn live(c: &mut Connection<'_>, id: SessionId) -> Result<Option<LiveSession>, DatabaseError> {
    c.find(
        "SELECT s.user_id, u.role, s.expires_at FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.ended_at IS NULL",
        params![id],
        |row| {
            Ok(LiveSession { user: row.read()?, role: row.read::<String>()?.into(), expires_at: row.read()? })
        },
    )
}

/// Ends one session; answers whose it was, or `None` when it had ended already.
pub(crate) fn end(tx: &mut Tx<'_>, id: SessionId, at: Timestamp) -> Result<Option<UserId>, DatabaseError> {
    tx.find(
        "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING user_id",
        params![id, at],
        |row| row.read(),
    )
}

/// Ends every session of a user but `spared`; answers those it ended.
pub(crate) fn end_all(
    tx: &mut Tx<'_>,
    user: UserId,
    spared: Option<SessionId>,
    at: Timestamp,
) -> Result<Vec<SessionId>, DatabaseError> {
    let spared = spared.map_or(uuid::Uuid::nil(), SessionId::uuid);
    tx.query(
        "UPDATE sessions SET ended_at = $2
         WHERE user_id = $1 AND ended_at IS NULL AND id <> $3 RETURNING id",
        params![user, at, spared],
        |row| row.read(),
    )
}

/// Forgets the refresh tokens of one session, which lives on until its access token runs out.
pub(crate) fn forget_tokens(tx: &mut Tx<'_>, session: SessionId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM refresh_tokens WHERE session_id = $1", params![session])?;
    Ok(())
}

/// A session that nothing prolongs any more ends at this moment at the latest.
pub(crate) fn end_by(tx: &mut Tx<'_>, session: SessionId, until: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE sessions SET expires_at = $2 WHERE id = $1 AND expires_at > $2",
        params![session, until],
    )?;
    Ok(())
}

/// How long a session that has ended is kept for looking at.
const KEPT_AFTER_END: Duration = Duration::from_hours(24);

/// Deletes up to `most` refresh tokens that are out of date.
pub(crate) fn delete_expired_tokens(
    tx: &mut Tx<'_>,
    now: Timestamp,
    most: u32,
) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM refresh_tokens WHERE hash IN
             (SELECT hash FROM refresh_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        params![now, most],
    )
}

/// Deletes up to `most` sessions that are out of date or ended a day ago, with their tokens.
pub(crate) fn delete_ended(tx: &mut Tx<'_>, now: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM sessions WHERE id IN
             (SELECT id FROM sessions WHERE expires_at <= $1 OR ended_at <= $2 LIMIT $3)",
        params![now, now - KEPT_AFTER_END, most],
    )
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Random;
    use stoa_platform::{database::Database, each_engine};

    use super::*;
    use crate::store::testing::{MIGRATIONS, insert as insert_user, now};

    const WEEK: Duration = Duration::from_hours(168);

    async fn opened(database: &Database, name: &'static str, hash: SecretHash) -> (UserId, SessionId) {
        let opened = database.write(move |tx| {
            let user = insert_user(tx, name, &format!("{name}@example.com"), "x")?.expect("a user").id;
            let id = SessionId::new(now(), &Random::system());
            let client = Client { address: "203.0.113.7".into(), user_agent: None };
            insert(tx, &NewSession { id, user, at: now(), expires_at: now() + WEEK }, &client)?;
            insert_token(tx, id, &hash, None, now() + WEEK)?;
            Ok::<_, DatabaseError>((user, id))
        });
        opened.await.unwrap()
    }

    each_engine! {
        &MIGRATIONS;

        async fn of_all_who_spend_a_token_at_once_one_comes_through(db: TestDatabase) {
            let database = db.open();
            let (_, session) = opened(&database, "bob", [1; 32]).await;
            let racers: Vec<_> = (2..18).map(|n| {
                let database = database.clone();
                tokio::spawn(async move { database.write(move |tx| spend(tx, &[1; 32], &[n; 32], now())).await.unwrap() })
            }).collect();
            let mut winners = Vec::new();
            for racer in racers {
                winners.extend(racer.await.unwrap());
            }
            assert_eq!(winners, [session]);
        }

        async fn a_token_is_not_spent_after_its_time(db: TestDatabase) {
            let database = db.open();
            opened(&database, "bob", [1; 32]).await;
            let spent = |at| {
                let database = database.clone();
                async move { database.write(move |tx| spend(tx, &[1; 32], &[2; 32], at)).await.unwrap() }
            };
            assert_eq!(spent(now() + WEEK).await, None);
            assert!(spent(now() + WEEK - Duration::from_micros(1)).await.is_some());
        }

        async fn what_became_of_a_token_is_known(db: TestDatabase) {
            let database = db.open();
            let (user, session) = opened(&database, "bob", [1; 32]).await;
            let token = || {
                let database = database.clone();
                async move { database.read(|c| find_token(c, &[1; 32])).await.unwrap().unwrap() }
            };
            let fresh = token().await;
            assert_eq!((fresh.user, fresh.session, fresh.spent_at), (user, session, None));
            database.write(move |tx| {
                spend(tx, &[1; 32], &[2; 32], now())?;
                insert_token(tx, session, &[2; 32], Some(&[1; 32]), now() + WEEK)
            }).await.unwrap();
            let spent = token().await;
            assert!(spent.successor_unused && !spent.session_ended && spent.spent_at == Some(now()));
            database.write(move |tx| {
                spend(tx, &[2; 32], &[3; 32], now())?;
                end(tx, session, now())
            }).await.unwrap();
            let ended = token().await;
            assert!(!ended.successor_unused && ended.session_ended);
            let unknown = database.read(|c| find_token(c, &[9; 32])).await.unwrap();
            assert_eq!(unknown, None);
        }

        async fn an_ended_session_is_not_live_and_cannot_be_prolonged(db: TestDatabase) {
            let database = db.open();
            let (user, spared) = opened(&database, "bob", [1; 32]).await;
            let (other, others) = opened(&database, "ann", [2; 32]).await;
            let ended = database.write(move |tx| end_all(tx, user, Some(spared), now())).await.unwrap();
            assert!(ended.is_empty());
            let ended = database.write(move |tx| end_all(tx, user, None, now())).await.unwrap();
            assert_eq!(ended, [spared]);
            let seen = database.write(move |tx| {
                Ok::<_, DatabaseError>((
                    live(tx, spared)?,
                    prolong(tx, spared, now(), now() + WEEK)?,
                    live(tx, others)?.map(|session| session.user),
                    end(tx, spared, now())?,
                ))
            });
            assert_eq!(seen.await.unwrap(), (None, None, Some(other), None));
        }

        async fn what_is_out_of_date_is_deleted_slice_by_slice(db: TestDatabase) {
            let database = db.open();
            let (_, ended) = opened(&database, "bob", [1; 32]).await;
            let (_, fresh) = opened(&database, "ann", [2; 32]).await;
            database.write(move |tx| end(tx, ended, now())).await.unwrap();
            let deleted = |at: Timestamp| {
                let database = database.clone();
                async move {
                    database.write(move |tx| {
                        Ok::<_, DatabaseError>((delete_expired_tokens(tx, at, 1)?, delete_ended(tx, at, 1)?))
                    }).await.unwrap()
                }
            };
            assert_eq!(deleted(now()).await, (0, 0));
            assert_eq!(deleted(now() + KEPT_AFTER_END).await, (0, 1), "with its token");
            assert!(database.read(move |c| live(c, fresh)).await.unwrap().is_some());
            assert_eq!(deleted(now() + WEEK).await, (1, 1));
            assert_eq!(deleted(now() + WEEK).await, (0, 0));
        }
    }
}
