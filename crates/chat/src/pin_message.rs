//! Pinning messages, for all of a room to find.

use stoa_contracts::chat::{MessageId, MessagePinned, MessageUnpinned, MessageView, RoomKind};
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    Chat,
    edit_message::{readable, require_present},
    error::ChatError,
    message::Message,
    room::RoomKey,
    standing::{Authority, Standing, Visitor},
    store::{messages, rooms},
};

/// How many messages of a room are pinned at most.
pub(crate) const MOST_PINS: u32 = 100;

impl Chat {
    /// Pins a message, or takes its pin off: for those who keep order in its room, and in a direct one for both. Again
    /// changes nothing. Answers the message with its version.
    pub async fn pin(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        message: MessageId,
        pinned: bool,
    ) -> Result<(MessageView, i64), ChatError> {
        let chat = self.clone();
        let pin = move |tx: &mut Tx<'_>| {
            let (before, standing) = with_its_room(tx, visitor, message)?;
            if standing.room.kind != RoomKind::Direct {
                standing.require(Authority::Moderator)?;
            }
            require_present(&before)?;
            let after = pin_message(tx, &occasion, visitor, before, pinned)?;
            let version = after.version;
            Ok((chat.message_view(tx, after)?, version))
        };
        self.database().write(pin).await
    }
}

/// A message with its room, both locked, the room first: so pins of a room are counted one after the other.
fn with_its_room(
    tx: &mut Tx<'_>,
    visitor: Visitor,
    message: MessageId,
) -> Result<(Message, Standing), ChatError> {
    let found = messages::find(tx, message)?.ok_or(ChatError::UnknownMessage)?;
    rooms::lock_room(tx, &RoomKey::Id(found.room))?.ok_or(ChatError::UnknownMessage)?;
    let message = messages::lock_message(tx, message)?.ok_or(ChatError::UnknownMessage)?;
    let standing = readable(tx, visitor, &message)?;
    Ok((message, standing))
}

fn pin_message(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    visitor: Visitor,
    before: Message,
    pinned: bool,
) -> Result<Message, ChatError> {
    if before.pinned_at.is_some() == pinned {
        return Ok(before);
    }
    if pinned && messages::count_pinned(tx, before.room)? >= MOST_PINS {
        return Err(ChatError::TooManyPins);
    }
    let pinned_at = pinned.then_some(occasion.at);
    let after = Message { pinned_at, version: before.version + 1, ..before };
    messages::update(tx, &after)?;
    let (room, message_id, version) = (after.room, after.id, after.version);
    let (seq, user_id) = (after.seq, visitor.user);
    if pinned {
        events::append(tx, occasion, &MessagePinned { room, message_id, version, seq, user_id })?;
    } else {
        events::append(tx, occasion, &MessageUnpinned { room, message_id, version, seq, user_id })?;
    }
    Ok(after)
}
