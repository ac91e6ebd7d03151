//! `/api/admin/performance`: what the last minutes were like, the slow requests, and memory.

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    middleware::from_fn,
};
use serde::{Deserialize, Serialize};
use stoa_http::{LimitKey, Module, Outcome, Problem, QueryPart, Reply, RequestContext, limited};
use stoa_kernel::{Clock, Timestamp};
use stoa_platform::{
    Platform,
    metrics::{EndpointSummary, LONGEST_WINDOW, Metrics, ProcessMemory, SlowRequest, Summary, SystemMemory},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{InsightSettings, access::Access};

const FIVE_MINUTES: Duration = Duration::from_mins(5);

/// What the routes look at.
#[derive(Clone)]
struct Watched {
    metrics: Metrics,
    clock: Clock,
    access: Access,
}

/// The documented routes.
pub(crate) fn module(platform: &Platform, settings: &InsightSettings) -> Module {
    let watched = Watched {
        metrics: platform.metrics.clone(),
        clock: platform.clock.clone(),
        access: Access::new(&settings.tokens),
    };
    let routes = OpenApiRouter::new()
        .routes(routes!(window))
        .routes(routes!(slow_requests))
        .routes(routes!(summary))
        .layer(from_fn(limited(|limits| &limits.admin, LimitKey::Actor)))
        .with_state(watched);
    Module { name: "insight", routes, ..Module::default() }
}

/// Asked for before anything else, so that whoever may not see figures is told so first.
struct MayWatch;

impl FromRequestParts<Watched> for MayWatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, watched: &Watched) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, watched).await?;
        watched.access.check(&context, &parts.headers)?;
        Ok(Self)
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct WindowQuery {
    /// How far back, in milliseconds; counted in steps of five seconds.
    #[param(value_type = Option<u64>, minimum = 1_000, maximum = 3_600_000, default = 300_000)]
    time_window: Option<Between<1_000, 3_600_000>>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SlowQuery {
    /// How many at most.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 10)]
    limit: Option<Between<1, 100>>,
}

/// A whole number within bounds.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Between<const LEAST: u64, const MOST: u64>(u64);

impl<const LEAST: u64, const MOST: u64> TryFrom<u64> for Between<LEAST, MOST> {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        let within = (LEAST..=MOST).contains(&number);
        within.then_some(Self(number)).ok_or_else(|| format!("it must be {LEAST} to {MOST}"))
    }
}

/// What the requests of a window were like. Times are in milliseconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Performance)]
struct WindowView {
    /// How far back it looks.
    time_window: u64,
    total_requests: u64,
    average_response_time: f64,
    /// The part of all requests that we failed to answer (5xx), from 0 to 1.
    error_rate: f64,
    slow_requests: u64,
    requests_per_second: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    /// The busiest ten.
    top_endpoints: Vec<EndpointView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointPerformance)]
struct EndpointView {
    #[schema(example = "GET /api/products/{id}")]
    endpoint: String,
    count: u64,
    average_response_time: f64,
}

/// A request that took longer than `STOA_SLOW_REQUEST_MS`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SlowRequest)]
struct SlowView {
    timestamp: Timestamp,
    request_id: String,
    #[schema(example = "GET /api/products/{id}")]
    endpoint: String,
    status: u16,
    /// In milliseconds.
    duration: f64,
}

/// How this node is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PerformanceSummary)]
struct SummaryView {
    timestamp: Timestamp,
    /// In milliseconds.
    uptime: u128,
    /// From how many milliseconds on a request is slow.
    slow_request_threshold: u128,
    last5_minutes: WindowView,
    memory: MemoryView,
}

/// Memory in bytes; null where the system does not tell.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MemoryUse)]
struct MemoryView {
    /// What is resident.
    rss: Option<u64>,
    /// What of it the process asked for itself.
    heap: Option<u64>,
    system_memory: Option<SystemMemoryView>,
    /// Bytes an hour, by the last hour; null until five minutes are known.
    growth_per_hour: Option<f64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SystemMemoryUse)]
struct SystemMemoryView {
    total: u64,
    available: u64,
    usage_percent: f64,
}

/// What the requests of the last minutes were like.
#[utoipa::path(
    get, path = "/api/admin/performance/metrics", tag = "admin", params(WindowQuery), security((), ("bearer" = [])),
    responses((status = 200, description = "Counts and times of the window", body = WindowView))
)]
async fn window(
    State(watched): State<Watched>,
    _: MayWatch,
    QueryPart(query): QueryPart<WindowQuery>,
) -> Outcome {
    let window = query.time_window.map_or(FIVE_MINUTES, |Between(millis)| Duration::from_millis(millis));
    Reply::ok(&watched.window(window))
}

/// The latest slow requests, the latest first.
#[utoipa::path(
    get, path = "/api/admin/performance/slow-requests", tag = "admin", params(SlowQuery),
    security((), ("bearer" = [])),
    responses((status = 200, description = "Slow requests", body = Vec<SlowView>))
)]
async fn slow_requests(
    State(watched): State<Watched>,
    _: MayWatch,
    QueryPart(query): QueryPart<SlowQuery>,
) -> Outcome {
    let limit = query.limit.map_or(10, |Between(limit)| usize::try_from(limit).unwrap_or(10));
    let slow = watched.metrics.recent().slow_requests(limit);
    Reply::ok(&slow.into_iter().map(SlowView::from).collect::<Vec<_>>())
}

/// How this node is: its last five minutes and its memory.
#[utoipa::path(
    get, path = "/api/admin/performance/summary", tag = "admin", security((), ("bearer" = [])),
    responses((status = 200, description = "Requests and memory", body = SummaryView))
)]
async fn summary(State(watched): State<Watched>, _: MayWatch, context: RequestContext) -> Outcome {
    let process = ProcessMemory::read();
    Reply::ok(&SummaryView {
        timestamp: watched.clock.now(),
        uptime: watched.metrics.uptime().as_millis(),
        slow_request_threshold: context.settings().slow_request.as_millis(),
        last5_minutes: watched.window(FIVE_MINUTES),
        memory: MemoryView {
            rss: process.map(|memory| memory.rss),
            heap: process.map(|memory| memory.heap),
            system_memory: SystemMemory::read().map(SystemMemoryView::from),
            growth_per_hour: watched.metrics.growth().per_hour().map(f64::round),
        },
    })
}

impl Watched {
    fn window(&self, window: Duration) -> WindowView {
        let window = window.min(LONGEST_WINDOW);
        let summary = self.metrics.recent().summary(self.clock.now(), window);
        // A node that has just started has not seen the whole window.
        let seen = window.min(self.metrics.uptime().max(Duration::from_secs(1)));
        WindowView::of(summary, window, seen)
    }
}

impl WindowView {
    fn of(summary: Summary, window: Duration, seen: Duration) -> Self {
        let requests = float(summary.requests);
        Self {
            time_window: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            total_requests: summary.requests,
            average_response_time: millis(summary.average),
            error_rate: if summary.requests == 0 { 0.0 } else { float(summary.failed) / requests },
            slow_requests: summary.slow,
            requests_per_second: (requests / seen.as_secs_f64() * 100.0).round() / 100.0,
            p50: millis(summary.p50),
            p95: millis(summary.p95),
            p99: millis(summary.p99),
            top_endpoints: summary.top.into_iter().map(EndpointView::from).collect(),
        }
    }
}

impl From<EndpointSummary> for EndpointView {
    fn from(summary: EndpointSummary) -> Self {
        Self {
            endpoint: format!("{} {}", summary.method, summary.route),
            count: summary.requests,
            average_response_time: millis(summary.average),
        }
    }
}

impl From<SlowRequest> for SlowView {
    fn from(slow: SlowRequest) -> Self {
        Self {
            timestamp: slow.at,
            endpoint: format!("{} {}", slow.method, slow.route),
            request_id: slow.request_id,
            status: slow.status,
            duration: millis(slow.took),
        }
    }
}

impl From<SystemMemory> for SystemMemoryView {
    fn from(memory: SystemMemory) -> Self {
        let usage_percent = (memory.usage_percent() * 10.0).round() / 10.0;
        Self { total: memory.total, available: memory.available, usage_percent }
    }
}

/// Milliseconds to the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts so many requests that some of them matter")]
fn float(count: u64) -> f64 {
    count as f64
}
