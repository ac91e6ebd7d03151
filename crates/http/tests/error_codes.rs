//! docs/errors.md names every code that the sources can answer and no other, and docs/errors.html, which is served at
//! /api/docs/errors, says the same. `STOA_TEST_WRITE=1` writes the page anew.
#![cfg(test)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Crates whose sources answer requests.
const CRATES: [&str; 13] = [
    "accounts",
    "catalog",
    "chat",
    "drivers",
    "files",
    "http",
    "kernel",
    "notifications",
    "operations",
    "ordering",
    "pictures",
    "platform",
    "server",
];
/// What a literal of a single word stands in when it is a code.
const CODE_CALLS: [&str; 2] = ["Flaw::new(", "FieldError::new("];
/// Literals in the style of codes that are something else: names in the environment, an attribute of serde.
const NO_CODES: [&str; 2] = ["FAILPOINT_KILL", "SCREAMING_SNAKE_CASE"];
const NO_CODE_PREFIXES: [&str; 3] = ["STOA_", "DATABASE_", "CARGO_"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documented() -> String {
    fs::read_to_string(root().join("docs/errors.md")).unwrap()
}

/// The code a row of a table begins with.
fn code_of_row(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split('`').next()
}

fn codes(text: &str) -> Vec<&str> {
    text.lines().filter_map(code_of_row).collect()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        // Names of settings look like codes; tests and what helps them may say anything.
        if path.is_dir() && name != "settings" {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !["tests", "testing"].contains(&name) {
            found.push(path);
        }
    }
}

fn looks_like_a_code(literal: &str) -> bool {
    literal.starts_with(|first: char| first.is_ascii_uppercase())
        && literal.len() > 2
        && literal.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The codes in the code of a file: not in its comments, and not in its tests, which come last.
fn answered(text: &str, found: &mut BTreeSet<String>) {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut before = "";
    for piece in code.split('"') {
        let called = before.rsplit([';', '{', '}']).next().unwrap_or_default();
        let is_code = piece.contains('_') || CODE_CALLS.iter().any(|call| called.contains(call));
        let is_none =
            NO_CODES.contains(&piece) || NO_CODE_PREFIXES.iter().any(|begin| piece.starts_with(begin));
        if looks_like_a_code(piece) && is_code && !is_none {
            found.insert(piece.to_owned());
        }
        before = piece;
    }
}

#[test]
fn the_list_of_codes_is_complete_and_has_no_other() {
    let mut files = Vec::new();
    for name in CRATES {
        sources(&root().join("crates").join(name).join("src"), &mut files);
    }
    assert!(files.len() > 50, "the sources are elsewhere");
    let (mut found, mut all) = (BTreeSet::new(), String::new());
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        answered(&text, &mut found);
        all.push_str(&text);
    }
    let text = documented();
    let listed: BTreeSet<String> = codes(&text).into_iter().map(str::to_owned).collect();
    let missing: Vec<_> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/errors.md misses {missing:?}");
    let stale: Vec<_> = listed.iter().filter(|code| !all.contains(&format!("\"{code}\""))).collect();
    assert!(stale.is_empty(), "docs/errors.md lists {stale:?}, which nothing answers");
}

#[test]
fn the_lists_are_sorted_and_name_each_code_once() {
    let text = documented();
    for section in text.split("\n## ").skip(1) {
        let codes = codes(section);
        assert!(codes.is_sorted(), "{codes:?}");
    }
    let all = codes(&text);
    assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn the_served_page_says_the_same() {
    let (path, page) = (root().join("docs/errors.html"), page(&documented()));
    if std::env::var_os("STOA_TEST_WRITE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == page,
        "docs/errors.html is not that of docs/errors.md; run this test with STOA_TEST_WRITE=1"
    );
    for code in codes(&documented()) {
        assert!(page.contains(&format!("<tr id=\"{}\">", anchor(code))), "{code} has no anchor");
    }
}

/// The Markdown that docs/errors.md is written in, as a page without styles or scripts, which the server's policy would
/// not run: headings, paragraphs, tables, code and links.
fn page(markdown: &str) -> String {
    let mut html = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
                    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
                    <meta name=\"color-scheme\" content=\"light dark\">\n<title>Stoa: error codes</title>\n"
        .to_owned();
    for block in markdown.trim().split("\n\n") {
        match block.split_once(' ') {
            Some(("#", title)) => writeln!(html, "<h1>{}</h1>", inline(title)),
            Some(("##", title)) => writeln!(html, "<h2>{}</h2>", inline(title)),
            Some(("|", _)) => writeln!(html, "{}", table(block)),
            _ => writeln!(html, "<p>{}</p>", inline(block)),
        }
        .unwrap();
    }
    html.push_str("</html>\n");
    html
}

fn table(block: &str) -> String {
    let mut html = "<table>\n".to_owned();
    for (number, line) in block.lines().enumerate().filter(|(number, _)| *number != 1) {
        let (row, cell) = match code_of_row(line) {
            Some(code) => (format!("<tr id=\"{}\">", anchor(code)), "td"),
            None => ("<tr>".to_owned(), if number == 0 { "th" } else { "td" }),
        };
        html.push_str(&row);
        for text in line.trim_matches('|').split('|') {
            write!(html, "<{cell}>{}</{cell}>", inline(text.trim())).unwrap();
        }
        html.push_str("</tr>\n");
    }
    html + "</table>"
}

/// Where `type` of a problem points: `INSUFFICIENT_STOCK` is at `insufficient-stock`.
fn anchor(code: &str) -> String {
    code.to_ascii_lowercase().replace('_', "-")
}

/// Text with `code` marked; a link to another document keeps its words alone, because that document is not served.
fn inline(text: &str) -> String {
    let mut html = String::new();
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for (number, piece) in escaped.split('`').enumerate() {
        if number % 2 == 1 {
            write!(html, "<code>{piece}</code>").unwrap();
        } else {
            html.push_str(&without_links(piece));
        }
    }
    html
}

fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let (words, after) = after.split_once("](").expect("a bracket begins a link");
        plain.push_str(words);
        rest = after.split_once(')').expect("a link ends").1;
    }
    plain + rest
}

#[test]
fn codes_are_found_in_code_and_not_in_comments_or_tests() {
    let mut found = BTreeSet::new();
    answered(
        "// \"IN_COMMENT\"\nlet a = f(\"SOME_CODE\");\nFlaw::new(\"WORD\", \"text\");\nenv(\"STOA_NAME\");\nlet b = \"OTHER\";\n\
         #[cfg(test)]\nmod tests {\n    \"IN_TESTS\"\n}",
        &mut found,
    );
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["SOME_CODE", "WORD"]);
}
