//! One session: its transport, its heartbeat, its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Link, Observation, Protocol, Transport, payload, server::Engine};
use crate::{
    Reason, Violation,
    websocket::{Frame, Message, Outbound, Take},
};

/// What one polling request carries at most, give or take a batch.
const POLL_BYTES: usize = 256 * 1024;
/// How long a session that the server closed waits for a poll to tell it so.
const LINGER: Duration = Duration::from_secs(5);

pub(super) struct Session<P: Protocol> {
    engine: Arc<Engine<P>>,
    link: Arc<Link>,
    connection: P::Connection,
    state: Mutex<State>,
    /// Whether the protocol was told of the end.
    told: AtomicBool,
}

struct State {
    transport: Transport,
    upgrade: Upgrading,
    polling: bool,
    posting: bool,
    heartbeat: Heartbeat,
    settle_by: Option<Instant>,
    farewell: Farewell,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Upgrading {
    No,
    Begun,
    /// The probe was answered: polls are let go, so that the client can finish.
    Probed,
}

#[derive(Clone, Copy)]
enum Heartbeat {
    PingAt(Instant),
    PongBy(Instant),
}

#[derive(Clone, Copy)]
enum Farewell {
    Unsaid,
    WaitingUntil(Instant),
    Said,
}

/// What the clock and the bodies of answers know of a session.
pub(super) trait Watched: Send + Sync {
    /// Does what is due, and says when to look again.
    fn beat(self: Arc<Self>, now: Instant) -> Option<Instant>;
    /// A polling GET was answered, or given up.
    fn poll_done(&self, delivered: bool);
}

impl<P: Protocol> Session<P> {
    /// Opens a session. The open packet is the caller's to send.
    pub(super) fn open(
        engine: &Arc<Engine<P>>,
        id: String,
        transport: Transport,
        client: P::Client,
    ) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            transport,
            upgrade: Upgrading::No,
            polling: false,
            posting: false,
            heartbeat: Heartbeat::PingAt(now + engine.settings.ping_interval),
            settle_by: engine.settings.settle_within.map(|limit| now + limit),
            farewell: Farewell::Unsaid,
        };
        let session = Arc::new_cyclic(|session: &std::sync::Weak<Self>| {
            let outbound = Outbound::new(engine.settings.outbound);
            let watched: std::sync::Weak<dyn Watched> = session.clone();
            let link = Arc::new(Link::new(id.into(), outbound, engine.pulse.clone(), watched));
            let connection = engine.protocol.opened(&link, client);
            let (engine, state) = (engine.clone(), Mutex::new(state));
            Self { engine, link, connection, state, told: AtomicBool::new(false) }
        });
        engine.observe(Observation::Opened { transport });
        let watched: Arc<dyn Watched> = session.clone();
        engine.pulse.beat_at(session.next_visit(now), Arc::downgrade(&watched));
        session
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(super) fn engine(&self) -> &Engine<P> {
        &self.engine
    }

    /// Whether requests may still name it: while it lives, and until it is told that the server closed it.
    pub(super) fn is_reachable(&self) -> bool {
        let Some(reason) = self.link.ended() else { return true };
        let state = self.state.lock();
        state.transport == Transport::Polling && reason.is_ours() && !matches!(state.farewell, Farewell::Said)
    }

    pub(super) fn is_polling(&self) -> bool {
        self.state.lock().transport == Transport::Polling
    }

    /// One packet of Engine.IO.
    pub(super) async fn receive(&self, packet: Message) -> Result<(), Reason> {
        let Message::Text(mut text) = packet else {
            return self.engine.protocol.received(&self.connection, packet).await;
        };
        match text.as_bytes().first() {
            Some(b'4') => {
                text.remove(0);
                self.engine.protocol.received(&self.connection, Message::Text(text)).await
            }
            Some(b'3') => {
                self.pong();
                Ok(())
            }
            Some(b'1') if text.len() == 1 => Err(Reason::ClientClosed),
            // A server's packets, an upgrade where none is under way, and whatever else there may be.
            _ => Err(Reason::Violation(Violation::BadPacket)),
        }
    }

    /// Ends it for what `receive` found.
    pub(super) fn fail(&self, reason: Reason) {
        if reason.is_ours() || !self.is_polling() { self.link.close(reason) } else { self.link.cut(reason) }
    }

    /// The stream is gone, for a reason that its queue knows.
    pub(super) fn ended_by_stream(&self) {
        if let Some(reason) = self.link.ended() {
            self.after_end(reason, Instant::now());
        }
    }

    fn pong(&self) {
        let next = Instant::now() + self.engine.settings.ping_interval;
        self.state.lock().heartbeat = Heartbeat::PingAt(next);
    }

    /// Claims the place of the one GET that may wait, or of the one POST that may run.
    pub(super) fn begin_request(&self, request: Request) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.transport != Transport::Polling {
            return Err(Refused::Transport);
        }
        let taken = match request {
            Request::Poll => &mut state.polling,
            Request::Post => &mut state.posting,
        };
        if *taken {
            return Err(Refused::Overlap);
        }
        *taken = true;
        Ok(())
    }

    pub(super) fn end_post(&self) {
        self.state.lock().posting = false;
    }

    /// What a waiting GET is answered: all that is queued, or that there is no more to wait for.
    pub(super) fn poll_payload(&self, context: &mut Context<'_>) -> Poll<String> {
        // Held all the while: an upgrade must not happen between looking at the transport and taking frames.
        let mut state = self.state.lock();
        if state.transport != Transport::Polling {
            return Poll::Ready("6".to_owned());
        }
        let (mut body, mut batch) = (String::new(), Vec::new());
        while body.len() < POLL_BYTES {
            match self.link.outbound().poll_take(context, &mut batch) {
                Poll::Ready(Take::Batch) => {
                    batch.drain(..).for_each(|frame| payload::append(&mut body, &frame));
                }
                Poll::Ready(Take::Close(_)) => {
                    state.farewell = Farewell::Said;
                    payload::append_text(&mut body, "1");
                    break;
                }
                Poll::Ready(Take::Cut(reason)) => {
                    let last = if reason == Reason::ClientClosed { "6" } else { "1" };
                    return Poll::Ready(last.to_owned());
                }
                Poll::Pending if body.is_empty() && state.upgrade != Upgrading::Probed => {
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        if body.is_empty() { Poll::Ready("6".to_owned()) } else { Poll::Ready(body) }
    }

    /// Whether a WebSocket may try to take over.
    pub(super) fn begin_upgrade(&self) -> bool {
        let mut state = self.state.lock();
        let may = state.transport == Transport::Polling
            && state.upgrade == Upgrading::No
            && self.link.ended().is_none();
        if may {
            state.upgrade = Upgrading::Begun;
        }
        may
    }

    pub(super) fn probed(&self) {
        self.state.lock().upgrade = Upgrading::Probed;
        self.link.outbound().wake_taker();
    }

    pub(super) fn abandon_upgrade(&self) {
        self.state.lock().upgrade = Upgrading::No;
    }

    /// From here on the WebSocket takes what is queued. False if the session is over.
    pub(super) fn finish_upgrade(&self) -> bool {
        let mut state = self.state.lock();
        state.upgrade = Upgrading::No;
        if self.link.ended().is_some() {
            return false;
        }
        state.transport = Transport::Websocket;
        self.link.outbound().wake_taker();
        drop(state);
        self.engine.observe(Observation::Upgraded);
        true
    }

    fn next_visit(&self, now: Instant) -> Instant {
        let state = self.state.lock();
        let settings = &self.engine.settings;
        let heartbeat = match state.heartbeat {
            Heartbeat::PingAt(at) | Heartbeat::PongBy(at) => at,
        };
        let mut next = heartbeat.min(now + settings.ping_interval);
        if let Some(settle_by) = state.settle_by.filter(|_| !self.link.is_settled()) {
            next = next.min(settle_by);
        }
        if state.transport == Transport::Polling {
            next = next.min(now + settings.outbound.stall);
        }
        next
    }

    /// Ends what is overdue, and pings when it is time.
    fn check(&self, now: Instant) {
        let mut state = self.state.lock();
        if state.settle_by.is_some_and(|by| by <= now) && !self.link.is_settled() {
            drop(state);
            return self.fail(Reason::ConnectTimeout);
        }
        let stalls_at = self.link.outbound().stalls_at();
        if state.transport == Transport::Polling && stalls_at.is_some_and(|at| at <= now) {
            return self.link.outbound().cut(Reason::Stalled);
        }
        let timeout = self.engine.settings.ping_timeout;
        // The server itself stood still, so nobody had a chance to answer or to be heard.
        let late = |at: Instant| now.saturating_duration_since(at) > timeout / 4;
        match state.heartbeat {
            Heartbeat::PingAt(at) if at <= now => {
                state.heartbeat = Heartbeat::PongBy(if late(at) { now } else { at } + timeout);
                // Fails only when the session has ended, which is seen below.
                let _ = self.link.send_uncounted(&Frame::text("2"));
            }
            Heartbeat::PongBy(at) if at <= now && (late(at) || self.link.take_busy()) => {
                state.heartbeat = Heartbeat::PongBy(now + timeout);
            }
            Heartbeat::PongBy(at) if at <= now => self.link.outbound().cut(Reason::PingTimeout),
            _ => {}
        }
    }

    /// Tells the protocol, once, and forgets the session as soon as nobody will ask for it.
    fn after_end(&self, reason: Reason, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        let transport = state.transport;
        let lingers = transport == Transport::Polling && reason.is_ours();
        if lingers && matches!(state.farewell, Farewell::Unsaid) {
            state.farewell = Farewell::WaitingUntil(now + LINGER);
        }
        let waits_until = match state.farewell {
            Farewell::WaitingUntil(until) if lingers && now < until => Some(until),
            _ => None,
        };
        drop(state);
        if !self.told.swap(true, Ordering::Relaxed) {
            self.engine.protocol.ended(&self.connection, reason);
            self.engine.observe(Observation::Ended { transport, reason });
        }
        if waits_until.is_none() {
            self.engine.sessions.remove(self.link.id());
        }
        waits_until
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Poll,
    Post,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    Transport,
    Overlap,
}

impl<P: Protocol> Watched for Session<P> {
    fn beat(self: Arc<Self>, now: Instant) -> Option<Instant> {
        if self.link.ended().is_none() {
            self.check(now);
        }
        match self.link.ended() {
            Some(reason) => self.after_end(reason, now),
            None => Some(self.next_visit(now)),
        }
    }

    fn poll_done(&self, delivered: bool) {
        self.state.lock().polling = false;
        if delivered {
            self.link.outbound().sent();
        } else {
            self.link.cut(Reason::ConnectionLost);
        }
    }
}
