//! `POST /api/files/upload`, `/upload/multiple`, and `POST /api/files`, which is the first again.

use axum::{
    extract::{Request, State},
    middleware::from_fn,
};
use serde::Serialize;
use stoa_contracts::{
    chat::MessageId,
    files::{FileView, Visibility},
};
use stoa_http::{LimitKey, Outcome, Problem, Reply, RequestContext, limited};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::{Keeping, Sends};
use crate::{
    Files,
    error::FileError,
    keep_files::{Kept, Wish},
    receive_upload::Taken,
};

pub(super) fn routes() -> OpenApiRouter<Files> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .routes(routes!(upload_several))
        .routes(routes!(create))
        .layer(from_fn(limited(|limits| &limits.upload, LimitKey::Actor)))
}

/// A form with one file.
#[derive(ToSchema)]
#[schema(as = FileForm)]
#[expect(dead_code, reason = "it is read as it comes; this is for the documentation")]
struct OneBody {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The id or slug of a room that is shown it: a message of type `file` is posted.
    room: Option<String>,
    /// What that message says; the name of the file when absent.
    content: Option<String>,
    /// What the sender knows that message by.
    client_id: Option<String>,
    /// Who may read it; `private` when absent and the room is not public, else `public`.
    #[schema(inline)]
    visibility: Option<Visibility>,
}

/// A form with several files.
#[derive(ToSchema)]
#[schema(as = FilesForm)]
#[expect(dead_code, reason = "it is read as it comes; this is for the documentation")]
struct SeveralBody {
    /// The files.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1, max_items = 10)]
    files: Vec<Vec<u8>>,
    /// The id or slug of a room that is shown them: one message of type `file` is posted.
    room: Option<String>,
    /// What that message says; the names of the files when absent.
    content: Option<String>,
    /// What the sender knows that message by.
    client_id: Option<String>,
    /// Who may read them; `private` when absent and the room is not public, else `public`.
    #[schema(inline)]
    visibility: Option<Visibility>,
}

/// A file that was sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UploadedFile {
    #[serde(flatten)]
    file: FileView,
    /// The message that shows it, if it was sent to a room.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message_id: Option<MessageId>,
}

/// Send a file.
///
/// What it is, its bytes say; its name and Content-Type must agree. Pictures are made smaller, turned upright and freed of
/// what cameras write into them, and served as WebP. With `room`, whoever may read the room is shown it.
#[utoipa::path(
    post, path = "/api/files/upload", tag = "Files", operation_id = "uploadFile",
    request_body(content = OneBody, content_type = "multipart/form-data"), security(("bearer" = [])),
    responses(
        (status = 201, description = "The file", body = UploadedFile),
        (status = 400, description = "MISSING_BOUNDARY, MALFORMED_MULTIPART, TOO_MANY_PARTS, INCOMPLETE_BODY"),
        (status = 403, description = "NOT_A_MEMBER, BANNED, MUTED"),
        (status = 404, description = "ROOM_NOT_FOUND"),
        (status = 408, description = "REQUEST_TIMEOUT: it came too slowly"),
        (status = 409, description = "MESSAGE_SENT: a message was sent to the room under this clientId"),
        (status = 413, description = "FILE_TOO_LARGE, QUOTA_EXCEEDED"),
        (status = 415, description = "FILE_TYPE_NOT_ALLOWED, FILE_TYPE_MISMATCH, UNSUPPORTED_MEDIA_TYPE"),
        (status = 422, description = "VALIDATION_FAILED, PICTURE_TOO_LARGE, PICTURE_TOO_MANY_FRAMES, PICTURE_DAMAGED, PICTURE_UNSUPPORTED, FILE_INFECTED"),
        (status = 503, description = "SERVICE_UNAVAILABLE, STORAGE_FULL"),
    ),
)]
async fn upload(
    State(files): State<Files>,
    keeping: Keeping<Sends>,
    context: RequestContext,
    request: Request,
) -> Outcome {
    let Kept { files: mut kept, message } = take(&files, keeping, &context, request, Taken::ONE).await?;
    let file = kept.pop().ok_or(FileError::Unknown)?;
    let at = format!("/api/files/{}", file.id);
    Ok(Reply::created(&UploadedFile { file, message_id: message.map(|message| message.id) })?.at(&at))
}

/// Send a file; the same as `/api/files/upload`.
#[utoipa::path(
    post, path = "/api/files", tag = "Files", operation_id = "createFile",
    request_body(content = OneBody, content_type = "multipart/form-data"), security(("bearer" = [])),
    responses(
        (status = 201, description = "The file", body = UploadedFile),
        (status = 404, description = "ROOM_NOT_FOUND"),
        (status = 413, description = "FILE_TOO_LARGE, QUOTA_EXCEEDED"),
        (status = 415, description = "FILE_TYPE_NOT_ALLOWED, FILE_TYPE_MISMATCH, UNSUPPORTED_MEDIA_TYPE"),
        (status = 422, description = "VALIDATION_FAILED, PICTURE_TOO_LARGE, PICTURE_TOO_MANY_FRAMES, PICTURE_DAMAGED, PICTURE_UNSUPPORTED, FILE_INFECTED"),
    ),
)]
async fn create(
    files: State<Files>,
    keeping: Keeping<Sends>,
    context: RequestContext,
    request: Request,
) -> Outcome {
    upload(files, keeping, context, request).await
}

/// Send up to 10 files at once; all are kept or none.
#[utoipa::path(
    post, path = "/api/files/upload/multiple", tag = "Files", operation_id = "uploadFiles",
    extensions(("x-list" = json!(true))),
    request_body(content = SeveralBody, content_type = "multipart/form-data"), security(("bearer" = [])),
    responses(
        (status = 201, description = "The files, in the order in which they came", body = Vec<UploadedFile>),
        (status = 404, description = "ROOM_NOT_FOUND"),
        (status = 413, description = "FILE_TOO_LARGE, QUOTA_EXCEEDED"),
        (status = 415, description = "FILE_TYPE_NOT_ALLOWED, FILE_TYPE_MISMATCH, UNSUPPORTED_MEDIA_TYPE"),
        (status = 422, description = "VALIDATION_FAILED, TOO_MANY_FILES, PICTURE_TOO_LARGE, PICTURE_TOO_MANY_FRAMES, PICTURE_DAMAGED, PICTURE_UNSUPPORTED, FILE_INFECTED"),
    ),
)]
async fn upload_several(
    State(files): State<Files>,
    keeping: Keeping<Sends>,
    context: RequestContext,
    request: Request,
) -> Outcome {
    let Kept { files: kept, message } = take(&files, keeping, &context, request, Taken::SEVERAL).await?;
    let message_id = message.map(|message| message.id);
    let uploaded: Vec<_> = kept.into_iter().map(|file| UploadedFile { file, message_id }).collect();
    Reply::created_all(&uploaded)
}

async fn take(
    files: &Files,
    keeping: Keeping<Sends>,
    context: &RequestContext,
    request: Request,
    taken: Taken,
) -> Result<Kept, Problem> {
    let form = files.form_of(context, request, taken).await?;
    if form.room.is_some() {
        keeping.actor.require("message", "create")?;
    }
    let wish = Wish {
        room: form.room,
        content: form.content,
        client_id: form.client_id,
        visibility: form.visibility,
        ..Wish::of(&keeping.actor, keeping.user.into())
    };
    Ok(files.keep(keeping.occasion, form.files, wish).await?)
}
