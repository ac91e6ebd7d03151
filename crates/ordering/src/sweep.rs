//! Settling what stopped between two steps: a crash, a lost answer, a buyer who never came back.
//!
//! A payment says itself when it is due to be looked after. What the provider knows of decides; a charge it never saw is
//! voided there first, so that it cannot come late, and only then is the order given up.

use stoa_contracts::ordering::OrderId;
use stoa_platform::{Occasion, database::DatabaseError, jobs::JobFailure};

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    error::OrderError,
    order::Order,
    provider::charge_key,
    settle_payment::Listener,
    status::OrderStatus,
    store::payments::{self, Payment, PaymentState},
};

/// Orders to claim at a time.
const BATCH: u32 = 100;
/// Batches to a run; the next run goes on.
const MOST_BATCHES: usize = 50;

impl Ordering {
    /// Settles every payment that is due. One that cannot be settled now is due again later and holds up no other.
    pub(crate) async fn sweep(&self, occasion: Occasion) -> Result<(), JobFailure> {
        for _ in 0..MOST_BATCHES {
            let due = self.claim(&occasion).await?;
            for order in &due {
                if let Err(error) = self.mend(*order, &occasion).await {
                    tracing::warn!(order.id = %order, %error, "a payment could not be settled; trying later");
                }
            }
            if due.len() < BATCH as usize {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn claim(&self, occasion: &Occasion) -> Result<Vec<OrderId>, DatabaseError> {
        let (now, next) = (occasion.at, occasion.at + self.settings.settle_after);
        self.platform.database.write(move |tx| payments::claim_due(tx, now, next, BATCH)).await
    }

    async fn mend(&self, id: OrderId, occasion: &Occasion) -> Result<(), OrderError> {
        let found = self.platform.database.write(move |tx| as_it_stands(tx, id));
        let (order, payment) = found.await?;
        match payment.state {
            PaymentState::Charging => self.settle_found(order, payment, occasion).await,
            PaymentState::Action if order.status == OrderStatus::Pending => {
                self.settle_found(order, payment, occasion).await
            }
            PaymentState::Voiding | PaymentState::Refunding => {
                self.return_money(order, payment, occasion).await.map(drop)
            }
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
        let key = charge_key(order.id);
        let found = match payment.state {
            PaymentState::Charging => self.provider.find(&key).await?,
            // The buyer had time enough.
            _ => None,
        };
        let outcome = match found {
            Some(outcome) => outcome,
            None => self.provider.void(&key).await?,
        };
        let (ordering, occasion) = (self.clone(), self.later(occasion));
        let settled = self.platform.database.write(move |tx| {
            ordering.settle(tx, &occasion, &order, payment.state, &outcome, Listener::Nobody)
        });
        let order = settled.await?;
        tracing::info!(order.id = %order.id, status = order.status.name(), "settled an order left behind");
        Ok(())
    }

    async fn rest(&self, id: OrderId, state: PaymentState) -> Result<(), OrderError> {
        let rested = self.platform.database.write(move |tx| payments::rest(tx, id, state));
        Ok(rested.await?)
    }
}
