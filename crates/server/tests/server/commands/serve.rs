//! `stoa serve`: where it is, what it logs, and how it stops.

use std::io::{Read, Write};

use rustix::process::Signal;
use serde_json::Value;

use super::{Answer, Machine};

#[test]
fn it_says_where_it_is_and_answers() {
    let machine = Machine::new();
    let server = machine.serve();
    assert!(
        server.line.starts_with("Stoa ") && server.line.ends_with("its data in ./data\n"),
        "{}",
        server.line
    );
    let health = server.get("/health");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("healthy")));
    assert!(machine.path("data/stoa.db").exists());
}

#[test]
fn a_restart_takes_tokens_of_before() {
    let machine = Machine::new();
    machine.run(&["seed", "--products", "1"]).ended(0);
    let sign_in = |server: &super::Server| {
        server.post("/api/auth/login", r#"{"email":"ada@demo.stoa","password":"Demo-Shop-1"}"#)
    };
    let server = machine.serve();
    let tokens = sign_in(&server).json();
    drop(server);
    let server = machine.serve();
    let refresh = format!(r#"{{"refreshToken":{}}}"#, tokens["refreshToken"]);
    assert_eq!(server.post("/api/auth/refresh", &refresh).status, 200);
}

#[test]
fn the_printed_document_is_the_served_one() {
    let machine = Machine::new();
    let server = machine.serve();
    for version in ["v1", "v2"] {
        let shown = server.get(&format!("/api/{version}/openapi.json")).json();
        assert_eq!(machine.run(&["openapi", "--version", version]).ended(0).json(), shown, "{version}");
    }
}

#[test]
fn a_signal_lets_running_requests_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Machine::new().serve();
        let body = r#"{"email":"a@example.com","password":"x"}"#;
        let mut request = server.connect();
        let head = format!("Host: stoa\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        // A 100 says that the request has arrived and its body is waited for.
        write!(request, "POST /api/auth/login HTTP/1.1\r\n{head}\r\nExpect: 100-continue\r\n\r\n").unwrap();
        let mut expected = [0; 25];
        request.read_exact(&mut expected).unwrap();
        assert_eq!(&expected, b"HTTP/1.1 100 Continue\r\n\r\n");
        server.signal(signal);
        server.closes();
        request.write_all(body.as_bytes()).unwrap();
        assert_eq!(Answer::read(request).status, 401);
        let (code, log) = server.ends();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let server = Machine::new().serve();
    let mut request = server.connect();
    let head = "Host: stoa\r\nContent-Type: application/json\r\nContent-Length: 10";
    write!(request, "POST /api/auth/login HTTP/1.1\r\n{head}\r\nExpect: 100-continue\r\n\r\n").unwrap();
    request.read_exact(&mut [0; 25]).unwrap();
    server.signal(Signal::TERM);
    server.closes();
    server.signal(Signal::TERM);
    let (code, log) = server.ends();
    assert_eq!(code, Some(130), "{log}");
}

#[test]
fn that_rate_limits_are_off_is_said_loudly() {
    let server = Machine::new().with("STOA_RATE_LIMITS", "off").serve();
    server.signal(Signal::TERM);
    let (_, log) = server.ends();
    assert!(log.contains("WARN") && log.contains("rate limits are OFF"), "{log}");
}

#[test]
fn the_log_has_no_query_strings_and_no_secrets() {
    let secret = "0123456789abcdef0123456789abcdef";
    let machine = Machine::new()
        .with("STOA_LOG", "trace")
        .with("STOA_JWT_SECRET", secret)
        .with("STOA_API_KEYS", "till-key-0123456789");
    let server = machine.serve();
    server.get("/health?token=hunter2");
    server.get("/api/products?token=hunter2");
    server.post("/api/auth/login?token=hunter2", r#"{"email":"a@example.com","password":"Correct-h0rse"}"#);
    server.signal(Signal::TERM);
    let (_, log) = server.ends();
    assert!(log.contains("stopping"), "{log}");
    for part in ["hunter2", secret, "till-key", "Correct-h0rse"] {
        let line = log.lines().find(|line| line.contains(part));
        assert_eq!(line, None);
    }
}

#[test]
fn the_log_may_be_json() {
    let server = Machine::new().with("STOA_LOG_FORMAT", "json").serve();
    server.signal(Signal::TERM);
    let (_, log) = server.ends();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["message"].as_str().is_some_and(|text| text.starts_with("stopping")))
    );
}

#[test]
fn a_port_that_is_taken_is_told() {
    let server = Machine::new().serve();
    let port = server.address.port().to_string();
    let second = Machine::new().with("STOA_PORT", &port).run(&["serve"]).ended(1);
    second.complained(&["cannot be listened on", "STOA_PORT"]);
}
