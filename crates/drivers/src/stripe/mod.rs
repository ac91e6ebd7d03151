//! Payments at Stripe: a handful of REST calls and a signature.
//!
//! An intent is made without a payment method, so nothing can be taken by it; its id is kept by whoever asked, and the
//! money is taken by confirming that id. An answer that was lost is looked up by the id, which Stripe answers from what it
//! has just written; nothing here rests on its search, which lags behind. Giving up an order cancels its intent, and
//! Stripe lets only one of cancelling and paying happen.

mod amounts;
mod client;
mod objects;
mod signature;

use std::{fmt, time::Duration};

use reqwest::Method;
use serde::de::DeserializeOwned;
use stoa_contracts::payments::{
    Answer, Charge, ChargeOutcome, Intent, News, Notice, NoticeError, PaymentProvider, ProviderError, Refund,
    RefundOutcome,
};
use stoa_kernel::{Money, Timestamp};

use self::{
    client::{Line, Question, Trouble},
    objects::{ChargeObject, DisputeObject, Event, Identified, List, PaymentIntent, RefundObject},
};

/// Where Stripe is.
pub const API_BASE: &str = "https://api.stripe.com";
/// How long an answer may take. A whole order is asked for in three questions, and the sweep comes after a minute.
const PATIENCE: Duration = Duration::from_secs(12);
/// The longest id of Stripe's that is taken.
const LONGEST_ID: usize = 255;
/// Refunds of an intent that are looked through for one of ours.
const REFUNDS_TO_A_PAGE: &str = "100";

/// How Stripe is asked.
#[derive(Clone)]
pub struct StripeSettings {
    /// The key of the account, `sk_…` or `rk_…`.
    pub secret_key: String,
    /// What its webhooks are signed with, `whsec_…`; without one nothing is heard.
    pub webhook_secret: Option<String>,
    /// Where it is.
    pub api_base: String,
    /// How long an answer may take.
    pub patience: Duration,
}

impl StripeSettings {
    /// The usual settings for an account.
    pub fn of(secret_key: String) -> Self {
        Self { secret_key, webhook_secret: None, api_base: API_BASE.to_owned(), patience: PATIENCE }
    }
}

impl fmt::Debug for StripeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeSettings").field("api_base", &self.api_base).finish_non_exhaustive()
    }
}

/// Why Stripe cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key holds what no header can.
    #[error("STRIPE_SECRET_KEY is not a key: it holds characters that keys do not have")]
    SecretKey,
    /// The client cannot be made.
    #[error("HTTPS cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// The provider `stripe`.
pub struct Stripe {
    line: Line,
    webhook_secret: Option<String>,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stripe")
    }
}

impl Stripe {
    /// The provider. Nobody is asked yet.
    pub fn new(settings: StripeSettings) -> Result<Self, SetupError> {
        Ok(Self { line: Line::new(&settings)?, webhook_secret: settings.webhook_secret })
    }

    /// Whether Stripe answers and takes the key.
    pub async fn check(&self) -> Result<(), ProviderError> {
        let asked: Result<serde::de::IgnoredAny, Trouble> = self.get("/v1/balance", &[]).await;
        asked.map(drop).map_err(ProviderError::from)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Trouble> {
        self.line.ask(Question { method: &Method::GET, path, form: query, key: None }).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<T, Trouble> {
        self.line.ask(Question { method: &Method::POST, path, form, key }).await
    }

    async fn intent(&self, id: &str) -> Result<PaymentIntent, ProviderError> {
        Ok(self.get(&intent_path(id, "")?, &[]).await?)
    }

    async fn make_intent(&self, key: &str, amount: Money) -> Result<Intent, ProviderError> {
        let minor = in_stripes_units(amount)?.to_string();
        let currency = amount.currency().code().to_ascii_lowercase();
        let form = [
            ("amount", minor.as_str()),
            ("currency", &currency),
            // Those that can be confirmed without sending the buyer to another page.
            ("payment_method_types[]", "card"),
            ("metadata[order]", key),
        ];
        let path = "/v1/payment_intents";
        let made = match self.post::<PaymentIntent>(path, &form, Some(&format!("open:{key}"))).await {
            // Stripe keeps a failure of its own under the key for a day, and a second intent harms nobody: nothing is
            // paid by one whose name was not kept.
            Err(Trouble::Unknown(ProviderError::Unreachable(_))) => {
                self.post::<PaymentIntent>(path, &form, Some(&format!("open-again:{key}"))).await?
            }
            made => made?,
        };
        Ok(Intent { id: made.id })
    }

    async fn take(&self, charge: Charge<'_>) -> Result<ChargeOutcome, ProviderError> {
        let Some(method) = charge.method else { return self.taken_by_itself(charge.intent).await };
        let form = [("payment_method", method), ("use_stripe_sdk", "true")];
        let key = format!("confirm:{}", charge.key);
        let path = intent_path(charge.intent, "/confirm")?;
        match self.post::<PaymentIntent>(&path, &form, Some(&key)).await {
            Ok(intent) => intent.outcome().ok_or_else(still_worked_on),
            Err(Trouble::Card(_)) => Ok(ChargeOutcome::Declined),
            Err(Trouble::Unknown(error)) => Err(error),
            // It was paid or given up before, or this is no method of Stripe's.
            Err(Trouble::Refused(failure)) => {
                let found = self.intent(charge.intent).await?.outcome();
                if found.is_none() {
                    tracing::warn!(
                        intent = charge.intent,
                        reason = failure.told(),
                        "Stripe refuses an attempt to pay"
                    );
                }
                Ok(found.unwrap_or(ChargeOutcome::Declined))
            }
        }
    }

    /// The buyer's client has paid, or taken the second step: Stripe knows.
    async fn taken_by_itself(&self, id: &str) -> Result<ChargeOutcome, ProviderError> {
        self.intent(id).await?.outcome().ok_or_else(still_worked_on)
    }

    async fn cancel(&self, id: &str) -> Result<ChargeOutcome, ProviderError> {
        match self.post::<PaymentIntent>(&intent_path(id, "/cancel")?, &[], None).await {
            Ok(_) => Ok(ChargeOutcome::Voided),
            // Paid or cancelled before, or being paid now.
            Err(Trouble::Refused(_)) => match self.intent(id).await?.outcome() {
                Some(settled @ (ChargeOutcome::Captured { .. } | ChargeOutcome::Voided)) => Ok(settled),
                _ => Err(still_worked_on()),
            },
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn give_back(&self, wanted: Refund<'_>) -> Result<RefundOutcome, ProviderError> {
        let amount = in_stripes_units(wanted.amount)?.to_string();
        let form = [
            ("payment_intent", wanted.intent),
            ("amount", amount.as_str()),
            ("metadata[refund]", wanted.key),
        ];
        let key = format!("refund:{}", wanted.key);
        let made: objects::Refund = self.post("/v1/refunds", &form, Some(&key)).await?;
        Ok(made.outcome())
    }

    async fn given_back(&self, wanted: Refund<'_>) -> Result<Option<RefundOutcome>, ProviderError> {
        if let Some(refund) = wanted.refund {
            let found: objects::Refund = self.get(&format!("/v1/refunds/{}", plain(refund)?), &[]).await?;
            return Ok(Some(found.outcome()));
        }
        let query = [("payment_intent", wanted.intent), ("limit", REFUNDS_TO_A_PAGE)];
        let page: List<objects::Refund> = self.get("/v1/refunds", &query).await?;
        match page.data.into_iter().find(|refund| refund.is_of(wanted.key)) {
            Some(found) => Ok(Some(found.outcome())),
            None if page.has_more => {
                Err(ProviderError::Unreachable("the payment has too many refunds to look through".into()))
            }
            None => Ok(None),
        }
    }
}

fn still_worked_on() -> ProviderError {
    ProviderError::AnswerLost("Stripe is still working on it".into())
}

fn in_stripes_units(money: Money) -> Result<i64, ProviderError> {
    let told = || ProviderError::Refused(format!("Stripe has no units for {money} {}", money.currency()));
    amounts::to_stripe(money).ok_or_else(told)
}

/// The path of something about an intent.
fn intent_path(id: &str, rest: &str) -> Result<String, ProviderError> {
    Ok(format!("/v1/payment_intents/{}{rest}", plain(id)?))
}

/// An id that can stand in a path.
fn plain(id: &str) -> Result<&str, ProviderError> {
    let fine = (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fine { Ok(id) } else { Err(ProviderError::Refused("this is no id of Stripe's".into())) }
}

/// What an event says.
fn news(event: &Event<'_>) -> Result<News, serde_json::Error> {
    let object = event.data.object.get();
    Ok(match event.kind.as_str() {
        "payment_intent.succeeded" => {
            let intent: PaymentIntent = serde_json::from_str(object)?;
            News::Captured { charge: intent.charge(), amount: intent.taken(), intent: intent.id }
        }
        kind if kind.starts_with("payment_intent.") => {
            let Identified { id } = serde_json::from_str(object)?;
            News::Moved { intent: id }
        }
        "charge.refunded" => {
            let charge: ChargeObject = serde_json::from_str(object)?;
            match charge.intent() {
                Some(intent) => News::Returned { intent, total: charge.returned() },
                None => News::Other,
            }
        }
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            serde_json::from_str::<RefundObject>(object)?.news()
        }
        kind if kind.starts_with("charge.dispute.") => serde_json::from_str::<DisputeObject>(object)?.news(),
        _ => News::Other,
    })
}

impl PaymentProvider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn accepts(&self, method: &str) -> bool {
        method.starts_with("pm_") && plain(method).is_ok()
    }

    fn open<'a>(&'a self, key: &'a str, amount: Money) -> Answer<'a, Intent> {
        Box::pin(self.make_intent(key, amount))
    }

    fn client_secret<'a>(&'a self, intent: &'a str) -> Answer<'a, String> {
        Box::pin(async move {
            let found = self.intent(intent).await?.client_secret;
            found.ok_or_else(|| ProviderError::AnswerLost("Stripe told no client secret".into()))
        })
    }

    fn confirm<'a>(&'a self, charge: Charge<'a>) -> Answer<'a, ChargeOutcome> {
        Box::pin(self.take(charge))
    }

    fn find<'a>(&'a self, intent: &'a str) -> Answer<'a, Option<ChargeOutcome>> {
        Box::pin(async move { Ok(self.intent(intent).await?.outcome()) })
    }

    fn void<'a>(&'a self, intent: &'a str) -> Answer<'a, ChargeOutcome> {
        Box::pin(self.cancel(intent))
    }

    fn refund<'a>(&'a self, refund: Refund<'a>) -> Answer<'a, RefundOutcome> {
        Box::pin(self.give_back(refund))
    }

    fn find_refund<'a>(&'a self, refund: Refund<'a>) -> Answer<'a, Option<RefundOutcome>> {
        Box::pin(self.given_back(refund))
    }

    fn read_notice(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Notice, NoticeError> {
        let secret = self.webhook_secret.as_deref().ok_or(NoticeError::NotConfigured)?;
        signature::check(secret.as_bytes(), signature, body, now)?;
        let event: Event<'_> = serde_json::from_slice(body).map_err(|_| NoticeError::Unreadable)?;
        if event.id.is_empty() || event.id.len() > LONGEST_ID || event.kind.len() > LONGEST_ID {
            return Err(NoticeError::Unreadable);
        }
        let news = news(&event).map_err(|_| NoticeError::Unreadable)?;
        Ok(Notice { id: event.id, kind: event.kind, news })
    }
}

#[cfg(test)]
mod tests {
    use stoa_contracts::payments::Dispute;
    use stoa_kernel::Currency;

    use super::*;

    fn told(kind: &str, object: &str) -> Result<News, String> {
        let body = format!(r#"{{"id":"evt_1","type":"{kind}","data":{{"object":{object}}}}}"#);
        let event: Event<'_> = serde_json::from_str(&body).unwrap();
        news(&event).map_err(|error| error.to_string())
    }

    fn dollars(minor: i64) -> Money {
        Money::from_minor(minor, Currency::parse("USD").unwrap())
    }

    #[test]
    fn what_happens_to_refunds_is_heard() {
        let object = r#"{"id":"re_1","object":"refund","payment_intent":"pi_1","amount":250,"currency":"usd","status":"failed"}"#;
        let moved =
            News::RefundMoved { intent: "pi_1".into(), refund: "re_1".into(), amount: Some(dollars(250)) };
        for kind in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"] {
            assert_eq!(told(kind, object).unwrap(), moved, "{kind}");
        }
        let expanded = object.replace("\"pi_1\"", r#"{"id":"pi_1","object":"payment_intent"}"#);
        assert_eq!(told("refund.failed", &expanded).unwrap(), moved);
        let of_a_charge = object.replace("\"pi_1\"", "null");
        assert_eq!(told("refund.failed", &of_a_charge).unwrap(), News::Other);
        assert!(told("refund.failed", r#"{"id":"re_1"}"#).is_err());
    }

    #[test]
    fn disputes_are_heard_as_they_stand() {
        let object = r#"{"id":"dp_1","object":"dispute","charge":"ch_1","payment_intent":"pi_1","amount":1110,"currency":"usd",
            "reason":"fraudulent","status":"needs_response","evidence_details":{"due_by":1768478400,"has_evidence":false}}"#;
        let dispute = Dispute {
            id: "dp_1".into(),
            amount: Some(dollars(1_110)),
            reason: "fraudulent".into(),
            status: "needs_response".into(),
            respond_by: Some(Timestamp::from_seconds(1_768_478_400)),
        };
        for kind in ["charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"] {
            let disputed = News::Disputed { intent: "pi_1".into(), dispute: dispute.clone() };
            assert_eq!(told(kind, object).unwrap(), disputed, "{kind}");
        }
        let endless =
            object.replace("1768478400", "9223372036854775807").replace("fraudulent", &"x".repeat(10_000));
        let Ok(News::Disputed { dispute, .. }) = told("charge.dispute.created", &endless) else { panic!() };
        assert_eq!((dispute.respond_by, dispute.reason.len()), (None, 300));
        assert!(told("charge.dispute.created", r#"{"id":"dp_1"}"#).is_err());
    }
}
