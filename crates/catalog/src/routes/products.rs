//! `/api/products`.

use axum::{extract::State, middleware::from_fn};
use stoa_contracts::catalog::ProductId;
use stoa_http::{
    CacheRule, Caller, Idempotent, IfMatch, Json, ListQuery, Outcome, PathParts, Permitted, Problem,
    QueryPart, Reply, cached, foreign_cursor,
};
use stoa_kernel::{Actor, Page, PageRequest, SortOrder};
use stoa_platform::database::{Connection, DatabaseError, Tx};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    permitted::{CreatesProducts, DeletesProducts, UpdatesProducts},
    sight,
};
use crate::{
    CatalogError, Catalogue, PRODUCTS,
    create_product::CreateProduct,
    listing::{Filters, Listing, Place, Sight, SortKey},
    product::Product,
    product_tag,
    stock::AdjustStock,
    store::{
        pages,
        written::{self, Written},
    },
    update_product::UpdateProduct,
};

const NEWEST_FIRST: (SortKey, SortOrder) = (SortKey::CreatedAt, SortOrder::Desc);
/// Entries that may be skipped on the way to a page that is read inline.
const FEW_SKIPPED: u32 = 200;

pub(super) fn routes(catalogue: &Catalogue) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .layer(from_fn(cached(cache_rule(catalogue))))
        .routes(routes!(create))
        .routes(routes!(replace, change, remove))
        .routes(routes!(change_stock))
        .with_state(catalogue.clone())
}

/// How answers about products are kept.
pub(super) fn cache_rule(catalogue: &Catalogue) -> CacheRule {
    CacheRule { prefix: "products", ttl: catalogue.0.settings.products_ttl, visibility }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a cache rule")]
fn visibility(actor: &Actor) -> Option<&'static str> {
    Some(match sight(actor) {
        Sight::Everything => "all",
        Sight::Offered => "active",
    })
}

/// List products. Others than those who may change products see the ACTIVE ones.
#[utoipa::path(
    get, path = "/api/products", tag = "Products", operation_id = "listProducts", params(ListQuery, Filters),
    responses(
        (status = 200, description = "A page of products", body = Vec<Product>),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn list(
    State(catalogue): State<Catalogue>,
    Caller(actor): Caller,
    query: ListQuery,
    QueryPart(filters): QueryPart<Filters>,
) -> Outcome {
    let sort = query.sort(&SortKey::NAMES, NEWEST_FIRST)?;
    let listing = filters.checked(sight(&actor), sort, catalogue.currency())?;
    let after = listing.after(&query.page).map_err(|_| foreign_cursor())?;
    let page = catalogue.page(listing, query.page.clone(), after).await?;
    Ok(Reply::page_written(&page, &query.page).with_tag(PRODUCTS))
}

/// Show a product.
#[utoipa::path(
    get, path = "/api/products/{id}", tag = "Products", operation_id = "getProduct",
    params(("id" = ProductId, Path, description = "The product's id")),
    responses(
        (status = 200, description = "The product", body = Product),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn show(
    State(catalogue): State<Catalogue>,
    Caller(actor): Caller,
    PathParts(id): PathParts<ProductId>,
) -> Outcome {
    let found = catalogue.written(id).await?.filter(|product| sight(&actor).covers(product.status));
    let product = found.ok_or(CatalogError::UnknownProduct)?;
    let version = product.version;
    Ok(Reply::written(product.into()).with_etag(version).with_tag(product_tag(id)))
}

/// Make a product.
#[utoipa::path(
    post, path = "/api/products", tag = "Products", operation_id = "createProduct", request_body = CreateProduct,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request have its effect once")),
    responses(
        (status = 201, description = "The product", body = Product),
        (status = 409, description = "The first request with this key is still running"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn create(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<CreatesProducts>,
    Idempotent { body, once }: Idempotent<CreateProduct>,
) -> Outcome {
    let new = body.checked(catalogue.currency())?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let make = move |tx: &mut Tx<'_>| -> Result<Reply, CatalogError> {
        let product = shop.create_product(tx, &occasion, &new)?;
        let reply = Reply::created(&product).map_err(|Problem(refusal)| refusal)?;
        Ok(reply.at(&format!("/api/products/{}", product.id)).with_etag(product.version))
    };
    once.run(&catalogue.0.database, &catalogue.0.clock, make).await
}

/// Change any fields of a product; those left out stay.
#[utoipa::path(
    put, path = "/api/products/{id}", tag = "Products", operation_id = "putProduct",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is meant for"),
    ),
    request_body = UpdateProduct,
    responses((status = 200, description = "The product", body = Product)),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn replace(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesProducts>,
    PathParts(id): PathParts<ProductId>,
    expected: IfMatch,
    Json(body): Json<UpdateProduct>,
) -> Outcome {
    update(&catalogue, &actor, (id, expected), body).await
}

/// Change any fields of a product; those left out stay.
#[utoipa::path(
    patch, path = "/api/products/{id}", tag = "Products", operation_id = "patchProduct",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is meant for"),
    ),
    request_body = UpdateProduct,
    responses((status = 200, description = "The product", body = Product)),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn change(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesProducts>,
    PathParts(id): PathParts<ProductId>,
    expected: IfMatch,
    Json(body): Json<UpdateProduct>,
) -> Outcome {
    update(&catalogue, &actor, (id, expected), body).await
}

async fn update(
    catalogue: &Catalogue,
    actor: &Actor,
    (id, expected): (ProductId, IfMatch),
    body: UpdateProduct,
) -> Outcome {
    let changes = body.checked(catalogue.currency())?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(actor));
    let change = move |tx: &mut Tx<'_>| shop.update_product(tx, &occasion, (id, &expected), &changes);
    shown(&catalogue.0.database.write(change).await?)
}

/// Delete a product.
#[utoipa::path(
    delete, path = "/api/products/{id}", tag = "Products", operation_id = "deleteProduct",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag the deletion is meant for"),
    ),
    responses((status = 204, description = "It is deleted")),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn remove(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<DeletesProducts>,
    PathParts(id): PathParts<ProductId>,
    expected: IfMatch,
) -> Outcome {
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let delete = move |tx: &mut Tx<'_>| shop.delete_product(tx, &occasion, id, &expected);
    catalogue.0.database.write(delete).await?;
    Ok(Reply::no_content())
}

/// Add pieces to a product's stock, or take some away.
#[utoipa::path(
    patch, path = "/api/products/{id}/stock", tag = "Products", operation_id = "changeStock",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is meant for"),
    ),
    request_body = AdjustStock,
    responses((status = 200, description = "The product", body = Product)),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn change_stock(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesProducts>,
    PathParts(id): PathParts<ProductId>,
    expected: IfMatch,
    Json(body): Json<AdjustStock>,
) -> Outcome {
    let pieces = body.checked()?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let adjust = move |tx: &mut Tx<'_>| shop.adjust_stock(tx, &occasion, (id, &expected), pieces);
    shown(&catalogue.0.database.write(adjust).await?)
}

fn shown(product: &Product) -> Outcome {
    Ok(Reply::ok(product)?.with_etag(product.version))
}

impl Catalogue {
    async fn written(&self, id: ProductId) -> Result<Option<Written>, DatabaseError> {
        let currency = self.currency();
        self.0.database.get(move |connection| written::find(connection, id, currency)).await
    }

    /// A page of a list: inline when it is read straight from an index, on a thread of its own when it has to search.
    async fn page(
        &self,
        listing: Listing,
        request: PageRequest,
        after: Option<Place>,
    ) -> Result<Page<Written>, DatabaseError> {
        let currency = self.currency();
        let is_short =
            listing.is_walked_straight() && request.offset() <= FEW_SKIPPED && !request.wants_total();
        let read = move |connection: &mut Connection<'_>| {
            pages::page_written(connection, &listing, (&request, after.as_ref()), currency)
        };
        if is_short { self.0.database.get(read).await } else { self.0.database.read(read).await }
    }
}
