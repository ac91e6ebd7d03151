//! Realtime: one hub of events, and the ends at which clients hear it.
//!
//! The hub follows the event log and tells each event to the sockets that are subscribed to its topic, in the order of
//! the log. A *dialect* gives events names and shapes on the wire; domains say theirs in [`Sockets`], and the names of all
//! stand together in [`WORDS`]. A client that comes back, after a break, a crash or a deploy, is given exactly what it
//! missed: what it hears is kept under a session, and the log has the rest.
//!
//! It knows the kernel, the platform and the Socket.IO server below it; of shops and chats it knows names only.

mod admission;
mod arrive;
mod attend;
mod call;
mod dialect;
mod doors;
mod fault;
mod gate;
mod hear;
mod hub;
mod ledger;
mod line;
mod lobby;
mod measures;
mod neighbours;
mod peer;
mod presence;
mod recover;
mod relayed;
mod roster;
mod sessions;
mod settings;
mod socketio_end;
mod sockets;
mod store;
mod topic;
mod topics;
mod typing;
mod utterance;
mod websocket_end;
mod whisper;

pub use stoa_socketio::Body;

pub use self::{
    admission::ClientAddress,
    call::Call,
    dialect::{Dialect, WORDS, Way, Word},
    doors::Doors,
    fault::Fault,
    hub::{Hub, Running},
    peer::Peer,
    sessions::ForgetSessions,
    settings::RealtimeSettings,
    sockets::{Done, Effect, Hearer, Later, Said, Sockets, raw},
    topic::Topic,
};

use stoa_platform::database::Migration;

/// The tables of the hub.
pub const MIGRATIONS: &[Migration] =
    &[Migration::shared(60, "realtime", include_str!("../../../migrations/0060_realtime.sql"))];
