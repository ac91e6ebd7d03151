//! A Socket.IO server for hyper: Engine.IO 4 and Socket.IO 5, over WebSocket and long polling.
//!
//! - A client's messages are handled in order, each awaited before the next, and none comes before its `connect` is done.
//! - Whoever sends never waits: each client has a queue bounded by count and bytes, of frames encoded once and shared by
//!   all who get them. A client that reads too slowly is cut off, and says so to [`Handler::disconnected`].
//! - The application decides what a client that comes back has missed, before its CONNECT is answered: the connection
//!   state recovery of socket.io-client 4.6 and later.
//! - What a client sends is bounded while it is read, and breaks nothing but its own connection.
//!
//! Write a [`Handler`], build a [`Server`], and give it the requests under `/socket.io/`. Below it lie two layers of
//! their own: [`engine`], for another protocol over the same sessions, and [`websocket`], for plain endpoints with the
//! same bounded queues.
//!
//! ```no_run
//! use stoa_socketio::{Accepted, Ack, Connect, Event, Handler, Handshake, Reason, Refusal, Refused, Server, Socket};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     type Client = ();
//!     type State = ();
//!
//!     fn admit(&self, _: &Handshake<'_>) -> Result<(), Refusal> {
//!         Ok(())
//!     }
//!
//!     async fn connect(&self, _: Connect<'_, ()>) -> Result<Accepted<()>, Refused> {
//!         Ok(Accepted::new(()))
//!     }
//!
//!     async fn event(&self, socket: &Socket, _: &mut (), event: Event, ack: Option<Ack>) {
//!         let arguments: Vec<serde_json::Value> = event.arguments().unwrap_or_default();
//!         // Fails when the client has gone, of which `disconnected` tells.
//!         let _ = match ack {
//!             Some(ack) => ack.answer(&arguments),
//!             None => socket.emit(event.name(), &arguments),
//!         };
//!     }
//!
//!     async fn disconnected(&self, _: &Socket, _: (), _: Reason) {}
//! }
//!
//! let server = Server::builder(Echo).build();
//! ```

mod ack;
mod connection;
pub mod engine;
mod handler;
mod member;
mod pace;
mod packet;
mod reason;
mod server;
mod socket;
pub mod websocket;

pub use self::{
    ack::{Ack, AckError},
    engine::{Body, Handshake, Observation, Refusal, Transport},
    handler::{Accepted, Connect, Handler, Recovery, Refused},
    packet::{Answer, EncodeError, Event, Packet, Placeholder},
    reason::{Reason, Violation},
    server::{Builder, Server},
    socket::{EmitError, Socket},
};
