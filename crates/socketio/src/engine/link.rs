//! The way back to a client: what a protocol holds of its session.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use super::{pulse::Pulse, session::Watched};
use crate::{
    Reason,
    websocket::{Frame, Outbound, SendError},
};

/// One session, as those see it who send to it or end it. Held beyond its end it costs a little memory and sends
/// nothing.
pub struct Link {
    id: Arc<str>,
    outbound: Arc<Outbound>,
    pulse: Arc<Pulse>,
    session: Weak<dyn Watched>,
    settled: AtomicBool,
    /// The application keeps the reader waiting, so a pong may lie unread.
    busy: AtomicBool,
    /// It did since the heartbeat was last looked at.
    was_busy: AtomicBool,
}

impl Link {
    pub(super) fn new(
        id: Arc<str>,
        outbound: Arc<Outbound>,
        pulse: Arc<Pulse>,
        session: Weak<dyn Watched>,
    ) -> Self {
        let [settled, busy, was_busy] = [const { AtomicBool::new(false) }; 3];
        Self { id, outbound, pulse, session, settled, busy, was_busy }
    }

    /// The `sid` of the session. Whoever knows it can speak as the client: it belongs into no log.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn shared_id(&self) -> Arc<str> {
        self.id.clone()
    }

    /// Sends a message of the session's own protocol. Its text must begin with `4` (an Engine.IO message); binary
    /// messages are as they are. No room for it cuts the session.
    pub fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.send_together(frame, &[])
    }

    /// Sends messages with nothing between them, or none.
    pub fn send_together(&self, first: &Frame, rest: &[Frame]) -> Result<(), SendError> {
        let sent = self.outbound.push_together(first, rest);
        if sent == Err(SendError::Overflow) {
            self.look_after();
        }
        sent
    }

    pub(crate) fn send_uncounted(&self, frame: &Frame) -> Result<(), SendError> {
        self.outbound.push_uncounted(frame)
    }

    /// Sends a message that may be replaced by a newer one of the same key while it is queued.
    pub fn send_volatile(&self, key: &str, frame: &Frame) -> Result<(), SendError> {
        self.outbound.push_volatile(key, frame)
    }

    /// Frames and bytes queued or being written.
    pub fn queued(&self) -> (usize, usize) {
        self.outbound.queued()
    }

    /// Why the session ended, if it did.
    pub fn ended(&self) -> Option<Reason> {
        self.outbound.ended()
    }

    /// Ends the session when all is sent.
    pub fn close(&self, reason: Reason) {
        self.outbound.close(reason);
        self.look_after();
    }

    /// Ends the session at once.
    pub fn cut(&self, reason: Reason) {
        self.outbound.cut(reason);
        self.look_after();
    }

    /// The session has a purpose now, and `Settings::settle_within` no longer holds.
    pub fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// While nothing of the client is read, a missing pong is not its fault.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
        self.was_busy.fetch_or(busy, Ordering::Relaxed);
    }

    /// Whether nothing was read of the client now or since this was last asked.
    pub(super) fn take_busy(&self) -> bool {
        let was_busy = self.was_busy.swap(false, Ordering::Relaxed);
        let busy = self.busy.load(Ordering::Relaxed);
        self.was_busy.fetch_or(busy, Ordering::Relaxed);
        was_busy || busy
    }

    pub(crate) fn max_frames(&self) -> usize {
        self.outbound.limits().frames
    }

    pub(super) fn outbound(&self) -> &Arc<Outbound> {
        &self.outbound
    }

    /// The end is told by the server's own task: whoever sends may hold locks of the application.
    fn look_after(&self) {
        self.pulse.beat_now(self.session.clone());
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Link").field("queued", &self.queued()).finish_non_exhaustive()
    }
}
