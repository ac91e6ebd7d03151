//! What a cart or an order costs: the one place where its sums are made.

use stoa_kernel::Money;

use crate::settings::OrderingSettings;

/// The sums of a cart or an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totals {
    /// The lines together.
    pub subtotal: Money,
    /// What offers take off.
    pub discount: Money,
    /// Tax on what is left after the discount.
    pub tax: Money,
    /// The fee for sending it.
    pub shipping: Money,
    /// What is charged.
    pub total: Money,
}

impl Totals {
    /// The sums of lines, each so many pieces at a price, and of what offers take off them, which is never more than
    /// they cost; `None` when they pass what can be kept. Tax is rounded once, on the whole, and it and the fee go by
    /// what is left after the discount; nothing costs nothing to send.
    pub fn of(
        lines: impl IntoIterator<Item = (Money, i64)>,
        discount: Money,
        settings: &OrderingSettings,
    ) -> Option<Self> {
        let nothing = Money::zero(settings.currency);
        let mut empty = true;
        let mut subtotal = nothing;
        for (price, quantity) in lines {
            subtotal = subtotal.plus(price.times(quantity)?)?;
            empty = false;
        }
        let discount =
            Money::from_minor(discount.minor().clamp(0, subtotal.minor().max(0)), discount.currency());
        let goods = subtotal.minus(discount)?;
        let tax = goods.share(settings.tax_basis_points)?;
        let free = empty || goods.minor() > settings.free_shipping_above_minor;
        let minor = if free { 0 } else { settings.shipping_fee_minor };
        let shipping = Money::from_minor(minor, settings.currency);
        let total = goods.plus(tax)?.plus(shipping)?;
        Some(Self { subtotal, discount, tax, shipping, total })
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Currency;

    use super::*;

    fn settings() -> OrderingSettings {
        OrderingSettings::for_currency(Currency::parse("USD").unwrap())
    }

    fn sums(lines: &[(i64, i64)]) -> [i64; 5] {
        sums_less(lines, 0)
    }

    fn sums_less(lines: &[(i64, i64)], discount: i64) -> [i64; 5] {
        let settings = settings();
        let off = Money::from_minor(discount, settings.currency);
        let lines =
            lines.iter().map(|(price, quantity)| (Money::from_minor(*price, settings.currency), *quantity));
        let Totals { subtotal, discount, tax, shipping, total } = Totals::of(lines, off, &settings).unwrap();
        [subtotal, discount, tax, shipping, total].map(Money::minor)
    }

    #[test]
    fn tax_is_a_tenth_rounded_once_on_the_whole() {
        assert_eq!(sums(&[(1_999, 2)]), [3_998, 0, 400, 1_000, 5_398]);
        assert_eq!(sums(&[(5, 1)]), [5, 0, 1, 1_000, 1_006]);
        // Three times 0.04 is taxed as 0.12, not as three times nothing.
        assert_eq!(sums(&[(4, 1), (4, 1), (4, 1)]), [12, 0, 1, 1_000, 1_013]);
    }

    #[test]
    fn sending_is_free_above_the_bound_and_not_at_it() {
        assert_eq!(sums(&[(10_000, 1)]), [10_000, 0, 1_000, 1_000, 12_000]);
        assert_eq!(sums(&[(10_001, 1)]), [10_001, 0, 1_000, 0, 11_001]);
    }

    #[test]
    fn an_empty_cart_costs_nothing_but_free_goods_are_sent_for_the_fee() {
        assert_eq!(sums(&[]), [0; 5]);
        assert_eq!(sums(&[(0, 3)]), [0, 0, 0, 1_000, 1_000]);
    }

    #[test]
    fn tax_and_free_sending_go_by_what_is_left_after_the_discount() {
        assert_eq!(sums_less(&[(11_000, 1)], 1_000), [11_000, 1_000, 1_000, 1_000, 12_000]);
        assert_eq!(sums_less(&[(11_000, 1)], 999), [11_000, 999, 1_000, 0, 11_001]);
        assert_eq!(sums_less(&[(1_000, 1)], 1_000), [1_000, 1_000, 0, 1_000, 1_000]);
    }

    #[test]
    fn no_discount_is_more_than_the_goods_or_less_than_nothing() {
        assert_eq!(sums_less(&[(1_000, 1)], 5_000), sums_less(&[(1_000, 1)], 1_000));
        assert_eq!(sums_less(&[(1_000, 1)], -5), sums(&[(1_000, 1)]));
        assert_eq!(sums_less(&[], 500), [0; 5]);
    }

    #[test]
    fn what_cannot_be_kept_is_no_sum() {
        let settings = settings();
        let nothing = Money::zero(settings.currency);
        let most = Money::from_minor(i64::MAX, settings.currency);
        assert!(Totals::of([(most, 1)], nothing, &settings).is_none());
        assert!(Totals::of([(most, 2)], nothing, &settings).is_none());
        let foreign = Money::from_minor(1, Currency::parse("EUR").unwrap());
        assert!(Totals::of([(foreign, 1)], nothing, &settings).is_none());
        assert!(Totals::of([(most, 0)], foreign, &settings).is_none());
    }

    #[test]
    fn rates_are_settable() {
        let settings = OrderingSettings {
            tax_basis_points: 1_950,
            shipping_fee_minor: 490,
            free_shipping_above_minor: 5_000,
            ..settings()
        };
        let price = Money::from_minor(5_000, settings.currency);
        let totals = Totals::of([(price, 1)], Money::zero(settings.currency), &settings).unwrap();
        assert_eq!((totals.tax.minor(), totals.shipping.minor(), totals.total.minor()), (975, 490, 6_465));
    }
}
