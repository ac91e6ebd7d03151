//! The table of links by which a new password may be set: at most one to a user.

use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Tx},
    params,
};

use crate::{forgot_password::RESET_TTL, tokens::SecretHash};

/// Puts a link in the place of an older one, unless what was asked for later, or a change of password, came before it.
/// Answers whether the link is the one that is good now. Done twice it is done once.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    user: UserId,
    hash: &SecretHash,
    asked_at: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, DatabaseError> {
    tx.execute(
        "INSERT INTO password_resets (user_id, hash, asked_at, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, asked_at = excluded.asked_at,
             expires_at = excluded.expires_at, ended_at = NULL
         WHERE password_resets.asked_at < excluded.asked_at OR (password_resets.asked_at = excluded.asked_at
             AND password_resets.hash IS DISTINCT FROM excluded.hash)",
        params![user, &hash[..], asked_at, expires_at],
    )?;
    let found = tx.find(
        "SELECT 1 FROM password_resets WHERE user_id = $1 AND hash = $2 AND ended_at IS NULL",
        params![user, &hash[..]],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Whether a link is good at `now`.
pub(crate) fn is_good(
    c: &mut Connection<'_>,
    hash: &SecretHash,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let found = c.find(
        "SELECT 1 FROM password_resets WHERE hash = $1 AND ended_at IS NULL AND expires_at > $2",
        params![&hash[..], now],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Ends a link that is good and answers whose it was. Of all who bring it at once the database lets one through.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    now: Timestamp,
) -> Result<Option<UserId>, DatabaseError> {
    tx.find(
        "UPDATE password_resets SET ended_at = $2
         WHERE hash = $1 AND ended_at IS NULL AND expires_at > $2 RETURNING user_id",
        params![&hash[..], now],
        |row| row.read(),
    )
}

/// Ends the link of a user, and those that were asked for and are still to be made.
pub(crate) fn end(tx: &mut Tx<'_>, user: UserId, at: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO password_resets (user_id, asked_at, expires_at, ended_at) VALUES ($1, $2, $3, $2)
         ON CONFLICT (user_id) DO UPDATE SET ended_at = excluded.ended_at,
             asked_at = CASE WHEN password_resets.asked_at > excluded.asked_at
                 THEN password_resets.asked_at ELSE excluded.asked_at END,
             expires_at = CASE WHEN password_resets.expires_at > excluded.expires_at
                 THEN password_resets.expires_at ELSE excluded.expires_at END",
        params![user, at, at + RESET_TTL],
    )?;
    Ok(())
}

/// Deletes up to `most` links that are out of date, ended or not.
pub(crate) fn delete_expired(tx: &mut Tx<'_>, now: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM password_resets WHERE user_id IN
             (SELECT user_id FROM password_resets WHERE expires_at <= $1 LIMIT $2)",
        params![now, most],
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_platform::{database::Database, each_engine};

    use super::*;
    use crate::store::testing::{MIGRATIONS, insert as insert_user, now};

    const SECOND: Duration = Duration::from_secs(1);

    async fn bob(database: &Database) -> UserId {
        let inserted = database.write(|tx| insert_user(tx, "bob", "bob@example.com", "x")).await.unwrap();
        inserted.unwrap().id
    }

    each_engine! {
        &MIGRATIONS;

        async fn of_all_who_bring_a_link_at_once_one_comes_through(db: TestDatabase) {
            let database = db.open();
            let bob = bob(&database).await;
            let put_down = database.write(move |tx| put(tx, bob, &[1; 32], now(), now() + RESET_TTL));
            assert!(put_down.await.unwrap());
            let racers: Vec<_> = (0..16).map(|_| {
                let database = database.clone();
                tokio::spawn(async move { database.write(|tx| take(tx, &[1; 32], now())).await.unwrap() })
            }).collect();
            let mut winners = Vec::new();
            for racer in racers {
                winners.extend(racer.await.unwrap());
            }
            assert_eq!(winners, [bob]);
        }

        async fn a_newer_link_ends_older_ones_and_an_older_comes_too_late(db: TestDatabase) {
            let database = db.open();
            let bob = bob(&database).await;
            let seen = database.write(move |tx| {
                let (first, second) = (now(), now() + SECOND);
                let kept = [
                    put(tx, bob, &[1; 32], first, first + RESET_TTL)?,
                    put(tx, bob, &[2; 32], second, second + RESET_TTL)?,
                    put(tx, bob, &[1; 32], first, first + RESET_TTL)?,
                    put(tx, bob, &[2; 32], second, second + RESET_TTL)?,
                ];
                let good = [is_good(tx, &[1; 32], second)?, is_good(tx, &[2; 32], second)?];
                let late = take(tx, &[2; 32], second + RESET_TTL)?;
                let taken = take(tx, &[2; 32], second)?;
                let revived = put(tx, bob, &[2; 32], second, second + RESET_TTL)?;
                Ok::<_, DatabaseError>((kept, good, late, taken == Some(bob), revived))
            });
            assert_eq!(seen.await.unwrap(), ([true, true, false, true], [false, true], None, true, false));
        }

        async fn an_end_holds_for_what_was_asked_before(db: TestDatabase) {
            let database = db.open();
            let bob = bob(&database).await;
            let seen = database.write(move |tx| {
                let later = now() + SECOND;
                end(tx, bob, later)?;
                let before = put(tx, bob, &[1; 32], now(), now() + RESET_TTL)?;
                let after = put(tx, bob, &[2; 32], later + SECOND, later + RESET_TTL)?;
                end(tx, bob, later)?;
                Ok::<_, DatabaseError>((before, after, take(tx, &[2; 32], later + SECOND)?))
            });
            assert_eq!(seen.await.unwrap(), (false, true, None));
        }

        async fn what_is_out_of_date_is_deleted(db: TestDatabase) {
            let database = db.open();
            let bob = bob(&database).await;
            let seen = database.write(move |tx| {
                end(tx, bob, now())?;
                Ok::<_, DatabaseError>((delete_expired(tx, now(), 10)?, delete_expired(tx, now() + RESET_TTL, 10)?))
            });
            assert_eq!(seen.await.unwrap(), (0, 1));
        }
    }
}
