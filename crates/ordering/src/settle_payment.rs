//! Writing down what came of a charge: paid, failed, waiting for its buyer, or something that nobody expected.

use stoa_contracts::{ordering::PaymentProcessed, payments::ChargeOutcome};
use stoa_kernel::{Money, Timestamp};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, jobs,
};

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    jobs::{Notice, NotifyBuyer},
    order::{Order, amount},
    status::{OrderStatus, PaymentStatus},
    store::{
        orders::{self, Scope},
        payments::{self, Payment, PaymentState, Step},
    },
};

/// Whether somebody waits for the answer; who does not is told of a failure by mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listener {
    /// The buyer hears it in the answer.
    Buyer,
    /// Nobody: the sweep or a notice of the provider found it.
    Nobody,
}

impl Ordering {
    /// Settles a payment that was as `payment` says. Answers the order as it is afterwards, also when somebody else
    /// settled it first.
    pub(crate) fn settle(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (order, payment): (&Order, &Payment),
        outcome: &ChargeOutcome,
        listener: Listener,
    ) -> Result<Order, DatabaseError> {
        let settled = match outcome {
            ChargeOutcome::Captured { charge, amount } => {
                self.capture(tx, occasion, (order, payment), (charge, *amount))?
            }
            ChargeOutcome::Declined => self.decline(tx, occasion, (order, payment), listener)?,
            ChargeOutcome::Voided => self.voided(tx, occasion, (order, payment), listener)?,
            ChargeOutcome::ActionNeeded { .. } if payment.state == PaymentState::Charging => {
                let due = Some(self.end_of_hold(order));
                let intent = self.intent_of(order.id, payment).ok();
                let step = Step { due, intent: intent.as_deref(), ..to(payment, PaymentState::Action) };
                let waiting = order.next_version(occasion);
                write_step(tx, order, &waiting, step)?.then_some(waiting)
            }
            ChargeOutcome::ActionNeeded { .. } => Some(order.clone()),
        };
        match (settled, outcome) {
            (Some(order), _) => Ok(order),
            // Money that was taken is written down whatever happened to the order meanwhile.
            (None, ChargeOutcome::Captured { charge, amount }) => {
                let moved = lock(tx, order)?;
                let (_, payment) = as_it_stands(tx, moved.id)?;
                let captured = self.capture(tx, occasion, (&moved, &payment), (charge, *amount))?;
                captured.ok_or_else(|| DatabaseError::Conflict("an order changed under its lock".into()))
            }
            (None, _) => Ok(as_it_stands(tx, order.id)?.0),
        }
    }

    /// Until when an order keeps its stock without being paid.
    pub(crate) fn end_of_hold(&self, order: &Order) -> Timestamp {
        order.created_at + self.settings.unpaid_hold
    }

    /// The money was taken. An order that waited for it is confirmed; one that was given up meanwhile pays it back.
    fn capture(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (order, payment): (&Order, &Payment),
        (charge, captured): (&str, Money),
    ) -> Result<Option<Order>, DatabaseError> {
        if payment.state.is_taken() {
            return Ok(Some(order.clone()));
        }
        let step =
            Step { charge: Some(charge), captured: Some(captured), ..to(payment, PaymentState::Captured) };
        if order.has_ended() {
            return self.take_to_return(tx, occasion, order, step);
        }
        if captured != order.totals.total {
            return mismatch(tx, occasion, order, step);
        }
        confirm(tx, occasion, order, step)
    }

    fn take_to_return(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        order: &Order,
        step: Step<'_>,
    ) -> Result<Option<Order>, DatabaseError> {
        let Some(captured) = step.captured.filter(|captured| in_currency(*captured, order)) else {
            return mismatch(tx, occasion, order, step);
        };
        let mut taken = order.next_version(occasion);
        taken.payment_status = PaymentStatus::Captured;
        if !write_step(tx, order, &taken, step)? {
            return Ok(None);
        }
        self.put_aside(tx, occasion, &taken, captured, None)?;
        Ok(Some(taken))
    }

    /// The last attempt was refused. An order that is paid later may be paid by another method until its hold ends; any
    /// other is given up.
    fn decline(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (order, payment): (&Order, &Payment),
        listener: Listener,
    ) -> Result<Option<Order>, DatabaseError> {
        match payment.state {
            PaymentState::Charging | PaymentState::Action if order.is_paid_later() => {
                let step = Step { due: Some(self.end_of_hold(order)), ..to(payment, PaymentState::Waiting) };
                let waiting = order.next_version(occasion);
                if !write_step(tx, order, &waiting, step)? {
                    return Ok(None);
                }
                events::append(tx, occasion, &processed(&waiting, "failed")?)?;
                Ok(Some(waiting))
            }
            PaymentState::Charging if payment.attempts <= 1 => {
                self.fail(tx, occasion, order, to(payment, PaymentState::Declined), listener)
            }
            // Its buyer holds a secret that could still pay it, so it is voided before it is forgotten.
            PaymentState::Charging | PaymentState::Action => {
                let due = Some(occasion.at);
                self.fail(tx, occasion, order, Step { due, ..to(payment, PaymentState::Voiding) }, listener)
            }
            _ => Ok(Some(order.clone())),
        }
    }

    fn voided(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (order, payment): (&Order, &Payment),
        listener: Listener,
    ) -> Result<Option<Order>, DatabaseError> {
        let step = Step { nameless: payment.intent.is_none(), ..to(payment, PaymentState::Void) };
        match payment.state {
            state if state.is_open() => self.fail(tx, occasion, order, step, listener),
            PaymentState::Voiding => {
                let mut after = order.next_version(occasion);
                after.payment_status = PaymentStatus::Failed;
                Ok(write_step(tx, order, &after, step)?.then_some(after))
            }
            _ => Ok(Some(order.clone())),
        }
    }

    /// The charge will not come: the order is cancelled and its stock given back. Whoever wanted to pay at once finds
    /// their cart filled again; whoever was to pay later has left it long ago.
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
            if order.is_paid_later() {
                self.give_back(tx, occasion, &failed)?;
            } else {
                self.undo_placing(tx, occasion, &failed)?;
            }
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

/// Another sum was taken than was asked for. No machine can tell what that means: it is kept, the order is left as it
/// is, and whoever reads the log decides, by confirming the order or by cancelling it, which pays back what was taken.
fn mismatch(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    order: &Order,
    step: Step<'_>,
) -> Result<Option<Order>, DatabaseError> {
    let captured = step.captured;
    tracing::error!(
        order.id = %order.id,
        expected = %order.totals.total,
        captured = captured.map(|money| format!("{money} {}", money.currency())),
        charge = step.charge,
        "the provider took another sum than the order's: look at this payment there, then confirm or cancel the order"
    );
    let ours = captured.filter(|captured| in_currency(*captured, order));
    let kept = ours.unwrap_or_else(|| Money::zero(order.totals.total.currency()));
    let step = Step { to: PaymentState::Mismatch, captured: Some(kept), ..step };
    let after = order.next_version(occasion);
    Ok(write_step(tx, order, &after, step)?.then_some(after))
}

fn lock(tx: &mut Tx<'_>, order: &Order) -> Result<Order, DatabaseError> {
    orders::lock(tx, Scope::All, order.id)?.ok_or_else(|| DatabaseError::Defect("an order is gone".into()))
}

fn in_currency(captured: Money, order: &Order) -> bool {
    captured.currency() == order.totals.total.currency()
}

fn to(payment: &Payment, state: PaymentState) -> Step<'static> {
    Step::plain(payment.state, state)
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
        // Each step moves the order's version, so an order of this version has its payment where the step starts, unless
        // its intent was kept meanwhile. Then all is taken back, and whoever looks again asks the provider.
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
