//! The log as JSON: what a line of a request holds, and what no line ever holds.

use stoa_testing::{Engine, Value, json};

use crate::node::Home;

#[tokio::test]
async fn every_line_of_a_request_says_which_and_no_line_says_a_secret() {
    let home = Home::new(Engine::Sqlite)
        .with("STOA_LOG_FORMAT", "json")
        .with("STOA_LOG", "info,stoa_http=debug")
        .with("STOA_SLOW_REQUEST_MS", "1");
    let node = home.start().await;
    let secret = "hush-hush-secret";
    let asking = home.anon().with_header("x-request-id", "the-asking");
    asking.get(&format!("/api/products?token={secret}")).await.expect(200);
    let asking = home.anon().with_header("x-request-id", "the-registering");
    let body = json!({"email": "bob@example.com", "password": "Hush-Hush-S3cret", "name": "Bob"});
    asking.post(&format!("/api/auth/register?token={secret}"), body).await;

    let log = node.log();
    assert!(!log.contains(secret) && !log.contains("Hush-Hush-S3cret"), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line =
        |id: &str| lines.iter().find(|line| line["request_id"] == id).unwrap_or_else(|| panic!("{log}"));
    let asked = line("the-asking");
    assert_eq!((&asked["route"], &asked["status"]), (&json!("/api/products"), &json!(200)));
    assert_eq!((&asked["method"], &asked["level"].is_string()), (&json!("GET"), &true));
    assert!(asked["duration_ms"].is_f64() && asked["timestamp"].is_string());
    let registered = line("the-registering");
    assert_eq!(registered["message"], "slow request", "hashing a password takes longer than a millisecond");
    assert_eq!((&registered["level"], &registered["route"]), (&json!("WARN"), &json!("/api/auth/register")));
    assert!(registered["duration_ms"].as_f64() > Some(1.0));
}
