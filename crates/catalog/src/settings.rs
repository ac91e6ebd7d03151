//! What the catalogue can be told by configuration.

use std::time::Duration;

use stoa_kernel::Currency;

/// Settings of the catalogue.
#[derive(Clone, Debug)]
pub struct CatalogSettings {
    /// The one currency of the shop.
    pub currency: Currency,
    /// Stock at or below this is low.
    pub low_stock_level: i64,
    /// How long answers about products are cached.
    pub products_ttl: Duration,
    /// How long answers about categories are cached.
    pub categories_ttl: Duration,
}

impl CatalogSettings {
    /// The usual settings for a shop that sells in `currency`.
    pub const fn of(currency: Currency) -> Self {
        Self {
            currency,
            low_stock_level: 10,
            products_ttl: Duration::from_mins(10),
            categories_ttl: Duration::from_mins(30),
        }
    }
}
