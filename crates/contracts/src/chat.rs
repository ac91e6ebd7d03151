//! What chat publishes: everything that happens in a room is an event of topic `room:<id>`, and carries what whoever shows
//! it live needs, so that nobody has to ask for more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_kernel::{Id, Timestamp, UserId};
use stoa_platform::events::Event;
use utoipa::ToSchema;

use crate::{accounts::Person, files::FileView};

/// Marker of room ids.
pub enum Room {}
/// The id of a room.
pub type RoomId = Id<Room>;
/// Marker of message ids.
pub enum Message {}
/// The id of a message.
pub type MessageId = Id<Message>;

/// Who a room is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoomKind {
    /// Everybody may read it and join.
    #[default]
    Public,
    /// Only its members know of it.
    Private,
    /// Between two people.
    Direct,
}

impl RoomKind {
    /// Its name outside.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Direct => "direct",
        }
    }

    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Public, Self::Private, Self::Direct].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What somebody is in a room, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoomRole {
    /// Reads and writes.
    #[default]
    Member,
    /// Also keeps order.
    Moderator,
    /// Whose room it is; there is one.
    Owner,
}

impl RoomRole {
    /// Its name outside.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Moderator, Self::Owner].into_iter().find(|role| role.as_str() == text)
    }
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// Somebody's words.
    Text,
    /// A file.
    File,
    /// What the room itself has to say.
    System,
}

impl MessageKind {
    /// Its name outside.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::File => "file",
            Self::System => "system",
        }
    }

    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::File, Self::System].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A message as everybody who may read it sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Message)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// Its number in its room, from 1 and without holes.
    pub seq: i64,
    /// The room's id.
    pub room: RoomId,
    /// Who said it.
    pub sender: Person,
    /// What was said, as it was written; empty when it was deleted.
    pub content: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// The file it carries, the first of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file: Option<FileView>,
    /// All files it carries, when there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileView>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reply_to: Option<MessageId>,
    /// Who reacted with what, by emoji.
    #[schema(value_type = std::collections::BTreeMap<String, Vec<UserId>>)]
    pub reactions: BTreeMap<String, Vec<UserId>>,
    /// How many members other than the sender have read so far, counted to 1,000.
    pub read_by_count: u32,
    /// The members it mentions.
    pub mentions: Vec<UserId>,
    /// Since when it is pinned, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pinned_at: Option<Timestamp>,
    /// When it was changed last, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deleted_at: Option<Timestamp>,
    /// When it was sent.
    pub created_at: Timestamp,
}

impl MessageView {
    /// The same message, carrying these files.
    #[must_use]
    pub fn carrying(self, files: Vec<FileView>) -> Self {
        let file = files.first().cloned();
        Self { file, files: if files.len() > 1 { files } else { Vec::new() }, ..self }
    }
}

/// A room as its events tell of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomFacts {
    /// Its name in addresses; direct rooms have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// How it is called; empty for direct rooms, which are called after the other one.
    pub name: String,
    /// Who it is for.
    pub kind: RoomKind,
    /// Seconds that a member waits between two messages.
    pub slow_mode: u32,
}

/// What is told of a room is told under.
pub(crate) fn topic(room: RoomId) -> String {
    format!("room:{room}")
}

macro_rules! room_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The room.
            pub room: RoomId,
            /// The room's version after it.
            pub version: i64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                topic(self.room)
            }

            fn aggregate(&self) -> String {
                topic(self.room)
            }

            fn version(&self) -> i64 {
                self.version
            }
        }
    };
}

macro_rules! message_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The room.
            pub room: RoomId,
            /// The message.
            pub message_id: MessageId,
            /// The message's version after it.
            pub version: i64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                topic(self.room)
            }

            fn aggregate(&self) -> String {
                message_aggregate(self.message_id)
            }

            fn version(&self) -> i64 {
                self.version
            }
        }
    };
}

macro_rules! member_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The room.
            pub room: RoomId,
            /// Who it is about.
            pub user_id: UserId,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                topic(self.room)
            }

            fn aggregate(&self) -> String {
                format!("member:{}:{}", self.room, self.user_id)
            }
        }
    };
}

/// What the events of a message are kept under.
pub fn message_aggregate(message: MessageId) -> String {
    format!("message:{message}")
}

room_event! {
    /// A room was opened.
    RoomCreated = "chat.room_created" {
        /// What it is.
        facts: RoomFacts,
        /// Who is in it from the start.
        members: Vec<UserId>,
    }
}
room_event! {
    /// A room is called otherwise, or has other rules.
    RoomUpdated = "chat.room_updated" {
        /// What it is now.
        facts: RoomFacts,
    }
}
room_event! {
    /// A room was closed; nothing of it can be read any more.
    RoomDeleted = "chat.room_deleted" {}
}
message_event! {
    /// Something was said.
    MessageSent = "chat.message_sent" {
        /// The whole message.
        message: MessageView,
        /// What its sender knows it by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    }
}
message_event! {
    /// A message says something else now.
    MessageEdited = "chat.message_edited" {
        /// The whole message.
        message: MessageView,
    }
}
message_event! {
    /// A message was deleted; its place stays. What it said was taken out of the log as well.
    MessageDeleted = "chat.message_deleted" {
        /// Its number.
        seq: i64,
        /// Who deleted it.
        deleted_by: UserId,
        /// When.
        deleted_at: Timestamp,
    }
}
message_event! {
    /// Somebody reacted to a message, or took that back.
    MessageReaction = "chat.message_reaction" {
        /// Its number.
        seq: i64,
        /// Who.
        user_id: UserId,
        /// With what.
        emoji: String,
        /// Whether it was added; taken back otherwise.
        added: bool,
        /// How many of this emoji there are now.
        count: u32,
    }
}
message_event! {
    /// A message was pinned.
    MessagePinned = "chat.message_pinned" {
        /// Its number.
        seq: i64,
        /// Who pinned it.
        user_id: UserId,
    }
}
message_event! {
    /// A message is pinned no longer.
    MessageUnpinned = "chat.message_unpinned" {
        /// Its number.
        seq: i64,
        /// Who took the pin off.
        user_id: UserId,
    }
}
member_event! {
    /// Somebody has read a room up to a message.
    MessageRead = "chat.message_read" {
        /// The message.
        message_id: MessageId,
        /// Its number.
        seq: i64,
    }
}
member_event! {
    /// Somebody came in.
    MemberJoined = "chat.member_joined" {
        /// How they are called.
        person: Person,
        /// What they are there.
        role: RoomRole,
    }
}
member_event! {
    /// Somebody left, or was sent out.
    MemberLeft = "chat.member_left" {
        /// Whether they may not come back.
        banned: bool,
    }
}
member_event! {
    /// Somebody is something else in a room now, or may not write for a while.
    MemberChanged = "chat.member_changed" {
        /// What they are there.
        role: RoomRole,
        /// Until when they may not write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        muted_until: Option<Timestamp>,
    }
}

/// Somebody was mentioned; it says where, not what was said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mention {
    /// Who is mentioned.
    pub user_id: UserId,
    /// Where.
    pub room: RoomId,
    /// How the room is called; empty for direct rooms.
    pub room_name: String,
    /// In which message.
    pub message_id: MessageId,
    /// Its number.
    pub seq: i64,
    /// By whom.
    pub by: Person,
}

impl Event for Mention {
    const TYPE: &'static str = "chat.mention";

    fn topic(&self) -> String {
        format!("user:{}", self.user_id)
    }

    fn aggregate(&self) -> String {
        format!("mention:{}:{}", self.message_id, self.user_id)
    }
}
