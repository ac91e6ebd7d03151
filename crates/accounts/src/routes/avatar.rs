//! `POST /api/users/avatar`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::header,
    middleware::from_fn,
};
use futures_util::TryStreamExt;
use stoa_contracts::files::{PictureUpload, Pictures};
use stoa_http::{
    LimitKey, Outcome, Permitted, Reply, RequestContext, declared_length, limited, waits_to_send,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::UpdatesProfile;
use crate::{Accounts, account::UserView};

/// Accounts, and who receives pictures for them.
#[derive(Clone)]
pub(super) struct Wardrobe {
    accounts: Accounts,
    pictures: Arc<dyn Pictures>,
}

pub(super) fn routes(accounts: Accounts, pictures: Arc<dyn Pictures>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(change))
        .layer(from_fn(limited(|limits| &limits.upload, LimitKey::Actor)))
        .with_state(Wardrobe { accounts, pictures })
}

/// A form with a picture.
#[derive(ToSchema)]
#[schema(as = AvatarForm)]
#[expect(dead_code, reason = "files read it as it comes; this is for the documentation")]
struct AvatarBody {
    /// The picture; `avatar` is another name for it.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Change one's own picture.
///
/// A JPEG, PNG, GIF or WebP, of which the middle is made a square of 400 pixels. The picture before is deleted.
#[utoipa::path(
    post, path = "/api/users/avatar", tag = "users",
    request_body(content = AvatarBody, content_type = "multipart/form-data"), security(("bearer" = [])),
    responses(
        (status = 200, description = "The profile, with the address of the picture", body = UserView),
        (status = 413, description = "FILE_TOO_LARGE, QUOTA_EXCEEDED"),
        (status = 415, description = "FILE_TYPE_NOT_ALLOWED, FILE_TYPE_MISMATCH, UNSUPPORTED_MEDIA_TYPE"),
        (status = 422, description = "VALIDATION_FAILED, or it is no picture that can be shown"),
    ),
)]
async fn change(
    State(Wardrobe { accounts, pictures }): State<Wardrobe>,
    Permitted { actor, .. }: Permitted<UpdatesProfile>,
    context: RequestContext,
    request: Request,
) -> Outcome {
    let owner = actor.require_user()?.user;
    context.take_long();
    let (head, body) = request.into_parts();
    let given = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let upload = PictureUpload {
        occasion: accounts.occasion(&actor),
        owner,
        content_type: given.unwrap_or_default().to_owned(),
        content_length: declared_length(&head.headers),
        waits: waits_to_send(&head.headers),
        body: Box::pin(body.into_data_stream().map_err(Into::into)),
    };
    let user = accounts.change_avatar(&pictures, upload).await?;
    Reply::ok(&UserView::own(user))
}
