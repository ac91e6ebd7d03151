//! Requests to sessions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, header::ORIGIN};
use tokio::time::{Instant, sleep_until};

use super::{
    Body, Handshake, Hooks, Observation, Protocol, Refusal, Settings, Transport,
    handshake::{Query, respond_text},
    polling,
    pulse::Pulse,
    session::Session,
    sessions::Sessions,
    stream,
};
use crate::{
    Reason,
    websocket::{Frame, is_upgrade},
};

/// An Engine.IO server. Cloned, it is the same one.
pub struct Server<P: Protocol> {
    engine: Arc<Engine<P>>,
}

pub(super) struct Engine<P: Protocol> {
    pub(super) protocol: P,
    pub(super) settings: Settings,
    pub(super) sessions: Sessions<P>,
    pub(super) pulse: Arc<Pulse>,
    hooks: Arc<Hooks>,
    draining: AtomicBool,
}

impl<P: Protocol> Engine<P> {
    pub(super) fn observe(&self, observation: Observation) {
        (self.hooks.observe)(&observation);
    }
}

impl<P: Protocol> Server<P> {
    /// A server that speaks `protocol`.
    pub fn new(protocol: P, settings: Settings, hooks: Arc<Hooks>) -> Self {
        let sessions = Sessions::new(settings.max_sessions);
        let (pulse, draining) = (Arc::default(), AtomicBool::new(false));
        Self { engine: Arc::new(Engine { protocol, settings, sessions, pulse, hooks, draining }) }
    }

    /// Answers a request, whatever its path. For a WebSocket, the connection must be served with upgrades.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let answer = self.answer(request).await;
        answer.unwrap_or_else(|refusal| {
            self.engine.observe(Observation::Refused { status: refusal.status() });
            refusal.into_response()
        })
    }

    async fn answer<B>(&self, request: Request<B>) -> Result<Response<Body>, Refusal>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let query = Query::parse(request.uri().query().unwrap_or_default())?;
        if !(self.engine.hooks.origin)(request.headers().get(ORIGIN)) {
            return Err(Refusal::forbidden("Origin not allowed"));
        }
        let upgrade = is_upgrade(request.headers());
        let Some(sid) = &query.sid else {
            query.check_handshake(request.method(), upgrade)?;
            return self.open(request, query.transport);
        };
        let session = self.engine.sessions.find(sid).ok_or_else(Refusal::unknown_session)?;
        match (query.transport, request.method()) {
            (Transport::Websocket, _) if upgrade => take_over(session, request),
            (Transport::Polling, &Method::GET) if !upgrade => polling::poll(session).await,
            (Transport::Polling, &Method::POST) => polling::post(session, request.into_body()).await,
            _ => Err(Refusal::bad_request()),
        }
    }

    fn open<B>(&self, mut request: Request<B>, transport: Transport) -> Result<Response<Body>, Refusal> {
        let engine = &self.engine;
        if engine.draining.load(Ordering::Relaxed) {
            return Err(Refusal::unavailable("Draining", 1));
        }
        if !engine.sessions.has_room() {
            return Err(Refusal::unavailable("Too many sessions", 5));
        }
        let (uri, headers, extensions) = (request.uri(), request.headers(), request.extensions());
        let client = engine.protocol.admit(&Handshake { uri, headers, extensions, transport })?;
        let id = engine.hooks.random_id::<20>().ok_or_else(|| Refusal::unavailable("No randomness", 1))?;
        let greeting = self.greeting(&id, transport);
        if transport == Transport::Polling {
            self.keep(Session::open(engine, id, transport, client))?;
            return Ok(respond_text(Bytes::from(greeting)));
        }
        let (response, upgrade) = stream::accept(&mut request)?;
        let session = Session::open(engine, id, transport, client);
        // Fails only when the session has ended.
        let _ = session.link().send_uncounted(&Frame::text(&greeting));
        self.keep(session.clone())?;
        tokio::spawn(stream::carry(session, upgrade));
        Ok(response)
    }

    fn keep(&self, session: Arc<Session<P>>) -> Result<(), Refusal> {
        if self.engine.sessions.insert(session.clone()) {
            return Ok(());
        }
        session.link().cut(Reason::Application("too_many_sessions"));
        Err(Refusal::unavailable("Too many sessions", 5))
    }

    fn greeting(&self, id: &str, transport: Transport) -> String {
        let settings = &self.engine.settings;
        let upgrades: &[&str] = if transport == Transport::Polling { &["websocket"] } else { &[] };
        let greeting = serde_json::json!({
            "sid": id,
            "upgrades": upgrades,
            "pingInterval": millis(settings.ping_interval),
            "pingTimeout": millis(settings.ping_timeout),
            "maxPayload": settings.max_payload,
        });
        format!("0{greeting}")
    }

    /// Sessions that live.
    pub fn sessions(&self) -> usize {
        self.engine.sessions.count()
    }

    /// Refuses new sessions with 503 and closes those that live, spread evenly over `duration`, so that clients do not
    /// all come back at once. Nothing tells them to stay away, so they reconnect elsewhere.
    pub async fn drain(&self, duration: Duration) {
        self.engine.draining.store(true, Ordering::Relaxed);
        let sessions = self.engine.sessions.all();
        let (start, count) = (Instant::now(), u32::try_from(sessions.len()).unwrap_or(u32::MAX));
        for (number, session) in (1_u32..).zip(sessions) {
            session.link().close(Reason::Draining);
            sleep_until(start + duration.mul_f64(f64::from(number) / f64::from(count.max(1)))).await;
        }
    }
}

fn take_over<P: Protocol, B>(
    session: Arc<Session<P>>,
    mut request: Request<B>,
) -> Result<Response<Body>, Refusal> {
    let (response, upgrade) = stream::accept(&mut request)?;
    if session.begin_upgrade() {
        tokio::spawn(stream::take_over(session, upgrade));
    } else {
        // Accepted first, since clients' libraries tell a closed stream apart better than a refused one.
        tokio::spawn(stream::turn_away(upgrade));
    }
    Ok(response)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl<P: Protocol> Clone for Server<P> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone() }
    }
}

impl<P: Protocol> std::fmt::Debug for Server<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}
