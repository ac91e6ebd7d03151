//! The table of signing keys.

use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx},
    params,
};

use crate::signing_keys::{KeptKey, KeptPair};

/// All keys, the latest first. There are never more than a few.
pub(crate) fn all(c: &mut Connection<'_>) -> Result<Vec<KeptKey>, DatabaseError> {
    c.query(
        "SELECT generation, kid, public_key, sealed_key, created_at, signs_from, verifies_until
         FROM signing_keys ORDER BY generation DESC",
        &[],
        |row| {
            Ok(KeptKey {
                generation: row.read()?,
                pair: KeptPair { kid: row.read()?, public: row.read()?, sealed: row.read()? },
                created_at: row.read()?,
                signs_from: row.read()?,
                verifies_until: row.read()?,
            })
        },
    )
}

/// Inserts a key as the successor of all before it; false when another node was quicker with this generation.
pub(crate) fn insert(tx: &mut Tx<'_>, key: &KeptKey) -> Result<bool, DatabaseError> {
    let inserted = tx.execute(
        "INSERT INTO signing_keys (generation, kid, public_key, sealed_key, created_at, signs_from)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (generation) DO NOTHING",
        params![
            key.generation,
            &key.pair.kid,
            &key.pair.public[..],
            &key.pair.sealed[..],
            key.created_at,
            key.signs_from
        ],
    )?;
    Ok(inserted > 0)
}

/// Lets keys before this generation verify until this moment only, unless they are bound to an end already.
pub(crate) fn retire_before(
    tx: &mut Tx<'_>,
    generation: i64,
    verifies_until: Timestamp,
) -> Result<u64, DatabaseError> {
    tx.execute(
        "UPDATE signing_keys SET verifies_until = $2 WHERE generation < $1 AND verifies_until IS NULL",
        params![generation, verifies_until],
    )
}

/// Deletes up to `most` keys of which no token is left.
pub(crate) fn delete_retired(tx: &mut Tx<'_>, now: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM signing_keys WHERE generation IN
             (SELECT generation FROM signing_keys WHERE verifies_until <= $1 ORDER BY generation LIMIT $2)",
        params![now, most],
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_platform::each_engine;

    use super::*;
    use crate::store::testing::{MIGRATIONS, now};

    fn key(generation: i64, kid: &str) -> KeptKey {
        KeptKey {
            generation,
            pair: KeptPair { kid: kid.into(), public: vec![1; 32], sealed: vec![2; 60] },
            created_at: now(),
            signs_from: now() + Duration::from_mins(30),
            verifies_until: None,
        }
    }

    each_engine! {
        &MIGRATIONS;

        async fn of_all_who_make_the_next_key_at_once_one_comes_through(db: TestDatabase) {
            let database = db.open();
            let racers: Vec<_> = (0..8).map(|n| {
                let database = database.clone();
                tokio::spawn(async move {
                    database.write(move |tx| insert(tx, &key(1, &format!("racer-{n}")))).await.unwrap()
                })
            }).collect();
            let mut winners = 0;
            for racer in racers {
                winners += u32::from(racer.await.unwrap());
            }
            assert_eq!(winners, 1);
            assert_eq!(database.read(all).await.unwrap().len(), 1);
        }

        async fn keys_are_retired_once_and_deleted_when_their_time_is_over(db: TestDatabase) {
            let database = db.open();
            let end = now() + Duration::from_hours(1);
            let keys = database.write(move |tx| {
                insert(tx, &key(1, "one"))?;
                insert(tx, &key(2, "two"))?;
                assert_eq!(retire_before(tx, 2, end)?, 1);
                assert_eq!(retire_before(tx, 2, end + Duration::from_secs(1))?, 0);
                assert_eq!(delete_retired(tx, end - Duration::from_micros(1), 10)?, 0);
                let before = all(tx)?;
                assert_eq!(delete_retired(tx, end, 10)?, 1);
                Ok::<_, DatabaseError>((before, all(tx)?))
            });
            let (before, after) = keys.await.unwrap();
            assert_eq!(before, [key(2, "two"), KeptKey { verifies_until: Some(end), ..key(1, "one") }]);
            assert_eq!(after, [key(2, "two")]);
        }
    }
}
