//! Which differences of two OpenAPI documents can break a client.
//!
//! What a client sends may become freer and never stricter; what it is answered may become richer and never poorer. A
//! difference that no rule here understands counts as breaking.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

/// Something a client may have relied on and cannot any more.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Change {
    /// Method and path: `POST /api/orders`.
    pub(super) call: String,
    /// What is different.
    pub(super) what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.call, self.what)
    }
}

/// Everything in `today` that can break a client made for `promised`.
pub(super) fn breaking_changes(promised: &Value, today: &Value) -> BTreeSet<Change> {
    let mut comparison = Comparison { promised, today, call: String::new(), found: BTreeSet::new() };
    for (path, methods) in entries(&promised["paths"]) {
        for (method, operation) in entries(methods).filter(|(method, _)| METHODS.contains(&method.as_str())) {
            comparison.call = format!("{} {path}", method.to_uppercase());
            match today["paths"][path].get(method) {
                Some(now) => comparison.operation(operation, now),
                None => comparison.tell("is gone"),
            }
        }
    }
    comparison.found
}

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "head"];
/// Words that tell people something and bind nobody.
const WORDS: [&str; 6] = ["description", "example", "examples", "title", "default", "deprecated"];

/// Trees hold themselves; deeper than this nothing new comes.
const DEEPEST: usize = 8;

/// Who reads a value of a schema, and so who may be surprised.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Server,
    Client,
}

struct Comparison<'d> {
    promised: &'d Value,
    today: &'d Value,
    call: String,
    found: BTreeSet<Change>,
}

impl<'d> Comparison<'d> {
    fn tell(&mut self, what: impl Into<String>) {
        self.found.insert(Change { call: self.call.clone(), what: what.into() });
    }

    fn operation(&mut self, promised: &'d Value, today: &'d Value) {
        self.parameters(promised, today);
        self.body(promised.get("requestBody"), today.get("requestBody"));
        for (status, answer) in entries(&promised["responses"]) {
            match today["responses"].get(status) {
                Some(now) => self.media(&format!("answer {status}"), answer, now, Reader::Client),
                // An error that is never answered any more surprises nobody.
                None if status.starts_with('2') => self.tell(format!("no longer answers {status}")),
                None => {}
            }
        }
    }

    fn parameters(&mut self, promised: &'d Value, today: &'d Value) {
        for known in items(&promised["parameters"]) {
            let name = format!("{} parameter {}", text(&known["in"]), text(&known["name"]));
            match items(&today["parameters"]).find(|now| same_parameter(known, now)) {
                None => self.tell(format!("{name} is gone")),
                Some(now) => {
                    if is_true(&now["required"]) && !is_true(&known["required"]) {
                        self.tell(format!("{name} is required now"));
                    }
                    self.schema(&name, &known["schema"], &now["schema"], Reader::Server, 0);
                }
            }
        }
        for now in items(&today["parameters"]).filter(|now| is_true(&now["required"])) {
            if !items(&promised["parameters"]).any(|known| same_parameter(known, now)) {
                self.tell(format!(
                    "{} parameter {} is new and required",
                    text(&now["in"]),
                    text(&now["name"])
                ));
            }
        }
    }

    fn body(&mut self, promised: Option<&'d Value>, today: Option<&'d Value>) {
        match (promised, today) {
            (Some(known), Some(now)) => {
                if is_true(&now["required"]) && !is_true(&known["required"]) {
                    self.tell("the body is required now");
                }
                self.media("body", known, now, Reader::Server);
            }
            (Some(_), None) => self.tell("takes no body any more"),
            (None, Some(now)) if is_true(&now["required"]) => self.tell("a body is required now"),
            (None, _) => {}
        }
    }

    fn media(&mut self, place: &str, promised: &'d Value, today: &'d Value, reader: Reader) {
        for (kind, known) in entries(&promised["content"]) {
            match today["content"].get(kind) {
                Some(now) => self.schema(place, &known["schema"], &now["schema"], reader, 0),
                None => self.tell(format!("{place} is not {kind} any more")),
            }
        }
    }

    fn schema(&mut self, place: &str, promised: &'d Value, today: &'d Value, reader: Reader, depth: usize) {
        let (known, now) = (resolve(self.promised, promised), resolve(self.today, today));
        if depth > DEEPEST {
            return;
        }
        self.types(place, known, now, reader);
        self.values(place, known, now, reader);
        self.bounds(place, known, now, reader);
        self.properties(place, known, now, reader, depth);
        match (known.get("items"), now.get("items")) {
            (Some(known), Some(now)) => self.schema(&format!("{place}[]"), known, now, reader, depth + 1),
            (None, None) => {}
            _ => self.tell(format!("{place}: the items are described otherwise")),
        }
        for combined in ["oneOf", "anyOf", "allOf"] {
            self.combined(place, combined, known, now, reader, depth);
        }
        self.unknown_words(place, known, now);
    }

    fn types(&mut self, place: &str, known: &Value, now: &Value, reader: Reader) {
        let (before, after) = (types(known), types(now));
        // No type at all is any type.
        let (narrow, wide) = match reader {
            Reader::Server => (&before, &after),
            Reader::Client => (&after, &before),
        };
        let fits = wide.is_empty() || (!narrow.is_empty() && narrow.is_subset(wide));
        if !fits {
            self.tell(format!("{place}: type was {before:?}, is {after:?}"));
        }
        if known.get("format") != now.get("format") && known.get("format").is_some() {
            self.tell(format!("{place}: format was {}, is {}", known["format"], now["format"]));
        }
    }

    fn values(&mut self, place: &str, known: &Value, now: &Value, reader: Reader) {
        let (before, after) = (allowed(known), allowed(now));
        let gone = match (reader, before, after) {
            (Reader::Server, Some(before), Some(after)) => {
                before.difference(&after).cloned().collect::<Vec<_>>()
            }
            (Reader::Client, Some(before), Some(after)) => after.difference(&before).cloned().collect(),
            (Reader::Server, None, Some(_)) | (Reader::Client, Some(_), None) => vec!["any other".into()],
            (_, _, None) | (Reader::Client, None, Some(_)) => return,
        };
        if !gone.is_empty() {
            let told = if reader == Reader::Server { "no longer takes" } else { "may now be" };
            self.tell(format!("{place} {told} {}", gone.join(", ")));
        }
    }

    /// A bound may be loosened for what is sent. What is answered within wider bounds breaks nobody who shows it.
    fn bounds(&mut self, place: &str, known: &Value, now: &Value, reader: Reader) {
        if reader == Reader::Client {
            return;
        }
        for (word, stricter_when_higher) in [
            ("minimum", true),
            ("exclusiveMinimum", true),
            ("minLength", true),
            ("minItems", true),
            ("minProperties", true),
            ("maximum", false),
            ("exclusiveMaximum", false),
            ("maxLength", false),
            ("maxItems", false),
            ("maxProperties", false),
        ] {
            let stricter = match (known[word].as_f64(), now[word].as_f64()) {
                (Some(before), Some(after)) if stricter_when_higher => after > before,
                (Some(before), Some(after)) => after < before,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if stricter {
                self.tell(format!("{place}: {word} was {}, is {}", known[word], now[word]));
            }
        }
        if now.get("pattern").is_some() && known.get("pattern") != now.get("pattern") {
            self.tell(format!("{place}: the pattern was {}, is {}", known["pattern"], now["pattern"]));
        }
    }

    fn properties(&mut self, place: &str, known: &'d Value, now: &'d Value, reader: Reader, depth: usize) {
        let (must, must_now) = (required(known), required(now));
        for (name, before) in entries(&known["properties"]) {
            let field = format!("{place}.{name}");
            match now["properties"].get(name) {
                None => self.tell(format!("{field} is gone")),
                Some(after) => self.schema(&field, before, after, reader, depth + 1),
            }
            let relied_on = must.contains(name.as_str()) && !must_now.contains(name.as_str());
            if reader == Reader::Client && relied_on && now["properties"].get(name).is_some() {
                self.tell(format!("{field} may be absent now"));
            }
        }
        if reader == Reader::Server {
            for name in must_now.difference(&must) {
                self.tell(format!("{place}.{name} is required now"));
            }
            if known["additionalProperties"] != now["additionalProperties"]
                && now["additionalProperties"] == false
            {
                self.tell(format!("{place} takes no other fields any more"));
            }
        }
    }

    fn combined(
        &mut self,
        place: &str,
        word: &str,
        known: &'d Value,
        now: &'d Value,
        reader: Reader,
        depth: usize,
    ) {
        let (before, after): (Vec<_>, Vec<_>) = (items(&known[word]).collect(), items(&now[word]).collect());
        if before.len() == after.len() {
            for (before, after) in before.into_iter().zip(after) {
                self.schema(place, before, after, reader, depth + 1);
            }
        } else {
            self.tell(format!("{place}: {word} was of {}, is of {}", before.len(), after.len()));
        }
    }

    /// Words of the schema language that no rule above reads.
    fn unknown_words(&mut self, place: &str, known: &Value, now: &Value) {
        const READ: [&str; 25] = [
            "type",
            "format",
            "enum",
            "const",
            "properties",
            "required",
            "items",
            "oneOf",
            "anyOf",
            "allOf",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "pattern",
            "additionalProperties",
            "$ref",
            "nullable",
            "propertyNames",
        ];
        let words: BTreeSet<&String> = object(known).chain(object(now)).flat_map(Map::keys).collect();
        for word in words {
            let read = READ.contains(&word.as_str()) || WORDS.contains(&word.as_str());
            if !read && known[word.as_str()] != now[word.as_str()] {
                self.tell(format!("{place}: {word} is different"));
            }
        }
    }
}

fn same_parameter(a: &Value, b: &Value) -> bool {
    a["name"] == b["name"] && a["in"] == b["in"]
}

/// What a reference stands for.
fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => schema,
    }
}

fn types(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(one) => BTreeSet::from([one.as_str()]),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

fn allowed(schema: &Value) -> Option<BTreeSet<String>> {
    let listed = schema["enum"].as_array().map(|values| values.iter().map(Value::to_string).collect());
    listed.or_else(|| schema.get("const").map(|value| BTreeSet::from([value.to_string()])))
}

fn required(schema: &Value) -> BTreeSet<&str> {
    items(&schema["required"]).filter_map(Value::as_str).collect()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn object(value: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    value.as_object().into_iter()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or(false)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A document with one call that takes `sent` and answers `answered`.
    fn document(sent: &Value, answered: &Value) -> Value {
        json!({"paths": {"/a": {"post": {
            "parameters": [{"name": "q", "in": "query", "required": false, "schema": {"type": "string", "maxLength": 9}}],
            "requestBody": {"required": true, "content": {"application/json": {"schema": sent}}},
            "responses": {
                "200": {"content": {"application/json": {"schema": answered}}},
                "404": {"description": "gone"},
            },
        }}}})
    }

    fn told(promised: &Value, today: &Value) -> Vec<String> {
        breaking_changes(promised, today).into_iter().map(|change| change.what).collect()
    }

    fn thing(properties: Value, required: Value) -> Value {
        json!({"type": "object", "properties": properties, "required": required})
    }

    #[test]
    fn nothing_breaks_where_nothing_changes_but_words() {
        let before = document(&json!({"type": "string", "description": "a"}), &json!({"type": "integer"}));
        let after = document(
            &json!({"type": "string", "description": "b"}),
            &json!({"type": "integer", "example": 3}),
        );
        assert!(told(&before, &before).is_empty() && told(&before, &after).is_empty());
    }

    #[test]
    fn what_is_sent_may_become_freer_and_not_stricter() {
        let narrow =
            thing(json!({"a": {"type": "string", "maxLength": 5}, "b": {"enum": ["x"]}}), json!(["a"]));
        let wide = thing(
            json!({"a": {"type": ["string", "null"], "maxLength": 9}, "b": {"enum": ["x", "y"]}, "c": {}}),
            json!([]),
        );
        let of = |sent: &Value| document(sent, &json!({}));
        assert!(told(&of(&narrow), &of(&wide)).is_empty());
        let stricter = told(&of(&wide), &of(&narrow));
        assert_eq!(
            stricter,
            [
                "body.a is required now",
                "body.a: maxLength was 9, is 5",
                r#"body.a: type was {"null", "string"}, is {"string"}"#,
                r#"body.b no longer takes "y""#,
                "body.c is gone",
            ]
        );
    }

    #[test]
    fn what_is_answered_may_become_richer_and_not_poorer() {
        let poor = thing(json!({"a": {"type": ["string", "null"]}, "b": {"enum": ["x", "y"]}}), json!([]));
        let rich =
            thing(json!({"a": {"type": "string"}, "b": {"enum": ["x"]}, "c": {}}), json!(["a", "b", "c"]));
        let of = |answered: &Value| document(&json!({}), answered);
        assert!(told(&of(&poor), &of(&rich)).is_empty());
        assert_eq!(
            told(&of(&rich), &of(&poor)),
            [
                "answer 200.a may be absent now",
                r#"answer 200.a: type was {"string"}, is {"null", "string"}"#,
                "answer 200.b may be absent now",
                r#"answer 200.b may now be "y""#,
                "answer 200.c is gone",
            ]
        );
    }

    #[test]
    fn calls_parameters_and_bodies_that_go_or_come_are_seen() {
        let before = document(&json!({}), &json!({}));
        let mut after = before.clone();
        let call = &mut after["paths"]["/a"]["post"];
        call["parameters"] = json!([{"name": "r", "in": "query", "required": true, "schema": {}}]);
        call["requestBody"] = json!(null);
        call["responses"] = json!({"201": {}});
        assert_eq!(
            told(&before, &after),
            [
                "body is not application/json any more",
                "no longer answers 200",
                "query parameter q is gone",
                "query parameter r is new and required"
            ]
        );
        after["paths"] = json!({"/a": {"get": {}}});
        assert_eq!(told(&before, &after), ["is gone"]);
        assert!(told(&json!({"paths": {}}), &before).is_empty(), "new calls break nobody");
    }

    #[test]
    fn references_are_followed_and_trees_end() {
        let with = |name: &Value| {
            let mut document = document(&json!({}), &json!({"$ref": "#/components/schemas/Tree"}));
            let tree = thing(
                json!({"name": name, "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}),
                json!(["name"]),
            );
            document["components"] = json!({"schemas": {"Tree": tree}});
            document
        };
        let changed = told(&with(&json!({"type": "string"})), &with(&json!({"type": "integer"})));
        assert!(changed.len() < 10, "{changed:?}");
        assert!(changed.contains(&r#"answer 200.name: type was {"string"}, is {"integer"}"#.to_owned()));
    }

    #[test]
    fn what_no_rule_knows_counts_as_breaking() {
        let before = document(&json!({}), &json!({"not": {"type": "string"}}));
        let after = document(&json!({}), &json!({"not": {"type": "null"}}));
        assert_eq!(told(&before, &after), ["answer 200: not is different"]);
    }
}
