//! What a payment provider tells by itself: that a payment was taken, refused or given up, or that money went back.
//!
//! Notices come late, twice, out of order, and before the answer to our own question. So each is noted by its id in the
//! transaction of its effect, and only one is believed as it stands: that money was taken, which is never undone. Behind
//! every other the provider is asked how things are now.

use stoa_contracts::{
    ordering::OrderId,
    payments::{ChargeOutcome, Dispute, News, Notice, Refund},
};
use stoa_kernel::Money;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    failpoint,
};
use tracing::Instrument;

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    error::OrderError,
    hear_of_money::{MovedRefund, tell_of_dispute},
    order::Order,
    refund_order::note_foreign_refund,
    settle_payment::Listener,
    store::{
        notices,
        orders::{self, Scope},
        payments::{self, Payment},
        refunds,
    },
};

/// What a notice comes to.
#[derive(Clone, Debug)]
enum Effect {
    /// Nothing, but that it was heard.
    None,
    /// The payment of this order came to this.
    Settled { order: Box<Order>, payment: Payment, outcome: ChargeOutcome },
    /// So much of this order's money is back by now.
    Returned { order: OrderId, total: Money },
    /// A refund of this order came to this.
    Refund { order: OrderId, moved: MovedRefund },
    /// The payment of this order is disputed.
    Disputed { order: OrderId, dispute: Dispute },
}

impl Ordering {
    /// Hears a notice whose signature was good. Fails only when it should be sent again.
    pub(crate) async fn hear_notice(&self, notice: Notice, occasion: Occasion) -> Result<(), OrderError> {
        // A provider that does not wait for the answer has told us all the same.
        let ordering = self.clone();
        let hearing = async move { ordering.hear(notice, occasion).await };
        let heard = tokio::spawn(hearing.in_current_span()).await;
        heard.unwrap_or_else(|error| Err(OrderError::Refused(stoa_kernel::Refusal::internal(error))))
    }

    async fn hear(self, notice: Notice, occasion: Occasion) -> Result<(), OrderError> {
        let effect = self.effect_of(&notice).await?;
        let order = match &effect {
            Effect::None => None,
            Effect::Settled { order, .. } => Some(order.id),
            Effect::Returned { order, .. }
            | Effect::Refund { order, .. }
            | Effect::Disputed { order, .. } => Some(*order),
        };
        let (ordering, occasion) = (self.clone(), self.later(&occasion));
        let at = occasion.clone();
        let heard = self.platform.database.write(move |tx| {
            if notices::hear(tx, &notice, at.at)? {
                ordering.apply(tx, &at, &effect)?;
                failpoint::reach("payment.notice.before_commit");
            }
            Ok::<_, DatabaseError>(())
        });
        heard.await?;
        failpoint::reach("payment.after_notice");
        if let Some(order) = order {
            self.finish_return(order, &occasion).await;
        }
        Ok(())
    }

    async fn effect_of(&self, notice: &Notice) -> Result<Effect, OrderError> {
        let intent = match &notice.news {
            News::Captured { intent, .. }
            | News::Moved { intent }
            | News::Returned { intent, .. }
            | News::RefundMoved { intent, .. }
            | News::Disputed { intent, .. } => intent.clone(),
            News::Other => {
                tracing::debug!(notice.kind, "a notice that concerns nobody here");
                return Ok(Effect::None);
            }
        };
        let named = intent.clone();
        let found = self.platform.database.write(move |tx| {
            let order = payments::order_of_intent(tx, &named)?;
            order.map(|order| as_it_stands(tx, order)).transpose()
        });
        let Some((order, payment)) = found.await? else {
            tracing::info!(notice.kind, intent, "a notice of a payment that is not ours");
            return Ok(Effect::None);
        };
        let settled =
            |payment: Payment, outcome| Effect::Settled { order: Box::new(order.clone()), payment, outcome };
        Ok(match &notice.news {
            News::Captured { charge, amount: Some(amount), .. } => {
                settled(payment, ChargeOutcome::Captured { charge: charge.clone(), amount: *amount })
            }
            News::Returned { total: Some(total), .. } => Effect::Returned { order: order.id, total: *total },
            News::Returned { .. } => Effect::None,
            News::RefundMoved { refund, amount, .. } => {
                match self.outcome_of(&intent, &payment, refund, *amount).await? {
                    Some(moved) => Effect::Refund { order: order.id, moved },
                    None => Effect::None,
                }
            }
            News::Disputed { dispute, .. } => Effect::Disputed { order: order.id, dispute: dispute.clone() },
            _ if payment.state.is_taken() => Effect::None,
            // How it stands now, whatever was told: this notice may be older than what we know.
            _ => match self.providers.of_payment(&payment.provider)?.find(&intent).await? {
                Some(outcome) => settled(payment, outcome),
                None => Effect::None,
            },
        })
    }

    /// How a refund that was told of stands now.
    async fn outcome_of(
        &self,
        intent: &str,
        payment: &Payment,
        refund: &str,
        amount: Option<Money>,
    ) -> Result<Option<MovedRefund>, OrderError> {
        let asked = Refund {
            key: "",
            intent,
            charge: payment.charge.as_deref().unwrap_or_default(),
            amount: amount.unwrap_or(payment.captured),
            refund: Some(refund),
        };
        let outcome = self.providers.of_payment(&payment.provider)?.find_refund(asked).await?;
        Ok(outcome.map(|outcome| MovedRefund { name: refund.to_owned(), amount, outcome }))
    }

    fn apply(&self, tx: &mut Tx<'_>, occasion: &Occasion, effect: &Effect) -> Result<(), DatabaseError> {
        match effect {
            Effect::None => Ok(()),
            Effect::Settled { order, payment, outcome } => {
                self.settle(tx, occasion, (order, payment), outcome, Listener::Nobody).map(drop)
            }
            Effect::Returned { order, total } => {
                let Some(order) = orders::lock(tx, Scope::All, *order)? else { return Ok(()) };
                let (_, payment) = as_it_stands(tx, order.id)?;
                // Ours are put aside before they are asked for, so what is beyond them was given back by somebody else.
                match total.minus(payment.returned).filter(|foreign| foreign.minor() > 0) {
                    Some(foreign) => note_foreign_refund(tx, occasion, &order, foreign),
                    None => refunds::hurry(tx, order.id, occasion.at),
                }
            }
            Effect::Refund { order, moved } => {
                let Some(order) = orders::lock(tx, Scope::All, *order)? else { return Ok(()) };
                self.hear_of_refund(tx, occasion, &order, moved)
            }
            Effect::Disputed { order, dispute } => {
                let Some(order) = orders::lock(tx, Scope::All, *order)? else { return Ok(()) };
                tell_of_dispute(tx, occasion, &order, dispute)
            }
        }
    }
}
