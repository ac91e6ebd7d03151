//! One line of an import: what it says of a product, checked field by field.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Currency, Decimal, FieldError, Fields, Flaw, wording::in_plain_words};

use super::{
    ListedVariant, cells,
    variants::{self, GivenVariant},
};
use crate::{
    product::{NewProduct, Product, ProductStatus},
    update_product::{ProductChanges, UpdateProduct, given},
};

/// A line that is not imported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BadLine {
    /// Where it begins, counted from 1; of CSV the header is line 1.
    pub(crate) line: u64,
    /// What is wrong with it.
    #[schema(max_items = 20)]
    #[serde(deserialize_with = "stored_errors")]
    pub(crate) errors: Vec<FieldError>,
}

impl BadLine {
    pub(super) fn whole(line: u64, code: &'static str, message: &'static str) -> Self {
        Self { line, errors: vec![FieldError::new("line", code, message)] }
    }
}

/// Errors as they were kept.
fn stored_errors<'de, D: serde::Deserializer<'de>>(stored: D) -> Result<Vec<FieldError>, D::Error> {
    #[derive(Deserialize)]
    struct Stored {
        field: String,
        code: String,
        message: String,
    }
    let stored = Vec::<Stored>::deserialize(stored)?;
    Ok(stored.into_iter().map(|error| FieldError::new(error.field, error.code, error.message)).collect())
}

/// What a line says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(super) struct Given {
    id: Option<ProductId>,
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    description: Option<String>,
    #[serde(default, deserialize_with = "given")]
    price: Option<Decimal>,
    #[serde(default, deserialize_with = "given")]
    compare_at_price: Option<Option<Decimal>>,
    #[serde(default, deserialize_with = "given")]
    stock: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    category: Option<String>,
    #[serde(default, deserialize_with = "given")]
    status: Option<ProductStatus>,
    #[serde(default, deserialize_with = "given")]
    images: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    specifications: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "given")]
    variants: Option<Vec<GivenVariant>>,
}

/// A line whose every field is as it must be.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) id: Option<ProductId>,
    pub(crate) changes: ProductChanges,
    /// All variants of the product, if the line says anything of them.
    pub(crate) variants: Option<Vec<ListedVariant>>,
}

const NUL: Flaw = Flaw::new("NUL_CHARACTER", "Text must not contain the character U+0000.");
const UNREADABLE: Flaw = Flaw::new("INVALID", "This cannot be read.");

impl Given {
    /// From a line of JSON.
    pub(super) fn of_json(line: &[u8]) -> Result<Self, Vec<FieldError>> {
        let bad =
            |field: String, code: &'static str, message: String| vec![FieldError::new(field, code, message)];
        let Ok(text) = std::str::from_utf8(line) else {
            return Err(bad("line".into(), "NOT_UTF8", "The line is not UTF-8.".into()));
        };
        if !text.trim_start().starts_with('{') {
            return Err(bad("line".into(), "NOT_AN_OBJECT", "The line is not a JSON object.".into()));
        }
        if holds_escaped_nul(text) {
            return Err(bad("line".into(), NUL.code, NUL.message.into()));
        }
        serde_json::from_str(text).map_err(|_| {
            // Read again to learn where; only bad lines cost this.
            let mut reader = serde_json::Deserializer::from_str(text);
            match serde_path_to_error::deserialize::<_, Self>(&mut reader) {
                Err(error) if error.inner().is_data() => {
                    let (path, reason) =
                        (error.path().to_string(), in_plain_words(&error.inner().to_string()));
                    bad(if path == "." { "line".into() } else { path }, "INVALID", reason)
                }
                Err(_) => bad("line".into(), "MALFORMED_JSON", "The line is not valid JSON.".into()),
                Ok(_) => bad("line".into(), "MALFORMED_JSON", "More follows after the object.".into()),
            }
        })
    }

    /// From cells of CSV, each with the column it stands in.
    pub(super) fn of_cells<'c>(
        cells: impl Iterator<Item = (&'static str, &'c str)>,
    ) -> Result<Self, Vec<FieldError>> {
        let (mut line, mut fields) = (Self::default(), Fields::default());
        for (column, cell) in cells {
            let cell = cells::plain(cell);
            match (column, cell.is_empty()) {
                ("name", _) => line.name = Some(cell.to_owned()),
                ("description", _) => line.description = Some(cell.to_owned()),
                ("category", _) => line.category = Some(cell.to_owned()),
                ("compareAtPrice", true) => line.compare_at_price = Some(None),
                ("images", true) => line.images = Some(Vec::new()),
                ("specifications", true) => line.specifications = RawValue::from_string("{}".into()).ok(),
                (_, true) => {}
                ("id", _) => line.id = fields.take(column, cell.parse().map_err(|_| UNREADABLE)),
                ("price", _) => line.price = fields.take(column, Decimal::parse(cell).ok_or(UNREADABLE)),
                ("compareAtPrice", _) => {
                    line.compare_at_price =
                        fields.take(column, Decimal::parse(cell).ok_or(UNREADABLE)).map(Some);
                }
                ("stock", _) => line.stock = fields.take(column, cell.parse().map_err(|_| UNREADABLE)),
                ("status", _) => {
                    line.status = fields.take(column, ProductStatus::of_name(cell).ok_or(UNREADABLE));
                }
                ("images", _) => {
                    line.images = fields.take(column, serde_json::from_str(cell).map_err(|_| UNREADABLE));
                }
                ("variants", _) => {
                    line.variants = fields.take(column, listed(cell));
                }
                (_, _) => {
                    let value = RawValue::from_string(cell.to_owned()).map_err(|_| UNREADABLE);
                    line.specifications = fields.take(column, value);
                }
            }
        }
        if fields.is_clean() { Ok(line) } else { Err(fields.into_refusal().fields) }
    }

    /// The line, if every field is as it must be; otherwise all that are not.
    pub(super) fn checked(self, currency: Currency) -> Result<Checked, Vec<FieldError>> {
        let mut fields = Fields::default();
        for (field, text) in [("name", &self.name), ("description", &self.description)] {
            fields.check(field, !text.as_deref().unwrap_or_default().contains('\0'), NUL);
        }
        let images = self.images.iter().flatten();
        fields.check("images", !images.into_iter().any(|url| url.contains('\0')), NUL);
        let facts = self.specifications.as_ref();
        fields.check("specifications", !facts.is_some_and(|facts| holds_escaped_nul(facts.get())), NUL);
        let told = UpdateProduct {
            name: self.name,
            description: self.description,
            price: self.price,
            compare_at_price: self.compare_at_price,
            stock: self.stock,
            category: self.category,
            status: self.status,
            images: self.images,
            specifications: self.specifications,
        };
        let changes = told.read(currency, &mut fields);
        let mut errors = fields.into_refusal().fields;
        let variants = match self.variants.map(|list| variants::checked(list, currency)).transpose() {
            Ok(variants) => variants,
            Err(flaws) => {
                errors.extend(flaws);
                None
            }
        };
        if errors.is_empty() { Ok(Checked { id: self.id, changes, variants }) } else { Err(errors) }
    }
}

impl Checked {
    /// The product that the line makes where there is none of its id; the fields that are missing, if some are.
    pub(crate) fn new_product(&self) -> Result<NewProduct, Vec<FieldError>> {
        let changes = &self.changes;
        if let (Some(name), Some(price), Some(category)) = (&changes.name, changes.price, &changes.category) {
            let mut new = NewProduct::draft(name, price, category.clone())
                .map_err(|flaw| vec![FieldError::new("price", flaw.code, flaw.message)])?;
            new.description = changes.description.clone().unwrap_or_default();
            new.compare_at_price = changes.compare_at_price.flatten();
            new.stock = changes.stock.unwrap_or(0);
            new.status = changes.status.unwrap_or(ProductStatus::Draft);
            if let Some(images) = &changes.images {
                new.images = images.clone();
            }
            if let Some(specifications) = &changes.specifications {
                new.specifications = specifications.clone();
            }
            return Ok(new);
        }
        let given = [
            ("name", changes.name.is_some()),
            ("price", changes.price.is_some()),
            ("category", changes.category.is_some()),
        ];
        let missing = given.into_iter().filter(|(_, given)| !given);
        Err(missing
            .map(|(field, _)| FieldError::new(field, "REQUIRED", "A new product needs this."))
            .collect())
    }

    /// What the line changes of a product: what it says besides what is so already.
    pub(crate) fn differing(&self, product: &Product) -> ProductChanges {
        fn other<T: PartialEq + Clone>(given: Option<&T>, present: &T) -> Option<T> {
            given.filter(|given| *given != present).cloned()
        }
        let ProductChanges {
            name,
            description,
            price,
            compare_at_price,
            stock,
            category,
            status,
            images,
            specifications,
        } = &self.changes;
        ProductChanges {
            name: other(name.as_ref(), &product.name),
            description: other(description.as_ref(), &product.description),
            price: other(price.as_ref(), &product.price),
            compare_at_price: other(compare_at_price.as_ref(), &product.compare_at_price),
            stock: other(stock.as_ref(), &product.stock),
            category: other(category.as_ref(), &product.category),
            status: other(status.as_ref(), &product.status),
            images: other(images.as_ref(), &product.images),
            specifications: other(specifications.as_ref(), &product.specifications),
        }
    }
}

/// The variants in a cell.
fn listed(cell: &str) -> Result<Vec<GivenVariant>, Flaw> {
    if holds_escaped_nul(cell) {
        return Err(NUL);
    }
    serde_json::from_str(cell).map_err(|_| UNREADABLE)
}

/// Whether JSON text holds U+0000 as an escape, which no database takes.
fn holds_escaped_nul(text: &str) -> bool {
    text.match_indices("\\u0000").any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        (before.len() - before.trim_end_matches('\\').len()).is_multiple_of(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn flaws(errors: Vec<FieldError>) -> Vec<String> {
        errors.iter().map(|error| format!("{} {}", error.field, error.code)).collect()
    }

    fn of_json(text: &str) -> Result<Checked, Vec<String>> {
        Given::of_json(text.as_bytes()).and_then(|given| given.checked(usd())).map_err(flaws)
    }

    #[test]
    fn a_line_makes_a_product_or_changes_one() {
        let line = of_json(r#"{"name":"Lamp","price":5,"category":"lamps","compareAtPrice":null}"#).unwrap();
        assert_eq!(line.new_product().unwrap().stock, 0);
        let line = of_json(r#"{"id":"00000000-0000-7000-8000-000000000001","stock":3}"#).unwrap();
        assert_eq!(
            flaws(line.new_product().unwrap_err()),
            ["name REQUIRED", "price REQUIRED", "category REQUIRED"]
        );
    }

    #[test]
    fn every_bad_field_of_a_line_is_named() {
        for (line, told) in [
            (r#"{"name":"","price":-1}"#, &["name TOO_SHORT", "price NEGATIVE"][..]),
            (r#"{"name":1}"#, &["name INVALID"]),
            (r#"{"colour":1}"#, &["colour INVALID"]),
            (r#"["a"]"#, &["line NOT_AN_OBJECT"]),
            (r#"{"name":"#, &["line MALFORMED_JSON"]),
            (r#"{"name":"a"} x"#, &["line MALFORMED_JSON"]),
            (r#"{"name":"a\u0000"}"#, &["line NUL_CHARACTER"]),
            (r#"{"name":null}"#, &["name INVALID"]),
            (
                r#"{"variants":[{"sku":""},{"sku":"a","price":-1}]}"#,
                &["variants[0].sku TOO_SHORT", "variants[1].price NEGATIVE"],
            ),
            (r#"{"variants":[{"stock":"1"}]}"#, &["variants[0].stock INVALID"]),
            (r#"{"variants":null}"#, &["variants INVALID"]),
        ] {
            assert_eq!(of_json(line).unwrap_err(), told, "{line}");
        }
        assert!(of_json(r#"{"name":"a\\u0000"}"#).is_ok());
        assert_eq!(flaws(Given::of_json(b"{\"name\":\"\xff\"}").unwrap_err()), ["line NOT_UTF8"]);
    }

    #[test]
    fn empty_cells_empty_what_can_be_empty_and_leave_the_rest() {
        let cells = COLUMNS.into_iter().map(|column| (column, ""));
        let line = Given::of_cells(cells).unwrap();
        assert_eq!((line.compare_at_price.is_some(), line.images), (true, Some(Vec::new())));
        assert_eq!((line.stock, line.status, line.id), (None, None, None));
        assert!(line.variants.is_none(), "nobody loses variants by an empty cell");
        assert_eq!(line.description.as_deref(), Some(""));
    }

    #[test]
    fn cells_that_cannot_be_read_are_named() {
        let cells = [
            ("id", "x"),
            ("price", "ten"),
            ("stock", "1.5"),
            ("status", "active"),
            ("images", "a"),
            ("specifications", "{"),
            ("variants", r#"[{"colour":1}]"#),
        ];
        let told = [
            "id INVALID",
            "price INVALID",
            "stock INVALID",
            "status INVALID",
            "images INVALID",
            "specifications INVALID",
            "variants INVALID",
        ];
        assert_eq!(flaws(Given::of_cells(cells.into_iter()).unwrap_err()), told);
    }

    use super::super::COLUMNS;
}
