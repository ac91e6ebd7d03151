//! Giving money back: all of it, or parts of it one after the other, and never more than was taken.
//!
//! A sum is put aside in the transaction that decides on it, then the provider is asked under a key made of the refund,
//! then what came of it is written down. What is unknown is asked again by the sweep under the same key; what the
//! provider refuses for good is kept as failed, and its sum may be refunded anew.

use stoa_contracts::{
    ordering::{OrderId, PaymentRefunded},
    payments::{ProviderError, Refund, RefundOutcome},
};
use stoa_http::{Begun, Once, Reply};
use stoa_kernel::{Money, Refusal};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, failpoint, jobs,
};
use tracing::Instrument;

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    error::OrderError,
    hear_of_money::tell_of_failure,
    jobs::{Notice, NotifyBuyer},
    order::{Order, amount},
    payment_views::RefundView,
    provider::refund_key,
    status::{OrderStatus, PaymentStatus},
    store::{
        orders::{self, Scope},
        payments::{self, Payment},
        refunds::{self, RefundId, RefundState, Refunding},
    },
};

/// So many refunds an order can have. A provider's list of them must fit on one page.
const MOST_REFUNDS: i64 = 50;
/// The longest reason of a provider that is kept.
const LONGEST_FAILURE: usize = 500;

/// What is to go back, and why.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub(crate) order: OrderId,
    /// All that is left when absent.
    pub(crate) amount: Option<Money>,
    pub(crate) reason: Option<String>,
}

/// How a request for a refund begins.
enum Begin {
    Answered(Box<Reply>),
    Refund(RefundId),
}

impl Ordering {
    /// Gives a part or all of an order's money back, and answers how far that has come.
    pub(crate) async fn refund_order(
        &self,
        wanted: Return,
        once: Once,
        occasion: Occasion,
    ) -> Result<Reply, OrderError> {
        let id = wanted.order;
        let (ordering, key, at) = (self.clone(), once.clone(), occasion.clone());
        let begun = self.platform.database.write(move |tx| ordering.begin_refund(tx, &wanted, &key, &at));
        let refund = match begun.await? {
            Begin::Answered(reply) => return Ok(*reply),
            Begin::Refund(refund) => refund,
        };
        failpoint::reach("payment.after_refund_begun");
        // As with placing an order, money that is on its way is followed to the end whether or not anybody listens.
        let ordering = self.clone();
        let refunding = async move { ordering.refund_and_answer(id, refund, once, occasion).await };
        let refunded = tokio::spawn(refunding.in_current_span()).await;
        refunded.unwrap_or_else(|error| Err(OrderError::Refused(Refusal::internal(error))))
    }

    fn begin_refund(
        &self,
        tx: &mut Tx<'_>,
        wanted: &Return,
        once: &Once,
        occasion: &Occasion,
    ) -> Result<Begin, OrderError> {
        match once.begin(tx, occasion.at)? {
            Begun::Replay(reply) => return Ok(Begin::Answered(reply)),
            Begun::Resume(refund) => {
                let refund =
                    refund.parse().map_err(|_| DatabaseError::Decode(format!("a refund {refund}")))?;
                return Ok(Begin::Refund(refund));
            }
            Begun::Fresh => {}
        }
        let order = orders::lock(tx, Scope::All, wanted.order)?.ok_or(OrderError::UnknownOrder)?;
        let (_, payment) = as_it_stands(tx, order.id)?;
        let left = payment.left();
        if left.minor() == 0 {
            return Err(OrderError::NothingToRefund);
        }
        if refunds::count(tx, order.id)? >= MOST_REFUNDS {
            return Err(OrderError::TooManyRefunds);
        }
        let amount = wanted.amount.unwrap_or(left);
        let refund = self.put_aside(tx, occasion, &order, amount, wanted.reason.as_deref())?;
        let refund = refund.ok_or(OrderError::RefundTooLarge { left, requested: amount })?;
        once.mark(tx, &refund.to_string())?;
        failpoint::reach("payment.refund.before_commit");
        Ok(Begin::Refund(refund))
    }

    /// Decides that a sum goes back; `None` when less than that is left.
    pub(crate) fn put_aside(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        order: &Order,
        amount: Money,
        reason: Option<&str>,
    ) -> Result<Option<RefundId>, DatabaseError> {
        if amount.minor() == 0 || !payments::reserve_return(tx, order.id, amount, occasion.at)? {
            return Ok(None);
        }
        let refund = Refunding {
            id: occasion.id(),
            order: order.id,
            amount,
            state: RefundState::Pending,
            reason: reason.map(str::to_owned),
            failure: None,
            provider_refund: None,
            tries: 0,
            requested_by: occasion.actor.clone(),
            created_at: occasion.at,
            updated_at: occasion.at,
        };
        refunds::insert(tx, &refund, Some(occasion.at + self.settings.settle_after))?;
        Ok(Some(refund.id))
    }

    async fn refund_and_answer(
        self,
        order: OrderId,
        refund: RefundId,
        once: Once,
        occasion: Occasion,
    ) -> Result<Reply, OrderError> {
        if let Err(error) = self.run_refund(order, refund, &occasion).await {
            match error {
                OrderError::Provider(error) => {
                    tracing::warn!(order.id = %order, refund.id = %refund, %error, "money is not returned yet; the sweep will");
                }
                error => return Err(error),
            }
        }
        let later = self.later(&occasion);
        let answered = self.platform.database.write(move |tx| {
            let currency = as_it_stands(tx, order)?.0.totals.total.currency();
            let refund = refunds::find(tx, refund, currency)?.ok_or_else(|| gone(refund))?;
            let path = format!("/api/orders/{order}/refunds");
            let reply = Reply::created(&RefundView::from(refund))?.at(&path);
            once.finish(tx, &reply, later.at)?;
            Ok::<_, OrderError>(reply)
        });
        answered.await
    }

    /// Runs all refunds of an order that are not settled.
    pub(crate) async fn run_refunds(&self, order: OrderId, occasion: &Occasion) -> Result<(), OrderError> {
        let pending = self.platform.database.write(move |tx| {
            let (order, _) = as_it_stands(tx, order)?;
            refunds::pending(tx, order.id, order.totals.total.currency())
        });
        for refund in pending.await? {
            self.run_refund(order, refund.id, occasion).await?;
        }
        Ok(())
    }

    /// Has the provider give a sum back, as far as that is not done.
    pub(crate) async fn run_refund(
        &self,
        order: OrderId,
        refund: RefundId,
        occasion: &Occasion,
    ) -> Result<(), OrderError> {
        let found = self.platform.database.write(move |tx| {
            let (order, payment) = as_it_stands(tx, order)?;
            let refund =
                refunds::find(tx, refund, order.totals.total.currency())?.ok_or_else(|| gone(refund))?;
            Ok::<_, DatabaseError>((payment, refund))
        });
        let (payment, refund) = found.await?;
        if refund.state != RefundState::Pending {
            return Ok(());
        }
        let outcome = self.ask_for_refund(&payment, &refund).await?;
        failpoint::reach("order.after_refund");
        let (ordering, occasion) = (self.clone(), self.later(occasion));
        let settled =
            self.platform.database.write(move |tx| ordering.settle_refund(tx, &occasion, &refund, &outcome));
        settled.await?;
        failpoint::reach("order.after_refund_settled");
        Ok(())
    }

    async fn ask_for_refund(
        &self,
        payment: &Payment,
        refund: &Refunding,
    ) -> Result<RefundOutcome, ProviderError> {
        let provider = self.providers.of_payment(&payment.provider)?;
        let intent = self.intent_of(refund.order, payment).unwrap_or_default();
        let wanted = Refund {
            key: &refund_key(refund.order, refund.id),
            intent: &intent,
            charge: payment.charge.as_deref().unwrap_or_default(),
            amount: refund.amount,
            refund: refund.provider_refund.as_deref(),
        };
        // One that was asked for before is looked up: the provider may have forgotten the key since, but not the refund.
        let found = if refund.tries > 0 { provider.find_refund(wanted).await? } else { None };
        match found {
            Some(outcome) => Ok(outcome),
            None => refused_is_failed(provider.refund(wanted).await),
        }
    }

    /// Writes down what came of a refund; nothing when that is known already.
    pub(crate) fn settle_refund(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        refund: &Refunding,
        outcome: &RefundOutcome,
    ) -> Result<(), DatabaseError> {
        let at = occasion.at;
        match outcome {
            RefundOutcome::Pending { refund: name } => {
                refunds::on_its_way(tx, refund.id, name, at + self.settings.settle_after, at)
            }
            RefundOutcome::Failed { reason } => {
                let (order, reason) = (locked(tx, refund.order)?, short(reason));
                if refunds::settle(tx, refund.id, (RefundState::Failed, None, Some(&reason)), at)? {
                    payments::release_return(tx, refund.order, refund.amount, at)?;
                    tell_of_failure(tx, occasion, &order, refund, &reason)?;
                }
                Ok(())
            }
            RefundOutcome::Done { refund: name } => {
                let order = locked(tx, refund.order)?;
                if refunds::settle(tx, refund.id, (RefundState::Succeeded, Some(name), None), at)? {
                    money_is_back(tx, occasion, &order, refund.amount)?;
                    failpoint::reach("order.refund.before_commit");
                }
                Ok(())
            }
        }
    }
}

/// Somebody gave money back at the provider itself: it is written down as if it had been asked for here.
pub(crate) fn note_foreign_refund(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    order: &Order,
    amount: Money,
) -> Result<(), DatabaseError> {
    if !payments::reserve_return(tx, order.id, amount, occasion.at)? {
        tracing::error!(order.id = %order.id, %amount, "the provider gave back more than it took; look at it there");
        return Ok(());
    }
    let refund = Refunding {
        id: occasion.id(),
        order: order.id,
        amount,
        state: RefundState::Succeeded,
        reason: Some("Refunded at the payment provider.".into()),
        failure: None,
        provider_refund: None,
        tries: 0,
        requested_by: occasion.actor.clone(),
        created_at: occasion.at,
        updated_at: occasion.at,
    };
    refunds::insert(tx, &refund, None)?;
    money_is_back(tx, occasion, order, amount)
}

/// What a provider refuses once it refuses always.
fn refused_is_failed(asked: Result<RefundOutcome, ProviderError>) -> Result<RefundOutcome, ProviderError> {
    match asked {
        Err(ProviderError::Refused(reason)) => Ok(RefundOutcome::Failed { reason }),
        asked => asked,
    }
}

/// A sum is back with the buyer. When all is, an order that was shipped is refunded.
fn money_is_back(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    order: &Order,
    sum: Money,
) -> Result<(), DatabaseError> {
    let (_, payment) = as_it_stands(tx, order.id)?;
    let returned = refunds::returned(tx, order.id, sum.currency())?;
    let mut after = order.next_version(occasion);
    let is_all = returned == payment.captured;
    after.payment_status = if is_all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
    let ends = is_all && order.status.may_become(OrderStatus::Refunded);
    if ends {
        after.enter(OrderStatus::Refunded, occasion, None);
    }
    if !orders::save(tx, &after, order.version)? {
        return Err(DatabaseError::Conflict("an order changed under its lock".into()));
    }
    let refunded = PaymentRefunded {
        order_id: after.id,
        user_id: after.buyer,
        version: after.version,
        amount: amount(sum)?,
    };
    events::append(tx, occasion, &refunded)?;
    if ends {
        events::append(tx, occasion, &after.status_changed(order.status))?;
        jobs::enqueue(tx, occasion, &NotifyBuyer::of(after.id, Notice::Refunded))?;
    }
    Ok(())
}

/// The order of a refund; nobody else changes it before this transaction ends.
fn locked(tx: &mut Tx<'_>, id: OrderId) -> Result<Order, DatabaseError> {
    orders::lock(tx, Scope::All, id)?.ok_or_else(|| DatabaseError::Defect("an order is gone".into()))
}

/// As much of a provider's reason as is kept.
pub(crate) fn short(reason: &str) -> String {
    reason.chars().take(LONGEST_FAILURE).collect()
}

fn gone(refund: RefundId) -> DatabaseError {
    DatabaseError::Decode(format!("refund {refund} is gone"))
}
