//! Reacting to a message.

use stoa_contracts::chat::{MessageId, MessageReaction, MessageView};
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    Chat,
    edit_message::{locked_message, require_present},
    error::ChatError,
    message::{Emoji, MOST_EMOJIS, MOST_REACTIONS, Message},
    standing::Visitor,
    store::{messages, reactions},
};

impl Chat {
    /// Reacts to a message, or takes the same reaction back: for members who may write. Answers the message with its
    /// version.
    pub async fn react(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        message: MessageId,
        emoji: Emoji,
    ) -> Result<(MessageView, i64), ChatError> {
        let chat = self.clone();
        let react = move |tx: &mut Tx<'_>| {
            let (before, standing) = locked_message(tx, visitor, message)?;
            standing.require_voice(occasion.at)?;
            require_present(&before)?;
            let after = toggle(tx, &occasion, visitor, before, &emoji)?;
            let version = after.version;
            Ok((chat.message_view(tx, after)?, version))
        };
        self.database().write(react).await
    }
}

fn toggle(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    visitor: Visitor,
    before: Message,
    emoji: &Emoji,
) -> Result<Message, ChatError> {
    let (user, text) = (visitor.user, emoji.as_str());
    let removed = reactions::delete(tx, before.id, user, text)?;
    if !removed {
        let counts = reactions::counts(tx, before.id)?;
        let kinds = u32::try_from(counts.len()).unwrap_or(u32::MAX);
        let one_more_kind = !counts.contains_key(text) && kinds >= MOST_EMOJIS;
        if one_more_kind || before.reaction_count >= MOST_REACTIONS {
            return Err(ChatError::TooManyReactions);
        }
        reactions::insert(tx, before.id, user, text, occasion.at)?;
    }
    let reaction_count =
        if removed { before.reaction_count.saturating_sub(1) } else { before.reaction_count + 1 };
    let after = Message { reaction_count, version: before.version + 1, ..before };
    messages::update(tx, &after)?;
    let count = reactions::counts(tx, after.id)?.get(text).copied().unwrap_or_default();
    let reacted = MessageReaction {
        room: after.room,
        message_id: after.id,
        version: after.version,
        seq: after.seq,
        user_id: user,
        emoji: text.to_owned(),
        added: !removed,
        count,
    };
    events::append(tx, occasion, &reacted)?;
    Ok(after)
}
