//! The edge every request passes: id, client, version, who asks, the general limit, the handler, and rendering.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, OnceLock, atomic::AtomicBool},
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use stoa_kernel::{Actor, Authenticator, Id, Random, Refusal, RefusalKind, Timestamp};
use tower::{Service, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    cached::{self, Shortcuts},
    client::client_address,
    context::{Inner, RequestContext, Shared, credentials_of, too_many},
    limited::{self, Standing},
    measure::{Answered, Measures, RouteMarks},
    problem::{Problem, method_not_allowed},
    render,
    reply::Reply,
    settings::HttpSettings,
    trace_parent::{self, TRACEPARENT},
    version::{self, API_VERSION, ApiVersion},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost service of ours.
#[derive(Clone)]
pub struct Edge {
    router: Router,
    shared: Arc<Shared>,
}

impl Edge {
    /// An edge around the routes of all modules.
    pub fn new(
        router: Router,
        settings: HttpSettings,
        authenticator: Arc<dyn Authenticator>,
        platform: &stoa_platform::Platform,
    ) -> Self {
        let measures = Arc::new(Measures::new(&platform.metrics, settings.slow_request));
        let router = router
            .fallback(|| async {
                Problem(Refusal::not_found("NOT_FOUND", "There is nothing at this address."))
            })
            .method_not_allowed_fallback(method_not_allowed)
            .layer((
                RouteMarks(Arc::clone(&measures)),
                CatchPanicLayer::custom(|_| Problem(Refusal::internal("a handler panicked")).into_response()),
            ))
            // Now, and not anew for each request.
            .with_state(());
        let shared = Shared {
            settings,
            authenticator,
            limits: platform.limits.clone(),
            cache: platform.cache.clone(),
            clock: platform.clock.clone(),
            random: platform.random.clone(),
            measures,
            traces: platform.traces.clone(),
            shortcuts: Shortcuts::default(),
        };
        Self { router, shared: Arc::new(shared) }
    }

    async fn handle(self, request: Request) -> Response {
        let shared = self.shared;
        let running = shared.measures.begin();
        let now = shared.clock.now();
        let request_id = request_id(request.headers(), now, &shared.random);
        let (method, address) = (request.method().clone(), request.uri().clone());
        let if_none_match = request.headers().get(header::IF_NONE_MATCH).cloned();
        let versioned = matches!(address.path().strip_prefix("/api"), Some(rest) if rest.is_empty() || rest.starts_with('/'));
        let parent = trace_parent::parent(request.headers());
        let span = shared.traces.request(method.as_str(), parent.as_ref());

        let passage = pass(self.router, &shared, request, request_id.clone());
        let (context, response) = match &span {
            // Boxed, so that a request that is not traced carries no place for it.
            Some(span) => span.over(Box::pin(passage)).await,
            None => passage.await,
        };
        let version = context.as_ref().map_or(shared.settings.default_version, RequestContext::version);
        let version = response.extensions().get::<ApiVersion>().copied().unwrap_or(version);
        let failure = failure_of(&response);
        let details = render::Request {
            version,
            method: &method,
            if_none_match: if_none_match.as_ref(),
            id: &request_id,
            now,
        };
        let mut response = rendered(response, &details);
        finish_headers(&mut response, &details, versioned, shared.settings.https);
        let answered = Answered {
            at: now,
            method: &method,
            path: address.path(),
            request_id: &request_id,
            context: context.as_ref(),
            response: &response,
            failure,
        };
        let route = running.end(&answered);
        if let Some(span) = &span {
            answered.describe(span, &route);
        }
        let trace = span.map(|span| span.context()).or(parent);
        if let Some(traceparent) = trace.as_ref().and_then(trace_parent::header) {
            response.headers_mut().insert(TRACEPARENT, traceparent);
        }
        response
    }
}

impl Service<Request> for Edge {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let edge = self.clone();
        Box::pin(async move { Ok(edge.handle(request).await) })
    }
}

/// The client's own id when it is a decent one, else a fresh one.
fn request_id(headers: &HeaderMap, now: Timestamp, random: &Random) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let decent = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte))
    };
    given.filter(decent).map_or_else(|| Id::<()>::new(now, random).to_string(), str::to_owned)
}

/// Understands a request, or refuses it before any route is looked up. Tells where its client stands with the general
/// limit, if that counts it.
async fn admit(
    shared: &Arc<Shared>,
    request: &mut Request,
    request_id: String,
) -> Result<(RequestContext, Option<Standing>), Box<Response>> {
    let refuse = |refusal: Refusal| Box::new(Problem(refusal).into_response());
    let selected = version::select(request.uri(), request.headers(), shared.settings.default_version);
    let selected = selected.map_err(refuse)?;
    if request.uri().path_and_query().is_some_and(|address| address.as_str().contains("%00")) {
        let refused = refuse(Refusal::malformed("NUL_CHARACTER", "The address must not contain U+0000."));
        return Err(match selected {
            Some(selected) => Box::new(with_version(*refused, selected.version)),
            None => refused,
        });
    }
    let mut version = ApiVersion::V2;
    if let Some(selected) = selected {
        version = selected.version;
        if let Some(uri) = selected.uri {
            *request.uri_mut() = uri;
        }
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let peer = peer.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
    let client = client_address(peer, request.headers(), &shared.settings.trusted_proxies);
    let identity = match credentials_of(request.headers()) {
        Ok(Some(credentials)) => shared.authenticator.authenticate(credentials, client).await,
        Ok(None) => Ok(Actor::Guest),
        Err(refusal) => Err(refusal),
    };
    let inner = Inner {
        shared: Arc::clone(shared),
        request_id,
        version,
        peer: peer.ip().to_canonical(),
        client,
        identity,
        route: OnceLock::new(),
        takes_long: AtomicBool::new(false),
    };
    let context = RequestContext(Arc::new(inner));
    let taken = take_general(&context, request.uri().path()).await;
    let standing = taken.map_err(|response| Box::new(with_version(*response, version)))?;
    Ok((context, standing))
}

fn with_version(mut response: Response, version: ApiVersion) -> Response {
    response.extensions_mut().insert(version);
    response
}

/// What payment providers send, many a minute from few addresses. It has a limit of its own.
const WEBHOOKS: &str = "/api/payments/webhooks/";

/// The general limit counts what is under `/api`, but not the documentation.
async fn take_general(context: &RequestContext, path: &str) -> Result<Option<Standing>, Box<Response>> {
    let on = context.0.shared.limits.is_on();
    let counted = on
        && path.starts_with("/api/")
        && !path.starts_with("/api/docs")
        && !path.starts_with(WEBHOOKS)
        && path != "/api/openapi.json";
    if !counted {
        return Ok(None);
    }
    let limits = &context.settings().limits;
    let mut policy = limits.general.clone();
    let key = match &context.0.identity {
        Ok(actor @ (Actor::User(_) | Actor::Machine(_))) => {
            policy.max = policy.max.saturating_mul(limits.signed_in_factor);
            actor.to_string()
        }
        _ => limited::client_key(context.client()),
    };
    let decision = context.0.shared.limits.check(&policy, &key).await;
    let allowed = decision.allowed;
    let standing = Standing { policy, decision };
    if allowed {
        return Ok(Some(standing));
    }
    let mut response = Problem(too_many(&standing.decision)).into_response();
    response.extensions_mut().insert(standing);
    Err(Box::new(response))
}

/// From the head of a request to its answer before any version has given it a shape; without a context when it was
/// refused at the door.
async fn pass(
    router: Router,
    shared: &Arc<Shared>,
    mut request: Request,
    request_id: String,
) -> (Option<RequestContext>, Response) {
    let (context, standing) = match admit(shared, &mut request, request_id).await {
        Ok(admitted) => admitted,
        Err(refused) => return (None, *refused),
    };
    let mut response = if let Some(kept) = cached::kept(&context, &request) {
        kept.into_response()
    } else {
        request.extensions_mut().insert(context.clone());
        answer(router, request, &context).await
    };
    // What a route counts by itself says more.
    if let Some(standing) = standing
        && response.extensions().get::<Standing>().is_none()
    {
        response.extensions_mut().insert(standing);
    }
    (Some(context), response)
}

async fn answer(router: Router, request: Request, context: &RequestContext) -> Response {
    let mut handling = pin!(router.oneshot(request));
    let limit = context.settings().request_timeout;
    let handled = match tokio::time::timeout(limit, handling.as_mut()).await {
        Err(_) if context.takes_long() => Ok(handling.await),
        handled => handled,
    };
    match handled {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            Problem(Refusal::new(RefusalKind::Timeout, "REQUEST_TIMEOUT", "The request took too long."))
                .into_response()
        }
    }
}

/// Why a request was refused, if the fault is ours.
fn failure_of(response: &Response) -> Option<Arc<Refusal>> {
    let refusal = response.extensions().get::<Arc<Refusal>>()?;
    matches!(refusal.kind, RefusalKind::Internal | RefusalKind::Unavailable).then(|| Arc::clone(refusal))
}

fn rendered(mut response: Response, details: &render::Request<'_>) -> Response {
    let standing = response.extensions_mut().remove::<Standing>();
    let mut rendered = if let Some(reply) = response.extensions_mut().remove::<Reply>() {
        keep_headers(render::reply(reply, details), response)
    } else if let Some(refusal) = response.extensions_mut().remove::<Arc<Refusal>>() {
        keep_headers(render::refusal(&refusal, details), response)
    } else {
        response
    };
    if let Some(standing) = standing {
        limited::write_headers(rendered.headers_mut(), &standing);
    }
    rendered
}

/// Headers that layers put on the empty answer (`Allow`, `X-Cache`, …) belong on the rendered one.
fn keep_headers(mut rendered: Response, raw: Response) -> Response {
    let mut last = None;
    for (name, value) in raw.into_parts().0.headers {
        last = name.or(last);
        if let Some(name) = last.clone().filter(|name| *name != header::CONTENT_LENGTH) {
            rendered.headers_mut().append(name, value);
        }
    }
    rendered
}

fn finish_headers(response: &mut Response, details: &render::Request<'_>, versioned: bool, https: bool) {
    let status = response.status();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(details.id.as_bytes())) {
        headers.insert(REQUEST_ID, id);
    }
    if versioned {
        headers.insert(API_VERSION, HeaderValue::from_static(details.version.name()));
        headers.append(header::VARY, HeaderValue::from_static("API-Version, Authorization, X-API-Key"));
        if status != StatusCode::NOT_MODIFIED {
            headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        }
    }
    // It answers tokens and profiles as well.
    if details.version == ApiVersion::V0 {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    render::guard_headers(headers, https);
}
