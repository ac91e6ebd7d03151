//! How far the money of each order has come.
//!
//! Every move is conditional on the state it starts from, so of a request, a retry and the sweep that settle the same
//! payment one does and the others find it done.

use stoa_contracts::ordering::OrderId;
use stoa_kernel::{Currency, Money, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx},
    params,
};

use crate::order::Order;

/// Where a payment is between us and the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PaymentState {
    /// Nobody has tried to pay; the buyer may until the hold ends.
    Waiting,
    /// A charge is under way, or its answer was lost.
    Charging,
    /// The buyer must take a second step.
    Action,
    /// The money is here. What went back since is told by the refunds.
    Captured,
    /// Another sum than the order's was taken: for a person to look at.
    Mismatch,
    /// The provider refused.
    Declined,
    /// The order was called off before its charge was settled; the intent is being voided.
    Voiding,
    /// No money was taken and none will be.
    Void,
}

impl PaymentState {
    const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Charging,
        Self::Action,
        Self::Captured,
        Self::Mismatch,
        Self::Declined,
        Self::Voiding,
        Self::Void,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Charging => "charging",
            Self::Action => "action",
            Self::Captured => "captured",
            Self::Mismatch => "mismatch",
            Self::Declined => "declined",
            Self::Voiding => "voiding",
            Self::Void => "void",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a charge may still come, or be on its way.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Charging | Self::Action)
    }

    /// Whether money was taken.
    pub(crate) const fn is_taken(self) -> bool {
        matches!(self, Self::Captured | Self::Mismatch)
    }
}

/// An order's payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    /// The provider it is made at.
    pub(crate) provider: String,
    pub(crate) state: PaymentState,
    /// The provider's name of the payment, once it is kept.
    pub(crate) intent: Option<String>,
    /// The provider's name of the charge, once known.
    pub(crate) charge: Option<String>,
    /// How often the buyer has tried.
    pub(crate) attempts: i64,
    /// What was taken.
    pub(crate) captured: Money,
    /// What was given back of that, or is on its way back.
    pub(crate) returned: Money,
}

impl Payment {
    /// What could still be given back.
    pub(crate) fn left(&self) -> Money {
        self.captured.minus(self.returned).unwrap_or_else(|| Money::zero(self.captured.currency()))
    }
}

/// A move from one state to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'s> {
    pub(crate) from: PaymentState,
    pub(crate) to: PaymentState,
    /// The provider's name of the charge, when this step learnt it.
    pub(crate) charge: Option<&'s str>,
    /// The provider's name of the payment, when it is to be kept from now on.
    pub(crate) intent: Option<&'s str>,
    /// What was taken, when this step learnt it.
    pub(crate) captured: Option<Money>,
    /// When the sweep shall look after it; `None` when nothing is left to do.
    pub(crate) due: Option<Timestamp>,
    /// Whether it holds only as long as the provider's name of the payment is not kept. Who gives up a payment without
    /// asking the provider must know that nobody can be charging it by a name kept meanwhile.
    pub(crate) nameless: bool,
}

impl Step<'_> {
    /// A step that learns nothing and leaves nothing to do.
    pub(crate) const fn plain(from: PaymentState, to: PaymentState) -> Self {
        Step { from, to, charge: None, intent: None, captured: None, due: None, nameless: false }
    }
}

/// How a payment begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'s> {
    pub(crate) provider: &'s str,
    pub(crate) state: PaymentState,
    pub(crate) due: Timestamp,
}

/// Writes down that an order is to be paid.
pub(crate) fn open(tx: &mut Tx<'_>, order: &Order, opening: Opening<'_>) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO payments (order_id, provider, state, amount, due_at, attempts, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        params![
            order.id,
            opening.provider,
            opening.state.name(),
            order.totals.total,
            opening.due,
            attempts_at_first(opening.state),
            order.created_at
        ],
    )?;
    Ok(())
}

/// A charge under way is the first attempt.
pub(crate) fn attempts_at_first(state: PaymentState) -> i64 {
    i64::from(state == PaymentState::Charging)
}

/// The payment of an order, whose currency is `currency`.
pub(crate) fn of_order(
    connection: &mut Connection<'_>,
    order: OrderId,
    currency: Currency,
) -> Result<Option<Payment>, DatabaseError> {
    let sql = "SELECT provider, state, intent, charge, attempts, captured, returned FROM payments
               WHERE order_id = $1";
    connection.find(sql, params![order], |row| from_row(row, currency))
}

fn from_row(row: &Row<'_>, currency: Currency) -> Result<Payment, DatabaseError> {
    Ok(Payment {
        provider: row.read()?,
        state: row.parse(PaymentState::parse)?,
        intent: row.read()?,
        charge: row.read()?,
        attempts: row.read()?,
        captured: Money::from_minor(row.read()?, currency),
        returned: Money::from_minor(row.read()?, currency),
    })
}

/// The order that an intent was kept for.
pub(crate) fn order_of_intent(
    connection: &mut Connection<'_>,
    intent: &str,
) -> Result<Option<OrderId>, DatabaseError> {
    connection.find("SELECT order_id FROM payments WHERE intent = $1", params![intent], |row| row.read())
}

/// Keeps the name of a payment that is in `state`; false when it is not any more, or has another name.
pub(crate) fn keep_intent(
    tx: &mut Tx<'_>,
    order: OrderId,
    state: PaymentState,
    intent: &str,
) -> Result<bool, DatabaseError> {
    let kept = tx.execute(
        "UPDATE payments SET intent = $3 WHERE order_id = $1 AND state = $2 AND (intent IS NULL OR intent = $3)",
        params![order, state.name(), intent],
    )?;
    Ok(kept == 1)
}

/// Makes a step; false when the payment is not where the step starts.
pub(crate) fn advance(
    tx: &mut Tx<'_>,
    order: OrderId,
    step: Step<'_>,
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    let moved = tx.execute(
        "UPDATE payments SET state = $3, charge = COALESCE($4, charge), intent = COALESCE($5, intent),
             captured = COALESCE($6, captured), due_at = $7, updated_at = $8
         WHERE order_id = $1 AND state = $2 AND (intent IS NULL OR NOT $9)",
        params![
            order,
            step.from.name(),
            step.to.name(),
            step.charge,
            step.intent,
            step.captured.map(Money::minor),
            step.due,
            at,
            step.nameless
        ],
    )?;
    Ok(moved == 1)
}

/// Begins another attempt to pay, whose number it answers; `None` when the payment is not in `from` any more.
pub(crate) fn attempt(
    tx: &mut Tx<'_>,
    order: OrderId,
    (from, due): (PaymentState, Timestamp),
    at: Timestamp,
) -> Result<Option<i64>, DatabaseError> {
    tx.find(
        "UPDATE payments SET state = $3, attempts = attempts + 1, due_at = $4, updated_at = $5
         WHERE order_id = $1 AND state = $2 RETURNING attempts",
        params![order, from.name(), PaymentState::Charging.name(), due, at],
        |row| row.read(),
    )
}

/// Puts a sum aside that is to go back; false when less than that is left of what was taken.
pub(crate) fn reserve_return(
    tx: &mut Tx<'_>,
    order: OrderId,
    amount: Money,
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    let reserved = tx.execute(
        "UPDATE payments SET returned = returned + CAST($2 AS BIGINT), updated_at = $3
         WHERE order_id = $1 AND returned + CAST($2 AS BIGINT) <= captured",
        params![order, amount, at],
    )?;
    Ok(reserved == 1)
}

/// What was put aside did not go back after all.
pub(crate) fn release_return(
    tx: &mut Tx<'_>,
    order: OrderId,
    amount: Money,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE payments SET returned = returned - CAST($2 AS BIGINT), updated_at = $3 WHERE order_id = $1",
        params![order, amount, at],
    )?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use stoa_kernel::{Id, Random};
    use stoa_platform::{each_engine, testing::TestDatabase};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    async fn charging(db: &TestDatabase) -> (stoa_platform::database::Database, OrderId) {
        let (database, order) = (db.open(), Id::new(NOW, &Random::system()));
        let opened = database.write(move |tx| {
            tx.execute(
                "INSERT INTO payments (order_id, provider, state, amount, attempts, created_at, updated_at)
                 VALUES ($1, 'stripe', 'charging', 1000, 1, $2, $2)",
                params![order, NOW],
            )
        });
        opened.await.unwrap_or_else(|error: DatabaseError| panic!("{error}"));
        (database, order)
    }

    each_engine! { crate::MIGRATIONS;

    // The sweep looked when no name was kept; before it writes, the buyer's retry keeps one and charges by it.
    async fn a_payment_given_up_unasked_must_have_no_name(db: TestDatabase) {
        let (database, order) = charging(&db).await;
        let outcome = database.write(move |tx| {
            let kept = keep_intent(tx, order, PaymentState::Charging, "pi_1")?;
            let step =
                Step { nameless: true, ..Step::plain(PaymentState::Charging, PaymentState::Void) };
            let given_up_unasked = advance(tx, order, step, NOW)?;
            let given_up = advance(tx, order, Step { nameless: false, ..step }, NOW)?;
            Ok::<_, DatabaseError>((kept, given_up_unasked, given_up))
        });
        assert_eq!(outcome.await.unwrap(), (true, false, true));
    }

    async fn a_name_is_kept_only_while_nobody_gave_up(db: TestDatabase) {
        let (database, order) = charging(&db).await;
        let outcome = database.write(move |tx| {
            let step =
                Step { nameless: true, ..Step::plain(PaymentState::Charging, PaymentState::Void) };
            let given_up = advance(tx, order, step, NOW)?;
            Ok::<_, DatabaseError>((given_up, keep_intent(tx, order, PaymentState::Charging, "pi_1")?))
        });
        assert_eq!(outcome.await.unwrap(), (true, false));
    }
    }
}
