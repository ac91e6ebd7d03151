//! What a provider tells of money after it was taken: refunds that come through or come back, and disputes.
//!
//! A bank may refuse a refund days after the provider took it, also one that was said to be done. Then the shop has the
//! money again, the books say so, and whoever looks after orders is told. What becomes of a dispute is decided at the
//! provider; here it is told, each time it moves.

use stoa_contracts::{
    ordering::{PaymentDisputed, PaymentRefundFailed},
    payments::{Dispute, RefundOutcome},
};
use stoa_kernel::Money;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};

use crate::{
    Ordering,
    order::{Order, amount},
    refund_order::short,
    status::PaymentStatus,
    store::{
        orders, payments,
        refunds::{self, RefundState, Refunding},
    },
};

/// A refund at the provider, and how it stands there.
#[derive(Clone, Debug)]
pub(crate) struct MovedRefund {
    /// The provider's name of it.
    pub(crate) name: String,
    /// How much of it; none when it cannot be ours.
    pub(crate) amount: Option<Money>,
    pub(crate) outcome: RefundOutcome,
}

impl Ordering {
    /// Writes down how a refund stands, whoever made it.
    pub(crate) fn hear_of_refund(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        order: &Order,
        moved: &MovedRefund,
    ) -> Result<(), DatabaseError> {
        let known = refunds::named(tx, order.id, &moved.name, order.totals.total.currency())?;
        match (known, &moved.outcome) {
            (Some(refund), outcome) if refund.state == RefundState::Pending => {
                self.settle_refund(tx, occasion, &refund, outcome)
            }
            (Some(refund), RefundOutcome::Failed { reason }) => {
                money_came_back(tx, occasion, order, &refund, reason)
            }
            (Some(_), _) => Ok(()),
            (None, RefundOutcome::Failed { reason }) => {
                let currency = order.totals.total.currency();
                if let Some(refund) = refunds::nameless(tx, order.id, moved.amount, currency)? {
                    return money_came_back(tx, occasion, order, &refund, reason);
                }
                tracing::error!(order.id = %order.id, refund = moved.name, reason, "a refund that was not made here failed; look at it at the provider");
                Ok(())
            }
            // Ours, perhaps, whose name is not told yet.
            (None, _) => refunds::hurry(tx, order.id, occasion.at),
        }
    }
}

/// Money that was said to be with the buyer is with the shop again, and can be given back anew.
fn money_came_back(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    order: &Order,
    refund: &Refunding,
    reason: &str,
) -> Result<(), DatabaseError> {
    let reason = short(reason);
    if !refunds::revoke(tx, refund.id, &reason, occasion.at)? {
        return Ok(());
    }
    payments::release_return(tx, order.id, refund.amount, occasion.at)?;
    let returned = refunds::returned(tx, order.id, refund.amount.currency())?;
    let mut after = order.next_version(occasion);
    after.payment_status =
        if returned.minor() == 0 { PaymentStatus::Captured } else { PaymentStatus::PartiallyRefunded };
    if !orders::save(tx, &after, order.version)? {
        return Err(DatabaseError::Conflict("an order changed under its lock".into()));
    }
    tell_of_failure(tx, occasion, &after, refund, &reason)
}

/// Tells that money did not go back after all.
pub(crate) fn tell_of_failure(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    order: &Order,
    refund: &Refunding,
    reason: &str,
) -> Result<(), DatabaseError> {
    tracing::error!(
        order.id = %order.id, refund.id = %refund.id, reason,
        "the provider refuses a refund for good: look at it there, then refund the order again"
    );
    let failed = PaymentRefundFailed {
        order_id: order.id,
        user_id: order.buyer,
        version: order.version,
        refund_id: refund.id.uuid().into(),
        amount: amount(refund.amount)?,
        reason: reason.to_owned(),
    };
    events::append(tx, occasion, &failed).map(drop)
}

/// Tells how a dispute stands.
pub(crate) fn tell_of_dispute(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    order: &Order,
    dispute: &Dispute,
) -> Result<(), DatabaseError> {
    tracing::warn!(
        order.id = %order.id, dispute.id, dispute.status, dispute.reason,
        "a payment is disputed: answer it at the provider"
    );
    let disputed = PaymentDisputed {
        order_id: order.id,
        user_id: order.buyer,
        version: order.version,
        dispute_id: dispute.id.clone(),
        amount: dispute.amount.map(amount).transpose()?,
        reason: dispute.reason.clone(),
        status: dispute.status.clone(),
        respond_by: dispute.respond_by,
    };
    events::append(tx, occasion, &disputed).map(drop)
}
