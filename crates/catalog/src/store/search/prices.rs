//! On SQLite, the names of products once more, in an index whose order is that of prices: a list that is filtered by words
//! and sorted by price is read from it, and costs what it shows.
//!
//! A product's place is its price and, below that, its number in the search. Nothing but the places of each word is kept,
//! so whoever takes a product out says what it was entered under.

use stoa_contracts::catalog::ProductId;
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Tx},
    params,
};

use super::{LENGTH_SHIFT, number_of};
use crate::search::{Entry, category_mark, status_mark};

/// The bits of a place that are the number. All others are the price, so the lowest one has the lowest place.
const NUMBER_BITS: u32 = 24;
const MOST_NUMBERS: i64 = 1 << NUMBER_BITS;
const FREE: i64 = 1 << (63 - NUMBER_BITS);

/// Products in the order of their prices, by the words of their names, as `priced`. The price is compared because a word
/// may have been entered by a release that took names apart in another way, and so stayed behind.
pub(in crate::store) const FROM_PRICES: &str = "product_prices AS priced
     CROSS JOIN product_search AS entry ON (entry.doc & 17592186044415) = (priced.rowid & 16777215)
     CROSS JOIN products ON products.id = entry.product_id AND products.price = (priced.rowid >> 24) + 549755813888";

/// The place of a price and a number.
pub(in crate::store) const fn place_of(price: i64, number: i64) -> i64 {
    ((price - FREE) << NUMBER_BITS) + number
}

/// The places of all products from the lowest to the highest of these prices, from the first to before the second.
pub(in crate::store) fn places_of_prices(least: Option<i64>, most: Option<i64>) -> [i64; 2] {
    let most =
        most.map_or(i64::MAX, |most| if most >= 2 * FREE - 1 { i64::MAX } else { place_of(most + 1, 0) });
    [place_of(least.unwrap_or(0).min(2 * FREE - 1), 0), most]
}

/// Whether every product is there: not while those that are older than the index are still being entered, nor when there
/// were more products than places have room for.
pub(in crate::store) fn prices_are_entered(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    if connection.engine() == Engine::Postgres {
        return Ok(false);
    }
    let sql = "SELECT next <= $1 AND NOT EXISTS (SELECT 1 FROM search_backlog) FROM search_numbers";
    Ok(connection.find(sql, params![MOST_NUMBERS], |row| row.read())?.unwrap_or(false))
}

/// The place of a product of this price; of one that is gone, a place beside those that were made when it was.
pub(in crate::store) fn place_of_product(
    connection: &mut Connection<'_>,
    price: i64,
    product: ProductId,
) -> Result<i64, DatabaseError> {
    let sql = "SELECT doc FROM product_search WHERE product_id <= $1 ORDER BY product_id DESC LIMIT 1";
    let doc: Option<i64> = connection.find(sql, params![product], |row| row.read())?;
    Ok(place_of(price, doc.map_or(0, number_of)))
}

/// Enters products by their documents' numbers.
pub(super) fn insert(tx: &mut Tx<'_>, rows: &[(i64, &Entry)]) -> Result<(), DatabaseError> {
    let placed = rows.iter().filter_map(|(doc, entry)| Some((place(*doc, entry)?, *entry)));
    let mut placed: Vec<(i64, &Entry)> = placed.collect();
    placed.sort_unstable_by_key(|(place, _)| *place);
    for (place, entry) in placed {
        let sql = "INSERT INTO product_prices (rowid, words) VALUES ($1, $2)";
        tx.execute(sql, params![place, words(entry)])?;
    }
    Ok(())
}

/// Takes out what [`insert`] has entered.
pub(super) fn remove(tx: &mut Tx<'_>, doc: i64, entry: &Entry) -> Result<(), DatabaseError> {
    let waits = "SELECT 1 FROM search_backlog WHERE product_id = $1";
    let waits = tx.find(waits, params![entry.product], |row| row.read::<i64>())?.is_some();
    if let Some(place) = place(doc, entry).filter(|_| !waits) {
        let sql = "INSERT INTO product_prices (product_prices, rowid, words) VALUES ('delete', $1, $2)";
        tx.execute(sql, params![place, words(entry)])?;
    }
    Ok(())
}

/// Moves a product whose price has changed.
pub(super) fn renew(tx: &mut Tx<'_>, before: &Entry, after: &Entry) -> Result<(), DatabaseError> {
    if tx.engine() == Engine::Postgres {
        return Ok(());
    }
    let sql = "SELECT doc FROM product_search WHERE product_id = $1";
    let Some(doc) = tx.find(sql, params![after.product], |row| row.read::<i64>())? else { return Ok(()) };
    remove(tx, doc, before)?;
    insert(tx, &[(doc, after)])
}

fn place(doc: i64, entry: &Entry) -> Option<i64> {
    let number = number_of(doc);
    (number < MOST_NUMBERS).then(|| place_of(entry.price, number))
}

fn words(entry: &Entry) -> String {
    let mut text = super::spaced(&entry.name);
    for mark in [status_mark(entry.status), category_mark(&entry.category)] {
        text.push(' ');
        text.push_str(&mark);
    }
    text
}

const _: () = assert!(
    LENGTH_SHIFT == 44 && MOST_NUMBERS - 1 == 16_777_215 && FREE == 549_755_813_888,
    "as FROM_PRICES and the migration have it"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::HIGHEST_PRICE;

    #[test]
    fn places_are_in_the_order_of_prices() {
        let places = [
            place_of(0, 0),
            place_of(0, MOST_NUMBERS - 1),
            place_of(1, 0),
            place_of(HIGHEST_PRICE, 0),
            place_of(HIGHEST_PRICE, MOST_NUMBERS - 1),
        ];
        assert!(places.is_sorted(), "{places:?}");
        for price in [0, 1, 12_345, HIGHEST_PRICE] {
            let place = place_of(price, 7);
            assert_eq!((place & (MOST_NUMBERS - 1), (place >> NUMBER_BITS) + FREE), (7, price));
            let [first, beyond] = places_of_prices(Some(price), Some(price));
            assert!(first <= place_of(price, 0) && place_of(price, MOST_NUMBERS - 1) < beyond);
            assert!(place_of(price + 1, 0) >= beyond);
        }
        assert!(places_of_prices(None, None)[0] <= place_of(0, 0));
        assert!(place_of(HIGHEST_PRICE, MOST_NUMBERS - 1) < places_of_prices(None, Some(i64::MAX))[1]);
    }
}
