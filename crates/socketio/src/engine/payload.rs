//! Bodies of long polling: packets in text, parted by a record separator, binary ones in base64 after a `b`.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{Violation, websocket::Frame, websocket::Message};

const SEPARATOR: char = '\x1e';

/// Appends what a stream would carry in this frame.
pub(super) fn append(body: &mut String, frame: &Frame) {
    for part in frame.parts() {
        if part.is_binary() {
            separate(body);
            body.push('b');
            STANDARD.encode_string(part.payload(), body);
        } else if let Ok(text) = std::str::from_utf8(part.payload()) {
            append_text(body, text);
        }
    }
}

pub(super) fn append_text(body: &mut String, packet: &str) {
    separate(body);
    body.push_str(packet);
}

fn separate(body: &mut String) {
    if !body.is_empty() {
        body.push(SEPARATOR);
    }
}

/// The packets of a body, as a stream would have brought them.
pub(super) fn packets(body: &str) -> impl Iterator<Item = Result<Message, Violation>> {
    body.split(SEPARATOR).map(|packet| match packet.strip_prefix('b') {
        None => Ok(Message::Text(packet.to_owned())),
        Some(encoded) => match STANDARD.decode(encoded) {
            Ok(bytes) => Ok(Message::Binary(bytes.into())),
            Err(_) => Err(Violation::BadPacket),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_parted_and_binary_ones_encoded() {
        let mut body = String::new();
        append(&mut body, &Frame::text("4hello"));
        append(&mut body, &Frame::binary(&[1, 2, 3, 4]));
        append_text(&mut body, "6");
        assert_eq!(body, "4hello\x1ebAQIDBA==\x1e6");
    }

    #[test]
    fn what_was_joined_comes_apart() {
        let read: Result<Vec<_>, _> = packets("4hello\x1ebAQIDBA==\x1e2").collect();
        let expected = [
            Message::Text("4hello".to_owned()),
            Message::Binary(vec![1, 2, 3, 4].into()),
            Message::Text("2".to_owned()),
        ];
        assert_eq!(read.unwrap(), expected);
        assert!(packets("b%%").any(|packet| packet == Err(Violation::BadPacket)));
    }
}
