//! A client in a namespace, as the application holds it.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde::Serialize;

use crate::{
    AckError, Answer, EncodeError, Packet, Reason,
    ack::Awaited,
    engine::Link,
    websocket::{Frame, SendError},
};

/// One client in one namespace. Cheap to clone; sending never waits, and fails once the client has gone.
#[derive(Clone, Debug)]
pub struct Socket {
    inner: Arc<Inner>,
}

/// Why an event was not queued.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// Its arguments could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The client has gone, or was cut off for it.
    #[error(transparent)]
    Send(#[from] SendError),
}

#[derive(Debug)]
struct Inner {
    id: String,
    namespace: Arc<str>,
    link: Arc<Link>,
    /// Open sockets are sent to without a look at the gate.
    open: AtomicBool,
    gate: Mutex<Gate>,
    awaited: Awaited,
    max_awaited: usize,
    leave: OnceLock<Weak<dyn Leave>>,
}

#[derive(Debug)]
enum Gate {
    /// CONNECT is not answered: what is sent waits here.
    Held(Vec<Packet>),
    Open,
    Left,
}

/// Takes a socket out of its connection.
pub(crate) trait Leave: Send + Sync + std::fmt::Debug {
    fn leave(&self, reason: Reason);
}

impl Socket {
    pub(crate) fn new(id: String, namespace: Arc<str>, link: Arc<Link>, max_awaited: usize) -> Self {
        let (open, gate) = (AtomicBool::new(false), Mutex::new(Gate::Held(Vec::new())));
        let (awaited, leave) = (Awaited::default(), OnceLock::new());
        Self { inner: Arc::new(Inner { id, namespace, link, open, gate, awaited, max_awaited, leave }) }
    }

    pub(crate) fn on_leave(&self, leave: Weak<dyn Leave>) {
        // Set once, by whoever made the socket.
        let _ = self.inner.leave.set(leave);
    }

    /// Its id, which the client knows as `socket.id`. Others may know it too.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Its namespace, `/` for the main one.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Sends an event. Arguments are a tuple, an array or `()`: `socket.emit("greeting", &("hello", 1))`.
    pub fn emit<T: Serialize + ?Sized>(&self, name: &str, arguments: &T) -> Result<(), EmitError> {
        Ok(self.send(&Packet::event(self.namespace(), name, arguments)?)?)
    }

    /// Sends an event and waits for the client's answer.
    pub async fn emit_with_ack<T: Serialize + ?Sized>(
        &self,
        name: &str,
        arguments: &T,
        limit: Duration,
    ) -> Result<Answer, AckError> {
        let expected = self.inner.awaited.expect(self.inner.max_awaited)?;
        let packet = Packet::named(self.namespace(), Some(expected.id), name, arguments, &[])?;
        self.send(&packet).map_err(|_| AckError::Gone)?;
        expected.within(limit).await
    }

    /// Sends a packet that may go to many; it must have been made for this socket's namespace.
    pub fn send(&self, packet: &Packet) -> Result<(), SendError> {
        if self.inner.open.load(Ordering::Acquire) {
            return self.queue(packet);
        }
        match &mut *self.inner.gate.lock() {
            Gate::Open => self.queue(packet),
            Gate::Left => Err(SendError::Ended),
            Gate::Held(held) => self.hold(held, packet),
        }
    }

    /// Sends a packet that does not count in the bounds of the queue: what a client missed, which whoever sends it has
    /// bounded. A client that has not connected yet gets it as any other.
    pub fn send_uncounted(&self, packet: &Packet) -> Result<(), SendError> {
        if !self.inner.open.load(Ordering::Acquire) {
            return self.send(packet);
        }
        self.inner.link.send_uncounted(packet.frame())?;
        packet.attachments().iter().try_for_each(|frame| self.inner.link.send_uncounted(frame))
    }

    /// Sends a packet that loses its worth: while it is queued, a newer one of the same `key` takes its place, and it
    /// never pushes another out. Nothing is kept for a client that has not connected; a packet with attachments is sent
    /// as any other.
    pub fn send_volatile(&self, key: &str, packet: &Packet) -> Result<(), SendError> {
        if !self.inner.open.load(Ordering::Acquire) {
            return self.inner.link.ended().map_or(Ok(()), |_| Err(SendError::Ended));
        }
        if packet.attachments().is_empty() {
            self.inner.link.send_volatile(key, packet.frame())
        } else {
            self.queue(packet)
        }
    }

    /// Takes the socket out of its namespace and tells the client, which does not come back by itself.
    pub fn disconnect(&self) {
        // Fails only when there is nobody left to tell.
        let _ = self.send(&Packet::disconnect(self.namespace()));
        if let Some(member) = self.inner.leave.get().and_then(Weak::upgrade) {
            member.leave(Reason::ServerDisconnected);
        }
    }

    /// Closes the whole connection, with all its sockets, when what is queued is sent. The client comes back by itself.
    pub fn close(&self, reason: Reason) {
        self.inner.link.close(reason);
    }

    /// Ends the whole connection at once; what is queued is dropped. The client comes back by itself.
    pub fn cut(&self, reason: Reason) {
        self.inner.link.cut(reason);
    }

    /// Frames and bytes of its connection that are queued or being written.
    pub fn queued(&self) -> (usize, usize) {
        self.inner.link.queued()
    }

    /// Whether what is sent now may still reach the client.
    pub fn is_connected(&self) -> bool {
        self.inner.open.load(Ordering::Acquire) && self.inner.link.ended().is_none()
    }

    pub(crate) fn resolve(&self, id: u64, answer: Answer) {
        self.inner.awaited.resolve(id, answer);
    }

    /// Tells the client that it is in, then what it missed, then what was held back; from here on it is open.
    pub(crate) fn open(&self, greeting: &Packet, missed: &[Packet]) {
        let mut gate = self.inner.gate.lock();
        let Gate::Held(held) = std::mem::replace(&mut *gate, Gate::Open) else {
            *gate = Gate::Left;
            return;
        };
        for packet in std::iter::once(greeting).chain(missed) {
            self.queue_uncounted(packet.frame());
            packet.attachments().iter().for_each(|frame| self.queue_uncounted(frame));
        }
        for packet in &held {
            // Fails when the client has gone, of which `disconnected` tells.
            let _ = self.queue(packet);
        }
        self.inner.open.store(true, Ordering::Release);
    }

    /// Nothing can be sent any more.
    pub(crate) fn shut(&self) {
        let mut gate = self.inner.gate.lock();
        *gate = Gate::Left;
        self.inner.open.store(false, Ordering::Release);
        drop(gate);
        self.inner.awaited.give_up();
    }

    fn queue(&self, packet: &Packet) -> Result<(), SendError> {
        self.inner.link.send_together(packet.frame(), packet.attachments())
    }

    fn queue_uncounted(&self, frame: &Frame) {
        // Fails when the client has gone, of which `disconnected` tells.
        let _ = self.inner.link.send_uncounted(frame);
    }

    fn hold(&self, held: &mut Vec<Packet>, packet: &Packet) -> Result<(), SendError> {
        if self.inner.link.ended().is_some() {
            return Err(SendError::Ended);
        }
        if held.len() >= self.inner.link.max_frames() {
            self.inner.link.cut(Reason::QueueFull);
            return Err(SendError::Overflow);
        }
        held.push(packet.clone());
        Ok(())
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Socket {}
