//! The one task that writes a stream.
//!
//! Each wakeup takes a batch from the queue and hands all of it to the kernel in one vectored write, straight from the
//! shared frames. While the kernel takes nothing, a timer watches how old the oldest frame has become.

use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{Instant, Sleep, sleep_until},
};

use super::{Frame, Outbound, outbound::Take};
use crate::Reason;

const MAX_SLICES: usize = 64;
/// What a batch may keep allocated between two wakeups.
const IDLE_CAPACITY: usize = 8;

/// Writes what is queued until the connection ends. Returning drops `io`.
pub async fn write<W: AsyncWrite + Unpin>(outbound: Arc<Outbound>, mut io: W) {
    let mut batch = Vec::new();
    loop {
        let sent = match outbound.take(&mut batch).await {
            Take::Cut(_) => return,
            Take::Batch => send(&outbound, &mut io, &batch).await,
            Take::Close(reason) => return say_goodbye(&outbound, &mut io, reason).await,
        };
        if !sent {
            return;
        }
        outbound.sent();
        batch.clear();
        batch.shrink_to(IDLE_CAPACITY);
    }
}

async fn say_goodbye<W: AsyncWrite + Unpin>(outbound: &Outbound, io: &mut W, reason: Reason) {
    if send(outbound, io, &[Frame::close(reason.close_code())]).await {
        // An error means that the peer was faster.
        let _ = io.shutdown().await;
    }
}

/// Whether all of `frames` was written; if not, the stream is cut and its reason recorded.
async fn send<W: AsyncWrite + Unpin>(outbound: &Outbound, io: &mut W, frames: &[Frame]) -> bool {
    let mut progress = Progress { frames, skip: 0 };
    let mut alarm = Alarm { deadline: Instant::now() + outbound.limits().stall, sleep: None };
    let written = poll_fn(|context| {
        if let Poll::Ready(written) = progress.poll(context, io) {
            return Poll::Ready(written);
        }
        ready!(alarm.poll_overdue(context, outbound));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    });
    let written = written.await;
    if written.is_err() {
        outbound.cut(Reason::ConnectionLost);
    }
    written.is_ok()
}

struct Progress<'a> {
    frames: &'a [Frame],
    /// Bytes of the first frame that are written.
    skip: usize,
}

impl Progress<'_> {
    fn poll<W: AsyncWrite + Unpin>(&mut self, context: &mut Context<'_>, io: &mut W) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let used = self.frames.len().min(MAX_SLICES);
            for (slice, frame) in slices.iter_mut().zip(self.frames) {
                *slice = IoSlice::new(frame.wire());
            }
            if let Some(first) = slices.first_mut() {
                first.advance(self.skip);
            }
            let slices = slices.get(..used).unwrap_or_default();
            let written = ready!(Pin::new(&mut *io).poll_write_vectored(context, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Pin::new(io).poll_flush(context)
    }

    fn advance(&mut self, written: usize) {
        self.skip += written;
        while let Some((first, rest)) = self.frames.split_first() {
            if self.skip < first.size() {
                break;
            }
            self.skip -= first.size();
            self.frames = rest;
        }
    }
}

/// Made when a write has to wait, which is seldom, so that streams that flow carry no timer.
struct Alarm {
    /// For what is not in the queue: a goodbye.
    deadline: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready when the stream must not be waited for any longer.
    fn poll_overdue(&mut self, context: &mut Context<'_>, outbound: &Outbound) -> Poll<()> {
        loop {
            if outbound.poll_cut(context).is_ready() {
                return Poll::Ready(());
            }
            let due = outbound.stalls_at().unwrap_or(self.deadline);
            if due <= Instant::now() {
                outbound.cut(Reason::Stalled);
                return Poll::Ready(());
            }
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
            ready!(sleep.as_mut().poll(context));
            self.sleep = None;
        }
    }
}
