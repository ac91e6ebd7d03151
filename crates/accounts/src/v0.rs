//! The first, flat surface, kept working; the server marks it as deprecated.

use axum::{
    Router,
    extract::State,
    middleware::from_fn,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use stoa_http::{Caller, Json, LimitKey, Outcome, Reply, RequestContext, limited};
use stoa_kernel::Actor;

use crate::{
    Accounts,
    account::UserView,
    client::Client,
    open_session::{SessionKind, SignedInUser},
    profile::ProfileChange,
    routes::auth::{LoginBody, RegisterBody, login_attempt, registration},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct V0Register {
    username: String,
    email: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct V0Login {
    email: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct V0Profile {
    username: Option<String>,
    name: Option<String>,
}

#[derive(Serialize)]
struct V0Answer {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    user: UserView,
}

impl V0Answer {
    fn signed_in(message: &'static str, signed_in: SignedInUser) -> Self {
        Self { message, token: Some(signed_in.access_token), user: UserView::own(signed_in.user) }
    }

    fn of(message: &'static str, user: UserView) -> Self {
        Self { message, token: None, user }
    }
}

#[derive(Serialize)]
struct V0User {
    user: UserView,
}

/// `POST /register`, `POST /login`, `GET` and `PATCH /profile`, `GET /protected`.
pub(crate) fn routes(accounts: Accounts) -> Router {
    let guessable = Router::new()
        .route("/register", post(register))
        .route("/login", post(login))
        .layer(from_fn(limited(|limits| &limits.auth, LimitKey::Client)));
    Router::new()
        .route("/profile", get(profile).patch(update_profile))
        .route("/protected", get(protected))
        .merge(guessable)
        .with_state(accounts)
}

async fn register(
    State(accounts): State<Accounts>,
    context: RequestContext,
    client: Client,
    Json(body): Json<V0Register>,
) -> Outcome {
    let V0Register { username, email, password } = body;
    let body = RegisterBody { email, password, username: Some(username), name: None };
    let (identity, password) = registration(&accounts, &context, body).await?;
    let occasion = accounts.occasion(&Actor::Guest);
    let signed_in = accounts.register(occasion, client, identity, password, SessionKind::OneToken).await?;
    Reply::created(&V0Answer::signed_in("User registered successfully", signed_in))
}

async fn login(
    State(accounts): State<Accounts>,
    context: RequestContext,
    client: Client,
    Json(body): Json<V0Login>,
) -> Outcome {
    let body = LoginBody { email: Some(body.email), username: None, password: body.password };
    let attempt = login_attempt(&context, body).await?;
    let occasion = accounts.occasion(&Actor::Guest);
    let signed_in = accounts.login(occasion, client, attempt, SessionKind::OneToken).await?;
    Reply::ok(&V0Answer::signed_in("Login successful", signed_in))
}

async fn profile(State(accounts): State<Accounts>, Caller(actor): Caller) -> Outcome {
    actor.require("profile", "read")?;
    let user = accounts.user(actor.require_user()?.user).await?;
    Reply::ok(&V0User { user: UserView::own(user) })
}

async fn update_profile(
    State(accounts): State<Accounts>,
    Caller(actor): Caller,
    Json(body): Json<V0Profile>,
) -> Outcome {
    actor.require("profile", "update")?;
    let user = actor.require_user()?.user;
    let change = ProfileChange::parse(body.name.as_deref(), body.username.as_deref())?;
    let user = accounts.update_profile(accounts.occasion(&actor), user, change).await?;
    Reply::ok(&V0Answer::of("Profile updated successfully", UserView::own(user)))
}

async fn protected(State(accounts): State<Accounts>, Caller(actor): Caller) -> Outcome {
    let user = accounts.user(actor.require_user()?.user).await?;
    Reply::ok(&V0Answer::of("You are signed in", UserView::own(user)))
}
