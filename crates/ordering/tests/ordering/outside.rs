//! The `test` provider behind a line that a test can cut.

use std::sync::{Mutex, PoisonError};

use stoa_kernel::Money;
use stoa_ordering::{Answer, ChargeOutcome, PaymentProvider, ProviderError, TestProvider};

/// How the line to the provider behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// Well.
    Up,
    /// Nothing gets through.
    Cut,
    /// What is asked gets through, no answer comes back.
    Mute,
}

pub(crate) struct Outside {
    provider: TestProvider,
    line: Mutex<Line>,
    charges_asked: Mutex<u32>,
}

impl Outside {
    pub(crate) fn new(provider: TestProvider) -> Self {
        Self { provider, line: Mutex::new(Line::Up), charges_asked: Mutex::new(0) }
    }

    pub(crate) fn set(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }

    /// How often a charge was asked for.
    pub(crate) fn charges_asked(&self) -> u32 {
        *self.charges_asked.lock().unwrap()
    }

    async fn through<T>(&self, asked: Answer<'_, T>) -> Result<T, ProviderError> {
        let line = *self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line == Line::Cut {
            return Err(ProviderError::Unreachable("the line is cut".into()));
        }
        let answer = asked.await?;
        if line == Line::Mute {
            return Err(ProviderError::AnswerLost("the line is mute".into()));
        }
        Ok(answer)
    }
}

impl PaymentProvider for Outside {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn accepts(&self, method: &str) -> bool {
        self.provider.accepts(method)
    }

    fn charge<'a>(&'a self, key: &'a str, amount: Money, method: &'a str) -> Answer<'a, ChargeOutcome> {
        *self.charges_asked.lock().unwrap() += 1;
        Box::pin(self.through(self.provider.charge(key, amount, method)))
    }

    fn find<'a>(&'a self, key: &'a str) -> Answer<'a, Option<ChargeOutcome>> {
        Box::pin(self.through(self.provider.find(key)))
    }

    fn void<'a>(&'a self, key: &'a str) -> Answer<'a, ChargeOutcome> {
        Box::pin(self.through(self.provider.void(key)))
    }

    fn refund<'a>(&'a self, key: &'a str, charge: &'a str, amount: Money) -> Answer<'a, ()> {
        Box::pin(self.through(self.provider.refund(key, charge, amount)))
    }
}
