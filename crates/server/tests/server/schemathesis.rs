//! schemathesis reads the served OpenAPI documents and sends what they allow and what they forbid: signed in as a shopper,
//! as an administrator, and not at all. Nothing may fail inside, and every answer must be one the document names.
//!
//! In the long form (`STOA_SOAK`) it goes on, with one seed after the other, until [`SOAK_CASES`] were sent in all;
//! `STOA_SOAK_CASES` is another number of them. v0 has no document, so it is not in it.

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
/// The most of them in a round of the long form; a round is over in some minutes, and the next has another seed.
const MOST_CASES: usize = 100;
/// How many cases the long form sends, over all who ask.
const SOAK_CASES: usize = 100_000;
/// About how many operations there are in both documents.
const OPERATIONS: usize = 220;
/// Who asks: nobody, a shopper, an administrator; each in a test of its own, which sends its share.
const ASKERS: usize = 3;
/// Every check but one: what a document allows can still be refused, an order for an empty cart say.
const NOT_ASKED: &str = "positive_data_acceptance";
/// The versions with what is tried on them: behind the shapes of v1 are the same routes, so that is less.
const V2: (&str, &str) = ("v2", "examples,coverage,fuzzing");
const V1: (&str, &str) = ("v1", "examples,fuzzing");
/// What may be answered to what a document does not allow: what it takes for that by itself, and a size that is too large.
const REFUSALS: &str = "[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
";
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

/// What is sent in a run.
#[derive(Clone, Copy, Debug)]
enum Round {
    /// The short form: the same each time.
    Short { phases: &'static str },
    /// One of many of the long form.
    Soak { seed: u64, cases: usize },
}

/// Runs it over the document of a version with more arguments.
fn run(home: &Home, version: &str, round: Round, token: Option<&str>, arguments: &[&str]) -> Output {
    std::fs::write(home.data().join("schemathesis.toml"), REFUSALS).unwrap();
    let mut command = Command::new(program());
    command.current_dir(home.data()).env("NO_COLOR", "1");
    // One worker: with more, Python 3.11 now and then fails over itself ("AST constructor recursion depth mismatch").
    command.args(["run", "--checks", "all", "--exclude-checks", NOT_ASKED, "--workers", "1"]);
    command.args(["--no-shrink", "--suppress-health-check", "all"]);
    command.args(["--continue-on-failure", "--max-failures", "40", "--warnings", "off"]);
    command.args(["--header", &format!("API-Version: {version}")]);
    match round {
        Round::Short { phases } => {
            command.args(["--phases", phases, "--max-examples", CASES, "--generation-deterministic"])
        }
        Round::Soak { seed, cases } => command
            .args(["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", &cases.to_string()])
            .args(["--seed", &seed.to_string(), "--generation-database", "none"]),
    };
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.args(arguments).arg(format!("{}/api/openapi.json?version={version}", home.address()));
    command.output().unwrap()
}

/// How many cases were sent, by the line of its summary: `447 generated, 440 passed, 7 skipped`. What it skipped it did not
/// send.
fn cases(report: &str) -> usize {
    let summary = report.lines().map(str::trim).find(|line| line.contains(" generated"));
    let number = |kind: &str| {
        let part = summary?.split(", ").find_map(|part| part.strip_suffix(kind))?;
        part.trim().parse::<usize>().ok()
    };
    number(" generated").unwrap_or(0) - number(" skipped").unwrap_or(0)
}

/// Sends a round, of which nothing may fail; answers how many cases it was.
fn holds(home: &Home, version: &str, round: Round, who: Option<&Client>, arguments: &[&str]) -> usize {
    let token = who.map(|who| who.session["accessToken"].as_str().unwrap().to_owned());
    let output = run(home, version, round, token.as_deref(), arguments);
    let report = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{version} {round:?} as {who:?}:\n{report}\n{complaints}");
    cases(&report)
}

#[derive(Clone, Copy)]
enum Who {
    Anybody,
    Shopper,
    Administrator,
}

/// Once through both documents, in a shop of its own.
async fn once(who: Who, round: impl Fn(&'static str) -> Round) -> usize {
    let home = demo_shop();
    let node = home.start().await;
    let signed_in = match who {
        Who::Anybody => None,
        Who::Shopper => {
            let body = json!({"email": "ann@example.com", "password": PASSWORD, "name": "Ann"});
            let registered = home.anon().post("/api/auth/register", body).await.expect(201);
            Some(home.anon().signed_in(registered.body))
        }
        Who::Administrator => Some(home.admin().await),
    };
    let mut total = 0;
    for (version, phases) in [V2, V1] {
        let but_one = ["--exclude-path", ENDS_THE_SESSION];
        total += holds(&home, version, round(phases), signed_in.as_ref(), &but_one);
    }
    let the_one = ["--include-path", ENDS_THE_SESSION];
    total += holds(&home, V2.0, round(V2.1), signed_in.as_ref(), &the_one);
    let log = node.log();
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked")).collect();
    assert!(panics.is_empty(), "{panics:?}");
    total
}

/// The share of one asker in the cases of the long form; `None` in the short form.
fn share() -> Option<usize> {
    env::var_os("STOA_SOAK")?;
    let wanted = env::var("STOA_SOAK_CASES").map_or(SOAK_CASES, |number| number.parse().unwrap());
    Some(wanted.div_ceil(ASKERS))
}

/// Goes on until `share` cases were sent: a round after the other, each with a seed of its own.
async fn again_and_again(who: Who, share: usize) -> usize {
    let mut total = 0;
    for seed in 1.. {
        let cases = ((share - total) / OPERATIONS).clamp(1, MOST_CASES);
        let sent = once(who, |_| Round::Soak { seed, cases }).await;
        assert!(sent > 0, "a round that sends nothing");
        total += sent;
        if total >= share {
            break;
        }
    }
    total
}

async fn the_documents_hold_for(who: Who) {
    match share() {
        None => {
            let total = once(who, |phases| Round::Short { phases }).await;
            assert!(total > 500, "only {total} cases");
        }
        Some(share) => {
            let total = again_and_again(who, share).await;
            assert!(total >= share, "only {total} cases of {share}");
        }
    }
}

#[test]
fn cases_that_were_skipped_were_not_sent() {
    assert_eq!(cases("Test cases:\n  447 generated, 447 passed\n"), 447);
    assert_eq!(cases("  1000 generated, 3 found 2 unique failures, 7 skipped\n"), 993);
    assert_eq!(cases("  No test cases were generated\n"), 0);
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
