//! What can go wrong with carts and orders, and how it is told.

use stoa_contracts::catalog::{ProductId, StockError};
use stoa_http::{BeginError, Problem};
use stoa_kernel::{FieldError, Refusal, RefusalKind};
use stoa_platform::database::DatabaseError;

use crate::{
    cart::{Complaint, MOST_LINES, MOST_PIECES, Trouble},
    provider::ProviderError,
    status::OrderStatus,
};

/// Why a request about a cart or an order is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("no such order, or not this buyer's")]
    UnknownOrder,
    #[error("no such line in the cart")]
    UnknownItem,
    #[error("product {0} is not offered")]
    UnknownProduct(ProductId),
    #[error("the cart is empty")]
    CartEmpty,
    #[error("the cart has too many lines")]
    CartFull,
    #[error("a line has too many pieces")]
    TooManyPieces,
    #[error("the sum is too large")]
    AmountTooLarge,
    #[error("the cart cannot be bought as it was shown")]
    NotAsShown(Vec<Complaint>),
    #[error("product {product} has {available} pieces of {requested}")]
    InsufficientStock { product: ProductId, available: i64, requested: i64 },
    #[error("an order that is {} cannot be cancelled", .0.name())]
    NotCancellable(OrderStatus),
    #[error("an order cannot go from {} to {}", from.name(), to.name())]
    IllegalMove { from: OrderStatus, to: OrderStatus },
    #[error("the order's charge is not settled")]
    PaymentInProgress,
    #[error("an order that is {} has no tracking", .0.name())]
    NotTrackable(OrderStatus),
    #[error("the payment did not go through")]
    PaymentDeclined,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the payment provider failed")]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<BeginError> for OrderError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Refused(refusal) => Self::Refused(refusal),
            BeginError::Database(error) => Self::Database(error),
        }
    }
}

impl From<Problem> for OrderError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.0)
    }
}

impl From<StockError> for OrderError {
    fn from(error: StockError) -> Self {
        match error {
            StockError::Insufficient { product, available, requested } => {
                Self::InsufficientStock { product, available, requested }
            }
            StockError::NotOffered(product) => Self::UnknownProduct(product),
            StockError::Database(error) => Self::Database(error),
        }
    }
}

impl From<OrderError> for Refusal {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::UnknownOrder => Self::not_found("ORDER_NOT_FOUND", "There is no such order."),
            OrderError::UnknownItem => {
                Self::not_found("CART_ITEM_NOT_FOUND", "There is no such line in your cart.")
            }
            OrderError::UnknownProduct(product) => {
                Self::not_found("PRODUCT_NOT_FOUND", "This product is not offered.")
                    .with_fact("productId", product.to_string())
            }
            OrderError::CartEmpty => invalid("CART_EMPTY", "Your cart is empty."),
            OrderError::CartFull => {
                invalid("CART_FULL", format!("A cart has at most {MOST_LINES} different products."))
            }
            OrderError::TooManyPieces => {
                invalid("QUANTITY_TOO_LARGE", format!("At most {MOST_PIECES} of a product can be ordered."))
            }
            OrderError::AmountTooLarge => invalid("AMOUNT_TOO_LARGE", "The sum is too large."),
            OrderError::NotAsShown(complaints) => not_as_shown(&complaints),
            OrderError::InsufficientStock { product, available, requested } => {
                insufficient(product, available, requested)
            }
            OrderError::NotCancellable(status) => Self::conflict(
                "ORDER_NOT_CANCELLABLE",
                format!("An order that is {} cannot be cancelled.", status.name()),
            )
            .with_fact("orderStatus", status.name()),
            OrderError::IllegalMove { from, to } => Self::conflict(
                "ILLEGAL_STATUS_CHANGE",
                format!("An order that is {} cannot become {}.", from.name(), to.name()),
            )
            .with_fact("orderStatus", from.name()),
            OrderError::PaymentInProgress => Self::conflict(
                "PAYMENT_IN_PROGRESS",
                "The order's payment is being settled. Try again in a moment.",
            ),
            OrderError::NotTrackable(status) => Self::conflict(
                "ORDER_NOT_TRACKABLE",
                format!("An order that is {} has no tracking to set.", status.name()),
            )
            .with_fact("orderStatus", status.name()),
            OrderError::PaymentDeclined => Self::new(
                RefusalKind::PaymentDeclined,
                "PAYMENT_DECLINED",
                "The payment did not go through. The order was cancelled and your cart is as it was.",
            ),
            OrderError::Refused(refusal) => refusal,
            OrderError::Provider(error) => Self::unavailable(error),
            OrderError::Database(error) => error.into(),
        }
    }
}

fn invalid(code: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, code, detail)
}

fn insufficient(product: ProductId, available: i64, requested: i64) -> Refusal {
    invalid("INSUFFICIENT_STOCK", "There are not enough pieces in stock.")
        .with_fact("productId", product.to_string())
        .with_fact("available", available)
        .with_fact("requested", requested)
}

/// One refusal for all complaints, named after the gravest: a product that is gone, then a changed price, then stock.
fn not_as_shown(complaints: &[Complaint]) -> Refusal {
    let has = |code: &str| complaints.iter().any(|complaint| complaint.code() == code);
    let few = complaints.iter().find_map(|complaint| match complaint.trouble {
        Trouble::TooFew { available, requested } => Some((complaint.product, available, requested)),
        _ => None,
    });
    let mut refusal = match few {
        _ if has("PRODUCT_UNAVAILABLE") => {
            Refusal::conflict("PRODUCT_UNAVAILABLE", "Something in your cart is no longer offered.")
        }
        Some((product, available, requested)) if !has("PRICE_CHANGED") => {
            insufficient(product, available, requested)
        }
        _ => Refusal::conflict(
            "PRICE_CHANGED",
            "Prices have changed since you saw your cart. It shows the new ones now.",
        ),
    };
    refusal.fields = complaints
        .iter()
        .map(|complaint| {
            FieldError::new(format!("items.{}", complaint.item), complaint.code(), complaint.sentence())
        })
        .collect();
    refusal
}
