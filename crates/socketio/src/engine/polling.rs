//! Long polling: a GET that waits for what is queued, a POST that brings what the client says.

use std::{future::poll_fn, pin::pin, sync::Arc};

use bytes::{Buf, Bytes};
use http::Response;
use http_body::Body as HttpBody;

use super::{
    Body, Protocol,
    body::PollGuard,
    handshake::{Refusal, respond_text},
    payload,
    session::{Refused, Request, Session},
};
use crate::{Reason, Violation};

/// Waits until there is something to say.
pub(super) async fn poll<P: Protocol>(session: Arc<Session<P>>) -> Result<Response<Body>, Refusal> {
    claim(&session, Request::Poll)?;
    let guard = PollGuard::new(session.clone());
    let body = poll_fn(|context| session.poll_payload(context)).await;
    Ok(respond_text(Body::of_poll(Bytes::from(body), guard)))
}

/// Takes in what the client says. Any packet that is wrong ends the session.
pub(super) async fn post<P, B>(session: Arc<Session<P>>, body: B) -> Result<Response<Body>, Refusal>
where
    P: Protocol,
    B: HttpBody + Send,
    B::Data: Send,
{
    if session.link().ended().is_some() {
        return Err(Refusal::unknown_session());
    }
    claim(&session, Request::Post)?;
    let guard = PostGuard { session: &session, done: false };
    let text = read_text(body, session.engine().settings.max_payload).await;
    let taken = match text {
        Ok(text) => take_in(&session, &text).await,
        Err(reason) => Err(reason),
    };
    guard.done();
    match taken {
        Ok(()) => Ok(respond_text(Bytes::from_static(b"ok"))),
        Err(reason) => {
            session.fail(reason);
            answer_to(reason)
        }
    }
}

fn claim<P: Protocol>(session: &Session<P>, request: Request) -> Result<(), Refusal> {
    session.begin_request(request).map_err(|refused| {
        if refused == Refused::Overlap {
            session.link().cut(Reason::Violation(Violation::Overlap));
        }
        Refusal::bad_request()
    })
}

async fn take_in<P: Protocol>(session: &Session<P>, text: &str) -> Result<(), Reason> {
    for packet in payload::packets(text) {
        session.receive(packet.map_err(Reason::Violation)?).await?;
    }
    Ok(())
}

fn answer_to(reason: Reason) -> Result<Response<Body>, Refusal> {
    match reason {
        Reason::Violation(Violation::TooLarge) => Err(Refusal::too_large()),
        Reason::Violation(_) | Reason::ConnectionLost => Err(Refusal::bad_request()),
        // The client's own goodbye, and what the next GET tells.
        _ => Ok(respond_text(Bytes::from_static(b"ok"))),
    }
}

/// Reads the whole body, but never keeps more than the limit.
async fn read_text<B: HttpBody>(body: B, most: usize) -> Result<String, Reason> {
    let too_large = Reason::Violation(Violation::TooLarge);
    if body.size_hint().lower() > most as u64 {
        return Err(too_large);
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| Reason::ConnectionLost)?;
        let Ok(mut data) = frame.into_data() else { continue };
        if data.remaining() > most.saturating_sub(bytes.len()) {
            return Err(too_large);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            data.advance(chunk.len());
        }
    }
    String::from_utf8(bytes).map_err(|_| Reason::Violation(Violation::BadText))
}

/// A POST that is given up half way ends the session: what follows would not follow.
struct PostGuard<'a, P: Protocol> {
    session: &'a Session<P>,
    done: bool,
}

impl<P: Protocol> PostGuard<'_, P> {
    fn done(mut self) {
        self.done = true;
    }
}

impl<P: Protocol> Drop for PostGuard<'_, P> {
    fn drop(&mut self) {
        self.session.end_post();
        if !self.done {
            self.session.link().cut(Reason::ConnectionLost);
        }
    }
}
