//! Finding what was said, by words.
//!
//! A message is found by all the words that are asked for, whole, in whatever case and accents; the newest come first. In
//! a conversation beginnings of words would find most of it, and both engines would have to look at all of that to sort
//! it; a whole word leads to its messages in their order, however many there are.

use std::collections::BTreeSet;

use serde::Deserialize;
use stoa_contracts::chat::MessageView;
use stoa_kernel::{
    Cursor, CursorValue, Page, PageRequest,
    words::{Term, terms},
};
use stoa_platform::database::Connection;
use uuid::Uuid;

use crate::{
    Chat,
    error::ChatError,
    find_room::standing,
    room::RoomKey,
    standing::Visitor,
    store::{
        rooms,
        texts::{self, Scope},
    },
};

const ORDER: &str = "found:desc";
const LONGEST_QUESTION: usize = 200;
const MOST_WORDS_ASKED: usize = 16;

/// What is looked for: one word or more.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Question(Vec<String>);

impl TryFrom<String> for Question {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > LONGEST_QUESTION {
            return Err("it must have at most 200 characters");
        }
        let terms = terms(&text, MOST_WORDS_ASKED);
        let words: BTreeSet<String> = terms.iter().flat_map(Term::needed).collect();
        if words.is_empty() {
            Err("it must hold a letter or a digit")
        } else {
            Ok(Self(words.into_iter().collect()))
        }
    }
}

impl Chat {
    /// A page of the messages that hold all the words of a question, the newest first: in one room, or in all public rooms
    /// and those somebody is in. `None` when the cursor is of another list.
    pub async fn search(
        &self,
        visitor: Visitor,
        question: Question,
        room: Option<RoomKey>,
        page: PageRequest,
    ) -> Result<Option<Page<MessageView>>, ChatError> {
        let chat = self.clone();
        let read = move |c: &mut Connection<'_>| {
            let scope = match &room {
                Some(key) => Scope::Room(standing(c, visitor, key)?.room.id),
                None => Scope::Rooms(rooms::closed_circles_of(c, visitor.user)?),
            };
            let before = match page.after() {
                None => i64::MAX,
                Some(cursor) => match cursor.number_in(ORDER) {
                    Some(doc) => doc,
                    None => return Ok(None),
                },
            };
            let found = texts::search(c, &question.0, &scope, before, (page.limit + 1, page.offset()))?;
            let found = Page::from_rows(found, page.limit, None, |message| Cursor {
                order: ORDER.into(),
                value: CursorValue::Number(message.doc),
                id: Uuid::nil(),
            });
            let entries = chat.message_views(c, found.entries)?;
            Ok(Some(Page { entries, next: found.next, total: None }))
        };
        self.database().read(read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_hold_words() {
        let asked = |text: &str| Question::try_from(text.to_owned());
        assert_eq!(asked(" Green TEA, tea! ").unwrap().0, ["green", "tea"]);
        for odd in ["", " ", "?!", &"a".repeat(201)] {
            assert!(asked(odd).is_err(), "{odd:?}");
        }
    }
}
