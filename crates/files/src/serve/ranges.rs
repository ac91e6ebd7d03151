//! Which parts of an object are asked for (RFC 9110 §14).

use std::{num::NonZeroUsize, ops::Range};

use axum::http::{HeaderMap, header};
use http_range_header::{ParsedRanges, SyntacticallyCorrectRange, parse_range_header_with_max_ranges};

/// More parts than this are asked for by nobody who means well: the whole is sent.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// What is to be sent of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// One part.
    Part(Range<u64>),
    /// Several, none of which overlap.
    Parts(Vec<Range<u64>>),
    /// Nothing that it has.
    Nothing,
}

impl Wanted {
    /// Reads the `Range` header for an object of `size` bytes. What cannot be read, or is too much, asks for nothing: such a
    /// header may be ignored.
    pub(crate) fn of(headers: &HeaderMap, size: u64) -> Self {
        let Some(text) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
            return Self::Whole;
        };
        let Ok(parsed) = parse_range_header_with_max_ranges(text, MOST) else { return Self::Whole };
        let mut parts = satisfiable(parsed, size);
        if parts.is_empty() {
            return Self::Nothing;
        }
        if parts.len() == 1 {
            return parts.pop().map_or(Self::Nothing, Self::Part);
        }
        let mut sorted = parts.clone();
        sorted.sort_by_key(|part| part.start);
        let overlap = sorted.windows(2).any(|two| matches!(two, [one, next] if next.start < one.end));
        if overlap { Self::Whole } else { Self::Parts(parts) }
    }
}

/// Those that the object has, cut to its length.
fn satisfiable(parsed: ParsedRanges, size: u64) -> Vec<Range<u64>> {
    let cut = |range: SyntacticallyCorrectRange| match range {
        SyntacticallyCorrectRange::FromStart(start) => start..size,
        SyntacticallyCorrectRange::FromLast(last) => size.saturating_sub(last)..size,
        SyntacticallyCorrectRange::Indexed(start, end) => start..end.saturating_add(1).min(size),
    };
    parsed.into_ranges().into_iter().map(cut).filter(|range| range.start < range.end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Wanted {
        let headers = HeaderMap::from_iter([(header::RANGE, text.parse().unwrap())]);
        Wanted::of(&headers, 100)
    }

    #[test]
    fn parts_are_cut_to_what_there_is() {
        for (text, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=10-19", 10..20),
            ("bytes=90-", 90..100),
            ("bytes=90-1000", 90..100),
            ("bytes=-5", 95..100),
            ("bytes=-1000", 0..100),
            ("bytes=200-300, 5-6", 5..7),
        ] {
            assert_eq!(wanted(text), Wanted::Part(part), "{text}");
        }
        assert_eq!(wanted("bytes=0-1, 50-59,-1"), Wanted::Parts(vec![0..2, 50..60, 99..100]));
        assert_eq!(wanted("bytes=50-59, 0-1"), Wanted::Parts(vec![50..60, 0..2]), "in the order asked for");
    }

    #[test]
    fn what_it_does_not_have_is_told_and_what_is_odd_is_ignored() {
        for none in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=200-300, 400-"] {
            assert_eq!(wanted(none), Wanted::Nothing, "{none}");
        }
        let many = format!("bytes={}", (0..17).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(","));
        for odd in ["bytes=", "bytes=a-b", "bytes=5-4", "lines=1-2", "bytes=0-9,5-14", &many, "bytes=1-2;3-4"]
        {
            assert_eq!(wanted(odd), Wanted::Whole, "{odd}");
        }
        assert_eq!(Wanted::of(&HeaderMap::new(), 100), Wanted::Whole);
        let of_nothing = HeaderMap::from_iter([(header::RANGE, "bytes=0-".parse().unwrap())]);
        assert_eq!(Wanted::of(&of_nothing, 0), Wanted::Nothing);
    }
}
