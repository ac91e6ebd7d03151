//! What is asked for, and the tiers in which it is answered.

use std::collections::HashMap;

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
    pub(crate) fn in_names(&self, engine: Engine, begun: &Beginnings, marks: &Marks<'_>) -> String {
        let dialect = Dialect { engine, begun, index: Index::Texts, is_first: true };
        dialect.marked(self.held(dialect, Hold::Begun), marks)
    }

    /// What the index of names by price is asked for the same.
    pub(crate) fn in_priced_names(&self, begun: &Beginnings, marks: &Marks<'_>) -> String {
        let dialect = Dialect { engine: Engine::Sqlite, begun, index: Index::Prices, is_first: true };
        dialect.marked(self.held(dialect, Hold::Begun), marks)
    }

    /// The words that can stand for longer ones.
    pub(crate) fn open_words(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter(|term| term.is_open()).map(Term::text)
    }

    fn held(&self, dialect: Dialect<'_>, hold: Hold) -> String {
        let (common, rare): (Vec<&Term>, Vec<&Term>) = self.terms.iter().partition(|term| is_common(term));
        let [common, rare] =
            [common, rare].map(|terms| terms.into_iter().map(|term| dialect.term(term, hold)));
        dialect.all_of_few(rare, common)
    }
}

/// Whether it is one of the short words that hold a language together, which are in very many texts.
fn is_common(term: &Term) -> bool {
    matches!(term, Term::Word(word) if word.len() <= 3 && word.chars().all(|c| c.is_ascii_alphabetic()))
}

/// The words of the text index that begin like those that are asked for. An index that is asked for a beginning writes
/// out all products of all words that begin so before it looks at any; asked for the words it leaps from one product that
/// has them all to the next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Beginnings(HashMap<String, Vec<String>>);

impl Beginnings {
    /// The most words that stand for a beginning; one of more is left to the index.
    pub(crate) const MOST: usize = 12;

    /// Notes the words that begin with `beginning`: all there are.
    pub(crate) fn note(&mut self, beginning: &str, words: Vec<String>) {
        self.0.insert(beginning.to_owned(), words);
    }

    /// Whether it is known which words begin with each of these.
    pub(crate) fn know<'w>(&self, mut beginnings: impl Iterator<Item = &'w str>) -> bool {
        beginnings.all(|beginning| self.0.contains_key(beginning))
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

    /// What the text index is asked for a tier.
    pub(crate) fn expression(&self, engine: Engine, tier: Tier, hints: &Hints<'_>) -> String {
        let Hints { begun, meant, is_first } = *hints;
        let dialect = Dialect { engine, begun, index: Index::Texts, is_first };
        let held = |hold| self.asked.held(dialect, hold);
        let expression = match tier {
            Tier::Whole => held(Hold::Whole),
            Tier::Begun => dialect.without(&held(Hold::Begun), &held(Hold::Whole)),
            Tier::Variants => dialect.without(&held(Hold::Variant), &held(Hold::Begun)),
            Tier::Anywhere => dialect.without(&held(Hold::Anywhere), &held(Hold::Variant)),
            Tier::LookAlike => {
                let alike = |(term, meant): (&Term, &Vec<String>)| {
                    let itself = dialect.term(term, Hold::Anywhere);
                    let alike = meant.iter().map(|word| dialect.token(word, Hold::Anywhere, false));
                    dialect.any([itself].into_iter().chain(alike))
                };
                let terms = self.asked.terms.iter().zip(meant);
                let (common, rare): (Vec<_>, Vec<_>) = terms.partition(|(term, _)| is_common(term));
                let parts = dialect.all_of_few(rare.into_iter().map(alike), common.into_iter().map(alike));
                dialect.without(&parts, &held(Hold::Anywhere))
            }
        };
        dialect.marked(expression, &self.marks())
    }
}

/// What is known before a tier is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hints<'h> {
    pub(crate) begun: &'h Beginnings,
    /// The words that each term may have meant.
    pub(crate) meant: &'h [Vec<String>],
    /// Whether no tier before it has anything, so that nothing has to be left out.
    pub(crate) is_first: bool,
}

/// Which of the text indexes is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Index {
    Texts,
    /// Only words of names, which lie with the marks in one column.
    Prices,
}

/// How an engine's text index is asked. Every word goes in quotes, and holds none.
#[derive(Clone, Copy)]
struct Dialect<'d> {
    engine: Engine,
    begun: &'d Beginnings,
    index: Index,
    is_first: bool,
}

/// A mark that no product bears.
const NO_MARK: &str = "_none";

impl Dialect<'_> {
    fn term(self, term: &Term, hold: Hold) -> String {
        if hold != Hold::Whole && term.is_open() {
            return match self.begun.0.get(term.text()) {
                Some(words) if words.is_empty() => self.token(term.text(), hold, false),
                Some(words) => self.any(words.iter().map(|word| self.token(word, hold, false))),
                None => self.token(term.text(), hold, true),
            };
        }
        self.all(term.needed().iter().map(|token| self.token(token, hold, false)))
    }

    fn token(self, token: &str, hold: Hold, open: bool) -> String {
        match (self.engine, hold) {
            (engine, Hold::Variant) => {
                let beginning = match engine {
                    _ if !open => "",
                    Engine::Sqlite => " *",
                    Engine::Postgres => ":*",
                };
                let mark = format!("{}{beginning}", self.mark(&variant_mark(token)));
                self.any([self.token(token, Hold::Begun, open), mark].into_iter())
            }
            (Engine::Sqlite, _) => {
                let columns = match (self.index, hold) {
                    (Index::Prices, _) => "",
                    (Index::Texts, Hold::Anywhere) => "{name more} : ",
                    (Index::Texts, _) => "name : ",
                };
                format!("{columns}\"{token}\"{}", if open { " *" } else { "" })
            }
            (Engine::Postgres, Hold::Anywhere) => format!("'{token}'{}", if open { ":*" } else { "" }),
            (Engine::Postgres, _) => format!("'{token}':{}A", if open { "*" } else { "" }),
        }
    }

    fn all(self, parts: impl Iterator<Item = String>) -> String {
        joined_by(if self.engine == Engine::Sqlite { " AND " } else { " & " }, parts)
    }

    fn any(self, parts: impl Iterator<Item = String>) -> String {
        joined_by(if self.engine == Engine::Sqlite { " OR " } else { " | " }, parts)
    }

    /// All of these, where few have all of the `rare` ones. SQLite's index moves on in the list of each word for every
    /// candidate that any of them has; a subtraction of nothing makes it look for the rare words together first.
    fn all_of_few(
        self,
        rare: impl ExactSizeIterator<Item = String>,
        common: impl ExactSizeIterator<Item = String>,
    ) -> String {
        if self.engine == Engine::Postgres || rare.len() < 2 || common.len() == 0 {
            return self.all(rare.chain(common));
        }
        let rare = format!("({} NOT {})", self.all(rare), self.mark(NO_MARK));
        self.all([rare].into_iter().chain(common))
    }

    fn without(self, wanted: &str, shown: &str) -> String {
        match self.engine {
            _ if self.is_first => wanted.to_owned(),
            Engine::Sqlite => format!("({wanted} NOT {shown})"),
            Engine::Postgres => format!("({wanted} & !{shown})"),
        }
    }

    fn mark(self, mark: &str) -> String {
        match (self.engine, self.index) {
            (Engine::Sqlite, Index::Texts) => format!("marks : \"{mark}\""),
            (Engine::Sqlite, Index::Prices) => format!("\"{mark}\""),
            (Engine::Postgres, _) => format!("'{mark}'"),
        }
    }

    fn marked(self, expression: String, marks: &Marks<'_>) -> String {
        let mut parts = vec![expression];
        parts.extend(marks.category.map(|category| self.mark(&category_mark(category))));
        let statuses = |wanted: bool| {
            let some = ProductStatus::ALL.into_iter().filter(move |it| marks.statuses.contains(it) == wanted);
            self.any(some.map(|status| self.mark(&status_mark(status))))
        };
        if marks.statuses.len() == ProductStatus::ALL.len() {
            return self.all(parts.into_iter());
        }
        // Nearly everything is ACTIVE, and to move on in so long a list for every candidate is most of the work.
        if self.engine == Engine::Sqlite && marks.statuses.contains(&ProductStatus::Active) {
            return format!("({} NOT {})", self.all(parts.into_iter()), statuses(false));
        }
        parts.push(statuses(true));
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

    fn hints<'h>(begun: &'h Beginnings, meant: &'h [Vec<String>]) -> Hints<'h> {
        Hints { begun, meant, is_first: false }
    }

    const HIDDEN: &str = r#"(marks : "_s_draft" OR marks : "_s_inactive" OR marks : "_s_archived")"#;

    #[test]
    fn each_engine_is_asked_in_its_own_words() {
        let (search, begun) = (asking("Oak ta"), Beginnings::default());
        assert_eq!(
            search.expression(Engine::Sqlite, Tier::Begun, &hints(&begun, &[])),
            format!(
                r#"((((name : "oak" * AND name : "ta" *) NOT (name : "oak" AND name : "ta")) AND marks : "_c_garden_tables") NOT {HIDDEN})"#
            )
        );
        assert_eq!(
            search.expression(Engine::Postgres, Tier::Begun, &hints(&begun, &[])),
            "((('oak':*A & 'ta':*A) & !('oak':A & 'ta':A)) & '_c_garden_tables' & '_s_active')"
        );
        let first = Hints { begun: &begun, meant: &[], is_first: true };
        assert_eq!(
            search.expression(Engine::Postgres, Tier::Begun, &first),
            "(('oak':*A & 'ta':*A) & '_c_garden_tables' & '_s_active')",
            "where nothing was shown before, nothing is left out"
        );
    }

    #[test]
    fn beginnings_become_the_words_that_begin_so() {
        let (mut search, mut begun) = (asking("table no tab"), Beginnings::default());
        search.category = None;
        begun.note("table", vec!["table".into(), "tables".into()]);
        begun.note("tab", Vec::new());
        assert!(begun.know(["table", "tab"].into_iter()) && !begun.know(search.asked.open_words()));
        assert_eq!(
            search.asked.in_names(Engine::Sqlite, &begun, &search.marks()),
            format!(
                r#"(((name : "table" OR name : "tables") AND name : "no" * AND name : "tab") NOT {HIDDEN})"#
            )
        );
        let few = asking("table lamp no").asked;
        assert_eq!(
            few.in_priced_names(&begun, &Marks { statuses: &[ProductStatus::Draft], category: None }),
            r#"((((("table" OR "tables") AND "lamp" *) NOT "_none") AND "no" *) AND "_s_draft")"#
        );
    }

    #[test]
    fn words_of_variants_are_asked_for_as_marks() {
        let (search, mut begun) = (asking("table"), Beginnings::default());
        let asked = |engine, begun: &Beginnings| {
            search.expression(engine, Tier::Variants, &Hints { begun, meant: &[], is_first: true })
        };
        assert_eq!(
            asked(Engine::Postgres, &begun),
            "(('table':*A | '_v_table':*) & '_c_garden_tables' & '_s_active')"
        );
        begun.note("table", vec!["table".into(), "tables".into()]);
        let words = r#"((name : "table" OR marks : "_v_table") OR (name : "tables" OR marks : "_v_tables"))"#;
        assert_eq!(
            asked(Engine::Sqlite, &begun),
            format!(r#"(({words} AND marks : "_c_garden_tables") NOT {HIDDEN})"#)
        );
    }

    #[test]
    fn words_that_were_meant_stand_beside_those_that_were_typed() {
        let mut search = asking("lmap 東京");
        search.category = None;
        search.statuses = ProductStatus::ALL.to_vec();
        let begun = Beginnings::default();
        assert_eq!(
            search.expression(
                Engine::Postgres,
                Tier::LookAlike,
                &hints(&begun, &[vec!["lamp".into()], vec![]])
            ),
            "((('lmap':* | 'lamp') & '東京') & !('lmap':* & '東京'))"
        );
    }

    #[test]
    fn nothing_of_what_is_typed_gets_past_its_quotes() {
        for text in [r#"a" OR name : "b"#, "a' | 'b", "a:* & !b", "NEAR(a b, 2)", "{name} : a", "\\'); --"] {
            for engine in [Engine::Sqlite, Engine::Postgres] {
                let begun = Beginnings::default();
                let expression = asking(text).expression(engine, Tier::Whole, &hints(&begun, &[]));
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
