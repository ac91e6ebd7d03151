//! Decoding what a client sent, strictly.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

use crate::Violation;

/// Names that clients' libraries keep for themselves; an event may not bear them.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
}

/// The parts of a packet; offsets are into its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) id: Option<u64>,
    pub(crate) attachments: usize,
    /// Where the JSON begins; at the end when there is none.
    pub(crate) payload: usize,
    /// The name of an event.
    pub(crate) name: String,
}

impl Head {
    /// Reads a packet of which at most `max_attachments` may follow. All of its JSON is checked.
    pub(crate) fn parse(text: &str, max_attachments: usize) -> Result<Self, Violation> {
        let mut rest = Rest { text, at: 0 };
        let (kind, binary) = rest.kind()?;
        let attachments = if binary { rest.attachments(max_attachments)? } else { 0 };
        let namespace = rest.namespace();
        let id = rest.id()?;
        let json = text.get(rest.at..).unwrap_or_default();
        let name = check_payload(kind, json)?;
        if (kind == Kind::Ack) != id.is_some() && kind != Kind::Event {
            return Err(Violation::BadMessage);
        }
        Ok(Self { kind, namespace, id, attachments, payload: rest.at, name })
    }
}

struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn left(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn kind(&mut self) -> Result<(Kind, bool), Violation> {
        let kind = match self.text.as_bytes().first() {
            Some(b'0') => (Kind::Connect, false),
            Some(b'1') => (Kind::Disconnect, false),
            Some(b'2') => (Kind::Event, false),
            Some(b'3') => (Kind::Ack, false),
            Some(b'5') => (Kind::Event, true),
            Some(b'6') => (Kind::Ack, true),
            // 4 is what a server says when it refuses.
            _ => return Err(Violation::BadMessage),
        };
        self.at = 1;
        Ok(kind)
    }

    fn digits(&mut self) -> &'a str {
        let left = self.left();
        let end = left.find(|character: char| !character.is_ascii_digit()).unwrap_or(left.len());
        self.at += end;
        left.get(..end).unwrap_or_default()
    }

    fn attachments(&mut self, most: usize) -> Result<usize, Violation> {
        let digits = self.digits();
        if digits.is_empty() || !self.left().starts_with('-') {
            return Err(Violation::BadMessage);
        }
        self.at += 1;
        // A number too large to be read is too large.
        let count = digits.parse().unwrap_or(usize::MAX);
        if count > most { Err(Violation::TooManyAttachments) } else { Ok(count) }
    }

    fn namespace(&mut self) -> String {
        let left = self.left();
        if !left.starts_with('/') {
            return "/".to_owned();
        }
        let name = left.split(',').next().unwrap_or_default();
        self.at = (self.at + name.len() + 1).min(self.text.len());
        name.to_owned()
    }

    fn id(&mut self) -> Result<Option<u64>, Violation> {
        match self.digits() {
            "" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| Violation::BadMessage),
        }
    }
}

/// The name of an event; nothing for other kinds.
fn check_payload(kind: Kind, json: &str) -> Result<String, Violation> {
    let fits = match kind {
        Kind::Connect => json.is_empty() || is_json::<serde_json::Map<String, Value>>(json),
        Kind::Disconnect => json.is_empty(),
        Kind::Ack => is_json::<Vec<IgnoredAny>>(json),
        Kind::Event => return event_name(json),
    };
    if fits { Ok(String::new()) } else { Err(Violation::BadMessage) }
}

fn is_json<T: for<'de> serde::Deserialize<'de>>(json: &str) -> bool {
    serde_json::from_str::<T>(json).is_ok()
}

fn event_name(json: &str) -> Result<String, Violation> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let name = deserializer.deserialize_seq(NamedArray).map_err(|_| Violation::BadMessage)?;
    deserializer.end().map_err(|_| Violation::BadMessage)?;
    if RESERVED.contains(&name.as_str()) { Err(Violation::BadMessage) } else { Ok(name) }
}

/// Takes the first element as a name, a string or a number, and walks over the rest.
struct NamedArray;

impl<'de> Visitor<'de> for NamedArray {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array that begins with the name of an event")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<String, A::Error> {
        let name = match elements.next_element::<Value>()? {
            Some(Value::String(name)) => name,
            Some(Value::Number(name)) => name.to_string(),
            _ => return Err(serde::de::Error::custom("no name")),
        };
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(name)
    }
}

/// Whether every placeholder names one of the attachments.
pub(crate) fn check_placeholders(json: &str, attachments: usize) -> Result<(), Violation> {
    let value: Value = serde_json::from_str(json).map_err(|_| Violation::BadMessage)?;
    if placeholders_fit(&value, attachments) { Ok(()) } else { Err(Violation::BadAttachment) }
}

/// Recursion ends: the JSON parser refuses what is nested deeper than 128.
fn placeholders_fit(value: &Value, attachments: usize) -> bool {
    match value {
        Value::Array(elements) => elements.iter().all(|element| placeholders_fit(element, attachments)),
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
            let number = fields.get("num").and_then(Value::as_u64);
            number.and_then(|number| usize::try_from(number).ok()).is_some_and(|number| number < attachments)
        }
        Value::Object(fields) => fields.values().all(|field| placeholders_fit(field, attachments)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Head, Violation> {
        Head::parse(text, 10)
    }

    #[test]
    fn the_main_namespace_is_not_named() {
        let head = parse(r#"212["foo",1]"#).unwrap();
        assert_eq!((head.kind, head.namespace.as_str(), head.id), (Kind::Event, "/", Some(12)));
        assert_eq!((head.name.as_str(), head.payload), ("foo", 3));
    }

    #[test]
    fn every_part_may_be_there() {
        let head = parse(r#"52-/admin,7["baz",{"_placeholder":true,"num":0}]"#).unwrap();
        assert_eq!((head.attachments, head.namespace.as_str(), head.id), (2, "/admin", Some(7)));
        assert_eq!(head.name, "baz");
    }

    #[test]
    fn a_namespace_may_end_the_packet() {
        for text in ["0/random", "0/random,"] {
            let head = parse(text).unwrap();
            assert_eq!((head.namespace.as_str(), head.payload), ("/random", text.len()));
        }
    }

    #[test]
    fn a_name_may_be_a_number() {
        assert_eq!(parse("2[5]").unwrap().name, "5");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wrong = [
            "",
            "abc",
            "7",
            "4{}",
            "2",
            "2{}",
            "2[]",
            "2[{}]",
            "2[null]",
            "2[\"a\"",
            "2[\"a\"]x",
            "2abc[\"a\"]",
            "2[\"connect\"]",
            "2[\"disconnect\"]",
            "0[]",
            "0\"x\"",
            "0{",
            "1{}",
            "3[]",
            "31",
            "31{}",
            "5[\"a\"]",
            "5-[\"a\"]",
            "5x-[\"a\"]",
            "51[\"a\"]",
            "299999999999999999999[\"a\"]",
            "0 ",
            "07{}",
            "1/admin,7",
        ];
        for text in wrong {
            assert_eq!(parse(text), Err(Violation::BadMessage), "{text}");
        }
    }

    #[test]
    fn attachments_are_bounded_before_anything_is_kept() {
        assert_eq!(parse("510000-[\"a\"]"), Err(Violation::TooManyAttachments));
        assert_eq!(parse("599999999999999999999999-[\"a\"]"), Err(Violation::TooManyAttachments));
        assert_eq!(parse("50-[\"a\"]").unwrap().attachments, 0);
    }

    #[test]
    fn deep_nesting_is_walked_over_and_never_followed() {
        let json = format!("[\"a\",{}{}]", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(parse(&format!("2{json}")).unwrap().name, "a");
        assert_eq!(check_placeholders(&json, 1), Err(Violation::BadMessage));
        assert!(serde_json::from_str::<Value>(&json).is_err());
    }

    #[test]
    fn placeholders_name_what_is_there() {
        let json = r#"["a",{"x":[{"_placeholder":true,"num":1}]}]"#;
        assert_eq!(check_placeholders(json, 2), Ok(()));
        assert_eq!(check_placeholders(json, 1), Err(Violation::BadAttachment));
        assert_eq!(
            check_placeholders(r#"[{"_placeholder":true,"num":-1}]"#, 1),
            Err(Violation::BadAttachment)
        );
        assert_eq!(check_placeholders(r#"[{"_placeholder":true}]"#, 1), Err(Violation::BadAttachment));
    }
}
