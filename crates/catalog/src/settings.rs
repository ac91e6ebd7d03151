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
    /// The largest import, in bytes.
    pub import_limit: u64,
    /// How long answers about products are cached.
    pub products_ttl: Duration,
    /// How long answers about categories are cached.
    pub categories_ttl: Duration,
    /// How long answers about packages are cached.
    pub packages_ttl: Duration,
    /// How long answers about offers are cached.
    pub offers_ttl: Duration,
}

impl CatalogSettings {
    /// The usual settings for a shop that sells in `currency`.
    pub const fn of(currency: Currency) -> Self {
        Self {
            currency,
            low_stock_level: 10,
            import_limit: 4 * 1024 * 1024 * 1024,
            products_ttl: Duration::from_mins(10),
            categories_ttl: Duration::from_mins(30),
            packages_ttl: Duration::from_mins(10),
            offers_ttl: Duration::from_mins(5),
        }
    }
}
