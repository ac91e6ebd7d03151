//! Whether this node is alive, ready and well: `/health`, `/health/ready`, `/health/live`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{Router, http::StatusCode, routing::get};
use serde::Serialize;
use stoa_drivers::redis::Redis;
use stoa_http::{Outcome, Reply};
use stoa_kernel::{Clock, Timestamp};
use stoa_platform::{
    Platform,
    database::{Database, DatabaseError, Engine},
    storage::Storage,
};

use crate::settings::Settings;

/// What the health routes look at.
pub struct Health {
    ready: AtomicBool,
    started: Timestamp,
    clock: Clock,
    database: Database,
    redis: Option<Redis>,
    storage: Storage,
    environment: String,
}

#[derive(Serialize)]
struct Report {
    status: Status,
    success: bool,
    message: &'static str,
    timestamp: Timestamp,
    uptime: u128,
    version: &'static str,
    environment: String,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    database: Check,
    redis: Check,
    broker: Check,
    storage: Check,
    memory: Check,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    status: Status,
    response_time: f64,
    message: String,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Status {
    Healthy,
    Degraded,
    Unhealthy,
}

impl Health {
    /// Not ready until told.
    pub fn new(platform: &Platform, settings: &Settings, redis: Option<Redis>) -> Self {
        Self {
            ready: AtomicBool::new(false),
            started: platform.clock.now(),
            clock: platform.clock.clone(),
            database: platform.database.clone(),
            redis,
            storage: platform.storage.clone(),
            environment: settings.environment.clone(),
        }
    }

    /// Says whether requests are wanted.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
    }

    /// The open routes.
    pub fn routes(self: &Arc<Self>) -> Router {
        let (whole, ready) = (Arc::clone(self), Arc::clone(self));
        Router::new()
            .route("/health", get(move || async move { whole.report().await }))
            .route("/health/ready", get(move || async move { ready.readiness().await }))
            .route("/health/live", get(|| async { Reply::ok(&Alive { status: "alive" }) }))
    }

    async fn report(&self) -> Outcome {
        let checks = Checks {
            database: self.check_database().await,
            redis: self.check_redis().await,
            broker: in_process("not configured; events stay in process"),
            storage: self.check_storage().await,
            memory: check_memory(),
        };
        let status = [&checks.database, &checks.redis, &checks.storage, &checks.memory]
            .iter()
            .map(|check| check.status)
            .max()
            .unwrap_or(Status::Healthy);
        let now = self.clock.now();
        let report = Report {
            status,
            success: status != Status::Unhealthy,
            message: match status {
                Status::Healthy => "All systems work.",
                Status::Degraded => "Some systems work poorly.",
                Status::Unhealthy => "A system that everything needs does not work.",
            },
            timestamp: now,
            uptime: now.since(self.started).as_millis(),
            version: env!("CARGO_PKG_VERSION"),
            environment: self.environment.clone(),
            checks,
        };
        let code = if report.success { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Reply::new(code, &report)
    }

    async fn readiness(&self) -> Outcome {
        let connected = self.check_database().await.status == Status::Healthy;
        let ready = connected && self.ready.load(Ordering::SeqCst);
        let (code, status) =
            if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
        Reply::new(code, &Alive { status })
    }

    async fn check_database(&self) -> Check {
        let engine = match self.database.engine() {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        };
        let begun = Instant::now();
        let answered = self
            .database
            .read(|connection| {
                connection.find("SELECT number FROM migrations LIMIT 1", &[], |row| row.read::<i64>())
            })
            .await;
        let result: Result<String, DatabaseError> = answered.map(|_| format!("{engine} answers"));
        Check::of(
            result.map_err(|error| {
                tracing::error!(%error, "the database does not answer");
                format!("{engine} does not answer")
            }),
            begun,
        )
    }

    /// Nothing is lost with Redis, so its absence makes no node unhealthy.
    async fn check_redis(&self) -> Check {
        let Some(redis) = &self.redis else {
            return in_process("not in use; cache and limits are in process");
        };
        let begun = Instant::now();
        let (status, message) = if redis.answers().await {
            (Status::Healthy, "Redis answers")
        } else {
            (Status::Degraded, "Redis does not answer; cache and limits are of this node alone")
        };
        Check { status, response_time: millis_since(begun), message: message.to_owned() }
    }

    /// People can buy and talk without files, so their absence makes no node unhealthy.
    async fn check_storage(&self) -> Check {
        let begun = Instant::now();
        let (status, message) = match self.storage.ready().await {
            Ok(()) => (Status::Healthy, "files can be kept"),
            Err(error) => {
                tracing::error!(%error, "files cannot be kept");
                (Status::Degraded, "files cannot be kept now")
            }
        };
        Check { status, response_time: millis_since(begun), message: message.to_owned() }
    }
}

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

impl Check {
    fn of(result: Result<String, String>, begun: Instant) -> Self {
        let (status, message) = match result {
            Ok(message) => (Status::Healthy, message),
            Err(message) => (Status::Unhealthy, message),
        };
        Self { status, response_time: millis_since(begun), message }
    }
}

/// Milliseconds with three decimals: finer ones are noise.
fn millis_since(begun: Instant) -> f64 {
    let micros = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1_000.0
}

fn in_process(message: &str) -> Check {
    Check { status: Status::Healthy, response_time: 0.0, message: message.to_owned() }
}

/// Resident memory against that of the machine; little left is "degraded".
fn check_memory() -> Check {
    let begun = Instant::now();
    let available = meminfo("MemAvailable:");
    let total = meminfo("MemTotal:");
    let (status, message) = match (available, total) {
        (Some(available), Some(total)) if available.saturating_mul(20) < total => {
            (Status::Degraded, format!("{} MiB are left", available / 1_024))
        }
        (Some(available), _) => (Status::Healthy, format!("{} MiB are left", available / 1_024)),
        (None, _) => (Status::Healthy, "unknown on this system".to_owned()),
    };
    Check { status, response_time: millis_since(begun), message }
}

/// A line of `/proc/meminfo`, in KiB.
fn meminfo(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
