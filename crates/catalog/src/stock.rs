//! Moving stock: by hand, by an order, and back. The database decides every race by one conditional statement.

use serde::Deserialize;
use stoa_contracts::catalog::{
    Catalog, LowStock, OutOfStock, ProductId, ProductUpdated, Quantity, Sellable, StockError,
};
use stoa_http::IfMatch;
use stoa_kernel::{Currency, Fields, Flaw, Refusal};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events,
};

use crate::{
    CatalogError, Catalogue,
    product::{MOST_STOCK, Product},
    store::{products, stock},
};

/// A change of stock by hand.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AdjustStock {
    /// Pieces that come in, or leave when negative.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    quantity_change: i64,
}

impl AdjustStock {
    /// The pieces, if they are as many as can be.
    pub(crate) fn checked(&self) -> Result<i64, Refusal> {
        let mut fields = Fields::default();
        let fine = (-MOST_STOCK..=MOST_STOCK).contains(&self.quantity_change);
        fields.check("quantityChange", fine, Flaw::new("TOO_LARGE", "This is too large."));
        fields.finish().map(|()| self.quantity_change)
    }
}

/// Why stock moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    Created,
    Seeded,
    Set,
    Adjusted,
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
            Self::Sold => "sold",
            Self::Returned => "returned",
            Self::Deleted => "deleted",
        }
    }
}

/// One change of a product's stock, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Movement {
    pub(crate) product: ProductId,
    /// The product's version after it.
    pub(crate) version: i64,
    pub(crate) change: i64,
    pub(crate) reason: Reason,
}

impl Movement {
    pub(crate) const fn of(product: &Product, change: i64, reason: Reason) -> Self {
        Self { product: product.id, version: product.version, change, reason }
    }
}

/// A product's stock before and after a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Level {
    pub(crate) product: ProductId,
    pub(crate) version: i64,
    pub(crate) before: i64,
    pub(crate) after: i64,
}

impl Level {
    /// The level of a product that has not moved.
    pub(crate) const fn of(product: &Product) -> Self {
        let Product { id, version, stock, .. } = *product;
        Self { product: id, version, before: stock, after: stock }
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

    /// Adds pieces to a product's stock, or takes them away; never below nothing.
    pub(crate) fn adjust_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (id, expected): (ProductId, &IfMatch),
        change: i64,
    ) -> Result<Product, CatalogError> {
        let Some(product) = stock::adjust(tx, occasion.at, id, change, self.currency())? else {
            return Err(self.why_not_adjusted(tx, id, change)?);
        };
        expected.check(product.version - 1)?;
        stock::record(tx, occasion, &Movement::of(&product, change, Reason::Adjusted))?;
        self.tell_of_stock(tx, occasion, Level { before: product.stock - change, ..Level::of(&product) })?;
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
            Some(product) if change < 0 => {
                CatalogError::InsufficientStock { available: product.stock, requested: -change }
            }
            Some(_) => CatalogError::StockTooLarge,
        })
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
        if level.became_low(self.0.settings.low_stock_level) {
            events::append(tx, occasion, &LowStock { product_id, version, stock })?;
        }
        if level.ran_out() {
            events::append(tx, occasion, &OutOfStock { product_id, version, stock })?;
        }
        Ok(())
    }

    fn take_pieces(&self, tx: &mut Tx<'_>, occasion: &Occasion, taken: Quantity) -> Result<(), StockError> {
        let Quantity { product, pieces } = taken;
        let Some((after, version)) = stock::take(tx, occasion.at, taken)? else {
            return Err(match stock::offered(tx, product)? {
                Some(available) => StockError::Insufficient { product, available, requested: pieces },
                None => StockError::NotOffered(product),
            });
        };
        let movement = Movement { product, version, change: -pieces, reason: Reason::Sold };
        stock::record(tx, occasion, &movement)?;
        let level = Level { product, version, before: after + pieces, after };
        Ok(self.tell_of_stock(tx, occasion, level)?)
    }

    fn return_pieces(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        returned: Quantity,
    ) -> Result<(), DatabaseError> {
        let Quantity { product, pieces } = returned;
        // A product that was deleted meanwhile has no stock to return to.
        let Some((after, version)) = stock::put_back(tx, occasion.at, returned)? else { return Ok(()) };
        let movement = Movement { product, version, change: pieces, reason: Reason::Returned };
        stock::record(tx, occasion, &movement)?;
        self.tell_of_stock(tx, occasion, Level { product, version, before: after - pieces, after })
    }
}

impl Catalog for Catalogue {
    fn sellables(
        &self,
        connection: &mut Connection<'_>,
        wanted: &[ProductId],
    ) -> Result<Vec<Sellable>, DatabaseError> {
        stock::sellables(connection, wanted, self.currency())
    }

    fn take_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        pieces: &[Quantity],
    ) -> Result<(), StockError> {
        let pieces = in_order(pieces)?;
        for quantity in &pieces {
            self.take_pieces(tx, occasion, *quantity)?;
        }
        self.forget_products(tx, pieces.iter().map(|quantity| quantity.product));
        Ok(())
    }

    fn return_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        pieces: &[Quantity],
    ) -> Result<(), DatabaseError> {
        let pieces = in_order(pieces)?;
        for quantity in &pieces {
            self.return_pieces(tx, occasion, *quantity)?;
        }
        self.forget_products(tx, pieces.iter().map(|quantity| quantity.product));
        Ok(())
    }
}

/// The pieces of each product together, by product: whoever takes rows in this order cannot deadlock.
fn in_order(pieces: &[Quantity]) -> Result<Vec<Quantity>, DatabaseError> {
    let mut sorted: Vec<Quantity> = Vec::with_capacity(pieces.len());
    let mut given = pieces.to_vec();
    given.sort_by_key(|quantity| quantity.product);
    for quantity in given {
        if quantity.pieces <= 0 {
            return Err(DatabaseError::Defect(format!("{} pieces of stock cannot move", quantity.pieces)));
        }
        match sorted.last_mut() {
            Some(last) if last.product == quantity.product => {
                last.pieces = last.pieces.saturating_add(quantity.pieces);
            }
            _ => sorted.push(quantity),
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> ProductId {
        format!("{number:032x}").parse().unwrap()
    }

    fn level(before: i64, after: i64) -> Level {
        Level { product: id(1), version: 2, before, after }
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
    fn pieces_move_in_the_order_of_ids_each_product_once() {
        let quantity = |number, pieces| Quantity { product: id(number), pieces };
        let moved = in_order(&[quantity(9, 1), quantity(2, 3), quantity(9, 4)]).unwrap();
        assert_eq!(moved, [quantity(2, 3), quantity(9, 5)]);
        assert!(in_order(&[quantity(1, 0)]).is_err() && in_order(&[quantity(1, -2)]).is_err());
    }

    #[test]
    fn changes_by_hand_are_bounded() {
        assert_eq!(AdjustStock { quantity_change: -5 }.checked().unwrap(), -5);
        assert!(AdjustStock { quantity_change: i64::MIN }.checked().is_err());
        assert!(AdjustStock { quantity_change: MOST_STOCK + 1 }.checked().is_err());
    }
}
