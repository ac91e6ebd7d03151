//! What must hold among orders and their money, looked at by `stoa verify`.

use stoa_platform::verify::Check;

use crate::store::verify as store;
pub use crate::store::verify::{held_offers, held_pieces};

/// The checks of ordering.
pub fn checks() -> Vec<Check> {
    vec![
        Check::new("order-lines", "The lines of an order add up to its subtotal.", store::lines_add_up),
        Check::new(
            "order-totals",
            "Subtotal, discount, tax and shipping make the total.",
            store::totals_add_up,
        ),
        Check::new(
            "order-offers",
            "The discount of an order is what its offers take off.",
            store::discounts_add_up,
        ),
        Check::new("order-history", "The history of an order ends in its status.", store::history_ends_here),
        Check::new("order-numbers", "The next order number is a new one.", store::numbers_are_new),
        Check::new("order-rows", "Nothing belongs to an order that is not there.", store::nobodys_rows),
        Check::new("payment-amounts", "Every order has one payment, of its total.", store::payments_match),
        Check::new("payment-captures", "What was taken is what the order costs.", store::captures_match),
        Check::new(
            "payment-refunds",
            "Refunds add up to what was given back, and never to more than was taken.",
            store::refunds_add_up,
        ),
        Check::new(
            "payment-statuses",
            "The payment status is what was taken and given back.",
            store::statuses_match,
        ),
        Check::new(
            "payment-money",
            "The shop has the money of what it sells, and of nothing else.",
            store::money_is_where_it_belongs,
        ),
        Check::new(
            "payment-sweep",
            "Whatever is under way will be looked after.",
            store::nothing_is_forgotten,
        ),
    ]
}
