//! Ending an order early: cancelled before it is shipped, or paid back after that. Its money returns either way.

use stoa_contracts::{ordering::OrderId, payments::ChargeOutcome};
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
    order::Order,
    settle_payment::{Listener, write_step},
    status::OrderStatus,
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
        let (ordering, at_first, id) = (self.clone(), occasion.clone(), end.order);
        self.platform.database.write(move |tx| ordering.end(tx, &end, &at_first)).await?;
        failpoint::reach("order.after_cancel");
        self.finish_return(id, &occasion).await;
        let (order, _) = self.platform.database.write(move |tx| as_it_stands(tx, id)).await?;
        Ok(order)
    }

    fn end(&self, tx: &mut Tx<'_>, end: &End, occasion: &Occasion) -> Result<(), OrderError> {
        let before = orders::lock(tx, end.scope, end.order)?.ok_or(OrderError::UnknownOrder)?;
        end.if_match.check(before.version)?;
        end.ending.check(before.status)?;
        let (_, payment) = as_it_stands(tx, before.id)?;
        let mut ended = before.next_version(occasion);
        ended.enter(end.ending.status(), occasion, end.details.clone());
        self.write_end(tx, occasion, (&before, &ended), &payment)?;
        events::append(tx, occasion, &ended.status_changed(before.status))?;
        let notice = if end.ending == Ending::PaidBack {
            Notice::Refunded
        } else {
            self.give_back(tx, occasion, &ended)?;
            events::append(tx, occasion, &ended.cancelled())?;
            Notice::Cancelled
        };
        jobs::enqueue(tx, occasion, &NotifyBuyer::of(ended.id, notice))?;
        failpoint::reach("order.cancel.before_commit");
        Ok(())
    }

    /// What was taken and is not on its way back yet goes back; what may still be taken is voided.
    fn write_end(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (before, ended): (&Order, &Order),
        payment: &Payment,
    ) -> Result<(), DatabaseError> {
        let written = if payment.state.is_open() {
            let due = Some(ended.updated_at + self.settings.settle_after);
            let step = Step { due, ..Step::plain(payment.state, PaymentState::Voiding) };
            write_step(tx, before, ended, step)?
        } else {
            orders::save(tx, ended, before.version)?
        };
        if !written {
            return Err(DatabaseError::Conflict("an order changed under its lock".into()));
        }
        if payment.state.is_taken() {
            self.put_aside(tx, occasion, ended, payment.left(), None)?;
        }
        Ok(())
    }

    /// Has the provider void or return what an ended order was charged, as far as that is not done. What cannot be done
    /// now is left to the sweep.
    pub(crate) async fn finish_return(&self, order: OrderId, occasion: &Occasion) {
        if let Err(error) = self.return_money(order, occasion).await {
            tracing::warn!(order.id = %order, %error, "money is not returned yet; the sweep will");
        }
    }

    /// The same, and tells when it could not be done.
    pub(crate) async fn return_money(&self, id: OrderId, occasion: &Occasion) -> Result<(), OrderError> {
        let (order, payment) = self.platform.database.write(move |tx| as_it_stands(tx, id)).await?;
        if payment.state == PaymentState::Voiding {
            self.void(order, payment, occasion).await?;
        }
        self.run_refunds(id, occasion).await
    }

    /// Makes sure that an order that is given up is not charged later.
    pub(crate) async fn void(
        &self,
        order: Order,
        payment: Payment,
        occasion: &Occasion,
    ) -> Result<Order, OrderError> {
        let outcome = self.void_intent(&order, &payment).await?;
        let (ordering, occasion) = (self.clone(), self.later(occasion));
        let voided = self
            .platform
            .database
            .write(move |tx| ordering.settle(tx, &occasion, (&order, &payment), &outcome, Listener::Nobody));
        Ok(voided.await?)
    }

    async fn void_intent(&self, order: &Order, payment: &Payment) -> Result<ChargeOutcome, OrderError> {
        match self.intent_of(order.id, payment) {
            Ok(intent) => Ok(self.providers.of_payment(&payment.provider)?.void(&intent).await?),
            // Nothing is charged by a name that was never kept, and from now on none will be kept.
            Err(_) => Ok(ChargeOutcome::Voided),
        }
    }
}

/// An order and its payment, whoever moved them last.
pub(crate) fn as_it_stands(tx: &mut Tx<'_>, id: OrderId) -> Result<(Order, Payment), DatabaseError> {
    let missing = || DatabaseError::Decode(format!("order {id} or its payment is gone"));
    let order = orders::find(tx, Scope::All, id)?.ok_or_else(missing)?;
    let payment = payments::of_order(tx, id, order.totals.total.currency())?.ok_or_else(missing)?;
    Ok((order, payment))
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
