//! `/api/users` and `/api/profile`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_http::{Caller, Json, ListQuery, Outcome, PathParts, Permitted, QueryPart, Reply, foreign_cursor};
use stoa_kernel::{Actor, SortOrder, UserId};
use utoipa::{IntoParams, ToSchema};

use super::permitted::{ReadsUsers, UpdatesProfile, UpdatesUsers};
use crate::{
    Accounts,
    account::UserView,
    client::Client,
    profile::{ProfileChange, order_name},
    store::users::Wanted,
};

/// What somebody changes of their profile; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ProfileChange)]
pub(crate) struct ProfileBody {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(min_length = 2, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]+$")]
    username: Option<String>,
}

/// The profile by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Profile)]
pub(crate) struct ProfileView {
    user: UserView,
}

/// Another role for a user.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RoleAssignment)]
pub(crate) struct RoleBody {
    #[schema(example = "admin")]
    role: String,
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct UserFilters {
    /// Only users of this role.
    role: Option<String>,
}

/// One's own profile.
#[utoipa::path(
    get, path = "/api/users/profile", tag = "users", security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = UserView))
)]
pub(crate) async fn profile(State(accounts): State<Accounts>, Caller(actor): Caller) -> Outcome {
    Reply::ok(&own_profile(&accounts, &actor).await?)
}

/// One's own profile, as `{user}`.
#[utoipa::path(
    get, path = "/api/profile", tag = "users", security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = ProfileView))
)]
pub(crate) async fn profile_alone(State(accounts): State<Accounts>, Caller(actor): Caller) -> Outcome {
    Reply::ok(&ProfileView { user: own_profile(&accounts, &actor).await? })
}

async fn own_profile(accounts: &Accounts, actor: &Actor) -> Result<UserView, stoa_http::Problem> {
    actor.require("profile", "read")?;
    let user = accounts.user(actor.require_user()?.user).await?;
    Ok(UserView::own(user))
}

/// Change one's own profile.
#[utoipa::path(
    patch, path = "/api/users/profile", tag = "users", request_body = ProfileBody, security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = UserView), (status = 409, description = "Username taken"))
)]
pub(crate) async fn update_profile(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<UpdatesProfile>,
    Json(body): Json<ProfileBody>,
) -> Outcome {
    let user = actor.require_user()?.user;
    let change = ProfileChange::parse(body.name.as_deref(), body.username.as_deref())?;
    let user = accounts.update_profile(accounts.occasion(&actor), user, change).await?;
    Reply::ok(&UserView::own(user))
}

/// Change one's own profile; like PATCH it takes any subset of the fields.
#[utoipa::path(
    put, path = "/api/users/profile", tag = "users", request_body = ProfileBody, security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = UserView), (status = 409, description = "Username taken"))
)]
pub(crate) async fn replace_profile(
    accounts: State<Accounts>,
    permitted: Permitted<UpdatesProfile>,
    body: Json<ProfileBody>,
) -> Outcome {
    update_profile(accounts, permitted, body).await
}

/// Users by age, the newest first unless told.
#[utoipa::path(
    get, path = "/api/users", tag = "users", params(ListQuery, UserFilters), security(("bearer" = [])),
    responses((status = 200, description = "A page of users", body = Vec<UserView>))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    _: Permitted<ReadsUsers>,
    list: ListQuery,
    QueryPart(filters): QueryPart<UserFilters>,
) -> Outcome {
    let ((), order) = list.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let page = list.page;
    let after = match page.after() {
        Some(cursor) => Some((cursor.number_in(order_name(order)).ok_or_else(foreign_cursor)?, cursor.id)),
        None => None,
    };
    let wanted = Wanted { role: filters.role, order, after, limit: page.limit + 1, offset: page.offset() };
    let users = accounts.list_users(wanted, page.clone()).await?;
    Reply::page(&users.map(UserView::full), &page)
}

/// A user: oneself, or any by permission.
#[utoipa::path(
    get, path = "/api/users/{id}", tag = "users", params(("id" = UserId, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The user", body = UserView))
)]
pub(crate) async fn read(
    State(accounts): State<Accounts>,
    Caller(actor): Caller,
    PathParts(id): PathParts<UserId>,
) -> Outcome {
    if actor.user_id() == Some(id) && !actor.may("user", "read") {
        return Reply::ok(&own_profile(&accounts, &actor).await?);
    }
    actor.require("user", "read")?;
    Reply::ok(&UserView::full(accounts.user_seen(id).await?))
}

/// Give a user another role; their sessions end.
#[utoipa::path(
    put, path = "/api/users/{id}/role", tag = "users", params(("id" = UserId, Path)), request_body = RoleBody, security(("bearer" = [])),
    responses((status = 200, description = "The user", body = UserView), (status = 409, description = "The last admin"))
)]
pub(crate) async fn change_role(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<UpdatesUsers>,
    client: Client,
    PathParts(id): PathParts<UserId>,
    Json(body): Json<RoleBody>,
) -> Outcome {
    let user = accounts.change_role(accounts.occasion(&actor), client, actor, id, body.role).await?;
    Reply::ok(&UserView::full(user))
}
