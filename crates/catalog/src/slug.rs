//! Slugs: the names of categories in addresses.

use std::fmt;

use serde::Serialize;
use stoa_kernel::{Flaw, Id};
use stoa_platform::database::Value;

/// The longest slug.
pub(crate) const LONGEST_SLUG: usize = 100;

/// One to a hundred of `a-z`, `0-9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// Reads a slug.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if text.is_empty() {
            Err(Flaw::new("TOO_SHORT", "This is too short."))
        } else if text.len() > LONGEST_SLUG {
            Err(Flaw::new("TOO_LONG", "A slug has at most 100 characters."))
        } else if text.bytes().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Flaw::new("NOT_A_SLUG", "A slug is made of a-z, 0-9 and hyphens."))
        }
    }

    /// The slug of a name, e.g. `garden-tools` of "Garden & Tools"; `None` when the name holds nothing a slug can.
    pub fn of_name(name: &str) -> Option<Self> {
        let mut slug = String::with_capacity(name.len().min(LONGEST_SLUG));
        for character in name.chars().flat_map(char::to_lowercase) {
            if slug.len() == LONGEST_SLUG {
                break;
            }
            match character {
                'a'..='z' | '0'..='9' => slug.push(character),
                _ if slug.ends_with('-') || slug.is_empty() => {}
                _ => slug.push('-'),
            }
        }
        let slug = slug.trim_end_matches('-');
        (!slug.is_empty()).then(|| Self(slug.to_owned()))
    }

    /// A slug as it was stored.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an address could take it for an id.
    pub(crate) fn looks_like_an_id(&self) -> bool {
        self.0.parse::<Id<()>>().is_ok()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> From<&'a Slug> for Value<'a> {
    fn from(slug: &'a Slug) -> Self {
        slug.as_str().into()
    }
}

impl utoipa::PartialSchema for Slug {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z0-9-]{1,100}$")).into()
    }
}

impl utoipa::ToSchema for Slug {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_short_and_plain() {
        assert_eq!(Slug::parse("garden-tools-2").unwrap().as_str(), "garden-tools-2");
        assert!(Slug::parse(&"a".repeat(100)).is_ok());
        for (text, code) in [
            (String::new(), "TOO_SHORT"),
            ("a".repeat(101), "TOO_LONG"),
            ("Garden".into(), "NOT_A_SLUG"),
            ("a b".into(), "NOT_A_SLUG"),
            ("ä".into(), "NOT_A_SLUG"),
            ("a/b".into(), "NOT_A_SLUG"),
        ] {
            assert_eq!(Slug::parse(&text).unwrap_err().code, code, "{text:?}");
        }
    }

    #[test]
    fn a_name_makes_a_slug_when_it_holds_letters() {
        assert_eq!(Slug::of_name("  Garden & Tools! ").unwrap().as_str(), "garden-tools");
        assert_eq!(Slug::of_name("Café 24").unwrap().as_str(), "caf-24");
        assert_eq!(Slug::of_name("日本"), None);
        let long = Slug::of_name(&"ab ".repeat(200)).unwrap();
        assert!(Slug::parse(long.as_str()).is_ok());
    }

    #[test]
    fn ids_are_told_from_slugs() {
        assert!(Slug::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap().looks_like_an_id());
        assert!(!Slug::parse("lamps").unwrap().looks_like_an_id());
    }
}
