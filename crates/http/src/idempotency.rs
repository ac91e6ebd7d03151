//! `Idempotency-Key`: a POST that is sent again has its effect once and gets its first answer again.
//!
//! The record commits with the effect. Its key's scope is the actor, the method, the path and the version; guests share
//! one actor, so a guest's key holds only where something tells that guest from others. Refusals and failures are not
//! kept: whoever was refused may mend the request and try again under the same key.
//!
//! A request holds its key by a lease. One that takes longer than that may find its key taken by a retry: then it neither
//! keeps an answer nor frees the key. Each lease of a key ends later than the one before, and is known by that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::HttpBody,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use stoa_kernel::{Actor, Clock, Refusal, RefusalKind, Timestamp};
use stoa_platform::{
    Platform,
    database::{Database, DatabaseError, Migration, Tx},
    jobs::{Handler, Job, Schedule},
    params,
};

use crate::{
    body::{parse_json, read_json},
    context::RequestContext,
    module::Module,
    problem::Problem,
    reply::Reply,
};

/// The table of kept answers.
pub const IDEMPOTENCY_MIGRATION: Migration =
    Migration::shared(3, "idempotency", include_str!("../../../migrations/0003_idempotency.sql"));

const KEPT: Duration = Duration::from_hours(24);
/// How long a request counts as running; a retry after that resumes it.
const LEASE: Duration = Duration::from_secs(30);
const LONGEST_KEY: usize = 255;
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A JSON body together with the idempotency key that came with it.
#[derive(Debug)]
pub struct Idempotent<T> {
    /// The body.
    pub body: T,
    /// The key, if one was given.
    pub once: Once,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Idempotent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let context = RequestContext::from_request_parts(&mut parts, state).await?;
        let key = parts.headers.get("idempotency-key").map(read_key).transpose()?;
        let bytes = read_json(&parts.headers, body, context.settings().body_limit).await?;
        Ok(Self { once: Once::of(&context, &parts, key, &bytes)?, body: parse_json(&bytes)? })
    }
}

/// The same where the body may be left out, with its type.
#[derive(Debug)]
pub struct MaybeEmpty<T>(pub Idempotent<T>);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeEmpty<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.headers().contains_key(header::CONTENT_TYPE) || !request.body().is_end_stream() {
            return Idempotent::from_request(request, state).await.map(Self);
        }
        let (mut parts, _) = request.into_parts();
        let context = RequestContext::from_request_parts(&mut parts, state).await?;
        let key = parts.headers.get("idempotency-key").map(read_key).transpose()?;
        Ok(Self(Idempotent { once: Once::of(&context, &parts, key, &[])?, body: T::default() }))
    }
}

fn read_key(value: &HeaderValue) -> Result<String, Problem> {
    let key = value.to_str().ok().map(str::trim).filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    key.map(str::to_owned).ok_or_else(|| {
        let detail = "The Idempotency-Key must be 1 to 255 visible ASCII characters.";
        Problem(Refusal::malformed("INVALID_IDEMPOTENCY_KEY", detail))
    })
}

/// The promise that a request has its effect once; without a key it promises nothing.
#[derive(Clone, Debug, Default)]
pub struct Once {
    record: Option<Record>,
    /// What a guest asked to be kept; it is not while nothing tells that guest from others.
    guests: Option<Record>,
}

#[derive(Clone, Debug)]
struct Record {
    scope: String,
    key: String,
    fingerprint: Vec<u8>,
    /// Until when it holds the key, in microseconds: what it is known by. Clones are the same request.
    held_until: Arc<AtomicI64>,
}

/// How a request under a key begins.
#[derive(Debug)]
pub enum Begun {
    /// For the first time.
    Fresh,
    /// After an earlier try that stopped on its way; the recovery point says how far it came.
    Resume(String),
    /// It is done already: this was the answer.
    Replay(Box<Reply>),
}

struct Kept {
    fingerprint: Vec<u8>,
    done: bool,
    recovery: Option<String>,
    lease_until: Timestamp,
    answer: StoredReply,
}

#[derive(Default)]
struct StoredReply {
    status: i64,
    body: Option<String>,
    etag: Option<String>,
    location: Option<String>,
}

/// Why an idempotent transaction gave no new answer.
enum Stopped<E> {
    Work(E),
    Replay(Box<Reply>),
    Refused(Refusal),
    Database(DatabaseError),
}

impl<E> From<DatabaseError> for Stopped<E> {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl Once {
    fn of(
        context: &RequestContext,
        parts: &Parts,
        key: Option<String>,
        body: &[u8],
    ) -> Result<Self, Problem> {
        let record = key.map(|key| {
            let scope = format!("{} {} {}", parts.method, parts.uri.path(), context.version().name());
            Record { scope, key, fingerprint: Sha256::digest(body).to_vec(), held_until: Arc::default() }
        });
        Ok(match context.actor()? {
            Actor::Guest => Self { record: None, guests: record },
            actor => Self { record: record.map(|record| record.of(actor)), guests: None },
        })
    }

    /// Whether a key was given.
    pub fn has_key(&self) -> bool {
        self.record.is_some() || self.guests.is_some()
    }

    /// The promise made to the one guest whom `name` tells from others; as it was for everybody else. The name must not
    /// be a secret, for it is kept.
    #[must_use]
    pub fn among_guests(self, name: impl std::fmt::Display) -> Self {
        let record = self.guests.map(|record| record.of(&format_args!("guest:{name}")));
        Self { record: self.record.or(record), guests: None }
    }

    /// Runs a request that is one transaction; its answer is kept in that transaction.
    pub async fn run<E, F>(self, database: &Database, clock: &Clock, work: F) -> Result<Reply, Problem>
    where
        E: Into<Refusal> + From<DatabaseError> + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<Reply, E> + Send + 'static,
    {
        let now = clock.now();
        let done = database
            .write(move |tx| {
                match self
                    .begin(tx, now)
                    .map_err(|refusal| refusal.map_or_else(Stopped::Database, Stopped::Refused))?
                {
                    Begun::Replay(reply) => return Err(Stopped::Replay(reply)),
                    Begun::Fresh | Begun::Resume(_) => {}
                }
                let reply = work(tx).map_err(Stopped::Work)?;
                self.finish(tx, &reply, now)?;
                Ok(reply)
            })
            .await;
        match done {
            Ok(reply) => Ok(reply),
            Err(Stopped::Replay(reply)) => Ok(*reply),
            Err(Stopped::Work(error)) => Err(Problem::from(error)),
            Err(Stopped::Refused(refusal)) => Err(Problem(refusal)),
            Err(Stopped::Database(error)) => Err(error.into()),
        }
    }

    /// Claims the key inside the transaction that begins the effect. Refused with 422 for another body and with 409
    /// while the first request is running.
    pub fn begin(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Begun, BeginError> {
        let Some(record) = &self.record else { return Ok(Begun::Fresh) };
        if record.insert(tx, now)? {
            return Ok(Begun::Fresh);
        }
        let Some(kept) = record.find(tx)? else {
            return Err(BeginError::Refused(still_running()));
        };
        if kept.fingerprint != record.fingerprint {
            return Err(BeginError::Refused(Refusal::new(
                RefusalKind::Invalid,
                "IDEMPOTENCY_KEY_REUSED",
                "This Idempotency-Key was used with another body.",
            )));
        }
        if kept.done {
            return Ok(Begun::Replay(Box::new(kept.answer.into_reply())));
        }
        if kept.lease_until > now {
            return Err(BeginError::Refused(still_running()));
        }
        record.renew_lease(tx, now)?;
        Ok(kept.recovery.map_or(Begun::Fresh, Begun::Resume))
    }

    /// Notes how far the request has come, in the transaction that brought it there.
    pub fn mark(&self, tx: &mut Tx<'_>, recovery: &str) -> Result<(), DatabaseError> {
        let Some(record) = &self.record else { return Ok(()) };
        tx.execute(
            "UPDATE idempotency_keys SET recovery = $4
             WHERE scope = $1 AND key = $2 AND lease_until = $3",
            params![&record.scope, &record.key, record.held_until(), recovery],
        )?;
        Ok(())
    }

    /// Keeps the answer, in the transaction that completes the effect. Not when a retry has the key meanwhile: what that
    /// one answers counts.
    pub fn finish(&self, tx: &mut Tx<'_>, reply: &Reply, now: Timestamp) -> Result<(), DatabaseError> {
        let Some(record) = &self.record else { return Ok(()) };
        let location = reply.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        tx.execute(
            "UPDATE idempotency_keys SET done = $4, status = $5, body = $6, etag = $7, location = $8, expires_at = $9
             WHERE scope = $1 AND key = $2 AND lease_until = $3",
            params![
                &record.scope,
                &record.key,
                record.held_until(),
                true,
                i64::from(reply.status.as_u16()),
                std::str::from_utf8(&reply.data).ok(),
                reply.etag.as_deref(),
                location,
                now + KEPT
            ],
        )?;
        Ok(())
    }

    /// Frees the key after a refusal, in the transaction that undoes the effect; not when a retry has it meanwhile.
    pub fn forget(&self, tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
        let Some(record) = &self.record else { return Ok(()) };
        tx.execute(
            "DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2 AND lease_until = $3",
            params![&record.scope, &record.key, record.held_until()],
        )?;
        Ok(())
    }
}

/// Why a key cannot be claimed.
#[derive(Debug)]
pub enum BeginError {
    /// Another body, or still running.
    Refused(Refusal),
    /// The database failed.
    Database(DatabaseError),
}

impl BeginError {
    fn map_or_else<T>(
        self,
        database: impl FnOnce(DatabaseError) -> T,
        refused: impl FnOnce(Refusal) -> T,
    ) -> T {
        match self {
            Self::Refused(refusal) => refused(refusal),
            Self::Database(error) => database(error),
        }
    }
}

impl From<DatabaseError> for BeginError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<BeginError> for Refusal {
    fn from(error: BeginError) -> Self {
        error.map_or_else(Self::from, |refusal| refusal)
    }
}

fn still_running() -> Refusal {
    Refusal::conflict(
        "IDEMPOTENCY_IN_PROGRESS",
        "The first request with this Idempotency-Key is still running.",
    )
    .with_retry_after(Duration::from_secs(1))
}

impl Record {
    fn of(self, who: &impl std::fmt::Display) -> Self {
        Self { scope: format!("{who} {}", self.scope), ..self }
    }

    /// Claims the key; false when it is taken and not yet expired.
    fn insert(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, DatabaseError> {
        tx.execute(
            "DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2 AND expires_at <= $3",
            params![&self.scope, &self.key, now],
        )?;
        let inserted = tx.execute(
            "INSERT INTO idempotency_keys (scope, key, fingerprint, done, lease_until, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (scope, key) DO NOTHING",
            params![&self.scope, &self.key, self.fingerprint.as_slice(), false, now + LEASE, now + KEPT],
        )?;
        if inserted == 1 {
            self.hold_until(now + LEASE);
        }
        Ok(inserted == 1)
    }

    fn hold_until(&self, until: Timestamp) {
        self.held_until.store(until.as_micros(), Ordering::Relaxed);
    }

    fn held_until(&self) -> Timestamp {
        Timestamp::from_micros(self.held_until.load(Ordering::Relaxed))
    }

    fn find(&self, tx: &mut Tx<'_>) -> Result<Option<Kept>, DatabaseError> {
        let lock = match tx.engine() {
            stoa_platform::database::Engine::Sqlite => "",
            stoa_platform::database::Engine::Postgres => " FOR UPDATE",
        };
        let sql = format!(
            "SELECT fingerprint, done, recovery, lease_until, status, body, etag, location
             FROM idempotency_keys WHERE scope = $1 AND key = $2{lock}"
        );
        tx.find(&sql, params![&self.scope, &self.key], |row| {
            Ok(Kept {
                fingerprint: row.read()?,
                done: row.read()?,
                recovery: row.read()?,
                lease_until: row.read()?,
                answer: StoredReply {
                    status: row.read::<Option<i64>>()?.unwrap_or_default(),
                    body: row.read()?,
                    etag: row.read()?,
                    location: row.read()?,
                },
            })
        })
    }

    fn renew_lease(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), DatabaseError> {
        tx.execute(
            "UPDATE idempotency_keys SET lease_until = $3 WHERE scope = $1 AND key = $2",
            params![&self.scope, &self.key, now + LEASE],
        )?;
        self.hold_until(now + LEASE);
        Ok(())
    }
}

impl StoredReply {
    fn into_reply(self) -> Reply {
        let status = u16::try_from(self.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let mut reply =
            Reply::of_data(status.unwrap_or(StatusCode::OK), Bytes::from(self.body.unwrap_or_default()));
        reply.etag = self.etag;
        let reply = reply.with_header(REPLAYED, HeaderValue::from_static("true"));
        match self.location {
            Some(location) => reply.at(&location),
            None => reply,
        }
    }
}

/// Forgets answers that are older than a day.
#[derive(Debug, Serialize, Deserialize)]
pub struct PruneIdempotencyKeys {}

impl Job for PruneIdempotencyKeys {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "prune-idempotency-keys";
}

/// The module that keeps answers and forgets them.
pub fn idempotency_module(platform: &Platform) -> Module {
    let (database, clock) = (platform.database.clone(), platform.clock.clone());
    let prune = Handler::of::<PruneIdempotencyKeys>(move |_, _| {
        let (database, now) = (database.clone(), clock.now());
        async move {
            database
                .write(move |tx| {
                    tx.execute("DELETE FROM idempotency_keys WHERE expires_at <= $1", params![now])
                })
                .await
                .map(drop)
                .map_err(Into::into)
        }
    });
    Module {
        name: "idempotency",
        migrations: vec![IDEMPOTENCY_MIGRATION],
        job_handlers: vec![prune],
        schedules: vec![Schedule::of("prune-idempotency-keys", "17 * * * *", PruneIdempotencyKeys {})],
        ..Module::default()
    }
}
