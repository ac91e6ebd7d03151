//! The catalogue over HTTP.

mod categories;
mod offers;
mod packages;
mod permitted;
mod products;
mod search;
mod transfer;
mod variants;

use stoa_kernel::Actor;
use utoipa_axum::router::OpenApiRouter;

use crate::{Catalogue, listing::Sight};

/// All routes of the catalogue.
pub(crate) fn all(catalogue: &Catalogue) -> OpenApiRouter {
    products::routes(catalogue)
        .merge(search::routes(catalogue, products::cache_rule(catalogue)))
        .merge(variants::routes(catalogue))
        .merge(transfer::routes(catalogue))
        .merge(categories::routes(catalogue))
        .merge(packages::routes(catalogue))
        .merge(offers::routes(catalogue))
}

/// What a caller may see of the products.
fn sight(actor: &Actor) -> Sight {
    if actor.may("product", "update") { Sight::Everything } else { Sight::Offered }
}
