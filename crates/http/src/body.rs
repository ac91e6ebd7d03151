//! Typed input: JSON bodies, path parts and query parts, each with a clear refusal.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use stoa_kernel::{FieldError, Refusal, RefusalKind, wording::in_plain_words};

use crate::{
    context::RequestContext,
    linger::{declared_length, linger, waits_to_send},
    problem::Problem,
    strict::ObjectsOnly,
};

/// A JSON body: 415 for another type, 413 when too large, 400 when it is no JSON, 422 when it is not a `T`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let context = RequestContext::from_request_parts(&mut parts, state).await?;
        let bytes = read_json(&parts.headers, body, context.settings().body_limit).await?;
        parse_json(&bytes).map(Self)
    }
}

/// A JSON body as it came, for whoever checks a signature of it: 415 for another type, 413 when too large.
#[derive(Debug)]
pub struct RawJson(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawJson {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let context = RequestContext::from_request_parts(&mut parts, state).await?;
        read_json(&parts.headers, body, context.settings().body_limit).await.map(Self)
    }
}

/// Reads a body that says it is JSON, up to `limit` bytes.
pub(crate) async fn read_json(
    headers: &HeaderMap,
    body: axum::body::Body,
    limit: usize,
) -> Result<Bytes, Problem> {
    if !is_json(headers) {
        return Err(Problem(Refusal::new(
            RefusalKind::UnsupportedMediaType,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the body as application/json.",
        )));
    }
    let mut body = body;
    if declared_length(headers).is_some_and(|length| length > limit as u64) {
        if !waits_to_send(headers) {
            linger(body.into_data_stream()).await;
        }
        return Err(too_large(limit));
    }
    match Limited::new(&mut body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            linger(body.into_data_stream()).await;
            Err(too_large(limit))
        }
        Err(_) => Err(Problem(Refusal::malformed("INCOMPLETE_BODY", "The body of the request ended early."))),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn too_large(limit: usize) -> Problem {
    let refusal =
        Refusal::new(RefusalKind::TooLarge, "BODY_TOO_LARGE", "The body of the request is too large.");
    Problem(refusal.with_fact("limit", limit))
}

/// Parses a JSON body strictly.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if holds_nul(bytes) {
        return Err(Problem(Refusal::new(
            RefusalKind::Invalid,
            "NUL_CHARACTER",
            "Text must not contain the character U+0000.",
        )));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(ObjectsOnly(&mut deserializer)).map_err(|error| {
        let path = error.path().to_string();
        refused(path, error.inner())
    })?;
    deserializer.end().map_err(|error| refused(".".into(), &error))?;
    Ok(value)
}

fn refused(path: String, error: &serde_json::Error) -> Problem {
    if error.is_data() {
        let field = match (path.as_str(), missing_field(error)) {
            (".", Some(missing)) => missing,
            (_, Some(missing)) => format!("{path}.{missing}"),
            (_, None) => path,
        };
        let code = if missing_field(error).is_some() { "REQUIRED" } else { "INVALID" };
        let message = in_plain_words(&error.to_string());
        return Problem(Refusal::invalid(vec![FieldError::new(field, code, message)]));
    }
    Problem(Refusal::malformed("MALFORMED_JSON", format!("The body is not valid JSON: {}.", plain(error))))
}

fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let rest = text.strip_prefix("missing field `")?;
    rest.split('`').next().map(str::to_owned)
}

/// What is wrong with the JSON itself, without the line and column, which mean nothing in a one-line body.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Whether JSON text holds U+0000, which no database takes: as an escape, or bare (and then it is no JSON anyway).
fn holds_nul(bytes: &[u8]) -> bool {
    let mut escaped = false;
    bytes.iter().enumerate().any(|(index, byte)| {
        let begins_escape = escaped && *byte == b'u';
        escaped = !escaped && *byte == b'\\';
        begins_escape && bytes.get(index + 1..index + 5) == Some(b"0000")
    })
}

/// Parts of the path, e.g. an id; 400 when they are not what they should be.
#[derive(Debug)]
pub struct PathParts<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParts<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => {
                Err(Problem(Refusal::malformed("INVALID_ID", "The address holds an id that cannot be read.")))
            }
        }
    }
}

/// Parts of the query; 400 when one is not what it should be, never silently replaced.
#[derive(Debug)]
pub struct QueryPart<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryPart<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(invalid_query(rejection.body_text())),
        }
    }
}

/// axum words it as `Failed to deserialize query string: <field>: <reason>`.
fn invalid_query(text: String) -> Problem {
    let told = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    let (field, message) = told.split_once(": ").unwrap_or(("query", told));
    query_problem(field.to_owned(), in_plain_words(message))
}

/// 400 for a bad query parameter, with a sentence that says what is wrong.
pub fn query_problem(field: String, message: String) -> Problem {
    let mut refusal =
        Refusal::malformed("INVALID_QUERY", format!("The query parameter `{field}` is invalid. {message}"));
    refusal.fields = vec![FieldError::new(field, "INVALID", message)];
    Problem(refusal)
}

/// The state of a resource that a write insists on (`If-Match`); without the header every state will do.
#[derive(Clone, Debug, Default)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// 412 unless the resource, whose present state is `mark`, is one of those named.
    pub fn check(&self, mark: impl std::fmt::Display) -> Result<(), Refusal> {
        match &self.0 {
            Some(given) if !crate::render::matches_etag(given, &format!("\"{mark}\"")) => Err(Refusal::new(
                RefusalKind::PreconditionFailed,
                "PRECONDITION_FAILED",
                "The resource has changed since you read it. Read it again and repeat the change.",
            )),
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = parts.headers.get(header::IF_MATCH);
        Ok(Self(given.map(|value| value.to_str().unwrap_or_default().to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Pot {
        name: String,
        size: u32,
    }

    fn refusal(text: &[u8]) -> (u16, &'static str, String) {
        let problem = parse_json::<Pot>(text).unwrap_err();
        let field = problem.0.fields.first().map(|field| field.field.to_string()).unwrap_or_default();
        (crate::problem::status(problem.0.kind).as_u16(), problem.0.code, field)
    }

    #[test]
    fn bad_bodies_are_told_apart_and_name_their_field() {
        assert_eq!(refusal(b"{\"name\":"), (400, "MALFORMED_JSON", String::new()));
        assert_eq!(refusal(b"\xff"), (400, "MALFORMED_JSON", String::new()));
        assert_eq!(refusal(br#"{"name":"a"}"#), (422, "VALIDATION_FAILED", "size".into()));
        assert_eq!(refusal(br#"{"name":1,"size":1}"#), (422, "VALIDATION_FAILED", "name".into()));
        assert_eq!(refusal(br#"{"name":"a","size":1.5}"#), (422, "VALIDATION_FAILED", "size".into()));
        assert_eq!(refusal(br#"{"name":"a","size":1,"more":1}"#), (422, "VALIDATION_FAILED", "more".into()));
        assert_eq!(refusal(br#"["a",1]"#), (422, "VALIDATION_FAILED", ".".into()));
        assert_eq!(refusal(br#"{"name":"a\u0000","size":1}"#), (422, "NUL_CHARACTER", String::new()));
        assert_eq!(refusal(br#"{"name":"a","size":1} x"#), (400, "MALFORMED_JSON", String::new()));
    }

    #[test]
    fn what_is_wrong_is_told_in_plain_words() {
        let said = |text: &[u8]| parse_json::<Pot>(text).unwrap_err().0.fields[0].message.to_string();
        assert_eq!(said(br#"{"name":1,"size":1}"#), "This must be text.");
        assert_eq!(said(br#"{"name":"a","size":-1}"#), "This must be a whole number of 0 or more.");
        assert_eq!(said(br#"{"name":"a"}"#), "This is required.");
        assert_eq!(
            said(br#"{"name":"a","size":1,"more":1}"#),
            "There is no such field. Known are name, size."
        );
        assert_eq!(said(b"[1]"), "This must be an object.");
        let query =
            invalid_query("Failed to deserialize query string: limit: invalid digit found in string".into());
        assert_eq!(query.0.fields[0].message, "This must be a whole number.");
        assert_eq!(query.0.detail, "The query parameter `limit` is invalid. This must be a whole number.");
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_text() {
        assert!(!holds_nul(br#"{"name":"\\u0000"}"#));
        assert!(holds_nul(br#"{"name":"\\\u0000"}"#));
    }
}
