//! What ordering asks of the catalogue.

use stoa_contracts::catalog::{
    BasketLine, Catalog, Discounts, OfferError, OfferId, Part, Quantity, Sellable, StockError, Unpacked, Ware,
};
use stoa_kernel::Timestamp;
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
};

use crate::{
    Catalogue,
    store::{packages, sellables},
};

impl Catalog for Catalogue {
    fn sellables(
        &self,
        connection: &mut Connection<'_>,
        wanted: &[Ware],
    ) -> Result<Vec<Sellable>, DatabaseError> {
        let (mut products, mut variants, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        for ware in wanted {
            match *ware {
                Ware::Product(product) => products.push(product),
                Ware::Variant(product, variant) => variants.push((product, variant)),
                Ware::Package(package) => sets.push(package),
            }
        }
        let currency = self.currency();
        let mut found = sellables::products(connection, &products, currency)?;
        found.append(&mut sellables::variants(connection, &variants, currency)?);
        found.append(&mut packages::sellables(connection, &sets, currency)?);
        Ok(found)
    }

    fn take_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        wanted: &[Quantity],
    ) -> Result<Vec<Unpacked>, StockError> {
        self.take(tx, occasion, wanted)
    }

    fn return_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        parts: &[Part],
    ) -> Result<(), DatabaseError> {
        self.give_back(tx, occasion, parts)
    }

    fn discounts(
        &self,
        connection: &mut Connection<'_>,
        at: Timestamp,
        basket: &[BasketLine],
        codes: &[String],
    ) -> Result<Discounts, DatabaseError> {
        self.weigh(connection, at, basket, codes)
    }

    fn use_offers(&self, tx: &mut Tx<'_>, occasion: &Occasion, offers: &[OfferId]) -> Result<(), OfferError> {
        self.take_uses(tx, occasion, offers)
    }

    fn return_offers(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        offers: &[OfferId],
    ) -> Result<(), DatabaseError> {
        self.return_uses(tx, occasion, offers)
    }
}
