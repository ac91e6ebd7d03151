//! `/api/messages`.

use axum::extract::State;
use serde::Deserialize;
use stoa_contracts::{
    chat::{MessageId, MessageView},
    files::FileId,
};
use stoa_http::{
    Idempotent, IfMatch, Json, ListQuery, Outcome, PathParts, Problem, QueryPart, Reply, foreign_cursor,
    query_problem,
};
use stoa_kernel::{Cursor, Fields, SortOrder};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    in_one_order,
    permitted::{Deletes, Edits, Reads, Talking, Writes},
    room_key,
};
use crate::{
    Chat,
    list_messages::{Part, Which},
    mark_read::ReadView,
    message::{Content, Draft, Emoji},
    search_messages::Question,
    send_message::{Posted, Sent},
};

const USUAL_PART: u32 = 50;
const LARGEST_PART: u32 = 100;

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(list, send))
        .routes(routes!(search))
        .routes(routes!(show, edit, delete))
        .routes(routes!(read))
        .routes(routes!(react))
        .routes(routes!(thread))
        .routes(routes!(pin, unpin))
}

/// Which part of a conversation.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct PartParameters {
    /// The room's id or slug.
    room: String,
    /// Only messages with a smaller `seq`, the latest of them.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Only messages with a greater `seq`, the earliest of them.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Messages to a part.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// Where to go on: `nextCursor` of the part before. Instead of `before` and `after`.
    cursor: Option<String>,
    /// Only those that are pinned.
    pinned: Option<bool>,
}

impl PartParameters {
    fn checked(&self) -> Result<Part, Problem> {
        let limit = self.limit.unwrap_or(USUAL_PART);
        if !(1..=LARGEST_PART).contains(&limit) {
            return Err(query_problem("limit".into(), "It must be 1 to 100.".into()));
        }
        for (name, seq) in [("before", self.before), ("after", self.after)] {
            if seq.is_some_and(|seq| seq < 0) {
                return Err(query_problem(name.into(), "It must not be below 0.".into()));
            }
        }
        let which = match (self.cursor.as_deref(), self.before, self.after) {
            (Some(cursor), None, None) => {
                Cursor::decode(cursor).as_ref().and_then(Which::of_cursor).ok_or_else(foreign_cursor)?
            }
            (Some(_), ..) => {
                return Err(query_problem("cursor".into(), "It cannot stand beside before or after.".into()));
            }
            (None, None, None) => Which::Newest,
            (None, Some(before), None) => Which::Before(before),
            (None, None, Some(after)) => Which::After(after),
            (None, Some(before), Some(after)) => Which::Between(after, before),
        };
        Ok(Part { which, limit, pinned: self.pinned.unwrap_or(false) })
    }
}

/// Read a part of a conversation.
///
/// The latest messages, or those right before or after a number, or between two, always in the order in which they were
/// said. `nextCursor` goes on in the direction that was asked for. Deleted messages keep their place.
#[utoipa::path(
    get, path = "/api/messages", tag = "Messages", operation_id = "listMessages",
    params(PartParameters), security(("bearer" = [])),
    responses(
        (status = 200, description = "A part of the conversation", body = Vec<MessageView>),
        (status = 404, description = "ROOM_NOT_FOUND"),
    ),
)]
async fn list(
    State(chat): State<Chat>,
    Talking { visitor, .. }: Talking<Reads>,
    QueryPart(query): QueryPart<PartParameters>,
) -> Outcome {
    let part = query.checked()?;
    let shown = chat.messages(visitor, room_key(&query.room)?, part).await?;
    Ok(Reply::page_of_data(shown.messages, shown.next.as_ref(), part.limit))
}

/// Something to be said.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewMessage)]
struct NewMessageBody {
    /// The room's id or slug.
    room: String,
    /// Kept as it is written; escaping is up to who shows it.
    #[schema(min_length = 1, max_length = 4000)]
    content: String,
    /// The message it answers.
    reply_to: Option<MessageId>,
    /// Files of one's own that come with it.
    #[schema(max_items = 10)]
    file_ids: Option<Vec<FileId>>,
    /// What the sender knows it by: the same one sent again to the same room is the same message.
    #[schema(min_length = 1, max_length = 64)]
    client_id: Option<String>,
}

impl NewMessageBody {
    fn draft(self) -> Result<Draft, Problem> {
        let draft = Draft::parse(self.content, self.reply_to, self.client_id)?;
        Ok(draft.carrying(self.file_ids.unwrap_or_default())?)
    }
}

/// Say something in a room.
///
/// For its members. `@username` of a member tells them. 200 when it was said before under the same `clientId`.
#[utoipa::path(
    post, path = "/api/messages", tag = "Messages", operation_id = "sendMessage",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, it is said once")),
    request_body = NewMessageBody, security(("bearer" = [])),
    responses(
        (status = 201, description = "The message", body = MessageView),
        (status = 200, description = "The message that was sent under this clientId", body = MessageView),
        (status = 403, description = "NOT_A_MEMBER, BANNED, MUTED"),
        (status = 404, description = "ROOM_NOT_FOUND"),
        (status = 409, description = "IDEMPOTENCY_IN_PROGRESS"),
        (status = 422, description = "VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED"),
        (status = 429, description = "SLOW_MODE: members of this room wait between two messages"),
        (status = 503, description = "SERVICE_UNAVAILABLE: too many messages wait"),
    ),
)]
async fn send(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    Idempotent { body, once }: Idempotent<NewMessageBody>,
) -> Outcome {
    let room = room_key(&body.room)?;
    let draft = body.draft()?;
    let room = chat.locate(room).await?;
    match chat.post(occasion, visitor, room, draft, once).await? {
        Posted::Sent(sent) => sent_reply(&sent),
        Posted::Replayed(reply) => Ok(*reply),
    }
}

/// The answer to a message that was said.
pub(crate) fn sent_reply(sent: &Sent) -> Outcome {
    let reply = if sent.again { Reply::ok(&sent.message)? } else { Reply::created(&sent.message)? };
    Ok(reply.with_etag(sent.version).at(&format!("/api/messages/{}", sent.message.id)))
}

fn reply((message, version): (MessageView, i64)) -> Outcome {
    Ok(Reply::ok(&message)?.with_etag(version))
}

/// What to look for, and where.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct SearchParameters {
    /// Whole words, all of which a message holds.
    #[param(value_type = String, min_length = 1, max_length = 200, example = "green tea")]
    q: Question,
    /// The room's id or slug; all that one may read when absent.
    room: Option<String>,
}

/// Find messages by their words, the newest first.
///
/// In one room, or in all public ones and those one is in. Case and accents do not matter.
#[utoipa::path(
    get, path = "/api/messages/search", tag = "Messages", operation_id = "searchMessages",
    params(SearchParameters, ListQuery), security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of messages", body = Vec<MessageView>),
        (status = 404, description = "ROOM_NOT_FOUND"),
    ),
)]
async fn search(
    State(chat): State<Chat>,
    Talking { visitor, .. }: Talking<Reads>,
    query: ListQuery,
    QueryPart(SearchParameters { q, room }): QueryPart<SearchParameters>,
) -> Outcome {
    in_one_order(&query, "createdAt", SortOrder::Desc)?;
    if query.page.wants_total() {
        return Err(query_problem("total".into(), "What is found is not counted; use the cursor.".into()));
    }
    let room = room.as_deref().map(room_key).transpose()?;
    let page = chat.search(visitor, q, room, query.page.clone()).await?;
    Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)
}

/// Look at a message.
#[utoipa::path(
    get, path = "/api/messages/{id}", tag = "Messages", operation_id = "getMessage",
    params(("id" = MessageId, Path, description = "The message's id")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The message; its ETag is of what it says and bears, not of who has read it",
         body = MessageView),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
        (status = 404, description = "MESSAGE_NOT_FOUND; also for one of a room of others"),
    ),
)]
async fn show(
    State(chat): State<Chat>,
    Talking { visitor, .. }: Talking<Reads>,
    PathParts(id): PathParts<MessageId>,
) -> Outcome {
    reply(chat.message(visitor, id).await?)
}

/// What a message is to say.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = MessageChange)]
struct EditBody {
    #[schema(min_length = 1, max_length = 4000)]
    content: String,
}

/// Change what a message says.
///
/// For its sender. `editedAt` tells that it was changed.
#[utoipa::path(
    put, path = "/api/messages/{id}", tag = "Messages", operation_id = "editMessage",
    params(
        ("id" = MessageId, Path, description = "The message's id"),
        ("If-Match" = Option<String>, Header, description = "The state it was read in"),
    ),
    request_body = EditBody, security(("bearer" = [])),
    responses(
        (status = 200, description = "The message", body = MessageView),
        (status = 403, description = "FORBIDDEN, NOT_A_MEMBER, BANNED, MUTED"),
        (status = 404, description = "MESSAGE_NOT_FOUND"),
        (status = 409, description = "MESSAGE_DELETED"),
        (status = 412, description = "PRECONDITION_FAILED"),
    ),
)]
async fn edit(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Edits>,
    PathParts(id): PathParts<MessageId>,
    if_match: IfMatch,
    Json(body): Json<EditBody>,
) -> Outcome {
    let mut flaws = Fields::default();
    match flaws.take("content", Content::parse(body.content)) {
        Some(content) => reply(chat.edit(occasion, visitor, id, content, if_match).await?),
        None => Err(flaws.into_refusal().into()),
    }
}

/// Delete a message.
///
/// For its sender and the moderators of its room. Its place stays, with `deletedAt`; what it said is gone. Again changes
/// nothing.
#[utoipa::path(
    delete, path = "/api/messages/{id}", tag = "Messages", operation_id = "deleteMessage",
    params(
        ("id" = MessageId, Path, description = "The message's id"),
        ("If-Match" = Option<String>, Header, description = "The state it was read in"),
    ),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "MESSAGE_NOT_FOUND"),
        (status = 412, description = "PRECONDITION_FAILED"),
    ),
)]
async fn delete(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Deletes>,
    PathParts(id): PathParts<MessageId>,
    if_match: IfMatch,
) -> Outcome {
    chat.delete(occasion, visitor, id, if_match).await?;
    Ok(Reply::no_content())
}

/// Note that one has read a room up to a message.
///
/// For members. The mark never goes back: an older message changes nothing.
#[utoipa::path(
    post, path = "/api/messages/{id}/read", tag = "Messages", operation_id = "readMessage",
    params(("id" = MessageId, Path, description = "The message's id")), security(("bearer" = [])),
    responses(
        (status = 200, description = "How far one has read the room", body = ReadView),
        (status = 403, description = "NOT_A_MEMBER"),
        (status = 404, description = "MESSAGE_NOT_FOUND"),
    ),
)]
async fn read(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Reads>,
    PathParts(id): PathParts<MessageId>,
) -> Outcome {
    Reply::ok(&chat.mark_read(occasion, visitor, id).await?)
}

/// A reaction.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Reaction)]
struct ReactionBody {
    /// A picture, or a short word such as `:tea:`.
    #[schema(min_length = 1, max_length = 32, example = "👍")]
    emoji: String,
}

/// React to a message, or take the same reaction back.
#[utoipa::path(
    post, path = "/api/messages/{id}/react", tag = "Messages", operation_id = "reactToMessage",
    params(("id" = MessageId, Path, description = "The message's id")),
    request_body = ReactionBody, security(("bearer" = [])),
    responses(
        (status = 200, description = "The message", body = MessageView),
        (status = 403, description = "NOT_A_MEMBER, BANNED, MUTED"),
        (status = 404, description = "MESSAGE_NOT_FOUND"),
        (status = 409, description = "MESSAGE_DELETED, TOO_MANY_REACTIONS"),
    ),
)]
async fn react(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts(id): PathParts<MessageId>,
    Json(body): Json<ReactionBody>,
) -> Outcome {
    let mut flaws = Fields::default();
    match flaws.take("emoji", Emoji::parse(&body.emoji)) {
        Some(emoji) => reply(chat.react(occasion, visitor, id, emoji).await?),
        None => Err(flaws.into_refusal().into()),
    }
}

/// Read the thread that a message is of: its first message, then what was answered, in order.
#[utoipa::path(
    get, path = "/api/messages/{id}/thread", tag = "Messages", operation_id = "getThread",
    params(("id" = MessageId, Path, description = "The id of any message of it"), ListQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of the thread", body = Vec<MessageView>),
        (status = 404, description = "MESSAGE_NOT_FOUND"),
    ),
)]
async fn thread(
    State(chat): State<Chat>,
    Talking { visitor, .. }: Talking<Reads>,
    PathParts(id): PathParts<MessageId>,
    query: ListQuery,
) -> Outcome {
    in_one_order(&query, "seq", SortOrder::Asc)?;
    if query.page.wants_total() {
        return Err(query_problem("total".into(), "A thread is not counted; use the cursor.".into()));
    }
    let page = chat.thread(visitor, id, query.page.clone()).await?;
    Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)
}

/// Pin a message: for moderators, in a direct room for both. Again changes nothing.
#[utoipa::path(
    put, path = "/api/messages/{id}/pin", tag = "Messages", operation_id = "pinMessage",
    params(("id" = MessageId, Path, description = "The message's id")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The message", body = MessageView),
        (status = 404, description = "MESSAGE_NOT_FOUND"),
        (status = 409, description = "MESSAGE_DELETED, TOO_MANY_PINS"),
    ),
)]
async fn pin(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts(id): PathParts<MessageId>,
) -> Outcome {
    reply(chat.pin(occasion, visitor, id, true).await?)
}

/// Take the pin off a message. Again changes nothing.
#[utoipa::path(
    delete, path = "/api/messages/{id}/pin", tag = "Messages", operation_id = "unpinMessage",
    params(("id" = MessageId, Path, description = "The message's id")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The message", body = MessageView),
        (status = 404, description = "MESSAGE_NOT_FOUND"),
        (status = 409, description = "MESSAGE_DELETED"),
    ),
)]
async fn unpin(
    State(chat): State<Chat>,
    Talking { visitor, occasion, .. }: Talking<Writes>,
    PathParts(id): PathParts<MessageId>,
) -> Outcome {
    reply(chat.pin(occasion, visitor, id, false).await?)
}
