//! What happened in a room, in the words of each dialect.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use stoa_contracts::{
    accounts::Person,
    chat::{
        MemberJoined, MemberLeft, MessageDeleted, MessageEdited, MessageId, MessagePinned, MessageReaction,
        MessageRead, MessageSent, MessageUnpinned, RoomRole,
    },
};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::events::{HandlerError, StoredEvent};
use stoa_realtime::{Dialect, Hearer, Said};

type Told = Result<Option<Said>, HandlerError>;

/// `message` of the snake dialect.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnakeMessage<'a> {
    id: MessageId,
    seq: i64,
    user_id: UserId,
    room_id: &'a str,
    message: &'a str,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

/// `message_edited` of the snake dialect.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnakeEdited<'a> {
    id: MessageId,
    seq: i64,
    user_id: UserId,
    room_id: &'a str,
    message: &'a str,
    edited_at: Option<Timestamp>,
}

/// `message_deleted` of the snake dialect.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnakeDeleted<'a> {
    id: MessageId,
    seq: i64,
    room_id: &'a str,
}

/// `message_reaction` of the snake dialect.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnakeReaction<'a> {
    id: MessageId,
    seq: i64,
    room_id: &'a str,
    user_id: UserId,
    emoji: &'a str,
    added: bool,
    count: u32,
}

/// `message_read` of the snake dialect.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnakeRead<'a> {
    id: MessageId,
    seq: i64,
    room_id: &'a str,
    user_id: UserId,
}

/// `message-deleted`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TakenBack<'a> {
    message_id: MessageId,
    room: &'a str,
    seq: i64,
    deleted_by: UserId,
    deleted_at: Timestamp,
}

/// `message-reaction`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reaction<'a> {
    message_id: MessageId,
    room: &'a str,
    seq: i64,
    user_id: UserId,
    emoji: &'a str,
    added: bool,
    count: u32,
}

/// `message-pinned`, `message-unpinned`, `message-read-receipt`: somebody did something with a message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Touched<'a> {
    message_id: MessageId,
    room: &'a str,
    seq: i64,
    user_id: UserId,
}

/// `member-joined`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Joined<'a> {
    room: &'a str,
    user_id: UserId,
    person: &'a Person,
    role: RoomRole,
}

/// `member-left`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Left<'a> {
    room: &'a str,
    user_id: UserId,
    banned: bool,
}

/// `room-closed`.
#[derive(Serialize)]
struct Closed<'a> {
    room: &'a str,
}

/// `room_closed` of the snake dialect.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnakeClosed<'a> {
    room_id: &'a str,
}

/// An event whose message is handed on as it is.
#[derive(Deserialize)]
struct Carrying<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

pub(super) fn message_sent(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    match hearer.dialect {
        Dialect::Rooms => whole_message("new-message", event, hearer),
        Dialect::Snake => {
            let MessageSent { message, client_id, .. } = event.payload()?;
            let told = SnakeMessage {
                id: message.id,
                seq: message.seq,
                user_id: message.sender.id,
                room_id: hearer.named(),
                message: &message.content,
                timestamp: message.created_at,
                client_id: client_id.as_deref(),
            };
            Said::new("message", &told).map(Some)
        }
        _ => Ok(None),
    }
}

pub(super) fn message_edited(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    match hearer.dialect {
        Dialect::Rooms => whole_message("message-edited", event, hearer),
        Dialect::Snake => {
            let MessageEdited { message, .. } = event.payload()?;
            let told = SnakeEdited {
                id: message.id,
                seq: message.seq,
                user_id: message.sender.id,
                room_id: hearer.named(),
                message: &message.content,
                edited_at: message.edited_at,
            };
            Said::new("message_edited", &told).map(Some)
        }
        _ => Ok(None),
    }
}

/// The message as REST shows it, its room as the client calls it.
fn whole_message(word: &'static str, event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let Carrying { message } = serde_json::from_str(&event.payload)?;
    let Some(name) = hearer.name else { return Ok(Some(Said { word, payload: message.to_owned() })) };
    let name = to_raw_value(name)?;
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_str(message.get())?;
    fields.insert("room", &name);
    Said::new(word, &fields).map(Some)
}

pub(super) fn message_deleted(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let MessageDeleted { message_id, seq, deleted_by, deleted_at, .. } = event.payload()?;
    let room = hearer.named();
    match hearer.dialect {
        Dialect::Rooms => {
            let told = TakenBack { message_id, room, seq, deleted_by, deleted_at };
            Said::new("message-deleted", &told).map(Some)
        }
        Dialect::Snake => {
            Said::new("message_deleted", &SnakeDeleted { id: message_id, seq, room_id: room }).map(Some)
        }
        _ => Ok(None),
    }
}

pub(super) fn message_reaction(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let MessageReaction { message_id, seq, user_id, emoji, added, count, .. } = event.payload()?;
    let (room, emoji) = (hearer.named(), emoji.as_str());
    match hearer.dialect {
        Dialect::Rooms => {
            let told = Reaction { message_id, room, seq, user_id, emoji, added, count };
            Said::new("message-reaction", &told).map(Some)
        }
        Dialect::Snake => {
            let told = SnakeReaction { id: message_id, seq, room_id: room, user_id, emoji, added, count };
            Said::new("message_reaction", &told).map(Some)
        }
        _ => Ok(None),
    }
}

pub(super) fn message_read(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let MessageRead { message_id, seq, user_id, .. } = event.payload()?;
    let room = hearer.named();
    match hearer.dialect {
        Dialect::Rooms => {
            Said::new("message-read-receipt", &Touched { message_id, room, seq, user_id }).map(Some)
        }
        Dialect::Snake => {
            let told = SnakeRead { id: message_id, seq, room_id: room, user_id };
            Said::new("message_read", &told).map(Some)
        }
        _ => Ok(None),
    }
}

pub(super) fn message_pinned(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let MessagePinned { message_id, seq, user_id, .. } = event.payload()?;
    in_rooms("message-pinned", hearer, &Touched { message_id, room: hearer.named(), seq, user_id })
}

pub(super) fn message_unpinned(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let MessageUnpinned { message_id, seq, user_id, .. } = event.payload()?;
    in_rooms("message-unpinned", hearer, &Touched { message_id, room: hearer.named(), seq, user_id })
}

pub(super) fn member_joined(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let MemberJoined { user_id, person, role, .. } = event.payload()?;
    in_rooms("member-joined", hearer, &Joined { room: hearer.named(), user_id, person: &person, role })
}

pub(super) fn member_left(event: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    let MemberLeft { user_id, banned, .. } = event.payload()?;
    in_rooms("member-left", hearer, &Left { room: hearer.named(), user_id, banned })
}

pub(super) fn room_closed(_: &StoredEvent, hearer: &Hearer<'_>) -> Told {
    match hearer.dialect {
        Dialect::Rooms => Said::new("room-closed", &Closed { room: hearer.named() }).map(Some),
        Dialect::Snake => Said::new("room_closed", &SnakeClosed { room_id: hearer.named() }).map(Some),
        _ => Ok(None),
    }
}

/// The snake dialect has no word for it.
fn in_rooms<T: Serialize>(word: &'static str, hearer: &Hearer<'_>, told: &T) -> Told {
    if hearer.dialect == Dialect::Rooms { Said::new(word, told).map(Some) } else { Ok(None) }
}
