//! Chat over sockets: the second door to the functions of [`Chat`], in the dialects rooms and snake.

mod say;
mod tell;

use std::sync::Arc;

use stoa_contracts::chat::{
    MemberJoined, MemberLeft, MessageDeleted, MessageEdited, MessagePinned, MessageReaction, MessageRead,
    MessageSent, MessageUnpinned, RoomCreated, RoomDeleted, RoomId,
};
use stoa_kernel::{Actor, Refusal, UserId};
use stoa_platform::events::{Event, HandlerError, StoredEvent};
use stoa_realtime::{Effect, Sockets, Topic};

use crate::{Chat, standing::Visitor};

/// What kind of topic a room's is.
const ROOM: &str = "room";

/// What sockets hear of a room, and the log has of it.
pub(crate) fn topic_of(room: RoomId) -> Topic {
    Topic::of(ROOM, room)
}

impl Chat {
    /// What chat says and hears on sockets.
    pub(crate) fn sockets(&self) -> Sockets {
        let home = self.clone();
        let permit = self.clone();
        let sockets = Sockets::default()
            .at_home(move |user| {
                let chat = home.clone();
                async move { chat.heard_at_home(user).await }
            })
            .permit(ROOM, move |actor, topic| {
                let chat = permit.clone();
                async move { chat.may_hear(&actor, &topic).await }
            })
            .tell(MessageSent::TYPE, tell::message_sent)
            .tell(MessageEdited::TYPE, tell::message_edited)
            .tell(MessageDeleted::TYPE, tell::message_deleted)
            .tell(MessageReaction::TYPE, tell::message_reaction)
            .tell(MessagePinned::TYPE, tell::message_pinned)
            .tell(MessageUnpinned::TYPE, tell::message_unpinned)
            .tell(MessageRead::TYPE, tell::message_read)
            .tell(MemberJoined::TYPE, tell::member_joined)
            .tell(MemberLeft::TYPE, tell::member_left)
            .tell(RoomDeleted::TYPE, tell::room_closed)
            .act(RoomCreated::TYPE, first_come)
            .act(MemberJoined::TYPE, one_comes)
            .act(MemberLeft::TYPE, one_leaves)
            .act(RoomDeleted::TYPE, all_leave);
        say::all(self, sockets)
    }

    async fn heard_at_home(&self, user: UserId) -> Result<Vec<Topic>, Refusal> {
        let rooms = self.rooms_of(user).await?;
        Ok(rooms.into_iter().map(|room| Topic::of(ROOM, room)).collect())
    }

    /// Whoever named a room became a member of it, and hears it as long as they are one.
    async fn may_hear(&self, actor: &Arc<Actor>, topic: &Topic) -> Result<bool, Refusal> {
        let Ok(room) = topic.id().parse::<RoomId>() else { return Ok(false) };
        Ok(self.is_member(Visitor::of(actor)?, room).await?)
    }
}

fn first_come(event: &StoredEvent) -> Result<Vec<Effect>, HandlerError> {
    let RoomCreated { room, members, .. } = event.payload()?;
    Ok(members.into_iter().map(|user| Effect::Grant(user, Topic::of(ROOM, room))).collect())
}

fn one_comes(event: &StoredEvent) -> Result<Vec<Effect>, HandlerError> {
    let MemberJoined { room, user_id, .. } = event.payload()?;
    Ok(vec![Effect::Grant(user_id, Topic::of(ROOM, room))])
}

fn one_leaves(event: &StoredEvent) -> Result<Vec<Effect>, HandlerError> {
    let MemberLeft { room, user_id, .. } = event.payload()?;
    Ok(vec![Effect::Revoke(user_id, Topic::of(ROOM, room))])
}

fn all_leave(event: &StoredEvent) -> Result<Vec<Effect>, HandlerError> {
    let RoomDeleted { room, .. } = event.payload()?;
    Ok(vec![Effect::Close(Topic::of(ROOM, room))])
}
