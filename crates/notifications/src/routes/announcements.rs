//! `/api/admin/announcements`.

use axum::extract::State;
use stoa_contracts::notifications::NotificationId;
use stoa_http::{Idempotent, ListQuery, Outcome, PathParts, Permitted, Problem, Reply, foreign_cursor};
use stoa_kernel::SortOrder;
use stoa_platform::database::{Connection, Tx};

use super::permitted::Announces;
use crate::{
    Notifications,
    announce::{Announcement, NewAnnouncement},
    error::NotificationError,
    store::announcements,
};

/// What was announced, newest first.
#[utoipa::path(
    get, path = "/api/admin/announcements", tag = "Announcements", operation_id = "listAnnouncements",
    params(ListQuery), security(("bearer" = [])),
    responses((status = 200, description = "A page of announcements", body = Vec<Announcement>)),
)]
pub(crate) async fn list(
    State(room): State<Notifications>,
    _: Permitted<Announces>,
    query: ListQuery,
) -> Outcome {
    query.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let request = query.page.clone();
    let page = room.database().read(move |c: &mut Connection<'_>| announcements::list(c, &request)).await?;
    Reply::page(&page.ok_or_else(foreign_cursor)?, &query.page)
}

/// Say something to everybody: it stands in everybody's notifications.
#[utoipa::path(
    post, path = "/api/admin/announcements", tag = "Announcements", operation_id = "createAnnouncement",
    request_body = NewAnnouncement, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request have its effect once")),
    responses(
        (status = 201, description = "The announcement", body = Announcement),
        (status = 409, description = "There are too many, or the first request with this key is still running"),
    ),
)]
pub(crate) async fn announce(
    State(room): State<Notifications>,
    Permitted { actor, .. }: Permitted<Announces>,
    Idempotent { body, once }: Idempotent<NewAnnouncement>,
) -> Outcome {
    let (draft, occasion) = (body.checked()?, room.occasion(&actor));
    let make = move |tx: &mut Tx<'_>| -> Result<Reply, NotificationError> {
        let announcement = Notifications::announce(tx, &occasion, &draft)?;
        let reply = Reply::created(&announcement).map_err(|Problem(refusal)| refusal)?;
        Ok(reply.at(&format!("/api/admin/announcements/{}", announcement.id)))
    };
    once.run(room.database(), &room.0.platform.clock, make).await
}

/// Show an announcement.
#[utoipa::path(
    get, path = "/api/admin/announcements/{id}", tag = "Announcements", operation_id = "getAnnouncement",
    params(("id" = NotificationId, Path, description = "The announcement's id")), security(("bearer" = [])),
    responses((status = 200, description = "The announcement", body = Announcement)),
)]
pub(crate) async fn show(
    State(room): State<Notifications>,
    _: Permitted<Announces>,
    PathParts(id): PathParts<NotificationId>,
) -> Outcome {
    let found = room.database().get(move |c: &mut Connection<'_>| announcements::find(c, id)).await?;
    Reply::ok(&found.ok_or(NotificationError::UnknownAnnouncement)?)
}

/// Take an announcement back: it is gone from everybody's notifications.
#[utoipa::path(
    delete, path = "/api/admin/announcements/{id}", tag = "Announcements", operation_id = "deleteAnnouncement",
    params(("id" = NotificationId, Path, description = "The announcement's id")), security(("bearer" = [])),
    responses((status = 204, description = "It is taken back")),
)]
pub(crate) async fn take_back(
    State(room): State<Notifications>,
    _: Permitted<Announces>,
    PathParts(id): PathParts<NotificationId>,
) -> Outcome {
    room.database().write(move |tx: &mut Tx<'_>| Notifications::take_back(tx, id)).await?;
    Ok(Reply::no_content())
}
