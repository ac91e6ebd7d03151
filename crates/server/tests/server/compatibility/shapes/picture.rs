//! The answers of one version of the API, call by call and status by status: headers and the shape of the body.
//!
//! It is kept as a file that people read. What answers have in common stands at its top: the headers that most of them have,
//! and the one shape of all refusals. So a refusal is a line, `"404": "refusal"`, followed by the headers that it has besides
//! (`retry-after`), those that it lacks (`-limits`), and the members of the body that only some refusals have (`.available`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Map, Value, json};

use super::{super::breaking::Change, shape::Shape};

/// Names of headers, and whether each was there every time.
pub(super) type Headers = BTreeMap<String, bool>;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Picture {
    /// What all refusals of this version are.
    refusal: Shape,
    /// By call (`GET /api/products`), then by status and, where it is not the usual JSON, media type (`200 text/csv`).
    calls: BTreeMap<String, BTreeMap<String, Answered>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Answered {
    headers: Headers,
    body: Body,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Body {
    Nothing,
    Of(Shape),
    /// A refusal, with the places of what not every refusal has.
    Refusal(BTreeSet<String>),
}

impl Picture {
    /// Adds an answer to what is known of its call and status.
    pub(super) fn add(&mut self, call: &str, status: &str, headers: &BTreeSet<String>, body: Option<Shape>) {
        let refused = status.len() == 3 && status.starts_with(['4', '5']);
        let body = match body {
            Some(shape) if refused => {
                self.refusal = match std::mem::take(&mut self.refusal) {
                    nothing if nothing == Shape::default() => shape.clone(),
                    known => known.or(shape.clone()),
                };
                Body::Refusal(shape.places())
            }
            Some(shape) => Body::Of(shape),
            None => Body::Nothing,
        };
        let headers = headers.iter().map(|name| (name.clone(), true)).collect();
        let answers = self.calls.entry(call.to_owned()).or_default();
        let added = Answered { headers, body };
        let merged = match answers.remove(status) {
            Some(known) => known.or(added, call),
            None => added,
        };
        answers.insert(status.to_owned(), merged);
    }

    /// The same when all was seen: of what a refusal has, only what is not in all of them is told of each.
    pub(super) fn finished(mut self) -> Self {
        let sometimes = self.refusal.sometimes();
        for answered in self.calls.values_mut().flat_map(BTreeMap::values_mut) {
            if let Body::Refusal(places) = &mut answered.body {
                places.retain(|place| sometimes.contains(place));
            }
        }
        self
    }

    /// The statuses that were seen of a call.
    pub(super) fn statuses(&self, call: &str) -> BTreeSet<&str> {
        let known = self.calls.get(call).into_iter().flat_map(BTreeMap::keys);
        known.map(|status| status.split(' ').next().unwrap()).collect()
    }

    /// Everything that can break a client that was made for this picture and meets that of today.
    pub(super) fn breaking_changes(&self, today: &Self) -> BTreeSet<Change> {
        let mut found = BTreeSet::new();
        let mut tell = |call: &str, what: String| {
            found.insert(Change { call: call.to_owned(), what });
        };
        self.refusal.compare(&today.refusal, "every refusal", &mut |what| tell("refusals", what));
        for (call, answers) in &self.calls {
            let Some(now) = today.calls.get(call) else {
                tell(call, "is gone".into());
                continue;
            };
            for (status, answered) in answers {
                match now.get(status) {
                    Some(now) => {
                        answered.compare(now, &format!("answer {status}"), &mut |what| tell(call, what));
                    }
                    None => tell(call, format!("no longer answers {status}")),
                }
            }
        }
        found
    }

    /// The headers that most answers have every time.
    fn usual_headers(&self) -> BTreeSet<String> {
        let (mut answers, mut having) = (0, BTreeMap::<&str, usize>::new());
        for answered in self.calls.values().flat_map(BTreeMap::values) {
            answers += 1;
            for (name, _) in answered.headers.iter().filter(|(_, always)| **always) {
                *having.entry(name).or_default() += 1;
            }
        }
        having
            .into_iter()
            .filter(|(_, number)| number * 2 > answers)
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// The text of the file.
    pub(super) fn written(&self, about: &str) -> String {
        let usual = self.usual_headers();
        let headers: Headers = usual.iter().map(|name| (name.clone(), true)).collect();
        let mut text = String::from("{\n");
        let _ = writeln!(text, "  \"about\": {},", json!(about));
        let _ = writeln!(text, "  \"headers\": {},", json!(names(&headers)));
        let _ = writeln!(text, "  \"refusal\": {},", laid_out(&self.refusal.written(), 2));
        text.push_str("  \"calls\": {\n");
        let calls: Vec<String> =
            self.calls.iter().map(|(call, answers)| call_written(call, answers, &usual)).collect();
        text.push_str(&calls.join(",\n"));
        text.push_str("\n  }\n}\n");
        text
    }

    /// Reads what [`Self::written`] wrote.
    pub(super) fn read(text: &str) -> Self {
        let file: Value = serde_json::from_str(text).unwrap();
        let usual = headers_of(file["headers"].as_str().unwrap());
        let calls = file["calls"].as_object().unwrap().iter().map(|(call, answers)| {
            let answers = answers.as_object().unwrap().iter();
            (
                call.clone(),
                answers.map(|(status, one)| (status.clone(), Answered::read(one, &usual))).collect(),
            )
        });
        Self { refusal: Shape::read(&file["refusal"]), calls: calls.collect() }
    }
}

impl Answered {
    fn or(self, other: Self, call: &str) -> Self {
        let mut headers = self.headers;
        for (name, always) in &mut headers {
            *always &= other.headers.contains_key(name);
        }
        for (name, always) in other.headers {
            headers.entry(name).and_modify(|known| *known &= always).or_insert(false);
        }
        let body = match (self.body, other.body) {
            (Body::Nothing, Body::Nothing) => Body::Nothing,
            (Body::Of(one), Body::Of(another)) => Body::Of(one.or(another)),
            (Body::Refusal(one), Body::Refusal(another)) => Body::Refusal(&one | &another),
            _ => panic!("{call} answers one status now with a body and now without"),
        };
        Self { headers, body }
    }

    fn compare(&self, today: &Self, place: &str, tell: &mut dyn FnMut(String)) {
        for (name, always) in &self.headers {
            match today.headers.get(name) {
                None => tell(format!("{place} has no {name} any more")),
                Some(false) if *always => tell(format!("{place} may be without {name} now")),
                Some(_) => {}
            }
        }
        match (&self.body, &today.body) {
            (Body::Nothing, _) => {}
            (Body::Of(known), Body::Of(now)) => known.compare(now, place, tell),
            (Body::Refusal(known), Body::Refusal(now)) => {
                for gone in known.difference(now) {
                    tell(format!("{place}{gone} is gone"));
                }
            }
            _ => tell(format!("{place} has another kind of body")),
        }
    }

    fn written(&self, usual: &BTreeSet<String>) -> Value {
        let own = self.headers.iter().filter(|(name, always)| !(**always && usual.contains(*name)));
        let lacking = usual.iter().filter(|name| !self.headers.contains_key(*name));
        let more: Vec<String> = own.map(marked).chain(lacking.map(|name| format!("-{name}"))).collect();
        if let Body::Refusal(places) = &self.body {
            let parts = ["refusal".to_owned()].into_iter().chain(more).chain(places.iter().cloned());
            return json!(parts.collect::<Vec<_>>().join(", "));
        }
        let mut written = Map::new();
        if !more.is_empty() {
            written.insert("headers".into(), json!(more.join(", ")));
        }
        if let Body::Of(shape) = &self.body {
            written.insert("body".into(), shape.written());
        }
        Value::Object(written)
    }

    fn read(written: &Value, usual: &Headers) -> Self {
        let Some(line) = written.as_str() else {
            let headers = own_headers(written["headers"].as_str().unwrap_or_default(), usual);
            let body = written.get("body").map_or(Body::Nothing, |body| Body::Of(Shape::read(body)));
            return Self { headers, body };
        };
        let (places, more): (Vec<&str>, Vec<&str>) =
            line.split(", ").skip(1).partition(|part| part.starts_with('.'));
        let body = Body::Refusal(places.into_iter().map(str::to_owned).collect());
        Self { headers: own_headers(&more.join(", "), usual), body }
    }
}

/// The usual headers and those of a line, but for what the line says is lacking.
fn own_headers(line: &str, usual: &Headers) -> Headers {
    let mut headers = usual.clone();
    for (name, always) in headers_of(line) {
        match name.strip_prefix('-') {
            Some(lacking) => headers.remove(lacking),
            None => headers.insert(name, always),
        };
    }
    headers
}

fn marked((name, always): (&String, &bool)) -> String {
    format!("{name}{}", if *always { "" } else { "?" })
}

fn names(headers: &Headers) -> String {
    headers.iter().map(marked).collect::<Vec<_>>().join(", ")
}

fn headers_of(line: &str) -> Headers {
    let names = line.split(", ").filter(|name| !name.is_empty());
    names
        .map(|name| {
            name.strip_suffix('?').map_or_else(|| (name.to_owned(), true), |name| (name.to_owned(), false))
        })
        .collect()
}

fn call_written(call: &str, answers: &BTreeMap<String, Answered>, usual: &BTreeSet<String>) -> String {
    let answers: Vec<String> = answers
        .iter()
        .map(|(status, answered)| {
            format!("      {}: {}", json!(status), laid_out(&answered.written(usual), 6))
        })
        .collect();
    format!("    {}: {{\n{}\n    }}", json!(call), answers.join(",\n"))
}

/// JSON on one line where it fits, else with a line for each member.
fn laid_out(value: &Value, indent: usize) -> String {
    /// How long a line may become.
    const WIDTH: usize = 120;
    let line = on_a_line(value);
    // Some room for the name before it.
    if indent + line.len() <= WIDTH - 20 {
        return line;
    }
    let inner = " ".repeat(indent + 2);
    let (open, parts, close): (_, Vec<String>, _) = match value {
        Value::Object(members) => {
            let part = |(name, member): (&String, &Value)| {
                format!("{inner}{}: {}", json!(name), laid_out(member, indent + 2))
            };
            ('{', members.iter().map(part).collect(), '}')
        }
        Value::Array(items) => {
            ('[', items.iter().map(|item| format!("{inner}{}", laid_out(item, indent + 2))).collect(), ']')
        }
        _ => return line,
    };
    format!("{open}\n{}\n{}{close}", parts.join(",\n"), " ".repeat(indent))
}

fn on_a_line(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let parts =
                members.iter().map(|(name, member)| format!("{}: {}", json!(name), on_a_line(member)));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(on_a_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::shape::Reading, *};

    fn picture(answers: &[(&str, &str, &str, &str)]) -> Picture {
        let mut picture = Picture::default();
        for (call, status, headers, body) in answers {
            let headers = headers.split(' ').map(str::to_owned).collect();
            let reading = Reading { is_map: &|_| false, is_measured: false };
            let body =
                Some(*body).filter(|body| !body.is_empty()).map(|body| Shape::of(body, &reading).unwrap());
            picture.add(call, status, &headers, body);
        }
        picture.finished()
    }

    fn shop() -> Picture {
        picture(&[
            ("GET /a", "200", "vary etag", r#"{"id": 1, "note": "x"}"#),
            ("GET /a", "200", "vary", r#"{"id": 1}"#),
            ("GET /a", "200 text/csv", "vary", r#""text""#),
            ("GET /a", "401", "vary www-authenticate", r#"{"code": "x"}"#),
            ("PUT /a", "204", "vary", ""),
            ("PUT /a", "409", "vary", r#"{"code": "x", "left": 3}"#),
        ])
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = shop().written("what it is");
        let expected = r#"{
  "about": "what it is",
  "headers": "vary",
  "refusal": {"code": "string", "left?": "integer"},
  "calls": {
    "GET /a": {
      "200": {"body": {"id": "integer", "note?": "string"}, "headers": "etag?"},
      "200 text/csv": {"body": "string"},
      "401": "refusal, www-authenticate"
    },
    "PUT /a": {
      "204": {},
      "409": "refusal, .left"
    }
  }
}
"#;
        assert_eq!(text, expected);
        assert_eq!(Picture::read(&text), shop());
    }

    #[test]
    fn what_a_client_may_miss_is_told_with_its_call() {
        assert!(shop().breaking_changes(&shop()).is_empty());
        let today = picture(&[
            ("GET /a", "200", "vary", r#"{"id": "1"}"#),
            ("GET /a", "401", "vary", r#"{"code": "x"}"#),
            ("PUT /a", "204", "vary", ""),
            ("PUT /a", "409", "vary", r#"{"code": "x"}"#),
            ("PUT /a", "422", "vary", r#"{"code": "x"}"#),
        ]);
        let told: Vec<String> = shop().breaking_changes(&today).iter().map(Change::to_string).collect();
        assert_eq!(
            told,
            [
                "`GET /a`: answer 200 has no etag any more",
                "`GET /a`: answer 200.id may now be string",
                "`GET /a`: answer 200.note is gone",
                "`GET /a`: answer 401 has no www-authenticate any more",
                "`GET /a`: no longer answers 200 text/csv",
                "`PUT /a`: answer 409.left is gone",
                "`refusals`: every refusal.left is gone",
            ]
        );
        assert!(today.breaking_changes(&today).is_empty());
        assert_eq!(picture(&[]).breaking_changes(&today).len(), 0, "what is new breaks nobody");
    }
}
