//! The W3C `traceparent` header: which trace a request belongs to, and what we answer.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use stoa_platform::traces::{self, SpanContext, TraceState};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The parent a request names, if the header is as it should be.
pub(crate) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let state =
        headers.get(TRACESTATE).and_then(|state| state.to_str().ok()).filter(|state| state.len() <= 512);
    let state = state.and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    traces::read(headers.get(TRACEPARENT)?.to_str().ok()?, state)
}

/// The header that names `span`.
pub(crate) fn header(span: &SpanContext) -> Option<HeaderValue> {
    HeaderValue::try_from(traces::written(span)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_and_written_alike() {
        let mut headers = HeaderMap::new();
        assert_eq!(parent(&headers), None);
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert(TRACEPARENT, HeaderValue::from_static(text));
        headers.insert(TRACESTATE, HeaderValue::from_static("vendor=1"));
        let parent = parent(&headers).unwrap();
        assert_eq!(
            (header(&parent).unwrap(), parent.trace_state().get("vendor")),
            (text.parse().unwrap(), Some("1"))
        );
    }
}
