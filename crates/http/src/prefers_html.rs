//! What kind of answer a client would rather have: content negotiation (RFC 9110 §12.5.1) between a page for people and
//! the JSON of the API.

use axum::http::{HeaderMap, header};

/// Weights in thousandths, so that they are compared exactly.
const WHOLE: u16 = 1_000;

/// Whether a client would rather have HTML than JSON. Browsers that open an address would; clients that take anything, or
/// both alike, get JSON as ever.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> = given.flat_map(|value| value.split(',')).filter_map(Range::read).collect();
    let html = weight(&ranges, ("text", "html"));
    html > weight(&ranges, ("application", "json"))
}

/// The weight of the range that names a type most exactly; nothing where none does.
fn weight(ranges: &[Range], (kind, subtype): (&str, &str)) -> u16 {
    let matching = ranges.iter().filter(|range| {
        (range.kind == kind && (range.subtype == subtype || range.subtype == "*"))
            || (range.kind == "*" && range.subtype == "*")
    });
    let exactness = |range: &&Range| (range.kind != "*", range.subtype != "*");
    matching.max_by_key(exactness).map_or(0, |range| range.weight)
}

/// A media range: `text/html;q=0.9`.
#[derive(Debug)]
struct Range {
    kind: String,
    subtype: String,
    weight: u16,
}

impl Range {
    /// `None` for one that cannot be read, which asks for nothing.
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut weight = WHOLE;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                weight = thousandths(value.trim())?;
            }
        }
        Some(Self { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), weight })
    }
}

/// `0.8` → 800; `None` for what is no weight.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(WHOLE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers(accept: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        prefers_html(&headers)
    }

    #[test]
    fn browsers_get_pages() {
        for accept in [
            &["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"][..],
            &["text/html"],
            &["TEXT/HTML; charset=utf-8 ; Q=0.5"],
            &["text/*;q=0.3, application/json;q=0.2"],
            &["application/json;q=0.9", "text/html"],
            &["*/*;q=0.1, text/html;q=0.101"],
            &["*/*, application/json;q=0.5"],
        ] {
            assert!(prefers(accept), "{accept:?}");
        }
    }

    #[test]
    fn whoever_takes_anything_or_rather_json_gets_json() {
        for accept in [
            &[][..],
            &["*/*"],
            &["application/json, text/plain, */*"],
            &["text/html, application/json"],
            &["text/html;q=0.5, application/json;q=0.6"],
            &["text/html;q=0, */*"],
            &["text/html;q=0"],
            &["text/html;q=0.0001"],
            &["text/html;q=2"],
            &["text/html;q=-1, */*;q=0.1"],
            &["text/html;q=1.001"],
            &["text/plain"],
            &["image/avif,image/webp,*/*;q=0.8"],
            &["nonsense", "/", ""],
        ] {
            assert!(!prefers(accept), "{accept:?}");
        }
    }
}
