//! Which version of the API a request speaks: by path, else by header, else by query, else the default.

use axum::http::{HeaderMap, HeaderName, Uri, uri::PathAndQuery};
use stoa_kernel::Refusal;

/// The header that asks for a version, and tells which was answered.
pub(crate) const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// A version of the API.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum ApiVersion {
    /// The first, flat surface without `/api`; deprecated.
    V0,
    /// Stable: everything in an envelope.
    V1,
    /// Current: bare resources and RFC 9457 problems.
    V2,
}

impl ApiVersion {
    /// The versions that live under `/api`, newest first.
    pub const CURRENT: [Self; 2] = [Self::V2, Self::V1];

    /// As clients write it, e.g. `v2`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    /// Reads `v1` or `v2`; v0 exists as its own paths only, and says so.
    pub fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "v2" => Ok(Self::V2),
            "v1" => Ok(Self::V1),
            "v0" => Err(Refusal::malformed(
                "UNKNOWN_API_VERSION",
                "Version v0 exists only at its own paths without /api; use v1 or v2 here.",
            )),
            _ => Err(Refusal::malformed(
                "UNKNOWN_API_VERSION",
                "This API version is unknown; known are v1 and v2.",
            )),
        }
    }
}

/// The version a request asks for, and its address without the asking.
pub(crate) struct Selected {
    pub(crate) version: ApiVersion,
    pub(crate) uri: Option<Uri>,
}

/// Chooses the version of a request under `/api`; `None` for other paths, which have no version.
pub(crate) fn select(
    uri: &Uri,
    headers: &HeaderMap,
    default: ApiVersion,
) -> Result<Option<Selected>, Refusal> {
    let path = uri.path();
    let Some(rest) = path.strip_prefix("/api").filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return Ok(None);
    };
    if let Some((name, resource)) = version_segment(rest) {
        let version = ApiVersion::parse(name)?;
        return Ok(Some(Selected {
            version,
            uri: Some(rewritten(uri, &format!("/api{resource}"), uri.query())?),
        }));
    }
    let asked_in_query = uri.query().and_then(version_parameter);
    let stripped = match asked_in_query {
        Some(_) => Some(rewritten(uri, path, uri.query().map(without_version).as_deref())?),
        None => None,
    };
    let asked = match headers.get(API_VERSION) {
        Some(value) => Some(value.to_str().unwrap_or_default()),
        None => asked_in_query,
    };
    let version = asked.map_or(Ok(default), ApiVersion::parse)?;
    Ok(Some(Selected { version, uri: stripped }))
}

/// `/v2/products` → (`v2`, `/products`).
fn version_segment(rest: &str) -> Option<(&str, &str)> {
    let segment = rest.strip_prefix('/')?;
    let end = segment.find('/').unwrap_or(segment.len());
    let (name, resource) = segment.split_at(end);
    let digits = name.strip_prefix('v')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some((name, resource))
}

fn version_parameter(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("version="))
}

fn without_version(query: &str) -> String {
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("version=")).collect();
    kept.join("&")
}

fn rewritten(uri: &Uri, path: &str, query: Option<&str>) -> Result<Uri, Refusal> {
    let text = match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    };
    let unreadable = || Refusal::malformed("MALFORMED_ADDRESS", "The address of the request cannot be read.");
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).map_err(|_| unreadable())?);
    Uri::from_parts(parts).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(uri: &str, header: Option<&str>) -> Result<Option<(ApiVersion, String)>, &'static str> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("api-version", header.parse().unwrap());
        }
        let uri: Uri = uri.parse().unwrap();
        select(&uri, &headers, ApiVersion::V2)
            .map(|selected| {
                selected.map(|found| (found.version, found.uri.unwrap_or_else(|| uri.clone()).to_string()))
            })
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn path_beats_header_beats_query_beats_default() {
        use ApiVersion::{V1, V2};
        let products = "/api/products".to_owned();
        assert_eq!(selected("/api/v1/products", Some("v2")), Ok(Some((V1, products.clone()))));
        assert_eq!(selected("/api/products?version=v2", Some("v1")), Ok(Some((V1, products.clone()))));
        assert_eq!(selected("/api/products?version=v1", None), Ok(Some((V1, products.clone()))));
        assert_eq!(selected("/api/products", None), Ok(Some((V2, products))));
        let kept = "/api/products?limit=2&page=3".to_owned();
        assert_eq!(selected("/api/products?limit=2&version=v1&page=3", None), Ok(Some((V1, kept))));
    }

    #[test]
    fn unknown_versions_and_v0_are_refused() {
        for (uri, header) in [
            ("/api/v3/products", None),
            ("/api/v0/products", None),
            ("/api/products", Some("v0")),
            ("/api/products", Some("two")),
            ("/api/products?version=9", None),
        ] {
            assert_eq!(selected(uri, header), Err("UNKNOWN_API_VERSION"), "{uri}");
        }
    }

    #[test]
    fn paths_outside_api_have_no_version() {
        assert_eq!(selected("/health", Some("v7")), Ok(None));
        assert_eq!(selected("/apiary", None), Ok(None));
        assert_eq!(selected("/api/vendors", None), Ok(Some((ApiVersion::V2, "/api/vendors".into()))));
    }
}
