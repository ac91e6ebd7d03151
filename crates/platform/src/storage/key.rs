//! What an object is called.

use std::fmt;

use super::StorageError;

/// The longest key, and the longest part of one: what file systems and stores have room for.
const LONGEST: usize = 512;
const LONGEST_PART: usize = 200;

/// The name of an object, such as `2026/01/31/0198c2d1.webp`: parts of ASCII letters, digits and `-_.`, none beginning
/// with a dot, so a key leads nowhere but into its store.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Reads a key.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        if text.len() <= LONGEST && text.split('/').all(is_part) {
            return Ok(Self(text.to_owned()));
        }
        Err(StorageError::Key(text.chars().take(LONGEST).collect()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text can be a part of a key, the name of a file or folder.
pub(super) fn is_part(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=LONGEST_PART).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(plain)
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_plain_and_lead_nowhere_else() {
        for good in ["a", "2026/01/31/0198_thumb.webp", "renditions/x-1/A.b.c"] {
            assert_eq!(ObjectKey::parse(good).unwrap().as_str(), good);
        }
        let (long, long_part) = (["a"; 300].join("/"), "a".repeat(201));
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            ".drafts/x",
            "a b",
            "a\\b",
            "a\0b",
            "ä",
            "a%2e",
            "a:b",
        ]
        .into_iter()
        .chain([long.as_str(), long_part.as_str()])
        {
            assert!(matches!(ObjectKey::parse(bad), Err(StorageError::Key(_))), "{bad:?}");
        }
    }
}
