//! Deleting a product for good.

use stoa_contracts::catalog::{ProductDeleted, ProductId};
use stoa_http::IfMatch;
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    CatalogError, Catalogue,
    search::Entry,
    stock::{Movement, Reason, tell_of_changes},
    store::{products, search, stock, variants},
};

impl Catalogue {
    /// Deletes a product with its variants. Orders keep the name and price they were placed at; what was in stock leaves
    /// by last movements. Packages that hold it are not offered any more.
    pub(crate) fn delete_product(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: ProductId,
        expected: &IfMatch,
    ) -> Result<(), CatalogError> {
        let found = products::find_for_change(tx, id, self.currency())?;
        let mut product = found.ok_or(CatalogError::UnknownProduct)?;
        expected.check(product.version)?;
        let entry = Entry::of(&product);
        product.version += 1;
        let mut changes = Vec::new();
        if product.has_variants() {
            for variant in product.variants.iter().filter(|variant| variant.stock > 0) {
                let leaving = Movement::of(&product, -variant.stock, Reason::Deleted);
                let leaving = Movement { variant: Some(variant.id), ..leaving };
                stock::record(tx, occasion, &leaving)?;
                changes.extend(leaving.told(0, 0));
                product.version += 1;
            }
            variants::delete_all(tx, id)?;
        } else {
            let leaving = Movement::of(&product, -product.stock, Reason::Deleted);
            stock::record(tx, occasion, &leaving)?;
            changes.extend(leaving.told(0, 0));
        }
        products::delete(tx, id)?;
        search::remove(tx, &entry)?;
        tell_of_changes(tx, occasion, changes)?;
        events::append(tx, occasion, &ProductDeleted { product_id: id, version: product.version })?;
        self.forget_products(tx, [id]);
        Ok(())
    }
}
