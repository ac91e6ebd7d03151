//! What a room is, and the rules of its parts.

use serde::Serialize;
use stoa_contracts::{
    accounts::Person,
    chat::{MessageView, RoomFacts, RoomId, RoomKind, RoomRole},
};
use stoa_kernel::{Fields, Flaw, Refusal, Timestamp, UserId, fields};
use utoipa::ToSchema;
use uuid::Uuid;

/// The longest slug, in characters.
pub const LONGEST_SLUG: usize = 64;
const LONGEST_NAME: usize = 100;
/// The slowest a room can be: six hours between two messages, in seconds.
pub const SLOWEST: u32 = 21_600;

/// The name of a room in addresses: 1 to 64 of `a-z`, `0-9` and `-`, and nothing that could be taken for an id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slug(String);

impl Slug {
    /// Reads a slug.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if text.is_empty() {
            Err(Flaw::new("TOO_SHORT", "A slug has at least one character."))
        } else if text.len() > LONGEST_SLUG {
            Err(Flaw::new("TOO_LONG", "A slug has at most 64 characters."))
        } else if !text.bytes().all(known) {
            Err(Flaw::new("NOT_A_SLUG", "A slug is made of a-z, 0-9 and hyphens."))
        } else if Uuid::parse_str(text).is_ok() {
            Err(Flaw::new("RESERVED", "This could be taken for an id."))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a room is asked for: by its id or its slug.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum RoomKey {
    /// By its id.
    Id(RoomId),
    /// By its slug.
    Slug(Slug),
}

impl RoomKey {
    /// Reads one; `None` when no room could have it.
    pub fn parse(text: &str) -> Option<Self> {
        match Uuid::parse_str(text) {
            Ok(id) => Some(Self::Id(id.into())),
            Err(_) => Slug::parse(text).ok().map(Self::Slug),
        }
    }
}

impl From<RoomId> for RoomKey {
    fn from(id: RoomId) -> Self {
        Self::Id(id)
    }
}

/// The two people of a direct room, whichever of them asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pair(UserId, UserId);

impl Pair {
    pub(crate) fn of(one: UserId, other: UserId) -> Self {
        if one <= other { Self(one, other) } else { Self(other, one) }
    }

    /// The key by which there is one room for them.
    pub(crate) fn key(self) -> String {
        format!("{}:{}", self.0, self.1)
    }

    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (one, other) = key.split_once(':')?;
        Some(Self(one.parse().ok()?, other.parse().ok()?))
    }

    pub(crate) const fn both(self) -> [UserId; 2] {
        [self.0, self.1]
    }

    /// The one who is not `user`.
    pub(crate) fn other(self, user: UserId) -> UserId {
        if self.0 == user { self.1 } else { self.0 }
    }
}

/// A room as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) slug: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: RoomKind,
    pub(crate) everybody: bool,
    pub(crate) pair: Option<Pair>,
    pub(crate) slow_mode: u32,
    pub(crate) last_seq: i64,
    pub(crate) member_count: i64,
    pub(crate) version: i64,
    pub(crate) active_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Room {
    pub(crate) fn facts(&self) -> RoomFacts {
        RoomFacts {
            slug: self.slug.clone(),
            name: self.name.clone(),
            kind: self.kind,
            slow_mode: self.slow_mode,
        }
    }

    /// A new room without messages and members.
    pub(crate) fn opened(id: RoomId, kind: RoomKind, name: String, at: Timestamp) -> Self {
        Self {
            id,
            slug: None,
            name,
            kind,
            everybody: false,
            pair: None,
            slow_mode: 0,
            last_seq: 0,
            member_count: 0,
            version: 1,
            active_at: at,
            created_at: at,
            updated_at: at,
        }
    }
}

/// What a room is to be called.
pub(crate) fn room_name(text: &str) -> Result<String, Flaw> {
    if text.contains(char::is_control) {
        return Err(Flaw::new("INVALID_NAME", "A name holds no line breaks or other control characters."));
    }
    fields::text(text.trim(), 1, LONGEST_NAME)
}

/// A room to be opened, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NewRoom {
    /// A public or private one, of whoever opens it.
    Named {
        /// Its name in addresses.
        slug: Slug,
        /// How it is called.
        name: String,
        /// Whether only members know of it.
        private: bool,
    },
    /// One between whoever asks and somebody else.
    Direct(UserId),
}

impl NewRoom {
    /// A public room that is called as it is in addresses.
    pub fn public(slug: Slug) -> Self {
        Self::Named { name: slug.as_str().to_owned(), slug, private: false }
    }

    /// Checks what was given, as one opens it who is `user`.
    pub fn parse(
        user: UserId,
        kind: RoomKind,
        slug: Option<&str>,
        name: Option<&str>,
        with: Option<UserId>,
    ) -> Result<Self, Refusal> {
        let mut flaws = Fields::default();
        let missing = Flaw::new("REQUIRED", "This is missing.");
        if kind == RoomKind::Direct {
            let extra = Flaw::new("NOT_ALLOWED", "A direct room is named after the two who are in it.");
            flaws.check("slug", slug.is_none(), extra);
            flaws.check("name", name.is_none(), extra);
            let with = flaws.take("userId", with.ok_or(missing));
            let oneself = Flaw::new("NOT_ALLOWED", "A direct room is with somebody else.");
            flaws.check("userId", with != Some(user), oneself);
            flaws.finish()?;
            return with.map(Self::Direct).ok_or_else(|| Refusal::invalid(Vec::new()));
        }
        let extra = Flaw::new("NOT_ALLOWED", "Only a direct room is opened with somebody.");
        flaws.check("userId", with.is_none(), extra);
        let slug = flaws.take("slug", slug.ok_or(missing).and_then(Slug::parse));
        let name = flaws.take_given("name", name.map(room_name));
        match slug.filter(|_| flaws.is_clean()) {
            Some(slug) => Ok(Self::Named {
                name: name.unwrap_or_else(|| slug.as_str().to_owned()),
                slug,
                private: kind == RoomKind::Private,
            }),
            None => Err(flaws.into_refusal()),
        }
    }
}

/// What is to be changed of a room, checked; what is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoomChange {
    pub(crate) slug: Option<Slug>,
    pub(crate) name: Option<String>,
    pub(crate) slow_mode: Option<u32>,
}

impl RoomChange {
    /// Checks what was given.
    pub fn parse(slug: Option<&str>, name: Option<&str>, slow_mode: Option<u32>) -> Result<Self, Refusal> {
        let mut flaws = Fields::default();
        let slug = flaws.take_given("slug", slug.map(Slug::parse));
        let name = flaws.take_given("name", name.map(room_name));
        let too_slow = Flaw::new("OUT_OF_RANGE", "At most six hours, in seconds.");
        flaws.check("slowMode", slow_mode.is_none_or(|seconds| seconds <= SLOWEST), too_slow);
        flaws.finish()?;
        Ok(Self { slug, name, slow_mode })
    }
}

/// A room as somebody sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Room)]
pub struct RoomView {
    /// Its id.
    pub id: RoomId,
    /// Its name in addresses; direct rooms have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub slug: Option<String>,
    /// How it is called; a direct room after the other one.
    pub name: String,
    /// Who it is for.
    pub kind: RoomKind,
    /// The other one, in a direct room.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub person: Option<Person>,
    /// What one is there; absent for whoever is not in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub role: Option<RoomRole>,
    /// Until when one may not write there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub muted_until: Option<Timestamp>,
    /// How many are in it.
    pub member_count: i64,
    /// Seconds that a member waits between two messages; 0 for none.
    pub slow_mode: u32,
    /// The number of its newest message.
    pub last_seq: i64,
    /// The number up to which one has read.
    pub read_seq: i64,
    /// How many one has not read: `lastSeq` less `readSeq`.
    pub unread_count: i64,
    /// How many of those mention one, counted to 1,000.
    pub mention_count: i64,
    /// Its newest message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_message: Option<MessageView>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u128) -> UserId {
        Uuid::from_u128(number).into()
    }

    fn fields(refused: &Refusal) -> Vec<&str> {
        refused.fields.iter().map(|flaw| flaw.field.as_ref()).collect()
    }

    #[test]
    fn slugs_are_short_words_that_are_no_ids() {
        for good in ["general", "a", "-", "room-1", &"a".repeat(64)] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        let (dashed, plain) = (user(7).to_string(), user(7).to_string().replace('-', ""));
        for odd in ["", "General", "a b", "ä", "a_b", &"a".repeat(65), &dashed, &plain] {
            assert!(Slug::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_pair_is_the_same_from_both_sides() {
        let pair = Pair::of(user(2), user(1));
        assert_eq!(pair, Pair::of(user(1), user(2)));
        assert_eq!(Pair::parse(&pair.key()), Some(pair));
        assert_eq!(pair.other(user(1)), user(2));
    }

    #[test]
    fn a_direct_room_is_with_one_other_and_has_no_name() {
        let parse = |kind, slug, name, with| NewRoom::parse(user(1), kind, slug, name, with);
        assert_eq!(parse(RoomKind::Direct, None, None, Some(user(2))).unwrap(), NewRoom::Direct(user(2)));
        for (slug, name, with, wrong) in [
            (None, None, None, ["userId"].as_slice()),
            (None, None, Some(user(1)), &["userId"]),
            (Some("a"), Some("A"), Some(user(2)), &["slug", "name"]),
        ] {
            assert_eq!(fields(&parse(RoomKind::Direct, slug, name, with).unwrap_err()), wrong);
        }
        let refused = parse(RoomKind::Public, Some("A B"), Some(" \n"), Some(user(2))).unwrap_err();
        assert_eq!(fields(&refused), ["userId", "slug", "name"]);
        assert_eq!(fields(&parse(RoomKind::Private, None, None, None).unwrap_err()), ["slug"]);
    }

    #[test]
    fn changes_are_checked_together() {
        let refused = RoomChange::parse(Some("?"), Some(""), Some(SLOWEST + 1)).unwrap_err();
        assert_eq!(fields(&refused), ["slug", "name", "slowMode"]);
    }
}
