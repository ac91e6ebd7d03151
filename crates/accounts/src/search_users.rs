//! Finding people by the beginnings of the words of their names.
//!
//! Each word of a username and of a name is kept in its folded form with an index, so a search walks as many entries as it
//! shows, on both engines. Addresses are never searched and never shown.

use std::collections::BTreeSet;

use serde::Deserialize;
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, page::DEEPEST_ENTRY};

use crate::{
    Accounts,
    account::User,
    error::AccountError,
    store::words::{self, After},
};

/// The ordering that cursors of a search belong to.
pub(crate) const ORDER: &str = "match:asc";

const LONGEST_QUESTION: usize = 100;
const MOST_WORDS_ASKED: usize = 5;
/// A name has 100 characters, so hardly more words that mean anything.
const MOST_WORDS_KEPT: usize = 20;

/// What somebody is looked for by: one to five words.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SearchText(Vec<String>);

impl TryFrom<String> for SearchText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > LONGEST_QUESTION {
            return Err("it must have at most 100 characters");
        }
        let folded = text.to_lowercase();
        let words: BTreeSet<&str> = plain_words(&folded).collect();
        match words.len() {
            0 => Err("it must hold a letter or a digit"),
            1..=MOST_WORDS_ASKED => Ok(Self(words.into_iter().map(str::to_owned).collect())),
            _ => Err("it must have at most 5 words"),
        }
    }
}

impl SearchText {
    /// The word that fewest people will have, which is the longest, and the others.
    pub(crate) fn rarest_first(&self) -> (&str, Vec<&str>) {
        let mut words: Vec<&str> = self.0.iter().map(String::as_str).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        let others = words.split_off(words.len().min(1));
        (words.first().copied().unwrap_or_default(), others)
    }
}

/// The words somebody is found by: those of the name and the username, and the username as a whole.
pub(crate) fn words_of(username: &str, name: &str) -> BTreeSet<String> {
    let (username, name) = (username.to_lowercase(), name.to_lowercase());
    let words = plain_words(&username).chain(plain_words(&name)).take(MOST_WORDS_KEPT);
    words.chain([username.as_str()]).map(str::to_owned).collect()
}

fn plain_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

impl Accounts {
    /// A page of those who are found, by the word that was met, each with whether they are here.
    pub(crate) async fn search_users(
        &self,
        asked: SearchText,
        after: After,
        page: PageRequest,
    ) -> Result<Page<User>, AccountError> {
        let (accounts, limit) = (self.clone(), page.limit);
        let (found, total) = self
            .database()
            .read(move |c| {
                let window = (page.limit + 1, page.offset());
                let mut found = words::search(c, &asked, &after, window, DEEPEST_ENTRY)?;
                accounts.show_presence(c, found.iter_mut().map(|found| &mut found.user))?;
                let total =
                    if page.wants_total() { Some(words::count(c, &asked, DEEPEST_ENTRY)?) } else { None };
                Ok::<_, AccountError>((found, total))
            })
            .await?;
        let found = Page::from_rows(found, limit, total, |found| Cursor {
            order: ORDER.into(),
            value: CursorValue::Text(found.word.clone()),
            id: found.user.id.uuid(),
        });
        Ok(found.map(|found| found.user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<SearchText, &'static str> {
        SearchText::try_from(text.to_owned())
    }

    #[test]
    fn people_are_found_by_every_word_of_their_names() {
        let words = words_of("Ada_L", "Ada Lovelace-Byron, Ärztin");
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        assert_eq!(words, ["ada", "ada_l", "byron", "l", "lovelace", "ärztin"]);
        assert!(words_of("user", &"a b ".repeat(25)).len() <= MOST_WORDS_KEPT + 1);
        assert_eq!(words_of("user", "—").into_iter().collect::<Vec<_>>(), ["user"]);
    }

    #[test]
    fn a_question_has_one_to_five_words() {
        assert_eq!(asked(" Ada  LOVE ").unwrap().rarest_first(), ("love", vec!["ada"]));
        assert_eq!(asked("ada ada").unwrap().rarest_first(), ("ada", vec![]));
        assert_eq!(asked("ada_l").unwrap().rarest_first(), ("ada", vec!["l"]));
        for odd in ["", "  ", "%_*", "a b c d e f", &"a".repeat(101)] {
            assert!(asked(odd).is_err(), "{odd:?}");
        }
    }
}
