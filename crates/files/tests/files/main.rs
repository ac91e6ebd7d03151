//! Files over real HTTP, on every engine, mirrored on their addresses.
#![cfg(test)]

mod avatars;
mod bad_input;
mod clean_up;
mod content;
mod library;
mod presign;
mod quota;
mod ranges;
mod renditions;
mod rooms;
mod samples;
mod upload;
mod v0;

use std::fmt::Write as _;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use stoa_testing::{Answer, Client, Form, TestApp, Value, json};

/// Sends one file.
async fn sends(who: &Client, name: &str, content_type: &str, bytes: &[u8]) -> Answer {
    who.post_form("/api/files/upload", Form::new().file("file", name, content_type, bytes)).await
}

/// Sends a text and answers it as a file.
async fn sent(who: &Client, text: &str) -> Value {
    sends(who, "note.txt", "text/plain", text.as_bytes()).await.expect(201).body
}

/// Sends a text that only its sender reads.
async fn sent_in_private(who: &Client, text: &str) -> Value {
    let form =
        Form::new().text("visibility", "private").file("file", "note.txt", "text/plain", text.as_bytes());
    who.post_form("/api/files/upload", form).await.expect(201).body
}

/// A text of a JSON object.
#[track_caller]
fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The keys of everything in the store, sorted.
async fn stored(app: &TestApp) -> Vec<String> {
    let objects: Vec<_> = app.platform().storage.list("").try_collect().await.unwrap();
    let mut keys: Vec<String> = objects.into_iter().map(|object| object.key.as_str().to_owned()).collect();
    keys.sort();
    keys
}

/// Files that are being received.
fn spooled(app: &TestApp) -> usize {
    std::fs::read_dir(app.folder().join("spool")).map_or(0, Iterator::count)
}

/// How many rows of files there are, in whatever state.
async fn rows(app: &TestApp) -> i64 {
    let counted = app.read(|c| c.find("SELECT COUNT(*) FROM files", &[], |row| row.read())).await;
    counted.unwrap()
}

/// Nothing was kept and nothing is left behind.
async fn nothing_is_left(app: &TestApp) {
    app.settle().await;
    assert_eq!((stored(app).await.len(), rows(app).await, spooled(app)), (0, 0, 0));
}

/// Rows and objects agree, contents and all.
async fn all_agrees(app: &TestApp) {
    app.settle().await;
    let found = stoa_files::verify::compare(&app.platform().database, &app.platform().storage).await.unwrap();
    for findings in found {
        assert_eq!(findings.contradictions, Vec::<String>::new(), "{}", findings.check);
    }
    let now = app.clock.clock().now();
    let checks = stoa_files::verify::checks();
    for findings in stoa_platform::verify::verify(&app.platform().database, now, checks).await.unwrap() {
        assert_eq!(findings.contradictions, Vec::<String>::new(), "{}", findings.check);
    }
}

async fn opens(who: &Client, slug: &str, kind: &str) -> String {
    who.post("/api/rooms", json!({"slug": slug, "name": slug, "kind": kind})).await.expect(201).id()
}
