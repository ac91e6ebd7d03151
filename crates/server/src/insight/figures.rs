//! `/metrics`: all figures of this node as Prometheus reads them.
//!
//! Counters and times are kept as they happen. What would have to be asked for (queues, lag, memory) is asked when
//! somebody reads, with bounded questions.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use stoa_http::{Problem, RequestContext};
use stoa_kernel::Timestamp;
use stoa_platform::{
    Platform,
    database::{Connection, DatabaseError},
    events::{self, FollowerState},
    jobs::{self, QueueState},
    metrics::{Metrics, ProcessMemory},
};

use super::{InsightSettings, access::Access};

/// From a tenth of a millisecond to ten seconds.
const SECONDS: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Transactions to a commit.
const MEMBERS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
/// How long the database may take to tell of itself.
const PATIENCE: Duration = Duration::from_secs(3);
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What keeps the figures of a node.
pub(crate) fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("stoa_database_commit_members".to_owned()), &MEMBERS)?;
    Ok(builder.build_recorder())
}

/// The figures of a node.
pub(crate) struct Figures {
    kept: PrometheusHandle,
    platform: Platform,
    queues: BTreeSet<&'static str>,
    access: Access,
}

/// What the database knows.
struct Asked {
    head: i64,
    followers: Vec<FollowerState>,
    queues: Vec<(&'static str, QueueState)>,
}

impl Figures {
    pub(crate) fn new(
        kept: PrometheusHandle,
        platform: &Platform,
        settings: &InsightSettings,
        queues: BTreeSet<&'static str>,
    ) -> Arc<Self> {
        let access = Access::new(&settings.tokens);
        Arc::new(Self { kept, platform: platform.clone(), queues, access })
    }

    /// The route. It stands outside `/api`, so it has no version and no general limit.
    pub(crate) fn routes(self: &Arc<Self>) -> Router {
        let figures = Arc::clone(self);
        Router::new().route(
            "/metrics",
            get(move |context: RequestContext, headers: HeaderMap| async move {
                figures.answer(&context, &headers).await
            }),
        )
    }

    async fn answer(&self, context: &RequestContext, headers: &HeaderMap) -> Result<Response, Problem> {
        self.access.check(context, headers)?;
        let text = self.render().await.map_err(stoa_kernel::Refusal::internal)?;
        let headers = [
            (header::CONTENT_TYPE, CONTENT_TYPE),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Ok((headers, text).into_response())
    }

    async fn render(&self) -> Result<String, BuildError> {
        // Made anew each time, so that nothing is told of what is no more.
        let momentary = recorder()?;
        let handle = momentary.handle();
        let now = Metrics::to(momentary);
        self.tell_database(&now).await;
        self.tell_cache(&now);
        self.tell_process(&now);
        let limits = &self.platform.limits;
        if limits.are_shared() {
            let about = "Attempts that this node counted by itself because Redis did not.";
            now.counter("stoa_rate_limit_alone_total", about, &[]).absolute(limits.counted_alone());
        }
        let refused = limits.refused();
        for (policy, count) in refused {
            let about = "Requests that a rate limit refused.";
            now.counter("stoa_rate_limit_refused_total", about, &[("policy", policy)]).absolute(count);
        }
        Ok(self.kept.render() + &handle.render())
    }

    async fn tell_database(&self, now: &Metrics) {
        let load = self.platform.database.load();
        let engine = self.platform.database.engine().name();
        let set = |name, about, labels: &[(&'static str, &str)], value: f64| {
            now.gauge(name, about, labels).set(value);
        };
        let waiting = "Transactions and reads that wait for a thread of the database.";
        for (kind, count) in [("write", load.writes_waiting), ("read", load.reads_waiting)] {
            let labels = [("engine", engine), ("kind", kind)];
            set("stoa_database_queue_depth", waiting, &labels, float(count));
        }
        let labels = [("engine", engine)];
        set("stoa_database_connections", "Connections to the database.", &labels, float(load.connections));
        if let Some(bytes) = load.wal_bytes {
            set("stoa_database_wal_bytes", "The write-ahead log of SQLite.", &labels, float_of(bytes));
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask()).await;
        let up = matches!(asked, Ok(Ok(_)));
        set("stoa_database_up", "Whether the database answers.", &labels, if up { 1.0 } else { 0.0 });
        match asked {
            Ok(Ok(asked)) => asked.tell(now),
            Ok(Err(error)) => tracing::warn!(%error, "the database does not tell its figures"),
            Err(_) => tracing::warn!("the database does not tell its figures in time"),
        }
    }

    async fn ask(&self) -> Result<Asked, DatabaseError> {
        let (queues, now) = (self.queues.clone(), self.platform.clock.now());
        let database = &self.platform.database;
        let mut asked = database.read(move |connection| ask(connection, &queues, now)).await?;
        for (name, pos) in events::looked_at(database) {
            let known = asked.followers.iter_mut().find(|follower| follower.name == name);
            if let Some(follower) = known {
                follower.lag = follower.lag.min(asked.head - pos);
            }
        }
        Ok(asked)
    }

    fn tell_cache(&self, now: &Metrics) {
        let (stats, room) = (self.platform.cache.stats(), self.platform.cache.room());
        let levels =
            [("process", stats.hits, stats.fills), ("shared", stats.shared_hits, stats.shared_fills)];
        let levels = levels.into_iter().take(if self.platform.cache.is_shared() { 2 } else { 1 });
        for (level, hits, fills) in levels {
            let labels = [("level", level)];
            let about =
                "Answers found in the cache, and on which level: in process, or in the store nodes share.";
            now.counter("stoa_cache_hits_total", about, &labels).absolute(hits);
            now.counter("stoa_cache_fills_total", "Answers stored in the cache.", &labels).absolute(fills);
        }
        for (name, about, value) in [
            ("stoa_cache_misses_total", "Answers not found in the cache.", stats.misses),
            ("stoa_cache_evictions_total", "Answers given up to make room.", room.evictions),
        ] {
            now.counter(name, about, &[]).absolute(value);
        }
        now.gauge("stoa_cache_entries", "Answers in the cache.", &[]).set(float_of(room.entries));
        now.gauge("stoa_cache_bytes", "About how much memory they take.", &[]).set(float_of(room.bytes));
        let hits = stats.hits + stats.shared_hits;
        let asked = hits + stats.misses;
        let ratio = if asked == 0 { 0.0 } else { float_of(hits) / float_of(asked) };
        now.gauge("stoa_cache_hit_ratio", "Hits of all that was asked since the start.", &[]).set(ratio);
    }

    fn tell_process(&self, now: &Metrics) {
        if let Some(memory) = ProcessMemory::read() {
            let about = "Resident memory of the process.";
            now.gauge("process_resident_memory_bytes", about, &[]).set(float_of(memory.rss));
            let about = "What of it the process asked for itself.";
            now.gauge("stoa_process_heap_bytes", about, &[]).set(float_of(memory.heap));
        }
        let uptime = self.platform.metrics.uptime().as_secs_f64();
        now.gauge("stoa_uptime_seconds", "Time since the start.", &[]).set(uptime);
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        now.gauge("stoa_build_info", "Always 1; the label says what runs.", &labels).set(1.0);
    }
}

fn ask(
    connection: &mut Connection<'_>,
    queues: &BTreeSet<&'static str>,
    now: Timestamp,
) -> Result<Asked, DatabaseError> {
    let head = events::head(connection)?.pos;
    let followers = events::followers(connection)?;
    let mut states = Vec::with_capacity(queues.len());
    for queue in queues {
        states.push((*queue, jobs::queue_state(connection, queue, now)?));
    }
    Ok(Asked { head, followers, queues: states })
}

impl Asked {
    fn tell(&self, now: &Metrics) {
        now.gauge("stoa_events_head", "The place of the last event.", &[]).set(float_from(self.head));
        for follower in &self.followers {
            let labels = [("follower", follower.name.as_str())];
            let lag = now.gauge("stoa_follower_lag", "Events a follower has not had yet.", &labels);
            lag.set(float_from(follower.lag));
            let parked = now.gauge("stoa_follower_parked", "Events a follower has set aside.", &labels);
            parked.set(float_from(follower.parked));
        }
        for (queue, QueueState { waiting, running, later, dead }) in &self.queues {
            let states = [("waiting", waiting), ("running", running), ("later", later), ("dead", dead)];
            for (state, count) in states {
                let labels = [("queue", *queue), ("state", state)];
                now.gauge("stoa_jobs", "Jobs by queue and state, each counted to 10,000.", &labels)
                    .set(float_from(*count));
            }
        }
    }
}

fn float(count: usize) -> f64 {
    float_of(count as u64)
}

fn float_from(count: i64) -> f64 {
    float_of(u64::try_from(count).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "figures are read by people and drawn as lines")]
fn float_of(count: u64) -> f64 {
    count as f64
}
