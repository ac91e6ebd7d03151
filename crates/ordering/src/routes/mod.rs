//! HTTP: parse, authorise, call, answer.

mod cart;
mod guards;
mod invoices;
mod orders;
mod payments;

use utoipa_axum::router::OpenApiRouter;

use crate::Ordering;

/// All routes of the domain.
pub(crate) fn routes(ordering: Ordering) -> OpenApiRouter {
    cart::routes()
        .merge(orders::routes())
        .merge(invoices::routes())
        .merge(payments::routes())
        .with_state(ordering)
}
