//! Variants. Whoever writes one holds the row of its product.

use std::collections::HashMap;

use stoa_contracts::catalog::{ProductId, VariantId};
use stoa_kernel::{Currency, Money};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx, Value, placeholders},
    params,
};

use crate::{
    product::{JsonText, MOST_STOCK, Product, folded},
    variant::Variant,
};

const COLUMNS: &str = "id, name, sku, price, stock, attributes";

fn read(row: &Row<'_>, currency: Currency) -> Result<Variant, DatabaseError> {
    Ok(Variant {
        id: row.read()?,
        name: row.read()?,
        sku: row.read()?,
        price: Money::from_minor(row.read()?, currency),
        stock: row.read()?,
        attributes: JsonText::stored(row.read()?),
    })
}

/// Gives each product its variants in the order they were made: one query for all of them, and none where there are none.
pub(crate) fn give(
    connection: &mut Connection<'_>,
    products: &mut [Product],
    currency: Currency,
) -> Result<(), DatabaseError> {
    let with_variants = products.iter().filter(|product| product.variant_count > 0);
    let ids: Vec<ProductId> = with_variants.map(|product| product.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut found = of(connection, &ids, currency)?;
    for product in products {
        product.variants = found.remove(&product.id).unwrap_or_default();
    }
    Ok(())
}

/// The variants of products, each product's in the order they were made.
pub(crate) fn of(
    connection: &mut Connection<'_>,
    products: &[ProductId],
    currency: Currency,
) -> Result<HashMap<ProductId, Vec<Variant>>, DatabaseError> {
    let ids: Vec<Value<'_>> = products.iter().map(|id| Value::from(*id)).collect();
    let list = placeholders(1, ids.len());
    let sql = format!(
        "SELECT product_id, {COLUMNS} FROM variants WHERE product_id IN ({list}) ORDER BY product_id, position"
    );
    let mut found: HashMap<ProductId, Vec<Variant>> = HashMap::new();
    for (product, variant) in
        connection.query(&sql, &ids, |row| Ok((row.read::<ProductId>()?, read(row, currency)?)))?
    {
        found.entry(product).or_default().push(variant);
    }
    Ok(found)
}

/// Adds a variant after the others of its product.
pub(crate) fn insert(tx: &mut Tx<'_>, product: ProductId, variant: &Variant) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO variants (id, product_id, name, sku, sku_folded, price, stock, attributes, position)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
                 (SELECT COALESCE(MAX(position), 0) + 1 FROM variants WHERE product_id = $2))",
        params![
            variant.id,
            product,
            &variant.name,
            &variant.sku,
            folded(&variant.sku),
            variant.price,
            variant.stock,
            &variant.attributes
        ],
    )?;
    Ok(())
}

pub(crate) fn update(tx: &mut Tx<'_>, variant: &Variant) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE variants SET name = $2, sku = $3, sku_folded = $4, price = $5, stock = $6, attributes = $7
         WHERE id = $1",
        params![
            variant.id,
            &variant.name,
            &variant.sku,
            folded(&variant.sku),
            variant.price,
            variant.stock,
            &variant.attributes
        ],
    )?;
    Ok(())
}

/// Frees the SKU of a variant, which gets another in this transaction.
pub(crate) fn lay_sku_aside(tx: &mut Tx<'_>, id: VariantId) -> Result<(), DatabaseError> {
    // No SKU has a space.
    tx.execute("UPDATE variants SET sku_folded = $2 WHERE id = $1", params![id, format!(" {id}")])?;
    Ok(())
}

/// Puts variants in this order.
pub(crate) fn put_in_order(tx: &mut Tx<'_>, variants: &[Variant]) -> Result<(), DatabaseError> {
    for (variant, position) in variants.iter().zip(1_i64..) {
        tx.execute("UPDATE variants SET position = $2 WHERE id = $1", params![variant.id, position])?;
    }
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: VariantId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM variants WHERE id = $1", params![id])?;
    Ok(())
}

/// Deletes all variants of a product.
pub(crate) fn delete_all(tx: &mut Tx<'_>, product: ProductId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM variants WHERE product_id = $1", params![product])?;
    Ok(())
}

/// Takes pieces of a variant that has as many; answers its stock afterwards.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    (product, variant): (ProductId, VariantId),
    pieces: i64,
) -> Result<Option<i64>, DatabaseError> {
    tx.find(
        "UPDATE variants SET stock = stock - CAST($3 AS BIGINT)
         WHERE id = $2 AND product_id = $1 AND stock >= CAST($3 AS BIGINT) RETURNING stock",
        params![product, variant, pieces],
        |row| row.read(),
    )
}

/// Puts pieces of a variant back; answers its stock afterwards. They were there before, so no bound is asked for.
pub(crate) fn put_back(
    tx: &mut Tx<'_>,
    (product, variant): (ProductId, VariantId),
    pieces: i64,
) -> Result<Option<i64>, DatabaseError> {
    tx.find(
        "UPDATE variants SET stock = stock + CAST($3 AS BIGINT) WHERE id = $2 AND product_id = $1 RETURNING stock",
        params![product, variant, pieces],
        |row| row.read(),
    )
}

/// Changes the stock of a variant if it stays within its bounds; answers it afterwards.
pub(crate) fn adjust(
    tx: &mut Tx<'_>,
    (product, variant): (ProductId, VariantId),
    change: i64,
) -> Result<Option<i64>, DatabaseError> {
    tx.find(
        "UPDATE variants SET stock = stock + CAST($3 AS BIGINT)
         WHERE id = $2 AND product_id = $1 AND stock + CAST($3 AS BIGINT) BETWEEN 0 AND $4 RETURNING stock",
        params![product, variant, change, MOST_STOCK],
        |row| row.read(),
    )
}
