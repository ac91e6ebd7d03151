//! Making a product.

use serde::Deserialize;
use serde_json::value::RawValue;
use stoa_contracts::catalog::ProductCreated;
use stoa_kernel::{Currency, Decimal, Fields, Refusal};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};

use crate::{
    Catalogue,
    product::{self, JsonText, NewProduct, Product, ProductStatus},
    search::Entry,
    slug::Slug,
    stock::{Movement, Reason},
    store::{products, search, stock},
};

/// A product to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateProduct {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// What there is to say about it.
    #[schema(max_length = 20000)]
    description: Option<String>,
    /// What one piece costs.
    price: Decimal,
    /// What it cost before.
    compare_at_price: Option<Decimal>,
    /// Pieces in stock; none unless told.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    stock: Option<i64>,
    /// The slug of its category.
    #[schema(pattern = "^[a-z0-9-]{1,100}$")]
    category: String,
    /// DRAFT unless told.
    status: Option<ProductStatus>,
    /// Addresses of pictures.
    #[schema(max_items = 50)]
    images: Option<Vec<String>>,
    /// Named facts.
    #[schema(value_type = Option<Object>)]
    specifications: Option<Box<RawValue>>,
}

impl CreateProduct {
    /// The product, if every field is as it must be; otherwise 422 with all that are not.
    pub fn checked(self, currency: Currency) -> Result<NewProduct, Refusal> {
        let mut fields = Fields::default();
        let name = fields.take("name", product::name(&self.name));
        let description = self.description.unwrap_or_default();
        let description = fields.take("description", product::description(&description));
        let price = fields.take("price", product::price(self.price, currency));
        let earlier = self.compare_at_price.map(|price| product::price(price, currency));
        let compare_at_price = fields.take_given("compareAtPrice", earlier);
        let stock = fields.take("stock", product::stock(self.stock.unwrap_or(0)));
        let category = fields.take("category", Slug::parse(&self.category));
        let images = fields.take("images", product::images(&self.images.unwrap_or_default()));
        let specifications = match &self.specifications {
            Some(given) => fields.take("specifications", product::specifications(given)),
            None => Some(JsonText::stored("{}".into())),
        };
        let status = self.status.unwrap_or(ProductStatus::Draft);
        match (fields.is_clean(), name, description, price, stock, category, images, specifications) {
            (
                true,
                Some(name),
                Some(description),
                Some(price),
                Some(stock),
                Some(category),
                Some(images),
                Some(specifications),
            ) => Ok(NewProduct {
                name,
                description,
                price,
                compare_at_price,
                stock,
                category,
                status,
                images,
                specifications,
            }),
            _ => Err(fields.into_refusal()),
        }
    }
}

impl Catalogue {
    /// Makes a product.
    pub fn create_product(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        new: &NewProduct,
    ) -> Result<Product, DatabaseError> {
        let product = Product::new(occasion, new);
        products::insert(tx, &product)?;
        search::insert(tx, &[Entry::of(&product)])?;
        stock::record(tx, occasion, &Movement::of(&product, product.stock, Reason::Created))?;
        let created =
            ProductCreated { product_id: product.id, version: product.version, name: product.name.clone() };
        events::append(tx, occasion, &created)?;
        self.forget_products(tx, [product.id]);
        Ok(product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<NewProduct, Vec<String>> {
        let given: CreateProduct = serde_json::from_str(json).unwrap();
        given.checked(Currency::parse("USD").unwrap()).map_err(|refusal| {
            refusal.fields.iter().map(|field| format!("{} {}", field.field, field.code)).collect()
        })
    }

    #[test]
    fn what_is_not_told_has_a_default() {
        let new = checked(r#"{"name":"Lamp","price":5,"category":"lamps"}"#).unwrap();
        assert_eq!((new.status, new.stock, new.price.minor()), (ProductStatus::Draft, 0, 500));
        assert_eq!((new.description.as_str(), new.compare_at_price), ("", None));
    }

    #[test]
    fn every_bad_field_is_named() {
        let flaws = checked(
            r#"{"name":"","price":1.999,"compareAtPrice":-1,"stock":-1,"category":"No Slug",
                "images":["x"],"specifications":[]}"#,
        );
        assert_eq!(
            flaws.unwrap_err(),
            [
                "name TOO_SHORT",
                "price TOO_PRECISE",
                "compareAtPrice NEGATIVE",
                "stock NEGATIVE",
                "category NOT_A_SLUG",
                "images NOT_A_URL",
                "specifications NOT_AN_OBJECT",
            ]
        );
    }
}
