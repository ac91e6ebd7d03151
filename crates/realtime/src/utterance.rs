//! What is sent, encoded once for each kind of end however many hear it.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::value::RawValue;
use stoa_socketio::{Packet, websocket::Frame};

use crate::sockets::Said;

/// The namespace that everything is said in.
const NAMESPACE: &str = "/";

/// A word with its payload, and its offset if it is durable; or several that are said at once.
#[derive(Debug)]
pub(crate) struct Utterance {
    content: Content,
    packet: OnceLock<Option<Packet>>,
    frame: OnceLock<Option<Frame>>,
}

#[derive(Debug)]
enum Content {
    One { said: Said, offset: Option<String> },
    Several(Vec<Arc<Utterance>>),
}

/// What `/ws` speaks.
#[derive(Serialize)]
struct Spoken<'a> {
    #[serde(rename = "type")]
    word: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<&'a str>,
}

impl Utterance {
    /// Heard by who is there.
    pub(crate) fn volatile(said: Said) -> Self {
        Self::new(Content::One { said, offset: None })
    }

    /// Heard by all who are subscribed, sooner or later.
    pub(crate) fn durable(said: Said, offset: String) -> Self {
        Self::new(Content::One { said, offset: Some(offset) })
    }

    /// Several at once, in this order: whoever hears them is told as quickly as of one.
    pub(crate) fn several(mut all: Vec<Arc<Self>>) -> Arc<Self> {
        match all.pop() {
            Some(one) if all.is_empty() => one,
            last => {
                all.extend(last);
                Arc::new(Self::new(Content::Several(all)))
            }
        }
    }

    fn new(content: Content) -> Self {
        Self { content, packet: OnceLock::new(), frame: OnceLock::new() }
    }

    /// How many it is.
    pub(crate) fn count(&self) -> usize {
        match &self.content {
            Content::One { .. } => 1,
            Content::Several(all) => all.len(),
        }
    }

    /// For Socket.IO; nothing when it cannot be encoded, which the log then says.
    pub(crate) fn packet(&self) -> Option<&Packet> {
        let encode = || match &self.content {
            Content::One { said, offset } => packet_of(said, offset.as_deref()),
            Content::Several(all) => Some(Packet::joined(all.iter().filter_map(|one| one.packet()))),
        };
        self.packet.get_or_init(encode).as_ref()
    }

    /// For `/ws`.
    pub(crate) fn frame(&self) -> Option<&Frame> {
        let encode = || match &self.content {
            Content::One { said: Said { word, payload }, offset } => {
                frame_of(&Spoken { word, id: None, payload, offset: offset.as_deref() })
            }
            Content::Several(all) => {
                let frames: Vec<Frame> = all.iter().filter_map(|one| one.frame().cloned()).collect();
                Some(Frame::joined(&frames))
            }
        };
        self.frame.get_or_init(encode).as_ref()
    }
}

fn packet_of(Said { word, payload }: &Said, offset: Option<&str>) -> Option<Packet> {
    let packet = match offset {
        Some(offset) => Packet::event(NAMESPACE, word, &(payload, offset)),
        None => Packet::event(NAMESPACE, word, &(payload,)),
    };
    packet.inspect_err(|error| tracing::error!(word, %error, "an event cannot be encoded")).ok()
}

/// The answer to what a client of `/ws` said under an id.
pub(crate) fn ack_frame(id: &RawValue, payload: &RawValue) -> Option<Frame> {
    frame_of(&Spoken { word: "ack", id: Some(id), payload, offset: None })
}

fn frame_of(spoken: &Spoken<'_>) -> Option<Frame> {
    match serde_json::to_string(spoken) {
        Ok(text) => Some(Frame::text(&text)),
        Err(error) => {
            tracing::error!(word = spoken.word, %error, "an event cannot be encoded");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frame: &Frame) -> &str {
        std::str::from_utf8(frame.payload()).unwrap()
    }

    fn said() -> Said {
        Said { word: "message", payload: RawValue::from_string(r#"{"a":1.50}"#.into()).unwrap() }
    }

    #[test]
    fn what_is_durable_carries_its_offset_and_nothing_else_does() {
        let durable = Utterance::durable(said(), "e-7".into());
        assert_eq!(text(durable.packet().unwrap().frame()), r#"42["message",{"a":1.50},"e-7"]"#);
        assert_eq!(
            text(durable.frame().unwrap()),
            r#"{"type":"message","payload":{"a":1.50},"offset":"e-7"}"#
        );
        let volatile = Utterance::volatile(said());
        assert_eq!(text(volatile.packet().unwrap().frame()), r#"42["message",{"a":1.50}]"#);
        assert_eq!(text(volatile.frame().unwrap()), r#"{"type":"message","payload":{"a":1.50}}"#);
    }

    #[test]
    fn several_are_told_in_their_order_and_one_alone_as_it_is() {
        let say = |offset: &str| Arc::new(Utterance::durable(said(), offset.into()));
        let several = Utterance::several(vec![say("e-7"), say("e-8")]);
        assert_eq!(several.count(), 2);
        let told: Vec<_> = several.frame().unwrap().parts().iter().map(text).collect();
        assert_eq!(
            told,
            [
                r#"{"type":"message","payload":{"a":1.50},"offset":"e-7"}"#,
                r#"{"type":"message","payload":{"a":1.50},"offset":"e-8"}"#
            ]
        );
        let told: Vec<_> = several.packet().unwrap().frame().parts().iter().map(text).collect();
        assert_eq!(told, [r#"42["message",{"a":1.50},"e-7"]"#, r#"42["message",{"a":1.50},"e-8"]"#]);
        assert_eq!(text(Utterance::several(vec![say("e-7")]).packet().unwrap().frame()), told[0]);
    }

    #[test]
    fn an_answer_repeats_the_id_as_it_came() {
        let id = RawValue::from_string("17".into()).unwrap();
        let frame = ack_frame(&id, RawValue::TRUE).unwrap();
        assert_eq!(text(&frame), r#"{"type":"ack","id":17,"payload":true}"#);
    }
}
