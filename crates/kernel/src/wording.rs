//! What is wrong with a value, in words for people. Serde says it in the words of the program: types, structs and what a
//! parser of its numbers thinks. Nobody outside should have to know those.

use std::borrow::Cow;

/// So many known names are told of a field or a choice that is not one of them.
const MOST_NAMES: usize = 20;

/// The sentence for what serde, or a parser of the standard library, says of a value. What our own types say stands as it
/// is: it is in such words already.
pub fn in_plain_words(told: &str) -> String {
    // Where it stands in a body of one line means nothing.
    let told = told.split(" at line ").next().unwrap_or(told);
    let sentence: Cow<'_, str> = if told.starts_with("missing field ") {
        "This is required.".into()
    } else if told.starts_with("duplicate field ") {
        "This stands there twice.".into()
    } else if let Some(rest) = told.strip_prefix("unknown field ") {
        known(rest, "There is no such field.", "Known are").into()
    } else if let Some(rest) = told.strip_prefix("unknown variant ") {
        known(rest, "This is none of the choices.", "They are").into()
    } else if told.starts_with("invalid ") && told.contains(", expected ") {
        expected(told).into()
    } else if let Some(parsed) = parsed(told) {
        parsed.into()
    } else {
        return sentence(told);
    };
    sentence.into_owned()
}

/// `` `x`, expected one of `a`, `b` `` → the choices.
fn known(rest: &str, first: &str, then: &str) -> String {
    let names: Vec<&str> = rest
        .split_once(", expected ")
        .map(|(_, names)| names.split('`').skip(1).step_by(2).collect())
        .unwrap_or_default();
    if names.is_empty() || names.len() > MOST_NAMES {
        return first.to_owned();
    }
    format!("{first} {then} {}.", names.join(", "))
}

/// `invalid type: string "x", expected u32` → what it must be.
fn expected(told: &str) -> String {
    let (_, wanted) = told.rsplit_once(", expected ").unwrap_or_default();
    let must = |what: &str| format!("This must be {what}.");
    match wanted.split(' ').next().unwrap_or_default() {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => must("a whole number of 0 or more"),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => must("a whole number"),
        "f32" | "f64" => must("a number"),
        "struct" | "map" | "internally" | "adjacently" => must("an object"),
        "variant" | "enum" | "unit" | "option" | "tuple" | "newtype" | "identifier" => {
            "This cannot be read.".into()
        }
        _ => match wanted {
            "a string" | "a borrowed string" | "string" | "str" | "a character" => must("text"),
            "a boolean" => must("true or false"),
            "a sequence" | "an array" => must("a list"),
            "a map" | "a JSON object" => must("an object"),
            wanted if wanted.contains("UUID") => "This is not an id.".into(),
            wanted if is_plain(wanted) => must(wanted),
            _ => "This cannot be read.".into(),
        },
    }
}

/// Whether a type of ours says in words what it wants.
fn is_plain(wanted: &str) -> bool {
    (wanted.starts_with("a ") || wanted.starts_with("an "))
        && !wanted.contains(['`', '<', '_', ':'])
        && !["tuple", "array of length", "borrowed", "struct", "formatted"]
            .iter()
            .any(|word| wanted.contains(word))
}

/// What the parsers of the standard library say.
fn parsed(told: &str) -> Option<&'static str> {
    Some(match told {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "This must be a whole number."
        }
        "number too large to fit in target type" | "number too small to fit in target type" => {
            "This number is out of range."
        }
        "number would be zero for non-zero type" => "This cannot be 0.",
        "invalid float literal" | "cannot parse float from empty string" => "This must be a number.",
        told if told.starts_with("provided string was not `true` or `false`") => {
            "This must be true or false."
        }
        told if told.starts_with("data did not match any variant") => "This cannot be read.",
        told if told.starts_with("UUID parsing failed")
            || told.starts_with("invalid character: expected") =>
        {
            "This is not an id."
        }
        _ => return None,
    })
}

/// With a capital and a full stop.
fn sentence(told: &str) -> String {
    let told = told.trim_end_matches('.');
    let mut characters = told.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Pot {
        name: String,
        size: Option<u32>,
        depth: Option<i64>,
        price: Option<f64>,
        lid: Option<bool>,
        kind: Option<Kind>,
        tags: Option<Vec<String>>,
        facts: Option<BTreeMap<String, String>>,
        parts: Option<Vec<Part>>,
        pair: Option<(u8, u8)>,
        either: Option<Either>,
        letter: Option<char>,
        first_at: Option<crate::Timestamp>,
        cost: Option<crate::Decimal>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Part {
        id: crate::UserId,
    }

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Clay,
        Iron,
    }

    #[derive(Deserialize, Debug)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only parsed")]
    enum Either {
        Number(u8),
        Flag(bool),
    }

    fn told(fields: &str) -> String {
        let error = serde_json::from_str::<Pot>(fields).unwrap_err();
        in_plain_words(&error.to_string())
    }

    #[test]
    fn what_is_wrong_is_said_in_words_for_people() {
        for (body, expected) in [
            ("{}", "This is required."),
            (r#"{"name":"a","name":"b"}"#, "This stands there twice."),
            (r#"{"name":1}"#, "This must be text."),
            (r#"{"name":null}"#, "This must be text."),
            (r#"{"name":"a","size":-1}"#, "This must be a whole number of 0 or more."),
            (r#"{"name":"a","size":"1"}"#, "This must be a whole number of 0 or more."),
            (r#"{"name":"a","depth":1.5}"#, "This must be a whole number."),
            (r#"{"name":"a","depth":1e99}"#, "This must be a whole number."),
            (r#"{"name":"a","price":"1"}"#, "This must be a number."),
            (r#"{"name":"a","lid":"true"}"#, "This must be true or false."),
            (r#"{"name":"a","kind":"tin"}"#, "This is none of the choices. They are clay, iron."),
            (r#"{"name":"a","tags":{}}"#, "This must be a list."),
            (r#"{"name":"a","facts":[]}"#, "This must be an object."),
            (r#"{"name":"a","parts":[1]}"#, "This must be an object."),
            (r#"{"name":"a","parts":[{"id":"x"}]}"#, "This is not an id."),
            (r#"{"name":"a","parts":[{"id":1}]}"#, "This is not an id."),
            (r#"{"name":"a","parts":[{"it":1}]}"#, "There is no such field. Known are id."),
            (r#"{"name":"a","pair":[1]}"#, "This cannot be read."),
            (r#"{"name":"a","either":"x"}"#, "This cannot be read."),
            (r#"{"name":"a","letter":"xy"}"#, "This must be text."),
            (r#"{"name":"a","firstAt":"soon"}"#, "This must be a date and time as in RFC 3339."),
            (r#"{"name":"a","cost":"1"}"#, "This must be a number."),
        ] {
            assert_eq!(told(body), expected, "{body}");
        }
    }

    #[test]
    fn no_word_of_the_program_gets_out() {
        let bodies = ["[]", "1", "\"a\"", "null", "true"].map(str::to_owned);
        let values = ["null", "true", "-1", "1.5", "1e300", "\"x\"", "[]", "[[]]", "{}", "{\"a\":1}"];
        let fields = [
            "name", "size", "depth", "price", "lid", "kind", "tags", "facts", "parts", "pair", "either",
            "letter", "firstAt", "cost", "other",
        ];
        let all = fields.iter().flat_map(|field| values.map(|value| format!("{{\"{field}\":{value}}}")));
        for body in bodies.into_iter().chain(all) {
            let Err(error) = serde_json::from_str::<Pot>(&body) else { continue };
            let told = in_plain_words(&error.to_string());
            let lower = told.to_lowercase();
            for word in [
                "struct",
                "enum",
                "i64",
                "u32",
                "u8",
                "f64",
                "invalid type",
                "variant",
                "expected a string",
                "serde",
                "sequence",
                "tuple",
                "::",
            ] {
                assert!(!lower.contains(word), "{word} in {told:?} for {body}");
            }
            assert!(told.ends_with('.') && told.starts_with(char::is_uppercase), "{told}");
        }
    }

    #[test]
    fn parsers_of_queries_are_told_too() {
        let number = |text: &str| in_plain_words(&text.parse::<u32>().unwrap_err().to_string());
        assert_eq!(number("x"), "This must be a whole number.");
        assert_eq!(number(""), "This must be a whole number.");
        assert_eq!(number("99999999999"), "This number is out of range.");
        assert_eq!(
            in_plain_words(&"x".parse::<bool>().unwrap_err().to_string()),
            "This must be true or false."
        );
        assert_eq!(in_plain_words(&"x".parse::<f64>().unwrap_err().to_string()), "This must be a number.");
        assert_eq!(in_plain_words("it must be 1 to 100"), "It must be 1 to 100.");
    }
}
