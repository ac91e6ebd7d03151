//! Dates as HTTP writes them: IMF-fixdate (RFC 9110 §5.6.7).

use stoa_kernel::Timestamp;

const FIXDATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// A moment, to the second.
pub fn http_date(at: Timestamp) -> String {
    at.to_datetime().format(FIXDATE).to_string()
}

/// The moment of a date. The two obsolete forms are not read: nobody has sent them for long.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let read = chrono::NaiveDateTime::parse_from_str(text, FIXDATE).ok()?;
    Some(Timestamp::from_seconds(read.and_utc().timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        let (moment, text) = (Timestamp::from_seconds(1_767_225_600), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(http_date(moment), text);
        assert_eq!(parse_http_date(text), Some(moment));
        for odd in ["", "Thu, 01 Jan 2026 00:00:00", "2026-01-01T00:00:00Z", "Fri, 32 Jan 2026 00:00:00 GMT"]
        {
            assert_eq!(parse_http_date(odd), None, "{odd}");
        }
    }
}
