//! Clients over plain WebSocket: `/ws`.

use std::{net::IpAddr, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;
use stoa_kernel::RefusalKind;
use stoa_socketio::{
    Reason,
    websocket::{self, Heartbeat, Inbound, Message, Outbound, Pace, Stream, Upgrade},
};
use tokio::{io::ReadHalf, time::Instant};

use crate::{
    Fault, Hub,
    admission::Admission,
    arrive::Arrival,
    call::{Reply, tell_fault},
    line::Line,
    peer::Peer,
    socketio_end::{AUTHENTICATE, tell_unauthorized},
};

/// The longest `id` of a frame, as JSON.
const LONGEST_ID: usize = 66;

/// A connection that is open.
pub(crate) struct WebSocketEnd {
    pub(crate) hub: Hub,
    pub(crate) admission: Arc<Admission>,
    pub(crate) client: IpAddr,
}

/// What a client says.
#[derive(Deserialize)]
pub(crate) struct Frame {
    #[serde(rename = "type")]
    pub(crate) word: String,
    #[serde(default)]
    pub(crate) payload: Option<Box<RawValue>>,
    #[serde(default)]
    pub(crate) id: Option<Box<RawValue>>,
}

/// By what a client signs in, and what it takes up.
#[derive(Deserialize)]
struct Authenticate {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    offset: Option<String>,
}

impl From<Authenticate> for Arrival {
    fn from(shown: Authenticate) -> Self {
        Self { token: shown.token, session: shown.session, offset: shown.offset }
    }
}

pub(crate) type Reader = Inbound<ReadHalf<Stream>>;

/// Makes a stream of an upgraded connection; nothing when the client did not wait for it.
pub(crate) async fn open(hub: &Hub, upgrade: Upgrade, outbound: &Arc<Outbound>) -> Option<Reader> {
    let (reader, writer) = upgrade.stream().await.ok()?;
    tokio::spawn(websocket::write(Arc::clone(outbound), writer));
    let settings = hub.settings();
    let heartbeat = Heartbeat { interval: settings.ping_interval, timeout: settings.ping_timeout };
    Some(Inbound::new(reader, Arc::clone(outbound), settings.max_payload).with_heartbeat(heartbeat))
}

impl WebSocketEnd {
    /// Serves a connection until it ends.
    pub(crate) async fn serve(self, upgrade: Upgrade, outbound: Arc<Outbound>, arrival: Arrival) {
        let Some(mut inbound) = open(&self.hub, upgrade, &outbound).await else { return };
        self.hub.0.measures.opened("websocket");
        let line = Line::WebSocket(Arc::clone(&outbound));
        let peer = match self.sign_in(&mut inbound, &outbound, &line, arrival).await {
            Some(peer) => Some(self.listen(&mut inbound, &outbound, peer).await),
            None => None,
        };
        let reason = outbound.ended().unwrap_or(Reason::ConnectionLost);
        self.hub.0.measures.ended("websocket", reason.name());
        if let Some(peer) = peer {
            self.hub.has_gone(&peer, reason).await;
        }
        inbound.farewell().await;
    }

    /// By what came with the handshake, or by the first frames.
    async fn sign_in(
        &self,
        inbound: &mut Reader,
        outbound: &Arc<Outbound>,
        line: &Line,
        arrival: Arrival,
    ) -> Option<Arc<Peer>> {
        if arrival.token.is_some() || arrival.session.is_some() {
            return self.arrive(line, outbound, arrival, None).await;
        }
        let deadline = Instant::now() + self.hub.settings().sign_in_within;
        loop {
            let Ok(message) = tokio::time::timeout_at(deadline, inbound.next()).await else {
                tell_fault(line, &Fault::not_authenticated());
                outbound.close(Reason::Forbidden("not_signed_in"));
                return None;
            };
            let frame = match parse(&message?) {
                Ok(frame) => frame,
                Err(fault) => {
                    tell_fault(line, &fault);
                    continue;
                }
            };
            let shown = frame.payload.as_deref().map_or("null", RawValue::get);
            match serde_json::from_str::<Authenticate>(shown) {
                Ok(shown) if frame.word == AUTHENTICATE || frame.word == "resume" => {
                    return self.arrive(line, outbound, shown.into(), frame.id).await;
                }
                _ => Reply::WebSocket(Arc::clone(outbound), frame.id)
                    .give(line, Err(Fault::not_authenticated())),
            }
        }
    }

    async fn arrive(
        &self,
        line: &Line,
        outbound: &Arc<Outbound>,
        arrival: Arrival,
        id: Option<Box<RawValue>>,
    ) -> Option<Arc<Peer>> {
        let reply = Reply::WebSocket(Arc::clone(outbound), id);
        match self.hub.arrive(line, &arrival, self.client, &self.hub.secret()).await {
            Ok(arrived) => {
                let peer = self.hub.settle_in(&arrived);
                reply.give(line, Ok(RawValue::NULL.to_owned()));
                self.hub.resume_without_session(&peer, &arrival).await;
                Some(peer)
            }
            Err(refusal) => {
                if refusal.kind == RefusalKind::Unauthenticated {
                    self.admission.was_bad(self.client).await;
                }
                tell_unauthorized(line, reply, Fault::from(refusal));
                outbound.close(Reason::Forbidden("unauthorized"));
                None
            }
        }
    }

    /// Answers until the connection ends; answers whose it was then.
    async fn listen(&self, inbound: &mut Reader, outbound: &Arc<Outbound>, peer: Arc<Peer>) -> Arc<Peer> {
        let (mut pace, mut peer) = (Pace::new(), peer);
        while let Some(message) = inbound.next().await {
            if !pace.allows(self.hub.settings().events_per_second, Instant::now()) {
                tell_fault(&peer.line, &Fault::new("TOO_MANY_EVENTS", "Too many events in a second."));
                outbound.close(Reason::TooManyEvents);
                break;
            }
            match parse(&message) {
                Ok(Frame { word, payload, id }) => {
                    let reply = Reply::WebSocket(Arc::clone(outbound), id);
                    self.hub.said_by(&mut peer, &word, payload, reply, self.client).await;
                }
                Err(fault) => self.hub.at_fault(&peer, Reply::WebSocket(Arc::clone(outbound), None), fault),
            }
        }
        peer
    }
}

/// What a message says, if it is a frame of ours.
pub(crate) fn parse(message: &Message) -> Result<Frame, Fault> {
    let bad = || Fault::new("BAD_FRAME", "A frame is a JSON object with a `type`.");
    let Message::Text(text) = message else { return Err(bad()) };
    let frame: Frame = serde_json::from_str(text).map_err(|_| bad())?;
    match &frame.id {
        Some(id) if id.get().len() > LONGEST_ID || id.get().starts_with(['{', '[']) => {
            Err(Fault::new("BAD_FRAME", "An `id` is a number or a string of up to 64 characters."))
        }
        _ => Ok(frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Frame, Fault> {
        parse(&Message::Text(text.into()))
    }

    #[test]
    fn a_frame_has_a_type_and_may_have_a_payload_and_an_id() {
        let frame = parsed(r#"{"type":"join_room","payload":{"roomId":"general"},"id":7}"#).unwrap();
        assert_eq!((frame.word.as_str(), frame.id.unwrap().get()), ("join_room", "7"));
        assert!(parsed(r#"{"type":"x"}"#).unwrap().payload.is_none());
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!(r#"{{"type":"x","id":"{}"}}"#, "a".repeat(65));
        let bad =
            ["", "[]", "null", r#"{"payload":1}"#, r#"{"type":1}"#, r#"{"type":"x","id":{}}"#, long.as_str()];
        for text in bad {
            assert_eq!(parsed(text).err().map(|fault| fault.code), Some("BAD_FRAME"), "{text}");
        }
        assert!(parse(&Message::Binary(bytes::Bytes::from_static(b"{}"))).is_err());
    }
}
