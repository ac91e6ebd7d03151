//! What orders look like from outside.

use serde::Serialize;
use stoa_contracts::{
    catalog::{AppliedOffer, OfferId, PackageId, ProductId, VariantId},
    ordering::OrderId,
};
use stoa_kernel::{Currency, Money, Timestamp, UserId};
use utoipa::ToSchema;

use crate::{
    address::Address,
    order::{HistoryEntry, Order, OrderItem, package_of, variant_of},
    status::{OrderStatus, PaymentStatus},
};

/// An offer that takes something off.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsedOffer)]
pub(crate) struct OfferView {
    id: OfferId,
    name: String,
    /// The code it was asked for by; absent when it applies by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<String>,
    discount: Money,
}

impl From<AppliedOffer> for OfferView {
    fn from(offer: AppliedOffer) -> Self {
        let AppliedOffer { id, name, code, discount } = offer;
        Self { id, name, code, discount }
    }
}

/// The sum of a line, which was part of a sum that could be made.
pub(crate) fn line_total(price: Money, quantity: i64) -> Money {
    price.times(quantity).unwrap_or_else(|| Money::zero(price.currency()))
}

/// An order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub(crate) struct OrderView {
    id: OrderId,
    /// As people call it.
    #[schema(example = "STOA-000123")]
    number: String,
    user_id: UserId,
    items: Vec<OrderItemView>,
    /// What took something off.
    offers: Vec<OfferView>,
    subtotal: Money,
    discount: Money,
    tax: Money,
    shipping: Money,
    total: Money,
    currency: Currency,
    status: OrderStatus,
    payment_status: PaymentStatus,
    payment_method: String,
    shipping_address: Address,
    billing_address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    estimated_delivery: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notes: Option<String>,
    history: Vec<HistoryView>,
    /// In the answer to placing it only: what the buyer must do before it is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_action: Option<NextAction>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A second step that a payment method needs. The step is taken with the provider's client library.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NextAction {
    /// What kind of step.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// With which it is taken.
    pub(crate) client_secret: String,
    /// The payment's name, to confirm it by once the step is taken.
    pub(crate) payment_intent_id: String,
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderItem)]
struct OrderItemView {
    /// The product; absent when it is a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    product_id: Option<ProductId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    variant_id: Option<VariantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    package_id: Option<PackageId>,
    name: String,
    quantity: i64,
    price: Money,
    total: Money,
}

/// A status an order came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderHistory)]
struct HistoryView {
    status: OrderStatus,
    at: Timestamp,
    /// Who did it: `user:<id>`, `key:<name>` or `system:<name>`.
    by: String,
    /// What was said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    details: Option<String>,
}

impl From<Order> for OrderView {
    fn from(order: Order) -> Self {
        let (number, totals) = (order.human_number(), order.totals);
        let billing_address = order.billing_address.unwrap_or_else(|| order.shipping_address.clone());
        Self {
            id: order.id,
            number,
            user_id: order.buyer,
            items: order.items.into_iter().map(OrderItemView::from).collect(),
            offers: order.offers.into_iter().map(OfferView::from).collect(),
            subtotal: totals.subtotal,
            discount: totals.discount,
            tax: totals.tax,
            shipping: totals.shipping,
            total: totals.total,
            currency: totals.total.currency(),
            status: order.status,
            payment_status: order.payment_status,
            payment_method: order.payment_method,
            shipping_address: order.shipping_address,
            billing_address,
            tracking_number: order.tracking_number,
            carrier: order.carrier,
            estimated_delivery: order.estimated_delivery,
            notes: order.notes,
            history: order.history.into_iter().map(HistoryView::from).collect(),
            next_action: None,
            created_at: order.created_at,
            updated_at: order.updated_at,
        }
    }
}

impl OrderView {
    /// With what the buyer must do before it is paid.
    pub(crate) fn asking_for(self, next_action: Option<NextAction>) -> Self {
        Self { next_action, ..self }
    }
}

impl From<OrderItem> for OrderItemView {
    fn from(item: OrderItem) -> Self {
        Self {
            product_id: item.ware.product(),
            variant_id: variant_of(item.ware),
            package_id: package_of(item.ware),
            name: item.name,
            quantity: item.quantity,
            price: item.price,
            total: line_total(item.price, item.quantity),
        }
    }
}

impl From<HistoryEntry> for HistoryView {
    fn from(entry: HistoryEntry) -> Self {
        Self { status: entry.status, at: entry.at, by: entry.by, details: entry.details }
    }
}
