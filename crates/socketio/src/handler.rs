//! What an application says to its clients' doings.

use std::future::Future;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Ack, Event, Handshake, Packet, Reason, Refusal, Socket};

/// An application. Its calls for one socket come one after the other, each awaited: `connect`, then every `event`, then
/// `disconnected`. Different sockets run side by side. A call that panics ends its own connection.
pub trait Handler: Send + Sync + 'static {
    /// What is remembered of the handshake for all sockets of a connection: the client's address, a cookie's user.
    type Client: Send + Sync + 'static;
    /// What is kept of a socket between its events.
    type State: Send + 'static;

    /// Decides whether a connection may begin. The place for limits by address.
    fn admit(&self, handshake: &Handshake<'_>) -> Result<Self::Client, Refusal>;

    /// Which namespaces there are besides the main one.
    fn has_namespace(&self, name: &str) -> bool {
        name == "/"
    }

    /// A client wants to join a namespace. What is sent to the socket meanwhile is kept back until it has been told that
    /// it is in.
    fn connect(
        &self,
        connect: Connect<'_, Self::Client>,
    ) -> impl Future<Output = Result<Accepted<Self::State>, Refused>> + Send;

    /// A client sent an event; `ack` is there if it wants an answer.
    fn event(
        &self,
        socket: &Socket,
        state: &mut Self::State,
        event: Event,
        ack: Option<Ack>,
    ) -> impl Future<Output = ()> + Send;

    /// A socket that had connected is gone; nothing of it comes after this.
    fn disconnected(
        &self,
        socket: &Socket,
        state: Self::State,
        reason: Reason,
    ) -> impl Future<Output = ()> + Send;

    /// A client sends more events a second than it may, and its connection is about to be closed. A last word to it.
    fn overloaded(&self, socket: &Socket) -> Option<Packet> {
        let _ = socket;
        None
    }
}

/// A client that wants to join a namespace.
#[derive(Debug)]
pub struct Connect<'a, C> {
    /// The socket that it will have.
    pub socket: &'a Socket,
    /// What [`Handler::admit`] remembered.
    pub client: &'a C,
    /// The JSON object that the client sent, or nothing.
    pub(crate) auth: &'a str,
}

impl<C> Connect<'_, C> {
    /// What the client sent to show who it is (`auth` of socket.io-client), as an object; `{}` when there is nothing.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(if self.auth.is_empty() { "{}" } else { self.auth })
    }

    /// The session that the client wants to take up again. It need not exist, or be this client's.
    pub fn recovery(&self) -> Option<Recovery> {
        self.auth().ok()
    }
}

/// What socket.io-client 4.6 and later sends when it comes back, merged into its `auth`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Recovery {
    /// The `pid` that an earlier [`Accepted::pid`] gave it.
    pub pid: String,
    /// The last argument of the last event that it heard whose last argument was a string; none if it heard none.
    #[serde(default)]
    pub offset: Option<String>,
}

/// A client is in.
#[derive(Clone, Debug)]
pub struct Accepted<S> {
    pub(crate) state: S,
    pub(crate) pid: Option<String>,
    pub(crate) missed: Vec<Packet>,
}

impl<S> Accepted<S> {
    /// With what is kept of the socket.
    pub fn new(state: S) -> Self {
        Self { state, pid: None, missed: Vec::new() }
    }

    /// The session's private id, by which the client may come back. The client finds itself recovered if it is the one
    /// that it asked for. From here on the client takes the last argument of each event, if it is a string, for an
    /// offset: end durable events with theirs, and others with none.
    pub fn pid(mut self, pid: impl Into<String>) -> Self {
        self.pid = Some(pid.into());
        self
    }

    /// What the client missed: sent after it was told that it is in, before anything else. It does not count in the
    /// bounds of the queue, so bound it.
    pub fn missed(mut self, packets: Vec<Packet>) -> Self {
        self.missed = packets;
        self
    }
}

/// A client is not let in: its `connect_error`.
#[derive(Clone, PartialEq, Debug)]
pub struct Refused {
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl Refused {
    /// `error.message` at the client.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// `error.data` at the client.
    pub fn data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}
