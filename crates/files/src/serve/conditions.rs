//! Whether an answer is wanted at all, or whole: conditional requests (RFC 9110 §13).

use axum::http::{HeaderMap, HeaderName, header};
use stoa_kernel::Timestamp;

/// What tells one state of an object from another. Objects never change, so both always hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Validators {
    /// A strong entity tag, in its quotes.
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
}

/// What conditions decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    Serve,
    /// The client has it.
    NotModified,
    /// The client wanted another.
    Failed,
}

impl Validators {
    /// As the precedence of RFC 9110 §13.2.2 has it.
    pub(crate) fn decide(&self, headers: &HeaderMap) -> Decision {
        let unmodified_since = || date(headers, header::IF_UNMODIFIED_SINCE);
        let failed = match text(headers, header::IF_MATCH) {
            Some(list) => !self.is_listed(list, true),
            None => unmodified_since().is_some_and(|date| self.modified.as_seconds() > date),
        };
        if failed {
            return Decision::Failed;
        }
        let known = match text(headers, header::IF_NONE_MATCH) {
            Some(list) => self.is_listed(list, false),
            None => date(headers, header::IF_MODIFIED_SINCE)
                .is_some_and(|date| self.modified.as_seconds() <= date),
        };
        if known { Decision::NotModified } else { Decision::Serve }
    }

    /// Whether a range is meant for this state of it (`If-Range`); without the header it is.
    pub(crate) fn allow_range(&self, headers: &HeaderMap) -> bool {
        match text(headers, header::IF_RANGE) {
            None => true,
            Some(tag) if tag.starts_with('"') => tag == self.etag,
            Some(_) => date(headers, header::IF_RANGE) == Some(self.modified.as_seconds()),
        }
    }

    /// The date, as HTTP writes it.
    pub(crate) fn date(&self) -> String {
        stoa_http::http_date(self.modified)
    }

    fn is_listed(&self, list: &str, strong: bool) -> bool {
        list.split(',').map(str::trim).any(|one| {
            let bare = one.strip_prefix("W/");
            one == "*" || (bare.is_none() || !strong) && bare.unwrap_or(one) == self.etag
        })
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default().trim())
}

/// The seconds of a date in a header; one that cannot be read is as good as none.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<i64> {
    stoa_http::parse_http_date(text(headers, name)?).map(Timestamp::as_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(given: &[(HeaderName, &str)]) -> Decision {
        validators().decide(&headers(given))
    }

    fn validators() -> Validators {
        Validators { etag: "\"abc\"".into(), modified: Timestamp::from_micros(1_767_225_600_123_456) }
    }

    fn headers(given: &[(HeaderName, &str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    const SAME: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const BEFORE: &str = "Wed, 31 Dec 2025 23:59:59 GMT";

    #[test]
    fn who_has_it_is_not_sent_it() {
        use header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
        for known in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(decided(&[(IF_NONE_MATCH, known)]), Decision::NotModified, "{known}");
        }
        assert_eq!(decided(&[(IF_NONE_MATCH, "\"other\"")]), Decision::Serve);
        assert_eq!(decided(&[(IF_MODIFIED_SINCE, SAME)]), Decision::NotModified);
        assert_eq!(decided(&[(IF_MODIFIED_SINCE, BEFORE)]), Decision::Serve);
        assert_eq!(decided(&[(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, SAME)]), Decision::Serve);
        assert_eq!(decided(&[(IF_MODIFIED_SINCE, "yesterday")]), Decision::Serve);
    }

    #[test]
    fn who_wants_another_is_refused() {
        use header::{IF_MATCH, IF_UNMODIFIED_SINCE};
        assert_eq!(decided(&[(IF_MATCH, "\"abc\"")]), Decision::Serve);
        assert_eq!(decided(&[(IF_MATCH, "W/\"abc\"")]), Decision::Failed, "a weak tag is no proof");
        assert_eq!(decided(&[(IF_MATCH, "\"other\"")]), Decision::Failed);
        assert_eq!(decided(&[(IF_UNMODIFIED_SINCE, BEFORE)]), Decision::Failed);
        assert_eq!(decided(&[(IF_UNMODIFIED_SINCE, SAME)]), Decision::Serve);
    }

    #[test]
    fn a_range_of_another_is_not_served() {
        let allowed = |value: &str| validators().allow_range(&headers(&[(header::IF_RANGE, value)]));
        assert!(validators().allow_range(&HeaderMap::new()));
        assert!(allowed("\"abc\"") && allowed(SAME));
        assert!(!allowed("W/\"abc\"") && !allowed("\"other\"") && !allowed(BEFORE) && !allowed("soon"));
        assert_eq!(validators().date(), SAME);
    }
}
