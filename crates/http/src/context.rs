//! What the edge learns of a request before its handler runs, and how handlers ask for it.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use stoa_kernel::{Actor, Authenticator, Clock, Credentials, Random, Refusal};
use stoa_platform::{
    cache::Cache,
    limits::{Decision, Limits, Policy},
    traces::Traces,
};

use crate::{
    cached::Shortcuts,
    measure::{Measures, Route},
    problem::Problem,
    settings::HttpSettings,
    version::ApiVersion,
};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credential of a request, if it carries one; the bearer token is the stronger.
pub(crate) fn credentials_of(headers: &HeaderMap) -> Result<Option<Credentials<'_>>, Refusal> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        return match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Ok(Some(Credentials::Bearer(token.trim())))
            }
            _ => Err(Refusal::new(
                stoa_kernel::RefusalKind::Unauthenticated,
                "INVALID_TOKEN",
                "The Authorization header must be `Bearer <access token>`.",
            )),
        };
    }
    Ok(headers.get(X_API_KEY).map(|key| Credentials::ApiKey(key.to_str().unwrap_or_default())))
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) settings: HttpSettings,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) limits: Limits,
    pub(crate) cache: Cache,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) measures: Arc<Measures>,
    pub(crate) traces: Traces,
    pub(crate) shortcuts: Shortcuts,
}

/// One request as the edge understood it.
#[derive(Clone)]
pub struct RequestContext(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) request_id: String,
    pub(crate) version: ApiVersion,
    pub(crate) peer: IpAddr,
    pub(crate) client: IpAddr,
    pub(crate) identity: Result<Actor, Refusal>,
    /// Set when the router has found it.
    pub(crate) route: OnceLock<Arc<Route>>,
    /// Whether the usual time limit is not for this one.
    pub(crate) takes_long: AtomicBool,
}

impl RequestContext {
    /// The id under which the logs know this request.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The version it speaks.
    pub fn version(&self) -> ApiVersion {
        self.0.version
    }

    /// The address of the client, seen through trusted proxies.
    pub fn client(&self) -> IpAddr {
        self.0.client
    }

    /// The address the connection comes from: the client's own, or a proxy's.
    pub fn peer(&self) -> IpAddr {
        self.0.peer
    }

    /// Says that the time limit of requests is not for this one: its handler has limits of its own, as for a body that is
    /// long and comes slowly.
    pub fn take_long(&self) {
        self.0.takes_long.store(true, Ordering::Relaxed);
    }

    pub(crate) fn takes_long(&self) -> bool {
        self.0.takes_long.load(Ordering::Relaxed)
    }

    /// The HTTP settings in force.
    pub fn settings(&self) -> &HttpSettings {
        &self.0.shared.settings
    }

    /// Who asks; 401 when the request carries a credential that is not good, 403 when it is not good from here.
    pub fn actor(&self) -> Result<&Actor, Refusal> {
        self.0.identity.as_ref().map_err(restated)
    }

    /// Takes one of `key`'s tokens of `policy`; 429 when none is left.
    pub async fn take(&self, policy: &Policy, key: &str) -> Result<Decision, Refusal> {
        let decision = self.0.shared.limits.check(policy, key).await;
        if decision.allowed { Ok(decision) } else { Err(too_many(&decision)) }
    }

    /// A serialised resource in the shape of the request's version, for an answer that is written after its head has left.
    pub fn enveloped(&self, data: bytes::Bytes) -> bytes::Bytes {
        let request = crate::render::Request {
            version: self.version(),
            method: &axum::http::Method::GET,
            if_none_match: None,
            id: self.request_id(),
            now: self.0.shared.clock.now(),
        };
        crate::render::enveloped(data, None, &request)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.shared.cache
    }
}

/// The 429 of a limit that is used up.
pub(crate) fn too_many(decision: &Decision) -> Refusal {
    let refusal = Refusal::new(
        stoa_kernel::RefusalKind::TooMany,
        "RATE_LIMITED",
        "Too many requests. Wait a little and try again.",
    );
    refusal.with_retry_after(decision.retry_after.unwrap_or_default())
}

/// The same refusal for another reader; the source stays with the first, which is logged.
fn restated(refusal: &Refusal) -> Refusal {
    Refusal {
        kind: refusal.kind,
        code: refusal.code,
        detail: refusal.detail.clone(),
        fields: refusal.fields.clone(),
        facts: refusal.facts.clone(),
        retry_after: refusal.retry_after,
        source: None,
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let context = parts.extensions.get::<Self>().cloned();
        context.ok_or_else(|| Problem(Refusal::internal("a route is served outside the edge")))
    }
}

/// Who asks: a guest, a signed-in person or a machine. 401 when the credential that came with the request is bad.
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        Ok(Self(context.actor()?.clone()))
    }
}
