//! Answers to single events, in both directions.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{sync::oneshot, time::timeout};

use crate::{Answer, EmitError, EncodeError, Packet, Socket};

/// The answer that a client waits for. Dropped, it is never given.
#[derive(Debug)]
pub struct Ack {
    pub(crate) socket: Socket,
    pub(crate) id: u64,
}

impl Ack {
    /// Answers with arguments: a tuple, an array, or `()`.
    pub fn answer<T: Serialize + ?Sized>(self, arguments: &T) -> Result<(), EmitError> {
        self.answer_binary(arguments, &[])
    }

    /// Answers with arguments and attachments, whose places [`Placeholder`](crate::Placeholder)s mark.
    pub fn answer_binary<T: Serialize + ?Sized>(
        self,
        arguments: &T,
        attachments: &[Bytes],
    ) -> Result<(), EmitError> {
        let packet = Packet::ack(self.socket.namespace(), self.id, arguments, attachments)?;
        Ok(self.socket.send(&packet)?)
    }
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum AckError {
    /// The client took too long.
    #[error("the client did not answer in time")]
    Timeout,
    /// The socket has gone.
    #[error("the socket has gone")]
    Gone,
    /// The socket owes as many answers as it may.
    #[error("too many answers are awaited of this socket")]
    TooMany,
    /// The event could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// The answers that a client owes.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    over: bool,
    answers: Vec<(u64, oneshot::Sender<Answer>)>,
}

impl Awaited {
    /// A new id and the place of its answer, if fewer than `most` are awaited.
    pub(crate) fn expect(&self, most: usize) -> Result<Expected<'_>, AckError> {
        let mut waiting = self.waiting.lock();
        if waiting.over {
            return Err(AckError::Gone);
        }
        if waiting.answers.len() >= most {
            return Err(AckError::TooMany);
        }
        waiting.last += 1;
        let (sender, answer) = oneshot::channel();
        let id = waiting.last;
        waiting.answers.push((id, sender));
        Ok(Expected { id, answer, awaited: self })
    }

    /// An answer came. One that nobody awaits any more is dropped.
    pub(crate) fn resolve(&self, id: u64, answer: Answer) {
        if let Some(sender) = self.take(id) {
            // Whoever awaited it may have given up.
            let _ = sender.send(answer);
        }
    }

    fn take(&self, id: u64) -> Option<oneshot::Sender<Answer>> {
        let mut waiting = self.waiting.lock();
        let place = waiting.answers.iter().position(|(awaited, _)| *awaited == id)?;
        Some(waiting.answers.swap_remove(place).1)
    }

    /// No answer comes any more.
    pub(crate) fn give_up(&self) {
        let mut waiting = self.waiting.lock();
        waiting.over = true;
        waiting.answers = Vec::new();
    }
}

/// One awaited answer. Dropped, it is awaited no longer.
pub(crate) struct Expected<'a> {
    pub(crate) id: u64,
    answer: oneshot::Receiver<Answer>,
    awaited: &'a Awaited,
}

impl Expected<'_> {
    pub(crate) async fn within(mut self, limit: Duration) -> Result<Answer, AckError> {
        match timeout(limit, &mut self.answer).await {
            Ok(answer) => answer.map_err(|_| AckError::Gone),
            Err(_) => Err(AckError::Timeout),
        }
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.awaited.take(self.id);
    }
}
