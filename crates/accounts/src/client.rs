//! Where a request came from, as sessions and the audit log remember it.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use stoa_http::{Problem, RequestContext};

const LONGEST_USER_AGENT: usize = 255;

/// The other end of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Client {
    /// Its network address.
    pub(crate) address: String,
    /// What it calls itself.
    pub(crate) user_agent: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let told = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self { address: context.client().to_string(), user_agent: told.map(shortened) })
    }
}

/// Header text is visible ASCII, so any place to cut is fine.
fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_USER_AGENT).collect()
}
