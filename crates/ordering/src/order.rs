//! An order and how it changes. Plain values: stores write them down, verbs decide when.

use stoa_contracts::{
    catalog::{AppliedOffer, OfferId, PackageId, Part, Unpacked, VariantId, Ware},
    ordering::{OrderCancelled, OrderId, OrderPlaced, OrderStatusChanged, PlacedItem},
};
use stoa_kernel::{Money, Timestamp, UserId};
use stoa_platform::{Occasion, database::DatabaseError};

use crate::{
    address::Address,
    cart::Cart,
    status::{OrderStatus, PaymentStatus},
    totals::Totals,
};

/// An order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    /// Given by the database; 0 before that.
    pub(crate) number: i64,
    pub(crate) buyer: UserId,
    pub(crate) version: i64,
    pub(crate) status: OrderStatus,
    pub(crate) payment_status: PaymentStatus,
    pub(crate) payment_method: String,
    pub(crate) items: Vec<OrderItem>,
    /// The offers it was placed with.
    pub(crate) offers: Vec<AppliedOffer>,
    pub(crate) totals: Totals,
    pub(crate) shipping_address: Address,
    /// `None` when it is the shipping address.
    pub(crate) billing_address: Option<Address>,
    pub(crate) tracking_number: Option<String>,
    pub(crate) carrier: Option<String>,
    pub(crate) estimated_delivery: Option<Timestamp>,
    pub(crate) notes: Option<String>,
    pub(crate) history: Vec<HistoryEntry>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A line of an order: name and price as they were when it was placed.
#[derive(Clone, Debug)]
pub(crate) struct OrderItem {
    pub(crate) ware: Ware,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    pub(crate) price: Money,
    /// What was taken from the shelf for it, if it is a package.
    pub(crate) parts: Vec<Part>,
}

/// A status an order came to.
#[derive(Clone, Debug)]
pub(crate) struct HistoryEntry {
    pub(crate) version: i64,
    pub(crate) status: OrderStatus,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) details: Option<String>,
}

/// What a buyer asks for at checkout, beside the cart.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    pub(crate) buyer: UserId,
    pub(crate) shipping_address: Address,
    pub(crate) billing_address: Option<Address>,
    pub(crate) payment_method: String,
    pub(crate) notes: Option<String>,
}

impl Order {
    /// The order that a cart becomes, for whose packages this was taken from the shelf.
    pub(crate) fn of_cart(
        cart: Cart,
        unpacked: Vec<Unpacked>,
        checkout: &Checkout,
        occasion: &Occasion,
    ) -> Self {
        let mut unpacked = unpacked;
        let mut parts_of = |ware| {
            let taken = unpacked.iter_mut().find(|taken| Ware::Package(taken.package) == ware);
            taken.map(|taken| std::mem::take(&mut taken.parts)).unwrap_or_default()
        };
        let items = cart.lines.into_iter().map(|line| OrderItem {
            ware: line.kept.ware,
            name: line.sellable.map_or(line.kept.name, |sellable| sellable.name),
            quantity: line.kept.quantity,
            price: line.kept.price,
            parts: parts_of(line.kept.ware),
        });
        let placed = HistoryEntry {
            version: 1,
            status: OrderStatus::Pending,
            at: occasion.at,
            by: occasion.actor.clone(),
            details: None,
        };
        Self {
            id: occasion.id(),
            number: 0,
            buyer: checkout.buyer,
            version: 1,
            status: OrderStatus::Pending,
            payment_status: PaymentStatus::Pending,
            payment_method: checkout.payment_method.clone(),
            items: items.collect(),
            offers: cart.head.shown,
            totals: cart.totals,
            shipping_address: checkout.shipping_address.clone(),
            billing_address: checkout.billing_address.clone(),
            tracking_number: None,
            carrier: None,
            estimated_delivery: None,
            notes: checkout.notes.clone(),
            history: vec![placed],
            created_at: occasion.at,
            updated_at: occasion.at,
        }
    }

    /// The same order one version on; nothing else is changed yet.
    pub(crate) fn next_version(&self, occasion: &Occasion) -> Self {
        Self { version: self.version + 1, updated_at: occasion.at, ..self.clone() }
    }

    /// Notes that this version has another status than the one before. Whether it may is asked of the machine before.
    pub(crate) fn enter(&mut self, status: OrderStatus, occasion: &Occasion, details: Option<String>) {
        self.status = status;
        self.history.push(HistoryEntry {
            version: self.version,
            status,
            at: occasion.at,
            by: occasion.actor.clone(),
            details,
        });
    }

    /// As people call it.
    pub(crate) fn human_number(&self) -> String {
        format!("STOA-{:06}", self.number)
    }

    /// The pieces it took from stock.
    pub(crate) fn parts(&self) -> Vec<Part> {
        self.items.iter().flat_map(OrderItem::taken).collect()
    }

    /// The offers it used.
    pub(crate) fn used_offers(&self) -> Vec<OfferId> {
        self.offers.iter().map(|offer| offer.id).collect()
    }

    pub(crate) fn placed(&self) -> Result<OrderPlaced, DatabaseError> {
        let items = self.items.iter();
        Ok(OrderPlaced {
            order_id: self.id,
            user_id: self.buyer,
            version: self.version,
            items: items.map(OrderItem::placed).collect(),
            total: amount(self.totals.total)?,
        })
    }

    pub(crate) fn status_changed(&self, from: OrderStatus) -> OrderStatusChanged {
        OrderStatusChanged {
            order_id: self.id,
            user_id: self.buyer,
            version: self.version,
            from: from.name().into(),
            to: self.status.name().into(),
            details: self.history.last().and_then(|entry| entry.details.clone()),
        }
    }

    pub(crate) fn cancelled(&self) -> OrderCancelled {
        OrderCancelled { order_id: self.id, user_id: self.buyer, version: self.version }
    }
}

impl OrderItem {
    /// What was taken from the shelf for it.
    fn taken(&self) -> Vec<Part> {
        let pieces = self.quantity;
        match self.ware {
            Ware::Product(product) => vec![Part { product, variant: None, pieces }],
            Ware::Variant(product, variant) => vec![Part { product, variant: Some(variant), pieces }],
            Ware::Package(_) => self.parts.clone(),
        }
    }

    fn placed(&self) -> PlacedItem {
        PlacedItem {
            product_id: self.ware.product(),
            variant_id: variant_of(self.ware),
            package_id: package_of(self.ware),
            quantity: self.quantity,
        }
    }
}

/// The variant that a ware is, if it is one.
pub(crate) const fn variant_of(ware: Ware) -> Option<VariantId> {
    if let Ware::Variant(_, variant) = ware { Some(variant) } else { None }
}

/// The package that a ware is, if it is one.
pub(crate) const fn package_of(ware: Ware) -> Option<PackageId> {
    if let Ware::Package(package) = ware { Some(package) } else { None }
}

/// An amount as events carry it.
pub(crate) fn amount(money: Money) -> Result<Box<serde_json::value::RawValue>, DatabaseError> {
    serde_json::value::RawValue::from_string(money.to_string())
        .map_err(|error| DatabaseError::Defect(format!("{money} is no JSON: {error}")))
}
