//! What ordering can be told by configuration.

use std::time::Duration;

use serde::Serialize;
use stoa_kernel::Currency;
use utoipa::ToSchema;

/// Who sells, as invoices say it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shop {
    /// Its name.
    pub name: String,
    /// Where it is and how it is reached, line by line.
    pub address: Vec<String>,
    /// What the tax office knows it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tax_id: Option<String>,
}

/// Settings of carts, orders and payments.
#[derive(Clone, Debug)]
pub struct OrderingSettings {
    /// The store's currency.
    pub currency: Currency,
    /// Tax on goods in basis points: 1000 is 10 %.
    pub tax_basis_points: i64,
    /// The fee for sending an order, in minor units.
    pub shipping_fee_minor: i64,
    /// Goods of more than this, in minor units, are sent free.
    pub free_shipping_above_minor: i64,
    /// How long an order whose payment waits for its buyer keeps its stock.
    pub unpaid_hold: Duration,
    /// How long a step with the payment provider is left alone before the sweep settles it. Longer than the lease of an
    /// idempotency key, so that a buyer who tries again comes first.
    pub settle_after: Duration,
    /// Who sells.
    pub shop: Shop,
}

impl OrderingSettings {
    /// 10 % tax, sending for 10, free above 100, in the units of `currency`.
    pub fn for_currency(currency: Currency) -> Self {
        let unit = 10_i64.pow(currency.digits());
        Self {
            currency,
            tax_basis_points: 1_000,
            shipping_fee_minor: 10 * unit,
            free_shipping_above_minor: 100 * unit,
            unpaid_hold: Duration::from_mins(30),
            settle_after: Duration::from_mins(1),
            shop: Shop { name: "Stoa".into(), ..Shop::default() },
        }
    }
}
