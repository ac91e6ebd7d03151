//! Traces on their way to a collector: kind, refusing, silent, dead.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use stoa_drivers::{
    otlp::{Otlp, OtlpSettings},
    testing::{Collector, Manner},
};
use stoa_kernel::Random;
use stoa_platform::{
    metrics::Metrics,
    traces::{Kind, Span, SpanContext, SpanId, TraceFlags, TraceId, TraceState, Traces},
};

struct Sender {
    traces: Traces,
    otlp: Otlp,
    figures: PrometheusHandle,
}

impl Sender {
    fn to(endpoint: String, share: f64) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let figures = recorder.handle();
        let settings = OtlpSettings {
            endpoint,
            headers: vec![("x-api-key".into(), "a key".into())],
            service_name: "shop".into(),
            share,
        };
        let (traces, otlp) =
            Otlp::start(&settings, &Metrics::to(recorder), &Random::system(), "1.2.3").unwrap();
        Self { traces, otlp, figures }
    }

    /// Requests that are traced and end at once.
    fn requests(&self, count: usize) {
        for _ in 0..count {
            drop(self.traces.request("GET", None).expect("a span"));
        }
    }

    fn spans(&self, outcome: &str) -> u64 {
        let line = format!("stoa_trace_spans_total{{outcome=\"{outcome}\"}} ");
        let text = self.figures.render();
        let value = text.lines().find_map(|told| told.strip_prefix(&line));
        value.unwrap_or_else(|| panic!("no {line} in {text}")).parse().unwrap()
    }

    async fn until(&self, enough: impl Fn(&Self) -> bool) {
        for _ in 0..3_000 {
            if enough(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}", self.figures.render());
    }
}

fn outside(sampled: bool) -> SpanContext {
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from_hex(&"ab".repeat(16)), SpanId::from_hex(&"cd".repeat(8)));
    SpanContext::new(trace.unwrap(), span.unwrap(), flags, true, TraceState::default())
}

#[tokio::test]
async fn spans_arrive_below_their_parents() {
    let collector = Collector::start(Manner::Kind).await;
    let sender = Sender::to(collector.endpoint(), 0.0);
    let span = sender.traces.request("GET /tea", Some(&outside(true))).unwrap();
    span.note("http.response.status_code", 200);
    let work = async {
        tokio::task::yield_now().await;
        drop(Span::below("database write", Kind::Asking).expect("a span below"));
    };
    span.over(work).await;
    assert!(Span::below("database write", Kind::Asking).is_none(), "nothing is open any more");
    drop(span);

    let spans = collector.until(|spans| spans.len() == 2).await;
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (request, write) = (named("GET /tea"), named("database write"));
    assert_eq!((request.trace.clone(), request.parent.clone()), ("ab".repeat(16), "cd".repeat(8)));
    assert_eq!((&write.trace, &write.parent), (&request.trace, &request.id));
    assert_eq!(request.attribute("http.response.status_code"), "200");
    assert_eq!((request.attribute("service.name"), request.attribute("service.version")), ("shop", "1.2.3"));
    assert!(collector.keys().iter().all(|key| key == "a key"));
    sender.until(|sender| sender.spans("sent") == 2).await;
}

#[tokio::test]
async fn whoever_decided_outside_has_decided() {
    let collector = Collector::start(Manner::Kind).await;
    let all = Sender::to(collector.endpoint(), 1.0);
    assert!(all.traces.request("GET", Some(&outside(false))).is_none());
    assert!(all.traces.request("GET", None).is_some() && all.traces.job("job", None).is_some());
    let none = Sender::to(collector.endpoint(), 0.0);
    assert!(none.traces.request("GET", None).is_none() && none.traces.job("job", None).is_none());
    assert!(none.traces.request("GET", Some(&outside(true))).is_some());
    assert!(none.traces.job("job", Some(&outside(true))).is_some());
    assert!(all.traces.job("job", Some(&outside(false))).is_none());
    let half = Sender::to(collector.endpoint(), 0.5);
    let begun = (0..1_000).filter(|_| half.traces.request("GET", None).is_some()).count();
    assert!((350..650).contains(&begun), "{begun} of a thousand");
    assert!(Traces::off().request("GET", Some(&outside(true))).is_none());
}

#[tokio::test]
async fn what_a_refusing_collector_does_not_take_is_counted_and_the_rest_goes_on() {
    let collector = Collector::start(Manner::Refusing).await;
    let sender = Sender::to(collector.endpoint(), 1.0);
    sender.requests(3);
    sender.until(|sender| sender.spans("failed") == 3).await;
    assert!(collector.keys().len() > 1, "503 is tried again");
    collector.becomes(Manner::Kind);
    sender.requests(2);
    collector.until(|spans| spans.len() == 2).await;
    sender.until(|sender| sender.spans("sent") == 2).await;
    assert_eq!((sender.spans("failed"), sender.spans("dropped")), (3, 0));
}

#[tokio::test]
async fn a_silent_collector_costs_spans_and_no_time() {
    let collector = Collector::start(Manner::Silent).await;
    let sender = Sender::to(collector.endpoint(), 1.0);
    sender.requests(1);
    for _ in 0..3_000 {
        if !collector.keys().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!collector.keys().is_empty(), "the first batch is on its way and stays there");
    // Nothing here waits, so on one thread the queue can only fill.
    sender.requests(10_000);
    assert!(sender.spans("dropped") >= 5_000, "{}", sender.figures.render());
    let dropped = sender.spans("dropped");
    let Sender { otlp, figures, traces: _traces } = sender;
    otlp.stop(Duration::from_millis(50)).await;
    // Given up, and told so: no span is lost without being counted.
    let failed = format!("stoa_trace_spans_total{{outcome=\"failed\"}} {}", 10_001 - dropped);
    for _ in 0..3_000 {
        if figures.render().contains(&failed) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {failed} in {}", figures.render());
}

#[tokio::test]
async fn a_dead_collector_fails_each_batch_and_stopping_ends() {
    let endpoint = Collector::start(Manner::Kind).await.endpoint();
    let sender = Sender::to(endpoint, 1.0);
    sender.requests(5);
    sender.until(|sender| sender.spans("failed") == 5).await;
    sender.requests(7);
    let Sender { otlp, figures, .. } = sender;
    otlp.stop(Duration::from_secs(30)).await;
    assert!(
        figures.render().contains("stoa_trace_spans_total{outcome=\"failed\"} 12"),
        "{}",
        figures.render()
    );
}

#[tokio::test]
async fn what_waits_is_sent_before_the_end() {
    let collector = Collector::start(Manner::Kind).await;
    let sender = Sender::to(collector.endpoint(), 1.0);
    sender.requests(2_000);
    sender.otlp.stop(Duration::from_secs(30)).await;
    assert_eq!(collector.spans().len(), 2_000);
}
