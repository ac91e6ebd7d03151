//! Where an order and its payment can be, and which way they may go.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Placed, its stock taken, its charge not settled.
    Pending,
    /// Paid.
    Confirmed,
    /// Being packed.
    Processing,
    /// With the carrier.
    Shipped,
    /// With the buyer.
    Delivered,
    /// Called off before it was shipped; its stock is given back.
    Cancelled,
    /// Paid back after it was shipped.
    Refunded,
}

impl OrderStatus {
    /// Every status there is.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Confirmed,
        Self::Processing,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
        Self::Refunded,
    ];

    /// As stored and as written on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Processing => "processing",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The order machine: whether an order may go from here to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        use OrderStatus::{Cancelled, Confirmed, Delivered, Pending, Processing, Refunded, Shipped};
        matches!(
            (self, next),
            (Pending, Confirmed)
                | (Confirmed, Processing)
                | (Processing, Shipped)
                | (Shipped, Delivered)
                | (Pending | Confirmed | Processing, Cancelled)
                | (Shipped | Delivered, Refunded)
        )
    }

    /// Whether a carrier's number makes sense: paid for and not arrived.
    pub const fn is_trackable(self) -> bool {
        matches!(self, Self::Confirmed | Self::Processing | Self::Shipped)
    }
}

/// Where an order's money is, as its buyer is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Not settled yet.
    Pending,
    /// Reserved, not taken.
    Authorized,
    /// Taken.
    Captured,
    /// Not taken, and will not be.
    Failed,
    /// Given back whole.
    Refunded,
    /// Given back in part.
    PartiallyRefunded,
}

impl PaymentStatus {
    /// Every status there is.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Authorized,
        Self::Captured,
        Self::Failed,
        Self::Refunded,
        Self::PartiallyRefunded,
    ];

    /// As stored and as written on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::PartiallyRefunded => "partially_refunded",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row: from; column: to, both in the order of [`OrderStatus::ALL`].
    const TABLE: [&str; 7] = [
        ".x...x.", // pending
        "..x..x.", // confirmed
        "...x.x.", // processing
        "....x.x", // shipped
        "......x", // delivered
        ".......", // cancelled
        ".......", // refunded
    ];

    #[test]
    fn the_machine_is_exactly_this_table() {
        for (from, row) in OrderStatus::ALL.into_iter().zip(TABLE) {
            for (to, mark) in OrderStatus::ALL.into_iter().zip(row.chars()) {
                assert_eq!(from.may_become(to), mark == 'x', "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn names_are_read_back_and_are_those_of_the_wire() {
        for status in OrderStatus::ALL {
            assert_eq!(OrderStatus::parse(status.name()), Some(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.name()));
        }
        for status in PaymentStatus::ALL {
            assert_eq!(PaymentStatus::parse(status.name()), Some(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.name()));
        }
        assert_eq!(OrderStatus::parse("lost"), None);
    }
}
