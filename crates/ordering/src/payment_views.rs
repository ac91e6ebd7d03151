//! What payments and refunds look like from outside.

use serde::Serialize;
use stoa_contracts::ordering::OrderId;
use stoa_kernel::{Currency, Money, Timestamp};
use utoipa::ToSchema;

use crate::{
    order::Order,
    status::OrderStatus,
    store::refunds::{RefundId, RefundState, Refunding},
    views::NextAction,
};

/// What a buyer's client needs to pay an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentIntent)]
pub(crate) struct IntentView {
    /// The payment's name, to confirm it by.
    #[schema(example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    pub(crate) payment_intent_id: String,
    /// What the provider's client library takes. Do not keep it.
    pub(crate) client_secret: String,
}

/// What came of an attempt to pay.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentConfirmation)]
pub(crate) struct ConfirmationView {
    /// Whether the order is paid.
    success: bool,
    /// The provider's name of the charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    transaction_id: Option<String>,
    /// Why it is not paid: a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// The same as a stable word: `PAYMENT_DECLINED` or `ACTION_REQUIRED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<String>,
    /// What the buyer must do before it is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_action: Option<NextAction>,
}

impl ConfirmationView {
    pub(crate) fn paid(charge: Option<&str>) -> Self {
        Self {
            success: true,
            transaction_id: charge.map(str::to_owned),
            error: None,
            code: None,
            next_action: None,
        }
    }

    pub(crate) fn declined(order: &Order) -> Self {
        let error = if order.status == OrderStatus::Pending {
            "The payment did not go through. Try another way to pay."
        } else {
            "The payment did not go through. The order was cancelled."
        };
        Self::unpaid(error, "PAYMENT_DECLINED", None)
    }

    pub(crate) fn one_more_step(next_action: NextAction) -> Self {
        let error = "The payment needs another step of the buyer.";
        Self::unpaid(error, "ACTION_REQUIRED", Some(next_action))
    }

    fn unpaid(error: &str, code: &str, next_action: Option<NextAction>) -> Self {
        Self {
            success: false,
            transaction_id: None,
            error: Some(error.into()),
            code: Some(code.into()),
            next_action,
        }
    }
}

/// How far a refund has come.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RefundStatus {
    /// On its way, or to be made.
    Pending,
    /// The money is back.
    Succeeded,
    /// The provider refuses it for good.
    Failed,
}

/// Money that goes back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refund)]
pub(crate) struct RefundView {
    #[schema(value_type = String, format = Uuid)]
    id: RefundId,
    order_id: OrderId,
    amount: Money,
    currency: Currency,
    status: RefundStatus,
    /// Why it goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Why the provider refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failure: Option<String>,
    /// Who asked for it: `user:<id>`, `key:<name>` or `system:<name>`.
    requested_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Refunding> for RefundView {
    fn from(refund: Refunding) -> Self {
        Self {
            id: refund.id,
            order_id: refund.order,
            amount: refund.amount,
            currency: refund.amount.currency(),
            status: match refund.state {
                RefundState::Pending => RefundStatus::Pending,
                RefundState::Succeeded => RefundStatus::Succeeded,
                RefundState::Failed => RefundStatus::Failed,
            },
            reason: refund.reason,
            failure: refund.failure,
            requested_by: refund.requested_by,
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}
