//! Finding products by words, tier by tier until the page is full.

use std::collections::HashMap;

use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Currency, Cursor, CursorValue, Page, PageRequest, page::DEEPEST_ENTRY};
use stoa_platform::database::{Connection, DatabaseError, Value, placeholders};

use crate::{
    listing::ForeignCursor,
    product::Product,
    search::{Beginnings, Hints, Search, Tier},
    store::{
        products,
        search::{self as index, Hit},
    },
};

/// What the orderings of these lists are called in cursors.
const ORDERING: &str = "search:";
const SKU: &str = "search:sku";
const NAMED: &str = "search:named";

/// A place in what a search finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Spot {
    /// The product with a variant of the SKU.
    Sku,
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
            CursorValue::Number(_) if cursor.order == SKU => Some(Self::Sku),
            CursorValue::Number(doc) => {
                let name = cursor.order.strip_prefix(ORDERING).unwrap_or_default();
                Tier::ALL.into_iter().find(|tier| tier.name() == name).map(|tier| Self::In(tier, *doc))
            }
            CursorValue::Text(_) => None,
        };
        spot.map(Some).ok_or(ForeignCursor)
    }

    fn of(step: Step, hit: &Hit) -> Self {
        match step {
            Step::Sku => Self::Sku,
            Step::Named => Self::Named { words: hit.words.clone(), doc: hit.doc },
            Step::In(tier) => Self::In(tier, hit.doc),
        }
    }

    fn cursor(self, id: ProductId) -> Cursor {
        let (order, value) = match self {
            Self::Sku => (SKU.to_owned(), CursorValue::Number(0)),
            Self::Named { words, doc } => (NAMED.to_owned(), CursorValue::Text(format!("{doc} {words}"))),
            Self::In(tier, doc) => (format!("{ORDERING}{}", tier.name()), CursorValue::Number(doc)),
        };
        Cursor { order, value, id: id.uuid() }
    }
}

/// What a product was found by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Sku,
    Named,
    In(Tier),
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
        Page::from_rows(found, request.limit, None, |(step, hit)| Spot::of(*step, hit).cursor(hit.product));
    let entries = shown(connection, search, &entries, currency)?;
    Ok(Page { entries, next, total })
}

/// So many of what is found after a place, best first. Words that look alike are thought of only when there is room left.
fn gather(
    connection: &mut Connection<'_>,
    search: &Search,
    after: Option<&Spot>,
    most: i64,
) -> Result<Vec<(Step, Hit)>, DatabaseError> {
    let mut found = Found { hits: Vec::new(), by_sku: index::of_sku(connection, search)?, most };
    let is_beginning = after.is_none();
    if is_beginning {
        found.begin();
    }
    let first = match after {
        Some(Spot::In(tier, doc)) => Some((*tier, *doc)),
        _ => None,
    };
    if first.is_none() && found.wants() > 0 {
        let place = match after {
            Some(Spot::Named { words, doc }) => Some((words.as_str(), *doc)),
            _ => None,
        };
        let hits = index::named(connection, search, place, found.wants())?;
        found.add(Step::Named, hits);
    }
    let mut begun = None;
    for tier in Tier::ALL {
        let after = match first {
            Some((first, _)) if tier < first => continue,
            Some((first, doc)) if tier == first => doc,
            _ => 0,
        };
        if found.wants() == 0 {
            break;
        }
        let meant = if tier == Tier::LookAlike { meant(connection, search)? } else { Vec::new() };
        if tier == Tier::LookAlike && meant.iter().all(Vec::is_empty) {
            break;
        }
        // Most searches end with the words as they are.
        let begun = match (&mut begun, tier) {
            (_, Tier::Whole) => &Beginnings::default(),
            (Some(begun), _) => begun,
            (begun, _) => begun.insert(index::beginnings(connection, &search.asked)?),
        };
        let is_first = is_beginning && found.hits.is_empty();
        let hints = Hints { begun, meant: &meant, is_first };
        let more = index::of_tier(connection, search, (tier, &hints), after, found.wants())?;
        found.add(Step::In(tier), more);
    }
    Ok(found.hits)
}

/// What was found so far.
struct Found {
    hits: Vec<(Step, Hit)>,
    /// The product that was found by its SKU, and is not to be found again.
    by_sku: Option<ProductId>,
    most: i64,
}

impl Found {
    fn begin(&mut self) {
        if let Some(product) = self.by_sku {
            self.hits.push((Step::Sku, Hit { product, doc: 0, words: String::new() }));
        }
    }

    /// How many are to be looked for: one more than fit where one of them may be known.
    fn wants(&self) -> i64 {
        let left = self.most - i64::try_from(self.hits.len()).unwrap_or(self.most);
        if left > 0 { left + i64::from(self.by_sku.is_some()) } else { 0 }
    }

    fn add(&mut self, step: Step, hits: Vec<Hit>) {
        let fresh = hits.into_iter().filter(|hit| Some(hit.product) != self.by_sku);
        self.hits.extend(fresh.map(|hit| (step, hit)));
        self.hits.truncate(usize::try_from(self.most).unwrap_or(usize::MAX));
    }
}

/// For each term the known words that look like it.
fn meant(connection: &mut Connection<'_>, search: &Search) -> Result<Vec<Vec<String>>, DatabaseError> {
    search.asked.terms.iter().map(|term| index::meant_by(connection, term.text())).collect()
}

/// The products themselves, in the order they were found in. One that was changed or deleted since then is left out.
fn shown(
    connection: &mut Connection<'_>,
    search: &Search,
    found: &[(Step, Hit)],
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
            Spot::Sku,
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
