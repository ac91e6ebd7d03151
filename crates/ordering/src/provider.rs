//! The payment providers of the shop, and the keys under which they are asked.
//!
//! New orders are paid at one of them. A shop that has changed its provider still owes refunds at the one before, so each
//! payment remembers whose it is.

use std::sync::Arc;

use stoa_contracts::{
    ordering::OrderId,
    payments::{Intent, PaymentProvider, ProviderError},
};

use crate::store::refunds::RefundId;

/// Who takes the money of new orders, and whoever took that of older ones.
#[derive(Clone)]
pub(crate) struct Providers {
    current: Arc<dyn PaymentProvider>,
    former: Vec<Arc<dyn PaymentProvider>>,
}

impl Providers {
    pub(crate) fn new(current: Arc<dyn PaymentProvider>) -> Self {
        Self { current, former: Vec::new() }
    }

    pub(crate) fn add_former(&mut self, provider: Arc<dyn PaymentProvider>) {
        self.former.push(provider);
    }

    /// The one that new orders are paid at.
    pub(crate) fn current(&self) -> &Arc<dyn PaymentProvider> {
        &self.current
    }

    /// The one of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<dyn PaymentProvider>> {
        std::iter::once(&self.current).chain(&self.former).find(|provider| provider.name() == name)
    }

    /// The one that a payment was made at.
    pub(crate) fn of_payment(&self, name: &str) -> Result<&Arc<dyn PaymentProvider>, ProviderError> {
        self.named(name).ok_or_else(|| {
            ProviderError::Unreachable(format!("the payment provider `{name}` is not configured any more"))
        })
    }

    /// The intent of an order, as far as it can be told without asking.
    pub(crate) fn known_intent(&self, provider: &str, order: OrderId) -> Option<Intent> {
        self.named(provider).and_then(|provider| provider.known_intent(&intent_key(order)))
    }
}

/// The key of an order's intent.
pub fn intent_key(order: OrderId) -> String {
    format!("order:{order}:charge")
}

/// The key of an attempt to pay an order. The first one's is that of the intent.
pub(crate) fn attempt_key(order: OrderId, attempt: i64) -> String {
    if attempt <= 1 { intent_key(order) } else { format!("order:{order}:charge:{attempt}") }
}

/// The key of a refund.
pub(crate) fn refund_key(order: OrderId, refund: RefundId) -> String {
    if refund.uuid() == order.uuid() {
        // From before there were refunds of a part.
        format!("order:{order}:refund")
    } else {
        format!("order:{order}:refund:{refund}")
    }
}
