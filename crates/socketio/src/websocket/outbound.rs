//! What a client is owed: a queue bounded by count and by bytes, of frames shared with every other client.
//!
//! Whoever sends never waits. Either the frame finds room, or the client is told nothing more at all: it reads too
//! slowly, its stream is cut, and it may come back and recover. So one slow reader costs its own bound of memory and
//! nobody's time.
//!
//! *Durable* frames leave in the order in which they came. *Volatile* ones (someone is typing) have a key and a small
//! place of their own: a newer one takes the place of the queued older one, they leave when no durable frame waits, and
//! they can neither fill the queue nor push anything durable out.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Frame;
use crate::Reason;

/// What one wakeup of a writer takes at most.
const BATCH_FRAMES: usize = 64;
const BATCH_BYTES: usize = 64 * 1024;
/// Room kept by a queue that ran empty.
const IDLE_CAPACITY: usize = 16;

/// How much a client may be owed, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutboundLimits {
    /// Durable frames queued or being written. One more cuts the stream. Default 512.
    pub frames: usize,
    /// Bytes of durable frames queued or being written. More cut the stream. Default 1 MiB.
    pub bytes: usize,
    /// Volatile frames queued, each with a key of its own; one more drops the oldest of them. Default 32.
    pub volatile: usize,
    /// How old the oldest frame owed may become, however many bytes trickle out meanwhile. Default 15 s.
    pub stall: Duration,
}

impl Default for OutboundLimits {
    fn default() -> Self {
        Self { frames: 512, bytes: 1024 * 1024, volatile: 32, stall: Duration::from_secs(15) }
    }
}

/// Why nothing was queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The connection has ended.
    #[error("the connection has ended")]
    Ended,
    /// It did not fit, and the stream was cut for it.
    #[error("the client reads too slowly and was cut off")]
    Overflow,
}

/// The queue of one client. Shared by whoever sends and the one task that writes.
#[derive(Debug)]
pub struct Outbound {
    limits: OutboundLimits,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    durable: VecDeque<Entry>,
    volatile: VecDeque<(Arc<str>, Frame)>,
    /// The answer to the newest ping. Older ones need none (RFC 6455, 5.5.3).
    pong: Option<Frame>,
    /// Counted frames and bytes, those being written included.
    owed: Owed,
    writing: Owed,
    writing_since: Option<Instant>,
    end: Option<End>,
    /// The writer, or the polling request that waits.
    taker: Option<Waker>,
    /// The reader, which wants to know of the end.
    watcher: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Owed {
    frames: usize,
    bytes: usize,
}

impl Owed {
    fn with(self, frame: &Frame) -> Self {
        Self { frames: self.frames + frame.count(), bytes: self.bytes + frame.size() }
    }
}

#[derive(Debug)]
struct Entry {
    frame: Frame,
    since: Instant,
    counted: bool,
}

#[derive(Clone, Copy, Debug)]
struct End {
    reason: Reason,
    /// Whether what is queued is dropped.
    cut: bool,
}

/// What a writer has to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Take {
    /// Write the frames that were put into its batch, then call `sent`.
    Batch,
    /// All is sent: say goodbye.
    Close(Reason),
    /// Drop the stream.
    Cut(Reason),
}

impl Outbound {
    /// An empty queue.
    pub fn new(limits: OutboundLimits) -> Arc<Self> {
        Arc::new(Self { limits, queue: Mutex::default() })
    }

    /// Queues a frame, or cuts the stream if it finds no room.
    pub fn push(&self, frame: &Frame) -> Result<(), SendError> {
        self.push_together(frame, &[])
    }

    /// Queues a frame and what must follow it with nothing between, or cuts the stream if they find no room.
    pub(crate) fn push_together(&self, first: &Frame, rest: &[Frame]) -> Result<(), SendError> {
        let owed = std::iter::once(first).chain(rest).fold(Owed::default(), Owed::with);
        let since = Instant::now();
        let mut queue = self.queue.lock();
        if queue.end.is_some() {
            return Err(SendError::Ended);
        }
        let frames = queue.owed.frames + owed.frames;
        let bytes = queue.owed.bytes + owed.bytes;
        if frames > self.limits.frames || bytes > self.limits.bytes {
            queue.finish(Reason::QueueFull, true);
            return Err(SendError::Overflow);
        }
        queue.owed = Owed { frames, bytes };
        for frame in std::iter::once(first).chain(rest) {
            queue.durable.push_back(Entry { frame: frame.clone(), since, counted: true });
        }
        queue.wake_taker();
        Ok(())
    }

    /// Queues a frame that the bounds do not hold back: a heartbeat, or what a client missed, which its sender bounds.
    pub fn push_uncounted(&self, frame: &Frame) -> Result<(), SendError> {
        let mut queue = self.queue.lock();
        if queue.end.is_some() {
            return Err(SendError::Ended);
        }
        queue.durable.push_back(Entry { frame: frame.clone(), since: Instant::now(), counted: false });
        queue.wake_taker();
        Ok(())
    }

    /// Queues a volatile frame; a queued one of the same key gives way to it.
    pub fn push_volatile(&self, key: &str, frame: &Frame) -> Result<(), SendError> {
        let mut queue = self.queue.lock();
        if queue.end.is_some() {
            return Err(SendError::Ended);
        }
        if let Some((_, queued)) = queue.volatile.iter_mut().find(|(queued, _)| queued.as_ref() == key) {
            *queued = frame.clone();
            return Ok(());
        }
        while queue.volatile.len() >= self.limits.volatile.max(1) {
            queue.volatile.pop_front();
        }
        queue.volatile.push_back((Arc::from(key), frame.clone()));
        queue.wake_taker();
        Ok(())
    }

    pub(super) fn pong(&self, payload: &[u8]) {
        let mut queue = self.queue.lock();
        queue.pong = Some(Frame::pong(payload));
        queue.wake_taker();
    }

    /// Ends the connection properly: what is queued is still sent, then a close frame. Nothing more can be queued.
    pub fn close(&self, reason: Reason) {
        self.queue.lock().finish(reason, false);
    }

    /// Ends the connection at once: what is queued is dropped, and so is the stream.
    pub fn cut(&self, reason: Reason) {
        self.queue.lock().finish(reason, true);
    }

    /// Durable frames and their bytes that are owed.
    pub fn queued(&self) -> (usize, usize) {
        let queue = self.queue.lock();
        (queue.owed.frames, queue.owed.bytes)
    }

    /// Why the connection ended, if it did. The first reason stays.
    pub fn ended(&self) -> Option<Reason> {
        self.queue.lock().end.map(|end| end.reason)
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &OutboundLimits {
        &self.limits
    }

    /// When the oldest frame that is owed will have waited too long.
    pub(crate) fn stalls_at(&self) -> Option<Instant> {
        let queue = self.queue.lock();
        let oldest = queue.writing_since.or_else(|| queue.durable.front().map(|entry| entry.since))?;
        oldest.checked_add(self.limits.stall)
    }

    /// Wakes the writer or the polling request, so that it looks again who it is.
    pub(crate) fn wake_taker(&self) {
        self.queue.lock().wake_taker();
    }

    /// Waits for something to do, and fills `batch` if that is writing.
    pub(crate) async fn take(&self, batch: &mut Vec<Frame>) -> Take {
        poll_fn(|context| self.poll_take(context, batch)).await
    }

    pub(crate) fn poll_take(&self, context: &mut Context<'_>, batch: &mut Vec<Frame>) -> Poll<Take> {
        let mut queue = self.queue.lock();
        if let Some(End { reason, cut: true }) = queue.end {
            return Poll::Ready(Take::Cut(reason));
        }
        queue.fill(batch);
        match (batch.is_empty(), queue.end) {
            (false, _) => Poll::Ready(Take::Batch),
            (true, Some(end)) => Poll::Ready(Take::Close(end.reason)),
            (true, None) => {
                queue.taker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The batch last taken is written.
    pub(crate) fn sent(&self) {
        let mut queue = self.queue.lock();
        let written = mem::take(&mut queue.writing);
        queue.owed.frames -= written.frames.min(queue.owed.frames);
        queue.owed.bytes -= written.bytes.min(queue.owed.bytes);
        queue.writing_since = None;
    }

    /// Ready when the stream is to be dropped; the writer waits for it while it cannot write.
    pub(super) fn poll_cut(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.queue.lock();
        if queue.end.is_some_and(|end| end.cut) {
            return Poll::Ready(());
        }
        queue.taker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Ready when the connection ended, however; the reader waits for it.
    pub(super) fn poll_end(&self, context: &mut Context<'_>) -> Poll<Ending> {
        let mut queue = self.queue.lock();
        let ending = queue.end.map(|end| if end.cut { Ending::Cut } else { Ending::Closing });
        let registered = queue.watcher.as_ref().is_some_and(|watcher| watcher.will_wake(context.waker()));
        if ending != Some(Ending::Cut) && !registered {
            queue.watcher = Some(context.waker().clone());
        }
        ending.map_or(Poll::Pending, Poll::Ready)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Closing,
    Cut,
}

impl Queue {
    fn fill(&mut self, batch: &mut Vec<Frame>) {
        let mut bytes = 0;
        batch.extend(self.pong.take());
        while batch.len() < BATCH_FRAMES && bytes < BATCH_BYTES {
            let Some(entry) = self.durable.pop_front() else { break };
            bytes += entry.frame.size();
            self.writing_since.get_or_insert(entry.since);
            if entry.counted {
                self.writing = self.writing.with(&entry.frame);
            }
            batch.push(entry.frame);
        }
        if self.durable.is_empty() {
            if self.durable.capacity() > IDLE_CAPACITY {
                self.durable = VecDeque::new();
            }
            let room = BATCH_FRAMES.saturating_sub(batch.len()).min(self.volatile.len());
            batch.extend(self.volatile.drain(..room).map(|(_, frame)| frame));
        }
        if !batch.is_empty() {
            self.writing_since.get_or_insert_with(Instant::now);
        }
    }

    fn finish(&mut self, reason: Reason, cut: bool) {
        match &mut self.end {
            Some(end) => end.cut |= cut,
            None => self.end = Some(End { reason, cut }),
        }
        if cut {
            self.durable = VecDeque::new();
            (self.owed, self.writing) = (Owed::default(), Owed::default());
        }
        self.volatile = VecDeque::new();
        self.wake_taker();
        if let Some(watcher) = self.watcher.take() {
            watcher.wake();
        }
    }

    fn wake_taker(&mut self) {
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(outbound: &Outbound) -> (Option<Take>, Vec<Vec<u8>>) {
        let mut batch = Vec::new();
        let take = match outbound.poll_take(&mut Context::from_waker(Waker::noop()), &mut batch) {
            Poll::Ready(take) => Some(take),
            Poll::Pending => None,
        };
        (take, batch.iter().map(|frame| frame.payload().to_vec()).collect())
    }

    fn limits(frames: usize, bytes: usize) -> OutboundLimits {
        OutboundLimits { frames, bytes, ..OutboundLimits::default() }
    }

    #[test]
    fn frames_leave_in_order_and_count_until_they_are_sent() {
        let outbound = Outbound::new(limits(2, 100));
        outbound.push(&Frame::text("a")).unwrap();
        outbound.push(&Frame::text("b")).unwrap();
        assert_eq!(taken(&outbound), (Some(Take::Batch), vec![b"a".to_vec(), b"b".to_vec()]));
        assert_eq!(outbound.queued(), (2, 6));
        outbound.sent();
        assert_eq!(outbound.queued(), (0, 0));
        assert_eq!(taken(&outbound).0, None);
    }

    #[test]
    fn one_frame_too_many_cuts() {
        let outbound = Outbound::new(limits(1, 100));
        outbound.push(&Frame::text("a")).unwrap();
        assert_eq!(outbound.push(&Frame::text("b")), Err(SendError::Overflow));
        assert_eq!(outbound.push(&Frame::text("c")), Err(SendError::Ended));
        assert_eq!(taken(&outbound), (Some(Take::Cut(Reason::QueueFull)), vec![]));
    }

    #[test]
    fn one_byte_too_many_cuts_and_what_belongs_together_is_queued_together_or_not() {
        let outbound = Outbound::new(limits(9, 9));
        outbound.push_together(&Frame::text("abc"), &[Frame::binary(&[1, 2])]).unwrap();
        assert_eq!(outbound.queued(), (2, 9));
        assert_eq!(outbound.push(&Frame::text("")), Err(SendError::Overflow));
        assert_eq!(outbound.ended(), Some(Reason::QueueFull));
    }

    #[test]
    fn what_is_joined_counts_as_all_that_it_holds() {
        let joined = Frame::joined(&[Frame::text("a"), Frame::text("b")]);
        let outbound = Outbound::new(limits(3, 100));
        outbound.push(&joined).unwrap();
        assert_eq!(outbound.queued(), (2, 6));
        assert_eq!(taken(&outbound).0, Some(Take::Batch));
        outbound.sent();
        assert_eq!(outbound.queued(), (0, 0));
        outbound.push(&joined).unwrap();
        assert_eq!(outbound.push(&joined), Err(SendError::Overflow));
    }

    #[test]
    fn a_newer_volatile_frame_replaces_the_older_and_waits_for_durable_ones() {
        let outbound = Outbound::new(limits(1, 100));
        for text in ["t1", "t2"] {
            outbound.push_volatile("typing", &Frame::text(text)).unwrap();
        }
        outbound.push_volatile("presence", &Frame::text("p")).unwrap();
        outbound.push(&Frame::text("durable")).unwrap();
        let expected = [&b"durable"[..], b"t2", b"p"].map(<[u8]>::to_vec).to_vec();
        assert_eq!(taken(&outbound), (Some(Take::Batch), expected));
    }

    #[test]
    fn volatile_frames_are_bounded_by_themselves() {
        let outbound = Outbound::new(OutboundLimits { volatile: 2, ..limits(1, 100) });
        for key in ["a", "b", "c"] {
            outbound.push_volatile(key, &Frame::text(key)).unwrap();
        }
        assert_eq!(taken(&outbound).1, vec![b"b".to_vec(), b"c".to_vec()]);
        assert_eq!(outbound.queued(), (0, 0));
    }

    #[test]
    fn closing_sends_what_is_queued_and_then_says_goodbye() {
        let outbound = Outbound::new(limits(9, 100));
        outbound.push(&Frame::text("last")).unwrap();
        outbound.close(Reason::Draining);
        assert_eq!(taken(&outbound), (Some(Take::Batch), vec![b"last".to_vec()]));
        assert_eq!(taken(&outbound), (Some(Take::Close(Reason::Draining)), vec![]));
        outbound.cut(Reason::Stalled);
        assert_eq!(taken(&outbound).0, Some(Take::Cut(Reason::Draining)));
    }

    #[test]
    fn what_is_not_counted_fits_into_a_full_queue() {
        let outbound = Outbound::new(limits(1, 100));
        outbound.push(&Frame::text("a")).unwrap();
        outbound.push_uncounted(&Frame::text("2")).unwrap();
        assert_eq!(taken(&outbound).1.len(), 2);
        outbound.sent();
        assert_eq!(outbound.queued(), (0, 0));
    }
}
