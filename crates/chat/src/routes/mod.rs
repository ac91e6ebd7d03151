//! The routes under `/api`: parse, authorise, call, answer.

mod members;
mod messages;
mod permitted;
mod rooms;

use stoa_http::{ListQuery, Problem};
use stoa_kernel::SortOrder;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use messages::sent_reply;

use crate::{Chat, error::ChatError, room::RoomKey};

/// All of them, with their documentation.
pub(crate) fn all(chat: Chat) -> OpenApiRouter {
    rooms::routes().merge(members::routes()).merge(messages::routes()).with_state(chat)
}

/// A room as an address names it.
fn room_key(text: &str) -> Result<RoomKey, ChatError> {
    RoomKey::parse(text).ok_or(ChatError::UnknownRoom)
}

/// Refuses to sort a list that comes in one order only.
fn in_one_order(query: &ListQuery, key: &str, order: SortOrder) -> Result<(), Problem> {
    match query.sort(&[(key, ())], ((), order))? {
        ((), given) if given == order => Ok(()),
        _ => Err(stoa_http::query_problem("sortOrder".into(), "This list has one order.".into())),
    }
}
