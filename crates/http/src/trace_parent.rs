//! The W3C `traceparent` header: which trace a request belongs to, and what we answer.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use stoa_platform::traces::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Version, trace, span and flags with the dashes between.
const LENGTH: usize = 55;

/// The parent a request names, if the header is as it should be.
pub(crate) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let (trace, span, flags) = parts(headers.get(TRACEPARENT)?.to_str().ok()?)?;
    let state =
        headers.get(TRACESTATE).and_then(|state| state.to_str().ok()).filter(|state| state.len() <= 512);
    let state = state.and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    Some(SpanContext::new(trace, span, flags, true, state))
}

fn parts(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let sizes = (version.len(), trace.len(), span.len(), flags.len()) == (2, 32, 16, 2);
    let digits = [version, trace, span, flags].iter().all(|part| part.bytes().all(lower_hex));
    // A later version may say more behind the flags; this one may not.
    let ends = text.len() == LENGTH || version != "00";
    if !sizes || !digits || !ends || version == "ff" {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    (trace != TraceId::INVALID && span != SpanId::INVALID).then_some((trace, span, flags))
}

/// The header that names `span`.
pub(crate) fn header(span: &SpanContext) -> Option<HeaderValue> {
    let flags = span.trace_flags().to_u8();
    HeaderValue::try_from(format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(text: &str) -> Option<SpanContext> {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::try_from(text).unwrap());
        parent(&headers)
    }

    #[test]
    fn a_good_header_is_read_and_written_alike() {
        let parent = read(GOOD).unwrap();
        assert!(parent.is_sampled() && parent.is_remote());
        assert_eq!(header(&parent).unwrap(), GOOD);
        let unsampled = read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").unwrap();
        assert!(!unsampled.is_sampled());
        let later = read("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes").unwrap();
        assert_eq!(later.trace_id(), parent.trace_id());
    }

    #[test]
    fn what_is_not_as_it_should_be_is_no_parent() {
        for bad in [
            "",
            "nonsense",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033311-01",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
