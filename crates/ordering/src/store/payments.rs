//! How far the money of each order has come.
//!
//! Every move is conditional on the state it starts from, so of a request, a retry and the sweep that settle the same
//! payment one does and the others find it done.

use std::time::Duration;

use stoa_contracts::ordering::OrderId;
use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx},
    params,
};

use crate::order::Order;

/// Where a payment is between us and the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PaymentState {
    /// A charge is under way, or its answer was lost.
    Charging,
    /// The buyer must take a second step.
    Action,
    /// The money is here.
    Captured,
    /// The provider refused.
    Declined,
    /// The order was called off before its charge was settled; the key is being voided.
    Voiding,
    /// No money was taken and none will be.
    Void,
    /// The money is on its way back.
    Refunding,
    /// The money is back.
    Refunded,
}

impl PaymentState {
    const ALL: [Self; 8] = [
        Self::Charging,
        Self::Action,
        Self::Captured,
        Self::Declined,
        Self::Voiding,
        Self::Void,
        Self::Refunding,
        Self::Refunded,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Charging => "charging",
            Self::Action => "action",
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::Voiding => "voiding",
            Self::Void => "void",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a charge may still come, or be on its way.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Charging | Self::Action)
    }
}

/// An order's payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) state: PaymentState,
    /// The provider's name of the charge, once known.
    pub(crate) charge: Option<String>,
}

/// A move from one state to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'s> {
    pub(crate) from: PaymentState,
    pub(crate) to: PaymentState,
    /// The provider's name of the charge, when this step learnt it.
    pub(crate) charge: Option<&'s str>,
    /// When the sweep shall look after it; `None` when nothing is left to do.
    pub(crate) due: Option<Timestamp>,
}

/// Writes down that an order is about to be charged.
pub(crate) fn open(
    tx: &mut Tx<'_>,
    order: &Order,
    provider: &str,
    patience: Duration,
) -> Result<(), DatabaseError> {
    let at = order.created_at;
    tx.execute(
        "INSERT INTO payments (order_id, provider, state, amount, due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        params![order.id, provider, PaymentState::Charging.name(), order.totals.total, at + patience, at],
    )?;
    Ok(())
}

/// The payment of an order.
pub(crate) fn of_order(
    connection: &mut Connection<'_>,
    order: OrderId,
) -> Result<Option<Payment>, DatabaseError> {
    connection.find("SELECT state, charge FROM payments WHERE order_id = $1", params![order], |row| {
        Ok(Payment { state: row.parse(PaymentState::parse)?, charge: row.read()? })
    })
}

/// Makes a step; false when the payment is not where the step starts.
pub(crate) fn advance(
    tx: &mut Tx<'_>,
    order: OrderId,
    step: Step<'_>,
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    let moved = tx.execute(
        "UPDATE payments SET state = $3, charge = COALESCE($4, charge), due_at = $5, updated_at = $6
         WHERE order_id = $1 AND state = $2",
        params![order, step.from.name(), step.to.name(), step.charge, step.due, at],
    )?;
    Ok(moved == 1)
}

/// Moves the time at which the sweep looks after a payment.
pub(crate) fn postpone(tx: &mut Tx<'_>, order: OrderId, due: Timestamp) -> Result<(), DatabaseError> {
    tx.execute("UPDATE payments SET due_at = $2 WHERE order_id = $1", params![order, due])?;
    Ok(())
}

/// Leaves a payment alone from now on, if it is still in `state`.
pub(crate) fn rest(tx: &mut Tx<'_>, order: OrderId, state: PaymentState) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE payments SET due_at = NULL WHERE order_id = $1 AND state = $2",
        params![order, state.name()],
    )?;
    Ok(())
}

/// Orders whose payment is due for the sweep, the longest due first; each is not due again before `next`.
pub(crate) fn claim_due(
    tx: &mut Tx<'_>,
    now: Timestamp,
    next: Timestamp,
    limit: u32,
) -> Result<Vec<OrderId>, DatabaseError> {
    tx.query(
        "UPDATE payments SET due_at = $2 WHERE order_id IN
             (SELECT order_id FROM payments WHERE due_at <= $1 ORDER BY due_at, order_id LIMIT $3)
             AND due_at <= $1
         RETURNING order_id",
        params![now, next, limit],
        |row| row.read(),
    )
}
