//! The routes under `/api/admin`: parse, authorise, call, answer.

mod jobs;
mod mails;
mod permitted;
mod templates;

use axum::middleware::from_fn;
use stoa_http::{LimitKey, limited};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Operations;

/// All of them, with their documentation.
pub(crate) fn all(operations: Operations) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(mails::list))
        .routes(routes!(mails::show))
        .routes(routes!(templates::list))
        .routes(routes!(templates::preview))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show, jobs::remove))
        .routes(routes!(jobs::retry))
        .layer(from_fn(limited(|limits| &limits.admin, LimitKey::Actor)))
        .with_state(operations)
}
