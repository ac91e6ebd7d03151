//! Writing down what came of a charge: paid, failed, or waiting for its buyer.

use stoa_contracts::ordering::PaymentProcessed;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, jobs,
};

use crate::{
    Ordering,
    cart::{KeptLine, cart_of},
    jobs::{Notice, NotifyBuyer},
    order::{Order, amount},
    provider::ChargeOutcome,
    status::{OrderStatus, PaymentStatus},
    store::{
        carts,
        orders::{self, Scope},
        payments::{self, PaymentState, Step},
    },
};

/// Whether somebody waits for the answer; who does not is told of a failure by mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listener {
    /// The buyer hears it in the answer.
    Buyer,
    /// Nobody: the sweep found it.
    Nobody,
}

impl Ordering {
    /// Settles a payment that was in `from`. Answers the order as it is afterwards, also when somebody else settled it
    /// first.
    pub(crate) fn settle(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        order: &Order,
        from: PaymentState,
        outcome: &ChargeOutcome,
        listener: Listener,
    ) -> Result<Order, DatabaseError> {
        let done = |to, charge| Step { from, to, charge, due: None };
        let settled = match outcome {
            ChargeOutcome::Captured { charge } => {
                confirm(tx, occasion, order, done(PaymentState::Captured, Some(charge)))?
            }
            ChargeOutcome::Declined => {
                self.fail(tx, occasion, order, done(PaymentState::Declined, None), listener)?
            }
            ChargeOutcome::Voided => {
                self.fail(tx, occasion, order, done(PaymentState::Void, None), listener)?
            }
            ChargeOutcome::ActionNeeded { .. } if from == PaymentState::Action => Some(order.clone()),
            ChargeOutcome::ActionNeeded { charge, .. } => {
                let due = Some(order.created_at + self.settings.unpaid_hold);
                let waiting = order.next_version(occasion);
                let step = Step { due, ..done(PaymentState::Action, Some(charge)) };
                write_step(tx, order, &waiting, step)?.then_some(waiting)
            }
        };
        match settled {
            Some(order) => Ok(order),
            None => orders::find(tx, Scope::All, order.id)?
                .ok_or_else(|| DatabaseError::Defect("an order is gone".into())),
        }
    }

    /// The charge will not come: the order is cancelled, its stock given back, and the buyer's cart filled again.
    fn fail(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        order: &Order,
        step: Step<'_>,
        listener: Listener,
    ) -> Result<Option<Order>, DatabaseError> {
        let mut failed = order.next_version(occasion);
        failed.payment_status = PaymentStatus::Failed;
        let cancels = order.status == OrderStatus::Pending;
        if cancels {
            failed.enter(OrderStatus::Cancelled, occasion, Some("The payment did not go through.".into()));
        }
        if !write_step(tx, order, &failed, step)? {
            return Ok(None);
        }
        events::append(tx, occasion, &processed(&failed, "failed")?)?;
        if cancels {
            // The cart before the stock, as in checking out, so that the two never wait for each other in a circle.
            refill_cart(tx, occasion, &failed)?;
            self.catalog.return_stock(tx, occasion, &failed.pieces())?;
            events::append(tx, occasion, &failed.status_changed(order.status))?;
            events::append(tx, occasion, &failed.cancelled())?;
            if listener == Listener::Nobody {
                jobs::enqueue(tx, occasion, &NotifyBuyer::of(failed.id, Notice::Cancelled))?;
            }
        }
        Ok(Some(failed))
    }
}

/// The money is here: the order is confirmed.
fn confirm(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    order: &Order,
    step: Step<'_>,
) -> Result<Option<Order>, DatabaseError> {
    let mut paid = order.next_version(occasion);
    paid.payment_status = PaymentStatus::Captured;
    let confirms = order.status == OrderStatus::Pending;
    if confirms {
        paid.enter(OrderStatus::Confirmed, occasion, None);
    }
    if !write_step(tx, order, &paid, step)? {
        return Ok(None);
    }
    events::append(tx, occasion, &processed(&paid, "success")?)?;
    if confirms {
        events::append(tx, occasion, &paid.status_changed(order.status))?;
        jobs::enqueue(tx, occasion, &NotifyBuyer::of(paid.id, Notice::Confirmation))?;
    }
    Ok(Some(paid))
}

/// Writes an order and the step of its payment together. False, and nothing written, when somebody else changed the
/// order since `before`.
pub(crate) fn write_step(
    tx: &mut Tx<'_>,
    before: &Order,
    after: &Order,
    step: Step<'_>,
) -> Result<bool, DatabaseError> {
    if !orders::save(tx, after, before.version)? {
        return Ok(false);
    }
    if payments::advance(tx, after.id, step, after.updated_at)? {
        Ok(true)
    } else {
        // Each step moves the order's version, so an order of this version has its payment where the step starts.
        Err(DatabaseError::Conflict(format!("the payment of order {} is not {}", after.id, step.from.name())))
    }
}

fn processed(order: &Order, status: &str) -> Result<PaymentProcessed, DatabaseError> {
    Ok(PaymentProcessed {
        order_id: order.id,
        user_id: order.buyer,
        version: order.version,
        amount: amount(order.totals.total)?,
        status: status.into(),
    })
}

fn refill_cart(tx: &mut Tx<'_>, occasion: &Occasion, order: &Order) -> Result<(), DatabaseError> {
    let cart = cart_of(order.buyer);
    let lines: Vec<KeptLine> = order
        .items
        .iter()
        .map(|item| KeptLine {
            id: occasion.id(),
            product: item.product,
            name: item.name.clone(),
            quantity: item.quantity,
            price: item.price,
        })
        .collect();
    carts::touch(tx, cart, occasion.at)?;
    carts::put_back(tx, cart, &lines)
}
