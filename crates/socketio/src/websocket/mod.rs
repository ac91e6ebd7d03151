//! WebSocket streams with bounded queues: what Socket.IO here stands on, and a plain endpoint can stand on too.
//!
//! ```no_run
//! use http::{Request, Response};
//! use stoa_socketio::websocket::{self, Frame, Inbound, Message, Outbound, OutboundLimits};
//!
//! /// Answers every message with itself.
//! fn echo(mut request: Request<hyper::body::Incoming>) -> Response<()> {
//!     let accepted = match websocket::accept(&mut request) {
//!         Ok(accepted) => accepted,
//!         Err(refusal) => {
//!             let mut response = Response::new(());
//!             *response.status_mut() = refusal.status();
//!             return response;
//!         }
//!     };
//!     tokio::spawn(async move {
//!         let Ok((reader, writer)) = accepted.upgrade.stream().await else { return };
//!         let outbound = Outbound::new(OutboundLimits::default());
//!         tokio::spawn(websocket::write(outbound.clone(), writer));
//!         let mut inbound = Inbound::new(reader, outbound.clone(), 64 * 1024);
//!         while let Some(message) = inbound.next().await {
//!             let frame = match message {
//!                 Message::Text(text) => Frame::text(&text),
//!                 Message::Binary(bytes) => Frame::binary(&bytes),
//!             };
//!             if outbound.push(&frame).is_err() {
//!                 break;
//!             }
//!         }
//!         println!("ended: {:?}", outbound.ended());
//!         inbound.farewell().await;
//!     });
//!     accepted.response
//! }
//! ```
//!
//! # What is taken from tungstenite, and why no more
//!
//! Headers of frames, opcodes, close codes and the handshake's digest are tungstenite's. Its `WebSocketContext` is not
//! used, and neither are the other libraries, since each owns what must be shared or small here:
//!
//! - tungstenite and tokio-tungstenite copy each outgoing message into a write buffer of the connection, and keep a
//!   read buffer for it (128 KiB unless told otherwise) while it is idle;
//! - fastwebsockets writes one frame a call, its header made anew for each connection, and keeps the split into a
//!   reader and a writer behind an unstable feature;
//! - soketto and tokio-websockets encode each message into a buffer of the connection, so a message to a thousand clients
//!   is encoded a thousand times.
//!
//! Compression of messages (permessage-deflate) is not offered: its windows cost more memory for each connection than
//! everything else together, and a compressed frame cannot be shared.
//!
//! # What the accept loop should do
//!
//! A stream that is cut is dropped. Bytes that the kernel has taken stay with the kernel until it gives the peer up, so
//! set `TCP_USER_TIMEOUT` (and `TCP_NODELAY`) on accepted sockets: behind hyper's upgrade the socket itself cannot be
//! reached.

mod accept;
mod frame;
mod inbound;
mod outbound;
mod write;

pub use self::{
    accept::{Accepted, NotAnUpgrade, Stream, Upgrade, accept, is_upgrade, offered_protocols},
    frame::Frame,
    inbound::{Heartbeat, Inbound, Message},
    outbound::{Outbound, OutboundLimits, SendError},
    write::write,
};
pub(crate) use self::{frame::Draft, outbound::Take};
pub use crate::pace::Pace;
