//! Products one by one.

use std::sync::LazyLock;

use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Currency, Money};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row, Tx, Value},
    params,
};

use super::variants;
use crate::{
    product::{JsonText, Product, ProductStatus, folded},
    slug::Slug,
};

/// The columns that [`read`] takes, in its order.
pub(crate) const COLUMNS: &str = "id, name, description, price, compare_at_price, stock, category, status, images, \
                                  specifications, version, created_at, updated_at, variant_count";

pub(super) static FIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM products WHERE id = $1"));

/// The products that a statement finds by its [`COLUMNS`], with their variants.
pub(crate) fn query(
    connection: &mut Connection<'_>,
    sql: &str,
    values: &[Value<'_>],
    currency: Currency,
) -> Result<Vec<Product>, DatabaseError> {
    let mut products = connection.query(sql, values, |row| read(row, currency))?;
    variants::give(connection, &mut products, currency)?;
    Ok(products)
}

/// A product from the [`COLUMNS`] of a row, without its variants.
fn read(row: &Row<'_>, currency: Currency) -> Result<Product, DatabaseError> {
    let money = |minor| Money::from_minor(minor, currency);
    Ok(Product {
        id: row.read()?,
        name: row.read()?,
        description: row.read()?,
        price: money(row.read()?),
        compare_at_price: row.read::<Option<i64>>()?.map(money),
        currency,
        stock: row.read()?,
        category: Slug::stored(row.read()?),
        status: row.parse(ProductStatus::of_name)?,
        images: JsonText::stored(row.read()?),
        specifications: JsonText::stored(row.read()?),
        variants: Vec::new(),
        version: row.read()?,
        created_at: row.read()?,
        updated_at: row.read()?,
        variant_count: row.read()?,
    })
}

pub(crate) fn find(
    connection: &mut Connection<'_>,
    id: ProductId,
    currency: Currency,
) -> Result<Option<Product>, DatabaseError> {
    Ok(query(connection, &FIND, params![id], currency)?.pop())
}

pub(crate) fn exists(connection: &mut Connection<'_>, id: ProductId) -> Result<bool, DatabaseError> {
    let found =
        connection.find("SELECT 1 FROM products WHERE id = $1", params![id], |row| row.read::<i64>())?;
    Ok(found.is_some())
}

/// As [`find`], and nobody else changes it before this transaction ends.
pub(crate) fn find_for_change(
    tx: &mut Tx<'_>,
    id: ProductId,
    currency: Currency,
) -> Result<Option<Product>, DatabaseError> {
    let lock = if tx.engine() == Engine::Postgres { " FOR UPDATE" } else { "" };
    let sql = format!("{}{lock}", *FIND);
    Ok(query(tx, &sql, params![id], currency)?.pop())
}

pub(crate) fn insert(tx: &mut Tx<'_>, product: &Product) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO products (id, name, name_folded, description, price, compare_at_price, stock, category, status,
                               images, specifications, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            product.id,
            &product.name,
            folded(&product.name),
            &product.description,
            product.price,
            product.compare_at_price,
            product.stock,
            &product.category,
            product.status.name(),
            &product.images,
            &product.specifications,
            product.version,
            product.created_at,
            product.updated_at
        ],
    )?;
    Ok(())
}

/// Writes a product that was found for change.
pub(crate) fn update(tx: &mut Tx<'_>, product: &Product) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE products SET name = $2, name_folded = $3, description = $4, price = $5, compare_at_price = $6,
                stock = $7, category = $8, status = $9, images = $10, specifications = $11, version = $12,
                updated_at = $13, variant_count = $14
         WHERE id = $1",
        params![
            product.id,
            &product.name,
            folded(&product.name),
            &product.description,
            product.price,
            product.compare_at_price,
            product.stock,
            &product.category,
            product.status.name(),
            &product.images,
            &product.specifications,
            product.version,
            product.updated_at,
            product.variant_count
        ],
    )?;
    Ok(())
}

/// Deletes a product that was found for change.
pub(crate) fn delete(tx: &mut Tx<'_>, id: ProductId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM products WHERE id = $1", params![id])?;
    Ok(())
}
