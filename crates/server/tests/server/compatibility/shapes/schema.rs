//! Whether a value is as a schema of an OpenAPI document says, and nothing more: an object has the members its schema
//! names, unless that leaves others open.
//!
//! It knows the words that our documents use; a word it does not know is a complaint, and not passed over.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value};
use stoa_kernel::Timestamp;
use uuid::Uuid;

/// Everything in which `value` is not what `schema`, of this document, allows; empty when it fits.
pub(super) fn misfits(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut check = Check { document, found: Vec::new() };
    check.value(schema, value, "", true);
    check.found
}

/// Words that say nothing about values.
const SILENT: [&str; 9] = [
    "description",
    "example",
    "examples",
    "title",
    "default",
    "deprecated",
    "contentMediaType",
    "readOnly",
    "$schema",
];

struct Check<'d> {
    document: &'d Value,
    found: Vec<String>,
}

impl<'d> Check<'d> {
    fn tell(&mut self, place: &str, what: impl AsRef<str>) {
        let place = if place.is_empty() { "the body" } else { place };
        self.found.push(format!("{place} {}", what.as_ref()));
    }

    fn value(&mut self, schema: &'d Value, value: &Value, place: &str, closed: bool) {
        let schema = self.resolved(schema);
        let Some(words) = schema.as_object() else {
            if schema != &Value::Bool(true) {
                self.tell(place, format!("has a schema that is none: {schema}"));
            }
            return;
        };
        for (word, rule) in words {
            self.word(word, rule, value, place);
        }
        if let (true, Value::Object(members)) = (closed, value) {
            self.named_only(schema, members, place);
        }
    }

    fn resolved(&self, schema: &'d Value) -> &'d Value {
        let found = schema.get("$ref").and_then(Value::as_str);
        found.map_or(schema, |path| {
            self.document.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null)
        })
    }

    fn word(&mut self, word: &str, rule: &'d Value, value: &Value, place: &str) {
        let holds = match word {
            "type" => is_of_type(rule, value),
            "enum" => rule.as_array().is_some_and(|allowed| allowed.contains(value)),
            "const" => rule == value,
            "format" => value.as_str().is_none_or(|text| is_of_format(rule.as_str(), text)),
            "pattern" => {
                value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text))
            }
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= rule.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= rule.as_f64()),
            "minLength" => value.as_str().is_none_or(|text| count(text.chars().count()) >= rule.as_u64()),
            "maxLength" => value.as_str().is_none_or(|text| count(text.chars().count()) <= rule.as_u64()),
            "minItems" => value.as_array().is_none_or(|items| count(items.len()) >= rule.as_u64()),
            "maxItems" => value.as_array().is_none_or(|items| count(items.len()) <= rule.as_u64()),
            "required" => return self.required(rule, value, place),
            "properties" | "additionalProperties" => return self.members(word, rule, value, place),
            "items" => return self.items(rule, value, place),
            "oneOf" | "anyOf" | "allOf" => return self.combined(word, rule, value, place),
            // Names are texts in any case.
            "propertyNames" => rule == &serde_json::json!({"type": "string"}),
            silent if SILENT.contains(&silent) => true,
            _ => return self.tell(place, format!("is described by a word that nobody checks: {word}")),
        };
        if !holds {
            self.tell(place, format!("is {value}, which is not of {word} {rule}"));
        }
    }

    fn required(&mut self, rule: &Value, value: &Value, place: &str) {
        let Some(members) = value.as_object() else { return };
        for name in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.tell(place, format!("lacks {name}"));
            }
        }
    }

    fn members(&mut self, word: &str, rule: &'d Value, value: &Value, place: &str) {
        for (name, member) in value.as_object().into_iter().flatten() {
            let schema = if word == "properties" {
                rule.get(name)
            } else {
                Some(rule).filter(|rule| rule.is_object())
            };
            if let Some(schema) = schema {
                self.value(schema, member, &format!("{place}.{name}"), true);
            }
        }
    }

    fn items(&mut self, rule: &'d Value, value: &Value, place: &str) {
        for item in value.as_array().into_iter().flatten() {
            self.value(rule, item, &format!("{place}[]"), true);
        }
    }

    fn combined(&mut self, word: &str, rule: &'d Value, value: &Value, place: &str) {
        let all = word == "allOf";
        let results = rule.as_array().into_iter().flatten().map(|schema| {
            let mut check = Check { document: self.document, found: Vec::new() };
            // The parts of a whole name its members together.
            check.value(schema, value, place, !all);
            check.found
        });
        let results: Vec<Vec<String>> = results.collect();
        let fitting = results.iter().filter(|found| found.is_empty()).count();
        match word {
            "allOf" => self.found.extend(results.into_iter().flatten()),
            "oneOf" if fitting == 1 => {}
            "anyOf" if fitting > 0 => {}
            _ => self.tell(place, format!("fits {fitting} of {word}: {results:?}")),
        }
    }

    fn named_only(&mut self, schema: &'d Value, members: &Map<String, Value>, place: &str) {
        let mut names = BTreeSet::new();
        if self.names(schema, &mut names) {
            return;
        }
        for name in members.keys().filter(|name| !names.contains(name.as_str())) {
            self.tell(place, format!("has {name}, which the document does not name"));
        }
    }

    /// The members that a schema names, and whether it leaves others open: by saying so, or by naming none at all. What
    /// stands in `oneOf` and `anyOf` speaks for itself.
    fn names(&self, schema: &'d Value, names: &mut BTreeSet<&'d str>) -> bool {
        let schema = self.resolved(schema);
        if ["oneOf", "anyOf"].iter().any(|word| schema.get(word).is_some()) {
            return true;
        }
        let open = schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false));
        names.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()));
        match schema["allOf"].as_array() {
            Some(parts) => parts.iter().fold(open, |open, part| self.names(part, names) || open),
            None => open || schema.get("properties").is_none(),
        }
    }
}

fn count(number: usize) -> Option<u64> {
    u64::try_from(number).ok()
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    match rule {
        Value::Array(several) => several.iter().any(|one| is_of_type(one, value)),
        Value::String(one) => match one.as_str() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        },
        _ => false,
    }
}

fn is_of_format(format: Option<&str>, text: &str) -> bool {
    match format {
        Some("uuid") => Uuid::parse_str(text).is_ok(),
        Some("date-time") => text.ends_with('Z') && Timestamp::parse(text).is_some(),
        Some("email") => text.contains('@'),
        Some("int32" | "int64" | "double" | "password") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: Value, value: Value) -> Vec<String> {
        let named = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}});
        let document = json!({"components": {"schemas": {"Named": named}}});
        misfits(&document, &schema, &value)
    }

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn values_are_of_their_types_formats_and_bounds() {
        assert!(told(json!({"type": ["string", "null"], "maxLength": 3}), json!(null)).is_empty());
        for (schema, value) in [
            (json!({"type": "integer"}), json!(1.5)),
            (json!({"type": "string", "maxLength": 3}), json!("long")),
            (json!({"type": "string", "format": "date-time"}), json!("yesterday")),
            (json!({"type": "string", "pattern": "^[A-Z]{3}$"}), json!("usd")),
            (json!({"type": "integer", "minimum": 0}), json!(-1)),
            (json!({"type": "array", "items": {"enum": ["a"]}}), json!(["a", "b"])),
            (json!({"const": true}), json!(false)),
            (json!({"not": {"type": "null"}}), json!(1)),
            (json!({"type": "string", "format": "secret"}), json!("x")),
        ] {
            assert_eq!(told(schema.clone(), value.clone()).len(), 1, "{schema} {value}");
        }
    }

    #[test]
    fn members_are_those_that_are_named() {
        let named = json!({"$ref": "#/components/schemas/Named"});
        assert!(told(named.clone(), json!({"id": ID})).is_empty());
        assert_eq!(told(named.clone(), json!({})), ["the body lacks id"]);
        assert_eq!(
            told(named.clone(), json!({"id": ID, "x": 1})),
            ["the body has x, which the document does not name"]
        );
        let more = json!({"allOf": [named, {"type": "object", "properties": {"x": {"type": "integer"}}}]});
        assert!(told(more.clone(), json!({"id": ID, "x": 1})).is_empty());
        assert_eq!(
            told(more, json!({"id": ID, "y": 1})),
            ["the body has y, which the document does not name"]
        );
        assert!(told(json!({"type": "object"}), json!({"any": 1})).is_empty());
        let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
        assert_eq!(told(texts, json!({"a": "b", "c": 1})), [".c is 1, which is not of type \"string\""]);
    }

    #[test]
    fn one_of_several_is_one_alone() {
        let either = json!({"oneOf": [{"$ref": "#/components/schemas/Named"}, {"type": "null"}]});
        assert!(
            told(either.clone(), json!(null)).is_empty()
                && told(either.clone(), json!({"id": ID})).is_empty()
        );
        assert_eq!(told(either, json!(1)).len(), 1);
        let both = json!({"allOf": [{"type": "string"}, {"type": "object"}]});
        assert_eq!(told(both, json!("x")).len(), 1, "nothing is a string and an object");
    }
}
