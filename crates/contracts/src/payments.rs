//! What is asked of a payment provider.
//!
//! A provider is an outside party: it can answer, refuse, be silent, or lose its answer on the way. So a payment is made
//! in two questions. [`open`](PaymentProvider::open) makes an *intent*, which takes no money and has a name that is kept
//! before anything else happens; [`confirm`](PaymentProvider::confirm) takes the money by that name, once. Whatever was
//! lost after that is looked up by name ([`find`](PaymentProvider::find)), and before an order is given up its intent is
//! [`void`](PaymentProvider::void)ed, so that no late charge can follow.

use std::pin::Pin;

use stoa_kernel::{Money, Timestamp};

/// An answer under way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// Why a provider gave no answer. But for a refusal, what was asked may or may not have happened.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The answer was lost on the way.
    #[error("the provider's answer was lost: {0}")]
    AnswerLost(String),
    /// It could not be reached, or cannot serve now.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// It refuses what was asked, did nothing, and will refuse again.
    #[error("the provider refuses: {0}")]
    Refused(String),
}

/// A payment that the provider knows of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// The provider's name for it.
    pub id: String,
}

/// A taking of money that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// The provider's name of the payment.
    pub intent: &'a str,
    /// The key of this attempt: the same key is tried once.
    pub key: &'a str,
    /// What the payment was made for.
    pub amount: Money,
    /// By what it is paid; none where the buyer has taken the second step of the method given before.
    pub method: Option<&'a str>,
}

/// How a payment stands at the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChargeOutcome {
    /// The money is taken.
    Captured {
        /// The provider's name of the charge.
        charge: String,
        /// What was taken.
        amount: Money,
    },
    /// The last attempt was refused. Another may be made until the payment is voided.
    Declined,
    /// The buyer must do something first.
    ActionNeeded {
        /// What kind of step it is.
        kind: String,
        /// With which the buyer's client takes that step.
        client_secret: String,
    },
    /// No money was taken and none will be.
    Voided,
}

/// A giving back of money that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Refund<'a> {
    /// Its key: the same key gives back once.
    pub key: &'a str,
    /// The provider's name of the payment.
    pub intent: &'a str,
    /// The provider's name of the charge.
    pub charge: &'a str,
    /// How much.
    pub amount: Money,
    /// The provider's name of the refund, once it was told.
    pub refund: Option<&'a str>,
}

/// How a refund stands at the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefundOutcome {
    /// The money is back.
    Done {
        /// The provider's name of the refund.
        refund: String,
    },
    /// It is on its way, which can take days.
    Pending {
        /// The provider's name of the refund.
        refund: String,
    },
    /// It will not be given back.
    Failed {
        /// Why, in the provider's words.
        reason: String,
    },
}

/// What a provider tells by itself: a webhook, its signature checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Its id: the same notice may come many times.
    pub id: String,
    /// What the provider calls this sort of notice.
    pub kind: String,
    /// What it says.
    pub news: News,
}

/// What a notice says. Notices come late, twice and in any order, so none but a capture is believed without a look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// A payment was taken.
    Captured {
        /// The provider's name of the payment.
        intent: String,
        /// The provider's name of the charge.
        charge: String,
        /// What was taken; none when it is in a currency or size that cannot be ours.
        amount: Option<Money>,
    },
    /// Something else happened to a payment: refused, given up, waiting for its buyer.
    Moved {
        /// The provider's name of the payment.
        intent: String,
    },
    /// Money of a payment went back.
    Returned {
        /// The provider's name of the payment.
        intent: String,
        /// How much of it so far, all refunds together; none when it cannot be ours.
        total: Option<Money>,
    },
    /// Something happened to a refund: it was made, it came through, or the buyer's bank did not take it.
    RefundMoved {
        /// The provider's name of the payment.
        intent: String,
        /// The provider's name of the refund.
        refund: String,
        /// How much of it; none when it cannot be ours.
        amount: Option<Money>,
    },
    /// A buyer has their bank claim a payment back, or that went on.
    Disputed {
        /// The provider's name of the payment.
        intent: String,
        /// What is disputed, and how it stands.
        dispute: Dispute,
    },
    /// Nothing that concerns us.
    Other,
}

/// A payment that a buyer has their bank claim back. What becomes of it is decided at the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispute {
    /// The provider's name of it.
    pub id: String,
    /// How much is claimed; none when it cannot be ours.
    pub amount: Option<Money>,
    /// Why, in the provider's word: `fraudulent`, `product_not_received`, …
    pub reason: String,
    /// How it stands, in the provider's word: `needs_response`, `won`, `lost`, …
    pub status: String,
    /// Until when the provider hears the shop's side.
    pub respond_by: Option<Timestamp>,
}

/// Why a notice is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoticeError {
    /// This provider sends none, or we have no secret to check them by.
    #[error("notices are not set up")]
    NotConfigured,
    /// There is no signature, or none of ours.
    #[error("the signature is not good")]
    Forged,
    /// It was signed too long ago, or in the future.
    #[error("the signature is too old")]
    Stale,
    /// Signed, but no notice.
    #[error("the notice cannot be read")]
    Unreadable,
}

/// A party that takes and returns money.
pub trait PaymentProvider: Send + Sync {
    /// Its name, kept with each payment.
    fn name(&self) -> &'static str;

    /// Whether a payment method is one of its own.
    fn accepts(&self, method: &str) -> bool;

    /// The intent of a key, where its name follows from the key and nobody needs to be asked for it.
    fn known_intent(&self, _key: &str) -> Option<Intent> {
        None
    }

    /// Makes the intent of a key. It takes no money.
    fn open<'a>(&'a self, key: &'a str, amount: Money) -> Answer<'a, Intent>;

    /// What a buyer's client needs to pay an intent by itself. Not to be kept.
    fn client_secret<'a>(&'a self, intent: &'a str) -> Answer<'a, String>;

    /// Takes the money, once per key of an attempt and once per intent: one that is paid or voided answers as it stands.
    fn confirm<'a>(&'a self, charge: Charge<'a>) -> Answer<'a, ChargeOutcome>;

    /// How an intent stands; `None` when nobody has tried to pay it, or it is not told yet what came of that.
    fn find<'a>(&'a self, intent: &'a str) -> Answer<'a, Option<ChargeOutcome>>;

    /// Makes sure that the intent is never paid from now on, and answers how it stands: voided, or captured before.
    fn void<'a>(&'a self, intent: &'a str) -> Answer<'a, ChargeOutcome>;

    /// Gives back a part or all of what was captured, once per key.
    fn refund<'a>(&'a self, refund: Refund<'a>) -> Answer<'a, RefundOutcome>;

    /// How the refund of this key stands; `None` when it was never seen.
    fn find_refund<'a>(&'a self, refund: Refund<'a>) -> Answer<'a, Option<RefundOutcome>>;

    /// Reads a notice that came at `now` with this signature, if it is one of the provider's.
    fn read_notice(&self, _signature: &str, _body: &[u8], _now: Timestamp) -> Result<Notice, NoticeError> {
        Err(NoticeError::NotConfigured)
    }
}
