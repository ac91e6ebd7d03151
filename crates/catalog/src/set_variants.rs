//! Giving a product just the variants of a list: those it lacks are made, those it has are changed, the rest goes.

use stoa_contracts::catalog::ProductId;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    CatalogError, Catalogue,
    product::{Product, folded},
    search::Entry,
    stock::{Reason, Shelved},
    store::{products, search, variants},
    variant::Variant,
    write_variant::sku_taken,
};

impl Catalogue {
    /// Gives a product these variants in this order. What was in stock of one that goes leaves by a last movement, as do
    /// the pieces of a product that is sold by variants from now on.
    pub(crate) fn set_variants(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: ProductId,
        wanted: &[Variant],
    ) -> Result<(), CatalogError> {
        let found = products::find_for_change(tx, id, self.currency())?;
        let mut product = found.ok_or(CatalogError::UnknownProduct)?;
        let entry = Entry::of(&product);
        let shelves = shelves(&product, wanted);
        let before = std::mem::replace(&mut product.variants, wanted.to_vec());
        write_rows(tx, id, &before, wanted)?;
        product.variant_count = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
        search::renew(tx, &entry, &Entry::of(&product))?;
        self.write_shelves(tx, occasion, &mut product, &shelves)
    }
}

/// What becomes of each shelf.
fn shelves(product: &Product, wanted: &[Variant]) -> Vec<Shelved> {
    let mut shelves = Vec::with_capacity(wanted.len() + 1);
    let takes_over = !product.has_variants();
    if takes_over && !wanted.is_empty() {
        shelves.push(Shelved { variant: None, before: product.stock, after: 0, reason: Reason::Moved });
    }
    for gone in product.variants.iter().filter(|known| of(wanted, known).is_none()) {
        let (variant, before) = (Some(gone.id), gone.stock);
        shelves.push(Shelved { variant, before, after: 0, reason: Reason::Deleted });
    }
    for (place, variant) in wanted.iter().enumerate() {
        let (before, reason) = match of(&product.variants, variant) {
            Some(known) => (known.stock, Reason::Set),
            None if takes_over && place == 0 && variant.stock == product.stock => (0, Reason::Moved),
            None => (0, Reason::Created),
        };
        shelves.push(Shelved { variant: Some(variant.id), before, after: variant.stock, reason });
    }
    shelves
}

/// Writes the rows. Those that go are deleted first and SKUs that change are laid aside, so that any variant can get the
/// SKU that another one had.
fn write_rows(
    tx: &mut Tx<'_>,
    id: ProductId,
    before: &[Variant],
    wanted: &[Variant],
) -> Result<(), CatalogError> {
    for gone in before.iter().filter(|known| of(wanted, known).is_none()) {
        variants::delete(tx, gone.id)?;
    }
    for known in before {
        if of(wanted, known).is_some_and(|after| folded(&after.sku) != folded(&known.sku)) {
            variants::lay_sku_aside(tx, known.id)?;
        }
    }
    for variant in wanted {
        match of(before, variant) {
            Some(known) if known == variant => {}
            Some(_) => variants::update(tx, variant).map_err(sku_taken)?,
            None => variants::insert(tx, id, variant).map_err(taken)?,
        }
    }
    // Those that were there keep their places, and new ones stand behind them, unless the list says otherwise.
    let kept = before.iter().filter(|known| of(wanted, known).is_some());
    let new = wanted.iter().filter(|variant| of(before, variant).is_none());
    if !kept.chain(new).map(|variant| variant.id).eq(wanted.iter().map(|variant| variant.id)) {
        variants::put_in_order(tx, wanted)?;
    }
    Ok(())
}

/// An id can be told, too, and so be that of another product's variant.
fn taken(error: DatabaseError) -> CatalogError {
    if error.is_unique("variants_pkey") {
        let message = "A variant of another product has this id.";
        return CatalogError::Field("variants", "VARIANT_ID_TAKEN", message);
    }
    sku_taken(error)
}

fn of<'v>(variants: &'v [Variant], same: &Variant) -> Option<&'v Variant> {
    variants.iter().find(|variant| variant.id == same.id)
}
