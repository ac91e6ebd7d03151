//! The invoice of an order: what was sold, to whom, what was taken off, taxed, paid and given back.
//!
//! It is made of the order whenever it is asked for; an order keeps names, prices and addresses as they were when it was
//! placed, so the invoice stays what it was. Its number is that of the order: no counter that all payments would wait
//! for, and orders that were never paid leave their numbers out.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest, Sha256};
use stoa_contracts::ordering::OrderId;
use stoa_kernel::{Currency, Money, Timestamp};
use utoipa::ToSchema;

use crate::{
    Ordering,
    address::Address,
    error::OrderError,
    order::{Order, OrderItem},
    settings::Shop,
    status::{OrderStatus, PaymentStatus},
    store::{
        invoices::{self, Returned},
        orders::{self, Scope},
    },
    views::{OrderView, line_total},
};

/// An invoice.
pub(crate) struct Invoice {
    order: Order,
    seller: Shop,
    /// What was given back, in the order in which it was.
    returned: Vec<Returned>,
    refunded: Money,
    paid: Money,
}

/// An invoice, for programs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Invoice)]
pub(crate) struct InvoiceView {
    /// As people call it.
    #[schema(example = "INV-000123")]
    number: String,
    /// When the order was paid.
    issued_at: Timestamp,
    seller: Shop,
    /// What was sold, and to whom.
    order: OrderView,
    refunds: Vec<InvoiceRefund>,
    /// What was given back together.
    refunded: Money,
    /// What the shop has kept: the total less what was given back.
    paid: Money,
}

/// Money that went back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InvoiceRefund {
    amount: Money,
    at: Timestamp,
}

impl Ordering {
    /// The invoice of an order, once that is paid.
    pub(crate) async fn invoice(&self, scope: Scope, id: OrderId) -> Result<Invoice, OrderError> {
        let found = self.platform.database.read(move |connection| {
            let Some(order) = orders::find(connection, scope, id)? else { return Ok(None) };
            let returned = invoices::returned(connection, id, order.totals.total.currency())?;
            Ok::<_, OrderError>(Some((order, returned)))
        });
        let (order, returned) = found.await?.ok_or(OrderError::UnknownOrder)?;
        Invoice::of(order, returned, self.settings.shop.clone())
    }
}

impl Invoice {
    fn of(order: Order, returned: Vec<Returned>, seller: Shop) -> Result<Self, OrderError> {
        if !was_paid(order.payment_status) {
            return Err(OrderError::NotInvoiced);
        }
        let nothing = Money::zero(order.totals.total.currency());
        let refunded = returned.iter().try_fold(nothing, |sum, refund| sum.plus(refund.amount));
        let refunded = refunded.ok_or(OrderError::AmountTooLarge)?;
        let paid = order.totals.total.minus(refunded).ok_or(OrderError::AmountTooLarge)?;
        Ok(Self { order, seller, returned, refunded, paid })
    }

    /// As people call it.
    pub(crate) fn number(&self) -> String {
        format!("INV-{:06}", self.order.number)
    }

    /// When the order was paid.
    fn issued_at(&self) -> Timestamp {
        let confirmed = self.order.history.iter().find(|entry| entry.status == OrderStatus::Confirmed);
        confirmed.map_or(self.order.created_at, |entry| entry.at)
    }

    /// As a page that prints well on A4 and on Letter.
    pub(crate) fn page(&self) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.render_named_str("invoice.html", PAGE, minijinja::value::Serde(&Page::of(self)))
    }
}

impl From<Invoice> for InvoiceView {
    fn from(invoice: Invoice) -> Self {
        let (number, issued_at) = (invoice.number(), invoice.issued_at());
        let refund = |Returned { amount, at }| InvoiceRefund { amount, at };
        Self {
            number,
            issued_at,
            seller: invoice.seller,
            order: OrderView::from(invoice.order),
            refunds: invoice.returned.into_iter().map(refund).collect(),
            refunded: invoice.refunded,
            paid: invoice.paid,
        }
    }
}

/// Whether money was taken, whatever became of it.
const fn was_paid(status: PaymentStatus) -> bool {
    match status {
        PaymentStatus::Captured | PaymentStatus::Refunded | PaymentStatus::PartiallyRefunded => true,
        PaymentStatus::Pending | PaymentStatus::Authorized | PaymentStatus::Failed => false,
    }
}

const PAGE: &str = include_str!("templates/invoice.html");
const STYLE: &str = include_str!("templates/invoice.css");

/// What the page may load and do: it has its own style, known by its hash, and nothing else.
pub(crate) static PAGE_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// What the page says, in words.
#[derive(Serialize)]
struct Page<'i> {
    style: &'static str,
    number: String,
    issued_on: String,
    order_number: String,
    ordered_on: String,
    standing: &'static str,
    seller: &'i Shop,
    billed_to: Vec<String>,
    sent_to: Vec<String>,
    currency: Currency,
    lines: Vec<PageLine<'i>>,
    offers: Vec<PageOffer<'i>>,
    subtotal: String,
    tax: String,
    shipping: String,
    total: String,
    refunds: Vec<PageRefund>,
    paid: String,
}

#[derive(Serialize)]
struct PageLine<'i> {
    name: &'i str,
    quantity: i64,
    price: String,
    total: String,
}

#[derive(Serialize)]
struct PageOffer<'i> {
    name: &'i str,
    code: Option<&'i str>,
    discount: String,
}

#[derive(Serialize)]
struct PageRefund {
    on: String,
    amount: String,
}

impl<'i> Page<'i> {
    fn of(invoice: &'i Invoice) -> Self {
        let order = &invoice.order;
        let totals = order.totals;
        let refund = |refund: &Returned| PageRefund { on: day(refund.at), amount: written(refund.amount) };
        let offers = order.offers.iter().map(|offer| PageOffer {
            name: &offer.name,
            code: offer.code.as_deref(),
            discount: written(offer.discount),
        });
        Self {
            style: STYLE,
            number: invoice.number(),
            issued_on: day(invoice.issued_at()),
            order_number: order.human_number(),
            ordered_on: day(order.created_at),
            standing: standing(invoice),
            seller: &invoice.seller,
            billed_to: lines_of(order.billing_address.as_ref().unwrap_or(&order.shipping_address)),
            sent_to: lines_of(&order.shipping_address),
            currency: totals.total.currency(),
            lines: order.items.iter().map(PageLine::of).collect(),
            offers: offers.collect(),
            subtotal: written(totals.subtotal),
            tax: written(totals.tax),
            shipping: written(totals.shipping),
            total: written(totals.total),
            refunds: invoice.returned.iter().map(refund).collect(),
            paid: written(invoice.paid),
        }
    }
}

impl<'i> PageLine<'i> {
    fn of(item: &'i OrderItem) -> Self {
        Self {
            name: &item.name,
            quantity: item.quantity,
            price: written(item.price),
            total: written(line_total(item.price, item.quantity)),
        }
    }
}

fn lines_of(address: &Address) -> Vec<String> {
    let Address { full_name, street, city, state, zip_code, country, .. } = address;
    let state = if state.trim().is_empty() { String::new() } else { format!(", {state}") };
    vec![full_name.clone(), street.clone(), format!("{zip_code} {city}{state}"), country.clone()]
}

fn standing(invoice: &Invoice) -> &'static str {
    match (invoice.refunded.minor(), invoice.paid.minor()) {
        (0, _) => "Paid",
        (_, 0) => "Refunded",
        _ => "Partly refunded",
    }
}

fn day(at: Timestamp) -> String {
    at.to_datetime().format("%-d %B %Y").to_string()
}

/// An amount with its thousands apart.
fn written(money: Money) -> String {
    let plain = money.to_string();
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("−", digits));
    let (whole, rest) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_their_thousands_apart() {
        let amount = |minor, currency| written(Money::from_minor(minor, Currency::parse(currency).unwrap()));
        assert_eq!(amount(5, "USD"), "0.05");
        assert_eq!(amount(99_999, "USD"), "999.99");
        assert_eq!(amount(123_456_789, "USD"), "1,234,567.89");
        assert_eq!(amount(-100_000, "USD"), "−1,000.00");
        assert_eq!(amount(1_234_567, "JPY"), "1,234,567");
        assert_eq!(amount(i64::MIN, "USD"), "−92,233,720,368,547,758.08");
    }

    #[test]
    fn days_are_written_out() {
        assert_eq!(day(Timestamp::from_seconds(1_768_478_400)), "15 January 2026");
    }

    #[test]
    fn only_what_was_paid_has_an_invoice() {
        use PaymentStatus::{Captured, PartiallyRefunded, Refunded};
        let with: Vec<_> = PaymentStatus::ALL.into_iter().filter(|status| was_paid(*status)).collect();
        assert_eq!(with, [Captured, Refunded, PartiallyRefunded]);
    }

    #[test]
    fn addresses_are_written_as_on_a_letter() {
        let address = |state: &str| Address {
            full_name: "Ann Smith".into(),
            street: "1 Long Road".into(),
            city: "Springfield".into(),
            state: state.into(),
            zip_code: "62701".into(),
            country: "US".into(),
            phone: "1".into(),
        };
        assert_eq!(lines_of(&address("IL")), ["Ann Smith", "1 Long Road", "62701 Springfield, IL", "US"]);
        assert_eq!(lines_of(&address(" ")), ["Ann Smith", "1 Long Road", "62701 Springfield", "US"]);
    }
}
