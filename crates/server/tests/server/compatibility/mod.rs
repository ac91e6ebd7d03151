//! What clients of v1 and v2 rely on.
//!
//! `docs/api/openapi.<version>.json` is what was promised last. The document of today must be the same text; when it
//! differs it is written anew by `STOA_TEST_WRITE=1 cargo test -p stoa-server --test server compatibility`. That refuses a
//! change that could break a client, until the changelog says so: a line under `### Breaking` of the unreleased version
//! that names the version of the API and the call, as ``- v2: `POST /api/orders` …``. The same holds for the shapes of
//! what is answered, `docs/api/shapes.<version>.json`.

mod breaking;
mod shapes;

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::Value;

use self::breaking::{Change, breaking_changes};

#[test]
fn the_documents_are_as_promised_and_no_change_of_v1_breaks_a_client_unsaid() {
    keeps_its_promise("v1");
}

#[test]
fn the_documents_are_as_promised_and_no_change_of_v2_breaks_a_client_unsaid() {
    keeps_its_promise("v2");
}

fn keeps_its_promise(version: &str) {
    let today = document_of_today(version);
    is_as_promised(version, &format!("docs/api/openapi.{version}.json"), &today, |promised| {
        breaking_changes(&json(promised), &json(&today))
    });
}

/// Compares a text with the file that keeps what was promised, and writes that anew if it is asked to and may.
fn is_as_promised(version: &str, path: &str, today: &str, breaking: impl FnOnce(&str) -> BTreeSet<Change>) {
    let kept = in_repository(path);
    let promised = fs::read_to_string(&kept).ok();
    if promised.as_deref() == Some(today) {
        return;
    }
    let changes = promised.as_deref().map(breaking).unwrap_or_default();
    let changelog = fs::read_to_string(in_repository("CHANGELOG.md")).unwrap();
    let unsaid: Vec<String> = changes
        .iter()
        .filter(|change| !is_said(&changelog, version, change))
        .map(Change::to_string)
        .collect();
    assert!(
        unsaid.is_empty(),
        "these changes can break clients of {version}, and no line under `### Breaking` of CHANGELOG.md says so:\n  {}",
        unsaid.join("\n  ")
    );
    let writes = std::env::var_os("STOA_TEST_WRITE").is_some();
    assert!(
        writes,
        "{} is not what is there today (nothing breaks unsaid); write it anew with STOA_TEST_WRITE=1",
        kept.display()
    );
    // In one step, for tests on another engine may read it now.
    let draft = kept.with_extension(std::process::id().to_string());
    fs::write(&draft, today).unwrap();
    fs::rename(&draft, &kept).unwrap();
}

fn in_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn document_of_today(version: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
    command.args(["openapi", "--version", version]).current_dir(folder.path()).env_clear();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the unreleased part of the changelog names the version and the call of a breaking change.
fn is_said(changelog: &str, version: &str, change: &Change) -> bool {
    let unreleased = changelog.split("\n## [").find(|part| part.starts_with("Unreleased"));
    let breaking = unreleased
        .into_iter()
        .flat_map(|part| part.split("\n### "))
        .find(|part| part.starts_with("Breaking"));
    let entries = breaking.into_iter().flat_map(|part| part.split("\n- ").skip(1));
    let call = format!("`{}`", change.call);
    entries.into_iter().any(|entry| entry.starts_with(&format!("{version}:")) && entry.contains(&call))
}

#[test]
fn a_changelog_excuses_only_what_it_names() {
    let changelog = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- v1: `GET /b`\n\n### Breaking\n\n- v1: `GET /a` and\n  `GET /c` lose a field.\n\n## [0.1.0]\n\n### Breaking\n\n- v1: `GET /d`\n";
    let said =
        |version, call: &str| is_said(changelog, version, &Change { call: call.into(), what: String::new() });
    assert!(said("v1", "GET /a") && said("v1", "GET /c"));
    assert!(!said("v2", "GET /a"), "another version");
    assert!(!said("v1", "GET /b") && !said("v1", "GET /d"), "another heading, an older release");
}
