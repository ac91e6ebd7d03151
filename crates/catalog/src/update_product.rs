//! Changing any of a product's fields.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use stoa_contracts::catalog::{ProductId, StockChanged};
use stoa_http::IfMatch;
use stoa_kernel::{Currency, Decimal, Fields, Money, Refusal};
use stoa_platform::{Occasion, database::Tx};

use crate::{
    CatalogError, Catalogue,
    product::{self, JsonText, Product, ProductStatus},
    search::Entry,
    slug::Slug,
    stock::{Level, Movement, Reason, tell_of_changes},
    store::{products, search, stock},
};

/// What is to change of a product; what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub struct UpdateProduct {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub(crate) name: Option<String>,
    /// What there is to say about it.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 20000, nullable = false)]
    pub(crate) description: Option<String>,
    /// What one piece costs.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Decimal)]
    pub(crate) price: Option<Decimal>,
    /// What it cost before; null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Decimal>)]
    pub(crate) compare_at_price: Option<Option<Decimal>>,
    /// Pieces in stock.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 0, maximum = 1_000_000_000, nullable = false)]
    pub(crate) stock: Option<i64>,
    /// The slug of its category.
    #[serde(default, deserialize_with = "given")]
    #[schema(pattern = "^[a-z0-9-]{1,100}$", nullable = false)]
    pub(crate) category: Option<String>,
    /// Where it is in its life.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) status: Option<ProductStatus>,
    /// Addresses of pictures.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_items = 50, nullable = false)]
    pub(crate) images: Option<Vec<String>>,
    /// Named facts, in place of those before.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Object, nullable = false)]
    pub(crate) specifications: Option<Box<RawValue>>,
}

/// Reads a field that stands there: a null is a value like any other, and mostly a wrong one.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

/// Changes of a product, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct ProductChanges {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) price: Option<Money>,
    pub(crate) compare_at_price: Option<Option<Money>>,
    pub(crate) stock: Option<i64>,
    pub(crate) category: Option<Slug>,
    pub(crate) status: Option<ProductStatus>,
    pub(crate) images: Option<JsonText>,
    pub(crate) specifications: Option<JsonText>,
}

impl UpdateProduct {
    /// The changes, if every field is as it must be; otherwise 422 with all that are not.
    pub(crate) fn checked(self, currency: Currency) -> Result<ProductChanges, Refusal> {
        let mut fields = Fields::default();
        let changes = self.read(currency, &mut fields);
        fields.finish().map(|()| changes)
    }

    /// The changes as far as they are as they must be; `fields` has the rest.
    pub(crate) fn read(&self, currency: Currency, fields: &mut Fields) -> ProductChanges {
        let priced = |price| product::price(price, currency);
        let earlier = self.compare_at_price.map(|earlier| earlier.map(priced).transpose());
        ProductChanges {
            name: fields.take_given("name", self.name.as_deref().map(product::name)),
            description: fields
                .take_given("description", self.description.as_deref().map(product::description)),
            price: fields.take_given("price", self.price.map(priced)),
            compare_at_price: fields.take_given("compareAtPrice", earlier),
            stock: fields.take_given("stock", self.stock.map(product::stock)),
            category: fields.take_given("category", self.category.as_deref().map(Slug::parse)),
            status: self.status,
            images: fields.take_given("images", self.images.as_deref().map(product::images)),
            specifications: fields
                .take_given("specifications", self.specifications.as_deref().map(product::specifications)),
        }
    }
}

impl Catalogue {
    /// Changes a product; one without changes is answered as it stands.
    pub(crate) fn update_product(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        product: (ProductId, &IfMatch),
        changes: &ProductChanges,
    ) -> Result<Product, CatalogError> {
        let (product, change) = self.change_product(tx, occasion, product, changes)?;
        tell_of_changes(tx, occasion, change)?;
        Ok(product)
    }

    /// As [`Catalogue::update_product`]; what is to be told of its stock is left to the caller, who may have more of the
    /// kind.
    pub(crate) fn change_product(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (id, expected): (ProductId, &IfMatch),
        changes: &ProductChanges,
    ) -> Result<(Product, Option<StockChanged>), CatalogError> {
        let found = products::find_for_change(tx, id, self.currency())?;
        let mut product = found.ok_or(CatalogError::UnknownProduct)?;
        expected.check(product.version)?;
        if *changes == ProductChanges::default() {
            return Ok((product, None));
        }
        if changes.stock.is_some() && product.has_variants() {
            let message = "The stock of a product with variants is the sum of theirs. Change theirs.";
            return Err(CatalogError::Field("stock", "VARIANT_REQUIRED", message));
        }
        let (before, entry) = (product.stock, Entry::of(&product));
        product.change(changes, occasion.at);
        products::update(tx, &product)?;
        search::renew(tx, &entry, &Entry::of(&product))?;
        let movement = Movement::of(&product, product.stock - before, Reason::Set);
        stock::record(tx, occasion, &movement)?;
        self.tell_of_stock(tx, occasion, Level { before, ..Level::of(&product) })?;
        self.forget_products(tx, [id]);
        let told = movement.told(product.stock, product.stock);
        Ok((product, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<ProductChanges, Vec<String>> {
        let given: UpdateProduct = serde_json::from_str(json).map_err(|error| vec![error.to_string()])?;
        given.checked(Currency::parse("USD").unwrap()).map_err(|refusal| {
            refusal.fields.iter().map(|field| format!("{} {}", field.field, field.code)).collect()
        })
    }

    #[test]
    fn only_what_is_given_changes() {
        assert_eq!(checked("{}").unwrap(), ProductChanges::default());
        let changes = checked(r#"{"price":2.50,"compareAtPrice":null}"#).unwrap();
        assert_eq!(changes.price.unwrap().minor(), 250);
        assert_eq!(changes.compare_at_price, Some(None));
        assert_eq!(changes.name, None);
    }

    #[test]
    fn a_null_takes_away_only_the_earlier_price() {
        for field in ["name", "description", "price", "stock", "category", "status", "images"] {
            assert!(checked(&format!(r#"{{"{field}":null}}"#)).is_err(), "{field}");
        }
        assert_eq!(
            checked(r#"{"specifications":null}"#).unwrap_err(),
            ["specifications NOT_AN_OBJECT"],
            "raw JSON takes a null as its text"
        );
    }

    #[test]
    fn every_bad_field_is_named() {
        let flaws = checked(r#"{"name":" ","price":-1,"compareAtPrice":0.001,"category":"A"}"#);
        let told = ["name TOO_SHORT", "price NEGATIVE", "compareAtPrice TOO_PRECISE", "category NOT_A_SLUG"];
        assert_eq!(flaws.unwrap_err(), told);
    }
}
