//! `/api/products/{id}/variants` and `/api/products/{id}/images`: parts of a product with addresses of their own.

use axum::extract::State;
use serde::Deserialize;
use stoa_contracts::catalog::{ProductId, VariantId};
use stoa_http::{Idempotent, IfMatch, Json, Outcome, PathParts, Permitted, Problem, Reply};
use stoa_platform::database::Tx;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::UpdatesProducts;
use crate::{
    CatalogError, Catalogue,
    product::Product,
    variant::{CreateVariant, UpdateVariant, Variant},
};

pub(super) fn routes(catalogue: &Catalogue) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(change, remove))
        .routes(routes!(replace_images))
        .with_state(catalogue.clone())
}

/// Add a variant to a product. The product is sold by variants only from then on.
#[utoipa::path(
    post, path = "/api/products/{id}/variants", tag = "Products", operation_id = "createVariant",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the product that the change is meant for"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request have its effect once"),
    ),
    request_body = CreateVariant,
    responses(
        (status = 201, description = "The variant; the ETag is the product's", body = Variant),
        (status = 409, description = "The SKU is taken, or the product has 100 variants"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn create(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesProducts>,
    PathParts(id): PathParts<ProductId>,
    expected: IfMatch,
    Idempotent { body, once }: Idempotent<CreateVariant>,
) -> Outcome {
    let new = body.checked(catalogue.currency())?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let make = move |tx: &mut Tx<'_>| -> Result<Reply, CatalogError> {
        let (product, variant) = shop.create_variant(tx, &occasion, (id, &expected), &new)?;
        let reply = Reply::created(&variant).map_err(|Problem(refusal)| refusal)?;
        Ok(reply.at(&format!("/api/products/{id}")).with_etag(product.version))
    };
    once.run(&catalogue.0.database, &catalogue.0.clock, make).await
}

/// Change any fields of a variant; those left out stay.
#[utoipa::path(
    patch, path = "/api/products/{id}/variants/{variantId}", tag = "Products", operation_id = "patchVariant",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("variantId" = VariantId, Path, description = "The variant's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the product that the change is meant for"),
    ),
    request_body = UpdateVariant,
    responses(
        (status = 200, description = "The variant; the ETag is the product's", body = Variant),
        (status = 409, description = "The SKU is taken"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn change(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesProducts>,
    PathParts((id, variant)): PathParts<(ProductId, VariantId)>,
    expected: IfMatch,
    Json(body): Json<UpdateVariant>,
) -> Outcome {
    let changes = body.checked(catalogue.currency())?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let change =
        move |tx: &mut Tx<'_>| shop.update_variant(tx, &occasion, (id, variant, &expected), &changes);
    let (product, variant) = catalogue.0.database.write(change).await?;
    Ok(Reply::ok(&variant)?.with_etag(product.version))
}

/// Delete a variant. Without its last one the product is sold by itself again.
#[utoipa::path(
    delete, path = "/api/products/{id}/variants/{variantId}", tag = "Products", operation_id = "deleteVariant",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("variantId" = VariantId, Path, description = "The variant's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the product that the deletion is meant for"),
    ),
    responses((status = 204, description = "It is deleted")),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn remove(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesProducts>,
    PathParts((id, variant)): PathParts<(ProductId, VariantId)>,
    expected: IfMatch,
) -> Outcome {
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let delete = move |tx: &mut Tx<'_>| shop.delete_variant(tx, &occasion, (id, variant, &expected));
    catalogue.0.database.write(delete).await?;
    Ok(Reply::no_content())
}

/// The pictures a product is to have.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReplaceImages {
    /// Addresses of pictures, or ids of files that are pictures, the first one first.
    #[schema(max_items = 50)]
    images: Vec<String>,
}

/// Replace the pictures of a product.
///
/// A file that is to be one must be a picture and public; its address is kept.
#[utoipa::path(
    put, path = "/api/products/{id}/images", tag = "Products", operation_id = "putProductImages",
    params(
        ("id" = ProductId, Path, description = "The product's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is meant for"),
    ),
    request_body = ReplaceImages,
    responses((status = 200, description = "The product", body = Product)),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn replace_images(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesProducts>,
    PathParts(id): PathParts<ProductId>,
    expected: IfMatch,
    Json(body): Json<ReplaceImages>,
) -> Outcome {
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let change = move |tx: &mut Tx<'_>| shop.picture_product(tx, &occasion, (id, &expected), &body.images);
    let product: Product = catalogue.0.database.write(change).await?;
    Ok(Reply::ok(&product)?.with_etag(product.version))
}
