//! `/api/orders`.

use axum::{extract::State, middleware::from_fn};
use serde::Deserialize;
use stoa_contracts::ordering::OrderId;
use stoa_http::{
    Idempotent, IfMatch, Json, LimitKey, ListQuery, Outcome, PathParts, QueryPart, Reply, foreign_cursor,
    limited,
};
use stoa_kernel::{CursorValue, Fields, Flaw, Refusal, SortOrder, Timestamp, UserId, fields::text};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::guards::{Buyer, Canceller, Clerk, Reader};
use crate::{
    Ordering,
    address::Address,
    cancel_order::{End, Ending},
    change_status::Move,
    error::OrderError,
    guest_cart::Joined,
    order::{Checkout, Order},
    status::{OrderStatus, PaymentStatus},
    store::orders::{self, Scope, Wanted},
    track_order::Tracking,
    views::OrderView,
};

pub(super) fn routes() -> OpenApiRouter<Ordering> {
    let placing = OpenApiRouter::new()
        .routes(routes!(place))
        .route_layer(from_fn(limited(|limits| &limits.order, LimitKey::Actor)));
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(cancel))
        .routes(routes!(change_status))
        .routes(routes!(track))
        .merge(placing)
}

/// What checking out takes beside the cart.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewOrder {
    shipping_address: Address,
    /// The shipping address when absent.
    billing_address: Option<Address>,
    /// A payment method of the provider.
    #[schema(min_length = 1, max_length = 255, example = "pm_card_visa")]
    payment_method: String,
    /// Anything to say to the shop.
    #[schema(max_length = 1000)]
    notes: Option<String>,
}

impl NewOrder {
    fn checkout(self, buyer: UserId, ordering: &Ordering) -> Result<Checkout, Refusal> {
        let mut fields = Fields::default();
        self.shipping_address.check("shippingAddress", &mut fields);
        if let Some(address) = &self.billing_address {
            address.check("billingAddress", &mut fields);
        }
        let method = fields.take("paymentMethod", text(&self.payment_method, 1, 255));
        if let Some(method) = &method {
            let unknown = Flaw::new("UNKNOWN_PAYMENT_METHOD", "There is no such way to pay.");
            fields.check("paymentMethod", ordering.accepts(method), unknown);
        }
        let notes = fields.take_given("notes", self.notes.as_deref().map(|notes| text(notes, 0, 1_000)));
        fields.finish()?;
        Ok(Checkout {
            buyer,
            shipping_address: self.shipping_address,
            billing_address: self.billing_address,
            payment_method: self.payment_method,
            notes,
        })
    }
}

/// Place an order.
///
/// Buys the cart and charges it. `paymentStatus: pending` in the answer means that the charge is not settled: the buyer
/// has a second step to take (`nextAction`), or it will be settled within minutes; an unpaid order keeps its stock for
/// half an hour. With an Idempotency-Key it can be sent again after any failure without buying or paying twice.
#[utoipa::path(
    post, path = "/api/orders", tag = "Orders",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, the order is placed once")),
    request_body = NewOrder,
    responses(
        (status = 201, description = "The order", body = OrderView),
        (status = 402, description = "PAYMENT_DECLINED: the order was cancelled, the cart is as it was"),
        (status = 404, description = "PRODUCT_NOT_FOUND, VARIANT_NOT_FOUND, PACKAGE_NOT_FOUND"),
        (status = 409, description = "PRICE_CHANGED, OFFER_CHANGED (the cart shows what holds now, and the next try buys at that), CART_MERGED, PRODUCT_UNAVAILABLE, IDEMPOTENCY_IN_PROGRESS"),
        (status = 422, description = "CART_EMPTY, INSUFFICIENT_STOCK, IDEMPOTENCY_KEY_REUSED"),
    ),
    security(("bearer" = []))
)]
async fn place(
    State(ordering): State<Ordering>,
    buyer: Buyer,
    Idempotent { body, once }: Idempotent<NewOrder>,
) -> Outcome {
    let checkout = body.checkout(buyer.user, &ordering)?;
    if buyer.joined == Joined::Mixed {
        return Err(OrderError::CartsJoined.into());
    }
    let occasion = ordering.occasion(&buyer.actor);
    Ok(buyer.cookies.on(ordering.place_order(checkout, once, occasion).await?))
}

/// Which orders to list.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct OrderFilters {
    /// Only orders of this status.
    status: Option<OrderStatus>,
    /// Only orders whose payment has this status.
    payment_status: Option<PaymentStatus>,
    /// Only orders of this buyer; others than oneself need `order:update`.
    #[param(value_type = Option<String>, format = Uuid)]
    user_id: Option<UserId>,
    /// Only orders placed at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only orders placed at this time or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

impl OrderFilters {
    fn scope(&self, may_see: Scope) -> Result<Scope, Refusal> {
        match (may_see, self.user_id) {
            (scope, None) => Ok(scope),
            (Scope::All, Some(user)) => Ok(Scope::Of(user)),
            (Scope::Of(own), Some(user)) if own == user => Ok(may_see),
            (Scope::Of(_), Some(_)) => Err(Refusal::forbidden()),
        }
    }
}

/// List orders, the latest first.
///
/// One's own; everybody's for those with `order:update`.
#[utoipa::path(
    get, path = "/api/orders", tag = "Orders",
    params(ListQuery, OrderFilters),
    responses((status = 200, description = "A page of orders", body = Vec<OrderView>)),
    security(("bearer" = []))
)]
async fn list(
    State(ordering): State<Ordering>,
    Reader(may_see): Reader,
    query: ListQuery,
    QueryPart(filters): QueryPart<OrderFilters>,
) -> Outcome {
    let ((), order) = query.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let wanted = Wanted {
        scope: filters.scope(may_see)?,
        status: filters.status,
        payment_status: filters.payment_status,
        from: filters.from,
        to: filters.to,
        order,
    };
    let cursor = query.page.after();
    if cursor.is_some_and(|cursor| {
        cursor.order != wanted.order_name() || !matches!(cursor.value, CursorValue::Number(_))
    }) {
        return Err(foreign_cursor());
    }
    let asked = query.page.clone();
    let found = ordering.platform.database.read(move |connection| orders::list(connection, &wanted, &asked));
    let page = found.await?.map(OrderView::from);
    Reply::page(&page, &query.page)
}

/// Look at an order.
#[utoipa::path(
    get, path = "/api/orders/{id}", tag = "Orders",
    params(("id" = String, Path, format = Uuid, description = "The order")),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
        (status = 404, description = "ORDER_NOT_FOUND; also for somebody else's"),
    ),
    security(("bearer" = []))
)]
async fn show(
    State(ordering): State<Ordering>,
    Reader(scope): Reader,
    PathParts(id): PathParts<OrderId>,
) -> Outcome {
    let found = ordering.platform.database.get(move |connection| orders::find(connection, scope, id));
    let order = found.await?.ok_or(OrderError::UnknownOrder)?;
    reply(order)
}

/// An order as it is after a change.
fn reply(order: Order) -> Outcome {
    let version = order.version;
    Ok(Reply::ok(&OrderView::from(order))?.with_etag(version))
}

/// Call an order off.
///
/// While it is pending or confirmed. Its stock is given back and its money returned; `paymentStatus` is `refunded` when
/// that is done, at once as a rule.
#[utoipa::path(
    post, path = "/api/orders/{id}/cancel", tag = "Orders",
    params(
        ("id" = String, Path, format = Uuid, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The state it was read in"),
    ),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 404, description = "ORDER_NOT_FOUND; also for somebody else's"),
        (status = 409, description = "ORDER_NOT_CANCELLABLE"),
        (status = 412, description = "PRECONDITION_FAILED"),
    ),
    security(("bearer" = []))
)]
async fn cancel(
    State(ordering): State<Ordering>,
    canceller: Canceller,
    PathParts(order): PathParts<OrderId>,
    if_match: IfMatch,
) -> Outcome {
    let end = End { scope: canceller.scope, order, ending: Ending::CalledOff, details: None, if_match };
    let occasion = ordering.occasion(&canceller.actor);
    reply(ordering.end_order(end, occasion).await?)
}

/// Where an order goes next.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StatusChange {
    status: OrderStatus,
    /// What to say about it.
    #[schema(max_length = 1000)]
    details: Option<String>,
}

/// Move an order to its next status.
///
/// pending → confirmed → processing → shipped → delivered; cancelled from the first three, refunded from the last two.
/// Cancelling and refunding return the money.
#[utoipa::path(
    patch, path = "/api/orders/{id}/status", tag = "Orders",
    params(
        ("id" = String, Path, format = Uuid, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The state it was read in"),
    ),
    request_body = StatusChange,
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 404, description = "ORDER_NOT_FOUND"),
        (status = 409, description = "ILLEGAL_STATUS_CHANGE, PAYMENT_IN_PROGRESS"),
    ),
    security(("bearer" = []))
)]
async fn change_status(
    State(ordering): State<Ordering>,
    Clerk(actor): Clerk,
    PathParts(order): PathParts<OrderId>,
    if_match: IfMatch,
    Json(body): Json<StatusChange>,
) -> Outcome {
    let mut fields = Fields::default();
    let details = fields.take_given("details", body.details.as_deref().map(|given| text(given, 0, 1_000)));
    fields.finish()?;
    let change = Move { order, to: body.status, details, if_match };
    let occasion = ordering.occasion(&actor);
    reply(ordering.change_status(change, occasion).await?)
}

/// Where a parcel can be followed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTracking {
    #[schema(min_length = 1, max_length = 100)]
    tracking_number: String,
    #[schema(min_length = 1, max_length = 100)]
    carrier: Option<String>,
    /// When it is expected; as it was when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    estimated_delivery: Option<Timestamp>,
}

/// Say where an order's parcel can be followed.
///
/// From the payment to the delivery; its buyer is told by mail.
#[utoipa::path(
    put, path = "/api/orders/{id}/tracking", tag = "Orders",
    params(
        ("id" = String, Path, format = Uuid, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The state it was read in"),
    ),
    request_body = NewTracking,
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 404, description = "ORDER_NOT_FOUND"),
        (status = 409, description = "ORDER_NOT_TRACKABLE"),
    ),
    security(("bearer" = []))
)]
async fn track(
    State(ordering): State<Ordering>,
    Clerk(actor): Clerk,
    PathParts(order): PathParts<OrderId>,
    if_match: IfMatch,
    Json(body): Json<NewTracking>,
) -> Outcome {
    let mut fields = Fields::default();
    let number = fields.take("trackingNumber", text(&body.tracking_number, 1, 100));
    let carrier = fields.take_given("carrier", body.carrier.as_deref().map(|given| text(given, 1, 100)));
    fields.finish()?;
    let tracking = Tracking {
        order,
        number: number.unwrap_or_default(),
        carrier,
        estimated_delivery: body.estimated_delivery,
        if_match,
    };
    let occasion = ordering.occasion(&actor);
    reply(ordering.track_order(tracking, occasion).await?)
}
