//! Having read a room.

use serde::Serialize;
use stoa_contracts::chat::{MessageId, MessageRead, RoomId};
use stoa_platform::{Occasion, database::Tx, events};
use utoipa::ToSchema;

use crate::{
    Chat,
    edit_message::readable,
    error::ChatError,
    manage_members::enter_all,
    standing::Visitor,
    store::{members, messages, rooms},
};

/// How far somebody has read a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RoomRead)]
pub struct ReadView {
    /// The room.
    pub room: RoomId,
    /// The number up to which one has read.
    pub read_seq: i64,
    /// How many one has not read.
    pub unread_count: i64,
    /// How many of those mention one, counted to 1,000.
    pub mention_count: i64,
}

impl Chat {
    /// Notes that somebody has read a room up to a message: for members. Never goes back; the room's row is not held, so
    /// readers stand in nobody's way.
    pub async fn mark_read(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        message: MessageId,
    ) -> Result<ReadView, ChatError> {
        let mark = move |tx: &mut Tx<'_>| {
            let message = messages::find(tx, message)?.ok_or(ChatError::UnknownMessage)?;
            let standing = readable(tx, visitor, &message)?;
            if !standing.is_inside() {
                return Err(ChatError::NotAMember);
            }
            let (room, user) = (message.room, visitor.user);
            if standing.row.is_none() {
                enter_all(tx, &occasion, user)?;
            }
            if members::read_to(tx, room, user, message.seq)? {
                let read = MessageRead { room, user_id: user, message_id: message.id, seq: message.seq };
                events::append(tx, &occasion, &read)?;
            }
            let row = members::find(tx, room, user)?.ok_or(ChatError::NotAMember)?;
            let last_seq = rooms::find(tx, &room.into())?.ok_or(ChatError::UnknownRoom)?.last_seq;
            Ok(ReadView {
                room,
                read_seq: row.read_seq,
                unread_count: last_seq - row.read_seq,
                mention_count: rooms::mentions_of(tx, room, user)?,
            })
        };
        self.database().write(mark).await
    }
}
