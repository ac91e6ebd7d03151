//! `/api/notifications`: one's own list.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_contracts::notifications::NotificationId;
use stoa_http::{ListQuery, Outcome, PathParts, Problem, QueryPart, Reply, SignedIn, foreign_cursor};
use stoa_kernel::{Actor, SortOrder, UserId};
use stoa_platform::database::{Connection, DatabaseError, Tx};
use utoipa::{IntoParams, ToSchema};

use crate::{Notifications, notification::Notification, store::pages};

/// Which ones.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListFilters {
    /// Only those that were not read.
    unread: Option<bool>,
}

/// What became of marking everything.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NotificationsRead)]
pub(crate) struct AllRead {
    /// How many were unread.
    read: u64,
}

fn user(actor: &Actor) -> Result<UserId, Problem> {
    Ok(actor.require_user()?.user)
}

/// One's own notifications and what was announced to everybody, newest first. `unreadCount` beside them counts all that
/// were not read, to 10,000.
#[utoipa::path(
    get, path = "/api/notifications", tag = "Notifications", operation_id = "listNotifications",
    params(ListQuery, ListFilters), security(("bearer" = [])),
    responses((status = 200, description = "A page of notifications", body = Vec<Notification>)),
)]
pub(crate) async fn list(
    State(room): State<Notifications>,
    SignedIn(actor): SignedIn,
    query: ListQuery,
    QueryPart(filters): QueryPart<ListFilters>,
) -> Outcome {
    query.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let (user, request) = (user(&actor)?, query.page.clone());
    let unread = filters.unread.unwrap_or(false);
    let read = move |connection: &mut Connection<'_>| {
        let page = pages::page(connection, user, unread, &request)?;
        Ok::<_, DatabaseError>((page, pages::count(connection, user, true)?))
    };
    let (page, unread_count) = room.database().read(read).await?;
    Ok(Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)?.with_unread(unread_count))
}

/// Mark everything as read that is there now.
#[utoipa::path(
    post, path = "/api/notifications/read-all", tag = "Notifications", operation_id = "readAllNotifications",
    security(("bearer" = [])),
    responses((status = 200, description = "How many were unread", body = AllRead)),
)]
pub(crate) async fn read_all(State(room): State<Notifications>, SignedIn(actor): SignedIn) -> Outcome {
    let now = room.occasion(&actor).at;
    let read = room.mark_all_read(user(&actor)?, now).await?;
    Reply::ok(&AllRead { read })
}

/// Mark one as read; again changes nothing.
#[utoipa::path(
    post, path = "/api/notifications/{id}/read", tag = "Notifications", operation_id = "readNotification",
    params(("id" = NotificationId, Path, description = "The notification's id")), security(("bearer" = [])),
    responses((status = 200, description = "The notification", body = Notification)),
)]
pub(crate) async fn read(
    State(room): State<Notifications>,
    SignedIn(actor): SignedIn,
    PathParts(id): PathParts<NotificationId>,
) -> Outcome {
    let (user, now) = (user(&actor)?, room.occasion(&actor).at);
    let mark = move |tx: &mut Tx<'_>| Notifications::mark_read(tx, user, id, now);
    Reply::ok(&room.database().write(mark).await?)
}

/// Take one out of one's own list.
#[utoipa::path(
    delete, path = "/api/notifications/{id}", tag = "Notifications", operation_id = "deleteNotification",
    params(("id" = NotificationId, Path, description = "The notification's id")), security(("bearer" = [])),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn remove(
    State(room): State<Notifications>,
    SignedIn(actor): SignedIn,
    PathParts(id): PathParts<NotificationId>,
) -> Outcome {
    let (user, now) = (user(&actor)?, room.occasion(&actor).at);
    room.database().write(move |tx: &mut Tx<'_>| Notifications::remove(tx, user, id, now)).await?;
    Ok(Reply::no_content())
}
