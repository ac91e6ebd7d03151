//! What a product is entered under.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use stoa_contracts::catalog::ProductId;
use stoa_kernel::words::{Term, terms};
use stoa_platform::database::Value;

use super::look_alike::tolerance;
use crate::{
    product::{JsonText, NewProduct, Product, ProductStatus},
    slug::Slug,
    variant::Variant,
};

/// The most words of a name, and of the rest.
const MOST_NAME_WORDS: usize = 100;
const MOST_OTHER_WORDS: usize = 1_000;
/// The most characters of a name that are compared as a whole.
const LONGEST_WORDS: usize = 300;

/// The entry of one product.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) product: ProductId,
    pub(crate) status: ProductStatus,
    pub(crate) category: Slug,
    /// In minor units.
    pub(crate) price: i64,
    /// The name as it is compared with what is asked for.
    pub(crate) words: String,
    /// How many parts the name has: of those that match, the shorter come first.
    pub(crate) length: usize,
    pub(crate) name: BTreeSet<String>,
    /// Words of the names and SKUs of its variants that are not in its own.
    pub(crate) variants: BTreeSet<String>,
    /// What is found besides the name, those of the variants too.
    pub(crate) more: BTreeSet<String>,
}

impl Entry {
    pub(crate) fn of(product: &Product) -> Self {
        let (text, facts) = ([&*product.description, product.category.as_str()], &product.specifications);
        let entry = Self {
            price: product.price.minor(),
            ..Self::made((product.id, product.status, &product.category), &product.name, text, facts)
        };
        entry.with_variants(&product.variants)
    }

    pub(crate) fn of_new(id: ProductId, new: &NewProduct) -> Self {
        let (text, facts) = ([&*new.description, new.category.as_str()], &new.specifications);
        Self {
            price: new.price.minor(),
            ..Self::made((id, new.status, &new.category), &new.name, text, facts)
        }
    }

    fn made(
        (product, status, category): (ProductId, ProductStatus, &Slug),
        name: &str,
        texts: [&str; 2],
        facts: &JsonText,
    ) -> Self {
        let parts = terms(name, MOST_NAME_WORDS);
        let name: BTreeSet<String> = parts.iter().flat_map(Term::tokens).collect();
        let mut more = BTreeSet::new();
        for text in texts {
            collect(text, &name, &mut more);
        }
        for fact in facts_of(facts) {
            collect(&fact, &name, &mut more);
        }
        Self {
            product,
            status,
            category: category.clone(),
            price: 0,
            words: joined(&parts),
            length: parts.len(),
            name,
            variants: BTreeSet::new(),
            more,
        }
    }

    /// The same, found by its variants too. Their words have room even if much is said of the product.
    fn with_variants(mut self, variants: &[Variant]) -> Self {
        for variant in variants {
            collect(&variant.name, &self.name, &mut self.variants);
            collect(&variant.sku, &self.name, &mut self.variants);
        }
        self.more.extend(self.variants.iter().cloned());
        self
    }

    /// The words of the names that a mistyped word may have meant.
    pub(crate) fn vocabulary(&self) -> impl Iterator<Item = &str> {
        self.name.iter().chain(&self.variants).map(String::as_str).filter(|word| tolerance(word) > 0)
    }
}

/// Parts as they are compared: one space between words.
pub(super) fn joined(parts: &[Term]) -> String {
    let mut words = String::new();
    for part in parts {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(part.text());
    }
    if let Some((end, _)) = words.char_indices().nth(LONGEST_WORDS) {
        words.truncate(end);
    }
    words
}

/// Adds the tokens of a text that the name does not have.
fn collect(text: &str, name: &BTreeSet<String>, more: &mut BTreeSet<String>) {
    let tokens = terms(text, MOST_OTHER_WORDS).into_iter().flat_map(|term| term.tokens());
    for token in tokens {
        if more.len() == MOST_OTHER_WORDS {
            return;
        }
        if !name.contains(&token) {
            more.insert(token);
        }
    }
}

/// The values of the named facts; structures below them have no words of their own.
fn facts_of(specifications: &JsonText) -> Vec<String> {
    let Value::Text(text) = Value::from(specifications) else { return Vec::new() };
    if text == "{}" {
        return Vec::new();
    }
    let Ok(Json::Object(facts)) = serde_json::from_str(&text) else { return Vec::new() };
    let said = |fact: &Json| match fact {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut values = Vec::new();
    for fact in facts.values() {
        match fact {
            Json::Array(list) => values.extend(list.iter().filter_map(said)),
            fact => values.extend(said(fact)),
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Currency, Money};

    use super::*;

    #[test]
    fn a_product_is_entered_under_its_name_and_what_is_said_of_it() {
        let price = Money::from_minor(1, Currency::parse("USD").unwrap());
        let new =
            NewProduct::draft("Café-Tisch, Eiche", price, Slug::parse("garden-tables").unwrap()).unwrap();
        let new = new.described("Ein Tisch für draußen").unwrap();
        let id = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        let entry = Entry::of_new(id, &new);
        assert_eq!((entry.words.as_str(), entry.length), ("cafe tisch eiche", 3));
        let more: Vec<_> = entry.more.iter().map(String::as_str).collect();
        assert_eq!(
            more,
            ["draussen", "ein", "fur", "garden", "tables"],
            "what the name says is not said again"
        );
        assert_eq!(entry.vocabulary().collect::<Vec<_>>(), ["cafe", "eiche", "tisch"]);
    }

    #[test]
    fn facts_are_found_by_their_values() {
        let facts =
            JsonText::stored(r#"{"colour":"blue","sizes":["S",42],"deep":{"x":"y"},"new":true}"#.into());
        assert_eq!(facts_of(&facts), ["blue", "S", "42"]);
    }
}
