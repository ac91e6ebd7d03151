//! Loading many products at once, for demo shops and measurements.

use std::sync::LazyLock;
use std::time::Duration;

use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Id, Timestamp};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx, Value},
    events,
};

use crate::{
    CATEGORIES, Catalogue, PRODUCTS,
    events::CatalogSeeded,
    product::{NewProduct, folded},
    stock::Reason,
};

/// Rows to a statement: their values stay well below the 32,766 that `SQLite` can bind.
const ROWS: usize = 500;
const PRODUCT_COLUMNS: usize = 14;
const MOVEMENT_COLUMNS: usize = 6;

const LIST_INDEXES: &str = include_str!("../../../migrations/0021_catalog_lists.sql");

/// Drops the indexes that serve lists: filling them in the order of a load would write each of their pages again and
/// again. To be followed by [`end_bulk_load`]; until then lists are slow and right.
pub fn begin_bulk_load(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    for (name, _) in list_indexes() {
        tx.batch(&format!("DROP INDEX IF EXISTS {name}"))?;
    }
    Ok(())
}

/// Makes the indexes that serve lists again, each that is missing.
pub fn end_bulk_load(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    for (_, statement) in list_indexes() {
        tx.batch(statement)?;
    }
    Ok(())
}

/// The names of the indexes, each with the statement that makes it.
fn list_indexes() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIST_INDEXES.lines().filter_map(|statement| {
        let named = statement.strip_prefix("CREATE INDEX IF NOT EXISTS ")?;
        named.split(' ').next().map(|name| (name, statement))
    })
}

impl Catalogue {
    /// Makes many products in few statements; each is a microsecond younger than the one before.
    ///
    /// One `catalog.seeded` event stands for all of their `product.created` events: a million of those would outweigh the
    /// products. Some ten thousand products to a transaction are a good measure.
    pub fn seed_products(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        new: &[NewProduct],
    ) -> Result<Vec<ProductId>, DatabaseError> {
        let ages = (0..).map(|age| occasion.at + Duration::from_micros(age));
        let made: Vec<(ProductId, Timestamp, &NewProduct)> =
            ages.zip(new).map(|(at, new)| (Id::new(at, &occasion.random), at, new)).collect();
        for rows in made.chunks(ROWS) {
            insert_products(tx, rows)?;
            insert_movements(tx, occasion, rows)?;
        }
        if !new.is_empty() {
            let products = i64::try_from(new.len()).unwrap_or(i64::MAX);
            events::append(tx, occasion, &CatalogSeeded { products })?;
        }
        self.forget(tx, vec![PRODUCTS, CATEGORIES]);
        Ok(made.into_iter().map(|(id, ..)| id).collect())
    }
}

fn insert_products(
    tx: &mut Tx<'_>,
    rows: &[(ProductId, Timestamp, &NewProduct)],
) -> Result<(), DatabaseError> {
    static FULL: LazyLock<String> = LazyLock::new(|| product_statement(ROWS));
    let mut values: Vec<Value<'_>> = Vec::with_capacity(rows.len() * PRODUCT_COLUMNS);
    for (id, at, new) in rows {
        values.extend([
            (*id).into(),
            (&new.name).into(),
            folded(&new.name).into(),
            (&new.description).into(),
            new.price.into(),
            new.compare_at_price.into(),
            new.stock.into(),
            (&new.category).into(),
            new.status.name().into(),
            (&new.images).into(),
            (&new.specifications).into(),
            1_i64.into(),
            (*at).into(),
            (*at).into(),
        ]);
    }
    if rows.len() == ROWS {
        tx.execute(&FULL, &values)?
    } else {
        tx.execute(&product_statement(rows.len()), &values)?
    };
    Ok(())
}

fn product_statement(rows: usize) -> String {
    let columns = "id, name, name_folded, description, price, compare_at_price, stock, category, status, images, \
                   specifications, version, created_at, updated_at";
    format!("INSERT INTO products ({columns}) VALUES {}", tuples(rows, PRODUCT_COLUMNS))
}

fn insert_movements(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    rows: &[(ProductId, Timestamp, &NewProduct)],
) -> Result<(), DatabaseError> {
    static FULL: LazyLock<String> = LazyLock::new(|| movement_statement(ROWS));
    let stocked: Vec<_> = rows.iter().filter(|(.., new)| new.stock > 0).collect();
    if stocked.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value<'_>> = Vec::with_capacity(stocked.len() * MOVEMENT_COLUMNS);
    for (id, at, new) in &stocked {
        values.extend([
            (*id).into(),
            1_i64.into(),
            new.stock.into(),
            Reason::Seeded.name().into(),
            (*at).into(),
            (&occasion.actor).into(),
        ]);
    }
    if stocked.len() == ROWS {
        tx.execute(&FULL, &values)?
    } else {
        tx.execute(&movement_statement(stocked.len()), &values)?
    };
    Ok(())
}

fn movement_statement(rows: usize) -> String {
    let columns = "product_id, version, change, reason, at, actor";
    format!("INSERT INTO stock_movements ({columns}) VALUES {}", tuples(rows, MOVEMENT_COLUMNS))
}

/// `($1, $2), ($3, $4), …`
fn tuples(rows: usize, columns: usize) -> String {
    let row = |row| format!("({})", stoa_platform::database::placeholders(row * columns + 1, columns));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_numbered_through() {
        assert_eq!(tuples(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    #[test]
    fn every_index_of_the_migration_is_known() {
        let names: Vec<_> = list_indexes().map(|(name, _)| name).collect();
        assert_eq!(names.len(), LIST_INDEXES.matches("CREATE INDEX").count());
        assert!(names.iter().all(|name| name.starts_with("products_") && name.ends_with("_idx")));
    }
}
