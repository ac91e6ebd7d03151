//! Loading many products at once, for demo shops and measurements.

use std::time::Duration;

use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Id, Timestamp};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};

use crate::{
    CATEGORIES, Catalogue, PRODUCTS,
    events::CatalogSeeded,
    product::{NewProduct, folded},
    search::Entry,
    stock::Reason,
    store::{
        many::{self, Rows},
        search,
    },
};

const LIST_INDEXES: &str = include_str!("../../../migrations/0021_catalog_lists.sql");
/// That of the search which is in the order of names.
const SEARCH_INDEX: &str =
    "CREATE INDEX IF NOT EXISTS product_search_words_idx ON product_search (words, doc, status, category);";

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
    LIST_INDEXES.lines().chain([SEARCH_INDEX]).filter_map(|statement| {
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
        let makings: Vec<Making<'_>> = ages
            .zip(new)
            .map(|(at, new)| Making { id: Id::new(at, &occasion.random), at, version: 1, new })
            .collect();
        insert_makings(tx, occasion, &makings, Reason::Seeded)?;
        if !new.is_empty() {
            let products = i64::try_from(new.len()).unwrap_or(i64::MAX);
            events::append(tx, occasion, &CatalogSeeded { products })?;
        }
        self.forget(tx, vec![PRODUCTS, CATEGORIES]);
        Ok(makings.into_iter().map(|making| making.id).collect())
    }
}

/// A product on its way into the tables, one of many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'n> {
    pub(crate) id: ProductId,
    pub(crate) at: Timestamp,
    /// 1, unless there was a product of this id before.
    pub(crate) version: i64,
    pub(crate) new: &'n NewProduct,
}

/// Writes products with their movements and what they are found by; whoever calls it tells of them.
pub(crate) fn insert_makings(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    makings: &[Making<'_>],
    reason: Reason,
) -> Result<(), DatabaseError> {
    insert_products(tx, makings)?;
    insert_movements(tx, occasion, makings, reason)?;
    let entries: Vec<Entry> = makings.iter().map(|making| Entry::of_new(making.id, making.new)).collect();
    search::insert(tx, &entries)
}

fn insert_products(tx: &mut Tx<'_>, makings: &[Making<'_>]) -> Result<(), DatabaseError> {
    const PRODUCTS: Rows = Rows {
        table: "products (id, name, name_folded, description, price, compare_at_price, stock, category, status, images, \
                specifications, version, created_at, updated_at)",
        columns: 14,
        rest: "",
    };
    many::insert(tx, PRODUCTS, makings, |Making { id, at, version, new }, values| {
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
            (*version).into(),
            (*at).into(),
            (*at).into(),
        ]);
    })
}

fn insert_movements<'m>(
    tx: &mut Tx<'_>,
    occasion: &'m Occasion,
    makings: &'m [Making<'m>],
    reason: Reason,
) -> Result<(), DatabaseError> {
    const MOVEMENTS: Rows = Rows {
        table: "stock_movements (product_id, version, change, reason, at, actor)",
        columns: 6,
        rest: "",
    };
    let stocked: Vec<&Making<'_>> = makings.iter().filter(|making| making.new.stock > 0).collect();
    many::insert(tx, MOVEMENTS, &stocked, |Making { id, at, version, new }, values| {
        values.extend([
            (*id).into(),
            (*version).into(),
            new.stock.into(),
            reason.name().into(),
            (*at).into(),
            (&occasion.actor).into(),
        ]);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_of_the_migration_is_known() {
        let names: Vec<_> = list_indexes().map(|(name, _)| name).collect();
        assert_eq!(names.len(), LIST_INDEXES.matches("CREATE INDEX").count() + 1);
        assert!(names.iter().all(|name| name.starts_with("product") && name.ends_with("_idx")));
        for migration in [
            include_str!("../../../migrations/0022_catalog_search.sqlite.sql"),
            include_str!("../../../migrations/0022_catalog_search.postgres.sql"),
        ] {
            assert!(migration.contains(SEARCH_INDEX), "it is made again as it was");
        }
    }
}
