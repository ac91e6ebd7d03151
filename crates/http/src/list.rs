//! How every list is asked for: `limit` (or `size`), `cursor` or `page`, `total`, `sortBy`, `sortOrder`.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Deserialize;
use stoa_kernel::{Cursor, PageRequest, Position, SortOrder, page::DEEPEST_ENTRY};
use utoipa::IntoParams;

use crate::{
    body::{QueryPart, query_problem},
    problem::Problem,
};

const DEFAULT_LIMIT: u32 = 20;
const MOST_LIMIT: u32 = 100;

/// The list parameters of a request, checked.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Which part of the list.
    pub page: PageRequest,
    sort_by: Option<String>,
    sort_order: Option<SortOrder>,
}

/// The list parameters as they come, and as the OpenAPI document shows them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// Entries to a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// Another name for `limit`.
    #[param(minimum = 1, maximum = 100)]
    size: Option<u32>,
    /// Where to go on: `nextCursor` of the page before.
    cursor: Option<String>,
    /// A page number, instead of a cursor; page × limit is at most 10,000.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Whether to count the whole list, up to 10,000.
    total: Option<bool>,
    /// What to sort by.
    sort_by: Option<String>,
    /// Which way.
    sort_order: Option<SortOrder>,
}

impl ListQuery {
    /// The sort key by its public name, or the default; an unknown name is 400.
    pub fn sort<K: Copy>(
        &self,
        keys: &[(&str, K)],
        default: (K, SortOrder),
    ) -> Result<(K, SortOrder), Problem> {
        let Some(name) = &self.sort_by else {
            return Ok((default.0, self.sort_order.unwrap_or(default.1)));
        };
        let found = keys.iter().find(|(known, _)| known == name);
        let known: Vec<_> = keys.iter().map(|(known, _)| *known).collect();
        let (_, key) = found.ok_or_else(|| {
            query_problem("sortBy".into(), format!("It must be one of {}.", known.join(", ")))
        })?;
        Ok((*key, self.sort_order.unwrap_or_default()))
    }

    fn checked(given: ListParameters) -> Result<Self, Problem> {
        let refuse = |field: &str, message: &str| Err(query_problem(field.into(), message.into()));
        if given.limit.is_some() && given.size.is_some() && given.limit != given.size {
            return refuse("size", "It is another name for limit and cannot differ from it.");
        }
        let limit = given.limit.or(given.size).unwrap_or(DEFAULT_LIMIT);
        if !(1..=MOST_LIMIT).contains(&limit) {
            return refuse(if given.limit.is_some() { "limit" } else { "size" }, "It must be 1 to 100.");
        }
        let position = match (given.cursor, given.page) {
            (Some(_), Some(_)) => return refuse("page", "It cannot stand beside a cursor."),
            (Some(cursor), None) => match Cursor::decode(&cursor) {
                Some(cursor) => Position::After(cursor),
                None => return refuse("cursor", "It is not a cursor of this list."),
            },
            (None, Some(0)) => return refuse("page", "Pages count from 1."),
            (None, Some(page)) if page.saturating_mul(limit) > DEEPEST_ENTRY => {
                return refuse("page", "page × limit must not pass 10,000; use the cursor.");
            }
            (None, Some(page)) => Position::Number(page),
            (None, None) => Position::Start,
        };
        let page = PageRequest { limit, position, count: given.total.unwrap_or(false) };
        Ok(Self { page, sort_by: given.sort_by, sort_order: given.sort_order })
    }
}

/// 400 for a cursor that belongs to another list or ordering.
pub fn foreign_cursor() -> Problem {
    query_problem("cursor".into(), "It is not a cursor of this list in this order.".into())
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let QueryPart(given) = QueryPart::<ListParameters>::from_request_parts(parts, state).await?;
        Self::checked(given)
    }
}

impl IntoParams for ListQuery {
    fn into_params(
        parameter_in: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        ListParameters::into_params(parameter_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<ListQuery, String> {
        let uri: axum::http::Uri = format!("/x?{query}").parse().unwrap();
        let given =
            axum::extract::Query::<ListParameters>::try_from_uri(&uri).map_err(|error| error.body_text())?;
        ListQuery::checked(given.0).map_err(|problem| problem.0.fields[0].field.to_string())
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("size=101", "size"),
            ("limit=1&size=2", "size"),
            ("cursor=nonsense", "cursor"),
            ("page=0", "page"),
            ("page=101&limit=100", "page"),
        ] {
            assert_eq!(asked(query).unwrap_err(), field, "{query}");
        }
        assert!(asked("limit=many").is_err() && asked("sortOrder=up").is_err() && asked("total=2").is_err());
    }

    #[test]
    fn a_list_has_a_start_a_cursor_or_a_number() {
        assert_eq!(asked("").unwrap().page, PageRequest::first(20));
        let page = asked("page=3&size=10").unwrap().page;
        assert_eq!((page.offset(), page.limit, page.wants_total()), (20, 10, true));
    }

    #[test]
    fn sort_keys_have_public_names() {
        let keys = [("price", 1), ("name", 2)];
        let sort = |query| asked(query).unwrap().sort(&keys, (1, SortOrder::Desc));
        assert_eq!(sort("").unwrap(), (1, SortOrder::Desc));
        assert_eq!(sort("sortBy=name").unwrap(), (2, SortOrder::Asc));
        assert!(sort("sortBy=weight").is_err());
    }
}
