//! The two ways of speaking with a server, Socket.IO and plain WebSocket: what is said, and what a message is by its first
//! bytes.

use serde_json::{Value, json};

use super::session::{Credentials, Session};
use crate::failure::Failure;

/// A way of speaking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    SocketIo,
    Plain,
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// What somebody said in a room.
    Message,
    /// The answer to an event that asked for one.
    Ack,
    /// Engine.IO's own ping, which wants an answer.
    Ping,
    /// The first word of Engine.IO.
    Open,
    /// The answer to CONNECT.
    Connected,
    Authenticated,
    /// A refusal of the sign-in, or an event that tells of something wrong.
    Refused,
    /// Anything else: presence, typing, who came and went.
    Other,
}

/// The number that goes before what is asked, so that its answer can be told.
const ASKED: u64 = 7;

impl Dialect {
    /// Where the WebSocket is opened.
    pub(crate) fn path(self, credentials: &Credentials<'_>) -> String {
        match (self, credentials.resumed) {
            (Self::SocketIo, _) => "/socket.io/?EIO=4&transport=websocket".to_owned(),
            (Self::Plain, None) => format!("/ws?token={}", credentials.token),
            (Self::Plain, Some(Session { id, offset, .. })) => {
                format!("/ws?token={}&session={id}&offset={offset}", credentials.token)
            }
        }
    }

    /// The CONNECT of Socket.IO; the other way needs none.
    pub(crate) fn hello(self, credentials: &Credentials<'_>) -> Option<String> {
        let token = credentials.token;
        let auth = match (self, credentials.resumed) {
            (Self::Plain, _) => return None,
            (Self::SocketIo, None) => json!({"token": token}),
            (Self::SocketIo, Some(Session { id, offset, .. })) => {
                json!({"token": token, "pid": id, "offset": offset})
            }
        };
        Some(format!("40{auth}"))
    }

    /// Asks to be in a room; answered.
    pub(crate) fn join(self, room: &str) -> String {
        match self {
            Self::SocketIo => format!("42{ASKED}{}", json!(["join-room", room])),
            Self::Plain => json!({"type": "join_room", "payload": {"roomId": room}, "id": ASKED}).to_string(),
        }
    }

    /// Says something; answered when it is `asked`.
    pub(crate) fn say(self, room: &str, content: &str, asked: bool) -> String {
        match (self, asked) {
            (Self::SocketIo, asked) => {
                let ask = if asked { ASKED.to_string() } else { String::new() };
                format!("42{ask}{}", json!(["send-message", {"room": room, "content": content}]))
            }
            (Self::Plain, true) => {
                json!({"type": "send_message", "payload": {"roomId": room, "message": content}, "id": ASKED})
                    .to_string()
            }
            (Self::Plain, false) => {
                json!({"type": "send_message", "payload": {"roomId": room, "message": content}}).to_string()
            }
        }
    }

    pub(crate) fn recognise(self, message: &[u8]) -> Heard {
        let kinds: &[(&[u8], Heard)] = match self {
            Self::SocketIo => &[
                (b"42[\"new-message\",", Heard::Message),
                (b"43", Heard::Ack),
                (b"2", Heard::Ping),
                (b"0{", Heard::Open),
                (b"40", Heard::Connected),
                (b"44", Heard::Refused),
                (b"42[\"authenticated\",", Heard::Authenticated),
                (b"42[\"unauthorized\",", Heard::Refused),
                (b"42[\"error\",", Heard::Refused),
            ],
            Self::Plain => &[
                (b"{\"type\":\"message\",", Heard::Message),
                (b"{\"type\":\"ack\",", Heard::Ack),
                (b"{\"type\":\"authenticated\",", Heard::Authenticated),
                (b"{\"type\":\"error\",", Heard::Refused),
            ],
        };
        let known = kinds.iter().find(|(first, _)| message.starts_with(first));
        known.map_or(Heard::Other, |(_, heard)| *heard)
    }

    /// The secret by which this session may be resumed, in the answer to CONNECT or in the greeting.
    pub(crate) fn session_id(self, message: &[u8]) -> Result<String, Failure> {
        let (json, at) = match self {
            Self::SocketIo => (message.get(2..).unwrap_or_default(), "/pid"),
            Self::Plain => (message, "/payload/session"),
        };
        let told: Value = serde_json::from_slice(json)?;
        Ok(told.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Whether the greeting says that what was missed is given.
    pub(crate) fn recovered(self, message: &[u8]) -> Result<bool, Failure> {
        let (json, at) = match self {
            Self::SocketIo => (message.get(2..).unwrap_or_default(), "/1/recovered"),
            Self::Plain => (message, "/payload/recovered"),
        };
        let told: Value = serde_json::from_slice(json)?;
        Ok(told.pointer(at).and_then(Value::as_bool).unwrap_or_default())
    }

    /// The place in the log that an event carries, if it does.
    pub(crate) fn offset(self, message: &[u8]) -> Option<String> {
        let offset = match self {
            Self::SocketIo => {
                let event: Vec<Value> = serde_json::from_slice(message.get(2..)?).ok()?;
                if event.len() < 3 { None } else { event.last()?.as_str().map(ToOwned::to_owned) }
            }
            Self::Plain => {
                let event: Value = serde_json::from_slice(message).ok()?;
                event.get("offset")?.as_str().map(ToOwned::to_owned)
            }
        };
        offset.filter(|offset| !offset.is_empty())
    }
}

/// Whether an ack says that it was done.
pub(crate) fn is_done(ack: &[u8]) -> bool {
    const DONE: &[u8] = b"\"ok\":true";
    ack.windows(DONE.len()).any(|part| part == DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_known_by_their_first_bytes() {
        let heard = |text: &str| Dialect::SocketIo.recognise(text.as_bytes());
        assert_eq!(heard(r#"42["new-message",{"id":"1"},"e-7"]"#), Heard::Message);
        assert_eq!(heard(r#"42["new-message-of-another-kind",{}]"#), Heard::Other);
        assert_eq!(heard(r#"437[{"ok":true}]"#), Heard::Ack);
        assert_eq!(heard("2"), Heard::Ping);
        assert_eq!(heard(r#"0{"sid":"a"}"#), Heard::Open);
        assert_eq!(heard(r#"40{"sid":"a","pid":"b"}"#), Heard::Connected);
        assert_eq!(heard(r#"44{"message":"Authentication error"}"#), Heard::Refused);
        assert_eq!(heard(r#"42["user-online",{"userId":"1"}]"#), Heard::Other);
        let heard = |text: &str| Dialect::Plain.recognise(text.as_bytes());
        assert_eq!(heard(r#"{"type":"message","payload":{},"offset":"e-7"}"#), Heard::Message);
        assert_eq!(heard(r#"{"type":"message_read","payload":{}}"#), Heard::Other);
        assert_eq!(heard(r#"{"type":"ack","id":7,"payload":{"ok":true}}"#), Heard::Ack);
        assert_eq!(heard("2"), Heard::Other);
    }

    #[test]
    fn the_greeting_tells_how_to_come_back() {
        let connected = br#"40{"sid":"a","pid":"secret"}"#;
        assert_eq!(Dialect::SocketIo.session_id(connected).unwrap(), "secret");
        let greeting = br#"42["authenticated",{"userId":"1","recovered":true},"e-9"]"#;
        assert!(Dialect::SocketIo.recovered(greeting).unwrap());
        assert_eq!(Dialect::SocketIo.offset(greeting).as_deref(), Some("e-9"));
        let greeting =
            br#"{"type":"authenticated","payload":{"userId":"1","session":"s","recovered":false},"offset":"e-9"}"#;
        assert_eq!(Dialect::Plain.session_id(greeting).unwrap(), "s");
        assert!(!Dialect::Plain.recovered(greeting).unwrap());
        assert_eq!(Dialect::Plain.offset(greeting).as_deref(), Some("e-9"));
    }

    #[test]
    fn an_event_that_is_not_in_the_log_has_no_place_there() {
        assert_eq!(Dialect::SocketIo.offset(br#"42["user-online",{"userId":"1"}]"#), None);
        assert_eq!(Dialect::SocketIo.offset(br#"42["word","text"]"#), None);
        assert_eq!(Dialect::Plain.offset(br#"{"type":"typing","payload":{}}"#), None);
        assert_eq!(Dialect::Plain.offset(b"no json"), None);
    }

    #[test]
    fn acks_say_whether_it_was_done() {
        assert!(is_done(br#"437[{"ok":true,"message":{}}]"#));
        assert!(!is_done(br#"437[{"ok":false,"error":{"code":"MUTED"}}]"#));
    }
}
