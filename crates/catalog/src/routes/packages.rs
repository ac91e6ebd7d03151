//! `/api/packages`.

use axum::{extract::State, middleware::from_fn};
use serde::Deserialize;
use stoa_contracts::catalog::PackageId;
use stoa_http::{
    CacheRule, Caller, Idempotent, Json, ListQuery, Outcome, PathParts, Permitted, Problem, QueryPart, Reply,
    cached, foreign_cursor,
};
use stoa_kernel::{Actor, Page, SortOrder};
use stoa_platform::database::{Connection, DatabaseError, Tx};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::{CreatesPackages, DeletesPackages, UpdatesPackages};
use crate::{
    CatalogError, Catalogue, PACKAGES, PRODUCTS,
    listing::Sight,
    package::{CreatePackage, Package, UpdatePackage},
    product::ProductStatus,
    product_tag,
    store::{
        packages,
        roll::{Roll, RollKey},
    },
};

pub(super) fn routes(catalogue: &Catalogue) -> OpenApiRouter {
    let rule = CacheRule { prefix: "packages", ttl: catalogue.0.settings.packages_ttl, visibility };
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .layer(from_fn(cached(rule)))
        .routes(routes!(create))
        .routes(routes!(replace, change, remove))
        .with_state(catalogue.clone())
}

/// What a caller may see of the packages.
fn sight(actor: &Actor) -> Sight {
    if actor.may("package", "update") { Sight::Everything } else { Sight::Offered }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a cache rule")]
fn visibility(actor: &Actor) -> Option<&'static str> {
    Some(match sight(actor) {
        Sight::Everything => "all",
        Sight::Offered => "active",
    })
}

/// The filters of a list of packages.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct PackageFilters {
    /// Where packages are in their life; others than ACTIVE are shown to those who may change them.
    #[param(inline)]
    status: Option<ProductStatus>,
}

/// List packages. Others than those who may change packages see the ACTIVE ones.
#[utoipa::path(
    get, path = "/api/packages", tag = "Packages", operation_id = "listPackages", params(ListQuery, PackageFilters),
    responses(
        (status = 200, description = "A page of packages", body = Vec<Package>),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn list(
    State(catalogue): State<Catalogue>,
    Caller(actor): Caller,
    query: ListQuery,
    QueryPart(filters): QueryPart<PackageFilters>,
) -> Outcome {
    let (key, order) = query.sort(&RollKey::NAMES, (RollKey::CreatedAt, SortOrder::Desc))?;
    let roll = Roll { key, order };
    roll.check(&query.page).map_err(|_| foreign_cursor())?;
    let status = match (sight(&actor), filters.status) {
        (Sight::Everything, status) => status,
        (Sight::Offered, None | Some(ProductStatus::Active)) => Some(ProductStatus::Active),
        (Sight::Offered, Some(_)) => {
            let none: Page<Package> =
                Page { entries: Vec::new(), next: None, total: query.page.wants_total().then_some(0) };
            return Ok(Reply::page(&none, &query.page)?.with_tag(PACKAGES));
        }
    };
    let (request, currency) = (query.page.clone(), catalogue.currency());
    let read =
        move |connection: &mut Connection<'_>| packages::page(connection, status, (roll, &request), currency);
    let page = catalogue.0.database.read(read).await?;
    Ok(Reply::page(&page, &query.page)?.with_tag(PACKAGES).with_tag(PRODUCTS))
}

/// Show a package.
#[utoipa::path(
    get, path = "/api/packages/{id}", tag = "Packages", operation_id = "getPackage",
    params(("id" = PackageId, Path, description = "The package's id")),
    responses(
        (status = 200, description = "The package", body = Package),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn show(
    State(catalogue): State<Catalogue>,
    Caller(actor): Caller,
    PathParts(id): PathParts<PackageId>,
) -> Outcome {
    let currency = catalogue.currency();
    let read = move |connection: &mut Connection<'_>| -> Result<Option<Package>, DatabaseError> {
        packages::find(connection, id, currency)
    };
    let found = catalogue.0.database.get(read).await?;
    let package = found.filter(|package| sight(&actor).covers(package.status));
    let package = package.ok_or(CatalogError::UnknownPackage)?;
    let reply = Reply::ok(&package)?.with_tag(PACKAGES);
    Ok(package.items.iter().fold(reply, |reply, item| reply.with_tag(product_tag(item.product_id))))
}

/// Make a package.
#[utoipa::path(
    post, path = "/api/packages", tag = "Packages", operation_id = "createPackage", request_body = CreatePackage,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request have its effect once")),
    responses(
        (status = 201, description = "The package", body = Package),
        (status = 409, description = "The first request with this key is still running"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn create(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<CreatesPackages>,
    Idempotent { body, once }: Idempotent<CreatePackage>,
) -> Outcome {
    let new = body.checked(catalogue.currency())?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let make = move |tx: &mut Tx<'_>| -> Result<Reply, CatalogError> {
        let package = shop.create_package(tx, &occasion, new.clone())?;
        let reply = Reply::created(&package).map_err(|Problem(refusal)| refusal)?;
        Ok(reply.at(&format!("/api/packages/{}", package.id)))
    };
    once.run(&catalogue.0.database, &catalogue.0.clock, make).await
}

/// Change any fields of a package; those left out stay.
#[utoipa::path(
    put, path = "/api/packages/{id}", tag = "Packages", operation_id = "putPackage",
    params(("id" = PackageId, Path, description = "The package's id")),
    request_body = UpdatePackage,
    responses((status = 200, description = "The package", body = Package)),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn replace(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesPackages>,
    PathParts(id): PathParts<PackageId>,
    Json(body): Json<UpdatePackage>,
) -> Outcome {
    update(&catalogue, &actor, id, body).await
}

/// Change any fields of a package; those left out stay.
#[utoipa::path(
    patch, path = "/api/packages/{id}", tag = "Packages", operation_id = "patchPackage",
    params(("id" = PackageId, Path, description = "The package's id")),
    request_body = UpdatePackage,
    responses((status = 200, description = "The package", body = Package)),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn change(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesPackages>,
    PathParts(id): PathParts<PackageId>,
    Json(body): Json<UpdatePackage>,
) -> Outcome {
    update(&catalogue, &actor, id, body).await
}

async fn update(catalogue: &Catalogue, actor: &Actor, id: PackageId, body: UpdatePackage) -> Outcome {
    let changes = body.checked(catalogue.currency())?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(actor));
    let change = move |tx: &mut Tx<'_>| shop.update_package(tx, &occasion, id, changes.clone());
    Reply::ok(&catalogue.0.database.write(change).await?)
}

/// Delete a package.
#[utoipa::path(
    delete, path = "/api/packages/{id}", tag = "Packages", operation_id = "deletePackage",
    params(("id" = PackageId, Path, description = "The package's id")),
    responses((status = 204, description = "It is deleted")),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn remove(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<DeletesPackages>,
    PathParts(id): PathParts<PackageId>,
) -> Outcome {
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let delete = move |tx: &mut Tx<'_>| shop.delete_package(tx, &occasion, id);
    catalogue.0.database.write(delete).await?;
    Ok(Reply::no_content())
}
