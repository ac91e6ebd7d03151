//! The way to the outer system that keeps a copy of the users.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{StatusCode, header, redirect};
use sha2::{Digest, Sha256};

use crate::settings::{SettingsError, SyncSettings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const AGENT: &str = concat!("stoa/", env!("CARGO_PKG_VERSION"));

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Every user of it is known there now.
    Taken,
    /// Understood, and refused for what it says, with this status.
    ContentRefused(u16),
    /// Anything else: not reached, no answer in time, an answer that says nothing about the users.
    Failed(String),
}

/// Sends batches to one address.
#[derive(Clone)]
pub(crate) struct SyncClient {
    http: reqwest::Client,
    url: String,
}

impl SyncClient {
    pub(crate) fn new(settings: &SyncSettings) -> Result<Self, SettingsError> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout)
            .user_agent(AGENT)
            // Following one would send the users to somebody nobody named.
            .redirect(redirect::Policy::none());
        let http = http.build().map_err(|error| SettingsError::Sync(error.without_url()))?;
        Ok(Self { http, url: settings.url.clone() })
    }

    /// POSTs a JSON body under a key that is the same for the same body and no other. Nothing of the answer but its
    /// status is read.
    pub(crate) async fn send(&self, body: Vec<u8>) -> Outcome {
        let key = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&body));
        let request = self.http.post(&self.url).header("idempotency-key", key);
        let sent = request.header(header::CONTENT_TYPE, "application/json").body(body).send().await;
        match sent {
            Ok(answer) => judged(answer.status()),
            Err(error) => Outcome::Failed(reason(error)),
        }
    }
}

fn judged(status: StatusCode) -> Outcome {
    match status {
        status if status.is_success() => Outcome::Taken,
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Outcome::ContentRefused(status.as_u16()),
        status => Outcome::Failed(format!("answered {}", status.as_u16())),
    }
}

/// The whole chain of causes, without the address, which may hold a password.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        reason.push_str(": ");
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    reason
}

/// The address may hold a password, so it is not shown.
impl fmt::Debug for SyncClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncClient").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_users_is_held_against_them() {
        assert_eq!(judged(StatusCode::OK), Outcome::Taken);
        assert_eq!(judged(StatusCode::NO_CONTENT), Outcome::Taken);
        assert_eq!(judged(StatusCode::UNPROCESSABLE_ENTITY), Outcome::ContentRefused(422));
        for other in [301, 401, 403, 404, 408, 429, 500, 503] {
            let status = StatusCode::from_u16(other).unwrap();
            assert!(matches!(judged(status), Outcome::Failed(_)), "{other}");
        }
    }
}
