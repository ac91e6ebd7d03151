//! The routes under `/api`: parse, authorise, call, answer.

pub(crate) mod admin;
mod api_keys;
pub(crate) mod auth;
mod avatar;
mod jwks;
mod manage;
mod password;
mod people;
mod permitted;
mod sessions;
pub(crate) mod users;

use std::sync::Arc;

use axum::{middleware::from_fn, routing::get};
use stoa_contracts::files::Pictures;
use stoa_http::{LimitKey, ListQuery, Problem, limited};
use stoa_kernel::{FieldError, Refusal, SortOrder};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Accounts;

/// All of them, with their documentation.
pub(crate) fn all(accounts: Accounts, pictures: Arc<dyn Pictures>) -> OpenApiRouter {
    let avatar = avatar::routes(accounts.clone(), pictures);
    let guessable = OpenApiRouter::new()
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(password::forgot_password))
        .routes(routes!(password::reset_password))
        .layer(from_fn(limited(|limits| &limits.auth, LimitKey::Client)));
    let admin = OpenApiRouter::new()
        .routes(routes!(admin::audit_log))
        .routes(routes!(admin::list_roles, admin::create_role))
        .routes(routes!(admin::read_role, admin::update_role, admin::delete_role))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::read, api_keys::delete))
        .layer(from_fn(limited(|limits| &limits.admin, LimitKey::Actor)));
    OpenApiRouter::new()
        .route("/.well-known/jwks.json", get(jwks::public_keys))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::logout_all))
        .routes(routes!(auth::change_password))
        .routes(routes!(auth::verify_email))
        .routes(routes!(password::resend_verification))
        .routes(routes!(auth::me))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(users::profile, users::replace_profile, users::update_profile))
        .routes(routes!(users::profile_alone))
        .routes(routes!(people::search))
        .routes(routes!(people::online))
        .routes(routes!(people::set_status))
        .routes(routes!(users::list, manage::create))
        .routes(routes!(users::read, manage::replace, manage::update, manage::delete))
        .routes(routes!(users::change_role))
        .merge(guessable)
        .merge(admin)
        .with_state(accounts)
        .merge(avatar)
}

/// 400 when a list that runs one way only, up by `key`, is asked for another.
fn fixed_order(list: &ListQuery, key: &str) -> Result<(), Problem> {
    match list.sort(&[(key, ())], ((), SortOrder::Asc))? {
        ((), SortOrder::Asc) => Ok(()),
        ((), SortOrder::Desc) => {
            let mut refusal = Refusal::malformed("INVALID_QUERY", "This list is sorted upwards only.");
            refusal.fields = vec![FieldError::new("sortOrder", "INVALID", "it must be asc")];
            Err(Problem(refusal))
        }
    }
}
