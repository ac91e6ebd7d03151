//! docs/realtime.md has a row for every word that is said or heard on a socket, and for no other.

use std::collections::BTreeSet;

use stoa_realtime::{Dialect, WORDS, Way};

use super::script::root;

/// A word with its dialect and way, as text, so that it can be compared and shown.
type Row = (String, String, String);

fn dialect_of(title: &str) -> Option<Dialect> {
    match title {
        "Every client" => Some(Dialect::Every),
        "The rooms dialect" => Some(Dialect::Rooms),
        "The snake dialect" => Some(Dialect::Snake),
        "The shop dialect" => Some(Dialect::Shop),
        "The lobby" => Some(Dialect::Lobby),
        _ => None,
    }
}

fn row(name: &str, dialect: Dialect, way: Way) -> Row {
    (format!("{dialect:?}"), format!("{way:?}"), name.to_owned())
}

/// The rows of the page, in its order.
fn documented() -> Vec<Row> {
    let page = std::fs::read_to_string(root().join("docs/realtime.md")).unwrap();
    let (mut dialect, mut part, mut rows) = (None, "", Vec::new());
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            (dialect, part) = (dialect_of(title), "");
        } else if let Some(title) = line.strip_prefix("### ") {
            part = title;
        } else if let (Some(dialect), Some(name)) = (dialect, line.strip_prefix("| `")) {
            let name = name.split('`').next().unwrap();
            let kept = line.split(" | ").nth(2);
            let way = match (part, kept) {
                ("What you send", _) => Way::In,
                ("What you hear", Some("yes")) => Way::Durable,
                ("What you hear", Some("no")) => Way::Volatile,
                _ => panic!("under ### {part}: {line}"),
            };
            rows.push(row(name, dialect, way));
        }
    }
    rows
}

#[test]
fn the_page_has_a_row_for_every_word() {
    let documented = documented();
    let page: BTreeSet<Row> = documented.iter().cloned().collect();
    let words: BTreeSet<Row> = WORDS.iter().map(|word| row(word.name, word.dialect, word.way)).collect();
    let missing: Vec<_> = words.difference(&page).collect();
    assert!(missing.is_empty(), "docs/realtime.md misses {missing:#?}");
    let stale: Vec<_> = page.difference(&words).collect();
    assert!(stale.is_empty(), "docs/realtime.md has {stale:#?}, which nobody says");
    assert_eq!(documented.len(), page.len(), "docs/realtime.md has a row twice");
}
