//! `/api/users` for those who make, change and delete users.

use axum::extract::State;
use serde::Deserialize;
use stoa_http::{Idempotent, Json, Outcome, PathParts, Permitted, Reply};
use stoa_kernel::{Fields, Refusal, UserId};
use utoipa::ToSchema;

use super::permitted::{CreatesUsers, DeletesUsers, UpdatesUsers};
use crate::{
    Accounts,
    account::{USER_ROLE, UserView},
    client::Client,
    manage_users::UserChange,
    register::{Identity, NewUser},
};

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewUser)]
pub(crate) struct CreateUserBody {
    #[schema(format = Email, max_length = 254, example = "ada@example.com")]
    email: String,
    #[schema(format = Password, min_length = 6, max_length = 1024, example = "Tr0mbone-Lake")]
    password: String,
    /// Made from name or address when absent.
    #[schema(min_length = 2, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]+$")]
    username: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// `user` unless told.
    #[schema(example = "user")]
    role: Option<String>,
    /// Whether mail to the address is known to be read; without it a mail asks for the proof.
    email_verified: Option<bool>,
}

/// What is changed of a user; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UserChange)]
pub(crate) struct UpdateUserBody {
    /// Another address has to be proved anew, unless `emailVerified` says that it is.
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
    #[schema(min_length = 2, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]+$")]
    username: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    email_verified: Option<bool>,
}

/// Make a user. Nobody makes one who may do more than they may themselves.
#[utoipa::path(
    post, path = "/api/users", tag = "users", request_body = CreateUserBody, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The user", body = UserView), (status = 409, description = "Address or username taken"))
)]
pub(crate) async fn create(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<CreatesUsers>,
    client: Client,
    Idempotent { body, once }: Idempotent<CreateUserBody>,
) -> Outcome {
    let (identity, password, role) = checked(&accounts, &body)?;
    let password = accounts.hash_password(password).await?;
    let new = NewUser { identity, password, role, verified: body.email_verified.unwrap_or(false) };
    let occasion = accounts.occasion(&actor);
    let id: UserId = occasion.id();
    let (database, clock) = (accounts.database().clone(), accounts.clock().clone());
    once.run(&database, &clock, move |tx| {
        let user = accounts.add_user(tx, &occasion, &client, &actor, &new, id)?;
        let reply = Reply::created(&UserView::full(user)).map_err(|problem| problem.0)?;
        Ok::<_, Refusal>(reply.at(&format!("/api/users/{id}")))
    })
    .await
}

fn checked<'b>(
    accounts: &Accounts,
    body: &'b CreateUserBody,
) -> Result<(Identity, &'b str, String), Refusal> {
    let mut fields = Fields::default();
    let identity = Identity::parse(&body.email, body.username.as_deref(), body.name.as_deref(), &mut fields);
    fields.take("password", accounts.settings().password_policy.check(&body.password));
    let Some(identity) = identity.filter(|_| fields.is_clean()) else {
        return Err(fields.into_refusal());
    };
    Ok((identity, &body.password, body.role.clone().unwrap_or_else(|| USER_ROLE.to_owned())))
}

/// Change who a user is; the role has a call of its own.
#[utoipa::path(
    patch, path = "/api/users/{id}", tag = "users", params(("id" = UserId, Path)), request_body = UpdateUserBody,
    security(("bearer" = [])),
    responses((status = 200, description = "The user", body = UserView), (status = 409, description = "Address or username taken"))
)]
pub(crate) async fn update(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<UpdatesUsers>,
    client: Client,
    PathParts(id): PathParts<UserId>,
    Json(body): Json<UpdateUserBody>,
) -> Outcome {
    let UpdateUserBody { email, username, name, email_verified } = body;
    let change = UserChange::parse(email.as_deref(), username.as_deref(), name.as_deref(), email_verified)?;
    let user = accounts.update_user(accounts.occasion(&actor), client, actor, id, change).await?;
    Reply::ok(&UserView::full(user))
}

/// Change who a user is; like PATCH it takes any subset of the fields.
#[utoipa::path(
    put, path = "/api/users/{id}", tag = "users", params(("id" = UserId, Path)), request_body = UpdateUserBody,
    security(("bearer" = [])),
    responses((status = 200, description = "The user", body = UserView), (status = 409, description = "Address or username taken"))
)]
pub(crate) async fn replace(
    accounts: State<Accounts>,
    permitted: Permitted<UpdatesUsers>,
    client: Client,
    id: PathParts<UserId>,
    body: Json<UpdateUserBody>,
) -> Outcome {
    update(accounts, permitted, client, id, body).await
}

/// Delete a user; their sessions end, their orders stay.
#[utoipa::path(
    delete, path = "/api/users/{id}", tag = "users", params(("id" = UserId, Path)), security(("bearer" = [])),
    responses((status = 204, description = "Deleted"), (status = 409, description = "The last admin"))
)]
pub(crate) async fn delete(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<DeletesUsers>,
    client: Client,
    PathParts(id): PathParts<UserId>,
) -> Outcome {
    accounts.delete_user(accounts.occasion(&actor), client, actor, id).await?;
    Ok(Reply::no_content())
}
