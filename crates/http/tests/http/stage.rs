//! A toy module of pots behind the real edge.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::HeaderMap,
    middleware::from_fn,
    routing::{get, post},
};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_http::{
    Begun, CacheRule, Caller, Edge, HttpSettings, Idempotent, IfMatch, Json, LimitKey, ListQuery, Once,
    Outcome, PathParts, RateLimit, Reply, RequestContext, cached, cached_by, deprecated_surface, limited,
    limited_by,
};
use stoa_kernel::{
    Actor, Authenticator, Clock, Credentials, ManualClock, Page, Random, Refusal, RefusalKind, SessionId,
    SortOrder, Timestamp, actor::Machine, authenticate::Identified,
};
use stoa_platform::{
    MIGRATIONS, Platform,
    cache::{Cache, Tag},
    database::{DatabaseError, Migration, Tx},
    limits::{Limits, Policy},
    mail::Mailer,
    storage::Storage,
    testing::TestDatabase,
};
use tower::ServiceExt;

pub(crate) fn migrations() -> Vec<Migration> {
    [MIGRATIONS, &[stoa_http::IDEMPOTENCY_MIGRATION]].concat()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pot {
    pub(crate) name: String,
}

/// `Bearer good` is a machine called good; everything else is refused.
struct Doorkeeper;

impl Authenticator for Doorkeeper {
    fn authenticate<'r>(&'r self, credentials: Credentials<'r>, _: std::net::IpAddr) -> Identified<'r> {
        Box::pin(async move {
            match credentials {
                Credentials::Bearer("good") => {
                    Ok(Actor::Machine(Machine { name: "good".into(), permissions: Arc::default() }))
                }
                _ => Err(Refusal::new(RefusalKind::Unauthenticated, "INVALID_TOKEN", "Not good.")),
            }
        })
    }

    /// Machines have none.
    fn of_session(&self, _: SessionId) -> Identified<'_> {
        Box::pin(async { Err(Refusal::new(RefusalKind::Unauthenticated, "SESSION_ENDED", "No session.")) })
    }
}

pub(crate) struct Stage {
    pub(crate) edge: Edge,
    pub(crate) clock: ManualClock,
    pub(crate) platform: Platform,
    /// How often the slow pot was really made, and what it holds.
    pub(crate) made: Arc<AtomicI64>,
    pub(crate) worth: Arc<AtomicI64>,
    /// Who began to fire the kiln, in order.
    pub(crate) fired: Fired,
    _folder: tempfile::TempDir,
}

/// Requests that have begun, for the test to complete.
pub(crate) type Fired = Arc<Mutex<Vec<Once>>>;

pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Stage {
    pub(crate) fn new(database: &TestDatabase, settings: HttpSettings, limits: bool) -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_seconds(1_768_478_400));
        let folder = tempfile::tempdir().unwrap();
        let platform = Platform {
            database: database.open(),
            clock: clock.clock(),
            random: Random::system(),
            cache: Cache::in_process(1 << 20, clock.clock()),
            scanner: None,
            storage: Storage::folder(&folder.path().join("files")).unwrap(),
            limits: if limits { Limits::in_process(clock.clock()) } else { Limits::off() },
            mailer: Arc::new(
                Mailer::to_folder(folder.path(), "shop@example.com", &[], Clock::system()).unwrap(),
            ),
            metrics: stoa_platform::metrics::Metrics::off(),
            traces: stoa_platform::traces::Traces::off(),
            relay: None,
        };
        let (made, worth) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(1)));
        let fired = Fired::default();
        let router = routes(&platform, &made, &worth).route("/api/kilns", post(kiln(&platform, &fired)));
        let edge = Edge::new(router, settings, Arc::new(Doorkeeper), &platform);
        Self { edge, clock, platform, made, worth, fired, _folder: folder }
    }

    pub(crate) async fn send(&self, request: Request) -> Seen {
        send(self.edge.clone(), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, key: Option<&str>, body: &str) -> Seen {
        self.send(post_request(path, key, body)).await
    }
}

pub(crate) fn post_request(path: &str, key: Option<&str>, body: &str) -> Request {
    request_by(path, key, body, Some("Bearer good"))
}

/// A POST with these credentials, or none.
pub(crate) fn request_by(path: &str, key: Option<&str>, body: &str, credentials: Option<&str>) -> Request {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(credentials) = credentials {
        request = request.header("authorization", credentials);
    }
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

pub(crate) async fn send(edge: Edge, request: Request) -> Seen {
    let response = edge.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Seen { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn routes(platform: &Platform, made: &Arc<AtomicI64>, worth: &Arc<AtomicI64>) -> Router {
    let rule = CacheRule { prefix: "pots", ttl: Duration::from_mins(10), visibility: |_| Some("all") };
    let (made_here, worth_here) = (Arc::clone(made), Arc::clone(worth));
    let slow = move || {
        let (made, worth) = (Arc::clone(&made_here), Arc::clone(&worth_here));
        async move {
            made.fetch_add(1, Ordering::SeqCst);
            Ok(Reply::ok(&worth.load(Ordering::SeqCst))?.with_tag(Tag::named("pots"))) as Outcome
        }
    };
    let slow_by_colour = slow.clone();
    let (database, clock, counted) = (platform.database.clone(), platform.clock.clone(), Arc::clone(made));
    let create = move |guest: HeaderMap, Idempotent { body, once }: Idempotent<Pot>| async move {
        let once = match guest.get("x-guest") {
            Some(name) => once.among_guests(name.to_str().unwrap()),
            None => once,
        };
        once.run(&database, &clock, move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            if body.name == "refused" {
                return Err(Refusal::conflict("POT_TAKEN", "There is one.").into());
            }
            Ok::<_, MakeError>(
                Reply::created(&body).map_err(|_| MakeError::Odd)?.at("/api/pots/1").with_etag(1),
            )
        })
        .await
    };
    Router::new()
        .route("/api/pots", get(list).post(create))
        .route("/api/pots/slow", get(slow).layer(from_fn(cached(rule))))
        .route("/api/pots/by-colour", get(slow_by_colour).layer(from_fn(cached_by(rule, colour))))
        .route("/api/pots/own-limit", get(list).layer(from_fn(limited_by(own_limit()))))
        .route(
            "/api/pots/limited",
            get(list).layer(from_fn(limited(|limits| &limits.auth, LimitKey::Client))),
        )
        .route("/api/pots/panics", get(panics))
        .route("/api/pots/{number}", get(one).put(replace))
        .route("/api/me", get(me))
        .merge(deprecated_surface(Router::new().route("/pot", get(one_pot)).route("/pot/bad", post(refused))))
}

/// What is begun here the test completes; until then the key is held.
fn kiln(
    platform: &Platform,
    fired: &Fired,
) -> impl Fn(Idempotent<Pot>) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Clone + use<> {
    let (database, clock, fired) = (platform.database.clone(), platform.clock.clone(), Arc::clone(fired));
    move |Idempotent { once, .. }| {
        let (database, now, fired, attempt) =
            (database.clone(), clock.now(), Arc::clone(&fired), once.clone());
        Box::pin(async move {
            let begin = move |tx: &mut Tx<'_>| Ok::<_, DatabaseError>(attempt.begin(tx, now));
            match database.write(begin).await?.map_err(Refusal::from)? {
                Begun::Replay(reply) => Ok(*reply),
                Begun::Fresh | Begun::Resume(_) => {
                    fired.lock().unwrap().push(once);
                    Reply::ok(&"it burns")
                }
            }
        })
    }
}

fn colour(_: &RequestContext, request: &Request) -> Option<String> {
    let colour = request.headers().get("x-colour")?;
    Some(colour.to_str().ok()?.to_owned())
}

/// Three a minute to each kiln; whoever names none is not counted.
fn own_limit() -> RateLimit {
    RateLimit {
        policy: Policy { name: "kilns", max: 3, window: Duration::from_mins(1) },
        key: |_, request| Some(request.headers().get("x-kiln")?.to_str().ok()?.to_owned()),
        message: Some("The kiln is full. Come back in a minute."),
    }
}

#[derive(Debug)]
pub(crate) enum MakeError {
    Odd,
    Refused(Box<Refusal>),
    Database(DatabaseError),
}

impl From<Refusal> for MakeError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<DatabaseError> for MakeError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<MakeError> for Refusal {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Odd => Self::internal("odd"),
            MakeError::Refused(refusal) => *refusal,
            MakeError::Database(error) => error.into(),
        }
    }
}

async fn list(query: ListQuery) -> Outcome {
    query.sort(&[("name", ())], ((), SortOrder::Asc))?;
    let page = Page { entries: vec!["a", "b"], next: None, total: query.page.wants_total().then_some(2) };
    Reply::page(&page, &query.page)
}

async fn one(PathParts(number): PathParts<u32>) -> Outcome {
    if number > 9 {
        return Err(Refusal::not_found("POT_NOT_FOUND", "No such pot.").with_fact("known", 9).into());
    }
    Ok(Reply::ok(&Pot { name: format!("pot {number}") })?.with_etag(number))
}

async fn replace(PathParts(number): PathParts<u32>, condition: IfMatch, Json(pot): Json<Pot>) -> Outcome {
    condition.check(number)?;
    Ok(Reply::ok(&pot)?.with_etag(number))
}

async fn one_pot() -> Outcome {
    Reply::ok(&Pot { name: "old".into() })
}

async fn refused() -> Outcome {
    Err(Refusal::conflict("POT_TAKEN", "There is one.").into())
}

async fn me(Caller(actor): Caller) -> Outcome {
    Reply::ok(&actor.to_string())
}

async fn panics() -> Outcome {
    panic!("a secret of the inside")
}
