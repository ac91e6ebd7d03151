//! A catalogue of a few small tables, and users who are who they say.

use std::collections::HashMap;

use stoa_contracts::{
    accounts::{Accounts, Contact},
    catalog::{
        AppliedOffer, BasketLine, Catalog, CodeTrouble, Discounts, OfferError, OfferId, Offering, PackageId,
        Part, ProductId, Quantity, Sellable, StockError, Unpacked, VariantId, Ware,
    },
};
use stoa_kernel::{Currency, Money, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Migration, Row, Tx},
    params,
};

/// A product with variants is sold by them alone. An offer takes `percent` or `fixed` off all goods, or off one product.
pub(crate) const SHELF: Migration = Migration::shared(
    9_000,
    "shelf",
    "CREATE TABLE shelf (id UUID PRIMARY KEY, name TEXT NOT NULL, price BIGINT NOT NULL, stock BIGINT NOT NULL,
         active BOOLEAN NOT NULL);
     CREATE TABLE shelf_variants (id UUID PRIMARY KEY, product_id UUID NOT NULL, name TEXT NOT NULL,
         price BIGINT NOT NULL, stock BIGINT NOT NULL);
     CREATE TABLE shelf_packages (id UUID PRIMARY KEY, name TEXT NOT NULL, price BIGINT NOT NULL,
         active BOOLEAN NOT NULL);
     CREATE TABLE shelf_parts (package_id UUID NOT NULL, product_id UUID NOT NULL, variant_id UUID,
         pieces BIGINT NOT NULL);
     CREATE TABLE shelf_offers (id UUID PRIMARY KEY, name TEXT NOT NULL, code TEXT, percent BIGINT NOT NULL,
         fixed BIGINT NOT NULL, product_id UUID, starts_at BIGINT NOT NULL, ends_at BIGINT NOT NULL,
         max_uses BIGINT NOT NULL, uses BIGINT NOT NULL, active BOOLEAN NOT NULL);",
);

pub(crate) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub(crate) struct Shelf;

impl Catalog for Shelf {
    fn sellables(
        &self,
        connection: &mut Connection<'_>,
        wanted: &[Ware],
    ) -> Result<Vec<Sellable>, DatabaseError> {
        let mut found = Vec::new();
        for ware in wanted {
            found.extend(match *ware {
                Ware::Product(product) => sell_product(connection, product)?,
                Ware::Variant(product, variant) => sell_variant(connection, product, variant)?,
                Ware::Package(package) => sell_package(connection, package)?,
            });
        }
        Ok(found)
    }

    fn take_stock(
        &self,
        tx: &mut Tx<'_>,
        _: &Occasion,
        wanted: &[Quantity],
    ) -> Result<Vec<Unpacked>, StockError> {
        let (mut taken, mut unpacked) = (Vec::new(), Vec::new());
        for quantity in wanted {
            let parts = parts_of(tx, *quantity)?;
            taken.extend(parts.iter().map(|part| (*quantity, *part)));
            if let Ware::Package(package) = quantity.ware {
                unpacked.push(Unpacked { package, parts });
            }
        }
        taken.sort_by_key(|(_, part)| (part.product, part.variant));
        for (quantity, part) in taken {
            if !take(tx, part)? {
                let sold = self.sellables(tx, &[quantity.ware])?;
                let sold = sold.into_iter().find(|sold| sold.offering == Offering::Offered);
                return Err(match sold {
                    None => StockError::NotOffered(quantity.ware),
                    Some(sold) => StockError::Insufficient {
                        ware: quantity.ware,
                        available: sold.stock,
                        requested: quantity.pieces,
                    },
                });
            }
        }
        Ok(unpacked)
    }

    fn return_stock(&self, tx: &mut Tx<'_>, _: &Occasion, parts: &[Part]) -> Result<(), DatabaseError> {
        let mut parts = parts.to_vec();
        parts.sort_by_key(|part| (part.product, part.variant));
        for part in parts {
            let (table, id) = place(part);
            let sql = format!("UPDATE {table} SET stock = stock + CAST($2 AS BIGINT) WHERE id = $1");
            tx.execute(&sql, params![id, part.pieces])?;
        }
        Ok(())
    }

    fn discounts(
        &self,
        connection: &mut Connection<'_>,
        at: Timestamp,
        basket: &[BasketLine],
        codes: &[String],
    ) -> Result<Discounts, DatabaseError> {
        let sql = "SELECT id, name, code, percent, fixed, product_id, starts_at, ends_at, max_uses, uses
                   FROM shelf_offers WHERE active ORDER BY id";
        let offers = connection.query(sql, &[], ShelfOffer::read)?;
        let mut done = Discounts::default();
        let mut left: i64 = basket.iter().map(|line| line.price.minor() * line.pieces).sum();
        let mut apply = |offer: &ShelfOffer| {
            let discount = offer.takes_off(basket)?.min(left);
            left -= discount;
            let discount = Money::from_minor(discount, usd());
            done.applied.push(AppliedOffer {
                id: offer.id,
                name: offer.name.clone(),
                code: offer.code.clone(),
                discount,
            });
            Some(())
        };
        let by_itself = offers.iter().filter(|offer| offer.code.is_none() && offer.trouble(at).is_none());
        for offer in by_itself {
            apply(offer);
        }
        for code in codes {
            let asked = offers
                .iter()
                .find(|offer| offer.code.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(code)));
            let trouble = match asked {
                None => Some(CodeTrouble::Unknown),
                Some(offer) => offer
                    .trouble(at)
                    .or_else(|| apply(offer).map_or(Some(CodeTrouble::NotForThese), |()| None)),
            };
            done.refused.extend(trouble.map(|trouble| (code.clone(), trouble)));
        }
        Ok(done)
    }

    fn use_offers(&self, tx: &mut Tx<'_>, at: &Occasion, offers: &[OfferId]) -> Result<(), OfferError> {
        let mut offers = offers.to_vec();
        offers.sort();
        for offer in offers {
            let used = tx.execute(
                "UPDATE shelf_offers SET uses = uses + 1
                 WHERE id = $1 AND active AND uses < max_uses AND ends_at > $2",
                params![offer, at.at],
            )?;
            if used == 0 {
                return Err(OfferError::Ended(offer));
            }
        }
        Ok(())
    }

    fn return_offers(&self, tx: &mut Tx<'_>, _: &Occasion, offers: &[OfferId]) -> Result<(), DatabaseError> {
        let mut offers = offers.to_vec();
        offers.sort();
        for offer in offers {
            tx.execute("UPDATE shelf_offers SET uses = uses - 1 WHERE id = $1", params![offer])?;
        }
        Ok(())
    }
}

fn sell_product(
    connection: &mut Connection<'_>,
    product: ProductId,
) -> Result<Option<Sellable>, DatabaseError> {
    let sql = "SELECT name, price, stock, active, EXISTS (SELECT 1 FROM shelf_variants WHERE product_id = $1)
               FROM shelf WHERE id = $1";
    connection.find(sql, params![product], |row| {
        let (name, price, stock) = (row.read()?, row.read()?, row.read()?);
        let offering = match (row.read()?, row.read()?) {
            (false, _) => Offering::NotOffered,
            (true, true) => Offering::ByVariant,
            (true, false) => Offering::Offered,
        };
        let price = Money::from_minor(price, usd());
        Ok(Sellable { ware: Ware::Product(product), name, price, stock, offering })
    })
}

fn sell_variant(
    connection: &mut Connection<'_>,
    product: ProductId,
    variant: VariantId,
) -> Result<Option<Sellable>, DatabaseError> {
    let sql = "SELECT shelf.name, shelf_variants.name, shelf_variants.price, shelf_variants.stock, active
               FROM shelf_variants JOIN shelf ON shelf.id = product_id
               WHERE product_id = $1 AND shelf_variants.id = $2";
    connection.find(sql, params![product, variant], |row| {
        let name = format!("{}, {}", row.read::<String>()?, row.read::<String>()?);
        let (price, stock) = (Money::from_minor(row.read()?, usd()), row.read()?);
        let offering = if row.read()? { Offering::Offered } else { Offering::NotOffered };
        Ok(Sellable { ware: Ware::Variant(product, variant), name, price, stock, offering })
    })
}

fn sell_package(
    connection: &mut Connection<'_>,
    package: PackageId,
) -> Result<Option<Sellable>, DatabaseError> {
    let ware = Ware::Package(package);
    let sql = "SELECT name, price, active FROM shelf_packages WHERE id = $1";
    let found = connection.find(sql, params![package], |row| {
        let (name, price) = (row.read()?, Money::from_minor(row.read()?, usd()));
        let offering = if row.read()? { Offering::Offered } else { Offering::NotOffered };
        Ok(Sellable { ware, name, price, stock: i64::MAX, offering })
    })?;
    let Some(mut found) = found else { return Ok(None) };
    for part in parts_of(connection, Quantity { ware, pieces: 1 })? {
        let sold = match part.variant {
            None => sell_product(connection, part.product)?,
            Some(variant) => sell_variant(connection, part.product, variant)?,
        };
        let sold = sold.filter(|sold| sold.offering == Offering::Offered);
        if sold.is_none() {
            found.offering = Offering::NotOffered;
        }
        found.stock = found.stock.min(sold.map_or(0, |sold| sold.stock / part.pieces));
    }
    Ok(Some(found))
}

/// The pieces on the shelf that so many of a ware are made of.
fn parts_of(connection: &mut Connection<'_>, quantity: Quantity) -> Result<Vec<Part>, DatabaseError> {
    let pieces = quantity.pieces;
    match quantity.ware {
        Ware::Product(product) => Ok(vec![Part { product, variant: None, pieces }]),
        Ware::Variant(product, variant) => Ok(vec![Part { product, variant: Some(variant), pieces }]),
        Ware::Package(package) => {
            let sql = "SELECT product_id, variant_id, pieces FROM shelf_parts WHERE package_id = $1";
            connection.query(sql, params![package], |row| {
                let (product, variant) = (row.read()?, row.read()?);
                Ok(Part { product, variant, pieces: row.read::<i64>()? * pieces })
            })
        }
    }
}

fn place(part: Part) -> (&'static str, uuid::Uuid) {
    match part.variant {
        None => ("shelf", part.product.uuid()),
        Some(variant) => ("shelf_variants", variant.uuid()),
    }
}

fn take(tx: &mut Tx<'_>, part: Part) -> Result<bool, DatabaseError> {
    let (table, id) = place(part);
    let sql = format!(
        "UPDATE {table} SET stock = stock - CAST($2 AS BIGINT)
         WHERE id = $1 AND stock >= $2 AND EXISTS (SELECT 1 FROM shelf WHERE id = $3 AND active)"
    );
    Ok(tx.execute(&sql, params![id, part.pieces, part.product])? == 1)
}

struct ShelfOffer {
    id: OfferId,
    name: String,
    code: Option<String>,
    percent: i64,
    fixed: i64,
    product: Option<ProductId>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    max_uses: i64,
    uses: i64,
}

impl ShelfOffer {
    fn read(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.read()?,
            name: row.read()?,
            code: row.read()?,
            percent: row.read()?,
            fixed: row.read()?,
            product: row.read()?,
            starts_at: row.read()?,
            ends_at: row.read()?,
            max_uses: row.read()?,
            uses: row.read()?,
        })
    }

    fn trouble(&self, at: Timestamp) -> Option<CodeTrouble> {
        match self {
            _ if at < self.starts_at => Some(CodeTrouble::NotYet),
            _ if at >= self.ends_at => Some(CodeTrouble::Over),
            _ if self.uses >= self.max_uses => Some(CodeTrouble::UsedUp),
            _ => None,
        }
    }

    /// In cents; `None` when it is for nothing in the basket.
    fn takes_off(&self, basket: &[BasketLine]) -> Option<i64> {
        let meant =
            basket.iter().filter(|line| self.product.is_none_or(|own| line.ware.product() == Some(own)));
        let worth: i64 = meant.map(|line| line.price.minor() * line.pieces).sum();
        let off = worth * self.percent / 100 + self.fixed;
        (worth > 0).then_some(off.min(worth)).filter(|off| *off > 0)
    }
}

/// Users by id.
pub(crate) struct Users(pub(crate) HashMap<UserId, Contact>);

impl Accounts for Users {
    fn contact(&self, _: &mut Connection<'_>, user: UserId) -> Result<Option<Contact>, DatabaseError> {
        Ok(self.0.get(&user).cloned())
    }
}
