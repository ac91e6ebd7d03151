//! What a product is, and the rules for each of its parts.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Currency, Decimal, Flaw, Money, Timestamp, fields::text, money::MoneyError};
use stoa_platform::{Occasion, database::Value};

use crate::{slug::Slug, update_product::ProductChanges, variant::Variant};

/// The dearest price in minor units: small enough that no sum over an order can overflow.
pub(crate) const HIGHEST_PRICE: i64 = 1_000_000_000_000;
/// The most pieces that can be kept of one product.
pub(crate) const MOST_STOCK: i64 = 1_000_000_000;
pub(crate) const LONGEST_NAME: usize = 255;
const LONGEST_DESCRIPTION: usize = 20_000;
pub(crate) const MOST_IMAGES: usize = 50;
const LONGEST_URL: usize = 2_048;
const MOST_SPECIFICATIONS: usize = 200;
const LONGEST_SPECIFICATIONS: usize = 32 * 1024;

/// Where a product is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProductStatus {
    /// Being prepared.
    Draft,
    /// Offered to everybody.
    Active,
    /// Not offered for now.
    Inactive,
    /// Not offered any more.
    Archived,
}

impl ProductStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Active, Self::Inactive, Self::Archived];

    /// The word for it, on the wire and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Archived => "ARCHIVED",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// JSON that is kept and sent as the text it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct JsonText(String);

impl JsonText {
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'a> From<&'a JsonText> for Value<'a> {
    fn from(json: &'a JsonText) -> Self {
        json.0.as_str().into()
    }
}

/// A product.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// What there is to say about it.
    pub description: String,
    /// What one piece costs.
    pub price: Money,
    /// What it cost before, to show beside the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub compare_at_price: Option<Money>,
    /// The currency of the shop.
    pub currency: Currency,
    /// Pieces in stock.
    #[schema(minimum = 0)]
    pub stock: i64,
    /// The slug of the category it stands in.
    pub category: Slug,
    /// Where it is in its life.
    pub status: ProductStatus,
    /// Addresses of pictures, the first one first.
    #[schema(value_type = Vec<String>)]
    pub(crate) images: JsonText,
    /// Named facts.
    #[schema(value_type = Object)]
    pub(crate) specifications: JsonText,
    /// Kinds of it that are sold by themselves.
    #[schema(max_items = 100)]
    pub variants: Vec<Variant>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, from 1.
    #[serde(skip)]
    pub version: i64,
    /// How many variants it has, also where they are not looked up.
    #[serde(skip)]
    pub(crate) variant_count: i64,
}

impl Product {
    /// A new product, as it begins.
    pub(crate) fn new(occasion: &Occasion, new: &NewProduct) -> Self {
        Self {
            id: occasion.id(),
            name: new.name.clone(),
            description: new.description.clone(),
            price: new.price,
            compare_at_price: new.compare_at_price,
            currency: new.price.currency(),
            stock: new.stock,
            category: new.category.clone(),
            status: new.status,
            images: new.images.clone(),
            specifications: new.specifications.clone(),
            variants: Vec::new(),
            created_at: occasion.at,
            updated_at: occasion.at,
            version: 1,
            variant_count: 0,
        }
    }

    /// Whether it is sold by its variants only.
    pub(crate) const fn has_variants(&self) -> bool {
        self.variant_count > 0
    }

    /// Takes over what is to change; the rest stays.
    pub(crate) fn change(&mut self, changes: &ProductChanges, at: Timestamp) {
        fn replace<T: Clone>(field: &mut T, given: Option<&T>) {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        replace(&mut self.name, changes.name.as_ref());
        replace(&mut self.description, changes.description.as_ref());
        replace(&mut self.price, changes.price.as_ref());
        replace(&mut self.compare_at_price, changes.compare_at_price.as_ref());
        replace(&mut self.stock, changes.stock.as_ref());
        replace(&mut self.category, changes.category.as_ref());
        replace(&mut self.status, changes.status.as_ref());
        replace(&mut self.images, changes.images.as_ref());
        replace(&mut self.specifications, changes.specifications.as_ref());
        self.updated_at = at;
        self.version += 1;
    }
}

/// What a new product is made of, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewProduct {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) price: Money,
    pub(crate) compare_at_price: Option<Money>,
    pub(crate) stock: i64,
    pub(crate) category: Slug,
    pub(crate) status: ProductStatus,
    pub(crate) images: JsonText,
    pub(crate) specifications: JsonText,
}

/// A name in the form it is sorted and searched in.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

pub(crate) fn name(value: &str) -> Result<String, Flaw> {
    text(value, 1, LONGEST_NAME)
}

pub(crate) fn description(value: &str) -> Result<String, Flaw> {
    text(value, 0, LONGEST_DESCRIPTION)
}

pub(crate) fn price(value: Decimal, currency: Currency) -> Result<Money, Flaw> {
    match value.in_currency(currency) {
        Ok(price) if price.minor() < 0 => Err(Flaw::new("NEGATIVE", "This cannot be negative.")),
        Ok(price) if price.minor() <= HIGHEST_PRICE => Ok(price),
        Ok(_) | Err(MoneyError::TooLarge) => Err(Flaw::new("TOO_LARGE", "This is too large.")),
        Err(MoneyError::TooPrecise) => {
            Err(Flaw::new("TOO_PRECISE", "This has more decimals than the currency."))
        }
    }
}

pub(crate) fn stock(value: i64) -> Result<i64, Flaw> {
    match value {
        ..0 => Err(Flaw::new("NEGATIVE", "This cannot be negative.")),
        0..=MOST_STOCK => Ok(value),
        _ => Err(Flaw::new("TOO_LARGE", "This is too large.")),
    }
}

/// Pictures lie on the web or on this server.
pub(crate) fn images(urls: &[String]) -> Result<JsonText, Flaw> {
    let is_address = |url: &String| {
        let begins = ["https://", "http://", "/"].iter().any(|start| url.starts_with(start));
        begins && !url.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if urls.len() > MOST_IMAGES {
        Err(Flaw::new("TOO_MANY", "A product has at most 50 images."))
    } else if urls.iter().any(|url| url.len() > LONGEST_URL) {
        Err(Flaw::new("TOO_LONG", "The address of an image is too long."))
    } else if !urls.iter().all(is_address) {
        Err(Flaw::new("NOT_A_URL", "An image is an address that begins with http://, https:// or /."))
    } else {
        // A list of strings can always be written.
        Ok(JsonText(serde_json::to_string(urls).unwrap_or_else(|_| "[]".into())))
    }
}

/// Kept as written, so that no number in it changes; read once, so that what is kept can always be read.
pub(crate) fn specifications(value: &RawValue) -> Result<JsonText, Flaw> {
    if value.get().len() > LONGEST_SPECIFICATIONS {
        return Err(Flaw::new("TOO_LONG", "The specifications are too long."));
    }
    match serde_json::from_str::<BTreeMap<String, serde_json::Value>>(value.get()) {
        Ok(facts) if facts.len() > MOST_SPECIFICATIONS => {
            Err(Flaw::new("TOO_MANY", "A product has at most 200 specifications."))
        }
        Ok(_) => Ok(JsonText(value.get().to_owned())),
        Err(_) => Err(Flaw::new("NOT_AN_OBJECT", "The specifications are a JSON object of named facts.")),
    }
}

impl NewProduct {
    /// A draft without a description, of which there is nothing in stock.
    pub fn draft(product_name: &str, price: Money, category: Slug) -> Result<Self, Flaw> {
        if !(0..=HIGHEST_PRICE).contains(&price.minor()) {
            return Err(Flaw::new("TOO_LARGE", "This is too large."));
        }
        Ok(Self {
            name: name(product_name)?,
            description: String::new(),
            price,
            compare_at_price: None,
            stock: 0,
            category,
            status: ProductStatus::Draft,
            images: JsonText("[]".into()),
            specifications: JsonText("{}".into()),
        })
    }

    /// The same with a description.
    pub fn described(self, words: &str) -> Result<Self, Flaw> {
        Ok(Self { description: description(words)?, ..self })
    }

    /// The same with so many pieces in stock.
    pub fn stocked(self, pieces: i64) -> Result<Self, Flaw> {
        Ok(Self { stock: stock(pieces)?, ..self })
    }

    /// The same with another status.
    pub fn with_status(self, status: ProductStatus) -> Self {
        Self { status, ..self }
    }

    /// The same with pictures.
    pub fn pictured(self, urls: &[String]) -> Result<Self, Flaw> {
        Ok(Self { images: images(urls)?, ..self })
    }

    /// The same with an earlier price to compare with.
    pub fn reduced_from(self, earlier: Money) -> Self {
        Self { compare_at_price: Some(earlier), ..self }
    }
}

impl fmt::Display for ProductStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn priced(text: &str) -> Result<i64, &'static str> {
        price(Decimal::parse(text).unwrap(), usd()).map(Money::minor).map_err(|flaw| flaw.code)
    }

    #[test]
    fn prices_are_exact_and_bounded() {
        assert_eq!(priced("0"), Ok(0));
        assert_eq!(priced("19.99"), Ok(1_999));
        assert_eq!(priced("10000000000.00"), Ok(HIGHEST_PRICE));
        assert_eq!(priced("10000000000.01"), Err("TOO_LARGE"));
        assert_eq!(priced("1e25"), Err("TOO_LARGE"));
        assert_eq!(priced("-0.01"), Err("NEGATIVE"));
        assert_eq!(priced("0.001"), Err("TOO_PRECISE"));
    }

    #[test]
    fn stock_is_a_count() {
        assert_eq!(stock(0), Ok(0));
        assert_eq!(stock(MOST_STOCK), Ok(MOST_STOCK));
        assert_eq!(stock(-1).unwrap_err().code, "NEGATIVE");
        assert_eq!(stock(MOST_STOCK + 1).unwrap_err().code, "TOO_LARGE");
    }

    #[test]
    fn names_have_1_to_255_characters_of_any_script() {
        assert!(name(&"é".repeat(255)).is_ok());
        assert_eq!(name(&"é".repeat(256)).unwrap_err().code, "TOO_LONG");
        assert_eq!(name("").unwrap_err().code, "TOO_SHORT");
        assert_eq!(name("   ").unwrap_err().code, "TOO_SHORT");
        assert!(description("").is_ok() && description(&"x".repeat(20_001)).is_err());
    }

    #[test]
    fn images_are_addresses() {
        let list = |urls: &[&str]| images(&urls.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(
            list(&["https://cdn.example/a.jpg", "/files/b"]).unwrap().0,
            r#"["https://cdn.example/a.jpg","/files/b"]"#
        );
        assert_eq!(list(&["javascript:alert(1)"]).unwrap_err().code, "NOT_A_URL");
        assert_eq!(list(&["https://a b"]).unwrap_err().code, "NOT_A_URL");
        assert_eq!(list(&["/a"; 51]).unwrap_err().code, "TOO_MANY");
        assert_eq!(list(&[&format!("/{}", "a".repeat(2_048))]).unwrap_err().code, "TOO_LONG");
    }

    #[test]
    fn specifications_keep_their_numbers_as_written() {
        let given = |json: &str| specifications(&RawValue::from_string(json.into()).unwrap());
        assert_eq!(given(r#"{"weight":1.50,"tags":["a"]}"#).unwrap().0, r#"{"weight":1.50,"tags":["a"]}"#);
        for (json, code) in [
            ("[]".to_owned(), "NOT_AN_OBJECT"),
            ("3".to_owned(), "NOT_AN_OBJECT"),
            (r#"{"a":"\ud800"}"#.to_owned(), "NOT_AN_OBJECT"),
            (format!(r#"{{"a":"{}"}}"#, "x".repeat(40_000)), "TOO_LONG"),
        ] {
            assert_eq!(given(&json).unwrap_err().code, code);
        }
    }

    #[test]
    fn the_json_of_a_product_shows_money_exactly() {
        let clock = stoa_kernel::ManualClock::starting_at(Timestamp::from_seconds(0)).clock();
        let occasion = Occasion::system(&clock, &stoa_kernel::Random::seeded(1), "test");
        let new = NewProduct::draft("Lamp", Money::from_minor(1_990, usd()), Slug::parse("lamps").unwrap());
        let json = serde_json::to_string(&Product::new(&occasion, &new.unwrap())).unwrap();
        let after_id = json.split_once(',').unwrap().1;
        assert_eq!(
            after_id,
            r#""name":"Lamp","description":"","price":19.90,"currency":"USD","stock":0,"category":"lamps","status":"DRAFT","images":[],"specifications":{},"variants":[],"createdAt":"1970-01-01T00:00:00.000Z","updatedAt":"1970-01-01T00:00:00.000Z"}"#
        );
    }
}
