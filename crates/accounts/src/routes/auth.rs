//! `/api/auth`.

use axum::extract::State;
use serde::Deserialize;
use stoa_http::{Caller, Json, Outcome, Reply, RequestContext, SignedIn};
use stoa_kernel::{Actor, Fields, Flaw, Refusal};
use utoipa::ToSchema;

use crate::{
    Accounts,
    account::{UserView, login_identifier},
    client::Client,
    login::Attempt,
    open_session::{SessionKind, SignedInView},
    password,
    register::Identity,
};

/// Who registers.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Registration)]
pub(crate) struct RegisterBody {
    #[schema(format = Email, max_length = 254, example = "ada@example.com")]
    pub(crate) email: String,
    #[schema(format = Password, min_length = 6, max_length = 1024, example = "Tr0mbone-Lake")]
    pub(crate) password: String,
    /// Made from name or address when absent.
    #[schema(min_length = 2, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]+$")]
    pub(crate) username: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: Option<String>,
}

/// Who signs in: by address or by username.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Login)]
pub(crate) struct LoginBody {
    #[schema(max_length = 254, example = "ada@example.com")]
    pub(crate) email: Option<String>,
    #[schema(max_length = 254)]
    pub(crate) username: Option<String>,
    #[schema(format = Password, max_length = 1024, example = "Tr0mbone-Lake")]
    pub(crate) password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RefreshToken)]
pub(crate) struct RefreshBody {
    refresh_token: String,
}

/// A change of password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub(crate) struct ChangePasswordBody {
    #[schema(format = Password, max_length = 1024)]
    current_password: String,
    #[schema(format = Password, min_length = 6, max_length = 1024)]
    new_password: String,
}

/// The token of the link in a mail.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EmailVerification)]
pub(crate) struct VerifyEmailBody {
    token: String,
}

/// Register and sign in.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "auth", request_body = RegisterBody,
    responses((status = 201, description = "Registered and signed in", body = SignedInView), (status = 409, description = "Address or username taken"))
)]
pub(crate) async fn register(
    State(accounts): State<Accounts>,
    context: RequestContext,
    client: Client,
    Json(body): Json<RegisterBody>,
) -> Outcome {
    let (identity, password) = registration(&accounts, &context, body).await?;
    let occasion = accounts.occasion(&Actor::Guest);
    let signed_in = accounts.register(occasion, client, identity, password, SessionKind::Refreshed).await?;
    Reply::created(&SignedInView::from(signed_in))
}

/// Checks a registration and counts it against its address.
pub(crate) async fn registration(
    accounts: &Accounts,
    context: &RequestContext,
    body: RegisterBody,
) -> Result<(Identity, String), Refusal> {
    let mut fields = Fields::default();
    let (username, name) = (body.username.as_deref(), body.name.as_deref());
    let identity = Identity::parse(&body.email, username, name, &mut fields);
    fields.take("password", accounts.settings().password_policy.check(&body.password));
    let Some(identity) = identity.filter(|_| fields.is_clean()) else {
        return Err(fields.into_refusal());
    };
    take_for_account(context, identity.email.folded()).await?;
    Ok((identity, body.password))
}

/// Sign in.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", request_body = LoginBody,
    responses((status = 200, description = "Signed in", body = SignedInView))
)]
pub(crate) async fn login(
    State(accounts): State<Accounts>,
    context: RequestContext,
    client: Client,
    Json(body): Json<LoginBody>,
) -> Outcome {
    let attempt = login_attempt(&context, body).await?;
    let occasion = accounts.occasion(&Actor::Guest);
    let signed_in = accounts.login(occasion, client, attempt, SessionKind::Refreshed).await?;
    Reply::ok(&SignedInView::from(signed_in))
}

/// Checks an attempt to sign in and counts it against its identifier.
pub(crate) async fn login_attempt(context: &RequestContext, body: LoginBody) -> Result<Attempt, Refusal> {
    let mut fields = Fields::default();
    let identifier = match (body.email, body.username) {
        (Some(_), Some(_)) => {
            Err(("username", Flaw::new("AMBIGUOUS", "Give either the address or the username.")))
        }
        (Some(email), None) => login_identifier(&email).map_err(|flaw| ("email", flaw)),
        (None, Some(username)) => login_identifier(&username).map_err(|flaw| ("username", flaw)),
        (None, None) => Err(("email", Flaw::new("REQUIRED", "Give the address or the username."))),
    };
    let identifier = identifier.map_err(|(field, flaw)| fields.refuse(field, flaw)).ok();
    let password = fields.take("password", password::bounded(body.password));
    let (Some(identifier), Some(password)) = (identifier, password) else {
        return Err(fields.into_refusal());
    };
    take_for_account(context, &identifier).await?;
    Ok(Attempt { identifier, password })
}

async fn take_for_account(context: &RequestContext, identifier: &str) -> Result<(), Refusal> {
    context.take(&context.settings().limits.auth, &format!("account:{identifier}")).await.map(drop)
}

/// Spend a refresh token for a new pair.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshBody,
    responses((status = 200, description = "A new pair", body = SignedInView), (status = 409, description = "Spent a moment ago"))
)]
pub(crate) async fn refresh(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<RefreshBody>,
) -> Outcome {
    let occasion = accounts.occasion(&Actor::Guest);
    let signed_in = accounts.refresh(occasion, client, &body.refresh_token).await?;
    Reply::ok(&SignedInView::from(signed_in))
}

/// End the session of a refresh token.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", request_body = RefreshBody,
    responses((status = 204, description = "Ended"))
)]
pub(crate) async fn logout(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<RefreshBody>,
) -> Outcome {
    accounts.logout(accounts.occasion(&Actor::Guest), client, &body.refresh_token).await?;
    Ok(Reply::no_content())
}

/// End all of one's sessions.
#[utoipa::path(
    post, path = "/api/auth/logout-all", tag = "auth", security(("bearer" = [])),
    responses((status = 204, description = "Ended"))
)]
pub(crate) async fn logout_all(
    State(accounts): State<Accounts>,
    Caller(actor): Caller,
    client: Client,
) -> Outcome {
    let user = actor.require_user()?.user;
    accounts.logout_all(accounts.occasion(&actor), client, user).await?;
    Ok(Reply::no_content())
}

/// Change one's own password.
#[utoipa::path(
    post, path = "/api/auth/change-password", tag = "auth", request_body = ChangePasswordBody, security(("bearer" = [])),
    responses((status = 204, description = "Changed; all refresh tokens are revoked"))
)]
pub(crate) async fn change_password(
    State(accounts): State<Accounts>,
    SignedIn(actor): SignedIn,
    client: Client,
    Json(body): Json<ChangePasswordBody>,
) -> Outcome {
    let person = actor.require_user()?.clone();
    let mut fields = Fields::default();
    let current = fields.take("currentPassword", password::bounded(body.current_password));
    let Some(current) = current else { return Err(fields.into_refusal().into()) };
    let occasion = accounts.occasion(&actor);
    accounts.change_password(occasion, client, person, current, body.new_password).await?;
    Ok(Reply::no_content())
}

/// Prove one's address by the token that was mailed to it.
#[utoipa::path(
    post, path = "/api/auth/verify-email", tag = "auth", request_body = VerifyEmailBody,
    responses((status = 204, description = "Verified"))
)]
pub(crate) async fn verify_email(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<VerifyEmailBody>,
) -> Outcome {
    accounts.verify_email(accounts.occasion(&Actor::Guest), client, &body.token).await?;
    Ok(Reply::no_content())
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "auth", security(("bearer" = [])),
    responses((status = 200, description = "The signed-in user", body = UserView))
)]
pub(crate) async fn me(State(accounts): State<Accounts>, Caller(actor): Caller) -> Outcome {
    Ok(accounts.own_view(actor.require_user()?.user).await?)
}
