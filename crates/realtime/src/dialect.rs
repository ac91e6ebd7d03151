//! The dialects: every word that is said or heard on a socket, in one table.
//!
//! The hub carries events; a dialect gives them names and shapes that a kind of client knows. Shapes are the domains'
//! (their `sockets.rs`); names are here, so that they can be looked at together, and `docs/realtime.md` is held to them.

use serde::{Deserialize, Serialize};

/// A way of naming things on the wire. How a client subscribes decides in which it is told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Chat with dashes, over Socket.IO: `new-message`.
    Rooms,
    /// Chat with underscores, over Socket.IO and `/ws`: `message`.
    Snake,
    /// Orders, stock and notifications, over both.
    Shop,
    /// The guests' chat at `/ws/lobby`.
    Lobby,
    /// What every client says and hears: signing in, coming back, what went wrong.
    Every,
}

/// Who says a word, and whether it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Way {
    /// The client says it.
    In,
    /// The client hears it with an offset, and again if it missed it.
    Durable,
    /// The client hears it if it is there.
    Volatile,
}

/// A word of a dialect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    /// As it is on the wire.
    pub name: &'static str,
    /// Of which dialect.
    pub dialect: Dialect,
    /// Who says it.
    pub way: Way,
}

macro_rules! words {
    ($($dialect:ident $way:ident: $($name:literal)+;)+) => {
        &[$($(Word { name: $name, dialect: Dialect::$dialect, way: Way::$way },)+)+]
    };
}

/// All words.
pub const WORDS: &[Word] = words! {
    Every In: "authenticate" "resume";
    Every Volatile: "authenticated" "unauthorized" "error" "ack";

    Rooms In: "join-room" "leave-room" "send-message" "message-edit" "message-delete" "message-react" "message-read"
        "typing-start" "typing-stop" "user-status";
    Rooms Durable: "new-message" "message-edited" "message-deleted" "message-reaction" "message-pinned"
        "message-unpinned" "message-read-receipt" "member-joined" "member-left" "room-closed";
    Rooms Volatile: "user-online" "user-offline" "online-users" "user-typing" "user-status-update";

    Snake In: "join_room" "leave_room" "send_message" "typing";
    Snake Durable: "message" "message_edited" "message_deleted" "message_reaction" "message_read" "room_closed";
    Snake Volatile: "user_joined" "user_left" "typing";

    Shop In: "track_order" "untrack_order" "track_inventory" "untrack_inventory";
    Shop Durable: "order_status_update" "inventory_update" "real_time_notification" "system_announcement";

    Lobby In: "join" "message";
    Lobby Volatile: "join" "leave" "message" "users" "error";
};
