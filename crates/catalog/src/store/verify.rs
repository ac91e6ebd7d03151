//! What contradicts itself in the catalogue's tables: each query answers the rows that should not be.

use std::collections::HashMap;

use stoa_contracts::catalog::{OfferId, ProductId, VariantId};
use stoa_kernel::Timestamp;
use stoa_platform::{
    database::{Connection, DatabaseError},
    params,
    verify::ASKED_FOR,
};

type Told = Result<Vec<String>, DatabaseError>;

/// Products whose movements do not add up to their stock.
pub(crate) fn moved_otherwise(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    connection.query(
        "SELECT p.id, p.stock, CAST(COALESCE(m.moved, 0) AS BIGINT) FROM products AS p
         LEFT JOIN (SELECT product_id, SUM(change) AS moved FROM stock_movements GROUP BY product_id) AS m
         ON m.product_id = p.id WHERE p.stock <> COALESCE(m.moved, 0) ORDER BY p.id LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (id, stock, moved): (ProductId, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("product {id} has {stock} pieces, its movements add up to {moved}"))
        },
    )
}

/// Shelves that are gone, of a deleted product, a deleted variant or a product that is sold by variant now, whose
/// movements do not add up to nothing.
pub(crate) fn left_behind(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    connection.query(
        "SELECT m.product_id, m.variant_id, CAST(SUM(m.change) AS BIGINT) FROM stock_movements AS m
         LEFT JOIN products AS p ON p.id = m.product_id LEFT JOIN variants AS v ON v.id = m.variant_id
         WHERE p.id IS NULL OR (m.variant_id IS NOT NULL AND v.id IS NULL) OR (m.variant_id IS NULL AND p.variant_count > 0)
         GROUP BY m.product_id, m.variant_id HAVING SUM(m.change) <> 0 ORDER BY m.product_id LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (product, variant): (ProductId, Option<VariantId>) = (row.read()?, row.read()?);
            let shelf = variant.map_or_else(|| "of itself".to_owned(), |variant| format!("of variant {variant}"));
            Ok(format!("product {product} has no shelf {shelf} any more, but {} pieces on it", row.read::<i64>()?))
        },
    )
}

/// Variants whose movements do not add up to their stock.
pub(crate) fn variants_moved_otherwise(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    connection.query(
        "SELECT v.id, v.stock, CAST(COALESCE(m.moved, 0) AS BIGINT) FROM variants AS v
         LEFT JOIN (
             SELECT variant_id, SUM(change) AS moved FROM stock_movements WHERE variant_id IS NOT NULL GROUP BY variant_id
         ) AS m ON m.variant_id = v.id WHERE v.stock <> COALESCE(m.moved, 0) ORDER BY v.id LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (id, stock, moved): (VariantId, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("variant {id} has {stock} pieces, its movements add up to {moved}"))
        },
    )
}

/// Products whose number or stock of variants is not that of the variants they have.
pub(crate) fn not_the_sum_of_variants(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    connection.query(
        "SELECT p.id, p.variant_count, p.stock, COALESCE(v.number, 0), CAST(COALESCE(v.pieces, 0) AS BIGINT) FROM products AS p
         LEFT JOIN (SELECT product_id, COUNT(*) AS number, SUM(stock) AS pieces FROM variants GROUP BY product_id) AS v
         ON v.product_id = p.id
         WHERE p.variant_count <> COALESCE(v.number, 0) OR (p.variant_count > 0 AND p.stock <> v.pieces)
         ORDER BY p.id LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let id: ProductId = row.read()?;
            let (count, stock): (i64, i64) = (row.read()?, row.read()?);
            let (number, pieces): (i64, i64) = (row.read()?, row.read()?);
            Ok(format!(
                "product {id} says {count} variants and {stock} pieces; it has {number} variants with {pieces}"
            ))
        },
    )
}

/// Movements of a version that their product has not come to.
pub(crate) fn moved_in_the_future(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    connection.query(
        "SELECT p.id, p.version, m.newest FROM products AS p
         JOIN (SELECT product_id, MAX(version) AS newest FROM stock_movements GROUP BY product_id) AS m ON m.product_id = p.id
         WHERE m.newest > p.version ORDER BY p.id LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (id, version, newest): (ProductId, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("product {id} is at version {version}, its stock moved at version {newest}"))
        },
    )
}

/// Offers used more often than they may be.
pub(crate) fn used_too_often(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    connection.query(
        "SELECT id, uses, max_uses FROM offers WHERE uses > max_uses ORDER BY id LIMIT $1",
        params![ASKED_FOR],
        |row| {
            let (id, uses, most): (OfferId, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("offer {id} was used {uses} times, {most} are allowed"))
        },
    )
}

/// Products that cannot be found, and entries of the search that find nothing.
pub(crate) fn not_findable(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    let mut told = connection.query(
        "SELECT p.id FROM products AS p LEFT JOIN product_search AS s ON s.product_id = p.id
         LEFT JOIN search_backlog AS b ON b.product_id = p.id
         WHERE b.product_id IS NULL AND (s.product_id IS NULL OR s.status <> p.status OR s.category <> p.category)
         ORDER BY p.id LIMIT $1",
        params![ASKED_FOR],
        |row| Ok(format!("product {} is not in the search as it is", row.read::<ProductId>()?)),
    )?;
    told.extend(connection.query(
        "SELECT s.product_id FROM product_search AS s LEFT JOIN products AS p ON p.id = s.product_id
         WHERE p.id IS NULL ORDER BY s.product_id LIMIT $1",
        params![ASKED_FOR],
        |row| Ok(format!("product {} is gone and still in the search", row.read::<ProductId>()?)),
    )?);
    Ok(told)
}

/// The pieces of each shelf that orders took and did not give back, of shelves that were there all along: what is given
/// back to one that is gone is forgotten, so of a product that had variants for a while nobody can tell.
pub fn sold_pieces(
    connection: &mut Connection<'_>,
) -> Result<HashMap<(ProductId, Option<VariantId>), i64>, DatabaseError> {
    let sold = connection.query(
        "SELECT m.product_id, m.variant_id, CAST(-SUM(m.change) AS BIGINT) FROM stock_movements AS m
         JOIN products AS p ON p.id = m.product_id LEFT JOIN variants AS v ON v.id = m.variant_id
         WHERE m.reason IN ('sold', 'returned') AND (v.id IS NOT NULL OR (m.variant_id IS NULL AND NOT EXISTS (
             SELECT 1 FROM stock_movements AS o WHERE o.product_id = m.product_id AND o.variant_id IS NOT NULL)))
         GROUP BY m.product_id, m.variant_id",
        &[],
        |row| Ok(((row.read()?, row.read()?), row.read()?)),
    )?;
    Ok(sold.into_iter().collect())
}

/// How often each offer says it was used.
pub fn offer_uses(connection: &mut Connection<'_>) -> Result<HashMap<OfferId, i64>, DatabaseError> {
    let uses = connection.query("SELECT id, uses FROM offers", &[], |row| Ok((row.read()?, row.read()?)))?;
    Ok(uses.into_iter().collect())
}
