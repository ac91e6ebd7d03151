//! An Engine.IO 4 server: sessions over WebSocket and long polling, with upgrade from one to the other.
//!
//! Socket.IO is one [`Protocol`] on top of it; another may be put there. Messages of a session come in order, one after
//! the other, and go out through one bounded queue whichever transport carries them: a polling request and the writer
//! of a stream take from the same queue, so nothing is lost or overtaken when a session moves from one to the other.

mod body;
mod handshake;
mod link;
mod payload;
mod polling;
mod pulse;
mod server;
mod session;
mod sessions;
mod settings;
mod stream;

use std::{future::Future, sync::Arc};

use crate::{Reason, websocket::Message};

pub use self::{
    body::Body,
    handshake::{Handshake, Refusal, Transport},
    link::Link,
    server::Server,
    settings::{Hooks, Observation, Settings},
};

/// What is spoken over sessions.
pub trait Protocol: Send + Sync + 'static {
    /// What is remembered of a handshake.
    type Client: Send + 'static;
    /// What is kept of a session.
    type Connection: Send + Sync + 'static;

    /// Decides whether a new session may begin: who asks, from where, how often.
    fn admit(&self, handshake: &Handshake<'_>) -> Result<Self::Client, Refusal>;

    /// A session began.
    fn opened(&self, link: &Arc<Link>, client: Self::Client) -> Self::Connection;

    /// A message came. The next one waits until this future is done; an error ends the session.
    fn received(
        &self,
        connection: &Self::Connection,
        message: Message,
    ) -> impl Future<Output = Result<(), Reason>> + Send;

    /// The session ended. Told once, after which nothing comes any more.
    fn ended(&self, connection: &Self::Connection, reason: Reason);
}
