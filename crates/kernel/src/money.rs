//! Money: integer minor units with their currency. Never a float, on no way in or out.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

/// A currency by its ISO 4217 code and the number of its minor digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    code: [u8; 3],
    digits: u8,
}

impl Currency {
    /// Three capital letters. The minor digits follow ISO 4217 and are 2 where it lists no other number.
    pub fn parse(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        let digits = match code {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND"
            | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            _ => 2,
        };
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self { code: letters, digits })
    }

    /// The code, e.g. `USD`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// How many minor digits amounts have.
    pub const fn digits(self) -> u32 {
        self.digits as u32
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl utoipa::PartialSchema for Currency {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Z]{3}$")).into()
    }
}

impl utoipa::ToSchema for Currency {}

/// An amount in minor units of its currency; written as a JSON number with exactly the minor digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount from stored minor units.
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The integer minor units, as stored and as payment providers take them.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// Its currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum; `None` on overflow or for another currency.
    pub fn plus(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_add(other.minor)?;
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }

    /// The difference; `None` on overflow or for another currency.
    pub fn minus(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_sub(other.minor)?;
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }

    /// So many times the amount; `None` on overflow.
    pub fn times(self, quantity: i64) -> Option<Self> {
        Some(Self { minor: self.minor.checked_mul(quantity)?, ..self })
    }

    /// A share in basis points (1000 is 10 %), halves rounded away from zero; `None` on overflow.
    pub fn share(self, basis_points: i64) -> Option<Self> {
        let product = i128::from(self.minor) * i128::from(basis_points);
        let rounded = (product + 5_000 * product.signum()) / 10_000;
        Some(Self { minor: i64::try_from(rounded).ok()?, ..self })
    }
}

impl Money {
    /// Writes the amount digit by digit from its end, for every resource of a shop holds amounts; answers the part of
    /// `text` that it took.
    fn write(self, text: &mut [u8; LONGEST]) -> &str {
        let (mut rest, mut used) = (self.minor.unsigned_abs(), 0);
        let mut places = text.iter_mut().rev();
        let mut put = |byte| {
            if let Some(place) = places.next() {
                *place = byte;
                used += 1;
            }
        };
        let digit = |rest: &mut u64| {
            let digit = u8::try_from(*rest % 10).unwrap_or(0);
            *rest /= 10;
            b'0' + digit
        };
        for _ in 0..self.currency.digits {
            put(digit(&mut rest));
        }
        if self.currency.digits > 0 {
            put(b'.');
        }
        put(digit(&mut rest));
        while rest > 0 {
            put(digit(&mut rest));
        }
        if self.minor < 0 {
            put(b'-');
        }
        let taken = text.get(LONGEST - used..).unwrap_or_default();
        std::str::from_utf8(taken).unwrap_or_default()
    }
}

/// The longest amount: nineteen digits, a sign, a point.
const LONGEST: usize = 24;

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write(&mut [0; LONGEST]))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {}", self.currency)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; LONGEST];
        let number: &RawValue =
            serde_json::from_str(self.write(&mut text)).map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("A decimal amount with exactly the minor digits of the currency."))
            .into()
    }
}

impl utoipa::ToSchema for Money {}

/// A JSON number as it was written, before a currency gives it meaning.
///
/// Read it from plain structs only: serde's flattened and tagged types buffer numbers as floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Why a decimal is no amount of money.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// More decimals than the currency has minor digits.
    #[error("has more decimals than the currency")]
    TooPrecise,
    /// Beyond what can be kept.
    #[error("is too large")]
    TooLarge,
}

impl Decimal {
    /// Reads the JSON grammar of numbers, without a float on the way. Trailing zeros do not count as digits.
    pub fn parse(text: &str) -> Option<Self> {
        const MOST_DIGITS: usize = 30;
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.len() > MOST_DIGITS || digits.trim_start_matches('-').is_empty() {
            return None;
        }
        let mantissa: i128 = digits.parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Self::normalised(mantissa, scale)
    }

    fn normalised(mut mantissa: i128, mut scale: i32) -> Option<Self> {
        if mantissa == 0 {
            return Some(Self { mantissa, scale: 0 });
        }
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        while scale < 0 {
            mantissa = mantissa.checked_mul(10)?;
            scale += 1;
        }
        Some(Self { mantissa, scale: u32::try_from(scale).ok()? })
    }

    /// The amount in `currency`, exactly or not at all.
    pub fn in_currency(self, currency: Currency) -> Result<Money, MoneyError> {
        let missing = currency.digits().checked_sub(self.scale).ok_or(MoneyError::TooPrecise)?;
        let minor = self.mantissa.checked_mul(10_i128.pow(missing)).ok_or(MoneyError::TooLarge)?;
        Ok(Money::from_minor(i64::try_from(minor).map_err(|_| MoneyError::TooLarge)?, currency))
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Err(de::Error::custom("this must be a number"));
        }
        Self::parse(text).ok_or_else(|| de::Error::custom("this number is too large or too precise"))
    }
}

impl utoipa::PartialSchema for Decimal {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        Money::schema()
    }
}

impl utoipa::ToSchema for Decimal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn dollars(text: &str) -> Result<Money, MoneyError> {
        Decimal::parse(text).unwrap().in_currency(usd())
    }

    #[test]
    fn prints_exactly_the_minor_digits() {
        assert_eq!(Money::from_minor(1_999, usd()).to_string(), "19.99");
        assert_eq!(Money::from_minor(-5, usd()).to_string(), "-0.05");
        assert_eq!(Money::from_minor(0, usd()).to_string(), "0.00");
        assert_eq!(Money::from_minor(i64::MIN, usd()).to_string(), "-92233720368547758.08");
        assert_eq!(
            Money::from_minor(i64::MAX, Currency::parse("JPY").unwrap()).to_string(),
            i64::MAX.to_string()
        );
        assert_eq!(Money::from_minor(1_999, Currency::parse("JPY").unwrap()).to_string(), "1999");
        assert_eq!(Money::from_minor(1_999, Currency::parse("KWD").unwrap()).to_string(), "1.999");
        assert_eq!(serde_json::to_string(&Money::from_minor(1_000, usd())).unwrap(), "10.00");
    }

    #[test]
    fn reads_what_json_allows_and_nothing_finer_than_the_currency() {
        assert_eq!(dollars("19.99").unwrap().minor(), 1_999);
        assert_eq!(dollars("19.990").unwrap().minor(), 1_999);
        assert_eq!(dollars("1e2").unwrap().minor(), 10_000);
        assert_eq!(dollars("125e-2").unwrap().minor(), 125);
        assert_eq!(dollars("-0.5").unwrap().minor(), -50);
        assert_eq!(dollars("19.999"), Err(MoneyError::TooPrecise));
        assert_eq!(dollars("1e17"), Err(MoneyError::TooLarge));
        assert!(Decimal::parse("1e999999999").is_none());
        assert!(Decimal::parse(&"9".repeat(100)).is_none());
    }

    #[test]
    fn json_strings_and_objects_are_no_amounts() {
        assert!(serde_json::from_str::<Decimal>("\"19.99\"").is_err());
        assert!(serde_json::from_str::<Decimal>("{}").is_err());
        assert!(serde_json::from_str::<Decimal>("1.5").is_ok());
    }

    #[test]
    fn shares_round_halves_away_from_zero() {
        assert_eq!(Money::from_minor(105, usd()).share(1_000).unwrap().minor(), 11);
        assert_eq!(Money::from_minor(104, usd()).share(1_000).unwrap().minor(), 10);
        assert_eq!(Money::from_minor(-105, usd()).share(1_000).unwrap().minor(), -11);
    }

    #[test]
    fn arithmetic_never_wraps() {
        let most = Money::from_minor(i64::MAX, usd());
        assert!(most.plus(most).is_none() && most.times(2).is_none() && most.share(20_000).is_none());
    }
}
