//! Moving stock by hand, and telling what became of it. The database decides every race by one conditional statement.
//!
//! A product without variants has one shelf. One with variants has a shelf for each, and its stock is the sum of theirs.

use serde::Deserialize;
use stoa_contracts::catalog::{LowStock, OutOfStock, ProductId, ProductUpdated, StockChanged, VariantId};
use stoa_http::IfMatch;
use stoa_kernel::{Currency, Fields, Flaw, Refusal};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};

use crate::{
    CatalogError, Catalogue,
    product::{MOST_STOCK, Product},
    store::{products, stock, variants},
};

/// A change of stock by hand.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AdjustStock {
    /// Pieces that come in, or leave when negative.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    quantity_change: i64,
    /// The variant they are of; has to be told where the product has variants.
    #[schema(value_type = Option<VariantId>)]
    variant_id: Option<VariantId>,
}

/// A change of stock by hand, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Adjustment {
    pub(crate) variant: Option<VariantId>,
    pub(crate) change: i64,
}

impl AdjustStock {
    /// The pieces, if they are as many as can be.
    pub(crate) fn checked(&self) -> Result<Adjustment, Refusal> {
        let mut fields = Fields::default();
        let fine = (-MOST_STOCK..=MOST_STOCK).contains(&self.quantity_change);
        fields.check("quantityChange", fine, Flaw::new("TOO_LARGE", "This is too large."));
        fields.finish().map(|()| Adjustment { variant: self.variant_id, change: self.quantity_change })
    }
}

/// Why stock moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    Created,
    Seeded,
    Set,
    Adjusted,
    /// From the product to its first variant.
    Moved,
    Sold,
    Returned,
    Deleted,
}

impl Reason {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Seeded => "seeded",
            Self::Set => "set",
            Self::Adjusted => "adjusted",
            Self::Moved => "moved",
            Self::Sold => "sold",
            Self::Returned => "returned",
            Self::Deleted => "deleted",
        }
    }
}

/// One change of the stock on a shelf, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Movement {
    pub(crate) product: ProductId,
    pub(crate) variant: Option<VariantId>,
    /// The product's version after it; no other movement has it.
    pub(crate) version: i64,
    pub(crate) change: i64,
    pub(crate) reason: Reason,
}

impl Movement {
    /// A movement of a product without variants.
    pub(crate) const fn of(product: &Product, change: i64, reason: Reason) -> Self {
        Self { product: product.id, variant: None, version: product.version, change, reason }
    }

    /// What is told of it when `stock` is left on the shelf and `product_stock` of the whole product; nothing of a
    /// movement of nothing.
    pub(crate) fn told(&self, stock: i64, product_stock: i64) -> Option<StockChanged> {
        (self.change != 0).then(|| StockChanged {
            product_id: self.product,
            version: self.version,
            variant_id: self.variant,
            stock,
            product_stock,
            change: self.change,
            reason: self.reason.name().to_owned(),
        })
    }
}

/// What is on a shelf before and after a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shelved {
    pub(crate) variant: Option<VariantId>,
    pub(crate) before: i64,
    pub(crate) after: i64,
    pub(crate) reason: Reason,
}

/// The stock of a product, or of one of its variants, before and after a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Level {
    pub(crate) product: ProductId,
    pub(crate) variant: Option<VariantId>,
    pub(crate) version: i64,
    pub(crate) before: i64,
    pub(crate) after: i64,
}

impl Level {
    /// The level of a product that has not moved.
    pub(crate) const fn of(product: &Product) -> Self {
        let Product { id, version, stock, .. } = *product;
        Self { product: id, variant: None, version, before: stock, after: stock }
    }

    /// Whether stock fell to `low` or below by this change: told once, not with every piece below it.
    const fn became_low(self, low: i64) -> bool {
        self.before > low && self.after <= low
    }

    const fn ran_out(self) -> bool {
        self.before > 0 && self.after == 0
    }
}

impl Catalogue {
    pub(crate) fn currency(&self) -> Currency {
        self.0.settings.currency
    }

    /// Adds pieces to a shelf, or takes them away; never below nothing.
    pub(crate) fn adjust_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (id, expected): (ProductId, &IfMatch),
        Adjustment { variant, change }: Adjustment,
    ) -> Result<Product, CatalogError> {
        if let Some(variant) = variant {
            return self.adjust_variant(tx, occasion, (id, expected), (variant, change));
        }
        let Some(product) = stock::adjust(tx, occasion.at, id, change, self.currency())? else {
            return Err(self.why_not_adjusted(tx, id, change)?);
        };
        expected.check(product.version - 1)?;
        let movement = Movement::of(&product, change, Reason::Adjusted);
        stock::record(tx, occasion, &movement)?;
        self.tell_of_stock(tx, occasion, Level { before: product.stock - change, ..Level::of(&product) })?;
        tell_of_changes(tx, occasion, movement.told(product.stock, product.stock))?;
        self.forget_products(tx, [id]);
        Ok(product)
    }

    fn why_not_adjusted(
        &self,
        tx: &mut Tx<'_>,
        id: ProductId,
        change: i64,
    ) -> Result<CatalogError, DatabaseError> {
        Ok(match products::find(tx, id, self.currency())? {
            None => CatalogError::UnknownProduct,
            Some(product) if product.has_variants() => CatalogError::VariantRequired,
            Some(product) if change < 0 => {
                CatalogError::InsufficientStock { available: product.stock, requested: -change }
            }
            Some(_) => CatalogError::StockTooLarge,
        })
    }

    fn adjust_variant(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (id, expected): (ProductId, &IfMatch),
        (variant, change): (VariantId, i64),
    ) -> Result<Product, CatalogError> {
        let found = products::find_for_change(tx, id, self.currency())?;
        let mut product = found.ok_or(CatalogError::UnknownProduct)?;
        expected.check(product.version)?;
        let known = product.variants.iter_mut().find(|known| known.id == variant);
        let adjusted = known.ok_or(CatalogError::UnknownVariant)?;
        let before = adjusted.stock;
        let Some(after) = variants::adjust(tx, (id, variant), change)? else {
            let short = CatalogError::InsufficientStock { available: before, requested: -change };
            return Err(if change < 0 { short } else { CatalogError::StockTooLarge });
        };
        adjusted.stock = after;
        let shelved = Shelved { variant: Some(variant), before, after, reason: Reason::Adjusted };
        self.write_shelves(tx, occasion, &mut product, &[shelved])?;
        Ok(product)
    }

    /// Writes a product that was found for change and whose shelves moved. Each movement has a version to itself; a
    /// change without any has one too.
    pub(crate) fn write_shelves(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        product: &mut Product,
        shelves: &[Shelved],
    ) -> Result<(), CatalogError> {
        let unmoved = Level::of(product);
        let mut changes = Vec::with_capacity(shelves.len());
        for shelf in shelves.iter().filter(|shelf| shelf.after != shelf.before) {
            product.version += 1;
            let (change, reason) = (shelf.after - shelf.before, shelf.reason);
            product.stock += change;
            let (variant, version) = (shelf.variant, product.version);
            let movement = Movement { product: product.id, variant, version, change, reason };
            stock::record(tx, occasion, &movement)?;
            changes.extend(movement.told(shelf.after, product.stock));
        }
        if product.stock > MOST_STOCK {
            return Err(CatalogError::StockTooLarge);
        }
        product.version = product.version.max(unmoved.version + 1);
        product.updated_at = occasion.at;
        products::update(tx, product)?;
        self.tell_of_stock(tx, occasion, Level { before: unmoved.before, ..Level::of(product) })?;
        for shelf in shelves.iter().filter(|shelf| shelf.variant.is_some() && shelf.reason != Reason::Deleted)
        {
            let Shelved { variant, before, after, .. } = *shelf;
            self.warn(tx, occasion, Level { variant, before, after, ..Level::of(product) })?;
        }
        tell_of_changes(tx, occasion, changes)?;
        self.forget_products(tx, [product.id]);
        Ok(())
    }

    /// Tells what became of a product whose row was just written, and what that means for its stock.
    pub(crate) fn tell_of_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        level: Level,
    ) -> Result<(), DatabaseError> {
        let Level { product: product_id, version, after: stock, .. } = level;
        events::append(tx, occasion, &ProductUpdated { product_id, version, stock })?;
        self.warn(tx, occasion, level)
    }

    /// Tells when stock became low, and when the last piece went.
    pub(crate) fn warn(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        level: Level,
    ) -> Result<(), DatabaseError> {
        let Level { product: product_id, variant: variant_id, version, after: stock, .. } = level;
        if level.became_low(self.0.settings.low_stock_level) {
            events::append(tx, occasion, &LowStock { product_id, version, variant_id, stock })?;
        }
        if level.ran_out() {
            events::append(tx, occasion, &OutOfStock { product_id, version, variant_id, stock })?;
        }
        Ok(())
    }
}

/// Tells what came and went in a transaction, at its end and by few statements, however many shelves moved. Those of a
/// product have to follow one another.
pub(crate) fn tell_of_changes(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    changes: impl IntoIterator<Item = StockChanged>,
) -> Result<(), DatabaseError> {
    let told = at_the_end(changes.into_iter().collect());
    let told: Vec<_> = told.into_iter().map(|change| (occasion, change)).collect();
    events::append_all(tx, &told)
}

/// Gives all changes of a product the version and stock of its last: by now the log has events of that version, and must
/// not go back.
fn at_the_end(mut changes: Vec<StockChanged>) -> Vec<StockChanged> {
    let mut last: Option<(ProductId, i64, i64)> = None;
    for change in changes.iter_mut().rev() {
        match last {
            Some((product, version, stock)) if product == change.product_id => {
                (change.version, change.product_stock) = (version, stock);
            }
            _ => last = Some((change.product_id, change.version, change.product_stock)),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(before: i64, after: i64) -> Level {
        let product = format!("{:032x}", 1).parse().unwrap();
        Level { product, variant: None, version: 2, before, after }
    }

    #[test]
    fn low_stock_is_told_when_the_level_is_crossed_and_not_again() {
        assert!(level(11, 10).became_low(10));
        assert!(level(50, 0).became_low(10));
        assert!(
            !level(10, 9).became_low(10) && !level(12, 11).became_low(10) && !level(5, 20).became_low(10)
        );
    }

    #[test]
    fn running_out_is_told_when_the_last_piece_goes() {
        assert!(level(1, 0).ran_out());
        assert!(!level(0, 0).ran_out() && !level(2, 1).ran_out() && !level(0, 5).ran_out());
    }

    #[test]
    fn changes_of_a_product_bear_its_last_version_and_stock() {
        let of = |product: u128, version, change, product_stock| {
            let product = format!("{product:032x}").parse().unwrap();
            let movement = Movement { product, variant: None, version, change, reason: Reason::Sold };
            movement.told(1, product_stock)
        };
        assert!(of(1, 2, 0, 9).is_none(), "nothing moved");
        let told = [of(1, 2, -1, 9), of(2, 7, -2, 5), of(2, 8, -3, 2), of(3, 4, 1, 1)];
        let told = at_the_end(told.into_iter().flatten().collect());
        let seen: Vec<_> = told.iter().map(|told| (told.version, told.change, told.product_stock)).collect();
        assert_eq!(seen, [(2, -1, 9), (8, -2, 2), (8, -3, 2), (4, 1, 1)]);
    }

    #[test]
    fn changes_by_hand_are_bounded() {
        let adjust = |quantity_change| AdjustStock { quantity_change, variant_id: None }.checked();
        assert_eq!(adjust(-5).unwrap(), Adjustment { variant: None, change: -5 });
        assert!(adjust(i64::MIN).is_err() && adjust(MOST_STOCK + 1).is_err());
    }
}
