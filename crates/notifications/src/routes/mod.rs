//! The routes under `/api`: parse, authorise, call, answer.

mod announcements;
mod own;
mod permitted;
mod preferences;

use axum::middleware::from_fn;
use stoa_http::{LimitKey, limited};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Notifications;

/// All of them, with their documentation.
pub(crate) fn all(room: Notifications) -> OpenApiRouter {
    let admin = OpenApiRouter::new()
        .routes(routes!(announcements::list, announcements::announce))
        .routes(routes!(announcements::show, announcements::take_back))
        .layer(from_fn(limited(|limits| &limits.admin, LimitKey::Actor)));
    OpenApiRouter::new()
        .routes(routes!(own::list))
        .routes(routes!(own::read_all))
        .routes(routes!(preferences::show, preferences::choose))
        .routes(routes!(own::remove))
        .routes(routes!(own::read))
        .merge(admin)
        .with_state(room)
}
