//! Ending an order early: cancelled before it is shipped, or paid back after that. Its money returns either way.

use stoa_contracts::ordering::{OrderId, PaymentRefunded};
use stoa_http::IfMatch;
use stoa_kernel::Refusal;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, failpoint, jobs,
};
use tracing::Instrument;

use crate::{
    Ordering,
    error::OrderError,
    jobs::{Notice, NotifyBuyer},
    order::{Order, amount},
    provider::{ChargeOutcome, charge_key, refund_key},
    settle_payment::write_step,
    status::{OrderStatus, PaymentStatus},
    store::{
        orders::{self, Scope},
        payments::{self, Payment, PaymentState, Step},
    },
};

/// The ways an order ends early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// Called off while it is pending or confirmed, as its buyer may.
    CalledOff,
    /// Cancelled at any time before it is shipped.
    Cancelled,
    /// Paid back after it was shipped; its stock stays with the buyer.
    PaidBack,
}

impl Ending {
    const fn status(self) -> OrderStatus {
        match self {
            Self::CalledOff | Self::Cancelled => OrderStatus::Cancelled,
            Self::PaidBack => OrderStatus::Refunded,
        }
    }

    /// Whether an order may end so from here.
    fn check(self, from: OrderStatus) -> Result<(), OrderError> {
        match self {
            Self::CalledOff if matches!(from, OrderStatus::Pending | OrderStatus::Confirmed) => Ok(()),
            Self::CalledOff => Err(OrderError::NotCancellable(from)),
            _ if from.may_become(self.status()) => Ok(()),
            _ => Err(OrderError::IllegalMove { from, to: self.status() }),
        }
    }
}

/// Which order ends, how, and what is said about it.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) scope: Scope,
    pub(crate) order: OrderId,
    pub(crate) ending: Ending,
    pub(crate) details: Option<String>,
    pub(crate) if_match: IfMatch,
}

impl Ordering {
    /// Ends an order. Of this and another change at once one wins; the other is judged by what it finds then.
    pub(crate) async fn end_order(&self, end: End, occasion: Occasion) -> Result<Order, OrderError> {
        // As with placing one, an order that is ended has its money returned whether or not anybody listens.
        let ordering = self.clone();
        let ending = async move { ordering.end_and_return(end, occasion).await };
        let ended = tokio::spawn(ending.in_current_span()).await;
        ended.unwrap_or_else(|error| Err(OrderError::Refused(Refusal::internal(error))))
    }

    async fn end_and_return(self, end: End, occasion: Occasion) -> Result<Order, OrderError> {
        let (ordering, at_first) = (self.clone(), occasion.clone());
        let (order, payment) =
            self.platform.database.write(move |tx| ordering.end(tx, &end, &at_first)).await?;
        failpoint::reach("order.after_cancel");
        match self.return_money(order.clone(), payment, &occasion).await {
            Err(OrderError::Provider(error)) => {
                tracing::warn!(order.id = %order.id, %error, "money is not returned yet; the sweep will");
                Ok(order)
            }
            returned => returned,
        }
    }

    fn end(&self, tx: &mut Tx<'_>, end: &End, occasion: &Occasion) -> Result<(Order, Payment), OrderError> {
        let before = orders::lock(tx, end.scope, end.order)?.ok_or(OrderError::UnknownOrder)?;
        end.if_match.check(before.version)?;
        end.ending.check(before.status)?;
        let mut payment = payments::of_order(tx, before.id)?
            .ok_or_else(|| DatabaseError::Decode("an order has no payment".into()))?;
        let mut ended = before.next_version(occasion);
        ended.enter(end.ending.status(), occasion, end.details.clone());
        self.write_end(tx, &before, &ended, &mut payment)?;
        events::append(tx, occasion, &ended.status_changed(before.status))?;
        let notice = if end.ending == Ending::PaidBack {
            Notice::Refunded
        } else {
            self.catalog.return_stock(tx, occasion, &ended.pieces())?;
            events::append(tx, occasion, &ended.cancelled())?;
            Notice::Cancelled
        };
        jobs::enqueue(tx, occasion, &NotifyBuyer::of(ended.id, notice))?;
        failpoint::reach("order.cancel.before_commit");
        Ok((ended, payment))
    }

    fn write_end(
        &self,
        tx: &mut Tx<'_>,
        before: &Order,
        ended: &Order,
        payment: &mut Payment,
    ) -> Result<(), DatabaseError> {
        let to = match payment.state {
            PaymentState::Captured => Some(PaymentState::Refunding),
            PaymentState::Charging | PaymentState::Action => Some(PaymentState::Voiding),
            _ => None,
        };
        let due = Some(ended.updated_at + self.settings.settle_after);
        let written = match to {
            Some(to) => write_step(tx, before, ended, Step { from: payment.state, to, charge: None, due })?,
            None => orders::save(tx, ended, before.version)?,
        };
        payment.state = to.unwrap_or(payment.state);
        if written { Ok(()) } else { Err(DatabaseError::Conflict("an order changed under its lock".into())) }
    }

    /// Has the provider void or return what an ended order was charged, as far as that is not done.
    pub(crate) async fn return_money(
        &self,
        order: Order,
        payment: Payment,
        occasion: &Occasion,
    ) -> Result<Order, OrderError> {
        let (order, payment) = match payment.state {
            PaymentState::Voiding => self.void(order, occasion).await?,
            _ => (order, payment),
        };
        match payment.state {
            PaymentState::Refunding => self.refund(order, payment, occasion).await,
            _ => Ok(order),
        }
    }

    /// Makes sure that an order that was ended before its charge was settled is not charged later.
    async fn void(&self, order: Order, occasion: &Occasion) -> Result<(Order, Payment), OrderError> {
        let outcome = self.provider.void(&charge_key(order.id)).await?;
        let due = Some(self.platform.clock.now() + self.settings.settle_after);
        let occasion = self.later(occasion);
        let voided = self.platform.database.write(move |tx| {
            let mut after = order.next_version(&occasion);
            let from = PaymentState::Voiding;
            let step = if let ChargeOutcome::Captured { charge } = &outcome {
                after.payment_status = PaymentStatus::Captured;
                Step { from, to: PaymentState::Refunding, charge: Some(charge), due }
            } else {
                after.payment_status = PaymentStatus::Failed;
                Step { from, to: PaymentState::Void, charge: None, due: None }
            };
            write_step(tx, &order, &after, step)?;
            as_it_stands(tx, order.id)
        });
        Ok(voided.await?)
    }

    async fn refund(&self, order: Order, payment: Payment, occasion: &Occasion) -> Result<Order, OrderError> {
        let charge = payment.charge.unwrap_or_default();
        self.provider.refund(&refund_key(order.id), &charge, order.totals.total).await?;
        failpoint::reach("order.after_refund");
        let occasion = self.later(occasion);
        let refunded = self.platform.database.write(move |tx| {
            let mut refunded = order.next_version(&occasion);
            refunded.payment_status = PaymentStatus::Refunded;
            let step =
                Step { from: PaymentState::Refunding, to: PaymentState::Refunded, charge: None, due: None };
            if !write_step(tx, &order, &refunded, step)? {
                return as_it_stands(tx, order.id).map(|(order, _)| order);
            }
            events::append(tx, &occasion, &refund_event(&refunded)?)?;
            failpoint::reach("order.refund.before_commit");
            Ok(refunded)
        });
        let refunded = refunded.await?;
        failpoint::reach("order.after_refund_settled");
        Ok(refunded)
    }
}

fn refund_event(order: &Order) -> Result<PaymentRefunded, DatabaseError> {
    Ok(PaymentRefunded {
        order_id: order.id,
        user_id: order.buyer,
        version: order.version,
        amount: amount(order.totals.total)?,
    })
}

/// An order and its payment, whoever moved them last.
pub(crate) fn as_it_stands(tx: &mut Tx<'_>, id: OrderId) -> Result<(Order, Payment), DatabaseError> {
    let order = orders::find(tx, Scope::All, id)?;
    let payment = payments::of_order(tx, id)?;
    order.zip(payment).ok_or_else(|| DatabaseError::Decode(format!("order {id} or its payment is gone")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use OrderStatus::{Confirmed, Delivered, Pending, Processing, Shipped};

    #[test]
    fn who_may_end_an_order_from_where() {
        let ends = |ending: Ending| {
            OrderStatus::ALL.into_iter().filter(move |from| ending.check(*from).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(ends(Ending::CalledOff), [Pending, Confirmed]);
        assert_eq!(ends(Ending::Cancelled), [Pending, Confirmed, Processing]);
        assert_eq!(ends(Ending::PaidBack), [Shipped, Delivered]);
    }
}
