//! Searching products: by words, by beginnings of words, and by words that somebody meant to type.
//!
//! Text is folded and taken apart here, for both engines alike, so an engine never parses what people write: it gets
//! words of letters and digits, each in quotes. What is found is shown in tiers that do not depend on the engine either:
//! the product that has a variant of this very SKU, names that begin with what was asked for (the exact one first), names with all of its words, names with words that
//! begin so, the same with the names and SKUs of variants, products that hold them anywhere, and at last those that hold words that look alike. Within a tier shorter
//! names come first, then what was entered first. Nothing of this order depends on other products, so a cursor holds
//! while products come and go; an engine's own score would move with every one of them.

mod asked;
mod entry;
mod look_alike;

pub(crate) use asked::{
    Asked, Beginnings, Hints, Marks, Search, Tier, category_mark, status_mark, variant_mark,
};
pub(crate) use entry::Entry;
pub(crate) use look_alike::{grams, likeness, sorted_letters, tolerance};
