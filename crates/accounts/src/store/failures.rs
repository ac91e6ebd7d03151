//! The table of failed attempts, by what was tried.

use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx},
    params,
};

use crate::lockout::{FORGOTTEN_AFTER, Failures, LOCKED_FOR};

/// Until when an identifier is locked, if it is at `now`.
pub(crate) fn locked_until(
    c: &mut Connection<'_>,
    identifier: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, DatabaseError> {
    c.find(
        "SELECT locked_until FROM login_failures WHERE identifier = $1 AND locked_until > $2",
        params![identifier, now],
        |row| row.read(),
    )
}

/// Notes one more failure; true when it locks the identifier.
///
/// The upsert comes first and locks the row, so that failures at the same moment are counted one after the other.
pub(crate) fn note(tx: &mut Tx<'_>, identifier: &str, now: Timestamp) -> Result<bool, DatabaseError> {
    let kept: Option<(String, Option<Timestamp>)> = tx.find(
        "INSERT INTO login_failures (identifier, times, last_at) VALUES ($1, '[]', $2)
         ON CONFLICT (identifier) DO UPDATE SET last_at = excluded.last_at
         RETURNING times, locked_until",
        params![identifier, now],
        |row| Ok((row.read()?, row.read()?)),
    )?;
    let (times, locked_until) = kept.unwrap_or_default();
    if locked_until.is_some_and(|until| until > now) {
        return Ok(false);
    }
    let mut failures = Failures::read(&times);
    let locks = failures.note(now);
    tx.execute(
        "UPDATE login_failures SET times = $2, locked_until = $3 WHERE identifier = $1",
        params![identifier, failures.write(), locks.then_some(now + LOCKED_FOR)],
    )?;
    Ok(locks)
}

/// Forgets the failures of an identifier that is not locked.
pub(crate) fn clear(tx: &mut Tx<'_>, identifier: &str, now: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(
        "DELETE FROM login_failures
         WHERE identifier = $1 AND (locked_until IS NULL OR locked_until <= $2)",
        params![identifier, now],
    )?;
    Ok(())
}

/// Forgets the failures of an identifier and the lock they came to.
pub(crate) fn forget(tx: &mut Tx<'_>, identifier: &str) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM login_failures WHERE identifier = $1", params![identifier])?;
    Ok(())
}

/// Deletes up to `most` identifiers whose failures mean nothing any more.
pub(crate) fn delete_forgotten(tx: &mut Tx<'_>, now: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM login_failures WHERE identifier IN
             (SELECT identifier FROM login_failures
              WHERE last_at <= $2 AND (locked_until IS NULL OR locked_until <= $1) LIMIT $3)",
        params![now, now - FORGOTTEN_AFTER, most],
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_platform::each_engine;

    use super::*;
    use crate::store::testing::{MIGRATIONS, now};

    each_engine! {
        &MIGRATIONS;

        async fn failures_at_the_same_moment_are_all_counted(db: TestDatabase) {
            let database = db.open();
            let racers: Vec<_> = (0..10).map(|_| {
                let database = database.clone();
                tokio::spawn(async move { database.write(|tx| note(tx, "bob", now())).await.unwrap() })
            }).collect();
            let mut locks = 0;
            for racer in racers {
                locks += u32::from(racer.await.unwrap());
            }
            assert_eq!(locks, 1, "the tenth locks, and no other");
            let until = database.read(|c| locked_until(c, "bob", now())).await.unwrap();
            assert_eq!(until, Some(now() + LOCKED_FOR));
            let after = database.read(|c| locked_until(c, "bob", now() + LOCKED_FOR)).await.unwrap();
            assert_eq!(after, None);
            assert_eq!(database.read(|c| locked_until(c, "ann", now())).await.unwrap(), None);
        }

        async fn a_lock_is_neither_prolonged_nor_cleared(db: TestDatabase) {
            let database = db.open();
            let seen = database.write(|tx| {
                for _ in 0..10 {
                    note(tx, "bob", now())?;
                }
                let later = now() + Duration::from_mins(1);
                let locked_again = note(tx, "bob", later)?;
                clear(tx, "bob", later)?;
                Ok::<_, DatabaseError>((locked_again, locked_until(tx, "bob", later)?))
            });
            assert_eq!(seen.await.unwrap(), (false, Some(now() + LOCKED_FOR)));
        }

        async fn forgotten_failures_are_deleted(db: TestDatabase) {
            let database = db.open();
            let deleted = |at: Timestamp| {
                let database = database.clone();
                async move { database.write(move |tx| delete_forgotten(tx, at, 10)).await.unwrap() }
            };
            database.write(|tx| note(tx, "bob", now())).await.unwrap();
            assert_eq!(deleted(now()).await, 0);
            assert_eq!(deleted(now() + FORGOTTEN_AFTER).await, 1);
        }
    }
}
