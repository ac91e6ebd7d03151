//! What an event means to somebody: the words for it. Plain functions, tried by value.

use serde_json::{Value, json};
use stoa_contracts::{
    accounts::{PasswordChanged, TokenReused},
    catalog::{LowStock, OutOfStock, VariantId, Ware},
    chat::Mention,
    notifications::Kind,
    ordering::{OrderStatusChanged, OrderTracked, PaymentDisputed, PaymentRefundFailed, PaymentRefunded},
};
use stoa_kernel::UserId;

/// What somebody is told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Told {
    pub(crate) kind: Kind,
    pub(crate) title: String,
    pub(crate) message: String,
    pub(crate) data: Value,
}

impl Told {
    fn new(kind: Kind, title: &str, message: impl Into<String>, data: Value) -> Self {
        Self { kind, title: title.to_owned(), message: message.into(), data }
    }
}

/// What its buyer hears when an order moves; some moves are nobody's news.
pub(crate) fn of_status(event: &OrderStatusChanged) -> Option<(UserId, Told)> {
    let (kind, title, message) = match event.to.as_str() {
        "confirmed" => (
            Kind::OrderConfirmed,
            "Your order is confirmed",
            "Thank you for your order. We have your payment and are getting it ready.",
        ),
        "shipped" => {
            (Kind::OrderShipped, "Your order is on its way", "Your order was handed to the carrier.")
        }
        "delivered" => (Kind::OrderDelivered, "Your order has arrived", "We hope you like it."),
        "cancelled" => {
            (Kind::OrderCancelled, "Your order was cancelled", "Whatever you paid for it is returned to you.")
        }
        _ => return None,
    };
    let mut data = json!({"orderId": event.order_id, "status": event.to});
    if let (Some(details), Value::Object(data)) = (&event.details, &mut data) {
        data.insert("details".into(), details.clone().into());
    }
    Some((event.user_id, Told::new(kind, title, message, data)))
}

pub(crate) fn of_tracking(event: &OrderTracked) -> (UserId, Told) {
    let number = &event.tracking_number;
    let message = match &event.carrier {
        Some(carrier) => format!("Follow it with {carrier} under the number {number}."),
        None => format!("Follow it under the number {number}."),
    };
    let data = json!({"orderId": event.order_id, "trackingNumber": number, "carrier": event.carrier});
    (event.user_id, Told::new(Kind::OrderTracking, "You can follow your order", message, data))
}

pub(crate) fn of_refund(event: &PaymentRefunded) -> (UserId, Told) {
    let amount = event.amount.get();
    let message = format!("{amount} are on their way back to you.");
    let data = json!({"orderId": event.order_id, "amount": amount});
    (event.user_id, Told::new(Kind::OrderRefunded, "Your order was refunded", message, data))
}

pub(crate) fn of_failed_refund(event: &PaymentRefundFailed) -> Told {
    let (amount, reason) = (event.amount.get(), &event.reason);
    let message = format!("{amount} did not go back to the buyer: {reason}. Refund the order again.");
    let data = json!({
        "orderId": event.order_id, "refundId": event.refund_id, "amount": amount, "reason": reason,
    });
    Told::new(Kind::RefundFailed, "A refund failed", message, data)
}

pub(crate) fn of_dispute(event: &PaymentDisputed) -> Told {
    let PaymentDisputed { order_id, dispute_id, reason, status, respond_by, .. } = event;
    let amount = event.amount.as_ref().map(|amount| amount.get());
    let claimed = amount.map_or_else(String::new, |amount| format!(" of {amount}"));
    let message = match respond_by {
        Some(until) => format!(
            "A payment{claimed} is claimed back ({reason}): {status}. Answer it at the payment provider until {until}."
        ),
        None => format!("A payment{claimed} is claimed back ({reason}): {status}."),
    };
    let data = json!({
        "orderId": order_id, "disputeId": dispute_id, "amount": amount, "reason": reason, "status": status,
        "respondBy": respond_by,
    });
    Told::new(Kind::PaymentDisputed, "A payment is disputed", message, data)
}

pub(crate) fn of_password(event: &PasswordChanged) -> (UserId, Told) {
    let message = "If that was not you, reset your password at once. Every other session was ended.";
    (
        event.user_id,
        Told::new(Kind::Security, "Your password was changed", message, json!({"event": "password_changed"})),
    )
}

pub(crate) fn of_reuse(event: &TokenReused) -> (UserId, Told) {
    let message = format!(
        "A login that had been renewed was used again from {}. It was ended; sign in again.",
        event.address
    );
    let data = json!({"event": "token_reused", "address": event.address});
    (event.user_id, Told::new(Kind::Security, "A login was ended for your safety", message, data))
}

pub(crate) fn of_mention(event: &Mention) -> (UserId, Told) {
    let by = &event.by.name;
    let message = match event.room_name.as_str() {
        "" => format!("{by} mentioned you in a direct message."),
        room => format!("{by} mentioned you in {room}."),
    };
    let data =
        json!({"room": event.room, "messageId": event.message_id, "seq": event.seq, "by": event.by.id});
    (event.user_id, Told::new(Kind::Mention, "Somebody mentioned you", message, data))
}

/// A shelf that wants looking after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shelf {
    pub(crate) kind: Kind,
    pub(crate) ware: Ware,
    pub(crate) stock: i64,
}

impl Shelf {
    pub(crate) fn low(event: &LowStock) -> Self {
        let ware = ware(event.product_id, event.variant_id);
        Self { kind: Kind::LowStock, ware, stock: event.stock }
    }

    pub(crate) fn empty(event: &OutOfStock) -> Self {
        let ware = ware(event.product_id, event.variant_id);
        Self { kind: Kind::OutOfStock, ware, stock: event.stock }
    }

    /// What is said of it, `name` being what is on it.
    pub(crate) fn told(self, name: &str) -> Told {
        let Self { kind, ware, stock } = self;
        let mut data = json!({"productId": ware.product(), "stock": stock});
        if let (Ware::Variant(_, variant), Value::Object(data)) = (ware, &mut data) {
            data.insert("variantId".into(), json!(variant));
        }
        match kind {
            Kind::OutOfStock => {
                Told::new(kind, "Out of stock", format!("The last piece of {name} was taken."), data)
            }
            _ => Told::new(kind, "Low stock", format!("Of {name} there are {stock} pieces left."), data),
        }
    }
}

fn ware(product: stoa_contracts::catalog::ProductId, variant: Option<VariantId>) -> Ware {
    variant.map_or(Ware::Product(product), |variant| Ware::Variant(product, variant))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn moved(to: &str) -> Option<(UserId, Told)> {
        of_status(&OrderStatusChanged {
            order_id: Uuid::nil().into(),
            user_id: Uuid::max().into(),
            version: 2,
            from: "pending".into(),
            to: to.into(),
            details: Some("left at the door".into()),
        })
    }

    #[test]
    fn a_buyer_hears_of_moves_that_matter() {
        for (status, kind) in [
            ("confirmed", Kind::OrderConfirmed),
            ("shipped", Kind::OrderShipped),
            ("delivered", Kind::OrderDelivered),
            ("cancelled", Kind::OrderCancelled),
        ] {
            let (user, told) = moved(status).unwrap();
            assert_eq!((user, told.kind), (Uuid::max().into(), kind));
            assert_eq!(told.data["status"], status);
            assert_eq!(told.data["details"], "left at the door");
        }
        for silent in ["pending", "processing", "refunded", "anything"] {
            assert_eq!(moved(silent), None, "{silent}");
        }
    }

    #[test]
    fn a_dispute_says_until_when_it_is_to_be_answered() {
        let mut event = PaymentDisputed {
            order_id: Uuid::nil().into(),
            user_id: Uuid::max().into(),
            version: 3,
            dispute_id: "dp_1".into(),
            amount: serde_json::value::to_raw_value(&19).ok(),
            reason: "fraudulent".into(),
            status: "needs_response".into(),
            respond_by: Some(stoa_kernel::Timestamp::from_seconds(1_768_478_400)),
        };
        let told = of_dispute(&event);
        assert_eq!(
            told.message,
            "A payment of 19 is claimed back (fraudulent): needs_response. Answer it at the payment provider until \
             2026-01-15T12:00:00.000Z."
        );
        (event.amount, event.respond_by, event.status) = (None, None, "lost".into());
        assert_eq!(of_dispute(&event).message, "A payment is claimed back (fraudulent): lost.");
    }

    #[test]
    fn a_shelf_names_what_is_on_it() {
        let product = Uuid::nil().into();
        let low = LowStock { product_id: product, version: 1, variant_id: None, stock: 3 };
        let told = Shelf::low(&low).told("Tea");
        assert_eq!(told.message, "Of Tea there are 3 pieces left.");
        assert!(told.data.get("variantId").is_none());
        let empty =
            OutOfStock { product_id: product, version: 1, variant_id: Some(Uuid::max().into()), stock: 0 };
        let told = Shelf::empty(&empty).told("Tea, large");
        assert_eq!(
            (told.kind, told.message.as_str()),
            (Kind::OutOfStock, "The last piece of Tea, large was taken.")
        );
        assert_eq!(told.data["variantId"], Uuid::max().to_string());
    }
}
