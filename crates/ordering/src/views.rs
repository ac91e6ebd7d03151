//! What carts and orders look like from outside.

use serde::Serialize;
use stoa_contracts::{catalog::ProductId, ordering::OrderId};
use stoa_kernel::{Currency, Money, Timestamp, UserId};
use utoipa::ToSchema;

use crate::{
    address::Address,
    cart::{Cart, CartId, CartItemId, CartLine, Complaint, cart_of},
    order::{HistoryEntry, Order, OrderItem},
    status::{OrderStatus, PaymentStatus},
};

/// A cart.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cart)]
pub(crate) struct CartView {
    id: CartId,
    user_id: UserId,
    items: Vec<CartItemView>,
    /// Offers that were put on it.
    offers: Vec<String>,
    subtotal: Money,
    discount: Money,
    tax: Money,
    shipping: Money,
    total: Money,
    currency: Currency,
    updated_at: Timestamp,
}

/// A line of a cart, at the price it was shown at.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CartItem)]
struct CartItemView {
    id: CartItemId,
    product_id: ProductId,
    name: String,
    quantity: i64,
    price: Money,
    total: Money,
    /// Whether all of it could be bought now.
    available: bool,
}

impl From<Cart> for CartView {
    fn from(cart: Cart) -> Self {
        let totals = cart.totals;
        Self {
            id: cart_of(cart.owner),
            user_id: cart.owner,
            items: cart.lines.into_iter().map(CartItemView::from).collect(),
            offers: Vec::new(),
            subtotal: totals.subtotal,
            discount: totals.discount,
            tax: totals.tax,
            shipping: totals.shipping,
            total: totals.total,
            currency: totals.total.currency(),
            updated_at: cart.updated_at,
        }
    }
}

impl From<CartLine> for CartItemView {
    fn from(line: CartLine) -> Self {
        let available = line.is_available();
        let kept = line.kept;
        Self {
            id: kept.id,
            product_id: kept.product,
            name: line.offer.map_or(kept.name, |offer| offer.name),
            quantity: kept.quantity,
            price: kept.price,
            total: line_total(kept.price, kept.quantity),
            available,
        }
    }
}

/// The sum of a line, which was part of a sum that could be made.
fn line_total(price: Money, quantity: i64) -> Money {
    price.times(quantity).unwrap_or_else(|| Money::zero(price.currency()))
}

/// Whether a cart can be bought as it stands, and what is against it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CartCheck)]
pub(crate) struct CartCheckView {
    valid: bool,
    errors: Vec<ComplaintView>,
}

/// One thing that is against buying a cart.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CartProblem)]
struct ComplaintView {
    /// A stable word.
    #[schema(example = "PRICE_CHANGED")]
    code: &'static str,
    /// A sentence for people.
    message: String,
    /// The line it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    item_id: Option<CartItemId>,
    /// Its product.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    product_id: Option<ProductId>,
}

impl CartCheckView {
    pub(crate) fn of(cart: &Cart) -> Self {
        let mut errors: Vec<ComplaintView> = cart.complaints().iter().map(ComplaintView::from).collect();
        if cart.lines.is_empty() {
            errors.push(ComplaintView {
                code: "CART_EMPTY",
                message: "Your cart is empty.".into(),
                item_id: None,
                product_id: None,
            });
        }
        Self { valid: errors.is_empty(), errors }
    }
}

impl From<&Complaint> for ComplaintView {
    fn from(complaint: &Complaint) -> Self {
        Self {
            code: complaint.code(),
            message: complaint.sentence(),
            item_id: Some(complaint.item),
            product_id: Some(complaint.product),
        }
    }
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
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderItem)]
struct OrderItemView {
    product_id: ProductId,
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
            product_id: item.product,
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
