//! One message to be sent, encoded once for all who get it.
//!
//! What a server sends is not masked, so the bytes on the wire are the same for every client: header and payload lie in
//! one shared buffer, and a thousand queues hold a thousand references to it. Long polling sends the payload alone.

use std::{slice, sync::Arc};

use bytes::Bytes;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// The longest header of a frame that is not masked: two bytes and a length of eight.
const HEADER_ROOM: usize = 10;

/// An encoded WebSocket message, or several that go together: cheap to clone, never changed.
#[derive(Clone, Debug)]
pub struct Frame {
    wire: Bytes,
    header: u8,
    opcode: Kind,
    /// Of several in one, each by itself.
    parts: Option<Arc<[Self]>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Binary,
    Control,
    Joined,
}

impl Frame {
    /// A text message.
    pub fn text(payload: &str) -> Self {
        let mut draft = Draft::with_capacity(payload.len());
        draft.text().extend_from_slice(payload.as_bytes());
        draft.finish(OpCode::Data(Data::Text), Kind::Text)
    }

    /// A binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(payload, OpCode::Data(Data::Binary), Kind::Binary)
    }

    /// A ping with up to 125 bytes; a longer payload is cut there (RFC 6455, 5.5).
    pub fn ping(payload: &[u8]) -> Self {
        Self::control(payload, Control::Ping)
    }

    pub(super) fn pong(payload: &[u8]) -> Self {
        Self::control(payload, Control::Pong)
    }

    pub(super) fn close(code: u16) -> Self {
        Self::control(&code.to_be_bytes(), Control::Close)
    }

    /// Several messages as one piece, queued and written with nothing between them: to tell a thousand clients of sixty
    /// things is then as much work as to tell them of one.
    pub fn joined(frames: &[Self]) -> Self {
        if let [one] = frames {
            return one.clone();
        }
        let parts: Arc<[Self]> = frames.iter().flat_map(Self::parts).cloned().collect();
        let wire: Vec<u8> = parts.iter().flat_map(|part| part.wire.iter().copied()).collect();
        Self { wire: wire.into(), header: 0, opcode: Kind::Joined, parts: Some(parts) }
    }

    fn control(payload: &[u8], control: Control) -> Self {
        let payload = payload.get(..125).unwrap_or(payload);
        Self::encode(payload, OpCode::Control(control), Kind::Control)
    }

    fn encode(payload: &[u8], opcode: OpCode, kind: Kind) -> Self {
        let mut draft = Draft::with_capacity(payload.len());
        draft.bytes.extend_from_slice(payload);
        draft.finish(opcode, kind)
    }

    /// Header and payload, as they go over a WebSocket.
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The messages in it: itself, unless it was joined.
    pub fn parts(&self) -> &[Self] {
        self.parts.as_deref().unwrap_or_else(|| slice::from_ref(self))
    }

    /// How many messages it holds.
    pub(crate) fn count(&self) -> usize {
        self.parts().len()
    }

    /// The payload alone. One that was joined has none of its own.
    pub fn payload(&self) -> &[u8] {
        if self.opcode == Kind::Joined {
            return &[];
        }
        self.wire.get(usize::from(self.header)..).unwrap_or_default()
    }

    /// Whether it is a binary message.
    pub fn is_binary(&self) -> bool {
        self.opcode == Kind::Binary
    }

    /// Bytes on the wire.
    pub(crate) fn size(&self) -> usize {
        self.wire.len()
    }
}

/// A payload being written, with room for the header before it, so that nothing is copied when its length is known.
pub(crate) struct Draft {
    bytes: Vec<u8>,
}

impl Draft {
    pub(crate) fn with_capacity(payload: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_ROOM + payload);
        bytes.resize(HEADER_ROOM, 0);
        Self { bytes }
    }

    /// Where the payload of a text message goes. Only UTF-8 may be appended.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn into_text_frame(self) -> Frame {
        self.finish(OpCode::Data(Data::Text), Kind::Text)
    }

    fn finish(mut self, opcode: OpCode, kind: Kind) -> Frame {
        let length = self.bytes.len() - HEADER_ROOM;
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        let length_on_wire = u64::try_from(length).unwrap_or(u64::MAX);
        let size = header.len(length_on_wire).min(HEADER_ROOM);
        let start = HEADER_ROOM - size;
        if let Some(mut room) = self.bytes.get_mut(start..HEADER_ROOM) {
            // Cannot fail: a slice takes what fits, and the room was measured for this header.
            let _ = header.format(length_on_wire, &mut room);
        }
        let wire = Bytes::from(self.bytes).slice(start..);
        Frame { wire, header: u8::try_from(size).unwrap_or_default(), opcode: kind, parts: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_precedes_the_payload_without_a_mask() {
        let frame = Frame::text("hello");
        assert_eq!(frame.wire().as_ref(), b"\x81\x05hello");
        assert_eq!(frame.payload(), b"hello");
        assert!(!frame.is_binary());
    }

    #[test]
    fn lengths_take_one_three_or_nine_bytes() {
        assert_eq!(Frame::binary(&[7; 125]).wire().get(..2), Some(&[0x82, 125][..]));
        assert_eq!(Frame::binary(&[7; 126]).wire().get(..4), Some(&[0x82, 126, 0, 126][..]));
        let long = Frame::binary(&vec![7; 65_536]);
        assert_eq!(long.wire().get(..10), Some(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..]));
        assert_eq!(long.payload().len(), 65_536);
    }

    #[test]
    fn joined_frames_go_over_the_wire_one_after_the_other_and_keep_their_payloads() {
        let joined = Frame::joined(&[Frame::text("a"), Frame::binary(&[7])]);
        let joined = Frame::joined(&[joined, Frame::text("b")]);
        assert_eq!(joined.wire().as_ref(), b"\x81\x01a\x82\x01\x07\x81\x01b");
        let payloads: Vec<&[u8]> = joined.parts().iter().map(Frame::payload).collect();
        assert_eq!(payloads, [&b"a"[..], &[7], b"b"]);
        assert_eq!((joined.count(), joined.payload()), (3, &[][..]));
        assert_eq!(Frame::joined(&[Frame::text("a")]).payload(), b"a");
    }

    #[test]
    fn a_control_frame_is_never_longer_than_the_protocol_allows() {
        assert_eq!(Frame::ping(&[1; 300]).payload().len(), 125);
        assert_eq!(Frame::close(1001).wire().as_ref(), &[0x88, 2, 3, 0xe9]);
    }
}
