//! The file calls of the first, flat surface, kept working; the server marks them as deprecated.

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::request::Parts,
    middleware::from_fn,
    routing::{delete, get, post},
};
use serde::Serialize;
use stoa_contracts::files::{FileId, FileView};
use stoa_http::{Caller, LimitKey, Outcome, PathParts, Problem, Reply, RequestContext, limited};
use stoa_kernel::{Actor, PageRequest};
use stoa_platform::Occasion;

use crate::{
    Files,
    error::FileError,
    file::{Owner, Part, StoredName},
    keep_files::Wish,
    kinds::Kind,
    receive_upload::Taken,
};

/// One file, as the first surface took them.
const ONE: Taken = Taken { files: 1, kinds: &Kind::OF_V0, limit: 5 * 1024 * 1024 };
const SEVERAL: Taken = Taken { files: 10, ..ONE };
/// How many files are listed at most; there are no pages.
const MOST_LISTED: u32 = 1_000;

/// Whoever uses these calls: somebody signed in, or a guest where those may.
struct Sender {
    actor: Actor,
    owner: Owner,
    occasion: Occasion,
}

impl FromRequestParts<Files> for Sender {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, files: &Files) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, files).await?;
        let owner = match &actor {
            Actor::Guest if files.settings().guests => Owner::GUESTS,
            _ => actor.require_user()?.user.into(),
        };
        Ok(Self { occasion: files.occasion(&actor), actor, owner })
    }
}

impl Sender {
    /// Guests may where they are let in; people need the permission, as they do under `/api`.
    fn require(&self, action: &str) -> Result<(), Problem> {
        if self.owner != Owner::GUESTS {
            self.actor.require("file", action)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V0File {
    id: FileId,
    original_name: String,
    filename: String,
    mimetype: String,
    size: u64,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_url: Option<String>,
}

impl From<FileView> for V0File {
    fn from(file: FileView) -> Self {
        Self {
            id: file.id,
            original_name: file.original_name,
            filename: file.filename,
            mimetype: file.content_type,
            size: file.size,
            url: file.url,
            thumbnail_url: file.thumbnail_url,
        }
    }
}

#[derive(Serialize)]
struct Uploaded {
    success: bool,
    message: &'static str,
    url: String,
    file: V0File,
}

#[derive(Serialize)]
struct UploadedSeveral {
    success: bool,
    files: Vec<V0File>,
}

#[derive(Serialize)]
struct Listed {
    files: Vec<V0File>,
}

#[derive(Serialize)]
struct Deleted {
    success: bool,
}

/// `POST /upload`, `POST /upload/multiple`, `GET /files`, `DELETE /files/{id}`, `DELETE /upload/{filename}`.
pub(crate) fn routes(files: Files) -> Router {
    let sending = Router::new()
        .route("/upload", post(upload))
        .route("/upload/multiple", post(upload_several))
        .layer(from_fn(limited(|limits| &limits.upload, LimitKey::Actor)));
    Router::new()
        .route("/files", get(list))
        // Named as the address of content is, with which it shares its place.
        .route("/files/{filename}", delete(remove))
        .route("/upload/{filename}", delete(remove))
        .merge(sending)
        .with_state(files)
}

async fn upload(
    State(files): State<Files>,
    sender: Sender,
    context: RequestContext,
    request: Request,
) -> Outcome {
    let mut kept = take(&files, sender, &context, request, ONE).await?;
    let file = kept.pop().ok_or(FileError::Unknown)?;
    Reply::ok(&Uploaded {
        success: true,
        message: "File uploaded successfully",
        url: file.url.clone(),
        file: file.into(),
    })
}

async fn upload_several(
    State(files): State<Files>,
    sender: Sender,
    context: RequestContext,
    request: Request,
) -> Outcome {
    let kept = take(&files, sender, &context, request, SEVERAL).await?;
    Reply::ok(&UploadedSeveral { success: true, files: kept.into_iter().map(V0File::from).collect() })
}

async fn take(
    files: &Files,
    sender: Sender,
    context: &RequestContext,
    request: Request,
    taken: Taken,
) -> Result<Vec<FileView>, Problem> {
    sender.require("create")?;
    let form = files.form_of(context, request, taken).await?;
    let wish = Wish::of(&sender.actor, sender.owner);
    Ok(files.keep(sender.occasion, form.files, wish).await?.files)
}

async fn list(State(files): State<Files>, sender: Sender) -> Outcome {
    sender.require("read")?;
    let page = files.own_files(sender.owner, None, PageRequest::first(MOST_LISTED)).await?;
    let entries = page.map(|page| page.entries).unwrap_or_default();
    Reply::ok(&Listed { files: entries.into_iter().map(V0File::from).collect() })
}

/// By the id of a file, or by what it is called in addresses.
async fn remove(State(files): State<Files>, sender: Sender, PathParts(name): PathParts<String>) -> Outcome {
    sender.require("delete")?;
    let by_name = StoredName::parse(&name).filter(|name| name.part == Part::Main).map(|name| name.id);
    let id = by_name.or_else(|| name.parse().ok()).ok_or(FileError::Unknown)?;
    files.delete(sender.occasion, sender.actor, sender.owner, id.uuid()).await?;
    Reply::ok(&Deleted { success: true })
}
