//! What Stripe answers, as far as it is read. Unknown fields are no matter.

use serde::Deserialize;
use stoa_contracts::payments::{ChargeOutcome, Dispute, News, RefundOutcome};
use stoa_kernel::{Money, Timestamp};

use super::amounts::from_stripe;

/// A refusal or a failure.
#[derive(Deserialize, Default)]
pub(super) struct Failed {
    #[serde(default)]
    pub(super) error: Failure,
}

#[derive(Deserialize, Default, Debug)]
pub(super) struct Failure {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) message: Option<String>,
}

/// The longest of Stripe's sentences that is kept.
const LONGEST_MESSAGE: usize = 300;

impl Failure {
    /// In words.
    pub(super) fn told(&self) -> String {
        let codes = [self.kind.as_deref(), self.code.as_deref(), self.decline_code.as_deref()];
        let codes: Vec<&str> = codes.into_iter().flatten().collect();
        let message = self.message.as_deref().unwrap_or("no reason given");
        let message: String = message.chars().take(LONGEST_MESSAGE).collect();
        format!("{} ({message})", codes.join(", "))
    }
}

/// An object, or only its id where it was not expanded.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Named {
    Id(String),
    Object { id: String },
}

impl Named {
    fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) client_secret: Option<String>,
    status: String,
    amount: i64,
    amount_received: Option<i64>,
    currency: String,
    latest_charge: Option<Named>,
    last_payment_error: Option<serde::de::IgnoredAny>,
    next_action: Option<NextAction>,
}

#[derive(Deserialize)]
struct NextAction {
    #[serde(rename = "type")]
    kind: String,
}

impl PaymentIntent {
    /// The name of the charge; that of the intent where it is not told.
    pub(super) fn charge(&self) -> String {
        self.latest_charge.as_ref().map_or(self.id.as_str(), Named::id).to_owned()
    }

    /// What was taken; `None` when that is no amount of ours.
    pub(super) fn taken(&self) -> Option<Money> {
        from_stripe(self.amount_received.unwrap_or(self.amount), &self.currency)
    }

    /// How the payment stands; `None` when nobody has tried to pay, or it is still worked on.
    pub(super) fn outcome(&self) -> Option<ChargeOutcome> {
        match self.status.as_str() {
            "succeeded" => {
                // A sum that cannot be ours is told as nothing, which no order with a price agrees with.
                let amount = self.taken().or_else(|| from_stripe(0, &self.currency))?;
                Some(ChargeOutcome::Captured { charge: self.charge(), amount })
            }
            "requires_action" | "requires_source_action" => {
                let kind =
                    self.next_action.as_ref().map_or("use_stripe_sdk", |action| &action.kind).to_owned();
                let client_secret = self.client_secret.clone().unwrap_or_default();
                Some(ChargeOutcome::ActionNeeded { kind, client_secret })
            }
            "requires_payment_method" | "requires_source" if self.last_payment_error.is_some() => {
                Some(ChargeOutcome::Declined)
            }
            "canceled" => Some(ChargeOutcome::Voided),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Refund {
    id: String,
    status: Option<String>,
    failure_reason: Option<String>,
    metadata: Option<Metadata>,
}

/// A refund, as an event tells of it.
#[derive(Deserialize)]
pub(super) struct RefundObject {
    pub(super) id: String,
    payment_intent: Option<Named>,
    amount: i64,
    currency: String,
}

impl RefundObject {
    pub(super) fn news(self) -> News {
        let Some(intent) = self.payment_intent else { return News::Other };
        let amount = from_stripe(self.amount, &self.currency);
        News::RefundMoved { intent: intent.id().to_owned(), refund: self.id, amount }
    }
}

/// A dispute, as an event tells of it.
#[derive(Deserialize)]
pub(super) struct DisputeObject {
    id: String,
    payment_intent: Option<Named>,
    amount: i64,
    currency: String,
    reason: String,
    status: String,
    evidence_details: Option<EvidenceDetails>,
}

#[derive(Deserialize)]
struct EvidenceDetails {
    due_by: Option<i64>,
}

impl DisputeObject {
    pub(super) fn news(self) -> News {
        let Some(intent) = self.payment_intent else { return News::Other };
        let due_by = self.evidence_details.and_then(|evidence| evidence.due_by);
        let dispute = Dispute {
            amount: from_stripe(self.amount, &self.currency),
            id: short(self.id),
            reason: short(self.reason),
            status: short(self.status),
            respond_by: due_by.and_then(|seconds| seconds.checked_mul(1_000_000)).map(Timestamp::from_micros),
        };
        News::Disputed { intent: intent.id().to_owned(), dispute }
    }
}

fn short(text: String) -> String {
    if text.len() <= LONGEST_MESSAGE { text } else { text.chars().take(LONGEST_MESSAGE).collect() }
}

#[derive(Deserialize)]
struct Metadata {
    refund: Option<String>,
}

impl Refund {
    /// Whether it was made under this key.
    pub(super) fn is_of(&self, key: &str) -> bool {
        self.metadata.as_ref().and_then(|metadata| metadata.refund.as_deref()) == Some(key)
    }

    pub(super) fn outcome(self) -> RefundOutcome {
        match self.status.as_deref() {
            Some("succeeded") => RefundOutcome::Done { refund: self.id },
            Some(status @ ("failed" | "canceled")) => RefundOutcome::Failed {
                reason: format!("{} {status}: {}", self.id, self.failure_reason.unwrap_or_default()),
            },
            _ => RefundOutcome::Pending { refund: self.id },
        }
    }
}

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// An event.
#[derive(Deserialize)]
pub(super) struct Event<'e> {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(borrow)]
    pub(super) data: EventData<'e>,
}

#[derive(Deserialize)]
pub(super) struct EventData<'e> {
    #[serde(borrow)]
    pub(super) object: &'e serde_json::value::RawValue,
}

/// A charge, as an event tells of it.
#[derive(Deserialize)]
pub(super) struct ChargeObject {
    pub(super) payment_intent: Option<Named>,
    amount_refunded: i64,
    currency: String,
}

impl ChargeObject {
    pub(super) fn intent(&self) -> Option<String> {
        self.payment_intent.as_ref().map(|named| named.id().to_owned())
    }

    pub(super) fn returned(&self) -> Option<Money> {
        from_stripe(self.amount_refunded, &self.currency)
    }
}

/// Anything that has an id.
#[derive(Deserialize)]
pub(super) struct Identified {
    pub(super) id: String,
}
