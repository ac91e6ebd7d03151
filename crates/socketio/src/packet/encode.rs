//! Encoding, once for all who get a packet.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::websocket::{Draft, Frame};

/// An encoded packet with its attachments: cheap to clone, and sent to any number of sockets of its namespace.
///
/// The namespace is part of the encoding, so a packet made for `/admin` must not be sent to a socket of `/`.
#[derive(Clone, Debug)]
pub struct Packet {
    first: Frame,
    attachments: Option<Arc<[Frame]>>,
}

/// Why arguments could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Arguments are a tuple, an array or `()`: whatever serialises to a JSON array.
    #[error("arguments must serialise to a JSON array")]
    NotAnArray,
    /// What serde says.
    #[error("arguments cannot be serialised")]
    Json(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct Joined<'a> {
    sid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<&'a str>,
}

#[derive(Serialize)]
struct NotJoined<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a serde_json::Value>,
}

impl Packet {
    /// An event with arguments: `Packet::event("/", "greeting", &("hello", 1))`. `&()` is none at all.
    pub fn event<T: Serialize + ?Sized>(
        namespace: &str,
        name: &str,
        arguments: &T,
    ) -> Result<Self, EncodeError> {
        Self::named(namespace, None, name, arguments, &[])
    }

    /// An event with attachments; [`Placeholder`](super::Placeholder)s in the arguments say where each belongs.
    pub fn binary_event<T: Serialize + ?Sized>(
        namespace: &str,
        name: &str,
        arguments: &T,
        attachments: &[Bytes],
    ) -> Result<Self, EncodeError> {
        Self::named(namespace, None, name, arguments, attachments)
    }

    pub(crate) fn named<T: Serialize + ?Sized>(
        namespace: &str,
        id: Option<u64>,
        name: &str,
        arguments: &T,
        attachments: &[Bytes],
    ) -> Result<Self, EncodeError> {
        let kind = if attachments.is_empty() { '2' } else { '5' };
        let mut draft = start(kind, attachments.len(), namespace, id);
        let text = draft.text();
        text.push(b'[');
        serde_json::to_writer(&mut *text, name)?;
        let comma = text.len();
        let any = write_array(text, arguments)?;
        match text.get_mut(comma) {
            // `["name"` and `[1,2]` become `["name",1,2]`.
            Some(bracket) if any => *bracket = b',',
            _ => {
                text.truncate(comma);
                text.push(b']');
            }
        }
        Ok(Self::of(draft, attachments))
    }

    pub(crate) fn ack<T: Serialize + ?Sized>(
        namespace: &str,
        id: u64,
        arguments: &T,
        attachments: &[Bytes],
    ) -> Result<Self, EncodeError> {
        let kind = if attachments.is_empty() { '3' } else { '6' };
        let mut draft = start(kind, attachments.len(), namespace, Some(id));
        write_array(draft.text(), arguments)?;
        Ok(Self::of(draft, attachments))
    }

    pub(crate) fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> Result<Self, EncodeError> {
        let mut draft = start('0', 0, namespace, None);
        serde_json::to_writer(draft.text(), &Joined { sid, pid })?;
        Ok(Self::of(draft, &[]))
    }

    pub(crate) fn connect_error(
        namespace: &str,
        message: &str,
        data: Option<&serde_json::Value>,
    ) -> Result<Self, EncodeError> {
        let mut draft = start('4', 0, namespace, None);
        serde_json::to_writer(draft.text(), &NotJoined { message, data })?;
        Ok(Self::of(draft, &[]))
    }

    pub(crate) fn disconnect(namespace: &str) -> Self {
        Self::of(start('1', 0, namespace, None), &[])
    }

    /// Several packets as one piece, with their attachments: sent with nothing between them, and as quickly as one.
    pub fn joined<'p>(packets: impl IntoIterator<Item = &'p Self>) -> Self {
        let frames =
            packets.into_iter().flat_map(|one| std::iter::once(one.frame()).chain(one.attachments()));
        let frames: Vec<Frame> = frames.cloned().collect();
        Self { first: Frame::joined(&frames), attachments: None }
    }

    fn of(draft: Draft, attachments: &[Bytes]) -> Self {
        let frames = attachments.iter().map(|bytes| Frame::binary(bytes));
        let attachments = (!attachments.is_empty()).then(|| frames.collect());
        Self { first: draft.into_text_frame(), attachments }
    }

    /// The message that comes first; without attachments it is the whole packet.
    pub fn frame(&self) -> &Frame {
        &self.first
    }

    /// The attachments, in order.
    pub fn attachments(&self) -> &[Frame] {
        self.attachments.as_deref().unwrap_or_default()
    }
}

fn start(kind: char, attachments: usize, namespace: &str, id: Option<u64>) -> Draft {
    let mut draft = Draft::with_capacity(64 + namespace.len());
    let text = draft.text();
    // Writing into a vector cannot fail.
    let mut write = |part: &str| text.extend_from_slice(part.as_bytes());
    write("4");
    write(kind.encode_utf8(&mut [0; 4]));
    if attachments > 0 {
        write(&attachments.to_string());
        write("-");
    }
    if namespace != "/" {
        write(namespace);
        write(",");
    }
    if let Some(id) = id {
        write(&id.to_string());
    }
    draft
}

/// Writes a JSON array, and says whether there is anything in it.
fn write_array<T: Serialize + ?Sized>(text: &mut Vec<u8>, arguments: &T) -> Result<bool, EncodeError> {
    let start = text.len();
    serde_json::to_writer(&mut *text, arguments)?;
    match text.get(start..) {
        Some(b"[]") => Ok(false),
        Some([b'[', ..]) => Ok(true),
        Some(b"null") => {
            text.truncate(start);
            text.extend_from_slice(b"[]");
            Ok(false)
        }
        _ => Err(EncodeError::NotAnArray),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Placeholder;

    fn text(packet: &Packet) -> &str {
        std::str::from_utf8(packet.frame().payload()).unwrap()
    }

    #[test]
    fn events_carry_their_name_before_their_arguments() {
        assert_eq!(text(&Packet::event("/", "a\"b", &(1, "x")).unwrap()), r#"42["a\"b",1,"x"]"#);
        assert_eq!(text(&Packet::event("/admin", "none", &()).unwrap()), r#"42/admin,["none"]"#);
        let empty: [u8; 0] = [];
        assert_eq!(text(&Packet::event("/", "none", &empty).unwrap()), r#"42["none"]"#);
        assert_eq!(
            text(&Packet::named("/", Some(7), "asked", &(true,), &[]).unwrap()),
            r#"427["asked",true]"#
        );
    }

    #[test]
    fn arguments_that_are_no_array_are_refused() {
        assert!(matches!(Packet::event("/", "x", "text"), Err(EncodeError::NotAnArray)));
    }

    #[test]
    fn answers_are_arrays_under_an_id() {
        assert_eq!(text(&Packet::ack("/", 12, &(), &[]).unwrap()), "4312[]");
        assert_eq!(text(&Packet::ack("/admin", 13, &("bar",), &[]).unwrap()), r#"43/admin,13["bar"]"#);
    }

    #[test]
    fn attachments_are_announced_and_follow() {
        let bytes = [Bytes::from_static(&[1, 2])];
        let packet = Packet::binary_event("/", "baz", &(Placeholder::new(0),), &bytes).unwrap();
        assert_eq!(text(&packet), r#"451-["baz",{"_placeholder":true,"num":0}]"#);
        assert_eq!(packet.attachments().first().map(Frame::payload), Some(&[1, 2][..]));
        assert!(packet.attachments().iter().all(Frame::is_binary));
    }

    #[test]
    fn joining_is_answered_with_ids_or_a_reason() {
        assert_eq!(text(&Packet::connect("/", "s", None).unwrap()), r#"40{"sid":"s"}"#);
        assert_eq!(text(&Packet::connect("/a", "s", Some("p")).unwrap()), r#"40/a,{"sid":"s","pid":"p"}"#);
        let refused = Packet::connect_error("/", "no", Some(&serde_json::json!({"code": 1}))).unwrap();
        assert_eq!(text(&refused), r#"44{"message":"no","data":{"code":1}}"#);
        assert_eq!(text(&Packet::disconnect("/admin")), "41/admin,");
    }
}
