//! Telling whoever watches a product what is there of it.

use stoa_contracts::catalog::ProductId;
use stoa_platform::database::DatabaseError;

use crate::{Catalogue, store::stock};

impl Catalogue {
    /// The pieces of a product that are there now, those of all its variants together; `None` when there is no such
    /// product, or not for everybody to see.
    pub async fn stock_of(&self, product: ProductId) -> Result<Option<i64>, DatabaseError> {
        self.0.database.get(move |connection| stock::of_product(connection, product)).await
    }
}
