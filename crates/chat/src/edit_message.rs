//! Saying something else instead.

use std::collections::BTreeSet;

use stoa_contracts::chat::{MessageEdited, MessageId, MessageView};
use stoa_http::IfMatch;
use stoa_kernel::UserId;
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events,
};

use crate::{
    Chat,
    error::ChatError,
    find_room::standing,
    mentioned::mention,
    message::{Content, Message},
    room::{Room, RoomKey},
    standing::{Standing, Visitor},
    store::{mentions, messages, texts},
};

impl Chat {
    /// Changes what a message says: for its sender, while they may write in its room. Whoever is mentioned anew hears of
    /// it. Answers the message with its version.
    pub async fn edit(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        message: MessageId,
        content: Content,
        if_match: IfMatch,
    ) -> Result<(MessageView, i64), ChatError> {
        let chat = self.clone();
        let edit = move |tx: &mut Tx<'_>| {
            let (before, standing) = locked_message(tx, visitor, message)?;
            if before.sender != visitor.user {
                return Err(ChatError::forbidden());
            }
            standing.require_voice(occasion.at)?;
            require_present(&before)?;
            if_match.check(before.version)?;
            if before.content == content.as_str() {
                let version = before.version;
                return Ok((chat.message_view(tx, before)?, version));
            }
            chat.edit_message(tx, &occasion, &standing.room, before, &content)
        };
        self.database().write(edit).await
    }

    fn edit_message(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        room: &Room,
        before: Message,
        content: &Content,
    ) -> Result<(MessageView, i64), ChatError> {
        let names = content.names();
        let called = self.called(tx, room, &names.iter().map(String::as_str).collect())?;
        let mentioned = called.meant(&names, before.sender);
        let after = Message {
            content: content.as_str().to_owned(),
            mention_count: u32::try_from(mentioned.len()).unwrap_or(u32::MAX),
            version: before.version + 1,
            edited_at: Some(occasion.at),
            ..before
        };
        messages::update(tx, &after)?;
        let anew = mention_anew(tx, &after, &mentioned)?;
        texts::remove(tx, after.doc)?;
        texts::insert(tx, &[texts::Entry { doc: after.doc, room, words: &content.words() }])?;

        let view = self.message_view(tx, after.clone())?;
        let edited = MessageEdited {
            room: room.id,
            message_id: after.id,
            version: after.version,
            message: view.clone(),
        };
        events::append(tx, occasion, &edited)?;
        for user in anew {
            events::append(tx, occasion, &mention(room, &after, &view.sender, user))?;
        }
        Ok((view, after.version))
    }
}

/// Puts mentions in the place of those that were there; answers who was not mentioned before.
fn mention_anew(
    tx: &mut Tx<'_>,
    message: &Message,
    mentioned: &[UserId],
) -> Result<Vec<UserId>, DatabaseError> {
    let before = mentions::of_messages(tx, &[message.id])?.remove(&message.id).unwrap_or_default();
    let before: BTreeSet<UserId> = before.into_iter().collect();
    mentions::delete_all(tx, message.id)?;
    let rows: Vec<mentions::Row> = mentioned
        .iter()
        .map(|user| mentions::Row { message: message.id, user: *user, room: message.room, seq: message.seq })
        .collect();
    mentions::insert(tx, &rows)?;
    Ok(mentioned.iter().copied().filter(|user| !before.contains(user)).collect())
}

/// A message that somebody may read, locked until the transaction ends, and how they stand in its room.
pub(crate) fn locked_message(
    tx: &mut Tx<'_>,
    visitor: Visitor,
    message: MessageId,
) -> Result<(Message, Standing), ChatError> {
    let message = messages::lock_message(tx, message)?.ok_or(ChatError::UnknownMessage)?;
    let standing = readable(tx, visitor, &message)?;
    Ok((message, standing))
}

/// How somebody stands in the room of a message; to those who may not read it the message is unknown.
pub(crate) fn readable(
    c: &mut Connection<'_>,
    visitor: Visitor,
    message: &Message,
) -> Result<Standing, ChatError> {
    standing(c, visitor, &RoomKey::Id(message.room)).map_err(|error| match error {
        ChatError::UnknownRoom => ChatError::UnknownMessage,
        error => error,
    })
}

/// Refuses what cannot be done with a message that was deleted.
pub(crate) fn require_present(message: &Message) -> Result<(), ChatError> {
    if message.deleted_at.is_some() { Err(ChatError::Deleted) } else { Ok(()) }
}
