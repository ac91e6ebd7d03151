//! Settling what stopped between two steps: a crash, a lost answer, a buyer who never came back.
//!
//! A payment or a refund says itself when it is due to be looked after. What the provider knows of decides; a charge it
//! never saw is voided there first, so that it cannot come late, and only then is the order given up.

use stoa_contracts::{ordering::OrderId, payments::ChargeOutcome};
use stoa_platform::{Occasion, database::DatabaseError, jobs::JobFailure};

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    charge_order::free,
    error::OrderError,
    order::Order,
    settle_payment::Listener,
    status::OrderStatus,
    store::{
        notices,
        payments::{self, Payment, PaymentState},
        refunds::{self, RefundId},
    },
};

/// Orders to claim at a time.
const BATCH: u32 = 100;
/// Batches to a run; the next run goes on.
const MOST_BATCHES: usize = 50;
/// How long it is remembered that a notice was heard: longer than any provider repeats it.
const NOTICES_KEPT: std::time::Duration = std::time::Duration::from_hours(30 * 24);

impl Ordering {
    /// Settles every payment and refund that is due. One that cannot be settled now is due again later and holds up no
    /// other.
    pub(crate) async fn sweep(&self, occasion: Occasion) -> Result<(), JobFailure> {
        for _ in 0..MOST_BATCHES {
            let due = self.claim(&occasion).await?;
            for order in &due {
                if let Err(error) = self.mend(*order, &occasion).await {
                    tracing::warn!(order.id = %order, %error, "a payment could not be settled; trying later");
                }
            }
            if due.len() < BATCH as usize {
                break;
            }
        }
        for _ in 0..MOST_BATCHES {
            let due = self.claim_refunds(&occasion).await?;
            for (refund, order) in &due {
                if let Err(error) = self.run_refund(*order, *refund, &occasion).await {
                    tracing::warn!(order.id = %order, refund.id = %refund, %error, "a refund could not be settled; trying later");
                }
            }
            if due.len() < BATCH as usize {
                break;
            }
        }
        let limit = occasion.at - NOTICES_KEPT;
        let pruned = self.platform.database.write(move |tx| notices::prune(tx, limit, BATCH * 10));
        pruned.await.map(drop).map_err(|error: DatabaseError| error.into())
    }

    async fn claim(&self, occasion: &Occasion) -> Result<Vec<OrderId>, DatabaseError> {
        let (now, next) = (occasion.at, occasion.at + self.settings.settle_after);
        self.platform.database.write(move |tx| payments::claim_due(tx, now, next, BATCH)).await
    }

    async fn claim_refunds(&self, occasion: &Occasion) -> Result<Vec<(RefundId, OrderId)>, DatabaseError> {
        let now = occasion.at;
        let patience = i64::try_from(self.settings.settle_after.as_micros()).unwrap_or(i64::MAX / 100);
        self.platform.database.write(move |tx| refunds::claim_due(tx, now, patience, BATCH)).await
    }

    async fn mend(&self, id: OrderId, occasion: &Occasion) -> Result<(), OrderError> {
        let found = self.platform.database.write(move |tx| as_it_stands(tx, id));
        let (order, payment) = found.await?;
        let waits = order.status == OrderStatus::Pending;
        match payment.state {
            PaymentState::Charging => self.settle_found(order, payment, occasion).await,
            // The buyer had time enough.
            PaymentState::Waiting | PaymentState::Action if waits => {
                let order = self.void(order, payment, occasion).await?;
                tell(&order);
                self.return_money(id, occasion).await
            }
            PaymentState::Voiding => self.return_money(id, occasion).await,
            // Confirmed by hand, or settled meanwhile: nothing is left to look after.
            state => self.rest(id, state).await,
        }
    }

    async fn settle_found(
        &self,
        order: Order,
        payment: Payment,
        occasion: &Occasion,
    ) -> Result<(), OrderError> {
        let outcome = match self.look_up(&order, &payment).await? {
            Some(outcome) => outcome,
            // It came to nothing, and there is time for another attempt.
            None if order.is_paid_later() && occasion.at < self.end_of_hold(&order) => {
                ChargeOutcome::Declined
            }
            None => {
                let order = self.void(order, payment, occasion).await?;
                tell(&order);
                return self.return_money(order.id, occasion).await;
            }
        };
        let (ordering, occasion, id) = (self.clone(), self.later(occasion), order.id);
        let at = occasion.clone();
        let settled = self
            .platform
            .database
            .write(move |tx| ordering.settle(tx, &at, (&order, &payment), &outcome, Listener::Nobody));
        tell(&settled.await?);
        self.return_money(id, &occasion).await
    }

    async fn look_up(&self, order: &Order, payment: &Payment) -> Result<Option<ChargeOutcome>, OrderError> {
        if order.is_free() {
            return Ok(Some(free(order)));
        }
        match self.intent_of(order.id, payment) {
            Ok(intent) => Ok(self.providers.of_payment(&payment.provider)?.find(&intent).await?),
            Err(_) => Ok(None),
        }
    }

    async fn rest(&self, id: OrderId, state: PaymentState) -> Result<(), OrderError> {
        let rested = self.platform.database.write(move |tx| payments::rest(tx, id, state));
        Ok(rested.await?)
    }
}

fn tell(order: &Order) {
    tracing::info!(order.id = %order.id, status = order.status.name(), "settled an order left behind");
}
