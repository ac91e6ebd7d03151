//! `GET /api/files`, `/api/files/{id}`, its download link, its deletion, and what was shown in a room.

use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_contracts::files::{FileId, FileView};
use stoa_http::{
    Caller, ListQuery, Outcome, PathParts, Problem, QueryPart, Reply, foreign_cursor, query_problem,
};
use stoa_kernel::{SortOrder, Timestamp};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::{Deletes, Keeping, Reads};
use crate::{
    Files,
    file::Part,
    find_files::{SharedFile, StatsView},
    kinds::Sort,
    sign::Purpose,
};

/// How long a download link holds.
const LINK_LIFETIME: Duration = Duration::from_hours(1);

pub(super) fn routes() -> OpenApiRouter<Files> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(download))
        .routes(routes!(media))
        .routes(routes!(stats))
}

/// Which files.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only these: `image`, `video` or `document`.
    #[param(value_type = Option<String>, pattern = "^(image|video|document)$")]
    r#type: Option<String>,
}

impl Filter {
    fn sort(&self) -> Result<Option<Sort>, Problem> {
        let Some(name) = self.r#type.as_deref() else { return Ok(None) };
        let found = Sort::ALL.into_iter().find(|sort| sort.name() == name);
        let flaw = || query_problem("type".into(), "It must be image, video or document.".into());
        found.map(Some).ok_or_else(flaw)
    }
}

/// Refuses another order than the newest first.
fn newest_first(query: &ListQuery) -> Result<(), Problem> {
    match query.sort(&[("createdAt", ())], ((), SortOrder::Desc))? {
        ((), SortOrder::Desc) => Ok(()),
        ((), SortOrder::Asc) => {
            Err(query_problem("sortOrder".into(), "This list has one order, the newest first.".into()))
        }
    }
}

/// List one's own files, the newest first.
#[utoipa::path(
    get, path = "/api/files", tag = "Files", operation_id = "listFiles", params(ListQuery, Filter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of files", body = Vec<FileView>)),
)]
async fn list(
    State(files): State<Files>,
    keeping: Keeping<Reads>,
    query: ListQuery,
    QueryPart(filter): QueryPart<Filter>,
) -> Outcome {
    newest_first(&query)?;
    let page = files.own_files(keeping.user.into(), filter.sort()?, query.page.clone()).await?;
    Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)
}

/// Look at a file.
///
/// For everybody when it is public; else for its owner and whoever may read a room in which it was shown.
#[utoipa::path(
    get, path = "/api/files/{id}", tag = "Files", operation_id = "getFile",
    params(("id" = FileId, Path, description = "The file's id")), security((), ("bearer" = [])),
    responses(
        (status = 200, description = "The file", body = FileView),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
        (status = 404, description = "FILE_NOT_FOUND; also for a private one of somebody else"),
    ),
)]
async fn show(
    State(files): State<Files>,
    Caller(actor): Caller,
    PathParts(id): PathParts<FileId>,
) -> Outcome {
    let file = files.file(&actor, id).await?;
    let mark = format!("{}-{}", file.visibility.as_str(), file.checksum);
    Ok(Reply::ok(&file.view(files.base()))?.with_etag(mark))
}

/// A link by which whoever has it may read a file for a while.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DownloadLink {
    /// Where the content is; it is offered to be saved.
    download_url: String,
    /// Where a small picture of it is, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    thumbnail_url: Option<String>,
    /// Until when the links hold.
    expires_at: Timestamp,
}

/// Get a link to a file that holds for an hour, for whoever has it.
#[utoipa::path(
    get, path = "/api/files/{id}/download", tag = "Files", operation_id = "getDownloadLink",
    params(("id" = FileId, Path, description = "The file's id")), security((), ("bearer" = [])),
    responses(
        (status = 200, description = "The link", body = DownloadLink),
        (status = 404, description = "FILE_NOT_FOUND; also for a private one of somebody else"),
    ),
)]
async fn download(
    State(files): State<Files>,
    Caller(actor): Caller,
    PathParts(id): PathParts<FileId>,
) -> Outcome {
    let file = files.file(&actor, id).await?;
    let expires_at = files.occasion(&actor).at + LINK_LIFETIME;
    let query = files.0.links.sign(Purpose::Read, id, expires_at);
    let thumbnail = file.parts().find(|(part, _)| *part == Part::Thumbnail);
    let link = |part: Part| format!("{}/files/{}?{query}", files.base(), file.name(part));
    Reply::ok(&DownloadLink {
        download_url: format!("{}&download=true", link(Part::Main)),
        thumbnail_url: thumbnail.map(|(part, _)| link(part)),
        expires_at,
    })
}

/// Delete a file.
///
/// For its owner. The id may also be that of a message of theirs that carries files: those are deleted, and the message with
/// them. A message that a file was sent for goes with the file; others only lose it.
#[utoipa::path(
    delete, path = "/api/files/{id}", tag = "Files", operation_id = "deleteFile",
    params(("id" = FileId, Path, description = "The file's id, or that of a message that carries it")),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "FILE_NOT_FOUND; also for one of somebody else"),
    ),
)]
async fn delete(
    State(files): State<Files>,
    keeping: Keeping<Deletes>,
    PathParts(id): PathParts<FileId>,
) -> Outcome {
    files.delete(keeping.occasion, keeping.actor, keeping.user.into(), id.uuid()).await?;
    Ok(Reply::no_content())
}

/// List the files that were shown in a room, the newest first.
#[utoipa::path(
    get, path = "/api/files/media/{room}", tag = "Files", operation_id = "listRoomFiles",
    params(("room" = String, Path, description = "The room's id or slug"), ListQuery, Filter),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of files, each with the message that shows it", body = Vec<SharedFile>),
        (status = 404, description = "ROOM_NOT_FOUND"),
    ),
)]
async fn media(
    State(files): State<Files>,
    keeping: Keeping<Reads>,
    PathParts(room): PathParts<String>,
    query: ListQuery,
    QueryPart(filter): QueryPart<Filter>,
) -> Outcome {
    newest_first(&query)?;
    let page = files.media(keeping.actor, room, filter.sort()?, query.page.clone()).await?;
    Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)
}

/// Count the files that were shown in a room.
#[utoipa::path(
    get, path = "/api/files/stats/{room}", tag = "Files", operation_id = "getRoomFileStats",
    params(("room" = String, Path, description = "The room's id or slug")), security(("bearer" = [])),
    responses(
        (status = 200, description = "How many files there are, and their bytes", body = StatsView),
        (status = 404, description = "ROOM_NOT_FOUND"),
    ),
)]
async fn stats(
    State(files): State<Files>,
    keeping: Keeping<Reads>,
    PathParts(room): PathParts<String>,
) -> Outcome {
    Reply::ok(&files.stats(keeping.actor, room).await?)
}
