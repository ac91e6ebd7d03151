//! What must hold in the catalogue, looked at by `stoa verify`.

use stoa_platform::verify::Check;

use crate::store::verify as store;
pub use crate::store::verify::{offer_uses, sold_pieces};

/// The checks of the catalogue.
pub fn checks() -> Vec<Check> {
    vec![
        Check::new(
            "stock-movements",
            "The movements of a product add up to its stock.",
            store::moved_otherwise,
        ),
        Check::new(
            "stock-of-variants",
            "The movements of a variant add up to its stock.",
            store::variants_moved_otherwise,
        ),
        Check::new(
            "stock-sums",
            "The stock of a product with variants is the sum of theirs.",
            store::not_the_sum_of_variants,
        ),
        Check::new("stock-of-the-gone", "A shelf that is gone has nothing on it.", store::left_behind),
        Check::new(
            "stock-versions",
            "Stock moves with the version of its product.",
            store::moved_in_the_future,
        ),
        Check::new("offer-limits", "No offer is used more often than it may be.", store::used_too_often),
        Check::new(
            "product-search",
            "Every product can be found as it is, and nothing else.",
            store::not_findable,
        ),
    ]
}
