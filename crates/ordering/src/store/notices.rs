//! What payment providers told us by themselves, so that each is heard once.

use stoa_contracts::payments::Notice;
use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{DatabaseError, Tx},
    params,
};

/// Notes a notice; false when it was heard before.
pub(crate) fn hear(tx: &mut Tx<'_>, notice: &Notice, at: Timestamp) -> Result<bool, DatabaseError> {
    let fresh = tx.execute(
        "INSERT INTO payment_notices (id, kind, received_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
        params![&notice.id, &notice.kind, at],
    )?;
    Ok(fresh == 1)
}

/// Forgets notices from before `limit`, a bounded number at a time; answers how many.
pub(crate) fn prune(tx: &mut Tx<'_>, limit: Timestamp, at_most: u32) -> Result<u64, DatabaseError> {
    tx.execute(
        "DELETE FROM payment_notices WHERE id IN
             (SELECT id FROM payment_notices WHERE received_at < $1 ORDER BY received_at LIMIT $2)",
        params![limit, at_most],
    )
}
