//! How chat says no: one enum, with stable codes.

use std::time::Duration;

use stoa_contracts::chat::RoomId;
use stoa_http::{BeginError, Problem};
use stoa_kernel::{FieldError, Flaw, Refusal, RefusalKind, Timestamp};
use stoa_platform::database::DatabaseError;

use crate::{
    message::{MOST_EMOJIS, MOST_REACTIONS},
    pin_message::MOST_PINS,
};

/// Why chat cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// No such room, or none this person may know of.
    #[error("no such room")]
    UnknownRoom,
    /// No such message, or none this person may read.
    #[error("no such message")]
    UnknownMessage,
    /// Nobody of this id is in the room.
    #[error("no such member")]
    UnknownMember,
    /// There is no such user.
    #[error("no such user")]
    UnknownUser,
    /// Another room has this slug.
    #[error("the slug is taken")]
    SlugTaken,
    /// Somebody is in as many rooms as they may.
    #[error("at most {0} rooms")]
    TooManyRooms(u32),
    /// The room has as many members as it may.
    #[error("at most {0} members")]
    RoomFull(u32),
    /// Everybody is in this room, and nobody can leave it.
    #[error("the room is for everybody")]
    ForEverybody,
    /// A room between two people has no other members and no roles.
    #[error("the room is direct")]
    Direct,
    /// It is for members only.
    #[error("not a member")]
    NotAMember,
    /// Who was sent out cannot come back.
    #[error("banned")]
    Banned,
    /// Who is muted cannot write.
    #[error("muted")]
    Muted(Timestamp),
    /// Members wait between two messages.
    #[error("slow mode")]
    Slow(Duration),
    /// It was deleted.
    #[error("the message is deleted")]
    Deleted,
    /// The room has as many pinned messages as it may.
    #[error("too many pins")]
    TooManyPins,
    /// The message has as many reactions as it may.
    #[error("too many reactions")]
    TooManyReactions,
    /// It answers a message that is not in this room.
    #[error("the message it replies to is not in this room")]
    UnknownReply,
    /// It is to carry a file that is not there, or not the sender's.
    #[error("a file it is to carry is not the sender's")]
    UnknownFile,
    /// More is waiting to be said in the room, or in all rooms, than can be said soon.
    #[error("too many messages wait in room {0}")]
    Busy(RoomId),
    /// Refused by what all routes share.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl ChatError {
    /// 403: a member, but not one who may do this.
    pub(crate) fn forbidden() -> Self {
        Self::Refused(Refusal::forbidden())
    }
}

impl From<BeginError> for ChatError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Refused(refusal) => Self::Refused(refusal),
            BeginError::Database(error) => Self::Database(error),
        }
    }
}

impl From<Problem> for ChatError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.0)
    }
}

impl From<ChatError> for Refusal {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::UnknownRoom => Self::not_found("ROOM_NOT_FOUND", "There is no such room."),
            ChatError::UnknownMessage => Self::not_found("MESSAGE_NOT_FOUND", "There is no such message."),
            ChatError::UnknownMember => {
                Self::not_found("MEMBER_NOT_FOUND", "Nobody with this id is in the room.")
            }
            ChatError::UnknownUser => Self::not_found("USER_NOT_FOUND", "There is no such user."),
            ChatError::SlugTaken => Self::conflict("ROOM_SLUG_TAKEN", "Another room has this slug."),
            ChatError::TooManyRooms(most) => {
                Self::conflict("TOO_MANY_ROOMS", format!("One may be in at most {most} rooms."))
            }
            ChatError::RoomFull(most) => {
                Self::conflict("ROOM_FULL", format!("A room has at most {most} members."))
            }
            ChatError::ForEverybody => Self::conflict(
                "ROOM_FOR_EVERYBODY",
                "Everybody is in this room: it cannot be left, closed or handed over.",
            ),
            ChatError::Direct => Self::conflict(
                "ROOM_IS_DIRECT",
                "A room between two people stays as it is: it has no other members and no roles.",
            ),
            ChatError::NotAMember => forbidden("NOT_A_MEMBER", "Join the room first."),
            ChatError::Banned => forbidden("BANNED", "You were sent out of this room."),
            ChatError::Muted(until) => forbidden("MUTED", "You cannot write in this room for now.")
                .with_fact("mutedUntil", until.to_string()),
            ChatError::Slow(wait) => Self::new(
                RefusalKind::TooMany,
                "SLOW_MODE",
                "This room is slow: wait before you write again.",
            )
            .with_retry_after(wait),
            ChatError::Deleted => Self::conflict("MESSAGE_DELETED", "The message was deleted."),
            ChatError::TooManyPins => {
                Self::conflict("TOO_MANY_PINS", format!("A room has at most {MOST_PINS} pinned messages."))
            }
            ChatError::TooManyReactions => Self::conflict(
                "TOO_MANY_REACTIONS",
                format!(
                    "A message has at most {MOST_EMOJIS} different reactions and {MOST_REACTIONS} in all."
                ),
            ),
            ChatError::UnknownReply => {
                let flaw = Flaw::new("UNKNOWN", "There is no such message in this room.");
                Self::invalid(vec![FieldError::new("replyTo", flaw.code, flaw.message)])
            }
            ChatError::UnknownFile => {
                let flaw = Flaw::new("UNKNOWN", "You have no such file.");
                Self::invalid(vec![FieldError::new("fileIds", flaw.code, flaw.message)])
            }
            busy @ ChatError::Busy(_) => Self::unavailable(busy),
            ChatError::Refused(refusal) => refusal,
            ChatError::Database(error) => error.into(),
        }
    }
}

fn forbidden(code: &'static str, detail: &'static str) -> Refusal {
    Refusal::new(RefusalKind::Forbidden, code, detail)
}
