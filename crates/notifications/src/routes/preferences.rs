//! `/api/notifications/preferences`.

use axum::extract::State;
use stoa_http::{Json, Outcome, Reply, SignedIn};
use stoa_platform::database::{Connection, DatabaseError, Tx};

use crate::{
    Notifications,
    preferences::{PreferencesChange, PreferencesView},
    store::preferences,
};

/// What one wants to be told, and how.
#[utoipa::path(
    get, path = "/api/notifications/preferences", tag = "Notifications", operation_id = "getNotificationPreferences",
    security(("bearer" = [])),
    responses((status = 200, description = "Every kind with its ways", body = PreferencesView)),
)]
pub(crate) async fn show(State(room): State<Notifications>, SignedIn(actor): SignedIn) -> Outcome {
    let user = actor.require_user()?.user;
    let chosen = room.database().get(move |c: &mut Connection<'_>| preferences::of_user(c, user)).await?;
    Reply::ok(&PreferencesView::of(&chosen))
}

/// Choose what one wants to be told; what is left out stays. Mails about the account's security always come.
#[utoipa::path(
    put, path = "/api/notifications/preferences", tag = "Notifications", operation_id = "putNotificationPreferences",
    request_body = PreferencesChange, security(("bearer" = [])),
    responses((status = 200, description = "Every kind with its ways", body = PreferencesView)),
)]
pub(crate) async fn choose(
    State(room): State<Notifications>,
    SignedIn(actor): SignedIn,
    Json(body): Json<PreferencesChange>,
) -> Outcome {
    let (user, choices) = (actor.require_user()?.user, body.checked()?);
    let choose = move |tx: &mut Tx<'_>| {
        preferences::choose(tx, user, &choices)?;
        preferences::of_user(tx, user)
    };
    let chosen: Result<_, DatabaseError> = room.database().write(choose).await;
    Reply::ok(&PreferencesView::of(&chosen?))
}
