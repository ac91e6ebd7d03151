//! Naming a span to others and to later times, in the words of the W3C `traceparent` header.

use opentelemetry::{Context, trace::TraceContextExt};

use super::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Version, trace, span and flags with the dashes between.
const LENGTH: usize = 55;

/// The span that a text names, if it is as it should be.
pub fn read(text: &str, state: TraceState) -> Option<SpanContext> {
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
    let is_valid = trace != TraceId::INVALID && span != SpanId::INVALID;
    is_valid.then(|| SpanContext::new(trace, span, flags, true, state))
}

/// The text that names a span.
pub fn written(span: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8())
}

/// The text that names the span open here and now, if it is traced.
pub fn now() -> Option<String> {
    Context::map_current(|current| {
        if !current.has_active_span() {
            return None;
        }
        let span = current.span();
        let context = span.span_context();
        (context.is_valid() && context.is_sampled()).then(|| written(context))
    })
}

/// Does something as if within the span that a kept text names: what it queues and tells goes on below that span.
pub fn under<T>(kept: Option<&str>, work: impl FnOnce() -> T) -> T {
    let named = kept.and_then(|text| read(text, TraceState::default()));
    let _open = named.map(|span| Context::new().with_remote_span_context(span).attach());
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn plain(text: &str) -> Option<SpanContext> {
        read(text, TraceState::default())
    }

    #[test]
    fn a_good_text_is_read_and_written_alike() {
        let parent = plain(GOOD).unwrap();
        assert!(parent.is_sampled() && parent.is_remote());
        assert_eq!(written(&parent), GOOD);
        let unsampled = plain("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").unwrap();
        assert!(!unsampled.is_sampled());
        let later = plain("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes").unwrap();
        assert_eq!(later.trace_id(), parent.trace_id());
    }

    #[test]
    fn what_is_not_as_it_should_be_names_no_span() {
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
            assert_eq!(plain(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_done_under_a_kept_span_goes_on_below_it() {
        assert_eq!(now(), None);
        assert_eq!(under(Some(GOOD), now), Some(GOOD.to_owned()));
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        for nothing in [None, Some("nonsense"), Some(unsampled)] {
            assert_eq!(under(nothing, now), None);
        }
        assert_eq!(now(), None, "it is over");
    }
}
