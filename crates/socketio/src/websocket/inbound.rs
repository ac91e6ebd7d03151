//! The one task that reads a stream: frames in, whole messages out, every rule of RFC 6455 kept.
//!
//! Nothing is buffered while a client is silent: bytes are read onto the stack and kept only when they are there. What
//! is kept is bounded by the limit of a message, which is checked when its header has come, before its payload has.

use std::{
    future::{Future, poll_fn},
    io::Cursor,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

use super::{Frame, Outbound, outbound::Ending};
use crate::{Reason, Violation};

/// What one read takes from the kernel at most. It lies on the stack of the thread, not in the task.
const READ: usize = 4 * 1024;
const MAX_FRAGMENTS: u32 = 256;
/// After a goodbye, this much more of the client is read and thrown away, so that it can read the goodbye in peace.
const FAREWELL_BYTES: usize = 1024 * 1024;
const FAREWELL: Duration = Duration::from_secs(5);

/// A whole message of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Text, valid UTF-8.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// How the liveness of a plain WebSocket client is watched: with protocol pings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heartbeat {
    /// A ping is sent when nothing was heard for so long.
    pub interval: Duration,
    /// The connection is cut when nothing was heard for so long after a ping.
    pub timeout: Duration,
}

/// The reading half of a stream.
#[derive(Debug)]
pub struct Inbound<R> {
    io: R,
    outbound: Arc<Outbound>,
    max_payload: usize,
    buffer: BytesMut,
    partial: Option<Partial>,
    watch: Option<Box<Watch>>,
}

/// A message of which fragments have come.
#[derive(Debug)]
struct Partial {
    text: bool,
    payload: Vec<u8>,
    fragments: u32,
}

#[derive(Debug)]
struct Watch {
    heartbeat: Heartbeat,
    pinged: bool,
    sleep: Pin<Box<Sleep>>,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    /// Reads `io` for the connection that `outbound` writes; messages above `max_payload` bytes are refused.
    pub fn new(io: R, outbound: Arc<Outbound>, max_payload: usize) -> Self {
        Self { io, outbound, max_payload, buffer: BytesMut::new(), partial: None, watch: None }
    }

    /// Sends protocol pings by itself, and cuts the connection when they are not answered.
    pub fn with_heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        let sleep = Box::pin(sleep_until(Instant::now() + heartbeat.interval));
        self.watch = Some(Box::new(Watch { heartbeat, pinged: false, sleep }));
        self
    }

    /// From here on reads for another connection's queue; what has been read already is kept.
    pub(crate) fn attach(&mut self, outbound: Arc<Outbound>) {
        self.outbound = outbound;
    }

    /// The next message, or `None` when the connection ended; `Outbound::ended` says why.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match self.parse() {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(reason) => self.outbound.close(reason),
            }
            if self.buffer.is_empty() {
                // Nothing is pending, so nothing is kept.
                self.buffer = BytesMut::new();
            }
            match poll_fn(|context| self.poll_fill(context)).await {
                Filled::Some => {}
                Filled::Ended => return None,
            }
        }
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Filled> {
        match self.outbound.poll_end(context) {
            Poll::Ready(_) => return Poll::Ready(Filled::Ended),
            Poll::Pending => {}
        }
        let mut room = [const { MaybeUninit::uninit() }; READ];
        let mut chunk = ReadBuf::uninit(&mut room);
        match Pin::new(&mut self.io).poll_read(context, &mut chunk) {
            Poll::Ready(Ok(())) if !chunk.filled().is_empty() => {
                self.buffer.extend_from_slice(chunk.filled());
                if let Some(watch) = &mut self.watch {
                    watch.heard();
                }
                Poll::Ready(Filled::Some)
            }
            Poll::Ready(_) => {
                self.outbound.cut(Reason::ConnectionLost);
                Poll::Ready(Filled::Ended)
            }
            Poll::Pending => self.poll_watch(context),
        }
    }

    fn poll_watch(&mut self, context: &mut Context<'_>) -> Poll<Filled> {
        let Some(watch) = &mut self.watch else { return Poll::Pending };
        ready!(watch.poll_silent(context, &self.outbound));
        self.outbound.cut(Reason::PingTimeout);
        Poll::Ready(Filled::Ended)
    }

    /// To be called when `next` answered `None`: reads and throws away until the client has gone too, within bounds of
    /// time and bytes. Without it a goodbye may be lost, since a stream that is dropped with bytes unread is reset.
    pub async fn farewell(self) {
        let mut left = FAREWELL_BYTES;
        let (mut io, outbound) = (self.io, self.outbound);
        drop(self.buffer);
        let gone = poll_fn(|context| {
            while left > 0 && outbound.poll_end(context) != Poll::Ready(Ending::Cut) {
                let mut room = [const { MaybeUninit::uninit() }; READ];
                let mut chunk = ReadBuf::uninit(&mut room);
                match ready!(Pin::new(&mut io).poll_read(context, &mut chunk)) {
                    Ok(()) if !chunk.filled().is_empty() => {
                        left = left.saturating_sub(chunk.filled().len());
                    }
                    _ => break,
                }
            }
            Poll::Ready(())
        });
        // Boxed: a timer in every reader for what most never come to would be memory for nothing.
        let _ = Box::pin(tokio::time::timeout(FAREWELL, gone)).await;
    }

    /// The next message of what has come; `None` when more must come first.
    fn parse(&mut self) -> Result<Option<Message>, Reason> {
        loop {
            let Some((header, payload)) = self.next_frame().map_err(Reason::Violation)? else {
                return Ok(None);
            };
            match header.opcode {
                OpCode::Control(control) => self.obey(control, &payload)?,
                OpCode::Data(data) => {
                    if let Some(message) = self.join(&header, data, &payload).map_err(Reason::Violation)? {
                        return Ok(Some(message));
                    }
                }
            }
        }
    }

    fn next_frame(&mut self) -> Result<Option<(FrameHeader, BytesMut)>, Violation> {
        let mut cursor = Cursor::new(&self.buffer);
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|_| Violation::BadFrame)? else {
            return Ok(None);
        };
        let start = usize::try_from(cursor.position()).map_err(|_| Violation::BadFrame)?;
        let mask = header.mask.ok_or(Violation::Unmasked)?;
        let length = self.check(&header, length)?;
        if self.buffer.len() < start + length {
            return Ok(None);
        }
        self.buffer.advance(start);
        let mut payload = self.buffer.split_to(length);
        unmask(&mut payload, mask);
        Ok(Some((header, payload)))
    }

    /// The length of the payload, if the frame may come here.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<usize, Violation> {
        let length = usize::try_from(length).map_err(|_| Violation::TooLarge)?;
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::BadFrame);
        }
        match header.opcode {
            OpCode::Control(_) if header.is_final && length <= 125 => Ok(length),
            OpCode::Control(_) => Err(Violation::BadFrame),
            OpCode::Data(data) if (data == Data::Continue) != self.partial.is_some() => {
                Err(Violation::BadFrame)
            }
            OpCode::Data(_) => {
                let before = self.partial.as_ref().map_or(0, |partial| partial.payload.len());
                let whole = before.checked_add(length).ok_or(Violation::TooLarge)?;
                if whole > self.max_payload { Err(Violation::TooLarge) } else { Ok(length) }
            }
        }
    }

    fn obey(&mut self, control: Control, payload: &[u8]) -> Result<(), Reason> {
        match control {
            Control::Ping => self.outbound.pong(payload),
            Control::Close => return Err(check_close(payload)),
            _ => {}
        }
        Ok(())
    }

    /// Joins fragments; a message that came in one frame is not copied twice.
    fn join(
        &mut self,
        header: &FrameHeader,
        data: Data,
        payload: &[u8],
    ) -> Result<Option<Message>, Violation> {
        let partial = match self.partial.take() {
            None if header.is_final => return whole(data == Data::Text, payload.to_vec()).map(Some),
            None => Partial { text: data == Data::Text, payload: payload.to_vec(), fragments: 1 },
            Some(mut partial) => {
                partial.payload.extend_from_slice(payload);
                partial.fragments += 1;
                partial
            }
        };
        if header.is_final {
            return whole(partial.text, partial.payload).map(Some);
        }
        if partial.fragments >= MAX_FRAGMENTS {
            return Err(Violation::TooManyFragments);
        }
        self.partial = Some(partial);
        Ok(None)
    }
}

enum Filled {
    Some,
    Ended,
}

impl Watch {
    fn heard(&mut self) {
        self.pinged = false;
        self.sleep.as_mut().reset(Instant::now() + self.heartbeat.interval);
    }

    /// Ready when a ping was not answered in time.
    fn poll_silent(&mut self, context: &mut Context<'_>, outbound: &Outbound) -> Poll<()> {
        ready!(self.sleep.as_mut().poll(context));
        if self.pinged {
            return Poll::Ready(());
        }
        self.pinged = true;
        self.sleep.as_mut().reset(Instant::now() + self.heartbeat.timeout);
        // Fails only when the connection has ended, which the reader will see.
        let _ = outbound.push_uncounted(&Frame::ping(&[]));
        self.sleep.as_mut().poll(context)
    }
}

fn whole(text: bool, payload: Vec<u8>) -> Result<Message, Violation> {
    if text {
        String::from_utf8(payload).map(Message::Text).map_err(|_| Violation::BadText)
    } else {
        Ok(Message::Binary(payload.into()))
    }
}

/// What a close frame means: a proper end, or one more broken rule (RFC 6455, 5.5.1).
fn check_close(payload: &[u8]) -> Reason {
    let Some((code, text)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Reason::ClientClosed
        } else {
            Reason::Violation(Violation::BadFrame)
        };
    };
    if !CloseCode::from(u16::from_be_bytes(*code)).is_allowed() {
        return Reason::Violation(Violation::BadFrame);
    }
    if std::str::from_utf8(text).is_err() {
        return Reason::Violation(Violation::BadText);
    }
    Reason::ClientClosed
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for chunk in payload.chunks_mut(mask.len()) {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
}
