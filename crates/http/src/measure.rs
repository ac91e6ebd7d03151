//! Measures every request at the edge: how many, how long, by route, method and kind of answer; and tells the log.
//!
//! A route is known by the pattern it was registered with, never by the address that was asked for, so there are no
//! more of them than the code has. Each endpoint of the router finds its figures once and keeps the handle.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
    response::Response,
};
use stoa_kernel::{Refusal, Timestamp};
use stoa_platform::{
    metrics::{Counter, Endpoint, Finished, Gauge, Histogram, Metrics, SlowRequest},
    traces::Span,
};
use tower::{Layer, Service};

use crate::context::RequestContext;

/// The route of requests that are refused before a route is looked up.
const REFUSED: &str = "(refused)";
/// The route of addresses where nothing is.
const UNMATCHED: &str = "(unmatched)";
/// Methods that are told apart; the last stands for all others.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What measuring takes.
pub(crate) struct Measures {
    metrics: Metrics,
    routes: Mutex<HashMap<Arc<str>, Arc<Route>>>,
    refused: Arc<Route>,
    in_flight: Gauge,
    cancelled: Counter,
    slow: Counter,
    slow_from: Duration,
}

impl Measures {
    pub(crate) fn new(metrics: &Metrics, slow_from: Duration) -> Self {
        Self {
            metrics: metrics.clone(),
            routes: Mutex::default(),
            refused: Arc::new(Route::new(REFUSED.into())),
            in_flight: metrics.gauge(
                "stoa_http_requests_in_flight",
                "Requests that are being answered.",
                &[],
            ),
            cancelled: metrics.counter(
                "stoa_http_requests_cancelled_total",
                "Requests whose client went away before the answer.",
                &[],
            ),
            slow: metrics.counter(
                "stoa_http_slow_requests_total",
                "Requests that took longer than STOA_SLOW_REQUEST_MS.",
                &[],
            ),
            slow_from,
        }
    }

    /// The figures of a route, which are made when it is first asked for.
    fn route(&self, path: &str) -> Arc<Route> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = routes.get(path) {
            return Arc::clone(route);
        }
        let path: Arc<str> = path.into();
        let route = Arc::new(Route::new(Arc::clone(&path)));
        routes.insert(path, Arc::clone(&route));
        route
    }

    /// A request has come.
    pub(crate) fn begin(&self) -> Running<'_> {
        self.in_flight.increment(1.0);
        Running { measures: self, begun: Instant::now(), ended: false }
    }
}

/// A route with its figures, by method and kind of answer.
pub(crate) struct Route {
    path: Arc<str>,
    times: [[OnceLock<Histogram>; CLASSES.len()]; METHODS.len()],
    endpoints: [OnceLock<Arc<Endpoint>>; METHODS.len()],
}

impl Route {
    fn new(path: Arc<str>) -> Self {
        Self { path, times: Default::default(), endpoints: Default::default() }
    }

    /// The pattern it was registered with.
    pub(crate) fn pattern(&self) -> &str {
        &self.path
    }

    fn record(&self, metrics: &Metrics, method: usize, status: StatusCode, finished: Finished) {
        let name = METHODS.get(method).copied().unwrap_or("OTHER");
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let (Some(times), Some(class_name)) =
            (self.times.get(method).and_then(|classes| classes.get(class)), CLASSES.get(class))
        {
            let labels = [("route", &*self.path), ("method", name), ("status", class_name)];
            let about = "How long requests took, by route, method and kind of answer.";
            let times =
                times.get_or_init(|| metrics.histogram("stoa_http_request_duration_seconds", about, &labels));
            times.record(finished.took);
        }
        if let Some(endpoint) = self.endpoints.get(method) {
            let recent = metrics.recent();
            recent.record(endpoint.get_or_init(|| recent.endpoint(name, Arc::clone(&self.path))), finished);
        }
    }
}

/// A request that is being answered; dropped before it has ended, its client has gone away.
pub(crate) struct Running<'m> {
    measures: &'m Measures,
    begun: Instant,
    ended: bool,
}

/// What is known of a request when it has been answered.
pub(crate) struct Answered<'r> {
    pub(crate) at: Timestamp,
    pub(crate) method: &'r Method,
    /// The address without its query.
    pub(crate) path: &'r str,
    pub(crate) request_id: &'r str,
    pub(crate) context: Option<&'r RequestContext>,
    pub(crate) response: &'r Response,
    /// Why it was refused, where the fault is ours.
    pub(crate) failure: Option<Arc<Refusal>>,
}

impl Running<'_> {
    /// Counts the request and tells the log; answers the route it took.
    pub(crate) fn end(mut self, answered: &Answered<'_>) -> Arc<Route> {
        self.ended = true;
        let measures = self.measures;
        let took = self.begun.elapsed();
        let route = match answered.context {
            Some(context) => context.0.route.get().map(Arc::clone),
            None => Some(Arc::clone(&measures.refused)),
        };
        let route = route.unwrap_or_else(|| measures.route(UNMATCHED));
        let status = answered.response.status();
        let slow = took >= measures.slow_from;
        let finished = Finished { at: answered.at, took, failed: status.is_server_error(), slow };
        let method = method_of(answered.method);
        route.record(&measures.metrics, method, status, finished);
        answered.tell(&route, took, slow);
        if slow {
            measures.slow.increment(1);
            measures.metrics.recent().remember(SlowRequest {
                at: answered.at,
                request_id: answered.request_id.to_owned(),
                method: METHODS.get(method).copied().unwrap_or("OTHER"),
                route: Arc::clone(&route.path),
                status: status.as_u16(),
                took,
            });
        }
        route
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.measures.in_flight.decrement(1.0);
        if !self.ended {
            self.measures.cancelled.increment(1);
        }
    }
}

impl Answered<'_> {
    /// A line for the log, never with the query: a failure of ours once, whole, under the id the client got; what was
    /// slow; and, if somebody asks for `debug`, every request.
    fn tell(&self, route: &Route, took: Duration, slow: bool) {
        let Self { method, path, request_id, .. } = self;
        let (route, status) = (&*route.path, self.response.status().as_u16());
        let duration_ms = took.as_secs_f64() * 1_000.0;
        if let Some(refusal) = &self.failure {
            let source = refusal.source.as_deref().map(ToString::to_string);
            let code = refusal.code;
            tracing::error!(%method, path, route, status, duration_ms, request_id, code, source, "request failed");
        }
        if slow {
            tracing::warn!(%method, route, status, duration_ms, request_id, "slow request");
        } else if self.failure.is_none() {
            tracing::debug!(%method, path, route, status, duration_ms, request_id, "request answered");
        }
    }

    /// Tells a trace the same.
    pub(crate) fn describe(&self, span: &Span, route: &Route) {
        let status = self.response.status();
        span.rename(format!("{} {}", self.method, route.path));
        span.note("http.request.method", self.method.to_string());
        span.note("http.route", Arc::clone(&route.path));
        span.note("http.response.status_code", i64::from(status.as_u16()));
        span.note("stoa.request_id", self.request_id.to_owned());
        if status.is_server_error() {
            span.fail(self.failure.as_ref().map_or("failed", |refusal| refusal.code));
        }
    }
}

fn method_of(method: &Method) -> usize {
    METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len() - 1)
}

/// Tells the edge which route a request took.
#[derive(Clone)]
pub(crate) struct RouteMarks(pub(crate) Arc<Measures>);

impl<S> Layer<S> for RouteMarks {
    type Service = RouteMark<S>;

    fn layer(&self, inner: S) -> RouteMark<S> {
        RouteMark { inner, measures: Arc::clone(&self.0), route: Arc::default() }
    }
}

/// One endpoint of the router. Its clones share the route, which is looked up by the first request.
#[derive(Clone)]
pub(crate) struct RouteMark<S> {
    inner: S,
    measures: Arc<Measures>,
    route: Arc<OnceLock<Arc<Route>>>,
}

impl<S: Service<Request>> Service<Request> for RouteMark<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        if let Some(context) = request.extensions().get::<RequestContext>() {
            let route = self.route.get_or_init(|| {
                let path = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str);
                self.measures.route(path)
            });
            // A request that is handed on to another route keeps its first.
            let _ = context.0.route.set(Arc::clone(route));
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn who_goes_away_before_the_answer_is_counted_apart() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let told = recorder.handle();
        let measures = Measures::new(&Metrics::to(recorder), Duration::from_secs(1));
        let (gone, stays) = (measures.begin(), measures.begin());
        drop(gone);
        let text = told.render();
        assert!(text.contains("stoa_http_requests_in_flight 1"), "{text}");
        assert!(text.contains("stoa_http_requests_cancelled_total 1"), "{text}");
        let response = Response::new(axum::body::Body::empty());
        let answered = Answered {
            at: Timestamp::from_seconds(1),
            method: &Method::from_bytes(b"BREW").unwrap(),
            path: "/pot",
            request_id: "1",
            context: None,
            response: &response,
            failure: None,
        };
        stays.end(&answered);
        let text = told.render();
        assert!(text.contains("stoa_http_requests_in_flight 0"), "{text}");
        assert!(text.contains("stoa_http_requests_cancelled_total 1"), "{text}");
        let labels = "{route=\"(refused)\",method=\"OTHER\",status=\"2xx\"}";
        let counted = format!("stoa_http_request_duration_seconds_count{labels} 1");
        assert!(text.replace("quantile", "").contains(&counted), "{text}");
    }

    #[test]
    fn a_route_is_known_once_however_many_endpoints_it_has() {
        let measures = Measures::new(&Metrics::off(), Duration::from_secs(1));
        assert!(Arc::ptr_eq(&measures.route("/api/pots"), &measures.route("/api/pots")));
        assert!(!Arc::ptr_eq(&measures.route("/api/pots"), &measures.route("/api/pots/{id}")));
    }
}
