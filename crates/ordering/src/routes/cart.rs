//! `/api/cart`: the cart of whoever is signed in.

use axum::extract::State;
use serde::Deserialize;
use stoa_contracts::catalog::ProductId;
use stoa_http::{Idempotent, Json, Outcome, PathParts, Reply};
use stoa_kernel::{Fields, Flaw, Id};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::guards::Shopper;
use crate::{
    Ordering,
    cart::{Cart, CartItemId, MOST_PIECES, cart_of},
    error::OrderError,
    store::carts,
    views::{CartCheckView, CartView},
};

pub(super) fn routes() -> OpenApiRouter<Ordering> {
    OpenApiRouter::new()
        .routes(routes!(show, clear))
        .routes(routes!(add))
        .routes(routes!(change, remove))
        .routes(routes!(validate))
}

/// What goes into the cart.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCartItem {
    #[schema(value_type = String, format = Uuid)]
    product_id: ProductId,
    /// A variant of the product; products have none yet.
    #[schema(value_type = Option<String>, format = Uuid)]
    variant_id: Option<Id<()>>,
    #[schema(minimum = 1, maximum = 1000)]
    quantity: i64,
}

/// How many pieces a line shall have.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CartItemChange {
    /// 0 removes the line.
    #[schema(minimum = 0, maximum = 1000)]
    quantity: i64,
}

fn check_quantity(fields: &mut Fields, quantity: i64, least: i64) {
    let fine = (least..=MOST_PIECES).contains(&quantity);
    let message = if least == 0 { "This must be 0 to 1,000." } else { "This must be 1 to 1,000." };
    fields.check("quantity", fine, Flaw::new("OUT_OF_RANGE", message));
}

fn reply(cart: Cart) -> Result<Reply, OrderError> {
    Ok(Reply::ok(&CartView::from(cart))?)
}

/// Look at the cart.
///
/// Each line shows the price it was added at; `validate` tells whether that still holds.
#[utoipa::path(
    get, path = "/api/cart", tag = "Cart",
    responses((status = 200, description = "The cart", body = CartView)),
    security(("bearer" = []))
)]
async fn show(State(ordering): State<Ordering>, shopper: Shopper) -> Outcome {
    let (asked, user) = (ordering.clone(), shopper.user);
    let cart = asked.platform.database.get(move |connection| ordering.cart(connection, user)).await?;
    Ok(reply(cart)?)
}

/// Empty the cart.
#[utoipa::path(
    delete, path = "/api/cart", tag = "Cart",
    responses((status = 204, description = "The cart is empty")),
    security(("bearer" = []))
)]
async fn clear(State(ordering): State<Ordering>, shopper: Shopper) -> Outcome {
    let (cart, at) = (cart_of(shopper.user), ordering.platform.clock.now());
    let cleared = ordering.platform.database.write(move |tx| {
        carts::touch(tx, cart, at)?;
        carts::clear(tx, cart)
    });
    cleared.await?;
    Ok(Reply::no_content())
}

/// Put a product into the cart.
///
/// More of a product that is in the cart adds to its line, which keeps the price it was shown at.
#[utoipa::path(
    post, path = "/api/cart/items", tag = "Cart",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, the product is added once")),
    request_body = NewCartItem,
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 404, description = "PRODUCT_NOT_FOUND"),
        (status = 409, description = "IDEMPOTENCY_IN_PROGRESS"),
        (status = 422, description = "INSUFFICIENT_STOCK, CART_FULL, QUANTITY_TOO_LARGE, AMOUNT_TOO_LARGE"),
    ),
    security(("bearer" = []))
)]
async fn add(
    State(ordering): State<Ordering>,
    shopper: Shopper,
    Idempotent { body, once }: Idempotent<NewCartItem>,
) -> Outcome {
    let mut fields = Fields::default();
    check_quantity(&mut fields, body.quantity, 1);
    let unknown = Flaw::new("UNKNOWN_VARIANT", "The product has no such variant.");
    fields.check("variantId", body.variant_id.is_none(), unknown);
    fields.finish()?;
    let (user, occasion) = (shopper.user, ordering.occasion(&shopper.actor));
    let platform = ordering.platform.clone();
    let work = move |tx: &mut stoa_platform::database::Tx<'_>| {
        let cart = ordering.add_to_cart(tx, user, body.product_id, body.quantity, &occasion)?;
        reply(cart)
    };
    once.run(&platform.database, &platform.clock, work).await
}

/// Change how many pieces a line has.
#[utoipa::path(
    put, path = "/api/cart/items/{id}", tag = "Cart",
    params(("id" = String, Path, format = Uuid, description = "The line")),
    request_body = CartItemChange,
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 404, description = "CART_ITEM_NOT_FOUND, PRODUCT_NOT_FOUND"),
        (status = 422, description = "INSUFFICIENT_STOCK, AMOUNT_TOO_LARGE"),
    ),
    security(("bearer" = []))
)]
async fn change(
    State(ordering): State<Ordering>,
    shopper: Shopper,
    PathParts(item): PathParts<CartItemId>,
    Json(body): Json<CartItemChange>,
) -> Outcome {
    let mut fields = Fields::default();
    check_quantity(&mut fields, body.quantity, 0);
    fields.finish()?;
    let (database, at) = (ordering.platform.database.clone(), ordering.platform.clock.now());
    let changed = database.write(move |tx| ordering.set_quantity(tx, shopper.user, item, body.quantity, at));
    Ok(reply(changed.await?)?)
}

/// Take a line out of the cart.
#[utoipa::path(
    delete, path = "/api/cart/items/{id}", tag = "Cart",
    params(("id" = String, Path, format = Uuid, description = "The line")),
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 404, description = "CART_ITEM_NOT_FOUND"),
    ),
    security(("bearer" = []))
)]
async fn remove(
    State(ordering): State<Ordering>,
    shopper: Shopper,
    PathParts(item): PathParts<CartItemId>,
) -> Outcome {
    let (database, at) = (ordering.platform.database.clone(), ordering.platform.clock.now());
    let changed = database.write(move |tx| ordering.remove_from_cart(tx, shopper.user, item, at));
    Ok(reply(changed.await?)?)
}

/// Ask whether the cart could be bought as it is shown.
///
/// Nothing is changed or reserved by asking.
#[utoipa::path(
    post, path = "/api/cart/validate", tag = "Cart",
    responses((status = 200, description = "What is against it", body = CartCheckView)),
    security(("bearer" = []))
)]
async fn validate(State(ordering): State<Ordering>, shopper: Shopper) -> Outcome {
    let (asked, user) = (ordering.clone(), shopper.user);
    let cart = asked.platform.database.get(move |connection| ordering.cart(connection, user)).await?;
    Reply::ok(&CartCheckView::of(&cart))
}
