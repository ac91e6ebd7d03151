//! `/api/admin/catalog/import`, `/imports/{id}` and `/export`.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::from_fn,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::channel;
use serde::Deserialize;
use stoa_http::{
    LimitKey, Outcome, PathParts, Permitted, Problem, QueryPart, Reply, RequestContext, declared_length,
    limited,
};
use stoa_kernel::{FieldError, Refusal, RefusalKind};
use tokio::sync::mpsc;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::{CreatesProducts, ReadsProducts};
use crate::{
    Catalogue,
    import_products::{ImportId, ImportReport, ImportState},
    transfer::{Export, Format, Import},
};

/// Reports that may wait for a client.
const REPORTS: usize = 16;

pub(super) fn routes(catalogue: &Catalogue) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(import))
        .routes(routes!(show))
        .routes(routes!(export))
        .route_layer(from_fn(limited(|limits| &limits.admin, LimitKey::Actor)))
        .with_state(catalogue.clone())
}

/// Import products from CSV or JSON lines. A line with the id of a product changes it, any other makes one; bad lines are
/// told by their numbers, and the others imported. To a client that accepts application/x-ndjson progress is told as it
/// goes, a line for some thousand lines, and the last line is the result. The answer begins with 200 when the first lines
/// could be read; `state` in the result tells how it ended.
#[utoipa::path(
    post, path = "/api/admin/catalog/import", tag = "Catalogue administration", operation_id = "importProducts",
    request_body(content((String = "text/csv"), (String = "application/x-ndjson")), description = "The products"),
    responses(
        (status = 200, description = "What was imported", content((ImportReport = "application/json"), (String = "application/x-ndjson"))),
        (status = 408, description = "Nothing came for too long"),
        (status = 409, description = "Another import is running"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn import(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<CreatesProducts>,
    context: RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    actor.require("product", "update")?;
    let (head, body) = request.into_parts();
    let format = format_of_body(&head.headers)?;
    if declared_length(&head.headers).is_some_and(|length| length > catalogue.import_limit()) {
        return Err(catalogue.refuse_large_import(body).await.into());
    }
    let import = Import::begin(&catalogue, &actor, format, body).await?;
    let (progress, reports) = mpsc::channel(REPORTS);
    tokio::spawn(import.run(progress));
    Ok(told(reports, accepts_lines(&head.headers), context))
}

/// Show how far an import has come, or how it ended.
#[utoipa::path(
    get, path = "/api/admin/catalog/imports/{id}", tag = "Catalogue administration", operation_id = "getImport",
    params(("id" = uuid::Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The import", body = ImportReport)),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn show(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<CreatesProducts>,
    PathParts(id): PathParts<ImportId>,
) -> Outcome {
    actor.require("product", "update")?;
    Reply::ok(&catalogue.import(id).await?)
}

/// How an export is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// `csv` or `ndjson`; otherwise what `Accept` asks for, otherwise CSV.
    #[param(value_type = Option<String>, pattern = "^(csv|ndjson)$")]
    format: Option<String>,
}

/// Export all products, as an import takes them.
#[utoipa::path(
    get, path = "/api/admin/catalog/export", tag = "Catalogue administration", operation_id = "exportProducts",
    params(Wanted),
    responses((status = 200, description = "All products", content((String = "text/csv"), (String = "application/x-ndjson")))),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn export(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<ReadsProducts>,
    headers: HeaderMap,
    QueryPart(wanted): QueryPart<Wanted>,
) -> Result<Response, Problem> {
    // All of them are shown, also those that are not offered.
    actor.require("product", "update")?;
    let format = match wanted.format.as_deref().map(Format::of_name) {
        Some(Some(format)) => format,
        Some(None) => return Err(bad_format().into()),
        None if accepts_lines(&headers) => Format::JsonLines,
        None => Format::Csv,
    };
    let disposition = match format {
        Format::Csv => "attachment; filename=\"products.csv\"",
        Format::JsonLines => "attachment; filename=\"products.ndjson\"",
    };
    let mut response = Export::body(&catalogue, format).into_response();
    let kind = match format {
        Format::Csv => "text/csv; charset=utf-8; header=present",
        Format::JsonLines => format.media_type(),
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    Ok(response)
}

fn format_of_body(headers: &HeaderMap) -> Result<Format, Refusal> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let in_utf8 =
        given.to_ascii_lowercase().split(';').skip(1).all(|part| match part.trim().split_once('=') {
            Some(("charset", charset)) => matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"),
            _ => true,
        });
    Format::of_media_type(given).filter(|_| in_utf8).ok_or_else(|| {
        let detail = "Send text/csv or application/x-ndjson, in UTF-8.";
        Refusal::new(RefusalKind::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", detail)
    })
}

fn accepts_lines(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|one| Format::of_media_type(one) == Some(Format::JsonLines))
}

fn bad_format() -> Refusal {
    let message = "It must be csv or ndjson.";
    let mut refusal = Refusal::malformed(
        "INVALID_QUERY",
        "The query parameter `format` is invalid. It must be csv or ndjson.",
    );
    refusal.fields = vec![FieldError::new("format", "INVALID", message)];
    refusal
}

/// The answer to an import: begun at once, so that no time limit of requests cuts a long one, and ended with its result.
fn told(mut reports: mpsc::Receiver<ImportReport>, in_lines: bool, context: RequestContext) -> Response {
    let (mut sender, body) = channel::Channel::<Bytes>::new(REPORTS);
    tokio::spawn(async move {
        let mut last = None;
        while let Some(report) = reports.recv().await {
            if in_lines || report.state != ImportState::Running {
                last = Some(report.clone());
            }
            if in_lines && sender.send_data(line(&report)).await.is_err() {
                // Nobody listens any more; the import goes on.
                reports.close();
                return;
            }
        }
        if let (false, Some(report)) = (in_lines, last) {
            let data = serde_json::to_vec(&report).unwrap_or_default();
            // As above.
            let _ = sender.send_data(context.enveloped(data.into())).await;
        }
    });
    let mut response = Body::new(body).into_response();
    let kind = if in_lines { Format::JsonLines.media_type() } else { "application/json" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // Progress is for now, not for when a compressor has gathered enough of it.
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    response
}

fn line(report: &ImportReport) -> Bytes {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

impl Catalogue {
    fn import_limit(&self) -> u64 {
        self.0.settings.import_limit
    }
}
