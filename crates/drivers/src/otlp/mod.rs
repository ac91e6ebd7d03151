//! Traces to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! Spans that end go into a bounded queue; a task of its own sends them in batches. A collector that is dead, slow or
//! refusing costs spans, which are counted, and nothing else: no request waits for it, nor does stopping for longer
//! than it is told.

mod queue;

use std::{collections::HashMap, fmt, time::Duration};

use opentelemetry::{KeyValue, global::BoxedTracer, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider, SpanExporter as _},
};
use stoa_kernel::Random;
use stoa_platform::{metrics::Metrics, traces::Traces};

use self::queue::{Sending, SpanQueue};

/// How long a batch may take, with everything that is tried again.
const BATCH_TIME: Duration = Duration::from_secs(10);

/// Where traces go.
#[derive(Clone, PartialEq)]
pub struct OtlpSettings {
    /// The collector, as `http://127.0.0.1:4318`; the path of traces is added.
    pub endpoint: String,
    /// Headers that it wants, mostly a key.
    pub headers: Vec<(String, String)>,
    /// What this node calls itself.
    pub service_name: String,
    /// How many of all traces that begin here are sent, from 0 to 1.
    pub share: f64,
}

/// Headers hold keys, so they are not shown.
impl fmt::Debug for OtlpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpSettings")
            .field("endpoint", &self.endpoint)
            .field("service_name", &self.service_name)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

/// Why traces cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The client for HTTP cannot be made.
    #[error("the client for the collector cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The address or a header is wrong.
    #[error("the collector cannot be addressed: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Sends traces; dropped, it stops with what it has.
pub struct Otlp {
    provider: SdkTracerProvider,
    sending: Sending,
}

impl Otlp {
    /// Starts sending. Needs a runtime.
    pub fn start(
        settings: &OtlpSettings,
        metrics: &Metrics,
        random: &Random,
        version: &'static str,
    ) -> Result<(Traces, Self), OtlpError> {
        let client = reqwest::Client::builder()
            .timeout(BATCH_TIME)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{}/v1/traces", settings.endpoint.trim_end_matches('/')))
            .with_headers(settings.headers.iter().cloned().collect::<HashMap<_, _>>())
            .with_timeout(BATCH_TIME)
            .build()?;
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", version))
            .build();
        exporter.set_resource(&resource);
        let (queue, sending) = SpanQueue::open(exporter, BATCH_TIME, metrics);
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            // What is not sampled is never begun.
            .with_sampler(Sampler::AlwaysOn)
            .with_span_processor(queue)
            .build();
        let tracer = BoxedTracer::new(Box::new(provider.tracer("stoa")));
        Ok((Traces::to(tracer, settings.share, random.clone()), Self { provider, sending }))
    }

    /// Sends what is left, for `at_most` so long.
    pub async fn stop(self, at_most: Duration) {
        self.sending.stop(at_most).await;
        drop(self.provider);
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otlp")
    }
}
