//! Questions to Stripe's REST API: forms out, JSON back, each with a time, a bound and an idempotency key.

use std::time::Duration;

use reqwest::{
    Client, Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use stoa_contracts::payments::ProviderError;
use url::form_urlencoded;

use super::{
    SetupError, StripeSettings,
    objects::{Failed, Failure},
};

/// The shape of answers that this driver was written for. Stripe keeps it as it is.
const VERSION: &str = "2024-06-20";
/// The longest answer that is read.
const LONGEST_ANSWER: usize = 1 << 20;
/// A line that does not come to be soon does not come to be.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a question is asked that Stripe had no time for, or that did not reach it; and how long between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

/// Why a question has no good answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The card was refused.
    Card(String),
    /// The question was refused, and nothing was done.
    Refused(Failure),
    /// There is none; what was asked may have been done.
    Unknown(ProviderError),
}

impl From<Trouble> for ProviderError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Card(reason) => Self::Refused(reason),
            Trouble::Refused(failure) => Self::Refused(failure.told()),
            Trouble::Unknown(error) => error,
        }
    }
}

/// A question.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) form: &'a [(&'a str, &'a str)],
    /// The same key is answered the same, for a day at least.
    pub(super) key: Option<&'a str>,
}

/// A line to Stripe.
pub(super) struct Line {
    client: Client,
    base: String,
}

impl Line {
    pub(super) fn new(settings: &StripeSettings) -> Result<Self, SetupError> {
        let mut headers = HeaderMap::new();
        let mut secret = HeaderValue::try_from(format!("Bearer {}", settings.secret_key))
            .map_err(|_| SetupError::SecretKey)?;
        secret.set_sensitive(true);
        headers.insert(AUTHORIZATION, secret);
        headers.insert("stripe-version", HeaderValue::from_static(VERSION));
        let client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("stoa/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(settings.patience)
            .build()?;
        Ok(Self { client, base: settings.api_base.trim_end_matches('/').to_owned() })
    }

    /// Asks, and asks again under the same key where Stripe had no time or was not reached.
    pub(super) async fn ask<T: DeserializeOwned>(&self, question: Question<'_>) -> Result<T, Trouble> {
        let mut left = TRIES;
        loop {
            left -= 1;
            match self.ask_once(question).await {
                Err(Attempt { trouble: _, again: true }) if left > 0 => tokio::time::sleep(PAUSE).await,
                Err(attempt) => return Err(attempt.trouble),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn ask_once<T: DeserializeOwned>(&self, question: Question<'_>) -> Result<T, Attempt> {
        let Question { method, path, form, key } = question;
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let address = format!("{}{path}", self.base);
        let mut request = if method == Method::GET {
            let query = if encoded.is_empty() { String::new() } else { format!("?{encoded}") };
            self.client.get(address + &query)
        } else {
            let request = self.client.request(method.clone(), address);
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded)
        };
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.send().await.map_err(Attempt::cut)?;
        let status = answer.status();
        let body = read(answer).await?;
        if status.is_success() {
            let read = serde_json::from_slice(&body);
            return read.map_err(|error| lost(format!("Stripe answered what cannot be read: {error}")));
        }
        Err(failure(status, &body))
    }
}

/// An attempt to ask that failed, and whether another may help.
struct Attempt {
    trouble: Trouble,
    again: bool,
}

impl Attempt {
    /// The line did not hold. The address is left out: it is configured, and known.
    fn cut(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let told = chain(&error);
        if error.is_connect() {
            Self { trouble: Trouble::Unknown(ProviderError::Unreachable(told)), again: true }
        } else {
            lost(told)
        }
    }
}

fn lost(told: String) -> Attempt {
    Attempt { trouble: Trouble::Unknown(ProviderError::AnswerLost(told)), again: false }
}

fn chain(error: &reqwest::Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        told = format!("{told}: {source}");
        cause = source.source();
    }
    told
}

async fn read(mut answer: Response) -> Result<Vec<u8>, Attempt> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(Attempt::cut)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(lost("Stripe's answer is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a failure means. Only a refusal says for sure that nothing was done.
fn failure(status: StatusCode, body: &[u8]) -> Attempt {
    let failure = serde_json::from_slice::<Failed>(body).map(|failed| failed.error).unwrap_or_default();
    let unknown = |again| Attempt {
        trouble: Trouble::Unknown(ProviderError::Unreachable(format!(
            "Stripe answers {status}: {}",
            failure.told()
        ))),
        again,
    };
    match status.as_u16() {
        402 => Attempt { trouble: Trouble::Card(failure.told()), again: false },
        _ if failure.kind.as_deref() == Some("card_error") => {
            Attempt { trouble: Trouble::Card(failure.told()), again: false }
        }
        // What it says may quote the key.
        401 | 403 => Attempt {
            trouble: Trouble::Unknown(ProviderError::Unreachable(format!(
                "Stripe answers {status}; check STRIPE_SECRET_KEY"
            ))),
            again: false,
        },
        // Two questions under one key at once, or about one object; or too many.
        409 | 429 => unknown(true),
        400..500 => Attempt { trouble: Trouble::Refused(failure), again: false },
        _ => unknown(false),
    }
}
