//! Lists in pages: by opaque cursor, stable under inserts, or by page number within a bound.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many entries a total counts to at most, and how far page numbers reach.
pub const DEEPEST_ENTRY: u32 = 10_000;

/// Which part of a list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// Entries wanted, 1 to 100.
    pub limit: u32,
    /// Where to begin.
    pub position: Position,
    /// Whether to count the whole list, up to [`DEEPEST_ENTRY`].
    pub count: bool,
}

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Position {
    /// With the first entry.
    Start,
    /// Right after the entry a cursor names.
    After(Cursor),
    /// At a page number, from 1.
    Number(u32),
}

impl PageRequest {
    /// The first `limit` entries.
    pub const fn first(limit: u32) -> Self {
        Self { limit, position: Position::Start, count: false }
    }

    /// Entries to skip when asked by page number.
    pub fn offset(&self) -> u32 {
        match self.position {
            Position::Number(page) => page.saturating_sub(1).saturating_mul(self.limit),
            _ => 0,
        }
    }

    /// The cursor to begin after, if any.
    pub fn after(&self) -> Option<&Cursor> {
        match &self.position {
            Position::After(cursor) => Some(cursor),
            _ => None,
        }
    }

    /// Whether the answer carries a total: asked for, or implied by a page number.
    pub fn wants_total(&self) -> bool {
        self.count || matches!(self.position, Position::Number(_))
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
    /// How many entries the whole list has, counted to [`DEEPEST_ENTRY`].
    pub total: Option<u32>,
}

impl<T> Page<T> {
    /// Makes a page of rows fetched with a limit of one more than wanted: the extra row only tells that more follow.
    pub fn from_rows(
        mut rows: Vec<T>,
        limit: u32,
        total: Option<u32>,
        cursor: impl FnOnce(&T) -> Cursor,
    ) -> Self {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next = if more { rows.last().map(cursor) } else { None };
        Self { entries: rows, next, total }
    }

    /// The same page with each entry turned into something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { entries: self.entries.into_iter().map(change).collect(), next: self.next, total: self.total }
    }
}

/// Which way a list runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SortOrder {
    /// Smallest first.
    #[default]
    Asc,
    /// Largest first.
    Desc,
}

/// The place of one entry in one ordering of a list, opaque to clients.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The ordering it belongs to, e.g. `price:asc`; a cursor of another ordering is refused.
    pub order: String,
    /// The entry's sort value.
    pub value: CursorValue,
    /// The entry's id, which breaks ties.
    pub id: Uuid,
}

/// A sort value inside a cursor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CursorValue {
    /// A number, a time in microseconds, or an amount in minor units.
    #[serde(rename = "n")]
    Number(i64),
    /// Text in its folded form.
    #[serde(rename = "t")]
    Text(String),
}

impl Cursor {
    /// The opaque form handed to clients.
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads what [`Cursor::encode`] wrote.
    pub fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    /// The numeric sort value, when this cursor belongs to `order`.
    pub fn number_in(&self, order: &str) -> Option<i64> {
        match &self.value {
            CursorValue::Number(number) if self.order == order => Some(*number),
            _ => None,
        }
    }

    /// The textual sort value, when this cursor belongs to `order`.
    pub fn text_in(&self, order: &str) -> Option<&str> {
        match &self.value {
            CursorValue::Text(text) if self.order == order => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_trip_and_refuse_nonsense() {
        let cursor = Cursor { order: "price:asc".into(), value: CursorValue::Number(-3), id: Uuid::nil() };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor.clone()));
        assert_eq!(cursor.number_in("price:desc"), None);
        assert_eq!(Cursor::decode("bm9uc2Vuc2U"), None);
        assert_eq!(Cursor::decode("%%%"), None);
    }

    #[test]
    fn the_extra_row_only_tells_that_more_follow() {
        let cursor = |n: &i64| Cursor { order: "n".into(), value: CursorValue::Number(*n), id: Uuid::nil() };
        let page = Page::from_rows(vec![1, 2, 3], 2, None, cursor);
        assert_eq!(page.entries, [1, 2]);
        assert_eq!(page.next.unwrap().value, CursorValue::Number(2));
        assert!(Page::from_rows(vec![1, 2], 2, None, cursor).next.is_none());
    }
}
