//! Products and variants as a cart needs them, one query for each kind.

use stoa_contracts::catalog::{Offering, ProductId, Sellable, VariantId, Ware};
use stoa_kernel::{Currency, Money};
use stoa_platform::database::{Connection, DatabaseError, Value, placeholders};

use crate::product::ProductStatus;

/// These products.
pub(crate) fn products(
    connection: &mut Connection<'_>,
    wanted: &[ProductId],
    currency: Currency,
) -> Result<Vec<Sellable>, DatabaseError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT id, name, price, stock, status, variant_count FROM products WHERE id IN ({})",
        placeholders(1, wanted.len())
    );
    let ids: Vec<Value<'_>> = wanted.iter().map(|id| Value::from(*id)).collect();
    connection.query(&sql, &ids, |row| {
        Ok(Sellable {
            ware: Ware::Product(row.read()?),
            name: row.read()?,
            price: Money::from_minor(row.read()?, currency),
            stock: row.read()?,
            offering: match (row.parse(ProductStatus::of_name)?, row.read::<i64>()?) {
                (ProductStatus::Active, 0) => Offering::Offered,
                (ProductStatus::Active, _) => Offering::ByVariant,
                _ => Offering::NotOffered,
            },
        })
    })
}

/// These variants, each of the product it is asked for with.
pub(crate) fn variants(
    connection: &mut Connection<'_>,
    wanted: &[(ProductId, VariantId)],
    currency: Currency,
) -> Result<Vec<Sellable>, DatabaseError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT variants.product_id, variants.id, products.name, variants.name, variants.price, variants.stock,
                products.status
         FROM variants JOIN products ON products.id = variants.product_id WHERE variants.id IN ({})",
        placeholders(1, wanted.len())
    );
    let ids: Vec<Value<'_>> = wanted.iter().map(|(_, variant)| Value::from(*variant)).collect();
    let mut found = connection.query(&sql, &ids, |row| {
        let ware = Ware::Variant(row.read()?, row.read()?);
        let (product, variant) = (row.read::<String>()?, row.read::<String>()?);
        Ok(Sellable {
            ware,
            name: format!("{product} ({variant})"),
            price: Money::from_minor(row.read()?, currency),
            stock: row.read()?,
            offering: match row.parse(ProductStatus::of_name)? {
                ProductStatus::Active => Offering::Offered,
                _ => Offering::NotOffered,
            },
        })
    })?;
    let is_wanted = |ware| wanted.iter().any(|(product, variant)| ware == Ware::Variant(*product, *variant));
    found.retain(|sellable| is_wanted(sellable.ware));
    Ok(found)
}
