//! What ordering publishes.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stoa_kernel::{Id, Timestamp, UserId};
use stoa_platform::events::Event;

use crate::catalog::{PackageId, ProductId, VariantId};

/// Marker of order ids.
pub enum Order {}
/// The id of an order.
pub type OrderId = Id<Order>;

/// One line of a placed order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedItem {
    /// The product, unless it is a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// Its variant, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<VariantId>,
    /// The package, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_id: Option<PackageId>,
    /// Pieces.
    pub quantity: i64,
}

macro_rules! order_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The order.
            pub order_id: OrderId,
            /// The buyer.
            pub user_id: UserId,
            /// The order's version after the change.
            pub version: i64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                format!("order:{}", self.order_id)
            }

            fn aggregate(&self) -> String {
                format!("order:{}", self.order_id)
            }

            fn version(&self) -> i64 {
                self.version
            }
        }
    };
}

order_event! {
    /// An order was placed; its stock is taken.
    OrderPlaced = "order.placed" {
        /// Its lines.
        items: Vec<PlacedItem>,
        /// What it costs: a decimal number with the currency's minor digits.
        total: Box<RawValue>,
    }
}
order_event! {
    /// An order moved to another status.
    OrderStatusChanged = "order.status_changed" {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
        /// What was said about it, if anything.
        details: Option<String>,
    }
}
order_event! {
    /// An order was cancelled; its stock is given back.
    OrderCancelled = "order.cancelled" {}
}
order_event! {
    /// An order was handed to the carrier.
    OrderShipped = "order.shipped" {
        /// The carrier's number for it, when known.
        tracking_number: Option<String>,
    }
}
order_event! {
    /// It became known where an order can be followed.
    OrderTracked = "order.tracking_updated" {
        /// The carrier's number for it.
        tracking_number: String,
        /// The carrier, when told.
        carrier: Option<String>,
    }
}
order_event! {
    /// A charge ended, well or not.
    PaymentProcessed = "payment.processed" {
        /// What was charged.
        amount: Box<RawValue>,
        /// `success` or `failed`.
        status: String,
    }
}
order_event! {
    /// Money went back to the buyer.
    PaymentRefunded = "payment.refunded" {
        /// How much.
        amount: Box<RawValue>,
    }
}
order_event! {
    /// Money that was to go back, or was thought to be back, is not: the provider or the buyer's bank refuses it for good.
    PaymentRefundFailed = "payment.refund_failed" {
        /// The refund.
        refund_id: Id<()>,
        /// How much.
        amount: Box<RawValue>,
        /// Why, in the provider's words.
        reason: String,
    }
}
order_event! {
    /// A buyer has their bank claim a payment back, or that went on.
    PaymentDisputed = "payment.disputed" {
        /// The provider's name of the dispute.
        dispute_id: String,
        /// How much is claimed, where that is an amount of the shop's.
        amount: Option<Box<RawValue>>,
        /// Why, in the provider's word.
        reason: String,
        /// How it stands, in the provider's word: `needs_response`, `won`, `lost`, …
        status: String,
        /// Until when the provider hears the shop's side.
        respond_by: Option<Timestamp>,
    }
}
