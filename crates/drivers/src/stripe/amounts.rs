//! Amounts as Stripe writes them: integers in the smallest unit *it* has for a currency, which is not always ISO's.

use stoa_kernel::{Currency, Money};

/// The currencies whose amounts Stripe takes in whole units. That is ISO's list without ISK and UGX, which it takes with
/// two digits that must be zero, and with MGA.
const WHOLE: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
];
/// Those with three digits, of which the last must be zero.
const THOUSANDTHS: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];

fn digits(currency: Currency) -> u32 {
    let code = currency.code();
    if WHOLE.contains(&code) {
        0
    } else if THOUSANDTHS.contains(&code) {
        3
    } else {
        2
    }
}

/// The amount as Stripe takes it; `None` when its units are too coarse for it.
pub(super) fn to_stripe(money: Money) -> Option<i64> {
    let (ours, theirs) = (money.currency().digits(), digits(money.currency()));
    if theirs >= ours {
        let amount = money.minor().checked_mul(10_i64.checked_pow(theirs - ours)?)?;
        // Three digits are written, two are meant.
        return (theirs < 3 || amount % 10 == 0).then_some(amount);
    }
    let unit = 10_i64.checked_pow(ours - theirs)?;
    (money.minor() % unit == 0).then(|| money.minor() / unit)
}

/// What Stripe means by an amount; `None` when it is no amount of ours.
pub(super) fn from_stripe(amount: i64, currency: &str) -> Option<Money> {
    let currency = Currency::parse(&currency.to_ascii_uppercase())?;
    let (ours, theirs) = (currency.digits(), digits(currency));
    let minor = if ours >= theirs {
        amount.checked_mul(10_i64.checked_pow(ours - theirs)?)?
    } else {
        let unit = 10_i64.checked_pow(theirs - ours)?;
        (amount % unit == 0).then(|| amount / unit)?
    };
    Some(Money::from_minor(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::from_minor(minor, Currency::parse(code).unwrap())
    }

    #[test]
    fn each_currency_in_its_units() {
        for (minor, code, amount) in [
            (1_999, "USD", Some(1_999)),
            (500, "JPY", Some(500)),
            (500, "KRW", Some(500)),
            (5, "ISK", Some(500)),
            (5, "UGX", Some(500)),
            (5_120, "KWD", Some(5_120)),
            (5_124, "KWD", None),
            (500, "MGA", Some(5)),
            (550, "MGA", None),
            (1_990, "IQD", Some(199)),
            (1_999, "IQD", None),
            (i64::MAX, "ISK", None),
        ] {
            assert_eq!(to_stripe(money(minor, code)), amount, "{minor} {code}");
            if let Some(amount) = amount {
                let back = from_stripe(amount, &code.to_lowercase());
                assert_eq!(back, Some(money(minor, code)), "{amount} {code}");
            }
        }
        assert_eq!(from_stripe(501, "isk"), None);
        assert_eq!(from_stripe(1, "dollars"), None);
    }
}
