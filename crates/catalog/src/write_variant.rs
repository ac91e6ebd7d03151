//! Making, changing and deleting variants. The product's row is held meanwhile, and its version moves with them.

use stoa_contracts::catalog::{ProductId, VariantId};
use stoa_http::IfMatch;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    CatalogError, Catalogue,
    product::Product,
    search::Entry,
    stock::{Reason, Shelved},
    store::{products, search, variants},
    variant::{MOST_VARIANTS, NewVariant, Variant, VariantChanges},
};

impl Catalogue {
    /// Adds a variant to a product. The first one takes over the product's pieces, unless it is told its own: then they
    /// leave. From then on the product is sold by variants only.
    pub(crate) fn create_variant(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (id, expected): (ProductId, &IfMatch),
        new: &NewVariant,
    ) -> Result<(Product, Variant), CatalogError> {
        let mut product = self.product_for_change(tx, id, expected)?;
        if product.variants.len() >= MOST_VARIANTS {
            return Err(CatalogError::TooManyVariants);
        }
        let entry = Entry::of(&product);
        let own = if product.has_variants() { 0 } else { product.stock };
        let variant = Variant {
            id: occasion.id(),
            name: new.name.clone(),
            sku: new.sku.clone(),
            price: new.price.unwrap_or(product.price),
            stock: new.stock.unwrap_or(own),
            attributes: new.attributes.clone(),
        };
        variants::insert(tx, id, &variant).map_err(sku_taken)?;
        product.variants.push(variant.clone());
        product.variant_count += 1;
        search::renew(tx, &entry, &Entry::of(&product))?;
        let reason = if new.stock.is_some() { Reason::Created } else { Reason::Moved };
        let shelves = [
            Shelved { variant: None, before: own, after: 0, reason: Reason::Moved },
            Shelved { variant: Some(variant.id), before: 0, after: variant.stock, reason },
        ];
        self.write_shelves(tx, occasion, &mut product, &shelves)?;
        Ok((product, variant))
    }

    /// Changes a variant; one without changes is answered as it stands.
    pub(crate) fn update_variant(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (id, which, expected): (ProductId, VariantId, &IfMatch),
        changes: &VariantChanges,
    ) -> Result<(Product, Variant), CatalogError> {
        let mut product = self.product_for_change(tx, id, expected)?;
        let entry = Entry::of(&product);
        let known = product.variants.iter_mut().find(|known| known.id == which);
        let variant = known.ok_or(CatalogError::UnknownVariant)?;
        let before = variant.stock;
        variant.change(changes);
        let variant = variant.clone();
        if *changes != VariantChanges::default() {
            variants::update(tx, &variant).map_err(sku_taken)?;
            search::renew(tx, &entry, &Entry::of(&product))?;
            let after = variant.stock;
            let shelved = Shelved { variant: Some(which), before, after, reason: Reason::Set };
            self.write_shelves(tx, occasion, &mut product, &[shelved])?;
        }
        Ok((product, variant))
    }

    /// Deletes a variant; what was in stock of it leaves by a last movement. A product without its last variant is sold
    /// by itself again, and has no pieces at first.
    pub(crate) fn delete_variant(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (id, variant, expected): (ProductId, VariantId, &IfMatch),
    ) -> Result<(), CatalogError> {
        let mut product = self.product_for_change(tx, id, expected)?;
        let entry = Entry::of(&product);
        let known = product.variants.iter().position(|known| known.id == variant);
        let gone = product.variants.remove(known.ok_or(CatalogError::UnknownVariant)?);
        variants::delete(tx, gone.id)?;
        product.variant_count -= 1;
        search::renew(tx, &entry, &Entry::of(&product))?;
        let shelved =
            Shelved { variant: Some(gone.id), before: gone.stock, after: 0, reason: Reason::Deleted };
        self.write_shelves(tx, occasion, &mut product, &[shelved])
    }

    fn product_for_change(
        &self,
        tx: &mut Tx<'_>,
        id: ProductId,
        expected: &IfMatch,
    ) -> Result<Product, CatalogError> {
        let found = products::find_for_change(tx, id, self.currency())?;
        let product = found.ok_or(CatalogError::UnknownProduct)?;
        expected.check(product.version)?;
        Ok(product)
    }
}

pub(crate) fn sku_taken(error: DatabaseError) -> CatalogError {
    if error.is_unique("variants_sku_folded_key") { CatalogError::SkuTaken } else { error.into() }
}
