//! What files ask of chat: which rooms somebody may show them in, and the messages that carry them.

use stoa_contracts::{
    chat::{MessageId, MessageView, RoomId, RoomKind},
    files::{FileMessages, FilePost, FileRoom},
};
use stoa_http::{IfMatch, Once};
use stoa_kernel::{Actor, Refusal, Timestamp};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
};

use crate::{
    Chat,
    error::ChatError,
    find_room::standing,
    judge_message::Post,
    message::Draft,
    room::RoomKey,
    send_message::Posted,
    standing::{Standing, Visitor},
};

impl FileMessages for Chat {
    fn writable(
        &self,
        c: &mut Connection<'_>,
        actor: &Actor,
        room: &str,
        at: Timestamp,
    ) -> Result<FileRoom, Refusal> {
        let standing = named(c, actor, room)?;
        standing.require_voice(at)?;
        Ok(FileRoom { id: standing.room.id, private: standing.room.kind != RoomKind::Public })
    }

    fn readable(&self, c: &mut Connection<'_>, actor: &Actor, room: &str) -> Result<RoomId, Refusal> {
        Ok(named(c, actor, room)?.room.id)
    }

    fn may_read_any(
        &self,
        c: &mut Connection<'_>,
        actor: &Actor,
        rooms: &[RoomId],
    ) -> Result<bool, DatabaseError> {
        let Ok(visitor) = Visitor::of(actor) else { return Ok(false) };
        for room in rooms {
            match standing(c, visitor, &RoomKey::Id(*room)) {
                Ok(_) => return Ok(true),
                Err(ChatError::Database(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(false)
    }

    fn post(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        actor: &Actor,
        post: &FilePost,
    ) -> Result<MessageView, Refusal> {
        let draft = Draft::parse(post.content.clone(), None, post.client_id.clone())?;
        let draft = draft.carrying(post.files.clone())?;
        let post_now = Post::new(occasion.clone(), Visitor::of(actor)?, post.room, draft, Once::default());
        let outcomes = self.post_all(tx, &[post_now])?;
        match outcomes.into_iter().next() {
            Some(Ok(Posted::Sent(sent))) if sent.again => {
                Err(Refusal::conflict("MESSAGE_SENT", "A message was sent under this clientId before."))
            }
            Some(Ok(Posted::Sent(sent))) => Ok(sent.message),
            Some(Ok(Posted::Replayed(_))) | None => {
                Err(Refusal::internal("a message was sent and not answered"))
            }
            Some(Err(error)) => Err(error.into()),
        }
    }

    fn take_back(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        actor: &Actor,
        message: MessageId,
    ) -> Result<(), Refusal> {
        Ok(self.delete_in(tx, occasion, Visitor::of(actor)?, (message, &IfMatch::default()))?)
    }
}

/// How somebody stands in the room that is named.
fn named(c: &mut Connection<'_>, actor: &Actor, room: &str) -> Result<Standing, ChatError> {
    let key = RoomKey::parse(room).ok_or(ChatError::UnknownRoom)?;
    standing(c, Visitor::of(actor)?, &key)
}
