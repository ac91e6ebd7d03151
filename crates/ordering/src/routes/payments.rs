//! `/api/payments`, and the refunds of an order.

use axum::{extract::State, http::HeaderMap, middleware::from_fn};
use serde::Deserialize;
use stoa_contracts::{ordering::OrderId, payments::NoticeError};
use stoa_http::{
    Idempotent, Json, LimitKey, ListQuery, MaybeEmpty, Outcome, PathParts, RawJson, Reply, foreign_cursor,
    limited,
};
use stoa_kernel::{
    CursorValue, Decimal, Fields, Flaw, Money, Refusal, SortOrder, fields::text, money::MoneyError,
};
use stoa_platform::database::DatabaseError;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::guards::{Buyer, Clerk, Reader};
use crate::{
    Ordering,
    error::OrderError,
    pay_later::Confirmation,
    payment_views::{ConfirmationView, IntentView, RefundView},
    refund_order::Return,
    store::{orders, refunds},
};

/// The provider whose notices come here.
const STRIPE: &str = "stripe";
/// The longest name of a payment.
const LONGEST_INTENT: usize = 255;

pub(super) fn routes() -> OpenApiRouter<Ordering> {
    let paying = OpenApiRouter::new()
        .routes(routes!(confirm))
        .route_layer(from_fn(limited(|limits| &limits.payment, LimitKey::Actor)));
    let hearing = OpenApiRouter::new()
        .routes(routes!(hear_stripe))
        .route_layer(from_fn(limited(|limits| &limits.webhook, LimitKey::Client)));
    OpenApiRouter::new()
        .routes(routes!(open_intent))
        .routes(routes!(list_refunds, refund))
        .merge(paying)
        .merge(hearing)
}

/// Which order is to be paid.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IntentWanted {
    /// One's own, placed with `paymentMethod: "deferred"` and not paid yet.
    order_id: OrderId,
}

/// Begin to pay an order that was placed without a charge.
///
/// Asking again answers the same intent, so no Idempotency-Key is needed. `clientSecret` is for the provider's client
/// library; without one, confirm with a payment method.
#[utoipa::path(
    post, path = "/api/payments/intents", tag = "Payments",
    request_body = IntentWanted,
    responses(
        (status = 200, description = "What the buyer's client needs", body = IntentView),
        (status = 404, description = "ORDER_NOT_FOUND; also for somebody else's"),
        (status = 409, description = "ORDER_NOT_PAYABLE: paid, given up, or its time is over; PAYMENT_IN_PROGRESS, PAYMENT_REFUSED"),
    ),
    security(("bearer" = []))
)]
async fn open_intent(
    State(ordering): State<Ordering>,
    buyer: Buyer,
    Json(body): Json<IntentWanted>,
) -> Outcome {
    let now = ordering.occasion(&buyer.actor).at;
    Reply::ok(&ordering.payment_intent(buyer.user, body.order_id, now).await?)
}

/// By what an order is paid.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PaymentGiven {
    /// A payment method of the provider; absent when the buyer has taken the second step of the one before, or has paid
    /// with the provider's client library.
    #[schema(min_length = 1, max_length = 255, example = "pm_card_visa")]
    payment_method: Option<String>,
}

/// Pay an order.
///
/// Try as often as needed until the hold of the stock ends. A refused payment is an answer too: `success` is false,
/// `error` says why, and the order waits for another method. A method that needs a second step answers `nextAction`;
/// when the buyer has taken it, confirm again without a method. The body may be left out.
#[utoipa::path(
    post, path = "/api/payments/{id}/confirm", tag = "Payments",
    params(
        ("id" = String, Path, description = "The `paymentIntentId`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again, the payment is tried once"),
    ),
    request_body(content = Option<PaymentGiven>),
    responses(
        (status = 200, description = "What came of it", body = ConfirmationView),
        (status = 404, description = "PAYMENT_NOT_FOUND; also for somebody else's"),
        (status = 409, description = "ORDER_NOT_PAYABLE; PAYMENT_IN_PROGRESS: it is not known yet, ask again in a moment; PAYMENT_REFUSED, IDEMPOTENCY_IN_PROGRESS"),
    ),
    security(("bearer" = []))
)]
async fn confirm(
    State(ordering): State<Ordering>,
    buyer: Buyer,
    PathParts(intent): PathParts<String>,
    MaybeEmpty(Idempotent { body, once }): MaybeEmpty<PaymentGiven>,
) -> Outcome {
    if intent.len() > LONGEST_INTENT {
        return Err(OrderError::UnknownPayment.into());
    }
    let mut fields = Fields::default();
    if let Some(method) = &body.payment_method
        && let Some(method) = fields.take("paymentMethod", text(method, 1, 255))
    {
        let unknown = Flaw::new("UNKNOWN_PAYMENT_METHOD", "There is no such way to pay.");
        fields.check("paymentMethod", ordering.providers.current().accepts(&method), unknown);
    }
    fields.finish()?;
    let occasion = ordering.occasion(&buyer.actor);
    let confirmation = Confirmation { buyer: buyer.user, intent, method: body.payment_method };
    Ok(ordering.confirm_payment(confirmation, once, occasion).await?)
}

/// Hear what Stripe tells.
///
/// For Stripe alone: the body must bear its signature. Each event is heard once; those that concern nobody here are
/// answered 204 as well.
#[utoipa::path(
    post, path = "/api/payments/webhooks/stripe", tag = "Payments",
    params(("Stripe-Signature" = Option<String>, Header, description = "When it was sent, and the signature of that and the body")),
    request_body(content = serde_json::Value, description = "An event, as Stripe writes it"),
    responses(
        (status = 204, description = "Heard"),
        (status = 400, description = "INVALID_SIGNATURE, STALE_SIGNATURE, MALFORMED_EVENT"),
        (status = 404, description = "WEBHOOK_NOT_CONFIGURED: there is no STRIPE_WEBHOOK_SECRET here"),
    ),
)]
async fn hear_stripe(
    State(ordering): State<Ordering>,
    headers: HeaderMap,
    RawJson(body): RawJson,
) -> Outcome {
    let occasion = ordering.system_occasion(STRIPE);
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let provider = ordering.providers.named(STRIPE).ok_or_else(|| refused(NoticeError::NotConfigured))?;
    let notice = provider.read_notice(signature, &body, occasion.at).map_err(refused)?;
    ordering.hear_notice(notice, occasion).await?;
    Ok(Reply::no_content())
}

fn refused(error: NoticeError) -> Refusal {
    match error {
        NoticeError::NotConfigured => {
            Refusal::not_found("WEBHOOK_NOT_CONFIGURED", "Nothing is heard here: there is no webhook secret.")
        }
        NoticeError::Forged => {
            tracing::warn!("a webhook came without a good signature");
            Refusal::malformed("INVALID_SIGNATURE", "The signature is not good.")
        }
        NoticeError::Stale => {
            Refusal::malformed("STALE_SIGNATURE", "The signature is too old, or the clocks differ.")
        }
        NoticeError::Unreadable => Refusal::malformed("MALFORMED_EVENT", "The event cannot be read."),
    }
}

/// What is given back.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewRefund {
    /// How much; all that is left when absent.
    #[schema(value_type = Option<f64>, example = 9.99)]
    amount: Option<Decimal>,
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

impl NewRefund {
    fn wanted(self, order: OrderId, ordering: &Ordering) -> Result<Return, Refusal> {
        let mut fields = Fields::default();
        let amount = fields.take_given("amount", self.amount.map(|amount| positive(amount, ordering)));
        let reason = fields.take_given("reason", self.reason.as_deref().map(|reason| text(reason, 0, 500)));
        fields.finish()?;
        Ok(Return { order, amount, reason: reason.filter(|reason| !reason.is_empty()) })
    }
}

fn positive(amount: Decimal, ordering: &Ordering) -> Result<Money, Flaw> {
    match amount.in_currency(ordering.settings.currency) {
        Ok(money) if money.minor() > 0 => Ok(money),
        Ok(_) => Err(Flaw::new("OUT_OF_RANGE", "It must be more than nothing.")),
        Err(MoneyError::TooPrecise) => Err(Flaw::new("TOO_PRECISE", "More decimals than the currency has.")),
        Err(MoneyError::TooLarge) => Err(Flaw::new("TOO_LARGE", "It is too large.")),
    }
}

/// Give an order's money back, all or a part of it.
///
/// As often as there is something left. When all is back `paymentStatus` is `refunded`, before that
/// `partially_refunded`; a shipped or delivered order becomes `refunded` with the last of it. `status: pending` in the
/// answer means that it is on its way; `failed` that the provider refuses it for good, and it may be asked for anew.
#[utoipa::path(
    post, path = "/api/orders/{id}/refunds", tag = "Payments",
    params(
        ("id" = String, Path, format = Uuid, description = "The order"),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again, the sum is given back once"),
    ),
    request_body(content = Option<NewRefund>),
    responses(
        (status = 201, description = "The refund", body = RefundView),
        (status = 404, description = "ORDER_NOT_FOUND"),
        (status = 409, description = "NOTHING_TO_REFUND, TOO_MANY_REFUNDS, IDEMPOTENCY_IN_PROGRESS"),
        (status = 422, description = "REFUND_TOO_LARGE: less than that is left; IDEMPOTENCY_KEY_REUSED"),
    ),
    security(("bearer" = []), ("apiKey" = []))
)]
async fn refund(
    State(ordering): State<Ordering>,
    Clerk(actor): Clerk,
    PathParts(order): PathParts<OrderId>,
    MaybeEmpty(Idempotent { body, once }): MaybeEmpty<NewRefund>,
) -> Outcome {
    let wanted = body.wanted(order, &ordering)?;
    let occasion = ordering.occasion(&actor);
    Ok(ordering.refund_order(wanted, once, occasion).await?)
}

/// List an order's refunds, the latest first.
///
/// One's own; anybody's for those with `order:update`.
#[utoipa::path(
    get, path = "/api/orders/{id}/refunds", tag = "Payments",
    params(ListQuery, ("id" = String, Path, format = Uuid, description = "The order")),
    responses(
        (status = 200, description = "A page of refunds", body = Vec<RefundView>),
        (status = 404, description = "ORDER_NOT_FOUND; also for somebody else's"),
    ),
    security(("bearer" = []), ("apiKey" = []))
)]
async fn list_refunds(
    State(ordering): State<Ordering>,
    Reader(scope): Reader,
    PathParts(order): PathParts<OrderId>,
    query: ListQuery,
) -> Outcome {
    let ((), direction) = query.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let asked = query.page.clone();
    let foreign = |cursor: &stoa_kernel::Cursor| {
        cursor.order != refunds::cursor_order(direction) || !matches!(cursor.value, CursorValue::Number(_))
    };
    if asked.after().is_some_and(foreign) {
        return Err(foreign_cursor());
    }
    let found = ordering.platform.database.read(move |connection| {
        let Some(order) = orders::find(connection, scope, order)? else { return Ok(None) };
        let currency = order.totals.total.currency();
        refunds::list(connection, (order.id, currency), direction, &asked).map(Some)
    });
    let found = found.await.map_err(|error: DatabaseError| OrderError::from(error))?;
    let page = found.ok_or(OrderError::UnknownOrder)?.map(RefundView::from);
    Reply::page(&page, &query.page)
}
