//! `/api/categories`.

use axum::{extract::State, middleware::from_fn};
use stoa_http::{
    CacheRule, Idempotent, Json, ListQuery, Outcome, PathParts, Permitted, Problem, Reply, cached,
    foreign_cursor,
};
use stoa_kernel::{CursorValue, SortOrder};
use stoa_platform::database::{Connection, Tx};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::{CreatesCategories, DeletesCategories, UpdatesCategories};
use crate::{
    CATEGORIES, CatalogError, Catalogue,
    category::{Category, CategoryBranch, CategoryId, CreateCategory, UpdateCategory},
    store::categories::{self, CategoryName, ordering},
};

pub(super) fn routes(catalogue: &Catalogue) -> OpenApiRouter {
    let ttl = catalogue.0.settings.categories_ttl;
    let rule = CacheRule { prefix: "categories", ttl, visibility: |_| Some("all") };
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(tree))
        .routes(routes!(show))
        .layer(from_fn(cached(rule)))
        .routes(routes!(create))
        .routes(routes!(replace, change, remove))
        .with_state(catalogue.clone())
}

/// List categories by name.
#[utoipa::path(
    get, path = "/api/categories", tag = "Categories", operation_id = "listCategories", params(ListQuery),
    responses(
        (status = 200, description = "A page of categories", body = Vec<Category>),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn list(State(catalogue): State<Catalogue>, query: ListQuery) -> Outcome {
    let ((), order) = query.sort(&[("name", ())], ((), SortOrder::Asc))?;
    let after = match query.page.after() {
        None => None,
        Some(cursor) => match &cursor.value {
            CursorValue::Text(name) if cursor.order == ordering(order) => {
                Some((name.clone(), CategoryId::from(cursor.id)))
            }
            _ => return Err(foreign_cursor()),
        },
    };
    let request = query.page.clone();
    let read = move |connection: &mut Connection<'_>| {
        categories::page(connection, order, (&request, after.as_ref()))
    };
    let page = catalogue.0.database.get(read).await?;
    Ok(Reply::page(&page, &query.page)?.with_tag(CATEGORIES))
}

/// The whole tree of categories, each level by name.
#[utoipa::path(
    get, path = "/api/categories/tree", tag = "Categories", operation_id = "getCategoryTree",
    responses(
        (status = 200, description = "The categories at the top", body = Vec<CategoryBranch>),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn tree(State(catalogue): State<Catalogue>) -> Outcome {
    let all = catalogue.0.database.read(categories::all).await?;
    Ok(Reply::ok(&CategoryBranch::grow(all))?.with_tag(CATEGORIES))
}

/// Show a category.
#[utoipa::path(
    get, path = "/api/categories/{category}", tag = "Categories", operation_id = "getCategory",
    params(("category" = String, Path, description = "The category's id or slug")),
    responses(
        (status = 200, description = "The category", body = Category),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn show(State(catalogue): State<Catalogue>, PathParts(name): PathParts<String>) -> Outcome {
    let name = CategoryName::of(&name);
    let found = catalogue.0.database.get(move |connection| categories::find(connection, &name)).await?;
    Ok(Reply::ok(&found.ok_or(CatalogError::UnknownCategory)?)?.with_tag(CATEGORIES))
}

/// Make a category.
#[utoipa::path(
    post, path = "/api/categories", tag = "Categories", operation_id = "createCategory",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request have its effect once")),
    request_body = CreateCategory,
    responses(
        (status = 201, description = "The category", body = Category),
        (status = 409, description = "The slug is taken, or there are too many categories"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn create(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<CreatesCategories>,
    Idempotent { body, once }: Idempotent<CreateCategory>,
) -> Outcome {
    let new = body.checked()?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let make = move |tx: &mut Tx<'_>| -> Result<Reply, CatalogError> {
        let category = shop.create_category(tx, &occasion, &new)?;
        let reply = Reply::created(&category).map_err(|Problem(refusal)| refusal)?;
        Ok(reply.at(&format!("/api/categories/{}", category.slug)))
    };
    once.run(&catalogue.0.database, &catalogue.0.clock, make).await
}

/// Rename or move a category; what is left out stays.
#[utoipa::path(
    put, path = "/api/categories/{category}", tag = "Categories", operation_id = "putCategory",
    params(("category" = String, Path, description = "The category's id or slug")),
    request_body = UpdateCategory,
    responses(
        (status = 200, description = "The category", body = Category),
        (status = 409, description = "The new slug is taken, or products name the old one"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn replace(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesCategories>,
    PathParts(name): PathParts<String>,
    Json(body): Json<UpdateCategory>,
) -> Outcome {
    update(&catalogue, &actor, &name, body).await
}

/// Rename or move a category; what is left out stays.
#[utoipa::path(
    patch, path = "/api/categories/{category}", tag = "Categories", operation_id = "patchCategory",
    params(("category" = String, Path, description = "The category's id or slug")),
    request_body = UpdateCategory,
    responses(
        (status = 200, description = "The category", body = Category),
        (status = 409, description = "The new slug is taken, or products name the old one"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn change(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesCategories>,
    PathParts(name): PathParts<String>,
    Json(body): Json<UpdateCategory>,
) -> Outcome {
    update(&catalogue, &actor, &name, body).await
}

async fn update(
    catalogue: &Catalogue,
    actor: &stoa_kernel::Actor,
    name: &str,
    body: UpdateCategory,
) -> Outcome {
    let (name, changes) = (CategoryName::of(name), body.checked()?);
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(actor));
    let change = move |tx: &mut Tx<'_>| shop.update_category(tx, &occasion, &name, &changes);
    Reply::ok(&catalogue.0.database.write(change).await?)
}

/// Delete a category that nothing stands in.
#[utoipa::path(
    delete, path = "/api/categories/{category}", tag = "Categories", operation_id = "deleteCategory",
    params(("category" = String, Path, description = "The category's id or slug")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "Products or other categories stand in it"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn remove(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<DeletesCategories>,
    PathParts(name): PathParts<String>,
) -> Outcome {
    let name = CategoryName::of(&name);
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let delete = move |tx: &mut Tx<'_>| shop.delete_category(tx, &occasion, &name);
    catalogue.0.database.write(delete).await?;
    Ok(Reply::no_content())
}
