//! Taking something back. The message keeps its place in the room; what it said is gone from its row, from the search and
//! from the event log, with its reactions and mentions.

use stoa_contracts::chat::{
    MessageDeleted, MessageEdited, MessageId, MessageSent, MessageView, message_aggregate,
};
use stoa_http::IfMatch;
use stoa_kernel::Timestamp;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events::{self, Event},
};

use crate::{
    Chat,
    edit_message::locked_message,
    error::ChatError,
    message::Message,
    standing::{Authority, Visitor},
    store::{mentions, messages, reactions, texts},
};

impl Chat {
    /// Deletes a message: for its sender, and for those who keep order in its room. Again changes nothing.
    pub async fn delete(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        message: MessageId,
        if_match: IfMatch,
    ) -> Result<(), ChatError> {
        let chat = self.clone();
        let delete = move |tx: &mut Tx<'_>| chat.delete_in(tx, &occasion, visitor, (message, &if_match));
        self.database().write(delete).await
    }

    /// The same in a transaction of somebody else's.
    pub(crate) fn delete_in(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        visitor: Visitor,
        (message, if_match): (MessageId, &IfMatch),
    ) -> Result<(), ChatError> {
        let (before, standing) = locked_message(tx, visitor, message)?;
        if before.sender != visitor.user {
            standing.require(Authority::Moderator)?;
        }
        if before.deleted_at.is_some() {
            return Ok(());
        }
        if_match.check(before.version)?;
        if before.carries_files() {
            self.files().let_go(tx, occasion, &[message])?;
        }
        delete_message(tx, occasion, visitor, before)
    }
}

fn delete_message(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    visitor: Visitor,
    before: Message,
) -> Result<(), ChatError> {
    let after = Message {
        content: String::new(),
        reaction_count: 0,
        mention_count: 0,
        version: before.version + 1,
        pinned_at: None,
        deleted_at: Some(occasion.at),
        ..before
    };
    messages::update(tx, &after)?;
    reactions::delete_all(tx, after.id)?;
    mentions::delete_all(tx, after.id)?;
    texts::remove(tx, after.doc)?;
    let deleted = MessageDeleted {
        room: after.room,
        message_id: after.id,
        version: after.version,
        seq: after.seq,
        deleted_by: visitor.user,
        deleted_at: occasion.at,
    };
    events::append(tx, occasion, &deleted)?;
    let types = &[MessageSent::TYPE, MessageEdited::TYPE];
    events::rewrite(tx, &message_aggregate(after.id), types, |kind, payload| {
        silenced(kind, payload, occasion.at)
    })?;
    Ok(())
}

/// What the log keeps of a message that was deleted later: whoever reads it from before hears of a deleted message.
fn silenced(kind: &str, payload: &str, at: Timestamp) -> Result<String, DatabaseError> {
    let unreadable = |error| DatabaseError::Decode(format!("an event {kind}: {error}"));
    let silence = |message: MessageView| MessageView {
        content: String::new(),
        file: None,
        files: Vec::new(),
        reactions: std::collections::BTreeMap::new(),
        mentions: Vec::new(),
        pinned_at: None,
        deleted_at: Some(at),
        ..message
    };
    if kind == MessageSent::TYPE {
        let sent: MessageSent = serde_json::from_str(payload).map_err(unreadable)?;
        serde_json::to_string(&MessageSent { message: silence(sent.message.clone()), ..sent })
    } else {
        let edited: MessageEdited = serde_json::from_str(payload).map_err(unreadable)?;
        serde_json::to_string(&MessageEdited { message: silence(edited.message.clone()), ..edited })
    }
    .map_err(unreadable)
}
