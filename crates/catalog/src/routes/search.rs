//! `/api/products/search`.

use axum::{extract::State, middleware::from_fn};
use stoa_http::{CacheRule, Caller, ListQuery, Outcome, QueryPart, Reply, cached, foreign_cursor};
use stoa_kernel::{Page, PageRequest};
use stoa_platform::database::{Connection, DatabaseError};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::sight;
use crate::{
    Catalogue, PRODUCTS,
    find_products::{self, Spot},
    listing::{Question, unsorted},
    product::Product,
    search::Search,
};

/// Kept as lists of products are.
pub(super) fn routes(catalogue: &Catalogue, rule: CacheRule) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(search)).layer(from_fn(cached(rule))).with_state(catalogue.clone())
}

/// Search products. Names that begin with what is searched for come first, the exact one before all; then names with all
/// of its words, names with words that begin so, products that say so elsewhere, and at last words that look alike.
/// Others than those who may change products find the ACTIVE ones.
#[utoipa::path(
    get, path = "/api/products/search", tag = "Products", operation_id = "searchProducts",
    params(ListQuery, Question),
    responses(
        (status = 200, description = "A page of what was found, best first", body = Vec<Product>),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn search(
    State(catalogue): State<Catalogue>,
    Caller(actor): Caller,
    query: ListQuery,
    QueryPart(question): QueryPart<Question>,
) -> Outcome {
    unsorted(&query)?;
    let search = question.checked(sight(&actor), catalogue.currency())?;
    let after = Spot::after(&query.page).map_err(|_| foreign_cursor())?;
    let page = catalogue.find(search, query.page.clone(), after).await?;
    Ok(Reply::page(&page, &query.page)?.with_tag(PRODUCTS))
}

impl Catalogue {
    async fn find(
        &self,
        search: Search,
        request: PageRequest,
        after: Option<Spot>,
    ) -> Result<Page<Product>, DatabaseError> {
        let currency = self.currency();
        let read = move |connection: &mut Connection<'_>| {
            find_products::page(connection, &search, (&request, after.as_ref()), currency)
        };
        self.0.database.read(read).await
    }
}
