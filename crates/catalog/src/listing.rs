//! What a list of products is asked for: filters, order and place, checked.

use serde::Deserialize;
use stoa_contracts::catalog::ProductId;
use stoa_http::ListQuery;
use stoa_kernel::{
    Currency, Cursor, CursorValue, Decimal, FieldError, PageRequest, Refusal, SortOrder, Timestamp,
};
use utoipa::IntoParams;

use crate::{
    product::{ProductStatus, folded},
    search::{Asked, Search},
    slug::Slug,
};

const LONGEST_SEARCH: usize = 100;
const LONGEST_QUESTION: usize = 200;

/// Who sees what: everybody what is offered, those who may change products the rest too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    Offered,
    Everything,
}

impl Sight {
    pub(crate) fn covers(self, status: ProductStatus) -> bool {
        self == Self::Everything || status == ProductStatus::Active
    }
}

/// What products can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SortKey {
    Price,
    Name,
    CreatedAt,
}

impl SortKey {
    /// Their public names.
    pub(crate) const NAMES: [(&'static str, Self); 3] =
        [("price", Self::Price), ("name", Self::Name), ("createdAt", Self::CreatedAt)];

    const fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Name => "name",
            Self::CreatedAt => "createdAt",
        }
    }
}

/// The filters of a list of products as they come.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// The slug of a category.
    #[param(pattern = "^[a-z0-9-]{1,100}$")]
    category: Option<String>,
    /// Where products are in their life; others than ACTIVE are shown to those who may change them.
    #[param(inline)]
    status: Option<ProductStatus>,
    /// The lowest price.
    #[param(value_type = Option<f64>, minimum = 0)]
    min_price: Option<String>,
    /// The highest price.
    #[param(value_type = Option<f64>, minimum = 0)]
    max_price: Option<String>,
    /// Only products that are in stock, or only those that are not.
    in_stock: Option<bool>,
    /// Words that the name holds, or beginnings of them; case and accents do not matter.
    #[param(max_length = 100)]
    search: Option<String>,
}

/// A list of products: which of them, and in which order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Listing {
    /// None when the caller may see none of what was asked for.
    pub(crate) statuses: Vec<ProductStatus>,
    pub(crate) category: Option<Slug>,
    pub(crate) min_price: Option<i64>,
    pub(crate) max_price: Option<i64>,
    pub(crate) in_stock: Option<bool>,
    /// Words of the name, each or its beginning.
    pub(crate) words: Option<Asked>,
    pub(crate) sort: SortKey,
    pub(crate) order: SortOrder,
}

/// The place of a product in an ordering.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) value: CursorValue,
    pub(crate) id: ProductId,
}

/// What a product has that lists are sorted by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sorted<'p> {
    pub(crate) id: ProductId,
    pub(crate) price: i64,
    pub(crate) name: &'p str,
    pub(crate) created_at: Timestamp,
}

impl Filters {
    /// The list, as `sight` shows it; 400 for a filter that is not as it must be.
    pub(crate) fn checked(
        self,
        sight: Sight,
        (sort, order): (SortKey, SortOrder),
        currency: Currency,
    ) -> Result<Listing, Refusal> {
        let category = match self.category.as_deref().map(Slug::parse).transpose() {
            Ok(category) => category,
            Err(flaw) => return Err(bad("category", flaw.message)),
        };
        let asked = self.status.map_or_else(|| ProductStatus::ALL.to_vec(), |status| vec![status]);
        Ok(Listing {
            statuses: asked.into_iter().filter(|status| sight.covers(*status)).collect(),
            category,
            min_price: amount("minPrice", self.min_price.as_deref(), currency)?,
            max_price: amount("maxPrice", self.max_price.as_deref(), currency)?,
            in_stock: self.in_stock,
            words: words(self.search.as_deref().unwrap_or_default())?,
            sort,
            order,
        })
    }
}

fn amount(field: &'static str, text: Option<&str>, currency: Currency) -> Result<Option<i64>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let amount = Decimal::parse(text).and_then(|decimal| decimal.in_currency(currency).ok());
    match amount.map(stoa_kernel::Money::minor) {
        Some(minor) if minor >= 0 => Ok(Some(minor)),
        _ => Err(bad(field, "It must be an amount in the currency of the shop.")),
    }
}

fn words(search: &str) -> Result<Option<Asked>, Refusal> {
    if search.chars().count() > LONGEST_SEARCH || search.contains('\0') {
        return Err(bad("search", "It must be text of at most 100 characters."));
    }
    Ok((!search.trim().is_empty()).then(|| Asked::of(search)))
}

/// What is searched for, as it comes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Question {
    /// What is searched for: words of a name or of a description, or beginnings of them.
    #[param(value_type = String, min_length = 1, max_length = 200)]
    q: Option<String>,
    /// The slug of a category.
    #[param(pattern = "^[a-z0-9-]{1,100}$")]
    category: Option<String>,
    /// The lowest price.
    #[serde(alias = "minPrice")]
    #[param(value_type = Option<f64>, minimum = 0)]
    min_price: Option<String>,
    /// The highest price.
    #[serde(alias = "maxPrice")]
    #[param(value_type = Option<f64>, minimum = 0)]
    max_price: Option<String>,
}

impl Question {
    /// The search, as `sight` shows it; 400 for a part that is not as it must be.
    pub(crate) fn checked(self, sight: Sight, currency: Currency) -> Result<Search, Refusal> {
        let question = self.q.as_deref().unwrap_or_default();
        if question.trim().is_empty() || question.contains('\0') {
            return Err(bad("q", "It must be text to search for."));
        }
        if question.chars().count() > LONGEST_QUESTION {
            return Err(bad("q", "It must be text of at most 200 characters."));
        }
        let category = self.category.as_deref().map(Slug::parse).transpose();
        Ok(Search {
            asked: Asked::of(question),
            statuses: ProductStatus::ALL.into_iter().filter(|status| sight.covers(*status)).collect(),
            category: category.map_err(|flaw| bad("category", flaw.message))?,
            min_price: amount("min_price", self.min_price.as_deref(), currency)?,
            max_price: amount("max_price", self.max_price.as_deref(), currency)?,
        })
    }
}

/// 400 for a search that is to be sorted: what fits best comes first.
pub(crate) fn unsorted(query: &ListQuery) -> Result<(), Refusal> {
    let none: [(&str, ()); 0] = [];
    match query.sort(&none, ((), SortOrder::Desc)) {
        Ok(((), SortOrder::Desc)) => Ok(()),
        Ok(((), SortOrder::Asc)) => Err(bad("sortOrder", "What fits best comes first.")),
        Err(_) => Err(bad("sortBy", "What fits best comes first.")),
    }
}

fn bad(field: &'static str, message: &'static str) -> Refusal {
    let detail = format!("The query parameter `{field}` is invalid. {message}");
    let mut refusal = Refusal::malformed("INVALID_QUERY", detail);
    refusal.fields = vec![FieldError::new(field, "INVALID", message)];
    refusal
}

impl Listing {
    /// The place a cursor names; `Err` for one of another ordering.
    pub(crate) fn after(&self, request: &PageRequest) -> Result<Option<Place>, ForeignCursor> {
        let Some(cursor) = request.after() else { return Ok(None) };
        let fits = match cursor.value {
            CursorValue::Number(_) => self.sort != SortKey::Name,
            CursorValue::Text(_) => self.sort == SortKey::Name,
        };
        if cursor.order != self.ordering() || !fits {
            return Err(ForeignCursor);
        }
        Ok(Some(Place { value: cursor.value.clone(), id: cursor.id.into() }))
    }

    /// The cursor that goes on after a product.
    pub(crate) fn cursor_after(&self, last: &Sorted<'_>) -> Cursor {
        let value = match self.sort {
            SortKey::Price => CursorValue::Number(last.price),
            SortKey::Name => CursorValue::Text(folded(last.name)),
            SortKey::CreatedAt => CursorValue::Number(last.created_at.as_micros()),
        };
        Cursor { order: self.ordering(), value, id: last.id.uuid() }
    }

    /// Whether an index holds just these products in this order, so that a page is read straight from it.
    pub(crate) fn is_walked_straight(&self) -> bool {
        !self.searches_names() && self.in_stock != Some(true) && !self.searches_prices()
    }

    /// Whether names are searched.
    pub(crate) const fn searches_names(&self) -> bool {
        self.words.is_some()
    }

    /// Whether signs are searched for that no name is found by.
    pub(crate) fn finds_nothing(&self) -> bool {
        self.words.as_ref().is_some_and(Asked::is_empty)
    }

    /// Whether prices are searched while something else is sorted by.
    pub(crate) fn searches_prices(&self) -> bool {
        self.sort != SortKey::Price && (self.min_price.is_some() || self.max_price.is_some())
    }

    /// The same list without any filter but category and prices.
    pub(crate) fn priced(&self) -> Self {
        Self { words: None, in_stock: None, ..self.clone() }
    }

    fn ordering(&self) -> String {
        let direction = if self.order == SortOrder::Asc { "asc" } else { "desc" };
        format!("{}:{direction}", self.sort.name())
    }
}

/// The cursor belongs to another list or ordering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ForeignCursor;

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use stoa_kernel::Position;

    use super::*;

    const NEWEST: (SortKey, SortOrder) = (SortKey::CreatedAt, SortOrder::Desc);

    fn checked(filters: Filters, sight: Sight) -> Result<Listing, String> {
        let listing = filters.checked(sight, NEWEST, Currency::parse("USD").unwrap());
        listing.map_err(|refusal| refusal.fields[0].field.to_string())
    }

    #[test]
    fn others_than_those_who_change_products_see_what_is_offered() {
        let asking = |status| Filters { status, ..Filters::default() };
        let seen = |status, sight| checked(asking(status), sight).unwrap().statuses;
        assert_eq!(seen(None, Sight::Offered), [ProductStatus::Active]);
        assert_eq!(seen(Some(ProductStatus::Draft), Sight::Offered), []);
        assert_eq!(seen(None, Sight::Everything), ProductStatus::ALL);
        assert_eq!(seen(Some(ProductStatus::Draft), Sight::Everything), [ProductStatus::Draft]);
    }

    #[test]
    fn bad_filters_are_named() {
        let prices = |text: &str| Filters { min_price: Some(text.into()), ..Filters::default() };
        for text in ["", "ten", "1.999", "-1", "1e999", "99999999999999999999"] {
            assert_eq!(checked(prices(text), Sight::Offered).unwrap_err(), "minPrice", "{text:?}");
        }
        assert_eq!(checked(prices("19.9"), Sight::Offered).unwrap().min_price, Some(1_990));
        let category = Filters { category: Some("No Slug".into()), ..Filters::default() };
        assert_eq!(checked(category, Sight::Offered).unwrap_err(), "category");
        let search = Filters { search: Some("x".repeat(101)), ..Filters::default() };
        assert_eq!(checked(search, Sight::Offered).unwrap_err(), "search");
    }

    #[test]
    fn words_are_searched_in_lower_case() {
        let search = Filters { search: Some("  Blue  LAMP ".into()), ..Filters::default() };
        assert_eq!(checked(search, Sight::Offered).unwrap().words.unwrap().phrase, "blue lamp");
    }

    #[test]
    fn a_cursor_of_another_ordering_is_foreign() {
        let listing = checked(Filters::default(), Sight::Offered).unwrap();
        let at = |order: &str, value| {
            let at_nil = ProductId::from_str("00000000-0000-0000-0000-000000000000").unwrap().uuid();
            let cursor = Cursor { order: order.into(), value, id: at_nil };
            listing.after(&PageRequest { limit: 1, position: Position::After(cursor), count: false })
        };
        assert!(at("createdAt:desc", CursorValue::Number(1)).unwrap().is_some());
        assert_eq!(at("createdAt:asc", CursorValue::Number(1)), Err(ForeignCursor));
        assert_eq!(at("createdAt:desc", CursorValue::Text("x".into())), Err(ForeignCursor));
    }
}
