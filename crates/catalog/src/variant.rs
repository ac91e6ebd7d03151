//! What a variant of a product is, and the rules for each of its parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_contracts::catalog::VariantId;
use stoa_kernel::{Currency, Decimal, Fields, Flaw, Money, Refusal, fields::text};

use crate::{
    product::{self, JsonText, LONGEST_NAME},
    update_product::given,
};

/// The most variants of a product.
pub(crate) const MOST_VARIANTS: usize = 100;
const LONGEST_SKU: usize = 64;
const MOST_ATTRIBUTES: usize = 20;
const LONGEST_ATTRIBUTE_NAME: usize = 50;
const LONGEST_ATTRIBUTE: usize = 200;

/// A kind of a product that is sold by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Variant {
    /// Its id.
    pub id: VariantId,
    /// What tells it from the others, e.g. `Large`.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The shop's own mark for it, of which there is no second.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// What one piece costs.
    pub price: Money,
    /// Pieces in stock.
    #[schema(minimum = 0)]
    pub stock: i64,
    /// What it is like, by name.
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) attributes: JsonText,
}

/// A variant to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateVariant {
    /// What tells it from the others.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The shop's own mark for it; no other variant may have it, in whatever case.
    #[schema(min_length = 1, max_length = 64)]
    sku: String,
    /// What one piece costs; as much as the product unless told.
    price: Option<Decimal>,
    /// Pieces in stock. Unless told the first variant takes over the pieces of the product, and others have none.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    stock: Option<i64>,
    /// What it is like, by name.
    attributes: Option<BTreeMap<String, String>>,
}

/// What is to change of a variant; what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpdateVariant {
    /// What tells it from the others.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub(crate) name: Option<String>,
    /// The shop's own mark for it.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 64, nullable = false)]
    pub(crate) sku: Option<String>,
    /// What one piece costs.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Decimal)]
    pub(crate) price: Option<Decimal>,
    /// Pieces in stock.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 0, maximum = 1_000_000_000, nullable = false)]
    pub(crate) stock: Option<i64>,
    /// What it is like, in place of what was told before.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) attributes: Option<BTreeMap<String, String>>,
}

/// What a new variant is made of, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NewVariant {
    pub(crate) name: String,
    pub(crate) sku: String,
    pub(crate) price: Option<Money>,
    pub(crate) stock: Option<i64>,
    pub(crate) attributes: JsonText,
}

/// Changes of a variant, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct VariantChanges {
    pub(crate) name: Option<String>,
    pub(crate) sku: Option<String>,
    pub(crate) price: Option<Money>,
    pub(crate) stock: Option<i64>,
    pub(crate) attributes: Option<JsonText>,
}

impl CreateVariant {
    /// The variant, if every field is as it must be; otherwise 422 with all that are not.
    pub(crate) fn checked(self, currency: Currency) -> Result<NewVariant, Refusal> {
        let mut fields = Fields::default();
        let name = fields.take("name", variant_name(&self.name));
        let sku = fields.take("sku", sku(&self.sku));
        let price = fields.take_given("price", self.price.map(|price| product::price(price, currency)));
        let stock = fields.take_given("stock", self.stock.map(product::stock));
        let attributes = fields.take("attributes", attributes(&self.attributes.unwrap_or_default()));
        match (fields.is_clean(), name, sku, attributes) {
            (true, Some(name), Some(sku), Some(attributes)) => {
                Ok(NewVariant { name, sku, price, stock, attributes })
            }
            _ => Err(fields.into_refusal()),
        }
    }
}

impl UpdateVariant {
    /// The changes, if every field is as it must be; otherwise 422 with all that are not.
    pub(crate) fn checked(self, currency: Currency) -> Result<VariantChanges, Refusal> {
        let mut fields = Fields::default();
        let changes = VariantChanges {
            name: fields.take_given("name", self.name.as_deref().map(variant_name)),
            sku: fields.take_given("sku", self.sku.as_deref().map(sku)),
            price: fields.take_given("price", self.price.map(|price| product::price(price, currency))),
            stock: fields.take_given("stock", self.stock.map(product::stock)),
            attributes: fields.take_given("attributes", self.attributes.as_ref().map(attributes)),
        };
        fields.finish().map(|()| changes)
    }
}

impl Variant {
    /// Takes over what is to change; the rest stays.
    pub(crate) fn change(&mut self, changes: &VariantChanges) {
        self.name = changes.name.clone().unwrap_or_else(|| self.name.clone());
        self.sku = changes.sku.clone().unwrap_or_else(|| self.sku.clone());
        self.price = changes.price.unwrap_or(self.price);
        self.stock = changes.stock.unwrap_or(self.stock);
        self.attributes = changes.attributes.clone().unwrap_or_else(|| self.attributes.clone());
    }
}

fn variant_name(value: &str) -> Result<String, Flaw> {
    text(value, 1, LONGEST_NAME)
}

/// A mark that can be read aloud and typed: no spaces and nothing invisible.
fn sku(value: &str) -> Result<String, Flaw> {
    let sku = text(value, 1, LONGEST_SKU)?;
    if sku.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Flaw::new("NOT_A_SKU", "This cannot hold spaces or control characters."));
    }
    Ok(sku)
}

fn attributes(given: &BTreeMap<String, String>) -> Result<JsonText, Flaw> {
    if given.len() > MOST_ATTRIBUTES {
        return Err(Flaw::new("TOO_MANY", "A variant has at most 20 attributes."));
    }
    for (name, value) in given {
        text(name, 1, LONGEST_ATTRIBUTE_NAME)?;
        text(value, 0, LONGEST_ATTRIBUTE)?;
    }
    // A map of strings can always be written.
    Ok(JsonText::stored(serde_json::to_string(given).unwrap_or_else(|_| "{}".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn told(refusal: &Refusal) -> Vec<String> {
        refusal.fields.iter().map(|field| format!("{} {}", field.field, field.code)).collect()
    }

    fn checked(json: &str) -> Result<NewVariant, Vec<String>> {
        let given: CreateVariant = serde_json::from_str(json).unwrap();
        given.checked(usd()).map_err(|refusal| told(&refusal))
    }

    #[test]
    fn what_is_not_told_is_left_to_the_product() {
        let new = checked(r#"{"name":"Large","sku":"TEA-L"}"#).unwrap();
        assert_eq!((new.price, new.stock), (None, None));
        assert_eq!(new.attributes, JsonText::stored("{}".into()));
        let full = r#"{"name":"Large","sku":"TEA-L","price":4.5,"stock":3,"attributes":{"size":"L","a":""}}"#;
        let new = checked(full).unwrap();
        assert_eq!((new.price.unwrap().minor(), new.stock), (450, Some(3)));
        assert_eq!(new.attributes, JsonText::stored(r#"{"a":"","size":"L"}"#.into()));
    }

    #[test]
    fn every_bad_field_is_named() {
        let flaws = checked(r#"{"name":" ","sku":"a b","price":-1,"stock":-1,"attributes":{"":"x"}}"#);
        let named =
            ["name TOO_SHORT", "sku NOT_A_SKU", "price NEGATIVE", "stock NEGATIVE", "attributes TOO_SHORT"];
        assert_eq!(flaws.unwrap_err(), named);
        let many: Vec<_> = (0..21).map(|number| format!("\"{number}\":\"\"")).collect();
        let many = format!(r#"{{"name":"x","sku":"x","attributes":{{{}}}}}"#, many.join(","));
        assert_eq!(checked(&many).unwrap_err(), ["attributes TOO_MANY"]);
        let long = format!(r#"{{"name":"x","sku":"{}"}}"#, "s".repeat(65));
        assert_eq!(checked(&long).unwrap_err(), ["sku TOO_LONG"]);
    }

    #[test]
    fn only_what_is_given_changes() {
        let given: UpdateVariant = serde_json::from_str(r#"{"price":2}"#).unwrap();
        let changes = given.checked(usd()).unwrap();
        assert_eq!(
            changes,
            VariantChanges { price: Some(Money::from_minor(200, usd())), ..VariantChanges::default() }
        );
        for field in ["name", "sku", "price", "stock", "attributes"] {
            assert!(
                serde_json::from_str::<UpdateVariant>(&format!(r#"{{"{field}":null}}"#)).is_err(),
                "{field}"
            );
        }
    }
}
