//! What a package is: products sold together at a price of their own. It has no stock; its parts decide how many of it
//! there are.

use serde::{Deserialize, Serialize};
use stoa_contracts::catalog::{PackageId, Part, ProductId, VariantId};
use stoa_kernel::{Currency, Decimal, Fields, Flaw, Money, Refusal, Timestamp};

use crate::{
    product::{self, JsonText, ProductStatus},
    update_product::given,
};

/// The most kinds of parts in a package.
pub(crate) const MOST_ITEMS: usize = 50;
/// The most pieces of one part.
pub(crate) const MOST_PIECES: i64 = 1_000;

/// A package.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// Its id.
    pub id: PackageId,
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// What there is to say about it.
    pub description: String,
    /// What it costs as a whole.
    pub price: Money,
    /// The currency of the shop.
    pub currency: Currency,
    /// What is in it.
    #[schema(min_items = 1, max_items = 50)]
    pub items: Vec<PackageItem>,
    /// As many packages as the scarcest part allows; none while a part is not offered.
    #[schema(minimum = 0)]
    pub stock: i64,
    /// Addresses of pictures, the first one first.
    #[schema(value_type = Vec<String>)]
    pub(crate) images: JsonText,
    /// Where it is in its life.
    pub status: ProductStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, from 1.
    #[serde(skip)]
    pub version: i64,
}

/// A part of a package.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageItem {
    /// The product.
    pub product_id: ProductId,
    /// Its variant, where the product has variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = VariantId, required = false, nullable = false)]
    pub variant_id: Option<VariantId>,
    /// The pieces of it.
    #[schema(minimum = 1, maximum = 1000)]
    pub quantity: i64,
}

impl PackageItem {
    /// What so many packages take of it.
    pub(crate) const fn of(self, packages: i64) -> Part {
        Part {
            product: self.product_id,
            variant: self.variant_id,
            pieces: self.quantity.saturating_mul(packages),
        }
    }
}

/// A part of a package, and what there is of it: none when it is not offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stocked {
    pub(crate) quantity: i64,
    pub(crate) available: Option<i64>,
}

/// How many packages these parts make; none when one of them is not offered.
pub(crate) fn makes(parts: impl IntoIterator<Item = Stocked>) -> Option<i64> {
    let packages = |part: Stocked| part.available?.checked_div(part.quantity);
    parts.into_iter().map(packages).reduce(|one, other| Some(one?.min(other?))).flatten()
}

/// A package to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreatePackage {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// What there is to say about it.
    #[schema(max_length = 20000)]
    description: Option<String>,
    /// What it costs as a whole.
    price: Decimal,
    /// What is in it; each product or variant once.
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<PackageItem>,
    /// Addresses of pictures.
    #[schema(max_items = 50)]
    images: Option<Vec<String>>,
    /// DRAFT unless told.
    status: Option<ProductStatus>,
}

/// What is to change of a package; what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpdatePackage {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    name: Option<String>,
    /// What there is to say about it.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 20000, nullable = false)]
    description: Option<String>,
    /// What it costs as a whole.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Decimal)]
    price: Option<Decimal>,
    /// What is in it, in place of what was in it before.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_items = 1, max_items = 50, nullable = false)]
    items: Option<Vec<PackageItem>>,
    /// Addresses of pictures.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_items = 50, nullable = false)]
    images: Option<Vec<String>>,
    /// Where it is in its life.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    status: Option<ProductStatus>,
}

/// What a new package is made of, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NewPackage {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) price: Money,
    pub(crate) items: Vec<PackageItem>,
    pub(crate) images: JsonText,
    pub(crate) status: ProductStatus,
}

/// Changes of a package, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct PackageChanges {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) price: Option<Money>,
    pub(crate) items: Option<Vec<PackageItem>>,
    pub(crate) images: Option<JsonText>,
    pub(crate) status: Option<ProductStatus>,
}

impl CreatePackage {
    /// The package, if every field is as it must be; otherwise 422 with all that are not.
    pub(crate) fn checked(self, currency: Currency) -> Result<NewPackage, Refusal> {
        let mut fields = Fields::default();
        let name = fields.take("name", product::name(&self.name));
        let description = self.description.unwrap_or_default();
        let description = fields.take("description", product::description(&description));
        let price = fields.take("price", product::price(self.price, currency));
        let images = fields.take("images", product::images(&self.images.unwrap_or_default()));
        check_items(&mut fields, &self.items);
        match (fields.is_clean(), name, description, price, images) {
            (true, Some(name), Some(description), Some(price), Some(images)) => Ok(NewPackage {
                name,
                description,
                price,
                items: self.items,
                images,
                status: self.status.unwrap_or(ProductStatus::Draft),
            }),
            _ => Err(fields.into_refusal()),
        }
    }
}

impl UpdatePackage {
    /// The changes, if every field is as it must be; otherwise 422 with all that are not.
    pub(crate) fn checked(self, currency: Currency) -> Result<PackageChanges, Refusal> {
        let mut fields = Fields::default();
        if let Some(items) = &self.items {
            check_items(&mut fields, items);
        }
        let changes = PackageChanges {
            name: fields.take_given("name", self.name.as_deref().map(product::name)),
            description: fields
                .take_given("description", self.description.as_deref().map(product::description)),
            price: fields.take_given("price", self.price.map(|price| product::price(price, currency))),
            items: self.items,
            images: fields.take_given("images", self.images.as_deref().map(product::images)),
            status: self.status,
        };
        fields.finish().map(|()| changes)
    }
}

impl Package {
    /// Takes over what is to change; the rest stays.
    pub(crate) fn change(&mut self, changes: PackageChanges, at: Timestamp) {
        let PackageChanges { name, description, price, items, images, status } = changes;
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.description = description.unwrap_or_else(|| std::mem::take(&mut self.description));
        self.price = price.unwrap_or(self.price);
        self.items = items.unwrap_or_else(|| std::mem::take(&mut self.items));
        self.images = images.unwrap_or_else(|| self.images.clone());
        self.status = status.unwrap_or(self.status);
        self.updated_at = at;
        self.version += 1;
    }
}

fn check_items(fields: &mut Fields, items: &[PackageItem]) {
    let some = Flaw::new("TOO_FEW", "A package has at least one part.");
    fields.check("items", !items.is_empty(), some);
    fields.check(
        "items",
        items.len() <= MOST_ITEMS,
        Flaw::new("TOO_MANY", "A package has at most 50 parts."),
    );
    for (index, item) in items.iter().enumerate().take(MOST_ITEMS) {
        let known =
            |other: &PackageItem| (other.product_id, other.variant_id) == (item.product_id, item.variant_id);
        let fine = (1..=MOST_PIECES).contains(&item.quantity);
        let quantity = Flaw::new("OUT_OF_RANGE", "There are 1 to 1,000 pieces of a part.");
        fields.check(format!("items[{index}].quantity"), fine, quantity);
        let first = !items.iter().take(index).any(known);
        let repeated = Flaw::new("REPEATED", "Each part stands once, with its quantity.");
        fields.check(format!("items[{index}]"), first, repeated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<NewPackage, Vec<String>> {
        let given: CreatePackage = serde_json::from_str(json).unwrap();
        given.checked(Currency::parse("USD").unwrap()).map_err(|refusal| {
            refusal.fields.iter().map(|field| format!("{} {}", field.field, field.code)).collect()
        })
    }

    fn item(number: usize, quantity: i64) -> String {
        format!(r#"{{"productId":"{number:032x}","quantity":{quantity}}}"#)
    }

    #[test]
    fn the_scarcest_part_decides() {
        let part = |quantity, available| Stocked { quantity, available };
        assert_eq!(makes([part(2, Some(9)), part(1, Some(5))]), Some(4));
        assert_eq!(makes([part(1, Some(3)), part(4, Some(3))]), Some(0));
        assert_eq!(makes([part(1, Some(3)), part(1, None)]), None);
        assert_eq!(makes([]), None);
    }

    #[test]
    fn what_is_not_told_has_a_default() {
        let new = checked(&format!(r#"{{"name":"Set","price":9.9,"items":[{}]}}"#, item(1, 2))).unwrap();
        assert_eq!((new.status, new.price.minor(), new.items.len()), (ProductStatus::Draft, 990, 1));
        assert_eq!(new.items[0].of(3).pieces, 6);
    }

    #[test]
    fn every_bad_field_is_named() {
        let items = [item(1, 0), item(2, 1_001), item(1, 1)].join(",");
        let flaws = checked(&format!(r#"{{"name":"","price":-1,"items":[{items}],"images":["x"]}}"#));
        let told = [
            "name TOO_SHORT",
            "price NEGATIVE",
            "images NOT_A_URL",
            "items[0].quantity OUT_OF_RANGE",
            "items[1].quantity OUT_OF_RANGE",
            "items[2] REPEATED",
        ];
        assert_eq!(flaws.unwrap_err(), told);
        assert_eq!(checked(r#"{"name":"x","price":1,"items":[]}"#).unwrap_err(), ["items TOO_FEW"]);
        let many: Vec<_> = (0..51).map(|number| item(number, 1)).collect();
        let many = format!(r#"{{"name":"x","price":1,"items":[{}]}}"#, many.join(","));
        assert_eq!(checked(&many).unwrap_err(), ["items TOO_MANY"]);
    }
}
