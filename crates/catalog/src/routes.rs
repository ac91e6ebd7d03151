//! The catalogue over HTTP.

mod categories;
mod permitted;
mod products;

use stoa_kernel::Actor;
use utoipa_axum::router::OpenApiRouter;

use crate::{Catalogue, listing::Sight};

/// All routes of the catalogue.
pub(crate) fn all(catalogue: &Catalogue) -> OpenApiRouter {
    products::routes(catalogue).merge(categories::routes(catalogue))
}

/// What a caller may see of the products.
fn sight(actor: &Actor) -> Sight {
    if actor.may("product", "update") { Sight::Everything } else { Sight::Offered }
}
