//! What ordering asks of a payment provider.
//!
//! A provider is an outside party: it can answer, refuse, be silent, or lose its answer on the way. So every question
//! carries a key made of the order, and the same key never has its effect twice. A charge whose answer was lost is
//! looked up by [`find`](PaymentProvider::find); before an order is given up its key is
//! [`void`](PaymentProvider::void)ed, so that no late charge can follow.

use std::pin::Pin;

use stoa_contracts::ordering::OrderId;
use stoa_kernel::Money;

/// An answer under way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// Why a provider gave no answer; the charge or refund may or may not have happened.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The answer was lost on the way.
    #[error("the provider's answer was lost: {0}")]
    AnswerLost(String),
    /// It could not be reached.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// It refuses what was asked, and will again.
    #[error("the provider refuses: {0}")]
    Refused(String),
}

/// How a charge stands at the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChargeOutcome {
    /// The money is taken; the provider knows the charge by this name.
    Captured {
        /// The provider's name of the charge.
        charge: String,
    },
    /// It was refused, for good.
    Declined,
    /// The buyer must do something first.
    ActionNeeded {
        /// The provider's name of the charge.
        charge: String,
        /// What kind of step it is.
        kind: String,
        /// With which the buyer's client takes that step.
        client_secret: String,
    },
    /// It never happened and never will.
    Voided,
}

/// A party that takes and returns money.
pub trait PaymentProvider: Send + Sync {
    /// Its name, kept with each payment.
    fn name(&self) -> &'static str;

    /// Whether a payment method is one of its own.
    fn accepts(&self, method: &str) -> bool;

    /// Takes `amount` by `method`, once per key: a key that is known answers as it stands.
    fn charge<'a>(&'a self, key: &'a str, amount: Money, method: &'a str) -> Answer<'a, ChargeOutcome>;

    /// How the charge of this key stands; `None` when the key was never seen.
    fn find<'a>(&'a self, key: &'a str) -> Answer<'a, Option<ChargeOutcome>>;

    /// Makes sure that the key is never charged from now on, and answers how it stands: voided, or settled before.
    fn void<'a>(&'a self, key: &'a str) -> Answer<'a, ChargeOutcome>;

    /// Gives `amount` of a captured charge back, once per refund key.
    fn refund<'a>(&'a self, key: &'a str, charge: &'a str, amount: Money) -> Answer<'a, ()>;
}

/// The key of an order's charge.
pub fn charge_key(order: OrderId) -> String {
    format!("order:{order}:charge")
}

/// The key of the refund of a whole order.
pub fn refund_key(order: OrderId) -> String {
    format!("order:{order}:refund")
}
