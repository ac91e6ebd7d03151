//! Bodies of answers. That of a poll knows whether it was taken, since what it carries is nowhere else any more.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::session::Watched;

/// The body of an answer.
#[derive(Default)]
pub struct Body {
    bytes: Option<Bytes>,
    poll: Option<PollGuard>,
}

impl Body {
    pub(super) fn of_poll(bytes: Bytes, guard: PollGuard) -> Self {
        Self { bytes: Some(bytes), poll: Some(guard) }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { bytes: Some(bytes), poll: None }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Body").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(guard) = self.poll.take() {
            guard.delivered();
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// A polling GET from its arrival until its answer is on its way. If it is given up between, the session ends: its
/// client cannot know what it missed.
pub(super) struct PollGuard(Option<Arc<dyn Watched>>);

impl PollGuard {
    pub(super) fn new(session: Arc<dyn Watched>) -> Self {
        Self(Some(session))
    }

    fn delivered(mut self) {
        if let Some(session) = self.0.take() {
            session.poll_done(true);
        }
    }
}

impl Drop for PollGuard {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.poll_done(false);
        }
    }
}
