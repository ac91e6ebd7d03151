//! What is asked for, and the tiers in which it is answered.

use stoa_kernel::words::{Term, terms};
use stoa_platform::database::Engine;

use super::entry::joined;
use crate::{
    product::{ProductStatus, folded},
    slug::Slug,
};

/// The most words that are looked for one by one.
const MOST_TERMS: usize = 16;
/// The longest SKU that is looked for.
const LONGEST_SKU: usize = 64;
/// The most words of the phrase that names are compared with.
const LONGEST_PHRASE: usize = 100;

/// Words that are looked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Asked {
    /// One by one.
    pub(crate) terms: Vec<Term>,
    /// As a whole, as names are compared.
    pub(crate) phrase: String,
    /// As the SKU of a variant, if it can be one.
    pub(crate) sku: Option<String>,
}

impl Asked {
    pub(crate) fn of(text: &str) -> Self {
        let mut terms = terms(text, LONGEST_PHRASE);
        let phrase = joined(&terms);
        terms.truncate(MOST_TERMS);
        let sku = text.trim();
        let can_be_one = !sku.contains(char::is_whitespace) && sku.chars().count() <= LONGEST_SKU;
        Self { terms, phrase, sku: can_be_one.then(|| folded(sku)) }
    }

    /// Whether there is nothing in it that could be found.
    pub(crate) const fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The first text that no name with this beginning comes after.
    pub(crate) fn beyond(&self) -> String {
        format!("{}\u{10FFFF}", self.phrase)
    }

    /// Patterns (for LIKE, of the name with a space before it) that a name with all these words has.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = String> {
        // Terms hold letters and digits only, so nothing in them is a sign of a pattern.
        self.terms.iter().map(|term| match term {
            Term::Word(word) => format!("% {word}%"),
            Term::Run(run) => format!("%{run}%"),
        })
    }

    /// What a text index is asked for names with words that begin so, and other names' marks.
    pub(crate) fn in_names(&self, engine: Engine, marks: &Marks<'_>) -> String {
        Dialect(engine).marked(self.held(Dialect(engine), Hold::Begun), marks)
    }

    fn held(&self, dialect: Dialect, hold: Hold) -> String {
        let parts = self.terms.iter().map(|term| dialect.term(term, hold));
        dialect.all(parts)
    }
}

/// How a term must be held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hold {
    /// As a word of the name.
    Whole,
    /// As the beginning of a word of the name.
    Begun,
    /// As the beginning of a word of the name, or of the name or SKU of a variant.
    Variant,
    /// As the beginning of any word.
    Anywhere,
}

/// The marks that what is found must bear.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'m> {
    pub(crate) statuses: &'m [ProductStatus],
    pub(crate) category: Option<&'m Slug>,
}

/// The mark of a status in the text index. No word begins with a line, so nobody can ask for a mark.
pub(crate) fn status_mark(status: ProductStatus) -> String {
    format!("_s_{}", status.name().to_ascii_lowercase())
}

/// The mark of a word of a variant.
pub(crate) fn variant_mark(word: &str) -> String {
    format!("_v_{word}")
}

/// The mark of a category.
pub(crate) fn category_mark(category: &Slug) -> String {
    format!("_c_{}", category.as_str().replace('-', "_"))
}

/// The tiers after the one of names that begin with the phrase; each leaves out what the one before it has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Tier {
    /// All words in the name.
    Whole,
    /// All words in the name, or words that begin so.
    Begun,
    /// The same with the words of variants.
    Variants,
    /// The same anywhere in the product.
    Anywhere,
    /// Words that look alike, anywhere.
    LookAlike,
}

impl Tier {
    pub(crate) const ALL: [Self; 5] =
        [Self::Whole, Self::Begun, Self::Variants, Self::Anywhere, Self::LookAlike];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Begun => "begun",
            Self::Variants => "variants",
            Self::Anywhere => "anywhere",
            Self::LookAlike => "alike",
        }
    }
}

/// A search, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Search {
    pub(crate) asked: Asked,
    /// None when the caller may see none of what was asked for.
    pub(crate) statuses: Vec<ProductStatus>,
    pub(crate) category: Option<Slug>,
    pub(crate) min_price: Option<i64>,
    pub(crate) max_price: Option<i64>,
}

impl Search {
    pub(crate) const fn has_prices(&self) -> bool {
        self.min_price.is_some() || self.max_price.is_some()
    }

    fn marks(&self) -> Marks<'_> {
        Marks { statuses: &self.statuses, category: self.category.as_ref() }
    }

    /// What the text index is asked for a tier. `meant` are the words that each term may have meant.
    pub(crate) fn expression(&self, engine: Engine, tier: Tier, meant: &[Vec<String>]) -> String {
        let dialect = Dialect(engine);
        let held = |hold| self.asked.held(dialect, hold);
        let expression = match tier {
            Tier::Whole => held(Hold::Whole),
            Tier::Begun => dialect.without(&held(Hold::Begun), &held(Hold::Whole)),
            Tier::Variants => dialect.without(&held(Hold::Variant), &held(Hold::Begun)),
            Tier::Anywhere => dialect.without(&held(Hold::Anywhere), &held(Hold::Variant)),
            Tier::LookAlike => {
                let terms = self.asked.terms.iter().zip(meant);
                let parts = terms.map(|(term, meant)| {
                    let itself = dialect.term(term, Hold::Anywhere);
                    let alike = meant.iter().map(|word| dialect.token(word, Hold::Anywhere, false));
                    dialect.any([itself].into_iter().chain(alike))
                });
                dialect.without(&dialect.all(parts), &held(Hold::Anywhere))
            }
        };
        dialect.marked(expression, &self.marks())
    }
}

/// How an engine's text index is asked. Every word goes in quotes, and holds none.
#[derive(Clone, Copy)]
struct Dialect(Engine);

impl Dialect {
    fn term(self, term: &Term, hold: Hold) -> String {
        if hold != Hold::Whole && term.is_open() {
            return self.token(term.text(), hold, true);
        }
        self.all(term.needed().iter().map(|token| self.token(token, hold, false)))
    }

    fn token(self, token: &str, hold: Hold, open: bool) -> String {
        match (self.0, hold) {
            (engine, Hold::Variant) => {
                let mark = match engine {
                    Engine::Sqlite => {
                        format!("marks : \"{}\"{}", variant_mark(token), if open { " *" } else { "" })
                    }
                    Engine::Postgres => format!("'{}'{}", variant_mark(token), if open { ":*" } else { "" }),
                };
                self.any([self.token(token, Hold::Begun, open), mark].into_iter())
            }
            (Engine::Sqlite, Hold::Anywhere) => {
                format!("{{name more}} : \"{token}\"{}", if open { " *" } else { "" })
            }
            (Engine::Sqlite, _) => format!("name : \"{token}\"{}", if open { " *" } else { "" }),
            (Engine::Postgres, Hold::Anywhere) => format!("'{token}'{}", if open { ":*" } else { "" }),
            (Engine::Postgres, _) => format!("'{token}':{}A", if open { "*" } else { "" }),
        }
    }

    fn all(self, parts: impl Iterator<Item = String>) -> String {
        joined_by(if self.0 == Engine::Sqlite { " AND " } else { " & " }, parts)
    }

    fn any(self, parts: impl Iterator<Item = String>) -> String {
        joined_by(if self.0 == Engine::Sqlite { " OR " } else { " | " }, parts)
    }

    fn without(self, wanted: &str, shown: &str) -> String {
        match self.0 {
            Engine::Sqlite => format!("({wanted} NOT {shown})"),
            Engine::Postgres => format!("({wanted} & !{shown})"),
        }
    }

    fn marked(self, expression: String, marks: &Marks<'_>) -> String {
        let mark = |mark: String| match self.0 {
            Engine::Sqlite => format!("marks : \"{mark}\""),
            Engine::Postgres => format!("'{mark}'"),
        };
        let mut parts = vec![expression];
        // A category says more than a status, so it comes first.
        parts.extend(marks.category.map(|category| mark(category_mark(category))));
        if marks.statuses.len() < ProductStatus::ALL.len() {
            parts.push(self.any(marks.statuses.iter().map(|status| mark(status_mark(*status)))));
        }
        self.all(parts.into_iter())
    }
}

fn joined_by(sign: &str, parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    match parts.as_slice() {
        [one] => one.clone(),
        parts => format!("({})", parts.join(sign)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(text: &str) -> Search {
        Search {
            asked: Asked::of(text),
            statuses: vec![ProductStatus::Active],
            category: Some(Slug::parse("garden-tables").unwrap()),
            min_price: None,
            max_price: None,
        }
    }

    #[test]
    fn each_engine_is_asked_in_its_own_words() {
        let search = asking("Oak ta");
        assert_eq!(
            search.expression(Engine::Sqlite, Tier::Begun, &[]),
            r#"(((name : "oak" * AND name : "ta" *) NOT (name : "oak" AND name : "ta")) AND marks : "_c_garden_tables" AND marks : "_s_active")"#
        );
        assert_eq!(
            search.expression(Engine::Postgres, Tier::Begun, &[]),
            "((('oak':*A & 'ta':*A) & !('oak':A & 'ta':A)) & '_c_garden_tables' & '_s_active')"
        );
    }

    #[test]
    fn words_that_were_meant_stand_beside_those_that_were_typed() {
        let mut search = asking("lmap 東京");
        search.category = None;
        search.statuses = ProductStatus::ALL.to_vec();
        assert_eq!(
            search.expression(Engine::Postgres, Tier::LookAlike, &[vec!["lamp".into()], vec![]]),
            "((('lmap':* | 'lamp') & '東京') & !('lmap':* & '東京'))"
        );
    }

    #[test]
    fn nothing_of_what_is_typed_gets_past_its_quotes() {
        for text in [r#"a" OR name : "b"#, "a' | 'b", "a:* & !b", "NEAR(a b, 2)", "{name} : a", "\\'); --"] {
            for engine in [Engine::Sqlite, Engine::Postgres] {
                let expression = asking(text).expression(engine, Tier::Whole, &[]);
                let words = expression.split(['"', '\'']).skip(1).step_by(2);
                for word in words {
                    assert!(word.chars().all(|c| c.is_alphanumeric() || c == '_'), "{expression}");
                }
            }
        }
    }

    #[test]
    fn a_phrase_is_compared_as_names_are() {
        assert_eq!(Asked::of("  Café-TISCH ").phrase, "cafe tisch");
        assert!(Asked::of("+-*/").is_empty());
        assert_eq!(Asked::of(&"word ".repeat(60)).terms.len(), MOST_TERMS);
    }
}
