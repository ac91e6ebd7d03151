//! `/api/users/search`, `/online` and `/status`: finding people, and being found.

use axum::extract::State;
use serde::Deserialize;
use stoa_http::{Json, ListQuery, Outcome, Permitted, QueryPart, Reply, SignedIn, foreign_cursor};
use utoipa::{IntoParams, ToSchema};

use super::{fixed_order, permitted::UpdatesProfile};
use crate::{
    Accounts,
    account::UserView,
    search_users::{self, SearchText},
    status::{self, PresenceStatus},
};

/// Whom to look for.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Question {
    /// The beginnings of one to five words of the username or name.
    #[param(value_type = String, min_length = 1, max_length = 100, example = "ada love")]
    q: SearchText,
}

/// What one wants to be seen as.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PresenceChange)]
pub(crate) struct StatusBody {
    status: PresenceStatus,
}

/// Find people by the beginnings of the words of their names. Addresses are neither searched nor shown.
#[utoipa::path(
    get, path = "/api/users/search", tag = "users", params(Question, ListQuery), security(("bearer" = [])),
    responses((status = 200, description = "A page of those who are found, in the order of the words met", body = Vec<UserView>))
)]
pub(crate) async fn search(
    State(accounts): State<Accounts>,
    _: SignedIn,
    list: ListQuery,
    QueryPart(Question { q }): QueryPart<Question>,
) -> Outcome {
    fixed_order(&list, "match")?;
    let after = match list.page.after() {
        Some(cursor) => {
            let word = cursor.text_in(search_users::ORDER).ok_or_else(foreign_cursor)?;
            Some((word.to_owned(), cursor.id))
        }
        None => None,
    };
    let found = accounts.search_users(q, after, list.page.clone()).await?;
    Reply::page(&found.map(UserView::public), &list.page)
}

/// Those who are here, by username: signed in, refreshed or at a socket within the life of an access token, and not hiding.
#[utoipa::path(
    get, path = "/api/users/online", tag = "users", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, description = "A page of those who are here", body = Vec<UserView>))
)]
pub(crate) async fn online(State(accounts): State<Accounts>, _: SignedIn, list: ListQuery) -> Outcome {
    fixed_order(&list, "username")?;
    let after = match list.page.after() {
        Some(cursor) => Some(cursor.text_in(status::ORDER).ok_or_else(foreign_cursor)?.to_owned()),
        None => None,
    };
    let found = accounts.online_users(after, list.page.clone()).await?;
    Reply::page(&found.map(UserView::public), &list.page)
}

/// Choose what to be seen as while one is here; `offline` hides.
#[utoipa::path(
    post, path = "/api/users/status", tag = "users", request_body = StatusBody, security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = UserView))
)]
pub(crate) async fn set_status(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<UpdatesProfile>,
    Json(body): Json<StatusBody>,
) -> Outcome {
    let user = actor.require_user()?.user;
    accounts.set_status(accounts.occasion(&actor), user, body.status).await?;
    Reply::ok(&UserView::own(accounts.user(user).await?))
}
