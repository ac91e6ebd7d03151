//! The one place where answers and refusals become bytes, in the shape of their version.

use std::fmt::Write as _;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use stoa_kernel::{FieldError, Refusal, Timestamp};

use crate::{
    problem::status,
    reply::{ListShape, Reply},
    version::ApiVersion,
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
/// Clients may keep a cached answer but ask each time whether it still holds.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// What rendering needs to know of the request.
pub(crate) struct Request<'r> {
    pub(crate) version: ApiVersion,
    pub(crate) method: &'r Method,
    pub(crate) if_none_match: Option<&'r HeaderValue>,
    pub(crate) id: &'r str,
    pub(crate) now: Timestamp,
}

/// An answer in the shape of the request's version; 304 when the client has it already.
pub(crate) fn reply(reply: Reply, request: &Request<'_>) -> Response {
    let known = reply.etag.as_deref().is_some_and(|etag| is_known(etag, request));
    let (status, body) = if known {
        (StatusCode::NOT_MODIFIED, None)
    } else if reply.status == StatusCode::NO_CONTENT {
        (reply.status, None)
    } else {
        (reply.status, Some(enveloped(reply.data, reply.list.as_ref(), request)))
    };
    let has_body = body.is_some();
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    headers.reserve(USUAL_HEADERS);
    if let Some(found) = reply.found {
        headers.insert(X_CACHE, HeaderValue::from_static(found));
        headers.insert(header::CACHE_CONTROL, REVALIDATE);
    }
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(etag) = reply.etag.and_then(|etag| HeaderValue::from_maybe_shared(Bytes::from(etag)).ok()) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn is_known(etag: &str, request: &Request<'_>) -> bool {
    let reading = matches!(*request.method, Method::GET | Method::HEAD);
    let given = request.if_none_match.and_then(|value| value.to_str().ok());
    reading && given.is_some_and(|given| matches_etag(given, etag))
}

/// Whether a list of entity tags (RFC 9110 §8.8.3) names `etag`; `*` names every state.
pub(crate) fn matches_etag(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

pub(crate) fn enveloped(data: Bytes, list: Option<&ListShape>, request: &Request<'_>) -> Bytes {
    match (request.version, list) {
        (ApiVersion::V1, list) => {
            let mut body = Vec::with_capacity(data.len() + 256);
            body.extend_from_slice(br#"{"success":true,"data":"#);
            body.extend_from_slice(&data);
            body.extend_from_slice(br#","meta":"#);
            body.extend_from_slice(&json(&Meta::of(request, list)));
            body.push(b'}');
            body.into()
        }
        (_, None) => data,
        (_, Some(list)) => {
            let mut body = Vec::with_capacity(data.len() + 128);
            body.extend_from_slice(br#"{"data":"#);
            body.extend_from_slice(&data);
            let shape = json(&ListFields::of(list));
            body.push(b',');
            body.extend_from_slice(shape.get(1..).unwrap_or(b"}"));
            body.into()
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListFields<'l> {
    next_cursor: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_count: Option<u32>,
}

impl<'l> ListFields<'l> {
    fn of(list: &'l ListShape) -> Self {
        Self {
            next_cursor: list.next_cursor.as_deref(),
            page: list.page,
            size: list.page.map(|_| list.limit),
            total: list.total,
            unread_count: list.unread,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'m> {
    version: &'static str,
    timestamp: Timestamp,
    request_id: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination<'m>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pagination<'m> {
    limit: u32,
    #[serde(flatten)]
    fields: ListFields<'m>,
}

impl<'m> Meta<'m> {
    fn of(request: &Request<'m>, list: Option<&'m ListShape>) -> Self {
        Self {
            version: request.version.name(),
            timestamp: request.now,
            request_id: request.id,
            pagination: list.map(|list| Pagination { limit: list.limit, fields: ListFields::of(list) }),
        }
    }
}

/// A refusal in the shape of the request's version.
pub(crate) fn refusal(refusal: &Refusal, request: &Request<'_>) -> Response {
    let status = status(refusal.kind);
    let (content_type, body) = match request.version {
        ApiVersion::V2 => ("application/problem+json", problem(refusal, status, request)),
        ApiVersion::V1 => ("application/json", json(&V1Failure::of(refusal, request))),
        ApiVersion::V0 => ("application/json", json(&V0Failure { error: &refusal.detail })),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = refusal.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"stoa\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// RFC 9457, with the facts of the refusal as extension members.
fn problem(refusal: &Refusal, status: StatusCode, request: &Request<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ProblemDetails<'p> {
        r#type: String,
        title: &'p str,
        status: u16,
        detail: &'p str,
        code: &'p str,
        errors: &'p [FieldError],
        request_id: &'p str,
    }
    let mut body = json(&ProblemDetails {
        r#type: problem_type(refusal.code),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail: &refusal.detail,
        code: refusal.code,
        errors: &refusal.fields,
        request_id: request.id,
    });
    if !refusal.facts.is_empty() {
        body.pop();
        let mut members = String::new();
        for (name, value) in &refusal.facts {
            // Writing to a String cannot fail.
            let _ = write!(members, ",\"{name}\":{value}");
        }
        body.extend_from_slice(members.as_bytes());
        body.push(b'}');
    }
    body
}

/// Where the docs explain a code: `INSUFFICIENT_STOCK` → `/api/docs/errors#insufficient-stock`.
fn problem_type(code: &str) -> String {
    format!("/api/docs/errors#{}", code.to_ascii_lowercase().replace('_', "-"))
}

#[derive(Serialize)]
struct V0Failure<'f> {
    error: &'f str,
}

#[derive(Serialize)]
struct V1Failure<'f> {
    success: bool,
    error: V1Error<'f>,
    meta: Meta<'f>,
}

#[derive(Serialize)]
struct V1Error<'f> {
    code: &'f str,
    message: &'f str,
    details: V1Details<'f>,
}

/// The fields at fault, with the facts of the refusal as further members.
struct V1Details<'f>(&'f Refusal);

impl Serialize for V1Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(1 + self.0.facts.len()))?;
        members.serialize_entry("errors", &self.0.fields)?;
        for (name, value) in &self.0.facts {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}

impl<'f> V1Failure<'f> {
    fn of(refusal: &'f Refusal, request: &Request<'f>) -> Self {
        let error = V1Error { code: refusal.code, message: &refusal.detail, details: V1Details(refusal) };
        Self { success: false, error, meta: Meta::of(request, None) }
    }
}

/// Our own shapes hold nothing that could fail to serialise.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The most headers an answer of ours usually has; room for them is made once.
pub(crate) const USUAL_HEADERS: usize = 24;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const GUARDS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=()")),
];

/// Headers every answer of ours carries, unless a handler set its own.
pub(crate) fn guard_headers(headers: &mut HeaderMap, https: bool) {
    for (name, value) in &GUARDS {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    if https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(year);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_compared_one_by_one() {
        assert!(matches_etag("\"1\", W/\"2\"", "\"2\""));
        assert!(matches_etag("*", "\"9\""));
        assert!(!matches_etag("\"1\"", "\"11\""));
    }

    #[test]
    fn problem_types_point_into_the_docs() {
        assert_eq!(problem_type("INSUFFICIENT_STOCK"), "/api/docs/errors#insufficient-stock");
    }
}
