//! The routes under `/api`: parse, authorise, call, answer.

pub(crate) mod admin;
pub(crate) mod auth;
mod permitted;
pub(crate) mod users;

use axum::middleware::from_fn;
use stoa_http::{LimitKey, limited};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Accounts;

/// All of them, with their documentation.
pub(crate) fn all(accounts: Accounts) -> OpenApiRouter {
    let guessable = OpenApiRouter::new()
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .layer(from_fn(limited(|limits| &limits.auth, LimitKey::Client)));
    let admin = OpenApiRouter::new()
        .routes(routes!(admin::audit_log))
        .routes(routes!(admin::list_roles, admin::create_role))
        .routes(routes!(admin::read_role, admin::update_role, admin::delete_role))
        .layer(from_fn(limited(|limits| &limits.admin, LimitKey::Actor)));
    OpenApiRouter::new()
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::logout_all))
        .routes(routes!(auth::change_password))
        .routes(routes!(auth::verify_email))
        .routes(routes!(auth::me))
        .routes(routes!(users::profile, users::replace_profile, users::update_profile))
        .routes(routes!(users::profile_alone))
        .routes(routes!(users::list))
        .routes(routes!(users::read))
        .routes(routes!(users::change_role))
        .merge(guessable)
        .merge(admin)
        .with_state(accounts)
}
