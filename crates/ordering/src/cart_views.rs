//! What carts look like from outside.

use serde::Serialize;
use stoa_contracts::catalog::{Discounts, OfferId, PackageId, ProductId, VariantId};
use stoa_kernel::{Currency, Money, Timestamp, UserId};
use utoipa::ToSchema;

use crate::{
    cart::{Cart, CartId, CartItemId, CartLine},
    complaint::{Complaint, Subject},
    order::{package_of, variant_of},
    views::{OfferView, line_total},
};

/// A cart.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cart)]
pub(crate) struct CartView {
    /// All zeros for a guest who has put nothing into it.
    id: CartId,
    /// Whose it is; absent when it is a guest's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<UserId>,
    items: Vec<CartItemView>,
    /// What takes something off, by itself or by code, in the order in which it does.
    offers: Vec<OfferView>,
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
    /// Whether all of it could be bought now.
    available: bool,
}

impl From<Cart> for CartView {
    fn from(cart: Cart) -> Self {
        let (head, totals) = (cart.head, cart.totals);
        Self {
            id: head.id,
            user_id: head.owner,
            items: cart.lines.into_iter().map(CartItemView::from).collect(),
            offers: head.shown.into_iter().map(OfferView::from).collect(),
            subtotal: totals.subtotal,
            discount: totals.discount,
            tax: totals.tax,
            shipping: totals.shipping,
            total: totals.total,
            currency: totals.total.currency(),
            updated_at: head.updated_at,
        }
    }
}

impl From<CartLine> for CartItemView {
    fn from(line: CartLine) -> Self {
        let available = line.is_available();
        let kept = line.kept;
        Self {
            id: kept.id,
            product_id: kept.ware.product(),
            variant_id: variant_of(kept.ware),
            package_id: package_of(kept.ware),
            name: line.sellable.map_or(kept.name, |sellable| sellable.name),
            quantity: kept.quantity,
            price: kept.price,
            total: line_total(kept.price, kept.quantity),
            available,
        }
    }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    variant_id: Option<VariantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    package_id: Option<PackageId>,
    /// The offer it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    offer_id: Option<OfferId>,
    /// The code it is about; it will be off the cart after the next try to order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    offer_code: Option<String>,
}

impl CartCheckView {
    pub(crate) fn of(cart: &Cart, now: &Discounts) -> Self {
        let mut errors: Vec<ComplaintView> = cart.complaints(now).iter().map(ComplaintView::from).collect();
        if cart.lines.is_empty() {
            errors.push(ComplaintView::new("CART_EMPTY", "Your cart is empty.".into()));
        }
        Self { valid: errors.is_empty(), errors }
    }
}

impl ComplaintView {
    const fn new(code: &'static str, message: String) -> Self {
        Self {
            code,
            message,
            item_id: None,
            product_id: None,
            variant_id: None,
            package_id: None,
            offer_id: None,
            offer_code: None,
        }
    }
}

impl From<&Complaint> for ComplaintView {
    fn from(complaint: &Complaint) -> Self {
        let view = Self::new(complaint.code(), complaint.sentence());
        match complaint.about {
            Subject::Line(item, ware) => Self {
                item_id: Some(item),
                product_id: ware.product(),
                variant_id: variant_of(ware),
                package_id: package_of(ware),
                ..view
            },
            Subject::Offer(offer) => Self { offer_id: Some(offer), ..view },
            Subject::Code => Self { offer_code: Some(complaint.name.clone()), ..view },
        }
    }
}
