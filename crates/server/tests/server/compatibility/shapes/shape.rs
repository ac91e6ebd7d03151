//! The structure of a JSON text, with words for what its values are and none of the values themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json, value::RawValue};
use stoa_kernel::Timestamp;
use uuid::Uuid;

/// What values were seen in one place, over all answers that were looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Shape {
    /// Words for scalars: `null`, `boolean`, `integer`, `money`, `number`, `string`, `uuid`, `time`, `url`; `map` for an
    /// object whose keys are data.
    words: BTreeSet<String>,
    members: Option<BTreeMap<String, Member>>,
    items: Option<Box<Shape>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Member {
    /// Whether it was there each time.
    always: bool,
    shape: Shape,
}

/// What the words alone cannot tell.
pub(super) struct Reading<'r> {
    /// Whether the object at a place (`.data[].specifications`) has data for keys.
    pub(super) is_map: &'r dyn Fn(&str) -> bool,
    /// Whether numbers are measured, and two decimals mere chance.
    pub(super) is_measured: bool,
}

impl Shape {
    /// The shape of a JSON text.
    pub(super) fn of(text: &str, reading: &Reading<'_>) -> Result<Self, serde_json::Error> {
        Self::at(serde_json::from_str(text)?, "", reading)
    }

    fn at(raw: &RawValue, place: &str, reading: &Reading<'_>) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        let word = match text.as_bytes().first() {
            Some(b'{') if (reading.is_map)(place) => "map",
            Some(b'{') => return Self::of_object(text, place, reading),
            Some(b'[') => return Self::of_array(text, place, reading),
            Some(b'"') => kind_of_text(&serde_json::from_str::<String>(text)?),
            Some(b't' | b'f') => "boolean",
            Some(b'n') => "null",
            _ => kind_of_number(text, reading.is_measured),
        };
        Ok(Self { words: BTreeSet::from([word.to_owned()]), ..Self::default() })
    }

    fn of_object(text: &str, place: &str, reading: &Reading<'_>) -> Result<Self, serde_json::Error> {
        let values: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)?;
        let members = values.iter().map(|(name, value)| {
            let shape = Self::at(value, &format!("{place}.{name}"), reading)?;
            Ok((name.clone(), Member { always: true, shape }))
        });
        Ok(Self { members: Some(members.collect::<Result<_, serde_json::Error>>()?), ..Self::default() })
    }

    fn of_array(text: &str, place: &str, reading: &Reading<'_>) -> Result<Self, serde_json::Error> {
        let values: Vec<Box<RawValue>> = serde_json::from_str(text)?;
        let mut item = Self::default();
        for value in &values {
            item = item.or(Self::at(value, &format!("{place}[]"), reading)?);
        }
        Ok(Self { items: Some(Box::new(item)), ..Self::default() })
    }

    /// What is this or that: a key that only one of them has may be absent.
    pub(super) fn or(mut self, other: Self) -> Self {
        self.words.extend(other.words);
        self.members = match (self.members, other.members) {
            (Some(one), Some(another)) => Some(either(one, another)),
            (one, another) => one.or(another),
        };
        self.items = match (self.items, other.items) {
            (Some(one), Some(another)) => Some(Box::new(one.or(*another))),
            (one, another) => one.or(another),
        };
        self
    }

    /// The places of members that are not always there.
    pub(super) fn sometimes(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.walk("", &mut |place, always| {
            if !always {
                found.insert(place.to_owned());
            }
        });
        found
    }

    /// The places of all members.
    pub(super) fn places(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.walk("", &mut |place, _| {
            found.insert(place.to_owned());
        });
        found
    }

    fn walk(&self, place: &str, visit: &mut dyn FnMut(&str, bool)) {
        for (name, member) in self.members.iter().flatten() {
            let place = format!("{place}.{name}");
            visit(&place, member.always);
            member.shape.walk(&place, visit);
        }
        if let Some(items) = &self.items {
            items.walk(&format!("{place}[]"), visit);
        }
    }

    /// As it stands in the file: `"uuid"`, `"null | time"`, `{"name": …, "note?": …}`, `[…]`, `{"| null": {…}}`.
    pub(super) fn written(&self) -> Value {
        let words = self.words.iter().map(String::as_str).collect::<Vec<_>>().join(" | ");
        let structure = match (&self.members, &self.items) {
            (None, None) => return json!(words),
            (Some(members), None) => members_written(members),
            (None, Some(items)) if **items == Self::default() => json!([]),
            (None, Some(items)) => json!([items.written()]),
            (Some(_), Some(_)) => panic!("a value is now an object and now an array: {self:?}"),
        };
        if words.is_empty() { structure } else { json!({format!("| {words}"): structure}) }
    }

    /// Reads what [`Self::written`] wrote.
    pub(super) fn read(written: &Value) -> Self {
        match written {
            Value::String(words) => Self { words: words_of(words), ..Self::default() },
            Value::Array(items) => {
                let items = items.first().map(Self::read).unwrap_or_default();
                Self { items: Some(Box::new(items)), ..Self::default() }
            }
            Value::Object(members) => match members.iter().next() {
                Some((name, structure)) if name.starts_with("| ") => {
                    Self { words: words_of(name.trim_start_matches("| ")), ..Self::read(structure) }
                }
                _ => Self { members: Some(members_read(members)), ..Self::default() },
            },
            other => panic!("this is no shape: {other}"),
        }
    }

    /// Tells what a client that was made for this shape can stumble over in that of today.
    pub(super) fn compare(&self, today: &Self, place: &str, tell: &mut dyn FnMut(String)) {
        if self.says_nothing() {
            return;
        }
        let surprising = today.words.iter().filter(|word| !self.allows(word));
        for word in surprising {
            tell(format!("{place} may now be {word}"));
        }
        match (&self.members, &today.members) {
            (Some(known), Some(now)) => compare_members(known, now, place, tell),
            (Some(_), None) => tell(format!("{place} is no object any more")),
            (None, Some(_)) => tell(format!("{place} may now be an object")),
            (None, None) => {}
        }
        match (&self.items, &today.items) {
            (Some(known), Some(now)) => known.compare(now, &format!("{place}[]"), tell),
            (Some(_), None) => tell(format!("{place} is no array any more")),
            (None, Some(_)) => tell(format!("{place} may now be an array")),
            (None, None) => {}
        }
        let valued = |shape: &Self| shape.words.iter().any(|word| word != "null");
        if valued(self) && !valued(today) {
            let words = self.words.iter().map(String::as_str).collect::<Vec<_>>().join(" | ");
            tell(format!("{place} is never {words} any more"));
        }
    }

    /// Nothing but null was seen here, so nobody knows what comes instead.
    fn says_nothing(&self) -> bool {
        self.members.is_none() && self.items.is_none() && self.words.iter().all(|word| word == "null")
    }

    fn allows(&self, word: &str) -> bool {
        let wider = match word {
            "uuid" | "time" | "url" => "string",
            "integer" | "money" => "number",
            _ => word,
        };
        self.words.contains(word) || self.words.contains(wider)
    }
}

fn either(mut one: BTreeMap<String, Member>, another: BTreeMap<String, Member>) -> BTreeMap<String, Member> {
    for (name, member) in &mut one {
        member.always &= another.contains_key(name);
    }
    for (name, member) in another {
        let merged = match one.remove(&name) {
            Some(known) => {
                Member { always: known.always && member.always, shape: known.shape.or(member.shape) }
            }
            None => Member { always: false, ..member },
        };
        one.insert(name, merged);
    }
    one
}

fn compare_members(
    known: &BTreeMap<String, Member>,
    now: &BTreeMap<String, Member>,
    place: &str,
    tell: &mut dyn FnMut(String),
) {
    for (name, member) in known {
        let place = format!("{place}.{name}");
        match now.get(name) {
            None => tell(format!("{place} is gone")),
            Some(today) => {
                if member.always && !today.always {
                    tell(format!("{place} may be absent now"));
                }
                member.shape.compare(&today.shape, &place, tell);
            }
        }
    }
}

fn members_written(members: &BTreeMap<String, Member>) -> Value {
    let written = members.iter().map(|(name, member)| {
        let mark = if member.always { "" } else { "?" };
        (format!("{name}{mark}"), member.shape.written())
    });
    Value::Object(written.collect())
}

fn members_read(members: &Map<String, Value>) -> BTreeMap<String, Member> {
    let read = members.iter().map(|(name, shape)| {
        let (name, always) = name.strip_suffix('?').map_or((name.as_str(), true), |name| (name, false));
        (name.to_owned(), Member { always, shape: Shape::read(shape) })
    });
    read.collect()
}

fn words_of(written: &str) -> BTreeSet<String> {
    written.split(" | ").filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn kind_of_text(text: &str) -> &'static str {
    if text.len() == 36 && Uuid::parse_str(text).is_ok() {
        "uuid"
    } else if text.ends_with('Z') && Timestamp::parse(text).is_some() {
        "time"
    } else if text.starts_with("https://") || text.starts_with("http://") {
        "url"
    } else {
        "string"
    }
}

/// Money is written with exactly two decimals, in the currency of the tests.
fn kind_of_number(text: &str, is_measured: bool) -> &'static str {
    match text.split_once('.') {
        Some((_, decimals)) if decimals.len() == 2 && !is_measured => "money",
        None if !text.contains(['e', 'E']) => "integer",
        _ => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Reading<'static> = Reading { is_map: &|_| false, is_measured: false };

    fn shape(text: &str) -> Shape {
        Shape::of(text, &PLAIN).unwrap()
    }

    fn told(promised: &Shape, today: &Shape) -> Vec<String> {
        let mut told = Vec::new();
        promised.compare(today, "answer", &mut |what| told.push(what));
        told
    }

    #[test]
    fn values_become_words() {
        let seen = shape(
            r#"{"id": "01890a5d-ac96-774b-bcce-b302099a8057", "at": "2026-01-15T12:00:00.000Z", "price": 19.90, "rate": 0.5,
                "count": 3, "link": "https://a.example/b", "name": "Tea", "on": true, "parent": null, "tags": ["a", "b"]}"#,
        );
        let written = json!({
            "at": "time", "count": "integer", "id": "uuid", "link": "url", "name": "string", "on": "boolean",
            "parent": "null", "price": "money", "rate": "number", "tags": ["string"],
        });
        assert_eq!(seen.written(), written);
        assert_eq!(Shape::read(&written), seen);
    }

    #[test]
    fn what_was_not_always_there_is_marked_and_what_was_null_once_may_be_again() {
        let seen = shape(r#"{"a": 1, "b": null, "c": {"d": 1}}"#)
            .or(shape(r#"{"a": 1.00, "b": {"x": 1}, "e": []}"#));
        let written = json!({
            "a": "integer | money", "b": {"| null": {"x": "integer"}}, "c?": {"d": "integer"}, "e?": [],
        });
        assert_eq!(seen.written(), written);
        assert_eq!(Shape::read(&written), seen);
        assert_eq!(seen.sometimes().into_iter().collect::<Vec<_>>(), [".c", ".e"]);
        assert_eq!(shape(r#"[{"a": 1}, {"b": 1}]"#).written(), json!([{"a?": "integer", "b?": "integer"}]));
    }

    #[test]
    fn maps_and_measured_numbers_say_no_more_than_that() {
        let reading = Reading { is_map: &|place| place.ends_with("[].attributes"), is_measured: true };
        let seen = Shape::of(
            r#"[{"attributes": {"size": "L"}, "took": 1.25}, {"attributes": {}, "took": 0.1}]"#,
            &reading,
        );
        assert_eq!(seen.unwrap().written(), json!([{"attributes": "map", "took": "number"}]));
    }

    #[test]
    fn a_richer_answer_breaks_nobody_and_a_poorer_one_is_told() {
        let poor = shape(r#"{"a": "x", "b": null, "list": []}"#).or(shape(r#"{"a": "x", "c": 0.5}"#));
        let rich = shape(
            r#"{"a": "01890a5d-ac96-774b-bcce-b302099a8057", "b": {"x": 1}, "c": 1, "d": 1, "list": [{"y": 1}]}"#,
        );
        assert!(told(&poor, &poor).is_empty());
        assert_eq!(told(&poor, &rich), [] as [&str; 0]);
        assert_eq!(
            told(&rich, &poor),
            [
                "answer.a may now be string",
                "answer.b may be absent now",
                "answer.b may now be null",
                "answer.b is no object any more",
                "answer.c may be absent now",
                "answer.c may now be number",
                "answer.d is gone",
                "answer.list may be absent now",
                "answer.list[] is no object any more",
            ]
        );
    }
}
