//! `POST /api/files/presign` and `/api/files/{id}/complete`.

use axum::{extract::State, middleware::from_fn};
use serde::Deserialize;
use stoa_contracts::files::{FileId, FileView, Visibility};
use stoa_http::{Json, LimitKey, Outcome, PathParts, Reply, RequestContext, limited};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::{Keeping, Sends};
use crate::{
    Files,
    presign::{Announced, UploadView},
};

pub(super) fn routes() -> OpenApiRouter<Files> {
    OpenApiRouter::new()
        .routes(routes!(presign))
        .layer(from_fn(limited(|limits| &limits.upload, LimitKey::Actor)))
        .routes(routes!(complete))
}

/// What is to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewUpload)]
struct UploadBody {
    /// What it is called.
    #[schema(max_length = 4096, example = "report.pdf")]
    filename: String,
    /// What it is.
    #[schema(example = "application/pdf")]
    content_type: String,
    /// How many bytes it has.
    #[schema(minimum = 1)]
    size: u64,
    /// Who may read it; everybody when absent.
    #[schema(inline)]
    visibility: Option<Visibility>,
}

/// Get an address to send a file to, past this server where the store allows.
///
/// Send it there by PUT within the hour, with the headers of the answer, then complete it.
#[utoipa::path(
    post, path = "/api/files/presign", tag = "Files", operation_id = "presignUpload",
    request_body = UploadBody, security(("bearer" = [])),
    responses(
        (status = 201, description = "Where to send it", body = UploadView),
        (status = 409, description = "TOO_MANY_UPLOADS"),
        (status = 413, description = "FILE_TOO_LARGE, QUOTA_EXCEEDED"),
        (status = 415, description = "FILE_TYPE_NOT_ALLOWED"),
        (status = 422, description = "VALIDATION_FAILED"),
    ),
)]
async fn presign(
    State(files): State<Files>,
    keeping: Keeping<Sends>,
    Json(body): Json<UploadBody>,
) -> Outcome {
    let announced = Announced::parse(&files, &body.filename, &body.content_type, body.size, body.visibility)?;
    Reply::created(&files.presign(keeping.occasion, keeping.user, announced).await?)
}

/// Say that a file was sent to its address.
///
/// It is looked at as any other that is sent. Again answers the same file.
#[utoipa::path(
    post, path = "/api/files/{id}/complete", tag = "Files", operation_id = "completeUpload",
    params(("id" = FileId, Path, description = "The id that came with the address")), security(("bearer" = [])),
    responses(
        (status = 201, description = "The file", body = FileView),
        (status = 404, description = "UPLOAD_NOT_FOUND; also for one of somebody else, and one that has expired"),
        (status = 409, description = "UPLOAD_NOT_SENT, UPLOAD_IN_PROGRESS"),
        (status = 413, description = "FILE_TOO_LARGE, QUOTA_EXCEEDED"),
        (status = 415, description = "FILE_TYPE_NOT_ALLOWED, FILE_TYPE_MISMATCH"),
        (status = 422, description = "SIZE_MISMATCH, PICTURE_TOO_LARGE, PICTURE_TOO_MANY_FRAMES, PICTURE_DAMAGED, PICTURE_UNSUPPORTED, FILE_INFECTED"),
    ),
)]
async fn complete(
    State(files): State<Files>,
    keeping: Keeping<Sends>,
    context: RequestContext,
    PathParts(id): PathParts<FileId>,
) -> Outcome {
    context.take_long();
    let file = files.complete(keeping.occasion, keeping.actor, keeping.user, id).await?;
    Ok(Reply::created(&file)?.at(&format!("/api/files/{}", file.id)))
}
