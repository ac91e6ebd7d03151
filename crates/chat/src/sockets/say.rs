//! What clients say about rooms: each word calls the function that its REST call does.

use serde::{Deserialize, Serialize};
use stoa_contracts::{
    chat::{MessageId, MessageView, RoomId},
    files::FileId,
};
use stoa_http::IfMatch;
use stoa_kernel::{Flaw, Refusal, fields::Fields};
use stoa_realtime::{Call, Dialect, Done, Fault, Sockets, Topic, raw};

use super::ROOM;
use crate::{
    Chat,
    error::ChatError,
    message::{Content, Draft, Emoji},
    room::{RoomKey, RoomView},
    standing::Visitor,
};

/// A room, as a word or as a field of an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Plain(String),
    Room {
        room: String,
    },
    RoomId {
        #[serde(rename = "roomId")]
        room_id: String,
    },
}

impl Named {
    fn of(call: &Call) -> Result<String, Fault> {
        let named = call.read::<Self>().map_err(|_| Fault::bad_payload("a room is expected"))?;
        Ok(match named {
            Self::Plain(name) | Self::Room { room: name } | Self::RoomId { room_id: name } => name,
        })
    }
}

/// `send-message`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewMessage {
    room: String,
    content: String,
    #[serde(default)]
    reply_to: Option<MessageId>,
    #[serde(default)]
    file_ids: Vec<FileId>,
    #[serde(default)]
    client_id: Option<String>,
}

/// `send_message`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSnakeMessage {
    room_id: String,
    message: String,
    #[serde(default)]
    client_id: Option<String>,
}

/// `message-edit`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    message_id: MessageId,
    content: String,
}

/// `message-delete` and `message-read`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfMessage {
    message_id: MessageId,
}

/// `message-react`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct React {
    message_id: MessageId,
    emoji: String,
}

/// `typing`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Typing {
    room_id: String,
    is_typing: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a MessageView,
}

#[derive(Serialize)]
struct Joined<'a> {
    room: &'a RoomView,
}

/// Adds what clients may say.
pub(super) fn all(chat: &Chat, sockets: Sockets) -> Sockets {
    let with = |answer: fn(Chat, Call) -> stoa_realtime::Later<Result<Done, Fault>>| {
        let chat = chat.clone();
        move |call| answer(chat.clone(), call)
    };
    sockets
        .on(
            "join-room",
            with(|chat, call| Box::pin(async move { chat.come_in(&call, Dialect::Rooms).await })),
        )
        .on(
            "join_room",
            with(|chat, call| Box::pin(async move { chat.come_in(&call, Dialect::Snake).await })),
        )
        .on("leave-room", with(|_, call| Box::pin(async move { stop_hearing(&call).await })))
        .on("leave_room", with(|_, call| Box::pin(async move { stop_hearing(&call).await })))
        .on("send-message", with(|chat, call| Box::pin(async move { chat.say_in_rooms(&call).await })))
        .on("send_message", with(|chat, call| Box::pin(async move { chat.say_in_snake(&call) })))
        .on("message-edit", with(|chat, call| Box::pin(async move { chat.say_otherwise(&call).await })))
        .on("message-delete", with(|chat, call| Box::pin(async move { chat.take_back(&call).await })))
        .on("message-react", with(|chat, call| Box::pin(async move { chat.say_by_emoji(&call).await })))
        .on("message-read", with(|chat, call| Box::pin(async move { chat.has_read(&call).await })))
        .on("typing-start", with(|_, call| Box::pin(async move { types(&call, &Named::of(&call)?, true) })))
        .on("typing-stop", with(|_, call| Box::pin(async move { types(&call, &Named::of(&call)?, false) })))
        .on(
            "typing",
            with(|_, call| {
                Box::pin(async move {
                    let Typing { room_id, is_typing } = call.read()?;
                    types(&call, &room_id, is_typing)
                })
            }),
        )
}

impl Chat {
    /// Becomes a member, opening the room if there is none of this name, and hears it from now on.
    async fn come_in(&self, call: &Call, dialect: Dialect) -> Result<Done, Fault> {
        let (visitor, name) = (visitor(call)?, Named::of(call)?);
        let key = RoomKey::parse(&name).ok_or(ChatError::UnknownRoom).map_err(fault)?;
        // Nobody becomes a member, and no room is made, where the socket cannot hear it.
        if heard(call, &name).is_none() {
            call.peer().must_have_room()?;
        }
        let room = self.member_room(call, visitor, key).await.map_err(fault)?;
        let topic = Topic::of(ROOM, room.id);
        call.peer().names_rooms(dialect, &topic);
        call.peer().subscribe(topic.clone(), dialect, Some(&name)).await?;
        // They may have been sent out between coming in and being subscribed.
        if !self.is_member(visitor, room.id).await? {
            call.peer().unsubscribe(&topic).await?;
            return Err(fault(ChatError::NotAMember));
        }
        Done::with(&Joined { room: &room })
    }

    async fn member_room(&self, call: &Call, visitor: Visitor, key: RoomKey) -> Result<RoomView, ChatError> {
        // Most who name a room are in it already, and need no transaction.
        if let Ok(room) = self.room_of(visitor, key.clone()).await
            && self.is_member(visitor, room.id).await?
        {
            return Ok(room);
        }
        let occasion = self.occasion(call.actor());
        match key {
            RoomKey::Id(_) => self.join(occasion, visitor, key).await,
            RoomKey::Slug(slug) => self.enter(occasion, visitor, slug).await,
        }
    }

    async fn say_in_rooms(&self, call: &Call) -> Result<Done, Fault> {
        let NewMessage { room, content, reply_to, file_ids, client_id } = call.read()?;
        let visitor = visitor(call)?;
        let draft = Draft::parse(content, reply_to, client_id)?.carrying(file_ids)?;
        let id = if let Some(id) = heard(call, &room) {
            id
        } else {
            let key = RoomKey::parse(&room).ok_or(ChatError::UnknownRoom).map_err(fault)?;
            self.locate(key).await.map_err(fault)?
        };
        Ok(self.say(call, visitor, id, draft))
    }

    fn say_in_snake(&self, call: &Call) -> Result<Done, Fault> {
        let NewSnakeMessage { room_id, message, client_id } = call.read()?;
        let draft = Draft::parse(message, None, client_id)?;
        let room = heard(call, &room_id).ok_or_else(Fault::not_in_room)?;
        Ok(self.say(call, visitor(call)?, room, draft))
    }

    /// The message has its place when this returns; what came of it is told later.
    fn say(&self, call: &Call, visitor: Visitor, room: RoomId, draft: Draft) -> Done {
        let sent = self.send(self.occasion(call.actor()), visitor, room, draft);
        call.peer().stop_typing(&Topic::of(ROOM, room));
        Done::Later(Box::pin(async move {
            let sent = sent.await.map_err(fault)?;
            raw(&Message { message: &sent.message })
        }))
    }

    async fn say_otherwise(&self, call: &Call) -> Result<Done, Fault> {
        let Edit { message_id, content } = call.read()?;
        let content = checked("content", Content::parse(content))?;
        let (occasion, visitor) = (self.occasion(call.actor()), visitor(call)?);
        let edited = self.edit(occasion, visitor, message_id, content, IfMatch::default()).await;
        let (message, _) = edited.map_err(fault)?;
        Done::with(&Message { message: &message })
    }

    async fn take_back(&self, call: &Call) -> Result<Done, Fault> {
        let OfMessage { message_id } = call.read()?;
        let (occasion, visitor) = (self.occasion(call.actor()), visitor(call)?);
        self.delete(occasion, visitor, message_id, IfMatch::default()).await.map_err(fault)?;
        Ok(Done::plain())
    }

    async fn say_by_emoji(&self, call: &Call) -> Result<Done, Fault> {
        let React { message_id, emoji } = call.read()?;
        let emoji = checked("emoji", Emoji::parse(&emoji))?;
        let (occasion, visitor) = (self.occasion(call.actor()), visitor(call)?);
        let (message, _) = self.react(occasion, visitor, message_id, emoji).await.map_err(fault)?;
        Done::with(&Message { message: &message })
    }

    async fn has_read(&self, call: &Call) -> Result<Done, Fault> {
        let OfMessage { message_id } = call.read()?;
        let (occasion, visitor) = (self.occasion(call.actor()), visitor(call)?);
        Done::with(&self.mark_read(occasion, visitor, message_id).await.map_err(fault)?)
    }
}

/// Hears a room no more; membership stays.
async fn stop_hearing(call: &Call) -> Result<Done, Fault> {
    let name = Named::of(call)?;
    let topic = call.peer().heard_as(ROOM, &name).ok_or_else(Fault::not_in_room)?;
    call.peer().unsubscribe(&topic).await?;
    Ok(Done::plain())
}

fn types(call: &Call, room: &str, is_typing: bool) -> Result<Done, Fault> {
    let topic = call.peer().heard_as(ROOM, room).ok_or_else(Fault::not_in_room)?;
    if is_typing {
        call.peer().start_typing(&topic);
    } else {
        call.peer().stop_typing(&topic);
    }
    Ok(Done::plain())
}

/// The room that the socket hears by this name.
fn heard(call: &Call, name: &str) -> Option<RoomId> {
    call.peer().heard_as(ROOM, name)?.id().parse().ok()
}

fn visitor(call: &Call) -> Result<Visitor, Fault> {
    Ok(Visitor::of(call.actor())?)
}

fn checked<T>(field: &'static str, read: Result<T, Flaw>) -> Result<T, Fault> {
    let mut flaws = Fields::default();
    flaws.take(field, read).ok_or_else(|| flaws.into_refusal().into())
}

fn fault(error: ChatError) -> Fault {
    Refusal::from(error).into()
}
