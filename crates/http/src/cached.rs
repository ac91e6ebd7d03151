//! The response cache as a layer on a GET route.
//!
//! What is kept is the serialised resource; the envelope of a version is written around it. Invalidation is by the tags
//! that a handler puts on its [`Reply`].

use std::{fmt::Write as _, future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use stoa_kernel::Actor;
use stoa_platform::cache::{Cached, Entry, FillGuard, Lookup};

use crate::{
    context::RequestContext,
    problem::Problem,
    reply::{ListShape, Reply},
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
/// Longer queries are not worth a place in the cache.
const LONGEST_QUERY: usize = 512;
/// Clients may keep the answer but ask each time whether it still holds.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// How the answers of a route are kept.
#[derive(Clone, Copy, Debug)]
pub struct CacheRule {
    /// What the keys begin with.
    pub prefix: &'static str,
    /// How long an answer is kept at most.
    pub ttl: Duration,
    /// What the caller may see, as part of the key; `None` for a caller whose answers are not to be kept.
    pub visibility: fn(&Actor) -> Option<&'static str>,
}

/// A layer's function that answers from the cache when it can: `from_fn(cached(rule))`.
pub fn cached(
    rule: CacheRule,
) -> impl Fn(Request, Next) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone {
    move |request, next| Box::pin(answer(rule, None, request, next))
}

/// As [`cached`], with answers told apart by what `key` makes of a request beside version and visibility, instead of by path
/// and query; `None` for one whose answer is not to be kept.
pub fn cached_by(
    rule: CacheRule,
    key: fn(&RequestContext, &Request) -> Option<String>,
) -> impl Fn(Request, Next) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone {
    move |request, next| Box::pin(answer(rule, Some(key), request, next))
}

type KeyOf = fn(&RequestContext, &Request) -> Option<String>;

async fn answer(rule: CacheRule, own_key: Option<KeyOf>, request: Request, next: Next) -> Response {
    // Here, and not only in handlers that ask who it is: a bad credential is told whether or not anybody needs a good one.
    if let Some(Err(refusal)) = request.extensions().get::<RequestContext>().map(RequestContext::actor) {
        return Problem(refusal).into_response();
    }
    let Some((context, key)) = key(&rule, own_key, &request) else {
        return next.run(request).await;
    };
    match context.cache().get_or_lock(&key).await {
        Lookup::Hit(entry) => replayed(&entry),
        Lookup::Fill(guard) => fill(rule, &context, guard, next.run(request).await).await,
    }
}

/// What tells one answer from another; `None` when this one is not for the cache.
fn key(rule: &CacheRule, own: Option<KeyOf>, request: &Request) -> Option<(RequestContext, String)> {
    let context = request.extensions().get::<RequestContext>()?;
    if !context.cache().is_on() {
        return None;
    }
    let visibility = (rule.visibility)(context.actor().ok()?)?;
    if let Some(own) = own {
        let (version, own) = (context.version().name(), own(context, request)?);
        let key = format!("{}|{version}|{visibility}|={own}", rule.prefix);
        return Some((context.clone(), key));
    }
    let query = request.uri().query().unwrap_or_default();
    if query.len() > LONGEST_QUERY {
        return None;
    }
    let path = request.uri().path();
    let mut key = String::with_capacity(rule.prefix.len() + path.len() + query.len() + 16);
    // Writing to a String cannot fail.
    let _ = write!(key, "{}|{}|{visibility}|{path}?", rule.prefix, context.version().name());
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    for pair in pairs {
        key.push_str(pair);
        key.push('&');
    }
    Some((context.clone(), key))
}

fn replayed(entry: &Cached) -> Response {
    let mut reply = Reply::of_data(StatusCode::OK, entry.data.clone());
    reply.list = serde_json::from_slice(&entry.meta).ok();
    reply.etag = Some(entry.etag.to_string());
    marked(reply, "HIT")
}

fn marked(reply: Reply, found: &'static str) -> Response {
    let mut response = reply.into_response();
    response.headers_mut().insert(X_CACHE, HeaderValue::from_static(found));
    response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
    response
}

async fn fill(
    rule: CacheRule,
    context: &RequestContext,
    guard: FillGuard,
    mut response: Response,
) -> Response {
    let kept = response.extensions_mut().remove::<Reply>();
    let Some(mut reply) = kept else { return response };
    if reply.status != StatusCode::OK || reply.tags.is_empty() {
        return reply.into_response();
    }
    let etag = reply.etag.get_or_insert_with(|| content_etag(&reply.data, reply.list.as_ref())).clone();
    let now = context.0.shared.clock.now();
    let meta = reply.list.as_ref().and_then(|list| serde_json::to_vec(list).ok()).unwrap_or_default();
    let entry = Entry {
        data: reply.data.clone(),
        meta: Bytes::from(meta),
        etag: Arc::from(etag),
        tags: reply.tags.clone().into(),
        stored_at: now,
        expires_at: reply.holds_until.map_or(now + rule.ttl, |end| end.min(now + rule.ttl)),
    };
    guard.store(entry).await;
    marked(reply, "MISS")
}

/// A strong entity tag made of the content, for answers that have no version of their own.
fn content_etag(data: &Bytes, list: Option<&ListShape>) -> String {
    let mut digest = Sha256::new();
    digest.update(data);
    if let Some(list) = list {
        digest.update(format!("{list:?}"));
    }
    let hash = digest.finalize();
    let mut etag = String::with_capacity(34);
    etag.push('"');
    for byte in hash.iter().take(12) {
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    etag
}
