//! Stock and its movements.

use stoa_contracts::catalog::{Part, ProductId, VariantId};
use stoa_kernel::{Currency, Timestamp};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Engine, Tx},
    params,
};

use super::{products, variants};
use crate::{
    product::{MOST_STOCK, Product},
    stock::Movement,
};

/// Keeps a movement; one of nothing leaves no trace.
pub(crate) fn record(tx: &mut Tx<'_>, occasion: &Occasion, movement: &Movement) -> Result<(), DatabaseError> {
    if movement.change == 0 {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO stock_movements (product_id, version, change, reason, at, actor, variant_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            movement.product,
            movement.version,
            movement.change,
            movement.reason.name(),
            occasion.at,
            &occasion.actor,
            movement.variant
        ],
    )?;
    Ok(())
}

/// Changes the stock of a product without variants if it stays within its bounds; answers the product afterwards.
pub(crate) fn adjust(
    tx: &mut Tx<'_>,
    at: Timestamp,
    id: ProductId,
    change: i64,
    currency: Currency,
) -> Result<Option<Product>, DatabaseError> {
    let sql = format!(
        "UPDATE products SET stock = stock + CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 AND variant_count = 0 AND stock + CAST($2 AS BIGINT) BETWEEN 0 AND $4 RETURNING {}",
        products::COLUMNS
    );
    Ok(products::query(tx, &sql, params![id, change, at, MOST_STOCK], currency)?.pop())
}

/// What a shelf holds after pieces were moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moved {
    /// The stock of the whole product.
    pub(crate) product_stock: i64,
    pub(crate) version: i64,
    /// The stock of the variant, if it is one's shelf.
    pub(crate) variant_stock: Option<i64>,
}

/// Takes pieces from a shelf that is offered and has as many. When it answers none, nothing that was written may stay.
pub(crate) fn take(tx: &mut Tx<'_>, at: Timestamp, taken: Part) -> Result<Option<Moved>, DatabaseError> {
    let Part { product, variant, pieces } = taken;
    let sql = if variant.is_none() {
        "UPDATE products SET stock = stock - CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 AND stock >= CAST($2 AS BIGINT) AND status = 'ACTIVE' AND variant_count = 0
         RETURNING stock, version"
    } else {
        "UPDATE products SET stock = stock - CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 AND stock >= CAST($2 AS BIGINT) AND status = 'ACTIVE' AND variant_count > 0
         RETURNING stock, version"
    };
    let left = tx.find(sql, params![product, pieces, at], |row| Ok((row.read()?, row.read()?)))?;
    let Some((product_stock, version)) = left else { return Ok(None) };
    let Some(variant) = variant else {
        return Ok(Some(Moved { product_stock, version, variant_stock: None }));
    };
    let variant_stock = variants::take(tx, (product, variant), pieces)?;
    Ok(variant_stock.map(|stock| Moved { product_stock, version, variant_stock: Some(stock) }))
}

/// Puts pieces back on their shelf, whatever the product's status; none when there is no such shelf any more.
pub(crate) fn put_back(
    tx: &mut Tx<'_>,
    at: Timestamp,
    returned: Part,
) -> Result<Option<Moved>, DatabaseError> {
    let Part { product, variant, pieces } = returned;
    let variant_stock = match variant {
        None => None,
        Some(variant) => {
            // The product's row is held first, as by everybody who moves a variant's stock.
            if tx.engine() == Engine::Postgres {
                let sql = "SELECT version FROM products WHERE id = $1 FOR UPDATE";
                tx.find(sql, params![product], |row| row.read::<i64>())?;
            }
            let Some(stock) = variants::put_back(tx, (product, variant), pieces)? else { return Ok(None) };
            Some(stock)
        }
    };
    let sql = if variant.is_none() {
        "UPDATE products SET stock = stock + CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 AND variant_count = 0 RETURNING stock, version"
    } else {
        "UPDATE products SET stock = stock + CAST($2 AS BIGINT), version = version + 1, updated_at = $3
         WHERE id = $1 RETURNING stock, version"
    };
    tx.find(sql, params![product, pieces, at], |row| {
        Ok(Moved { product_stock: row.read()?, version: row.read()?, variant_stock })
    })
}

/// The pieces of a product on all its shelves, if everybody may see it.
pub(crate) fn of_product(
    connection: &mut Connection<'_>,
    product: ProductId,
) -> Result<Option<i64>, DatabaseError> {
    let sql = "SELECT stock FROM products WHERE id = $1 AND status = 'ACTIVE'";
    connection.find(sql, params![product], |row| row.read())
}

/// The pieces on a shelf, if it is offered.
pub(crate) fn offered(
    connection: &mut Connection<'_>,
    (product, variant): (ProductId, Option<VariantId>),
) -> Result<Option<i64>, DatabaseError> {
    match variant {
        None => connection.find(
            "SELECT stock FROM products WHERE id = $1 AND status = 'ACTIVE' AND variant_count = 0",
            params![product],
            |row| row.read(),
        ),
        Some(variant) => connection.find(
            "SELECT variants.stock FROM variants JOIN products ON products.id = variants.product_id
             WHERE variants.id = $2 AND variants.product_id = $1 AND products.status = 'ACTIVE'",
            params![product, variant],
            |row| row.read(),
        ),
    }
}
