//! Lists of products. A page is read straight from the index of its order, beginning right after its cursor, so it costs
//! the same however many products there are.

use std::fmt::Write as _;

use stoa_kernel::{Currency, CursorValue, Page, PageRequest, SortOrder, page::DEEPEST_ENTRY};
use stoa_platform::database::{Connection, DatabaseError, Engine, Value};

use super::{
    products, search,
    written::{self, Written},
};
use crate::{
    listing::{Listing, Place, SortKey, Sorted},
    product::ProductStatus,
    search::{Beginnings, Marks},
};

/// Where names are searched, or prices while something else is sorted by: up to this many matches are found first and then
/// sorted; with more of them a walk in the wanted order soon meets enough.
const FEW: i64 = 1_000;
/// A limit far beyond those few: it keeps an engine from pushing the order into the search.
const UNREACHED: &str = "LIMIT 1000000";
/// Prices, with a unary plus that keeps an engine from taking their index where another way is better.
const ASIDE: &str = "+price";

/// How the rows of a page are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Along the index of the order.
    Walk,
    /// By name, then sorted.
    Names,
    /// By price, then sorted.
    Prices,
}

/// A page of a list, each product as it is shown.
pub(crate) fn page_written(
    connection: &mut Connection<'_>,
    listing: &Listing,
    (request, after): (&PageRequest, Option<&Place>),
    currency: Currency,
) -> Result<Page<Written>, DatabaseError> {
    let read = |connection: &mut Connection<'_>, sql: &str, values: &[Value<'_>]| {
        written::query(connection, sql, values, currency)
    };
    page_of(connection, listing, (request, after), read, |last| Sorted {
        id: last.id,
        price: last.price,
        name: &last.name,
        created_at: last.created_at,
    })
}

/// The same, each product by itself.
#[cfg(test)]
pub(super) fn page(
    connection: &mut Connection<'_>,
    listing: &Listing,
    (request, after): (&PageRequest, Option<&Place>),
    currency: Currency,
) -> Result<Page<crate::Product>, DatabaseError> {
    let read = |connection: &mut Connection<'_>, sql: &str, values: &[Value<'_>]| {
        products::query(connection, sql, values, currency)
    };
    page_of(connection, listing, (request, after), read, |last| Sorted {
        id: last.id,
        price: last.price.minor(),
        name: &last.name,
        created_at: last.created_at,
    })
}

fn page_of<T>(
    connection: &mut Connection<'_>,
    listing: &Listing,
    (request, after): (&PageRequest, Option<&Place>),
    read: impl FnOnce(&mut Connection<'_>, &str, &[Value<'_>]) -> Result<Vec<T>, DatabaseError>,
    sorted: impl Fn(&T) -> Sorted<'_>,
) -> Result<Page<T>, DatabaseError> {
    if listing.statuses.is_empty() || listing.finds_nothing() {
        return Ok(Page { entries: Vec::new(), next: None, total: request.wants_total().then_some(0) });
    }
    let statement = best_statement(connection, listing, (request, after))?;
    let rows = read(connection, &statement.sql, &statement.values)?;
    let total = if request.wants_total() { Some(total(connection, listing)?) } else { None };
    Ok(Page::from_rows(rows, request.limit, total, |last| listing.cursor_after(&sorted(last))))
}

fn best_statement<'l>(
    connection: &mut Connection<'_>,
    listing: &'l Listing,
    (request, after): (&PageRequest, Option<&'l Place>),
) -> Result<Statement<'l>, DatabaseError> {
    let engine = connection.engine();
    let statement = Statement { begun: begun(connection, listing)?, ..Statement::default() };
    if statement.is_priced_by_name(connection, listing)? {
        let place = match after {
            Some(Place { value: CursorValue::Number(price), id }) => {
                Some(search::place_of_product(connection, *price, *id)?)
            }
            _ => None,
        };
        return Ok(statement.priced_names(listing, (request, place)));
    }
    let way = if listing.searches_names() && are_few_named(connection, listing)? {
        Way::Names
    } else if listing.searches_prices() && are_few(connection, &listing.priced())? {
        Way::Prices
    } else {
        Way::Walk
    };
    Ok(statement.rows(engine, listing, (request, after), way))
}

fn begun(connection: &mut Connection<'_>, listing: &Listing) -> Result<Beginnings, DatabaseError> {
    listing
        .words
        .as_ref()
        .map_or_else(|| Ok(Beginnings::default()), |words| search::beginnings(connection, words))
}

fn are_few(connection: &mut Connection<'_>, listing: &Listing) -> Result<bool, DatabaseError> {
    Ok(count(connection, listing, FEW + 1)? <= FEW)
}

fn are_few_named(connection: &mut Connection<'_>, listing: &Listing) -> Result<bool, DatabaseError> {
    let statement = Statement { begun: begun(connection, listing)?, ..Statement::default() };
    let statement = statement.count_named(connection.engine(), listing, FEW + 1);
    let counted = connection.find(&statement.sql, &statement.values, |row| row.read::<i64>())?;
    Ok(counted.unwrap_or(0) <= FEW)
}

/// How many products the whole list has, as far as is counted.
fn total(connection: &mut Connection<'_>, listing: &Listing) -> Result<u32, DatabaseError> {
    let found = count(connection, listing, DEEPEST_ENTRY.into())?;
    Ok(u32::try_from(found).unwrap_or(DEEPEST_ENTRY))
}

fn count(connection: &mut Connection<'_>, listing: &Listing, most: i64) -> Result<i64, DatabaseError> {
    let statement = Statement { begun: begun(connection, listing)?, ..Statement::default() };
    let statement = statement.count(connection.engine(), listing, most);
    let counted = connection.find(&statement.sql, &statement.values, |row| row.read::<i64>())?;
    Ok(counted.unwrap_or(0).min(most))
}

/// A statement in the making, with the values bound so far.
#[derive(Default)]
struct Statement<'l> {
    sql: String,
    values: Vec<Value<'l>>,
    begun: Beginnings,
}

impl<'l> Statement<'l> {
    /// The rows of a page and one more. Over several statuses it is a merge of one walk for each.
    fn rows(
        self,
        engine: Engine,
        listing: &'l Listing,
        (request, after): (&PageRequest, Option<&'l Place>),
        way: Way,
    ) -> Self {
        let mut statement = self;
        let (wanted, skipped) = (i64::from(request.limit) + 1, i64::from(request.offset()));
        let straight = way == Way::Prices || (way == Way::Walk && listing.sort == SortKey::Price);
        let mut conditions = statement.conditions(listing, if straight { "price" } else { ASIDE }, after);
        if way != Way::Names {
            conditions.push_str(&statement.named(listing));
        }
        if let Some(after) = after {
            statement.begin_after(listing, after, &mut conditions);
        }
        let [limit, offset] = [wanted, skipped].map(|number| statement.bind(number));
        let (key, direction) = (column(listing.sort), direction(listing.order));
        let order = format!("ORDER BY {key} {direction}, id {direction}");
        let part = format!("LIMIT {limit} OFFSET {offset}");
        let (columns, table) = (products::COLUMNS, "name_folded FROM products");
        let walk = |status| format!("SELECT {columns}, {table} WHERE status = '{status}'{conditions}");
        statement.sql = match (way, listing.statuses.as_slice()) {
            (Way::Walk, [status]) => format!("{} {order} {part}", walk(*status)),
            (Way::Walk, statuses) => {
                let reach = statement.bind(wanted + skipped);
                let walks = union(statuses, |status| format!("{} {order} LIMIT {reach}", walk(status)));
                format!("SELECT * FROM ({walks}) AS merged {order} {part}")
            }
            (Way::Prices, statuses) => {
                let matches = union(statuses, walk);
                format!("SELECT * FROM ({matches} {UNREACHED}) AS few {order} {part}")
            }
            (Way::Names, _) => {
                let found =
                    format!("id IN (SELECT id FROM ({} {UNREACHED}) AS few)", statement.ids(engine, listing));
                format!("SELECT {columns}, {table} WHERE {found}{conditions} {order} {part}")
            }
        };
        statement
    }

    /// Whether the index of names by price can be walked: the words that are asked for are known, and all products.
    fn is_priced_by_name(
        &self,
        connection: &mut Connection<'_>,
        listing: &Listing,
    ) -> Result<bool, DatabaseError> {
        let Some(words) = listing.words.as_ref().filter(|_| listing.sort == SortKey::Price) else {
            return Ok(false);
        };
        Ok(self.begun.know(words.open_words()) && search::prices_are_entered(connection)?)
    }

    /// The rows of a page and one more, along the index of names in the order of prices.
    fn priced_names(mut self, listing: &'l Listing, (request, after): (&PageRequest, Option<i64>)) -> Self {
        let marks = Marks { statuses: &listing.statuses, category: listing.category.as_ref() };
        let asked = listing.words.iter().map(|words| words.in_priced_names(&self.begun, &marks));
        let asked = asked.collect::<String>();
        let asked = self.bind(asked);
        let [mut from, mut to] = search::places_of_prices(listing.min_price, listing.max_price);
        match (after, listing.order) {
            (Some(place), SortOrder::Asc) => from = from.max(place + 1),
            (Some(place), SortOrder::Desc) => to = to.min(place),
            (None, _) => {}
        }
        let [from, to] = [from, to].map(|place| self.bind(place));
        let mut conditions = self.patterns(listing);
        let statuses = listing.statuses.iter().map(|status| format!("'{status}'")).collect::<Vec<_>>();
        let _ = write!(conditions, " AND products.status IN ({})", statuses.join(", "));
        if let Some(category) = &listing.category {
            let _ = write!(conditions, " AND products.category = {}", self.bind(category));
        }
        conditions.push_str(stocked(listing.in_stock));
        let (table, columns) = (search::FROM_PRICES, products::COLUMNS);
        let direction = direction(listing.order);
        let [limit, offset] =
            [i64::from(request.limit) + 1, i64::from(request.offset())].map(|number| self.bind(number));
        self.sql = format!(
            "SELECT {columns} FROM
               (SELECT products.*, priced.rowid AS place FROM {table}
                WHERE product_prices MATCH {asked} AND priced.rowid >= {from} AND priced.rowid < {to}{conditions}
                ORDER BY priced.rowid {direction} LIMIT {limit} OFFSET {offset})
             ORDER BY place {direction}"
        );
        self
    }

    fn count(self, engine: Engine, listing: &'l Listing, most: i64) -> Self {
        let mut statement = self;
        let most = statement.bind(most);
        let price = if listing.searches_names() { ASIDE } else { "price" };
        let conditions = statement.conditions(listing, price, None);
        let matches = if listing.searches_names() {
            let ids = statement.ids(engine, listing);
            format!(
                "SELECT 1 FROM products WHERE id IN (SELECT id FROM ({ids}) AS found){conditions} LIMIT {most}"
            )
        } else {
            union(&listing.statuses, |status| {
                format!("SELECT 1 FROM products WHERE status = '{status}'{conditions} LIMIT {most}")
            })
        };
        statement.sql = format!("SELECT COUNT(*) FROM ({matches}) AS matches");
        statement
    }

    /// How many products have the words, whatever else is asked of them: from the text index alone.
    fn count_named(self, engine: Engine, listing: &'l Listing, most: i64) -> Self {
        let mut statement = self;
        let ids = statement.ids(engine, listing);
        let most = statement.bind(most);
        statement.sql =
            format!("SELECT COUNT(*) FROM (SELECT 1 FROM ({ids}) AS found LIMIT {most}) AS matches");
        statement
    }

    /// The ids of the products whose names have the words, of the statuses and the category, from the text index.
    fn ids(&mut self, engine: Engine, listing: &'l Listing) -> String {
        let Some(words) = &listing.words else { return "SELECT id FROM products".into() };
        let marks = Marks { statuses: &listing.statuses, category: listing.category.as_ref() };
        let asked = self.bind(words.in_names(engine, &self.begun, &marks));
        search::ids_by_name(engine, [&asked, &self.patterns(listing)])
    }

    /// That a name has the words, asked of one product at a time.
    fn named(&mut self, listing: &'l Listing) -> String {
        if !listing.searches_names() {
            return String::new();
        }
        let patterns = self.patterns(listing);
        // A value, not an EXISTS: that could be turned into a join, which would be begun by reading all entries.
        format!(
            " AND (SELECT 1 FROM product_search AS entry WHERE entry.product_id = products.id{patterns}) = 1"
        )
    }

    fn patterns(&mut self, listing: &'l Listing) -> String {
        let mut text = String::new();
        for pattern in listing.words.iter().flat_map(|words| words.patterns()) {
            let _ = write!(text, " AND ' ' || entry.words LIKE {}", self.bind(pattern));
        }
        text
    }

    /// Binds a value; answers its placeholder.
    fn bind(&mut self, value: impl Into<Value<'l>>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn conditions(&mut self, listing: &'l Listing, price: &str, after: Option<&Place>) -> String {
        let mut text = String::new();
        if let Some(category) = &listing.category {
            let _ = write!(text, " AND category = {}", self.bind(category));
        }
        // A cursor in an order of prices lies beyond the bound where that order begins.
        let begun = after.is_some() && listing.sort == SortKey::Price;
        if let Some(least) = listing.min_price.filter(|_| !(begun && listing.order == SortOrder::Asc)) {
            let _ = write!(text, " AND {price} >= {}", self.bind(least));
        }
        if let Some(most) = listing.max_price.filter(|_| !(begun && listing.order == SortOrder::Desc)) {
            let _ = write!(text, " AND {price} <= {}", self.bind(most));
        }
        text.push_str(stocked(listing.in_stock));
        text
    }

    fn begin_after(&mut self, listing: &Listing, after: &'l Place, conditions: &mut String) {
        let value = match &after.value {
            CursorValue::Number(number) => self.bind(*number),
            CursorValue::Text(text) => self.bind(text),
        };
        let id = self.bind(after.id);
        let (key, beyond) = (column(listing.sort), if listing.order == SortOrder::Asc { ">" } else { "<" });
        let _ = write!(conditions, " AND ({key}, id) {beyond} ({value}, {id})");
    }
}

const fn column(sort: SortKey) -> &'static str {
    match sort {
        SortKey::Price => "price",
        SortKey::Name => "name_folded",
        SortKey::CreatedAt => "created_at",
    }
}

const fn direction(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Asc => "ASC",
        SortOrder::Desc => "DESC",
    }
}

const fn stocked(wanted: Option<bool>) -> &'static str {
    match wanted {
        Some(true) => " AND in_stock",
        Some(false) => " AND NOT in_stock",
        None => "",
    }
}

fn union(statuses: &[ProductStatus], branch: impl Fn(ProductStatus) -> String) -> String {
    let branches = statuses.iter().map(|status| format!("SELECT * FROM ({}) AS branch", branch(*status)));
    branches.collect::<Vec<_>>().join(" UNION ALL ")
}

/// How the embedded engine would find the first page of a list, step by step.
#[cfg(test)]
pub(super) async fn explain(database: &stoa_platform::database::Database, listing: Listing) -> Vec<String> {
    let read = move |connection: &mut Connection<'_>| -> Result<Vec<String>, DatabaseError> {
        let statement = best_statement(connection, &listing, (&PageRequest::first(20), None))?;
        connection.query(&format!("EXPLAIN QUERY PLAN {}", statement.sql), &statement.values, |row| {
            let _: (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
            row.read()
        })
    };
    database.read(read).await.unwrap()
}
