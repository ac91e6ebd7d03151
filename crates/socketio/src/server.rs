//! The server that an application builds and mounts.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response};

use crate::{
    Body, Handler, Handshake, Observation, Reason, Refusal,
    connection::Connection,
    engine::{self, Hooks, Link, Protocol, Settings},
    websocket::{Message, OutboundLimits},
};

/// A Socket.IO server. Cloned, it is the same one.
pub struct Server<H: Handler> {
    engine: engine::Server<SocketIo<H>>,
}

/// What all connections share.
pub(crate) struct App<H> {
    pub(crate) handler: H,
    pub(crate) limits: Limits,
    pub(crate) hooks: Arc<Hooks>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) namespaces: usize,
    pub(crate) attachments: usize,
    pub(crate) attachment_bytes: usize,
    pub(crate) events_per_second: Option<u32>,
    pub(crate) inbox: usize,
    pub(crate) awaited: usize,
}

impl<H: Handler> Server<H> {
    /// Starts to build a server for `handler`.
    pub fn builder(handler: H) -> Builder<H> {
        let limits = Limits {
            namespaces: 8,
            attachments: 10,
            attachment_bytes: 64 * 1024,
            events_per_second: Some(100),
            inbox: 64,
            awaited: 128,
        };
        let settings = Settings { settle_within: Some(Duration::from_secs(45)), ..Settings::default() };
        Builder { handler, settings, limits, hooks: Hooks::default() }
    }

    /// Answers a request under `/socket.io/`; its path is not looked at. The connection must be served with upgrades
    /// (`hyper_util::server::conn::auto::Builder::serve_connection_with_upgrades`, or `axum::serve`).
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        self.engine.handle(request).await
    }

    /// Connections that live.
    pub fn sessions(&self) -> usize {
        self.engine.sessions()
    }

    /// Refuses new connections with 503 and closes those that live, spread evenly over `duration`. No DISCONNECT is
    /// sent, so clients come back by themselves, to another server.
    pub async fn drain(&self, duration: Duration) {
        self.engine.drain(duration).await;
    }
}

impl<H: Handler> Clone for Server<H> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone() }
    }
}

impl<H: Handler> std::fmt::Debug for Server<H> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

/// What may be set before a server runs.
#[derive(Debug)]
pub struct Builder<H> {
    handler: H,
    settings: Settings,
    limits: Limits,
    hooks: Hooks,
}

impl<H: Handler> Builder<H> {
    /// Between a client's pong and the next ping. Default 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.settings.ping_interval = interval;
        self
    }

    /// How long a pong may take. Default 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.settings.ping_timeout = timeout;
        self
    }

    /// How long a connection may last before it has joined a namespace. Default 45 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.settle_within = Some(timeout);
        self
    }

    /// How long the upgrade from long polling may take. Default 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.settings.upgrade_timeout = timeout;
        self
    }

    /// Bytes of one message, and of the body of one POST. Default 64 KiB.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// What a client may be owed before it is cut off.
    pub fn outbound(mut self, limits: OutboundLimits) -> Self {
        self.settings.outbound = limits;
        self
    }

    /// Connections at once; one more gets 503. Default 100,000.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.settings.max_sessions = sessions;
        self
    }

    /// Namespaces that one connection may be in. Default 8.
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.limits.namespaces = namespaces;
        self
    }

    /// Attachments of one packet, and their bytes together. Default 10 and 64 KiB.
    pub fn max_attachments(mut self, attachments: usize, bytes: usize) -> Self {
        self.limits.attachments = attachments;
        self.limits.attachment_bytes = bytes;
        self
    }

    /// Packets that a client may send in a second, a second's worth at once. Default 100; `None` is no limit.
    pub fn max_events_per_second(mut self, events: Option<u32>) -> Self {
        self.limits.events_per_second = events;
        self
    }

    /// Events of one socket that wait for its handler before no more of the client is read. Default 64.
    pub fn max_inbox(mut self, events: usize) -> Self {
        self.limits.inbox = events.max(1);
        self
    }

    /// Answers that one socket may owe to `emit_with_ack`. Default 128.
    pub fn max_awaited_acks(mut self, acks: usize) -> Self {
        self.limits.awaited = acks;
        self
    }

    /// Which `Origin`s are served; asked for every request, with `None` where there is no such header. Refused ones get
    /// 403. Default: all.
    pub fn origin(mut self, allowed: impl Fn(Option<&HeaderValue>) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.origin = Box::new(allowed);
        self
    }

    /// Told what happens, for metrics and logs. It must be quick.
    pub fn observe(mut self, observe: impl Fn(&Observation) + Send + Sync + 'static) -> Self {
        self.hooks.observe = Box::new(observe);
        self
    }

    /// Where the randomness of ids comes from: fills the bytes, or says that it cannot. Default: the operating system.
    pub fn random(mut self, random: impl Fn(&mut [u8]) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.random = Box::new(random);
        self
    }

    /// The server. It starts no task before its first connection.
    pub fn build(self) -> Server<H> {
        let hooks = Arc::new(self.hooks);
        let app = Arc::new(App { handler: self.handler, limits: self.limits, hooks: hooks.clone() });
        Server { engine: engine::Server::new(SocketIo { app }, self.settings, hooks) }
    }
}

/// Socket.IO as a protocol over Engine.IO.
struct SocketIo<H> {
    app: Arc<App<H>>,
}

impl<H: Handler> Protocol for SocketIo<H> {
    type Client = H::Client;
    type Connection = Arc<Connection<H>>;

    fn admit(&self, handshake: &Handshake<'_>) -> Result<H::Client, Refusal> {
        self.app.handler.admit(handshake)
    }

    fn opened(&self, link: &Arc<Link>, client: H::Client) -> Arc<Connection<H>> {
        Connection::new(self.app.clone(), link.clone(), client)
    }

    async fn received(&self, connection: &Arc<Connection<H>>, message: Message) -> Result<(), Reason> {
        connection.received(message).await
    }

    fn ended(&self, connection: &Arc<Connection<H>>, reason: Reason) {
        connection.ended(reason);
    }
}
