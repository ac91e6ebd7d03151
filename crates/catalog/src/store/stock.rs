//! Stock and its movements.

use stoa_contracts::catalog::{ProductId, Quantity, Sellable};
use stoa_kernel::{Currency, Money, Timestamp};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx, Value, placeholders},
    params,
};

use super::products;
use crate::{
    product::{MOST_STOCK, Product, ProductStatus},
    stock::Movement,
};

/// Keeps a movement; one of nothing leaves no trace.
pub(crate) fn record(tx: &mut Tx<'_>, occasion: &Occasion, movement: &Movement) -> Result<(), DatabaseError> {
    if movement.change == 0 {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO stock_movements (product_id, version, change, reason, at, actor)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            movement.product,
            movement.version,
            movement.change,
            movement.reason.name(),
            occasion.at,
            &occasion.actor
        ],
    )?;
    Ok(())
}

/// Changes stock if it stays within its bounds; answers the product afterwards.
pub(crate) fn adjust(
    tx: &mut Tx<'_>,
    at: Timestamp,
    id: ProductId,
    change: i64,
    currency: Currency,
) -> Result<Option<Product>, DatabaseError> {
    let sql = format!(
        "UPDATE products SET stock = stock + CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 AND stock + CAST($2 AS BIGINT) BETWEEN 0 AND $4 RETURNING {}",
        products::COLUMNS
    );
    tx.find(&sql, params![id, change, at, MOST_STOCK], |row| products::read(row, currency))
}

/// Takes pieces of a product that is offered and has as many; answers stock and version afterwards.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    at: Timestamp,
    taken: Quantity,
) -> Result<Option<(i64, i64)>, DatabaseError> {
    tx.find(
        "UPDATE products SET stock = stock - CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 AND stock >= CAST($2 AS BIGINT) AND status = 'ACTIVE' RETURNING stock, version",
        params![taken.product, taken.pieces, at],
        |row| Ok((row.read()?, row.read()?)),
    )
}

/// Puts pieces back, whatever the product's status; answers stock and version afterwards.
pub(crate) fn put_back(
    tx: &mut Tx<'_>,
    at: Timestamp,
    returned: Quantity,
) -> Result<Option<(i64, i64)>, DatabaseError> {
    tx.find(
        "UPDATE products SET stock = stock + CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 RETURNING stock, version",
        params![returned.product, returned.pieces, at],
        |row| Ok((row.read()?, row.read()?)),
    )
}

/// The stock of a product, if it is offered.
pub(crate) fn offered(connection: &mut Connection<'_>, id: ProductId) -> Result<Option<i64>, DatabaseError> {
    let sql = "SELECT stock FROM products WHERE id = $1 AND status = 'ACTIVE'";
    connection.find(sql, params![id], |row| row.read())
}

pub(crate) fn sellables(
    connection: &mut Connection<'_>,
    wanted: &[ProductId],
    currency: Currency,
) -> Result<Vec<Sellable>, DatabaseError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT id, name, price, stock, status FROM products WHERE id IN ({})",
        placeholders(1, wanted.len())
    );
    let ids: Vec<Value<'_>> = wanted.iter().map(|id| Value::from(*id)).collect();
    connection.query(&sql, &ids, |row| {
        Ok(Sellable {
            id: row.read()?,
            name: row.read()?,
            price: Money::from_minor(row.read()?, currency),
            stock: row.read()?,
            active: row.parse(ProductStatus::of_name)? == ProductStatus::Active,
        })
    })
}
