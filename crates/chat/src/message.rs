//! What a message is, and the rules of what can be said.

use std::collections::BTreeSet;

use stoa_contracts::{
    chat::{MessageId, MessageKind, RoomId},
    files::FileId,
};
use stoa_kernel::{Fields, Flaw, Refusal, Timestamp, UserId, words::terms};

/// The longest message, in characters.
pub const LONGEST_CONTENT: usize = 4_000;
/// The longest name a client may give its message.
const LONGEST_CLIENT_ID: usize = 64;
/// The longest reaction, in characters: some pictures are made of many.
const LONGEST_EMOJI: usize = 32;
/// How many people a message mentions at most; whoever else is named hears nothing.
pub(crate) const MOST_MENTIONS: usize = 50;
/// How many different reactions a message has at most.
pub const MOST_EMOJIS: u32 = 20;
/// How many reactions a message has at most in all.
pub const MOST_REACTIONS: u32 = 1_000;
/// How many files a message carries at most.
pub const MOST_FILES: usize = 10;
/// The most words of a message that it is found by.
const MOST_WORDS: usize = 1_000;

/// What is said: 1 to 4,000 characters that are not all white space, kept as they were written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content(String);

impl Content {
    /// Reads what somebody wants to say.
    pub fn parse(text: String) -> Result<Self, Flaw> {
        // Most messages are short, and bytes are counted at once.
        if text.len() > LONGEST_CONTENT && text.chars().count() > LONGEST_CONTENT {
            Err(Flaw::new("TOO_LONG", "A message has at most 4,000 characters."))
        } else if text.trim().is_empty() {
            Err(Flaw::new("TOO_SHORT", "There is nothing in it."))
        } else {
            Ok(Self(text))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The usernames that stand behind an `@`, in lower case, each once, the first ones.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (at, _) in self.0.match_indices('@') {
            let (before, after) = self.0.split_at(at);
            // Not within a word, as in an address.
            if before.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '.' | '_' | '-' | '@'))
            {
                continue;
            }
            let Some(after) = after.strip_prefix('@') else { continue };
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            let end = after.find(|c| !known(c)).unwrap_or(after.len());
            let (name, _) = after.split_at(end);
            for name in [name, name.trim_end_matches(['.', '_', '-'])] {
                let name = name.to_ascii_lowercase();
                if name.len() >= 2 && name.len() <= 64 && !names.contains(&name) {
                    names.push(name);
                }
            }
            if names.len() >= MOST_MENTIONS {
                names.truncate(MOST_MENTIONS);
                break;
            }
        }
        names
    }

    /// The words it is found by.
    pub(crate) fn words(&self) -> BTreeSet<String> {
        terms(&self.0, MOST_WORDS).iter().flat_map(stoa_kernel::words::Term::tokens).collect()
    }
}

/// A reaction: a picture, or a short word such as `:tea:`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emoji(String);

impl Emoji {
    /// Reads a reaction: 1 to 32 characters without white space.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let length = text.chars().count();
        if length == 0 {
            Err(Flaw::new("TOO_SHORT", "A reaction has at least one character."))
        } else if length > LONGEST_EMOJI {
            Err(Flaw::new("TOO_LONG", "A reaction has at most 32 characters."))
        } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            Err(Flaw::new("INVALID", "A reaction holds no white space."))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something to be said, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    pub(crate) content: Content,
    pub(crate) reply_to: Option<MessageId>,
    pub(crate) client_id: Option<String>,
    pub(crate) files: Vec<FileId>,
}

impl Draft {
    /// Checks what was given. `client_id`, of 1 to 64 visible characters, makes a resend harmless: a room keeps one message
    /// of a sender under it.
    pub fn parse(
        content: String,
        reply_to: Option<MessageId>,
        client_id: Option<String>,
    ) -> Result<Self, Refusal> {
        let mut flaws = Fields::default();
        let content = flaws.take("content", Content::parse(content));
        let client_id = flaws.take_given("clientId", client_id.map(checked_client_id));
        match content.filter(|_| flaws.is_clean()) {
            Some(content) => Ok(Self { content, reply_to, client_id, files: Vec::new() }),
            None => Err(flaws.into_refusal()),
        }
    }

    /// The same, carrying files of whoever sends it, each once and in this order.
    pub fn carrying(self, given: Vec<FileId>) -> Result<Self, Refusal> {
        let mut files: Vec<FileId> = Vec::with_capacity(given.len().min(MOST_FILES));
        let mut flaws = Fields::default();
        let flaw = Flaw::new("TOO_MANY", "A message carries at most 10 files.");
        flaws.check("fileIds", given.len() <= MOST_FILES, flaw);
        flaws.finish()?;
        for file in given {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        Ok(Self { files, ..self })
    }
}

fn checked_client_id(text: String) -> Result<String, Flaw> {
    match text.chars().count() {
        0 => Err(Flaw::new("TOO_SHORT", "This is too short.")),
        1..=LONGEST_CLIENT_ID if !text.contains(char::is_control) => Ok(text),
        1..=LONGEST_CLIENT_ID => Err(Flaw::new("INVALID", "It holds no control characters.")),
        _ => Err(Flaw::new("TOO_LONG", "It has at most 64 characters.")),
    }
}

/// A message as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub(crate) doc: i64,
    pub(crate) id: MessageId,
    pub(crate) room: RoomId,
    pub(crate) seq: i64,
    pub(crate) sender: UserId,
    pub(crate) kind: MessageKind,
    pub(crate) content: String,
    pub(crate) reply_to: Option<MessageId>,
    pub(crate) thread: Option<MessageId>,
    pub(crate) reaction_count: u32,
    pub(crate) mention_count: u32,
    pub(crate) version: i64,
    pub(crate) pinned_at: Option<Timestamp>,
    pub(crate) edited_at: Option<Timestamp>,
    pub(crate) deleted_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

impl Message {
    /// Whether it has files beside its words.
    pub(crate) fn carries_files(&self) -> bool {
        self.kind == MessageKind::File && self.deleted_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        Content::parse(text.to_owned()).unwrap().names()
    }

    #[test]
    fn content_is_kept_as_written_and_bounded() {
        let written = "  <b>tea?</b>\n\u{200d}";
        assert_eq!(Content::parse(written.into()).unwrap().as_str(), written);
        assert!(Content::parse("ä".repeat(4_000)).is_ok());
        assert!(Content::parse("ä".repeat(4_001)).is_err());
        for empty in ["", "  ", "\n\t\u{a0}"] {
            assert!(Content::parse(empty.into()).is_err());
        }
    }

    #[test]
    fn names_stand_behind_an_at_sign() {
        assert_eq!(names("@Ada, hello @bob_b and (@eve)"), ["ada", "bob_b", "eve"]);
        assert_eq!(names("ask @ada. or @ada"), ["ada.", "ada"]);
        assert_eq!(names("mail ada@example.com @@bob @x @ nobody"), Vec::<String>::new());
        let many: Vec<String> = (10..90).map(|number| format!("@user{number}")).collect();
        assert_eq!(names(&many.join(" ")).len(), MOST_MENTIONS);
    }

    #[test]
    fn reactions_are_short_and_without_spaces() {
        for good in ["👍", "👩‍👩‍👧‍👦", ":tea:", "+1"] {
            assert!(Emoji::parse(good).is_ok(), "{good}");
        }
        for odd in ["", " ", "a b", "a\n", &"x".repeat(33)] {
            assert!(Emoji::parse(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn drafts_name_every_flaw() {
        let refused = Draft::parse(String::new(), None, Some("x".repeat(65))).unwrap_err();
        let fields: Vec<_> = refused.fields.iter().map(|flaw| flaw.field.as_ref()).collect();
        assert_eq!(fields, ["content", "clientId"]);
        assert!(Draft::parse("a".into(), None, Some("\u{7}".into())).is_err());
    }
}
