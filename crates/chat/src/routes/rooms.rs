//! `/api/rooms`.

use axum::extract::State;
use serde::Deserialize;
use stoa_contracts::chat::RoomKind;
use stoa_http::{Idempotent, Json, ListQuery, Outcome, PathParts, Problem, QueryPart, Reply, foreign_cursor};
use stoa_kernel::{SortOrder, UserId};
use stoa_platform::database::Tx;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    in_one_order,
    permitted::{Reads, Talking, Writes},
    room_key,
};
use crate::{
    Chat,
    error::ChatError,
    open_room::Opened,
    room::{NewRoom, RoomChange, RoomView},
};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(list, open))
        .routes(routes!(show, change, close))
        .routes(routes!(join))
        .routes(routes!(leave))
}

/// Which rooms.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct RoomFilters {
    /// `true` (unless told) for the rooms one is in, `false` for the public ones one could join.
    joined: Option<bool>,
}

/// List rooms.
///
/// Those one is in, where something was said last first, each with how much of it is unread; or, by slug, the public ones
/// one is not in. Rooms between two people are listed to those two.
#[utoipa::path(
    get, path = "/api/rooms", tag = "Rooms", operation_id = "listRooms",
    params(ListQuery, RoomFilters), security(("bearer" = [])),
    responses((status = 200, description = "A page of rooms", body = Vec<RoomView>)),
)]
async fn list(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Reads>,
    query: ListQuery,
    QueryPart(filters): QueryPart<RoomFilters>,
) -> Outcome {
    let asked = query.page.clone();
    let page = if filters.joined.unwrap_or(true) {
        in_one_order(&query, "activeAt", SortOrder::Desc)?;
        chat.joined(occasion, visitor, asked).await?
    } else {
        in_one_order(&query, "slug", SortOrder::Asc)?;
        chat.to_join(visitor, asked).await?
    };
    Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)
}

/// A room to be opened.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRoom)]
struct NewRoomBody {
    /// Its name in addresses: 1 to 64 of `a-z`, `0-9` and `-`. Needed but for direct rooms.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9-]{1,64}$")]
    slug: Option<String>,
    /// How it is called; as its slug when absent.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Who it is for; `public` unless told.
    #[serde(default)]
    kind: RoomKind,
    /// The other one, of a direct room.
    user_id: Option<UserId>,
}

/// Open a room.
///
/// Whoever opens it owns it. Of two people there is one direct room, whoever asks and however often: it is answered with
/// 200 when it was there.
#[utoipa::path(
    post, path = "/api/rooms", tag = "Rooms", operation_id = "openRoom",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, the room is opened once")),
    request_body = NewRoomBody, security(("bearer" = [])),
    responses(
        (status = 201, description = "The room", body = RoomView),
        (status = 200, description = "The direct room that was there", body = RoomView),
        (status = 404, description = "USER_NOT_FOUND"),
        (status = 409, description = "ROOM_SLUG_TAKEN, TOO_MANY_ROOMS, IDEMPOTENCY_IN_PROGRESS"),
    ),
)]
async fn open(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    Idempotent { body, once }: Idempotent<NewRoomBody>,
) -> Outcome {
    let NewRoomBody { slug, name, kind, user_id } = body;
    let new = NewRoom::parse(visitor.user, kind, slug.as_deref(), name.as_deref(), user_id)?;
    let opening = chat.clone();
    let open = move |tx: &mut Tx<'_>| -> Result<Reply, ChatError> {
        Ok(opened(&opening.open_room(tx, &occasion, visitor, &new)?)?)
    };
    once.run(chat.database(), &chat.0.platform.clock, open).await
}

fn opened(Opened { room, new }: &Opened) -> Result<Reply, Problem> {
    let reply = if *new { Reply::created(room)? } else { Reply::ok(room)? };
    Ok(reply.at(&format!("/api/rooms/{}", room.id)))
}

/// Look at a room.
#[utoipa::path(
    get, path = "/api/rooms/{room}", tag = "Rooms", operation_id = "getRoom",
    params(("room" = String, Path, description = "The room's id or slug")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The room", body = RoomView),
        (status = 404, description = "ROOM_NOT_FOUND; also for a private one of others"),
    ),
)]
async fn show(
    State(chat): State<Chat>,
    Talking { visitor, .. }: Talking<Reads>,
    PathParts(room): PathParts<String>,
) -> Outcome {
    Reply::ok(&chat.room_of(visitor, room_key(&room)?).await?)
}

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RoomChange)]
struct RoomChangeBody {
    /// Its name in addresses.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9-]{1,64}$")]
    slug: Option<String>,
    /// How it is called.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Seconds that a member waits between two messages; 0 for none.
    #[schema(maximum = 21600)]
    slow_mode: Option<u32>,
}

/// Change a room.
///
/// For its moderators and owner. A room stays as public or private as it was opened.
#[utoipa::path(
    patch, path = "/api/rooms/{room}", tag = "Rooms", operation_id = "changeRoom",
    params(("room" = String, Path, description = "The room's id or slug")),
    request_body = RoomChangeBody, security(("bearer" = [])),
    responses(
        (status = 200, description = "The room", body = RoomView),
        (status = 404, description = "ROOM_NOT_FOUND"),
        (status = 409, description = "ROOM_SLUG_TAKEN, ROOM_IS_DIRECT, ROOM_FOR_EVERYBODY"),
    ),
)]
async fn change(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts(room): PathParts<String>,
    Json(body): Json<RoomChangeBody>,
) -> Outcome {
    let room = room_key(&room)?;
    let change = RoomChange::parse(body.slug.as_deref(), body.name.as_deref(), body.slow_mode)?;
    Reply::ok(&chat.change(occasion, visitor, room, change).await?)
}

/// Close a room.
///
/// For its owner. Nobody finds it any more, and all that was said in it is removed.
#[utoipa::path(
    delete, path = "/api/rooms/{room}", tag = "Rooms", operation_id = "closeRoom",
    params(("room" = String, Path, description = "The room's id or slug")), security(("bearer" = [])),
    responses(
        (status = 204, description = "It is closed"),
        (status = 404, description = "ROOM_NOT_FOUND"),
        (status = 409, description = "ROOM_IS_DIRECT, ROOM_FOR_EVERYBODY"),
    ),
)]
async fn close(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts(room): PathParts<String>,
) -> Outcome {
    chat.close(occasion, visitor, room_key(&room)?).await?;
    Ok(Reply::no_content())
}

/// Join a public room; again changes nothing.
#[utoipa::path(
    post, path = "/api/rooms/{room}/join", tag = "Rooms", operation_id = "joinRoom",
    params(("room" = String, Path, description = "The room's id or slug")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The room", body = RoomView),
        (status = 403, description = "BANNED"),
        (status = 404, description = "ROOM_NOT_FOUND; also for a private one: there one is added"),
        (status = 409, description = "ROOM_FULL, TOO_MANY_ROOMS"),
    ),
)]
async fn join(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts(room): PathParts<String>,
) -> Outcome {
    Reply::ok(&chat.join(occasion, visitor, room_key(&room)?).await?)
}

/// Leave a room.
///
/// When its owner leaves, the moderator who has been there longest owns it, else the member who has; when the last one
/// leaves, it is closed.
#[utoipa::path(
    post, path = "/api/rooms/{room}/leave", tag = "Rooms", operation_id = "leaveRoom",
    params(("room" = String, Path, description = "The room's id or slug")), security(("bearer" = [])),
    responses(
        (status = 204, description = "One is no longer in it"),
        (status = 403, description = "NOT_A_MEMBER"),
        (status = 404, description = "ROOM_NOT_FOUND"),
        (status = 409, description = "ROOM_IS_DIRECT, ROOM_FOR_EVERYBODY"),
    ),
)]
async fn leave(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts(room): PathParts<String>,
) -> Outcome {
    chat.leave(occasion, visitor, room_key(&room)?).await?;
    Ok(Reply::no_content())
}
