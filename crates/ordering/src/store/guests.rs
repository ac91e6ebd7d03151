//! Which cart belongs to which guest, by the hash of the secret in the guest's cookie.
//!
//! Whoever changes a guest's cart touches its row here first, and whoever joins it to a user's takes the row away first:
//! of two at once one comes second and finds it gone.

use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx},
    params,
};

use crate::cart::CartId;

/// The cart of a guest.
pub(crate) fn find(
    connection: &mut Connection<'_>,
    secret_hash: &[u8],
) -> Result<Option<CartId>, DatabaseError> {
    let sql = "SELECT cart_id FROM guest_carts WHERE secret_hash = $1";
    connection.find(sql, params![secret_hash], |row| row.read())
}

/// Makes a cart known.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    secret_hash: &[u8],
    cart: CartId,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO guest_carts (secret_hash, cart_id, updated_at) VALUES ($1, $2, $3)",
        params![secret_hash, cart, at],
    )?;
    Ok(())
}

/// Moves the time of a guest's cart; others who change it wait from here on.
pub(crate) fn touch(
    tx: &mut Tx<'_>,
    secret_hash: &[u8],
    at: Timestamp,
) -> Result<Option<CartId>, DatabaseError> {
    tx.find(
        "UPDATE guest_carts SET updated_at = $2 WHERE secret_hash = $1 RETURNING cart_id",
        params![secret_hash, at],
        |row| row.read(),
    )
}

/// Takes a cart from its guest.
pub(crate) fn take(tx: &mut Tx<'_>, secret_hash: &[u8]) -> Result<Option<CartId>, DatabaseError> {
    let sql = "DELETE FROM guest_carts WHERE secret_hash = $1 RETURNING cart_id";
    tx.find(sql, params![secret_hash], |row| row.read())
}

/// Takes carts from guests who have not come back since `before`, the longest gone first.
pub(crate) fn take_abandoned(
    tx: &mut Tx<'_>,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<CartId>, DatabaseError> {
    tx.query(
        "DELETE FROM guest_carts WHERE secret_hash IN
             (SELECT secret_hash FROM guest_carts WHERE updated_at < $1 ORDER BY updated_at LIMIT $2)
             AND updated_at < $1
         RETURNING cart_id",
        params![before, limit],
        |row| row.read(),
    )
}
