//! Having an order paid at its provider: its intent is made and kept, then charged by name, then what came of it is
//! written down.

use stoa_contracts::{
    ordering::OrderId,
    payments::{Charge, ChargeOutcome, PaymentProvider, ProviderError},
};
use stoa_http::{Once, Reply};
use stoa_kernel::Money;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    failpoint,
};

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    error::OrderError,
    order::Order,
    provider::{attempt_key, intent_key},
    settle_payment::Listener,
    status::{OrderStatus, PaymentStatus},
    store::payments::{self, Opening, Payment, PaymentState},
    views::{NextAction, OrderView},
};

/// The method of an order that is not charged when it is placed.
pub(crate) const PAID_LATER: &str = "deferred";

/// What stands for the charge of an order that costs nothing.
const FREE: &str = "free";

/// Whether a charge can have been asked for already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attempt {
    First,
    /// An earlier try stopped on its way.
    Again,
}

impl Order {
    /// Whether it is not charged when it is placed.
    pub(crate) fn is_paid_later(&self) -> bool {
        self.payment_method == PAID_LATER && !self.is_free()
    }

    /// Whether it came to nothing or was paid back.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status, OrderStatus::Cancelled | OrderStatus::Refunded)
    }

    /// Whether there is nothing to pay.
    pub(crate) fn is_free(&self) -> bool {
        self.totals.total.minor() == 0
    }
}

impl Ordering {
    /// Whether an order can be placed with this method.
    pub(crate) fn accepts(&self, method: &str) -> bool {
        method == PAID_LATER || self.providers.current().accepts(method)
    }

    /// Writes down that a new order is to be paid: now, or by its buyer until the hold ends.
    pub(crate) fn open_payment(&self, tx: &mut Tx<'_>, order: &Order) -> Result<Payment, DatabaseError> {
        let (state, due) = if order.is_paid_later() {
            (PaymentState::Waiting, self.end_of_hold(order))
        } else {
            (PaymentState::Charging, order.created_at + self.settings.settle_after)
        };
        let provider = self.providers.current().name();
        payments::open(tx, order, Opening { provider, state, due })?;
        let nothing = Money::zero(order.totals.total.currency());
        Ok(Payment {
            provider: provider.into(),
            state,
            intent: None,
            charge: None,
            attempts: payments::attempts_at_first(state),
            captured: nothing,
            returned: nothing,
        })
    }

    /// Charges a placed order and answers its buyer.
    pub(crate) async fn pay(
        self,
        order: Order,
        payment: Payment,
        attempt: Attempt,
        once: Once,
        occasion: Occasion,
    ) -> Result<Reply, OrderError> {
        failpoint::reach("order.after_place");
        let mut payment = payment;
        let is_open = payment.state.is_open();
        let outcome = if is_open { self.charge(&order, &mut payment, attempt).await } else { None };
        failpoint::reach("order.after_charge");
        let (ordering, occasion) = (self.clone(), self.later(&occasion));
        let settled = self.platform.database.write(move |tx| {
            let charged = (&order, &payment, outcome.as_ref());
            let answered = ordering.settle_and_answer(tx, &occasion, charged, &once)?;
            failpoint::reach("order.settle.before_commit");
            Ok::<_, OrderError>(answered)
        });
        let answered = settled.await?;
        failpoint::reach("order.after_settle");
        answered
    }

    /// Writes down what came of a charge and what its buyer is told. Whoever does not know finds the order as it stands:
    /// the sweep may have settled it meanwhile, and a payment it has given up is no pending one.
    fn settle_and_answer(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (order, payment, outcome): (&Order, &Payment, Option<&ChargeOutcome>),
        once: &Once,
    ) -> Result<Result<Reply, OrderError>, DatabaseError> {
        let (order, is_open) = if let Some(outcome) = outcome {
            (self.settle(tx, occasion, (order, payment), outcome, Listener::Buyer)?, false)
        } else {
            let (order, payment) = as_it_stands(tx, order.id)?;
            (order, payment.state.is_open())
        };
        let answered = self.answer(order, payment, outcome);
        match &answered {
            // Nobody knows yet. The key stays open: a retry after its lease looks again, and so does the sweep.
            Ok(_) if is_open => {}
            Ok(reply) => once.finish(tx, reply, occasion.at)?,
            Err(_) => once.forget(tx)?,
        }
        Ok(answered)
    }

    /// Asks the provider for the money; `None` when it is not known what came of it. The same charge is never asked for
    /// twice: one that may have been asked for before, or whose answer was lost, is looked up.
    async fn charge(&self, order: &Order, payment: &mut Payment, attempt: Attempt) -> Option<ChargeOutcome> {
        if order.is_free() {
            return Some(free(order));
        }
        match self.try_charge(order, payment, attempt).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::warn!(order.id = %order.id, %error, "it is not known whether an order is paid; the sweep will look");
                None
            }
        }
    }

    async fn try_charge(
        &self,
        order: &Order,
        payment: &mut Payment,
        attempt: Attempt,
    ) -> Result<Option<ChargeOutcome>, OrderError> {
        let provider = self.providers.of_payment(&payment.provider)?;
        let intent = match self.intent_of(order.id, payment) {
            Ok(intent) => intent,
            Err(_) => match self.open_intent(order, payment).await {
                Ok(intent) => intent,
                // Nothing was taken and nothing will be.
                Err(OrderError::Provider(ProviderError::Refused(reason))) => {
                    tracing::warn!(order.id = %order.id, reason, "the provider takes no payment for an order");
                    return Ok(Some(ChargeOutcome::Declined));
                }
                Err(error) => return Err(error),
            },
        };
        payment.intent = Some(intent.clone());
        if attempt == Attempt::Again
            && let Some(found) = provider.find(&intent).await?
        {
            return Ok(Some(found));
        }
        let charge = Charge {
            intent: &intent,
            key: &attempt_key(order.id, payment.attempts),
            amount: order.totals.total,
            method: Some(&order.payment_method),
        };
        confirm(provider.as_ref(), (order.id, payment.attempts), charge).await
    }

    /// Makes the intent of an order and keeps its name before anything is done by it.
    pub(crate) async fn open_intent(&self, order: &Order, payment: &Payment) -> Result<String, OrderError> {
        let provider = self.providers.of_payment(&payment.provider)?;
        let intent = provider.open(&intent_key(order.id), order.totals.total).await?.id;
        failpoint::reach("payment.intent_made");
        let (id, state, name) = (order.id, payment.state, intent.clone());
        let kept = self.platform.database.write(move |tx| payments::keep_intent(tx, id, state, &name));
        if !kept.await? {
            return Err(OrderError::PaymentInProgress);
        }
        failpoint::reach("payment.intent_kept");
        Ok(intent)
    }

    /// The provider's name of an order's payment, if it is known.
    pub(crate) fn intent_of(&self, order: OrderId, payment: &Payment) -> Result<String, OrderError> {
        let known = || self.providers.known_intent(&payment.provider, order).map(|intent| intent.id);
        payment.intent.clone().or_else(known).ok_or(OrderError::UnknownPayment)
    }

    /// What the buyer hears of an order that was just placed.
    pub(crate) fn answer(
        &self,
        order: Order,
        payment: &Payment,
        outcome: Option<&ChargeOutcome>,
    ) -> Result<Reply, OrderError> {
        if order.payment_status == PaymentStatus::Failed {
            return Err(OrderError::PaymentDeclined);
        }
        let next_action = match outcome {
            Some(ChargeOutcome::ActionNeeded { kind, client_secret }) => Some(NextAction {
                kind: kind.clone(),
                client_secret: client_secret.clone(),
                payment_intent_id: self.intent_of(order.id, payment)?,
            }),
            _ => None,
        };
        let (path, version) = (format!("/api/orders/{}", order.id), order.version);
        let view = OrderView::from(order).asking_for(next_action);
        Ok(Reply::created(&view)?.at(&path).with_etag(version))
    }
}

/// An order that costs nothing is paid as soon as it is there.
pub(crate) fn free(order: &Order) -> ChargeOutcome {
    ChargeOutcome::Captured { charge: FREE.into(), amount: order.totals.total }
}

/// Takes the money; a lost answer is looked up. `None` when that does not tell either.
pub(crate) async fn confirm(
    provider: &dyn PaymentProvider,
    (order, attempt): (OrderId, i64),
    charge: Charge<'_>,
) -> Result<Option<ChargeOutcome>, OrderError> {
    match provider.confirm(charge).await {
        Ok(outcome) => Ok(Some(outcome)),
        Err(error) => {
            tracing::warn!(order.id = %order, %error, "no answer to a charge; looking it up");
            let found = provider.find(charge.intent).await?;
            // A refusal may be that of the attempt before.
            Ok(found.filter(|found| attempt <= 1 || *found != ChargeOutcome::Declined))
        }
    }
}
