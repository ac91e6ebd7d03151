//! What an invoice tells beside its order.

use stoa_contracts::ordering::OrderId;
use stoa_kernel::{Currency, Money, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError},
    params,
};

/// Money that went back to a buyer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Returned {
    pub(crate) amount: Money,
    pub(crate) at: Timestamp,
}

/// What of an order is back, in the order in which it went. An order has a bounded number of refunds.
pub(crate) fn returned(
    connection: &mut Connection<'_>,
    order: OrderId,
    currency: Currency,
) -> Result<Vec<Returned>, DatabaseError> {
    let sql = "SELECT amount, updated_at FROM refunds WHERE order_id = $1 AND state = 'succeeded'
               ORDER BY updated_at, id";
    connection.query(sql, params![order], |row| {
        Ok(Returned { amount: Money::from_minor(row.read()?, currency), at: row.read()? })
    })
}
