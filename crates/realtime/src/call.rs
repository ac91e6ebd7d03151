//! A client's event, from its name to its answer: the same over Socket.IO and `/ws`.

use std::{sync::Arc, time::Instant};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use stoa_kernel::{Actor, UserId, wording::in_plain_words};
use stoa_platform::events::Offset;
use stoa_socketio::{Ack, Reason, websocket::Outbound};

use crate::{
    Done, Fault, Hub,
    hear::end_login,
    line::Line,
    peer::Peer,
    utterance::{Utterance, ack_frame},
    whisper::said,
};

/// A client's event, as a domain is given it.
pub struct Call {
    peer: Arc<Peer>,
    actor: Arc<Actor>,
    argument: Option<Box<RawValue>>,
}

impl Call {
    /// The socket.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Who says it, with what they may do at this moment.
    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// Whose socket it is.
    pub fn user(&self) -> UserId {
        self.peer.user()
    }

    /// What came with the event, as the type that is expected.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let json = self.argument.as_deref().map_or("null", RawValue::get);
        serde_json::from_str(json).map_err(|error| Fault::bad_payload(plain(&error)))
    }
}

/// What is wrong, with the field where it is known.
fn plain(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let names_one =
        ["missing field ", "unknown field ", "duplicate field "].iter().any(|kind| told.starts_with(kind));
    match told.split('`').nth(1).filter(|_| names_one) {
        Some(field) => format!("`{field}`: {}", in_plain_words(&told)),
        None => in_plain_words(&told),
    }
}

/// Where the answer to an event goes.
#[derive(Debug)]
pub(crate) enum Reply {
    SocketIo(Option<Ack>),
    WebSocket(Arc<Outbound>, Option<Box<RawValue>>),
}

/// `resume`: from where on the client wants to be told what it missed.
#[derive(Deserialize)]
struct Resume {
    offset: String,
}

impl Hub {
    /// Does what a signed-in client says. Returns when the next event may be looked at.
    pub(crate) async fn dispatch(
        &self,
        peer: &Arc<Peer>,
        word: &str,
        argument: Option<Box<RawValue>>,
        reply: Reply,
    ) {
        let done = match self.do_it(peer, word, argument).await {
            Ok(Done::Later(later)) => {
                // Nobody closes it, so there is a permit sooner or later.
                let permit = Arc::clone(&peer.unanswered).acquire_owned().await;
                let (hub, peer) = (self.clone(), Arc::clone(peer));
                tokio::spawn(async move {
                    hub.answer(&peer, reply, later.await);
                    drop(permit);
                });
                return;
            }
            Ok(Done::Now(told)) => Ok(told),
            Err(fault) => Err(fault),
        };
        self.answer(peer, reply, done);
    }

    async fn do_it(
        &self,
        peer: &Arc<Peer>,
        word: &str,
        argument: Option<Box<RawValue>>,
    ) -> Result<Done, Fault> {
        let actor = Arc::new(self.0.authenticator.of_session(peer.login).await?);
        let call = Call { peer: Arc::clone(peer), actor, argument };
        if word == "resume" {
            return self.do_resume(&call).await;
        }
        let answer = self.0.sockets.answering.get(word).ok_or_else(Fault::unknown_event)?;
        answer(call).await
    }

    async fn do_resume(&self, call: &Call) -> Result<Done, Fault> {
        let wanted: Resume = call.read()?;
        match self.resume_from(&call.peer, &wanted.offset).await? {
            Some(events) => Done::with(&serde_json::json!({ "recovered": true, "events": events })),
            None => Done::with(&serde_json::json!({ "recovered": false, "events": 0 })),
        }
    }

    /// Sends a client what it missed after an offset; nothing when that is out of reach.
    pub(crate) async fn resume_from(&self, peer: &Arc<Peer>, offset: &str) -> Result<Option<usize>, Fault> {
        let offset: Offset = offset.parse().map_err(|_| Fault::bad_offset())?;
        let is_ours = self.0.epoch.get().is_some_and(|epoch| *epoch == offset.epoch);
        match if is_ours { self.reachable(offset.pos).await? } else { None } {
            Some(from) => self.resume(peer, from).await.map(Some),
            None => Ok(None),
        }
    }

    /// Tells the client what came of its event, if it wants to know or something is wrong.
    pub(crate) fn answer(&self, peer: &Arc<Peer>, reply: Reply, done: Result<Box<RawValue>, Fault>) {
        let fault = done.as_ref().err().cloned();
        reply.give(&peer.line, done);
        let Some(fault) = fault else { return };
        self.0.measures.fault(fault.code);
        if fault.ends_the_socket() {
            end_login(peer);
        } else if peer.is_at_fault_again(Instant::now()) {
            tell_fault(&peer.line, &Fault::new("TOO_MANY_FAULTS", "Too much of this cannot be done."));
            peer.line.close(Reason::Forbidden("too_many_faults"));
        }
    }
}

impl Reply {
    /// Whether the client asked for one.
    pub(crate) fn is_wanted(&self) -> bool {
        match self {
            Self::SocketIo(ack) => ack.is_some(),
            Self::WebSocket(_, id) => id.is_some(),
        }
    }

    /// An ack where one is wanted; otherwise only what is wrong is told.
    pub(crate) fn give(self, line: &Line, done: Result<Box<RawValue>, Fault>) {
        match (self.is_wanted(), done) {
            (false, Ok(_)) => {}
            (false, Err(fault)) => tell_fault(line, &fault),
            (true, told) => self.acknowledge(&ack_of(told)),
        }
    }

    fn acknowledge(self, ack: &RawValue) {
        // Both fail only when the client has gone.
        match self {
            Self::SocketIo(wanted) => {
                let _ = wanted.map(|wanted| wanted.answer(&(ack,)));
            }
            Self::WebSocket(outbound, id) => {
                let frame = id.and_then(|id| ack_frame(&id, ack));
                let _ = frame.map(|frame| outbound.push(&frame));
            }
        }
    }
}

/// An `error` event. Of many only the newest is kept for a client that does not read.
pub(crate) fn tell_fault(line: &Line, fault: &Fault) {
    if let Some(said) = said("error", fault) {
        line.send(&Utterance::volatile(said));
    }
}

/// `{"ok":true,…}` or `{"ok":false,"error":{…}}`.
fn ack_of(done: Result<Box<RawValue>, Fault>) -> Box<RawValue> {
    let text = match done {
        Ok(told) => match told.get().strip_prefix('{') {
            Some("}") | None => r#"{"ok":true}"#.to_owned(),
            Some(rest) => format!(r#"{{"ok":true,{rest}"#),
        },
        Err(fault) => serde_json::json!({ "ok": false, "error": fault }).to_string(),
    };
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_payload_is_told_in_plain_words() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Asked {
            #[expect(dead_code, reason = "only parsed")]
            room: String,
        }
        let told = |json: &str| plain(&serde_json::from_str::<Asked>(json).err().unwrap());
        assert_eq!(told("{}"), "`room`: This is required.");
        assert_eq!(told(r#"{"room":"a","seat":1}"#), "`seat`: There is no such field. Known are room.");
        assert_eq!(told(r#"{"room":1}"#), "This must be text.");
    }

    #[test]
    fn an_ack_says_whether_and_what() {
        let told = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        assert_eq!(ack_of(Ok(told("null"))).get(), r#"{"ok":true}"#);
        assert_eq!(ack_of(Ok(told("{}"))).get(), r#"{"ok":true}"#);
        assert_eq!(
            ack_of(Ok(told(r#"{"message":{"a":1.50}}"#))).get(),
            r#"{"ok":true,"message":{"a":1.50}}"#
        );
        let fault = ack_of(Err(Fault::not_in_room()));
        let parsed: serde_json::Value = serde_json::from_str(fault.get()).unwrap();
        let error = serde_json::json!({ "code": "NOT_IN_ROOM", "message": "Not in room" });
        assert_eq!(parsed, serde_json::json!({ "ok": false, "error": error }));
    }
}
