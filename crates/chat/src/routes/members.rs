//! `/api/rooms/{room}/members`.

use axum::extract::State;
use serde::{Deserialize, Deserializer};
use stoa_contracts::chat::RoomRole;
use stoa_http::{Json, ListQuery, Outcome, PathParts, QueryPart, Reply, foreign_cursor};
use stoa_kernel::{SortOrder, Timestamp, UserId};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    in_one_order,
    permitted::{Reads, Talking, Writes},
    room_key,
};
use crate::{
    Chat,
    manage_members::{MemberChange, MemberView},
};

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(change, remove))
}

/// Which people.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct MemberFilters {
    /// Those who were sent out for good, instead of the members: for moderators.
    banned: Option<bool>,
}

/// List who is in a room, in the order in which they came.
#[utoipa::path(
    get, path = "/api/rooms/{room}/members", tag = "Rooms", operation_id = "listRoomMembers",
    params(("room" = String, Path, description = "The room's id or slug"), ListQuery, MemberFilters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of members", body = Vec<MemberView>),
        (status = 404, description = "ROOM_NOT_FOUND"),
    ),
)]
async fn list(
    State(chat): State<Chat>,
    Talking { visitor, .. }: Talking<Reads>,
    PathParts(room): PathParts<String>,
    query: ListQuery,
    QueryPart(filters): QueryPart<MemberFilters>,
) -> Outcome {
    in_one_order(&query, "joinedAt", SortOrder::Asc)?;
    let (room, banned) = (room_key(&room)?, filters.banned.unwrap_or(false));
    let page = chat.members(visitor, room, banned, query.page.clone()).await?;
    Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)
}

/// What somebody is to be in a room; what is left out stays.
#[expect(clippy::option_option, reason = "`null` and nothing mean different things")]
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RoomMemberChange)]
struct MemberBody {
    /// A new `owner` takes the place of the one there is, who stays as a moderator.
    role: Option<RoomRole>,
    /// Until when they may not write; `null` lets them speak again.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    muted_until: Option<Option<Timestamp>>,
    /// `true` sends them out for good, `false` lets them back in.
    banned: Option<bool>,
}

/// Tells `null` from nothing.
#[expect(clippy::option_option, reason = "`null` and nothing mean different things")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Add somebody to a room, give them a role, mute them or send them out.
///
/// Moderators add, mute and send out members; the owner gives roles. Nobody changes those who have as much to say as they.
#[utoipa::path(
    put, path = "/api/rooms/{room}/members/{userId}", tag = "Rooms", operation_id = "putRoomMember",
    params(
        ("room" = String, Path, description = "The room's id or slug"),
        ("userId" = UserId, Path, description = "The user's id"),
    ),
    request_body = MemberBody, security(("bearer" = [])),
    responses(
        (status = 200, description = "The member", body = MemberView),
        (status = 404, description = "ROOM_NOT_FOUND, USER_NOT_FOUND, MEMBER_NOT_FOUND (they were sent out)"),
        (status = 409, description = "ROOM_IS_DIRECT, ROOM_FOR_EVERYBODY, ROOM_FULL, TOO_MANY_ROOMS, OWN_MEMBERSHIP"),
    ),
)]
async fn change(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts((room, user)): PathParts<(String, UserId)>,
    Json(body): Json<MemberBody>,
) -> Outcome {
    let MemberBody { role, muted_until, banned } = body;
    let change = MemberChange { role, muted_until, banned };
    Reply::ok(&chat.change_member(occasion, visitor, room_key(&room)?, user, change).await?)
}

/// Send somebody out of a room; they may come back where that is open to them. Oneself leaves.
#[utoipa::path(
    delete, path = "/api/rooms/{room}/members/{userId}", tag = "Rooms", operation_id = "deleteRoomMember",
    params(
        ("room" = String, Path, description = "The room's id or slug"),
        ("userId" = UserId, Path, description = "The user's id"),
    ),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "They are no longer in it"),
        (status = 404, description = "ROOM_NOT_FOUND, MEMBER_NOT_FOUND"),
        (status = 409, description = "ROOM_IS_DIRECT, ROOM_FOR_EVERYBODY"),
    ),
)]
async fn remove(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts((room, user)): PathParts<(String, UserId)>,
) -> Outcome {
    chat.remove_member(occasion, visitor, room_key(&room)?, user).await?;
    Ok(Reply::no_content())
}
