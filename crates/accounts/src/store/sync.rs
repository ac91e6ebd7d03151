//! How far the copies of users to an outer system are; kept in the table of users.

use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, placeholders},
    params,
};
use uuid::Uuid;

use super::users::{self, COLUMNS};
use crate::{
    account::User,
    sync_users::{MOST_ATTEMPTS, pause_after},
};

/// Users that are sent together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Batch {
    pub(crate) id: Uuid,
    /// When it was taken; what becomes due later is no longer this attempt.
    pub(crate) taken_at: Timestamp,
    pub(crate) users: Vec<User>,
}

/// The batch that has been due for longest, sent before or not; new ones are made of up to `most` users under the id
/// `fresh`.
pub(crate) fn next_batch(
    tx: &mut Tx<'_>,
    now: Timestamp,
    fresh: Uuid,
    most: u32,
) -> Result<Option<Batch>, DatabaseError> {
    let first: Option<Option<Uuid>> = tx.find(
        "SELECT sync_batch FROM users WHERE sync_status = 'PENDING' AND sync_due_at <= $1
         ORDER BY sync_due_at, id LIMIT 1",
        params![now],
        |row| row.read(),
    )?;
    let id = match first {
        None => return Ok(None),
        Some(Some(known)) => known,
        Some(None) => {
            gather(tx, now, fresh, most)?;
            fresh
        }
    };
    let users = of_batch(tx, id)?;
    Ok((!users.is_empty()).then_some(Batch { id, taken_at: now, users }))
}

/// The condition is asked twice: of two who gather at once the second finds those of the first taken.
fn gather(tx: &mut Tx<'_>, now: Timestamp, batch: Uuid, most: u32) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE users SET sync_batch = $2 WHERE sync_batch IS NULL AND id IN
             (SELECT id FROM users WHERE sync_status = 'PENDING' AND sync_due_at <= $1 AND sync_batch IS NULL
              ORDER BY sync_due_at, id LIMIT $3)",
        params![now, batch, most],
    )?;
    Ok(())
}

fn of_batch(c: &mut Connection<'_>, batch: Uuid) -> Result<Vec<User>, DatabaseError> {
    c.query(
        &format!("SELECT {COLUMNS} FROM users WHERE sync_batch = $1 ORDER BY id"),
        params![batch],
        users::from_row,
    )
}

/// Everybody in a batch is known outside; who changed meanwhile has left it and is sent again.
pub(crate) fn mark_synced(tx: &mut Tx<'_>, batch: &Batch) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE users SET sync_status = 'SYNCED', sync_attempts = 0, sync_batch = NULL WHERE sync_batch = $1",
        params![batch.id],
    )?;
    Ok(())
}

/// Makes two batches of one, both due as it was.
pub(crate) fn halve(tx: &mut Tx<'_>, batch: &Batch, half: Uuid) -> Result<(), DatabaseError> {
    let leaving = batch.users.iter().skip(batch.users.len() / 2).map(|user| Value::from(user.id));
    let mut values = params![batch.id, half].to_vec();
    values.extend(leaving);
    let ids = placeholders(3, values.len() - 2);
    let sql = format!("UPDATE users SET sync_batch = $2 WHERE sync_batch = $1 AND id IN ({ids})");
    tx.execute(&sql, &values)?;
    Ok(())
}

/// Notes a failure of a batch, once, whoever else saw it: it is due later, and given up after the last.
pub(crate) fn mark_failure(tx: &mut Tx<'_>, batch: &Batch, now: Timestamp) -> Result<(), DatabaseError> {
    let attempts: Vec<u32> = tx.query(
        "SELECT DISTINCT sync_attempts FROM users WHERE sync_batch = $1 AND sync_due_at <= $2 ORDER BY sync_attempts",
        params![batch.id, batch.taken_at],
        |row| row.read(),
    )?;
    for before in attempts {
        let after = before.saturating_add(1);
        let (status, id) =
            if after >= MOST_ATTEMPTS { ("FAILED", None) } else { ("PENDING", Some(batch.id)) };
        tx.execute(
            "UPDATE users SET sync_attempts = $3, sync_due_at = $4, sync_status = $5, sync_batch = $6
             WHERE sync_batch = $1 AND sync_due_at <= $2 AND sync_attempts = $7",
            params![batch.id, batch.taken_at, after, now + pause_after(after), status, id, before],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_platform::{database::Database, each_engine};

    use super::*;
    use crate::store::{
        testing::{MIGRATIONS, insert, now},
        users::update_profile,
    };

    const ID: Uuid = Uuid::from_u128(1);
    const HALF: Uuid = Uuid::from_u128(2);
    const MONTH: Duration = Duration::from_hours(31 * 24);

    async fn with_users(database: &Database, names: &'static [&'static str]) {
        let inserted = database.write(move |tx| {
            for name in names {
                insert(tx, name, &format!("{name}@example.com"), "x")?;
            }
            Ok::<_, DatabaseError>(())
        });
        inserted.await.unwrap();
    }

    async fn statuses(database: &Database) -> Vec<String> {
        let read = database
            .read(|c| c.query("SELECT sync_status FROM users ORDER BY username", &[], |row| row.read()));
        read.await.unwrap()
    }

    each_engine! {
        &MIGRATIONS;

        async fn a_batch_keeps_together_until_it_is_settled(db: TestDatabase) {
            let database = db.open();
            with_users(&database, &["ann", "bob"]).await;
            let first = database.write(|tx| next_batch(tx, now(), ID, 10)).await.unwrap().unwrap();
            with_users(&database, &["cid"]).await;
            let later = now() + Duration::from_secs(1);
            let again = database.write(move |tx| {
                let sql = "UPDATE users SET sync_due_at = $1 WHERE username = 'cid'";
                tx.execute(sql, params![later])?;
                next_batch(tx, later, HALF, 10)
            }).await.unwrap().unwrap();
            assert_eq!((again.id, again.users.len()), (ID, 2));
            assert_eq!(again.users, first.users);
            let rest = database.write(move |tx| {
                mark_synced(tx, &first)?;
                next_batch(tx, later, HALF, 10)
            }).await.unwrap().unwrap();
            assert_eq!((rest.id, rest.users.len()), (HALF, 1));
            assert_eq!(statuses(&database).await, ["SYNCED", "SYNCED", "PENDING"]);
        }

        async fn who_changes_meanwhile_leaves_and_is_sent_again(db: TestDatabase) {
            let database = db.open();
            with_users(&database, &["ann", "bob"]).await;
            let left = database.write(|tx| {
                let batch = next_batch(tx, now(), ID, 10)?.expect("a batch");
                let bob = batch.users.iter().find(|user| user.username == "bob").expect("bob").id;
                update_profile(tx, bob, Some("Robert"), None, now())?;
                mark_synced(tx, &batch)?;
                Ok::<_, DatabaseError>(next_batch(tx, now(), HALF, 10)?.expect("bob again"))
            });
            let left = left.await.unwrap();
            assert_eq!(left.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Robert"]);
            assert_eq!(statuses(&database).await, ["SYNCED", "PENDING"]);
        }

        async fn one_failure_seen_twice_counts_once_and_the_tenth_is_the_last(db: TestDatabase) {
            let database = db.open();
            with_users(&database, &["ann"]).await;
            let mut at = now();
            for attempt in 1..=MOST_ATTEMPTS {
                assert_eq!(statuses(&database).await, ["PENDING"], "before attempt {attempt}");
                let seen = database.write(move |tx| {
                    let batch = next_batch(tx, at, ID, 10)?.expect("a batch");
                    mark_failure(tx, &batch, at)?;
                    mark_failure(tx, &batch, at)?;
                    let counted = tx.find("SELECT sync_attempts FROM users", &[], |row| row.read::<u32>())?;
                    Ok::<_, DatabaseError>((counted, next_batch(tx, at, ID, 10)?))
                });
                assert_eq!(seen.await.unwrap(), (Some(attempt), None));
                at = at + pause_after(attempt);
            }
            assert_eq!(statuses(&database).await, ["FAILED"]);
            let never = database.write(|tx| next_batch(tx, now() + MONTH, HALF, 10)).await.unwrap();
            assert_eq!(never, None);
        }

        async fn a_batch_is_halved_to_the_last_user(db: TestDatabase) {
            let database = db.open();
            with_users(&database, &["ann", "bob", "cid"]).await;
            let sizes = database.write(|tx| {
                let mut sizes = Vec::new();
                let mut next = 10;
                while let Some(batch) = next_batch(tx, now(), ID, 10)? {
                    sizes.push(batch.users.len());
                    next += 1;
                    match batch.users.len() {
                        1 => mark_synced(tx, &batch)?,
                        _ => halve(tx, &batch, Uuid::from_u128(next))?,
                    }
                }
                Ok::<_, DatabaseError>(sizes)
            }).await.unwrap();
            assert_eq!(sizes.iter().filter(|size| **size == 1).count(), 3);
            assert_eq!(sizes.len(), 5);
            assert_eq!(statuses(&database).await, ["SYNCED"; 3]);
        }
    }
}
