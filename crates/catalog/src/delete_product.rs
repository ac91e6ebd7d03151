//! Deleting a product for good.

use stoa_contracts::catalog::{ProductDeleted, ProductId};
use stoa_http::IfMatch;
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    CatalogError, Catalogue,
    stock::{Movement, Reason},
    store::{products, stock},
};

impl Catalogue {
    /// Deletes a product. Orders keep the name and price they were placed at; what was in stock leaves by a last
    /// movement.
    pub(crate) fn delete_product(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: ProductId,
        expected: &IfMatch,
    ) -> Result<(), CatalogError> {
        let (stock_left, last) = products::delete(tx, id)?.ok_or(CatalogError::UnknownProduct)?;
        expected.check(last)?;
        let version = last + 1;
        let movement = Movement { product: id, version, change: -stock_left, reason: Reason::Deleted };
        stock::record(tx, occasion, &movement)?;
        events::append(tx, occasion, &ProductDeleted { product_id: id, version })?;
        self.forget_products(tx, [id]);
        Ok(())
    }
}
