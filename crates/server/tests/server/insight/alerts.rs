//! deploy/prometheus: alerts that ask for figures which exist.

use std::{collections::BTreeSet, fs, path::Path};

use stoa_drivers::redis::{RedisAddress, RedisSettings};
use stoa_testing::{TestApp, json};

/// Every name in a rule's expression that a figure of ours can have.
fn figures_in(rules: &str) -> BTreeSet<String> {
    let words = rules.split(|byte: char| !(byte.is_ascii_alphanumeric() || byte == '_'));
    let ours = |word: &&str| word.starts_with("stoa_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_figure_of_the_alerts_is_told() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/stoa.rules.yml");
    let rules = fs::read_to_string(rules).unwrap();
    let wanted = figures_in(&rules);
    assert!(wanted.len() >= 10 && wanted.contains("stoa_follower_lag"), "{wanted:?}");

    let migrations = stoa_server::wiring::migrations();
    let database = stoa_platform::testing::TestDatabase::new(stoa_testing::Engine::Sqlite, &migrations);
    let app = TestApp::start(database, |settings| {
        // One that nobody reaches has figures too.
        let nowhere = RedisAddress::parse("redis://127.0.0.1:1").unwrap();
        settings.redis = Some(RedisSettings::of(nowhere));
    })
    .await;
    app.shopper("bob").await;
    app.anon().post("/api/auth/login", json!({})).await.expect(422);
    app.settle().await;
    let told = app.anon().get("/metrics").await.expect(200).text;
    let told: BTreeSet<String> = told
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next().map(str::to_owned))
        .collect();
    let missing: Vec<_> = wanted.difference(&told).collect();
    assert!(missing.is_empty(), "{missing:?} is not among {told:#?}");
    for label in ["status=\"5xx\"", "state=\"dead\"", "state=\"waiting\""] {
        assert!(rules.contains(label), "{label}");
    }
    app.finish().await;
}
