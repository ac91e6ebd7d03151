//! Lists of products. A page is read straight from the index of its order, beginning right after its cursor, so it costs
//! the same however many products there are.

use std::fmt::Write as _;

use stoa_kernel::{Currency, CursorValue, Page, PageRequest, SortOrder, page::DEEPEST_ENTRY};
use stoa_platform::database::{Connection, DatabaseError, Engine, Value};

use super::{products, search};
use crate::{
    listing::{Listing, Place, SortKey},
    product::{Product, ProductStatus},
    search::Marks,
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

pub(crate) fn page(
    connection: &mut Connection<'_>,
    listing: &Listing,
    (request, after): (&PageRequest, Option<&Place>),
    currency: Currency,
) -> Result<Page<Product>, DatabaseError> {
    if listing.statuses.is_empty() || listing.finds_nothing() {
        return Ok(Page { entries: Vec::new(), next: None, total: request.wants_total().then_some(0) });
    }
    let way = best_way(connection, listing)?;
    let statement = Statement::rows(connection.engine(), listing, (request, after), way);
    let rows = products::query(connection, &statement.sql, &statement.values, currency)?;
    let total = if request.wants_total() { Some(total(connection, listing)?) } else { None };
    Ok(Page::from_rows(rows, request.limit, total, |last| listing.cursor_after(last)))
}

fn best_way(connection: &mut Connection<'_>, listing: &Listing) -> Result<Way, DatabaseError> {
    if listing.searches_names() && are_few_named(connection, listing)? {
        Ok(Way::Names)
    } else if listing.searches_prices() && are_few(connection, &listing.priced())? {
        Ok(Way::Prices)
    } else {
        Ok(Way::Walk)
    }
}

fn are_few(connection: &mut Connection<'_>, listing: &Listing) -> Result<bool, DatabaseError> {
    Ok(count(connection, listing, FEW + 1)? <= FEW)
}

fn are_few_named(connection: &mut Connection<'_>, listing: &Listing) -> Result<bool, DatabaseError> {
    let statement = Statement::count_named(connection.engine(), listing, FEW + 1);
    let counted = connection.find(&statement.sql, &statement.values, |row| row.read::<i64>())?;
    Ok(counted.unwrap_or(0) <= FEW)
}

/// How many products the whole list has, as far as is counted.
fn total(connection: &mut Connection<'_>, listing: &Listing) -> Result<u32, DatabaseError> {
    let found = count(connection, listing, DEEPEST_ENTRY.into())?;
    Ok(u32::try_from(found).unwrap_or(DEEPEST_ENTRY))
}

fn count(connection: &mut Connection<'_>, listing: &Listing, most: i64) -> Result<i64, DatabaseError> {
    let statement = Statement::count(connection.engine(), listing, most);
    let counted = connection.find(&statement.sql, &statement.values, |row| row.read::<i64>())?;
    Ok(counted.unwrap_or(0).min(most))
}

/// A statement in the making, with the values bound so far.
#[derive(Default)]
struct Statement<'l> {
    sql: String,
    values: Vec<Value<'l>>,
}

impl<'l> Statement<'l> {
    /// The rows of a page and one more. Over several statuses it is a merge of one walk for each.
    fn rows(
        engine: Engine,
        listing: &'l Listing,
        (request, after): (&PageRequest, Option<&'l Place>),
        way: Way,
    ) -> Self {
        let mut statement = Self::default();
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

    fn count(engine: Engine, listing: &'l Listing, most: i64) -> Self {
        let mut statement = Self::default();
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
    fn count_named(engine: Engine, listing: &'l Listing, most: i64) -> Self {
        let mut statement = Self::default();
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
        let asked = self.bind(words.in_names(engine, &marks));
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
        text.push_str(match listing.in_stock {
            Some(true) => " AND in_stock",
            Some(false) => " AND NOT in_stock",
            None => "",
        });
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

fn union(statuses: &[ProductStatus], branch: impl Fn(ProductStatus) -> String) -> String {
    let branches = statuses.iter().map(|status| format!("SELECT * FROM ({}) AS branch", branch(*status)));
    branches.collect::<Vec<_>>().join(" UNION ALL ")
}

/// How the embedded engine would find the first page of a list, step by step.
#[cfg(test)]
pub(super) async fn explain(database: &stoa_platform::database::Database, listing: Listing) -> Vec<String> {
    let read = move |connection: &mut Connection<'_>| -> Result<Vec<String>, DatabaseError> {
        let way = best_way(connection, &listing)?;
        let statement = Statement::rows(Engine::Sqlite, &listing, (&PageRequest::first(20), None), way);
        connection.query(&format!("EXPLAIN QUERY PLAN {}", statement.sql), &statement.values, |row| {
            let _: (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
            row.read()
        })
    };
    database.read(read).await.unwrap()
}
