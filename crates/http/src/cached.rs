//! The response cache as a layer on a GET route.
//!
//! What is kept is the serialised resource; the envelope of a version is written around it. Invalidation is by the tags
//! that a handler puts on its [`Reply`]. A route that has kept an answer is known to the edge from then on, which looks for
//! the next one itself and asks the router only where there is none: finding a route and going through its layers costs
//! more than all the rest of a kept answer.

use std::{fmt::Write as _, future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use stoa_kernel::Actor;
use stoa_platform::cache::{Cached, Entry, FillGuard, Lookup};

use crate::{
    context::RequestContext,
    measure::Route,
    problem::Problem,
    reply::{ListShape, Reply},
};

/// Longer queries are not worth a place in the cache.
const LONGEST_QUERY: usize = 512;
/// Routes that the edge knows; there are far fewer whose answers are kept.
const MOST_SHORTCUTS: usize = 64;

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
/// and query; `None` for one whose answer is not to be kept. The edge does not look for these itself: the key may need what
/// only the way through the router puts into a request.
pub fn cached_by(
    rule: CacheRule,
    key: fn(&RequestContext, &Request) -> Option<String>,
) -> impl Fn(Request, Next) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone {
    move |request, next| Box::pin(answer(rule, Some(key), request, next))
}

type KeyOf = fn(&RequestContext, &Request) -> Option<String>;

async fn answer(rule: CacheRule, own_key: Option<KeyOf>, request: Request, next: Next) -> Response {
    let context = request.extensions().get::<RequestContext>().cloned();
    // Here, and not only in handlers that ask who it is: a bad credential is told whether or not anybody needs a good one.
    if let Some(Err(refusal)) = context.as_ref().map(RequestContext::actor) {
        return Problem(refusal).into_response();
    }
    let keyed = context.and_then(|it| key(&rule, own_key, &it, &request).map(|key| (it, key)));
    let Some((context, key)) = keyed else {
        return next.run(request).await;
    };
    match context.cache().get_or_lock(&key).await {
        Lookup::Hit(entry) => replayed(&entry).into_response(),
        Lookup::Fill(guard) => fill(rule, own_key, &context, guard, next.run(request).await).await,
    }
}

/// The kept answer to a request, if it is for a route that is known to keep them and there is one.
pub(crate) fn kept(context: &RequestContext, request: &Request) -> Option<Reply> {
    if request.method() != Method::GET || !context.cache().is_on() {
        return None;
    }
    let shortcuts = context.0.shared.shortcuts.0.read();
    let shortcut = shortcuts.iter().find(|shortcut| shortcut.leads_to(request.uri().path()))?;
    let key = key(&shortcut.rule, None, context, request)?;
    let entry = context.cache().find(&key)?;
    // Nothing has asked the router yet.
    let _ = context.0.route.set(Arc::clone(&shortcut.route));
    Some(replayed(&entry))
}

/// Routes that have kept an answer, those first whose patterns leave least open.
#[derive(Default)]
pub(crate) struct Shortcuts(RwLock<Vec<Shortcut>>);

struct Shortcut {
    rule: CacheRule,
    route: Arc<Route>,
}

impl Shortcuts {
    fn learn(&self, rule: CacheRule, route: &Arc<Route>) {
        let is_known = |known: &[Shortcut]| known.iter().any(|known| Arc::ptr_eq(&known.route, route));
        if is_known(&self.0.read()) {
            return;
        }
        let mut known = self.0.write();
        if known.len() < MOST_SHORTCUTS && !is_known(&known) {
            known.push(Shortcut { rule, route: Arc::clone(route) });
            known.sort_by_key(|shortcut| shortcut.route.pattern().matches('{').count());
        }
    }
}

impl Shortcut {
    fn leads_to(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.route.pattern().split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(open), Some(part)) if open.starts_with('{') && !part.is_empty() => {}
                (Some(word), Some(part)) if word == part => {}
                _ => return false,
            }
        }
    }
}

/// What tells one answer from another; `None` when this one is not for the cache.
fn key(rule: &CacheRule, own: Option<KeyOf>, context: &RequestContext, request: &Request) -> Option<String> {
    if !context.cache().is_on() {
        return None;
    }
    let visibility = (rule.visibility)(context.actor().ok()?)?;
    if let Some(own) = own {
        let (version, own) = (context.version().name(), own(context, request)?);
        return Some(format!("{}|{version}|{visibility}|={own}", rule.prefix));
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
    Some(key)
}

fn replayed(entry: &Cached) -> Reply {
    let mut reply = Reply::of_data(StatusCode::OK, entry.data.clone());
    // What is no list has none.
    reply.list = if entry.meta.is_empty() { None } else { serde_json::from_slice(&entry.meta).ok() };
    reply.etag = Some(entry.etag.to_string());
    reply.found = Some("HIT");
    reply
}

async fn fill(
    rule: CacheRule,
    own_key: Option<KeyOf>,
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
    if own_key.is_none()
        && let Some(route) = context.0.route.get()
    {
        context.0.shared.shortcuts.learn(rule, route);
    }
    reply.found = Some("MISS");
    reply.into_response()
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
