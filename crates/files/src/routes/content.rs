//! `GET` and `HEAD /files/{filename}` and `/uploads/{filename}`, which is the same, and `PUT /uploads/{id}`, at which what
//! was announced is taken. They have no version.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, put},
};
use stoa_contracts::files::FileId;
use stoa_http::{Outcome, PathParts, Problem, QueryPart, Reply, RequestContext, query_problem};
use stoa_kernel::Refusal;
use stoa_pictures::Rendition;
use utoipa_axum::router::OpenApiRouter;

use super::incoming;
use crate::{
    Files,
    error::FileError,
    file::StoredName,
    serve::{Asked, Head},
    sign::{LinkFlaw, Purpose},
};

pub(super) fn routes() -> OpenApiRouter<Files> {
    let content: MethodRouter<Files> = get(content);
    OpenApiRouter::new()
        .route("/files/{filename}", content.clone())
        .route("/uploads/{filename}", content.merge(put(accept)))
}

type Pairs = Vec<(String, String)>;

async fn content(
    State(files): State<Files>,
    context: RequestContext,
    PathParts(name): PathParts<String>,
    QueryPart(query): QueryPart<Pairs>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = asked(&name, &query)?;
    let head = Head { method: &method, headers: &headers };
    match files.content(context.actor(), asked, &head).await {
        Err(FileError::Range(size)) => Ok(no_such_part(size)),
        served => Ok(served?),
    }
}

/// The refusal of a part that is not there, which says how much there is.
fn no_such_part(size: u64) -> Response {
    let mut response = Problem::from(FileError::Range(size)).into_response();
    if let Ok(whole) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, whole);
    }
    response
}

fn asked(name: &str, query: &Pairs) -> Result<Asked, Problem> {
    let name = StoredName::parse(name).ok_or(FileError::Unknown)?;
    let rendition = Rendition::parse(query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let rendition = rendition.map_err(|flaw| query_problem(flaw.parameter.to_owned(), flaw.message))?;
    let download = value(query, "download").is_some_and(|text| matches!(text, "" | "1" | "true"));
    Ok(Asked { name, link: link(query), download, rendition })
}

/// The end and the signature of a signed link.
fn link(query: &Pairs) -> Option<(String, String)> {
    let (expires, signature) = (value(query, "expires"), value(query, "signature"));
    (expires.is_some() || signature.is_some())
        .then(|| (expires.unwrap_or_default().to_owned(), signature.unwrap_or_default().to_owned()))
}

fn value<'q>(query: &'q Pairs, name: &str) -> Option<&'q str> {
    query.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
}

/// Takes what was announced, from whoever has the address that was given for it.
async fn accept(
    State(files): State<Files>,
    context: RequestContext,
    PathParts(id): PathParts<FileId>,
    QueryPart(query): QueryPart<Pairs>,
    request: Request,
) -> Outcome {
    context.take_long();
    let incoming = incoming(request);
    let allowed = allowed(&files, id, &query);
    if let Err(refusal) = allowed {
        return Err(incoming
            .end::<()>(Err(refusal))
            .await
            .map_or_else(Problem::from, |()| Problem(Refusal::internal("a refusal was lost"))));
    }
    files.accept(id, incoming).await?;
    Ok(Reply::no_content())
}

fn allowed(files: &Files, id: FileId, query: &Pairs) -> Result<(), FileError> {
    let (expires, signature) = link(query).ok_or(LinkFlaw::Altered)?;
    let now = files.0.platform.clock.now();
    Ok(files.0.links.check(Purpose::Send, id, (&expires, &signature), now)?)
}
