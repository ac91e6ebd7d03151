//! Rate limits on groups of routes, and the headers that tell clients where they stand.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header::HeaderName},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use stoa_kernel::Actor;
use stoa_platform::limits::{Decision, Policy};

use crate::{
    context::{RequestContext, too_many},
    problem::Problem,
    settings::LimitSettings,
};

/// Whose tokens a request takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitKey {
    /// Those of the client's address.
    Client,
    /// Those of the signed-in user, else of the client's address.
    Actor,
}

/// A rate limit of an embedder's own: window and number in its policy, whom it counts, and what it says.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// How often, in which time, and under which name it is counted.
    pub policy: Policy,
    /// Whose tokens a request takes; `None` for one that is not counted.
    pub key: fn(&RequestContext, &Request) -> Option<String>,
    /// What whoever has none left is told; the usual sentence unless given.
    pub message: Option<&'static str>,
}

type Layered = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

/// A layer's function that takes a token of a policy for every request: `from_fn(limited(|l| &l.auth, LimitKey::Client))`.
pub fn limited(
    policy: fn(&LimitSettings) -> &Policy,
    key: LimitKey,
) -> impl Fn(Request, Next) -> Layered + Clone {
    move |request, next| {
        let found = request.extensions().get::<RequestContext>();
        let taken = found.map(|context| (policy(&context.settings().limits).clone(), key_of(context, key)));
        Box::pin(take(taken, None, request, next))
    }
}

/// The same by a limit of one's own: `from_fn(limited_by(limit))`.
pub fn limited_by(limit: RateLimit) -> impl Fn(Request, Next) -> Layered + Clone {
    move |request, next| {
        let found = request.extensions().get::<RequestContext>();
        match found.map(|context| (limit.key)(context, &request)) {
            Some(None) => Box::pin(next.run(request)),
            Some(Some(key)) => {
                Box::pin(take(Some((limit.policy.clone(), key)), limit.message, request, next))
            }
            None => Box::pin(take(None, None, request, next)),
        }
    }
}

/// Takes a token and goes on, or says that there is none; without a context nobody knows whose it would be.
async fn take(
    taken: Option<(Policy, String)>,
    message: Option<&'static str>,
    request: Request,
    next: Next,
) -> Response {
    let context = request.extensions().get::<RequestContext>().cloned();
    let (Some(context), Some((policy, key))) = (context, taken) else {
        return Problem::from(stoa_kernel::Refusal::internal("a route is served outside the edge"))
            .into_response();
    };
    if !context.0.shared.limits.is_on() {
        return next.run(request).await;
    }
    let decision = context.0.shared.limits.check(&policy, &key).await;
    let mut response = if decision.allowed {
        next.run(request).await
    } else {
        let mut refusal = too_many(&decision);
        if let Some(message) = message {
            refusal.detail = message.into();
        }
        Problem(refusal).into_response()
    };
    response.extensions_mut().insert(Standing { policy, decision });
    response
}

fn key_of(context: &RequestContext, key: LimitKey) -> String {
    match (key, &context.0.identity) {
        (LimitKey::Actor, Ok(actor @ (Actor::User(_) | Actor::Machine(_)))) => actor.to_string(),
        _ => client_key(context.client()),
    }
}

/// An IPv6 client owns a whole /64, so that is what counts.
pub(crate) fn client_key(client: IpAddr) -> String {
    match client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Where a client stands with the most specific policy that was asked.
#[derive(Clone)]
pub(crate) struct Standing {
    pub(crate) policy: Policy,
    pub(crate) decision: Decision,
}

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) and the older `X-RateLimit-*`.
pub(crate) fn write_headers(headers: &mut HeaderMap, standing: &Standing) {
    let Standing { policy, decision } = standing;
    let reset = decision.reset_after.as_secs() + u64::from(decision.reset_after.subsec_nanos() > 0);
    let rule = format!("\"{}\";q={};w={}", policy.name, decision.limit, policy.window.as_secs());
    let state = format!("\"{}\";r={};t={reset}", policy.name, decision.remaining);
    for (name, text) in [(RATELIMIT_POLICY, rule), (RATELIMIT, state)] {
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
            headers.insert(name, value);
        }
    }
    headers.insert(X_RATELIMIT_LIMIT, HeaderValue::from(decision.limit));
    headers.insert(X_RATELIMIT_REMAINING, HeaderValue::from(decision.remaining));
    headers.insert(X_RATELIMIT_RESET, HeaderValue::from(reset));
}
