//! What a client said: events, and answers to ours.

use std::{fmt, marker::PhantomData};

use bytes::Bytes;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

/// An event of a client. Its JSON was checked when it came; arguments are parsed when they are asked for.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) name: String,
    pub(crate) body: Body,
}

/// An answer of a client to an event of ours.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) body: Body,
}

/// A JSON array in the text of a message, and the attachments that came with it.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) text: String,
    pub(crate) start: usize,
    pub(crate) attachments: Vec<Bytes>,
}

/// Where an attachment belongs among the arguments: `{"_placeholder":true,"num":0}` on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Placeholder {
    #[serde(rename = "_placeholder")]
    marker: bool,
    /// Which attachment, counted from 0.
    pub num: usize,
}

impl Placeholder {
    /// Stands for the attachment at `num`, counted from 0.
    pub fn new(num: usize) -> Self {
        Self { marker: true, num }
    }
}

impl Event {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All arguments at once, as a tuple or an array of exactly so many.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(self.body.json());
        deserializer.deserialize_seq(AfterName(PhantomData))
    }

    /// The argument at `index`, counted from 0, whatever else there is; one that is absent is an error.
    pub fn argument<T: DeserializeOwned>(&self, index: usize) -> Result<T, serde_json::Error> {
        self.body.element(index.saturating_add(1))
    }

    /// The attachments; arguments refer to them by [`Placeholder`].
    pub fn attachments(&self) -> &[Bytes] {
        &self.body.attachments
    }

    /// Name and arguments as a JSON array, as they came.
    pub fn json(&self) -> &str {
        self.body.json()
    }
}

impl Answer {
    /// All arguments at once, as a tuple or an array of exactly so many.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.body.json())
    }

    /// The argument at `index`, counted from 0, whatever else there is; one that is absent is an error.
    pub fn argument<T: DeserializeOwned>(&self, index: usize) -> Result<T, serde_json::Error> {
        self.body.element(index)
    }

    /// The attachments; arguments refer to them by [`Placeholder`].
    pub fn attachments(&self) -> &[Bytes] {
        &self.body.attachments
    }
}

impl Body {
    pub(crate) fn json(&self) -> &str {
        self.text.get(self.start..).unwrap_or_default()
    }

    fn element<T: DeserializeOwned>(&self, index: usize) -> Result<T, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(self.json());
        deserializer.deserialize_seq(Nth { index, found: PhantomData })
    }
}

/// Reads what follows the name.
struct AfterName<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AfterName<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name and arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<T, A::Error> {
        elements.next_element::<IgnoredAny>()?;
        T::deserialize(SeqAccessDeserializer::new(&mut elements))
    }
}

struct Nth<T> {
    index: usize,
    found: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Nth<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("more arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<T, A::Error> {
        for _ in 0..self.index {
            if elements.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        let found = elements.next_element()?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        found.ok_or_else(|| serde::de::Error::custom(format_args!("no argument at {}", self.index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> Event {
        let body = Body { text: json.to_owned(), start: 0, attachments: Vec::new() };
        Event { name: "x".to_owned(), body }
    }

    #[test]
    fn arguments_follow_the_name() {
        let event = event(r#"["x",1,"two",{"three":3}]"#);
        assert_eq!(event.arguments::<(u8, String, serde_json::Value)>().unwrap().1, "two");
        assert_eq!(event.argument::<String>(1).unwrap(), "two");
        assert!(event.argument::<String>(3).is_err());
        assert!(event.argument::<u8>(1).is_err());
    }

    #[test]
    fn all_arguments_are_exactly_so_many() {
        assert!(event(r#"["x",1,2]"#).arguments::<(u8,)>().is_err());
        assert!(event(r#"["x",1]"#).arguments::<(u8, u8)>().is_err());
        assert_eq!(event(r#"["x",1,2]"#).arguments::<Vec<u8>>().unwrap(), [1, 2]);
        assert!(event(r#"["x"]"#).arguments::<[u8; 0]>().is_ok());
    }

    #[test]
    fn an_answer_has_no_name() {
        let body = Body { text: "3[1,2]".to_owned(), start: 1, attachments: Vec::new() };
        let answer = Answer { body };
        assert_eq!(answer.arguments::<(u8, u8)>().unwrap(), (1, 2));
        assert_eq!(answer.argument::<u8>(1).unwrap(), 2);
    }
}
