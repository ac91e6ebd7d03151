//! The variants that a line of an import lists: all that the product has afterwards, in their order.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use stoa_contracts::catalog::VariantId;
use stoa_kernel::{Currency, Decimal, FieldError, Money};

use crate::{
    product::{JsonText, folded},
    update_product::given,
    variant::{MOST_VARIANTS, UpdateVariant, Variant, VariantChanges},
};

/// A variant as a line lists it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GivenVariant {
    id: Option<VariantId>,
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    sku: Option<String>,
    #[serde(default, deserialize_with = "given")]
    price: Option<Decimal>,
    #[serde(default, deserialize_with = "given")]
    stock: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    attributes: Option<BTreeMap<String, String>>,
}

/// A listed variant whose every field is as it must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ListedVariant {
    id: Option<VariantId>,
    changes: VariantChanges,
}

/// Checks a list; each flaw is told by the place it stands in.
pub(super) fn checked(
    list: Vec<GivenVariant>,
    currency: Currency,
) -> Result<Vec<ListedVariant>, Vec<FieldError>> {
    if list.len() > MOST_VARIANTS {
        return Err(vec![FieldError::new("variants", "TOO_MANY", "A product has at most 100 variants.")]);
    }
    let (mut listed, mut errors) = (Vec::with_capacity(list.len()), Vec::new());
    for (place, variant) in list.into_iter().enumerate() {
        let GivenVariant { id, name, sku, price, stock, attributes } = variant;
        match (UpdateVariant { name, sku, price, stock, attributes }).checked(currency) {
            Ok(changes) => listed.push(ListedVariant { id, changes }),
            Err(refusal) => errors.extend(refusal.fields.into_iter().map(|error| {
                FieldError::new(format!("variants[{place}].{}", error.field), error.code, error.message)
            })),
        }
    }
    if errors.is_empty() { Ok(listed) } else { Err(errors) }
}

/// What the product is like that a list is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed<'p> {
    /// What a new variant costs unless told.
    pub(crate) price: Money,
    /// Pieces of the product itself, which its first variant takes over unless its own are told.
    pub(crate) pieces: i64,
    /// The variants it has.
    pub(crate) present: &'p [Variant],
}

impl Listed<'_> {
    /// The variants that the product is to have. One that is listed by the id or the SKU of a present one is that one,
    /// with what is said otherwise; any other is new. Flaws are told by the place they stand in.
    pub(crate) fn planned(
        &self,
        list: &[ListedVariant],
        mut new_id: impl FnMut() -> VariantId,
    ) -> Result<Vec<Variant>, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut planned: Vec<Variant> = Vec::with_capacity(list.len());
        let (mut ids, mut skus) = (HashSet::new(), HashSet::new());
        for (place, listed) in list.iter().enumerate() {
            let variant = match self.present_one(listed) {
                Some(present) => {
                    let mut variant = present.clone();
                    variant.change(&listed.changes);
                    variant
                }
                None => match self.new_one(listed, place, &mut new_id) {
                    Ok(variant) => variant,
                    Err(missing) => {
                        errors.extend(missing);
                        continue;
                    }
                },
            };
            for (field, fresh) in
                [("id", ids.insert(variant.id.uuid())), ("sku", skus.insert(folded(&variant.sku)))]
            {
                if !fresh {
                    errors.push(at(place, field, "REPEATED", "It stands in the list twice."));
                }
            }
            planned.push(variant);
        }
        if errors.is_empty() { Ok(planned) } else { Err(errors) }
    }

    fn present_one(&self, listed: &ListedVariant) -> Option<&Variant> {
        match (listed.id, &listed.changes.sku) {
            (Some(id), _) => self.present.iter().find(|present| present.id == id),
            (None, Some(sku)) => self.present.iter().find(|present| folded(&present.sku) == folded(sku)),
            (None, None) => None,
        }
    }

    fn new_one(
        &self,
        listed: &ListedVariant,
        place: usize,
        new_id: &mut impl FnMut() -> VariantId,
    ) -> Result<Variant, Vec<FieldError>> {
        let VariantChanges { name, sku, price, stock, attributes } = &listed.changes;
        let (Some(name), Some(sku)) = (name, sku) else {
            let missing = [("name", name.is_none()), ("sku", sku.is_none())].into_iter();
            return Err(missing
                .filter(|(_, missing)| *missing)
                .map(|(field, _)| at(place, field, "REQUIRED", "A new variant needs this."))
                .collect());
        };
        let takes_over = self.present.is_empty() && place == 0;
        Ok(Variant {
            id: listed.id.unwrap_or_else(new_id),
            name: name.clone(),
            sku: sku.clone(),
            price: price.unwrap_or(self.price),
            stock: stock.unwrap_or(if takes_over { self.pieces } else { 0 }),
            attributes: attributes.clone().unwrap_or_else(|| JsonText::stored("{}".into())),
        })
    }
}

fn at(place: usize, field: &str, code: &'static str, message: &'static str) -> FieldError {
    FieldError::new(format!("variants[{place}].{field}"), code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn id(number: u128) -> VariantId {
        format!("{number:032x}").parse().unwrap()
    }

    fn told(errors: &[FieldError]) -> Vec<String> {
        errors.iter().map(|error| format!("{} {}", error.field, error.code)).collect()
    }

    fn list(json: &str) -> Result<Vec<ListedVariant>, Vec<String>> {
        checked(serde_json::from_str(json).unwrap(), usd()).map_err(|errors| told(&errors))
    }

    fn present() -> Vec<Variant> {
        let variant = |number, sku: &str| Variant {
            id: id(number),
            name: sku.to_uppercase(),
            sku: sku.into(),
            price: Money::from_minor(500, usd()),
            stock: 3,
            attributes: JsonText::stored(r#"{"size":"L"}"#.into()),
        };
        vec![variant(1, "tea-s"), variant(2, "tea-l")]
    }

    fn planned(present: &[Variant], json: &str) -> Result<Vec<Variant>, Vec<String>> {
        let product = Listed { price: Money::from_minor(900, usd()), pieces: 7, present };
        let mut fresh = (99..).map(id);
        product.planned(&list(json)?, || fresh.next().unwrap()).map_err(|errors| told(&errors))
    }

    #[test]
    fn a_listed_variant_is_the_one_of_its_id_or_sku() {
        let json = r#"[{"sku":"TEA-L","stock":1},{"id":"00000000000000000000000000000001","sku":"tea-m"}]"#;
        let after = planned(&present(), json).unwrap();
        assert_eq!((after[0].id, after[0].sku.as_str(), after[0].stock), (id(2), "TEA-L", 1));
        assert_eq!((after[1].id, after[1].sku.as_str(), after[1].stock), (id(1), "tea-m", 3));
        assert_eq!(after[0].attributes, present()[1].attributes, "what is not told stays");
    }

    #[test]
    fn a_new_variant_has_what_it_is_told_and_else_what_the_product_has() {
        let json = r#"[{"name":"L","sku":"l"},{"name":"M","sku":"m","price":2,"stock":1}]"#;
        let after = planned(&[], json).unwrap();
        assert_eq!((after[0].id, after[0].price.minor(), after[0].stock), (id(99), 900, 7));
        assert_eq!((after[1].id, after[1].price.minor(), after[1].stock), (id(100), 200, 1));
        let after = planned(&present(), r#"[{"name":"L","sku":"l"}]"#).unwrap();
        assert_eq!(after[0].stock, 0, "there is nothing to take over");
    }

    #[test]
    fn every_flaw_is_told_by_its_place() {
        assert_eq!(
            list(r#"[{"sku":"a"},{"sku":"a b","price":-1,"stock":-1,"name":""}]"#).unwrap_err(),
            [
                "variants[1].name TOO_SHORT",
                "variants[1].sku NOT_A_SKU",
                "variants[1].price NEGATIVE",
                "variants[1].stock NEGATIVE"
            ]
        );
        let many = format!("[{}]", vec![r#"{"sku":"a"}"#; 101].join(","));
        assert_eq!(list(&many).unwrap_err(), ["variants TOO_MANY"]);
        assert_eq!(
            planned(&[], "[{}]").unwrap_err(),
            ["variants[0].name REQUIRED", "variants[0].sku REQUIRED"]
        );
        let twice = r#"[{"sku":"tea-l"},{"id":"00000000000000000000000000000001","sku":"TEA-L"}]"#;
        assert_eq!(planned(&present(), twice).unwrap_err(), ["variants[1].sku REPEATED"]);
        let same = r#"[{"sku":"tea-l"},{"sku":"TEA-L"}]"#;
        assert_eq!(
            planned(&present(), same).unwrap_err(),
            ["variants[1].id REPEATED", "variants[1].sku REPEATED"]
        );
    }
}
