//! The table of proofs that an address is read by who gave it.

use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    database::{DatabaseError, Tx},
    params,
};

use crate::tokens::SecretHash;

/// Keeps a proof that is on its way by mail; one that is kept already stays as it is.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    user: UserId,
    email_folded: &str,
    expires_at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO email_verifications (hash, user_id, email_folded, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (hash) DO NOTHING",
        params![&hash[..], user, email_folded, expires_at],
    )?;
    Ok(())
}

/// Takes a proof away; answers whose address it proves, unless it is unknown or out of date.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    now: Timestamp,
) -> Result<Option<(UserId, String)>, DatabaseError> {
    tx.find(
        "DELETE FROM email_verifications WHERE hash = $1 AND expires_at > $2 RETURNING user_id, email_folded",
        params![&hash[..], now],
        |row| Ok((row.read()?, row.read()?)),
    )
}

/// Deletes up to `most` proofs that are out of date.
pub(crate) fn delete_expired(tx: &mut Tx<'_>, now: Timestamp, most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM email_verifications WHERE hash IN
             (SELECT hash FROM email_verifications WHERE expires_at <= $1 LIMIT $2)",
        params![now, most],
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_platform::each_engine;

    use super::*;
    use crate::store::testing::{MIGRATIONS, insert as insert_user, now};

    each_engine! {
        &MIGRATIONS;

        async fn a_proof_is_good_once_and_in_time(db: TestDatabase) {
            let database = db.open();
            let later = now() + Duration::from_mins(1);
            let seen = database.write(move |tx| {
                let bob = insert_user(tx, "bob", "bob@example.com", "x")?.expect("a user").id;
                insert(tx, &[1; 32], bob, "bob@example.com", later)?;
                let late = take(tx, &[1; 32], later)?;
                let taken = take(tx, &[1; 32], now())?;
                let again = take(tx, &[1; 32], now())?;
                insert(tx, &[2; 32], bob, "bob@example.com", later)?;
                let kept = delete_expired(tx, now(), 10)?;
                Ok::<_, DatabaseError>((late, taken.map(|(_, email)| email), again, kept, delete_expired(tx, later, 10)?))
            });
            assert_eq!(seen.await.unwrap(), (None, Some("bob@example.com".into()), None, 0, 1));
        }
    }
}
