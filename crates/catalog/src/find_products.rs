//! Finding products by words, tier by tier until the page is full.

use std::collections::HashMap;

use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Currency, Cursor, CursorValue, Page, PageRequest, page::DEEPEST_ENTRY};
use stoa_platform::database::{Connection, DatabaseError, Value, placeholders};

use crate::{
    listing::ForeignCursor,
    product::Product,
    search::{Search, Tier},
    store::{
        products,
        search::{self as index, Hit},
    },
};

/// What the orderings of these lists are called in cursors.
const ORDERING: &str = "search:";
const NAMED: &str = "search:named";

/// A place in what a search finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Spot {
    /// Among the names that begin with the phrase.
    Named { words: String, doc: i64 },
    /// In one of the tiers after them.
    In(Tier, i64),
}

impl Spot {
    /// The place a cursor names; `Err` for one of another list.
    pub(crate) fn after(request: &PageRequest) -> Result<Option<Self>, ForeignCursor> {
        let Some(cursor) = request.after() else { return Ok(None) };
        let spot = match &cursor.value {
            CursorValue::Text(text) if cursor.order == NAMED => {
                let place =
                    text.split_once(' ').and_then(|(doc, words)| Some((doc.parse().ok()?, words.to_owned())));
                place.map(|(doc, words)| Self::Named { words, doc })
            }
            CursorValue::Number(doc) => {
                let name = cursor.order.strip_prefix(ORDERING).unwrap_or_default();
                Tier::ALL.into_iter().find(|tier| tier.name() == name).map(|tier| Self::In(tier, *doc))
            }
            CursorValue::Text(_) => None,
        };
        spot.map(Some).ok_or(ForeignCursor)
    }

    fn of(tier: Option<Tier>, hit: &Hit) -> Self {
        match tier {
            None => Self::Named { words: hit.words.clone(), doc: hit.doc },
            Some(tier) => Self::In(tier, hit.doc),
        }
    }

    fn cursor(self, id: ProductId) -> Cursor {
        let (order, value) = match self {
            Self::Named { words, doc } => (NAMED.to_owned(), CursorValue::Text(format!("{doc} {words}"))),
            Self::In(tier, doc) => (format!("{ORDERING}{}", tier.name()), CursorValue::Number(doc)),
        };
        Cursor { order, value, id: id.uuid() }
    }
}

/// A page of what a search finds.
pub(crate) fn page(
    connection: &mut Connection<'_>,
    search: &Search,
    (request, after): (&PageRequest, Option<&Spot>),
    currency: Currency,
) -> Result<Page<Product>, DatabaseError> {
    if search.asked.is_empty() || search.statuses.is_empty() {
        return Ok(Page { entries: Vec::new(), next: None, total: request.wants_total().then_some(0) });
    }
    let total = if request.wants_total() {
        let all = gather(connection, search, None, DEEPEST_ENTRY.into())?;
        Some(u32::try_from(all.len()).unwrap_or(DEEPEST_ENTRY))
    } else {
        None
    };
    let reach = i64::from(request.offset()) + i64::from(request.limit) + 1;
    let mut found = gather(connection, search, after, reach)?;
    found.drain(..found.len().min(usize::try_from(request.offset()).unwrap_or(usize::MAX)));
    let Page { entries, next, .. } =
        Page::from_rows(found, request.limit, None, |(tier, hit)| Spot::of(*tier, hit).cursor(hit.product));
    let entries = shown(connection, search, &entries, currency)?;
    Ok(Page { entries, next, total })
}

/// So many of what is found after a place, best first. Words that look alike are thought of only when there is room left.
fn gather(
    connection: &mut Connection<'_>,
    search: &Search,
    after: Option<&Spot>,
    most: i64,
) -> Result<Vec<(Option<Tier>, Hit)>, DatabaseError> {
    let mut found: Vec<(Option<Tier>, Hit)> = Vec::new();
    let begin = match after {
        Some(Spot::In(tier, doc)) => Some((*tier, *doc)),
        _ => None,
    };
    if begin.is_none() {
        let place = match after {
            Some(Spot::Named { words, doc }) => Some((words.as_str(), *doc)),
            _ => None,
        };
        found.extend(index::named(connection, search, place, most)?.into_iter().map(|hit| (None, hit)));
    }
    for tier in Tier::ALL {
        let left = most - i64::try_from(found.len()).unwrap_or(most);
        let after = match begin {
            Some((begin, _)) if tier < begin => continue,
            Some((begin, doc)) if tier == begin => doc,
            _ => 0,
        };
        if left <= 0 {
            break;
        }
        let meant = if tier == Tier::LookAlike { meant(connection, search)? } else { Vec::new() };
        if tier == Tier::LookAlike && meant.iter().all(Vec::is_empty) {
            break;
        }
        let hits = index::of_tier(connection, search, (tier, &meant), after, left)?;
        found.extend(hits.into_iter().map(|hit| (Some(tier), hit)));
    }
    Ok(found)
}

/// For each term the known words that look like it.
fn meant(connection: &mut Connection<'_>, search: &Search) -> Result<Vec<Vec<String>>, DatabaseError> {
    search.asked.terms.iter().map(|term| index::meant_by(connection, term.text())).collect()
}

/// The products themselves, in the order they were found in. One that was changed or deleted since then is left out.
fn shown(
    connection: &mut Connection<'_>,
    search: &Search,
    found: &[(Option<Tier>, Hit)],
    currency: Currency,
) -> Result<Vec<Product>, DatabaseError> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Value<'_>> = found.iter().map(|(_, hit)| Value::from(hit.product)).collect();
    let sql =
        format!("SELECT {} FROM products WHERE id IN ({})", products::COLUMNS, placeholders(1, ids.len()));
    let products = products::query(connection, &sql, &ids, currency)?;
    let mut products: HashMap<_, _> =
        products.into_iter().map(|product| (product.id.uuid(), product)).collect();
    let in_order = found.iter().filter_map(|(_, hit)| products.remove(&hit.product.uuid()));
    Ok(in_order.filter(|product| search.statuses.contains(&product.status)).collect())
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Position;

    use super::*;

    fn request(cursor: Cursor) -> PageRequest {
        PageRequest { limit: 1, position: Position::After(cursor), count: false }
    }

    #[test]
    fn a_place_survives_the_trip() {
        let id: ProductId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        let spots = [
            Spot::Named { words: "oak table".into(), doc: 7 },
            Spot::In(Tier::Whole, 1),
            Spot::In(Tier::LookAlike, i64::MAX),
        ];
        for spot in spots {
            assert_eq!(Spot::after(&request(spot.clone().cursor(id))).unwrap(), Some(spot));
        }
        assert_eq!(Spot::after(&PageRequest::first(1)).unwrap(), None);
    }

    #[test]
    fn a_cursor_of_another_list_is_foreign() {
        let foreign = |order: &str, value| {
            let cursor = Cursor { order: order.into(), value, id: uuid::Uuid::nil() };
            assert_eq!(Spot::after(&request(cursor)), Err(ForeignCursor));
        };
        foreign("createdAt:desc", CursorValue::Number(1));
        foreign("search:named", CursorValue::Number(1));
        foreign("search:named", CursorValue::Text("x y".into()));
        foreign("search:whole", CursorValue::Text("1 y".into()));
    }
}
