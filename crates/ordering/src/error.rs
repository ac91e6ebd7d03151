//! What can go wrong with carts and orders, and how it is told.

use stoa_contracts::{
    catalog::{CodeTrouble, StockError, Ware},
    payments::ProviderError,
};
use stoa_http::{BeginError, Problem};
use stoa_kernel::{FieldError, Money, Refusal, RefusalKind};
use stoa_platform::database::DatabaseError;

use crate::{
    cart::{MOST_CODES, MOST_LINES, MOST_PIECES},
    complaint::{Complaint, Subject, Trouble, code_sentence, code_trouble},
    status::OrderStatus,
};

/// Why a request about a cart or an order is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("no such order, or not this buyer's")]
    UnknownOrder,
    #[error("no such line in the cart")]
    UnknownItem,
    #[error("{0} is not offered")]
    NotOffered(Ware),
    #[error("{0} is sold by its variants")]
    VariantRequired(Ware),
    #[error("the code is refused: {trouble:?}")]
    CodeRefused { code: String, trouble: CodeTrouble },
    #[error("no such code on the cart")]
    UnknownCode,
    #[error("the cart has too many codes")]
    TooManyCodes,
    #[error("a guest's cart was joined to one that held something")]
    CartsJoined,
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
    #[error("of {ware} there are {available} pieces of {requested}")]
    InsufficientStock { ware: Ware, available: i64, requested: i64 },
    #[error("an order that is {} cannot be cancelled", .0.name())]
    NotCancellable(OrderStatus),
    #[error("an order cannot go from {} to {}", from.name(), to.name())]
    IllegalMove { from: OrderStatus, to: OrderStatus },
    #[error("the order's charge is not settled")]
    PaymentInProgress,
    #[error("an order that is not paid has no invoice")]
    NotInvoiced,
    #[error("an order that is {} has no tracking", .0.name())]
    NotTrackable(OrderStatus),
    #[error("the payment did not go through")]
    PaymentDeclined,
    #[error("no such payment, or not this buyer's")]
    UnknownPayment,
    #[error("an order that is {} cannot be paid", .0.name())]
    NotPayable(OrderStatus),
    #[error("nothing of the order's money is left to give back")]
    NothingToRefund,
    #[error("of {left} {requested} were to be given back")]
    RefundTooLarge { left: Money, requested: Money },
    #[error("the order has had as many refunds as it may")]
    TooManyRefunds,
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
            StockError::Insufficient { ware, available, requested } => {
                Self::InsufficientStock { ware, available, requested }
            }
            StockError::NotOffered(ware) => Self::NotOffered(ware),
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
            OrderError::NotOffered(ware) => about(ware, not_offered(ware)),
            OrderError::VariantRequired(ware) => about(ware, variant_required()),
            OrderError::CodeRefused { code, trouble } => {
                invalid(code_trouble(trouble), code_sentence(&code, trouble))
            }
            OrderError::UnknownCode => {
                Self::not_found("CART_OFFER_NOT_FOUND", "There is no such code on your cart.")
            }
            OrderError::TooManyCodes => {
                invalid("TOO_MANY_OFFER_CODES", format!("A cart has at most {MOST_CODES} codes."))
            }
            OrderError::CartsJoined => Self::conflict(
                "CART_MERGED",
                "What you chose before you signed in has joined what was in your cart. Look at it before you order.",
            ),
            OrderError::CartEmpty => invalid("CART_EMPTY", "Your cart is empty."),
            OrderError::CartFull => {
                invalid("CART_FULL", format!("A cart has at most {MOST_LINES} different products."))
            }
            OrderError::TooManyPieces => {
                invalid("QUANTITY_TOO_LARGE", format!("At most {MOST_PIECES} of a product can be ordered."))
            }
            OrderError::AmountTooLarge => invalid("AMOUNT_TOO_LARGE", "The sum is too large."),
            OrderError::NotAsShown(complaints) => not_as_shown(&complaints),
            OrderError::InsufficientStock { ware, available, requested } => {
                insufficient(ware, available, requested)
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
            OrderError::NotInvoiced => {
                Self::conflict("ORDER_NOT_PAID", "There is an invoice once the order is paid.")
            }
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
            OrderError::UnknownPayment => Self::not_found("PAYMENT_NOT_FOUND", "There is no such payment."),
            OrderError::NotPayable(status) => Self::conflict(
                "ORDER_NOT_PAYABLE",
                "The order is not one that waits to be paid: it is paid already, given up, or its time is over.",
            )
            .with_fact("orderStatus", status.name()),
            OrderError::NothingToRefund => {
                Self::conflict("NOTHING_TO_REFUND", "Nothing of the order's money is left to give back.")
            }
            OrderError::RefundTooLarge { left, requested } => {
                invalid("REFUND_TOO_LARGE", "Less than that is left of what was paid.")
                    .with_fact("refundable", left)
                    .with_fact("requested", requested)
            }
            OrderError::TooManyRefunds => {
                Self::conflict("TOO_MANY_REFUNDS", "The order has had as many refunds as it may.")
            }
            OrderError::Refused(refusal) => refusal,
            OrderError::Provider(ProviderError::Refused(reason)) => {
                tracing::warn!(reason, "the payment provider refuses");
                Self::conflict("PAYMENT_REFUSED", "The payment provider does not take this payment.")
            }
            OrderError::Provider(error) => Self::unavailable(error),
            OrderError::Database(error) => error.into(),
        }
    }
}

fn invalid(code: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, code, detail)
}

/// Names what a refusal is about.
fn about(ware: Ware, refusal: Refusal) -> Refusal {
    match ware {
        Ware::Product(product) => refusal.with_fact("productId", product.to_string()),
        Ware::Variant(product, variant) => {
            refusal.with_fact("productId", product.to_string()).with_fact("variantId", variant.to_string())
        }
        Ware::Package(package) => refusal.with_fact("packageId", package.to_string()),
    }
}

fn not_offered(ware: Ware) -> Refusal {
    match ware {
        Ware::Product(_) => Refusal::not_found("PRODUCT_NOT_FOUND", "This product is not offered."),
        Ware::Variant(..) => Refusal::not_found("VARIANT_NOT_FOUND", "This variant is not offered."),
        Ware::Package(_) => Refusal::not_found("PACKAGE_NOT_FOUND", "This package is not offered."),
    }
}

fn variant_required() -> Refusal {
    const DETAIL: &str = "This product comes in several variants: choose one.";
    let mut refusal = invalid("VARIANT_REQUIRED", DETAIL);
    refusal.fields.push(FieldError::new("variantId", "REQUIRED", DETAIL));
    refusal
}

fn insufficient(ware: Ware, available: i64, requested: i64) -> Refusal {
    about(ware, invalid("INSUFFICIENT_STOCK", "There are not enough pieces in stock."))
        .with_fact("available", available)
        .with_fact("requested", requested)
}

/// One refusal for all complaints, named after the gravest: a ware that is gone, then a changed price, then offers, then
/// stock.
fn not_as_shown(complaints: &[Complaint]) -> Refusal {
    let has = |wanted: fn(&Trouble) -> bool| complaints.iter().any(|complaint| wanted(&complaint.trouble));
    let few = complaints.iter().find_map(|complaint| match (complaint.about, complaint.trouble) {
        (Subject::Line(_, ware), Trouble::TooFew { available, requested }) => {
            Some((ware, available, requested))
        }
        _ => None,
    });
    let mut refusal = if has(|trouble| matches!(trouble, Trouble::NotOffered | Trouble::ByVariant)) {
        Refusal::conflict("PRODUCT_UNAVAILABLE", "Something in your cart is no longer offered.")
    } else if has(|trouble| matches!(trouble, Trouble::PriceChanged { .. })) {
        Refusal::conflict(
            "PRICE_CHANGED",
            "Prices have changed since you saw your cart. It shows the new ones now.",
        )
    } else if let (Some((ware, available, requested)), false) =
        (few, has(|trouble| matches!(trouble, Trouble::OfferChanged { .. } | Trouble::Code(_))))
    {
        insufficient(ware, available, requested)
    } else {
        Refusal::conflict(
            "OFFER_CHANGED",
            "Offers do something else than when you saw your cart. It shows what they do now.",
        )
    };
    refusal.fields = complaints
        .iter()
        .map(|complaint| FieldError::new(field_of(complaint), complaint.code(), complaint.sentence()))
        .collect();
    refusal
}

fn field_of(complaint: &Complaint) -> String {
    match complaint.about {
        Subject::Line(item, _) => format!("items.{item}"),
        Subject::Offer(offer) => format!("offers.{offer}"),
        Subject::Code => format!("offers.{}", complaint.name),
    }
}
