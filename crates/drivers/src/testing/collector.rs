//! An OpenTelemetry collector that speaks the real protocol, and can be as bad as real ones.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU8, atomic::Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value::Value},
};
use parking_lot::Mutex;
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

/// How a collector behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Manner {
    /// It takes what it gets.
    Kind,
    /// It answers 503.
    Refusing,
    /// It never answers.
    Silent,
}

/// A span as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArrivedSpan {
    /// Its trace, in hexadecimal.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The id of its parent; empty for none.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Its attributes, as texts.
    pub attributes: Vec<(String, String)>,
    /// Attributes of what sent it.
    pub resource: Vec<(String, String)>,
}

impl ArrivedSpan {
    /// An attribute's text; empty when it is not there.
    pub fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().chain(&self.resource).find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

/// The collector.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    manner: AtomicU8,
    requests: Mutex<Vec<String>>,
    spans: Mutex<Vec<ArrivedSpan>>,
}

impl Collector {
    /// Starts one on a free port.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        seen.manner.store(manner as u8, Ordering::SeqCst);
        let router = Router::new().route("/v1/traces", post(collect)).with_state(Arc::clone(&seen));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server that runs");
        });
        Self { address, seen, task }
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes its manner.
    pub fn becomes(&self, manner: Manner) {
        self.seen.manner.store(manner as u8, Ordering::SeqCst);
    }

    /// The `x-api-key` of every request so far, also of those that it did not take.
    pub fn keys(&self) -> Vec<String> {
        self.seen.requests.lock().clone()
    }

    /// What arrived so far.
    pub fn spans(&self) -> Vec<ArrivedSpan> {
        self.seen.spans.lock().clone()
    }

    /// Waits until what has arrived is enough.
    pub async fn until(&self, enough: impl Fn(&[ArrivedSpan]) -> bool) -> Vec<ArrivedSpan> {
        for _ in 0..3_000 {
            let spans = self.spans();
            if enough(&spans) {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("these spans are not enough: {:#?}", self.spans());
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn collect(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get("x-api-key").map(|key| key.to_str().unwrap_or_default().to_owned());
    seen.requests.lock().push(key.unwrap_or_default());
    match seen.manner.load(Ordering::SeqCst) {
        refusing if refusing == Manner::Refusing as u8 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        silent if silent == Manner::Silent as u8 => std::future::pending().await,
        _ => {
            let request = ExportTraceServiceRequest::decode(body).expect("a request of the protocol");
            seen.spans.lock().extend(spans(request));
            let answer = ExportTraceServiceResponse::default().encode_to_vec();
            ([(header::CONTENT_TYPE, "application/x-protobuf")], answer).into_response()
        }
    }
}

fn spans(request: ExportTraceServiceRequest) -> Vec<ArrivedSpan> {
    let mut arrived = Vec::new();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.map(|resource| texts(&resource.attributes)).unwrap_or_default();
        for span in of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
            arrived.push(ArrivedSpan {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: texts(&span.attributes),
                name: span.name,
                resource: resource.clone(),
            });
        }
    }
    arrived
}

fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes
        .iter()
        .map(|pair| {
            let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
            (pair.key.clone(), value.map(text).unwrap_or_default())
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
