//! What is wrong with a configuration: every fault at once, each with its setting and its cure.

use std::fmt;

/// One fault: what it is about, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem(String);

impl Problem {
    /// `called` is what the user wrote; `flaw` follows it: "is …; give …".
    pub(super) fn of(called: &str, flaw: impl AsRef<str>) -> Self {
        Self(format!("{called} {}", flaw.as_ref()))
    }
}

/// The configuration cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationError(pub(super) Vec<Problem>);

impl ConfigurationError {
    /// Every fault in a sentence of its own.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|problem| problem.0.as_str())
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.faults().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for ConfigurationError {}

/// The known word that was most likely meant, if one is near enough to be worth telling.
pub(super) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let distance = |other: &str| strsim::damerau_levenshtein(word, other);
    let near = known.map(|other| (distance(other), other)).min()?;
    // The prefix that all names share says nothing about what was meant.
    let length = word.trim_start_matches("STOA_").len();
    (near.0 <= (length / 3).max(1)).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_told_only_when_it_is_near() {
        let known = ["STOA_PORT", "STOA_HOST", "STOA_LOG"];
        assert_eq!(nearest("STOA_PROT", known.into_iter()), Some("STOA_PORT"));
        assert_eq!(nearest("STOA_SOMETHING_ELSE", known.into_iter()), None);
        assert_eq!(nearest("STOA_FOO", known.into_iter()), None);
    }
}
