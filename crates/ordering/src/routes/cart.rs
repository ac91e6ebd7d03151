//! `/api/cart`: the cart of whoever is signed in, or of a guest.
//!
//! Nothing here can be done to somebody's cart from a foreign page: a guest's cookie does not come along with requests
//! of other sites (`SameSite=Lax`), and a page of another origin cannot send JSON or DELETE without being let by CORS.

use axum::extract::State;
use serde::Deserialize;
use stoa_contracts::catalog::{PackageId, ProductId, VariantId, Ware};
use stoa_http::{Idempotent, Json, Once, Outcome, PathParts, Reply};
use stoa_kernel::{Fields, Flaw, Refusal, Timestamp, fields::text};
use stoa_platform::database::{DatabaseError, Tx};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::guards::Shopper;
use crate::{
    Ordering,
    cart::{Cart, CartItemId, MOST_PIECES},
    cart_views::{CartCheckView, CartView},
    edit_cart::CartPlace,
    error::OrderError,
    guest_cart::{OpenCart, Whose},
    store::carts,
};

pub(super) fn routes() -> OpenApiRouter<Ordering> {
    OpenApiRouter::new()
        .routes(routes!(show, clear))
        .routes(routes!(add))
        .routes(routes!(change, remove))
        .routes(routes!(add_code))
        .routes(routes!(remove_code))
        .routes(routes!(validate))
}

/// What goes into the cart: a product, one of its variants, or a package.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCartItem {
    /// Either this or `packageId`.
    #[schema(value_type = Option<String>, format = Uuid)]
    product_id: Option<ProductId>,
    /// The variant, of a product that has any.
    #[schema(value_type = Option<String>, format = Uuid)]
    variant_id: Option<VariantId>,
    #[schema(value_type = Option<String>, format = Uuid)]
    package_id: Option<PackageId>,
    #[schema(minimum = 1, maximum = 1000)]
    quantity: i64,
}

impl NewCartItem {
    fn ware(&self) -> Result<Ware, Refusal> {
        let mut fields = Fields::default();
        check_quantity(&mut fields, self.quantity, 1);
        let ware = match (self.product_id, self.variant_id, self.package_id) {
            (Some(product), None, None) => Ok(Ware::Product(product)),
            (Some(product), Some(variant), None) => Ok(Ware::Variant(product, variant)),
            (None, None, Some(package)) => Ok(Ware::Package(package)),
            (None, Some(_), None) => Err(("productId", "Name the product that the variant is of.")),
            (None, None, None) => Err(("productId", "Name a product or a package.")),
            (_, _, Some(_)) => Err(("packageId", "Name either a product or a package, not both.")),
        };
        match ware {
            Ok(ware) => fields.finish().map(|()| ware),
            Err((field, message)) => {
                let code = if field == "packageId" { "AMBIGUOUS" } else { "REQUIRED" };
                fields.refuse(field, Flaw::new(code, message));
                Err(fields.into_refusal())
            }
        }
    }
}

/// A code that somebody was given.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCartOffer {
    #[schema(min_length = 1, max_length = 100, example = "SPRING-10")]
    code: String,
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

/// A guest's key holds once the guest has a cart, which tells that guest from others.
async fn kept_once(once: Once, ordering: &Ordering, shopper: &Shopper) -> Result<Once, DatabaseError> {
    if !once.has_key() || matches!(shopper.whose, Whose::User(_)) {
        return Ok(once);
    }
    let whose = shopper.whose.clone();
    let place = ordering.platform.database.get(move |connection| whose.place(connection));
    Ok(match place.await? {
        Some(place) => once.among_guests(place.id),
        None => once,
    })
}

/// Changes a cart that is there, and answers it; `UnknownItem` and the like are for `absent` to say when there is none.
async fn changed(
    ordering: Ordering,
    shopper: Shopper,
    absent: fn() -> OrderError,
    change: impl Fn(&Ordering, &mut Tx<'_>, CartPlace, Timestamp) -> Result<Cart, OrderError> + Send + 'static,
) -> Outcome {
    let (database, at) = (ordering.platform.database.clone(), ordering.platform.clock.now());
    let (whose, cookies) = (shopper.whose, shopper.cookies);
    let changed = database.write(move |tx| {
        let OpenCart { place, secret } = whose.open(tx, at)?.ok_or_else(absent)?;
        Ok::<_, OrderError>((change(&ordering, tx, place, at)?, secret))
    });
    let (cart, secret) = changed.await?;
    Ok(cookies.after_change(reply(cart)?, secret.as_ref()))
}

/// Look at the cart.
///
/// Each line shows the price it was added at, and the sums what offers took off when the cart was last changed;
/// `validate` tells whether that still holds. A guest has a cart too: it is known by a cookie, given with the first change,
/// and becomes part of the user's own after signing in.
#[utoipa::path(
    get, path = "/api/cart", tag = "Cart",
    responses((status = 200, description = "The cart", body = CartView)),
    security((), ("bearer" = []))
)]
async fn show(State(ordering): State<Ordering>, shopper: Shopper) -> Outcome {
    let (asked, whose, at) = (ordering.clone(), shopper.whose, ordering.platform.clock.now());
    let found = ordering.platform.database.get(move |connection| match whose.place(connection)? {
        Some(place) => asked.cart(connection, place),
        None => asked.nobodys_cart(at),
    });
    Ok(shopper.cookies.on(reply(found.await?)?))
}

/// Empty the cart.
///
/// Its codes go as well.
#[utoipa::path(
    delete, path = "/api/cart", tag = "Cart",
    responses((status = 204, description = "The cart is empty")),
    security((), ("bearer" = []))
)]
async fn clear(State(ordering): State<Ordering>, shopper: Shopper) -> Outcome {
    let (database, at) = (ordering.platform.database.clone(), ordering.platform.clock.now());
    let cleared = database.write(move |tx| match shopper.whose.open(tx, at)? {
        Some(OpenCart { place, secret }) => carts::clear(tx, place.id).map(|()| secret),
        None => Ok(None),
    });
    let secret = cleared.await?;
    Ok(shopper.cookies.after_change(Reply::no_content(), secret.as_ref()))
}

/// Put a product, a variant or a package into the cart.
///
/// More of what is in the cart adds to its line, which keeps the price it was shown at. A product that comes in variants
/// is bought by its variants only.
#[utoipa::path(
    post, path = "/api/cart/items", tag = "Cart",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, the product is added once; for a guest from the second change of the cart on")),
    request_body = NewCartItem,
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 404, description = "PRODUCT_NOT_FOUND, VARIANT_NOT_FOUND, PACKAGE_NOT_FOUND"),
        (status = 409, description = "IDEMPOTENCY_IN_PROGRESS"),
        (status = 422, description = "VARIANT_REQUIRED, INSUFFICIENT_STOCK, CART_FULL, QUANTITY_TOO_LARGE, AMOUNT_TOO_LARGE"),
    ),
    security((), ("bearer" = []))
)]
async fn add(
    State(ordering): State<Ordering>,
    shopper: Shopper,
    Idempotent { body, once }: Idempotent<NewCartItem>,
) -> Outcome {
    let ware = body.ware()?;
    let once = kept_once(once, &ordering, &shopper).await?;
    let occasion = ordering.occasion(&shopper.actor);
    let newcomer = ordering.newcomer(&occasion);
    let platform = ordering.platform.clone();
    let work = move |tx: &mut Tx<'_>| {
        let OpenCart { place, secret } = shopper.whose.open_or_make(tx, &newcomer, occasion.at)?;
        let cart = ordering.add_to_cart(tx, place, ware, body.quantity, &occasion)?;
        Ok::<_, OrderError>(shopper.cookies.after_change(reply(cart)?, secret.as_ref()))
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
        (status = 404, description = "CART_ITEM_NOT_FOUND, or the product, variant or package is offered no longer"),
        (status = 422, description = "VARIANT_REQUIRED, INSUFFICIENT_STOCK, AMOUNT_TOO_LARGE"),
    ),
    security((), ("bearer" = []))
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
    changed(
        ordering,
        shopper,
        || OrderError::UnknownItem,
        move |ordering, tx, place, at| ordering.set_quantity(tx, place, item, body.quantity, at),
    )
    .await
}

/// Take a line out of the cart.
#[utoipa::path(
    delete, path = "/api/cart/items/{id}", tag = "Cart",
    params(("id" = String, Path, format = Uuid, description = "The line")),
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 404, description = "CART_ITEM_NOT_FOUND"),
    ),
    security((), ("bearer" = []))
)]
async fn remove(
    State(ordering): State<Ordering>,
    shopper: Shopper,
    PathParts(item): PathParts<CartItemId>,
) -> Outcome {
    changed(
        ordering,
        shopper,
        || OrderError::UnknownItem,
        move |ordering, tx, place, at| ordering.remove_from_cart(tx, place, item, at),
    )
    .await
}

/// Put a code on the cart.
///
/// It is taken when it takes something off what is in the cart now. Upper and lower case are the same. A code that stops
/// holding is told by `validate`, and by the next try to order, after which it is off the cart.
#[utoipa::path(
    post, path = "/api/cart/offers", tag = "Cart",
    request_body = NewCartOffer,
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 422, description = "OFFER_UNKNOWN, OFFER_NOT_STARTED, OFFER_ENDED, OFFER_USED_UP, OFFER_NOT_APPLICABLE, TOO_MANY_OFFER_CODES"),
    ),
    security((), ("bearer" = []))
)]
async fn add_code(
    State(ordering): State<Ordering>,
    shopper: Shopper,
    Json(body): Json<NewCartOffer>,
) -> Outcome {
    let mut fields = Fields::default();
    let code = fields.take("code", text(body.code.trim(), 1, 100)).unwrap_or_default();
    fields.finish()?;
    let (database, occasion) = (ordering.platform.database.clone(), ordering.occasion(&shopper.actor));
    let newcomer = ordering.newcomer(&occasion);
    let added = database.write(move |tx| {
        let OpenCart { place, secret } = shopper.whose.open_or_make(tx, &newcomer, occasion.at)?;
        Ok::<_, OrderError>((ordering.add_code(tx, place, &code, occasion.at)?, secret))
    });
    let (cart, secret) = added.await?;
    Ok(shopper.cookies.after_change(reply(cart)?, secret.as_ref()))
}

/// Take a code off the cart.
#[utoipa::path(
    delete, path = "/api/cart/offers/{code}", tag = "Cart",
    params(("code" = String, Path, description = "The code")),
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 404, description = "CART_OFFER_NOT_FOUND"),
    ),
    security((), ("bearer" = []))
)]
async fn remove_code(
    State(ordering): State<Ordering>,
    shopper: Shopper,
    PathParts(code): PathParts<String>,
) -> Outcome {
    changed(
        ordering,
        shopper,
        || OrderError::UnknownCode,
        move |ordering, tx, place, at| ordering.remove_code(tx, place, &code, at),
    )
    .await
}

/// Ask whether the cart could be bought as it is shown.
///
/// Nothing is changed or reserved by asking.
#[utoipa::path(
    post, path = "/api/cart/validate", tag = "Cart",
    responses((status = 200, description = "What is against it", body = CartCheckView)),
    security((), ("bearer" = []))
)]
async fn validate(State(ordering): State<Ordering>, shopper: Shopper) -> Outcome {
    let (asked, whose, at) = (ordering.clone(), shopper.whose, ordering.platform.clock.now());
    let checked = ordering.platform.database.read(move |connection| {
        let cart = match whose.place(connection)? {
            Some(place) => asked.cart(connection, place),
            None => asked.nobodys_cart(at),
        }?;
        let discounts = asked.discounts(connection, at, &cart)?;
        Ok::<_, OrderError>(CartCheckView::of(&cart, &discounts))
    });
    Ok(shopper.cookies.on(Reply::ok(&checked.await?)?))
}
