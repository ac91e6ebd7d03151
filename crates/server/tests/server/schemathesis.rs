//! schemathesis reads the served OpenAPI documents and sends what they allow and what they forbid: signed in as a shopper,
//! as an administrator, and not at all. Nothing may fail inside, and every answer must be one the document names.

use std::{
    env,
    path::PathBuf,
    process::{Command, Output},
};

use stoa_platform::database::Engine;
use stoa_testing::{Client, PASSWORD, json};

use crate::node::Home;

/// Cases to an operation, beyond those that schemathesis works out from its schema.
const CASES: &str = "8";
const CASES_SOAK: &str = "300";
/// Every check but one: what a document allows can still be refused, an order for an empty cart say.
const NOT_ASKED: &str = "positive_data_acceptance";
/// The versions with what is tried on them: behind the shapes of v1 are the same routes, so that is less.
const V2: (&str, &str) = ("v2", "examples,coverage,fuzzing");
const V1: (&str, &str) = ("v1", "examples,fuzzing");
/// It ends the session that all other requests of a run need.
const ENDS_THE_SESSION: &str = "/api/auth/logout-all";

/// The program, as `make suite` names it, or where that puts it.
fn program() -> PathBuf {
    if let Some(path) = env::var_os("STOA_TEST_SCHEMATHESIS") {
        return path.into();
    }
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let tools = env::var_os("STOA_TOOLS").map_or_else(|| home.join(".cache/stoa/tools"), PathBuf::from);
    let path = tools.join("bin/schemathesis");
    assert!(
        path.exists(),
        "{} is missing: run `make suite`, or scripts/install-test-tools.sh suite, or set STOA_TEST_SCHEMATHESIS",
        path.display()
    );
    path
}

/// A demo shop behind a running node, with its administrator.
fn demo_shop() -> Home {
    let home = Home::new(Engine::Sqlite);
    home.run(&["seed", "--products", "50"]);
    home.make_admin();
    home
}

/// Runs it over the document of a version with more arguments.
fn run(home: &Home, (version, phases): (&str, &str), token: Option<&str>, arguments: &[&str]) -> Output {
    let soak = env::var_os("STOA_SOAK").is_some();
    let mut command = Command::new(program());
    command.current_dir(home.data()).env("NO_COLOR", "1");
    // One worker: with more, Python 3.11 now and then fails over itself ("AST constructor recursion depth mismatch").
    command.args(["run", "--checks", "all", "--exclude-checks", NOT_ASKED, "--workers", "1"]);
    command.args(["--phases", if soak { "examples,coverage,fuzzing,stateful" } else { phases }]);
    command.args(["--max-examples", if soak { CASES_SOAK } else { CASES }]);
    command.args(["--no-shrink", "--suppress-health-check", "all"]);
    command.args(["--continue-on-failure", "--max-failures", "40", "--warnings", "off"]);
    command.args(["--header", &format!("API-Version: {version}")]);
    if soak {
        command.args(["--generation-database", "none"]);
    } else {
        command.arg("--generation-deterministic");
    }
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.args(arguments).arg(format!("{}/api/openapi.json?version={version}", home.address()));
    command.output().unwrap()
}

/// How many cases its summary speaks of.
fn cases(report: &str) -> u32 {
    let summary = report.lines().find_map(|line| line.trim().split_once(" generated"));
    summary.and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

fn holds(home: &Home, version: (&str, &str), who: Option<&Client>, arguments: &[&str]) -> u32 {
    let token = who.map(|who| who.session["accessToken"].as_str().unwrap().to_owned());
    let output = run(home, version, token.as_deref(), arguments);
    let report = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{version:?} as {who:?}:\n{report}\n{complaints}");
    cases(&report)
}

#[derive(Clone, Copy)]
enum Who {
    Anybody,
    Shopper,
    Administrator,
}

async fn the_documents_hold_for(who: Who) {
    let home = demo_shop();
    let node = home.start().await;
    let signed_in = match who {
        Who::Anybody => None,
        Who::Shopper => {
            let body = json!({"email": "ann@example.com", "password": PASSWORD, "name": "Ann"});
            Some(home.anon().signed_in(home.anon().post("/api/auth/register", body).await.expect(201).body))
        }
        Who::Administrator => Some(home.admin().await),
    };
    let mut total = 0;
    for version in [V2, V1] {
        total += holds(&home, version, signed_in.as_ref(), &["--exclude-path", ENDS_THE_SESSION]);
    }
    total += holds(&home, V2, signed_in.as_ref(), &["--include-path", ENDS_THE_SESSION]);
    assert!(total > 500, "only {total} cases");
    let log = node.last_words();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn the_documents_hold_for_anybody() {
    the_documents_hold_for(Who::Anybody).await;
}

#[tokio::test]
async fn the_documents_hold_for_a_shopper() {
    the_documents_hold_for(Who::Shopper).await;
}

#[tokio::test]
async fn the_documents_hold_for_an_administrator() {
    the_documents_hold_for(Who::Administrator).await;
}
