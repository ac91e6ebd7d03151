//! The way to a client, of whichever kind.

use std::sync::Arc;

use stoa_socketio::{Reason, Socket, websocket::Outbound};

use crate::utterance::Utterance;

/// How a client is reached.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    SocketIo(Socket),
    WebSocket(Arc<Outbound>),
}

impl Line {
    /// Queues what must arrive. A client that has no room for it is cut off by its queue, and comes back for it.
    pub(crate) fn send(&self, utterance: &Utterance) {
        // Fails when the client has gone or was just cut off, of which its end will hear.
        match self {
            Self::SocketIo(socket) => {
                let _ = utterance.packet().map(|packet| socket.send(packet));
            }
            Self::WebSocket(outbound) => {
                let _ = utterance.frame().map(|frame| outbound.push(frame));
            }
        }
    }

    /// The same beyond the bounds of the queue, for what is bounded otherwise.
    pub(crate) fn send_uncounted(&self, utterance: &Utterance) {
        match self {
            Self::SocketIo(socket) => {
                let _ = utterance.packet().map(|packet| socket.send_uncounted(packet));
            }
            Self::WebSocket(outbound) => {
                let _ = utterance.frame().map(|frame| outbound.push_uncounted(frame));
            }
        }
    }

    /// Queues what loses its worth: a newer one of the same key takes its place.
    pub(crate) fn send_volatile(&self, key: &str, utterance: &Utterance) {
        match self {
            Self::SocketIo(socket) => {
                let _ = utterance.packet().map(|packet| socket.send_volatile(key, packet));
            }
            Self::WebSocket(outbound) => {
                let _ = utterance.frame().map(|frame| outbound.push_volatile(key, frame));
            }
        }
    }

    /// Ends the connection when what is queued is sent.
    pub(crate) fn close(&self, reason: Reason) {
        match self {
            Self::SocketIo(socket) => socket.close(reason),
            Self::WebSocket(outbound) => outbound.close(reason),
        }
    }

    /// Ends the connection at once.
    pub(crate) fn cut(&self, reason: Reason) {
        match self {
            Self::SocketIo(socket) => socket.cut(reason),
            Self::WebSocket(outbound) => outbound.cut(reason),
        }
    }

    pub(crate) fn is_websocket(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }
}
