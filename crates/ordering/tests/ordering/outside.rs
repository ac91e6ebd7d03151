//! The `test` provider behind a line that a test can cut.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use stoa_contracts::payments::{
    Answer, Charge, ChargeOutcome, Dispute, Intent, News, Notice, NoticeError, PaymentProvider,
    ProviderError, Refund, RefundOutcome,
};
use stoa_kernel::{Money, Timestamp};
use stoa_ordering::TestProvider;

/// How the line to the provider behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// Well.
    Up,
    /// Nothing gets through.
    Cut,
    /// What is asked gets through, no answer comes back.
    Mute,
    /// The same once a payment has its name.
    MuteOnceOpened,
}

/// Whether the provider tells the name of a payment only when asked, as one over a network does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Names {
    Known,
    Asked,
}

pub(crate) struct Outside {
    provider: TestProvider,
    names: Names,
    line: Mutex<Line>,
    charges_asked: Mutex<u32>,
    /// Refunds that the buyer's bank sent back.
    sent_back: Mutex<HashSet<String>>,
}

impl Outside {
    pub(crate) fn new(provider: TestProvider, names: Names) -> Self {
        Self {
            provider,
            names,
            line: Mutex::new(Line::Up),
            charges_asked: Mutex::new(0),
            sent_back: Mutex::default(),
        }
    }

    pub(crate) fn set(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }

    /// How often a charge was asked for.
    pub(crate) fn charges_asked(&self) -> u32 {
        *self.charges_asked.lock().unwrap()
    }

    /// The buyer's client pays with the secret it was given; answers the charge.
    pub(crate) async fn pays_by_itself(&self, intent: &str, method: &str, minor: i64) -> String {
        let amount = Money::from_minor(minor, crate::shelf::usd());
        let charge = Charge { intent, key: "by itself", amount, method: Some(method) };
        match self.provider.confirm(charge).await.unwrap() {
            ChargeOutcome::Captured { charge, .. } => charge,
            _ => String::new(),
        }
    }

    /// The charge of a payment that was taken.
    pub(crate) async fn charge_of(&self, intent: &str) -> String {
        let Some(ChargeOutcome::Captured { charge, .. }) = self.provider.find(intent).await.unwrap() else {
            panic!("{intent} is not paid");
        };
        charge
    }

    /// Somebody gives money back at the provider.
    pub(crate) async fn gives_back_by_itself(&self, intent: &str, minor: i64) {
        let (charge, amount) = (self.charge_of(intent).await, Money::from_minor(minor, crate::shelf::usd()));
        let refund = Refund { key: "by itself", intent, charge: &charge, amount, refund: None };
        self.provider.refund(refund).await.unwrap();
    }

    /// The buyer's bank does not take a refund that was done.
    pub(crate) fn sends_back(&self, refund: &str) {
        self.sent_back.lock().unwrap().insert(refund.to_owned());
    }

    async fn through<T>(&self, asked: Answer<'_, T>) -> Result<T, ProviderError> {
        let line = *self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line == Line::Cut {
            return Err(ProviderError::Unreachable("the line is cut".into()));
        }
        let answer = asked.await?;
        if line != Line::Up {
            return Err(ProviderError::AnswerLost("the line is mute".into()));
        }
        Ok(answer)
    }
}

impl PaymentProvider for Outside {
    /// The name by which notices find it.
    fn name(&self) -> &'static str {
        if self.names == Names::Known { self.provider.name() } else { "stripe" }
    }

    fn accepts(&self, method: &str) -> bool {
        self.provider.accepts(method)
    }

    fn known_intent(&self, key: &str) -> Option<Intent> {
        self.provider.known_intent(key).filter(|_| self.names == Names::Known)
    }

    fn open<'a>(&'a self, key: &'a str, amount: Money) -> Answer<'a, Intent> {
        if *self.line.lock().unwrap() == Line::MuteOnceOpened {
            return self.provider.open(key, amount);
        }
        Box::pin(self.through(self.provider.open(key, amount)))
    }

    fn client_secret<'a>(&'a self, intent: &'a str) -> Answer<'a, String> {
        Box::pin(self.through(self.provider.client_secret(intent)))
    }

    fn confirm<'a>(&'a self, charge: Charge<'a>) -> Answer<'a, ChargeOutcome> {
        *self.charges_asked.lock().unwrap() += 1;
        Box::pin(self.through(self.provider.confirm(charge)))
    }

    fn find<'a>(&'a self, intent: &'a str) -> Answer<'a, Option<ChargeOutcome>> {
        Box::pin(self.through(self.provider.find(intent)))
    }

    fn void<'a>(&'a self, intent: &'a str) -> Answer<'a, ChargeOutcome> {
        Box::pin(self.through(self.provider.void(intent)))
    }

    fn refund<'a>(&'a self, refund: Refund<'a>) -> Answer<'a, RefundOutcome> {
        Box::pin(self.through(self.provider.refund(refund)))
    }

    fn find_refund<'a>(&'a self, refund: Refund<'a>) -> Answer<'a, Option<RefundOutcome>> {
        let named = refund.refund.map(|name| {
            let is_back = self.sent_back.lock().unwrap().contains(name);
            let failed = RefundOutcome::Failed { reason: "the account is closed".into() };
            if is_back { failed } else { RefundOutcome::Done { refund: name.into() } }
        });
        match named {
            Some(outcome) => Box::pin(self.through(Box::pin(async { Ok(Some(outcome)) }))),
            None => Box::pin(self.through(self.provider.find_refund(refund))),
        }
    }

    /// A notice is `<id> <kind> <intent> <charge> <minor>` in a JSON string; its signature is `good`.
    fn read_notice(&self, signature: &str, body: &[u8], _: Timestamp) -> Result<Notice, NoticeError> {
        match signature {
            "good" => {}
            "old" => return Err(NoticeError::Stale),
            _ => return Err(NoticeError::Forged),
        }
        let text: String = serde_json::from_slice(body).map_err(|_| NoticeError::Unreadable)?;
        let words: Vec<&str> = text.split(' ').collect();
        let [id, kind, intent, charge, minor] = words[..] else { return Err(NoticeError::Unreadable) };
        let amount = Some(Money::from_minor(minor.parse().unwrap(), crate::shelf::usd()));
        let intent = intent.to_owned();
        let news = match kind {
            "captured" => News::Captured { intent, charge: charge.into(), amount },
            "moved" => News::Moved { intent },
            "refund" => News::RefundMoved { intent, refund: charge.into(), amount },
            "disputed" | "lost" => {
                let status = if kind == "lost" { kind } else { "needs_response" }.to_owned();
                let (id, reason, respond_by) = (charge.to_owned(), "fraudulent".to_owned(), None);
                News::Disputed { intent, dispute: Dispute { id, amount, reason, status, respond_by } }
            }
            "returned" => News::Returned { intent, total: amount },
            _ => News::Other,
        };
        Ok(Notice { id: id.into(), kind: kind.into(), news })
    }
}
