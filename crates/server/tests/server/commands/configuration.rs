//! What commands do about a configuration that cannot be used, and what `stoa doctor` says of one.

use std::{fs, os::unix::fs::PermissionsExt};

use super::Machine;

#[test]
fn a_short_secret_stops_the_start_before_anything_is_made() {
    let machine = Machine::new().with("STOA_JWT_SECRET", "hunter2hunter2");
    let ran = machine.run(&["serve"]).ended(2).complained(&["STOA_JWT_SECRET has 14 bytes", "at least 32"]);
    assert!(!ran.err.contains("hunter2"));
    assert!(!machine.path("data").exists());
}

#[test]
fn a_kept_secret_that_others_can_read_stops_the_start() {
    let machine = Machine::new();
    drop(machine.serve());
    let secret = machine.path("data/signing-secret");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    machine.run(&["serve"]).ended(1).complained(&["signing-secret can be read by others", "chmod 600"]);
    assert!(machine.run(&["doctor"]).ended(1).out.contains("FAIL  secret"));
}

#[test]
fn every_fault_is_told_at_once() {
    let machine =
        Machine::new().with("STOA_PROT", "1").with("JWT_EXPIRES_IN", "soon").with("MONGODB_URI", "x");
    let ran = machine.run(&["serve"]).ended(2);
    ran.complained(&["STOA_PROT is unknown; did you mean STOA_PORT?", "JWT_EXPIRES_IN", "MONGODB_URI"]);
}

#[test]
fn the_file_is_found_by_place_by_flag_and_by_name() {
    let environment = |machine: &Machine, arguments: &[&str]| {
        let answer = machine.run(arguments).ended(0).json();
        let settings = answer["settings"].as_array().unwrap().clone();
        let of = |line: &serde_json::Value| line["name"] == "STOA_ENVIRONMENT";
        settings.iter().find(|line| of(line)).unwrap()["value"].as_str().unwrap().to_owned()
    };
    let machine = Machine::new();
    fs::write(machine.path("stoa.toml"), "environment = \"by place\"").unwrap();
    fs::write(machine.path("other.toml"), "environment = \"by flag\"").unwrap();
    assert_eq!(environment(&machine, &["doctor", "--json"]), "by place");
    assert_eq!(environment(&machine, &["--config", "other.toml", "doctor", "--json"]), "by flag");
    let machine = machine.with("STOA_CONFIG", "other.toml");
    assert_eq!(environment(&machine, &["doctor", "--json"]), "by flag");
}

#[test]
fn wrong_arguments_are_told() {
    let machine = Machine::new();
    for arguments in [&["dance"][..], &[], &["seed", "--products", "0"], &["openapi", "--version", "v0"]] {
        let ran = machine.run(arguments).ended(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_doctor_is_content_with_a_fresh_machine_and_touches_nothing() {
    let machine = Machine::new();
    let ran = machine.run(&["doctor"]).ended(0);
    assert!(ran.out.contains("ok    database       SQLite"), "{}", ran.out);
    assert!(
        ran.out.contains(
            "STOA_PORT                         0                             environment STOA_PORT"
        )
    );
    assert!(!machine.path("data").exists());
}

#[test]
fn the_doctor_sees_what_is_missing_and_what_is_there() {
    let machine = Machine::new().with("DATABASE_URL", "sqlite:shop.db");
    fs::write(machine.path("shop.db"), "").unwrap();
    let before = machine.run(&["doctor"]).ended(0).out;
    assert!(before.contains("warn  database") && before.contains("`stoa migrate`"), "{before}");
    machine.run(&["migrate"]).ended(0);
    let after = machine.run(&["doctor"]).ended(0).out;
    assert!(after.contains("ok    database       SQLite in shop.db answers and is up to date"), "{after}");
}

#[test]
fn the_doctor_says_what_to_mend() {
    let faulty = Machine::new().with("STOA_PORT", "http").run(&["doctor"]).ended(1).out;
    assert!(faulty.contains("FAIL  configuration  STOA_PORT (\"http\") is not a port; give"), "{faulty}");
    let nowhere =
        Machine::new().with("DATABASE_URL", "postgres://bob:hunter2@127.0.0.1:1/shop").run(&["doctor"]);
    let nowhere = nowhere.ended(1).out;
    assert!(nowhere.contains("FAIL  database       PostgreSQL does not answer"), "{nowhere}");
    assert!(!nowhere.contains("hunter2") && nowhere.contains("postgres://bob:********@"), "{nowhere}");
}

#[test]
fn the_doctor_answers_in_json_too() {
    let machine = Machine::new().with("API_KEYS", "till-key-0123456789").with("STOA_RATE_LIMITS", "off");
    let answer = machine.run(&["doctor", "--json"]).ended(0).json();
    assert_eq!(answer["ok"], true);
    let checks = answer["checks"].as_array().unwrap();
    let limits = checks.iter().find(|check| check["check"] == "rate limits").unwrap();
    assert_eq!(limits["status"], "warn");
    let settings = answer["settings"].as_array().unwrap();
    let keys = settings.iter().find(|line| line["name"] == "STOA_API_KEYS").unwrap();
    assert_eq!(
        (keys["value"].as_str(), keys["origin"].as_str()),
        (Some("********"), Some("environment API_KEYS"))
    );
    let faulty = machine.with("STOA_BROKER_URL", "redis://h").run(&["doctor", "--json"]).ended(1).json();
    assert_eq!((&faulty["ok"], &faulty["checks"][0]["status"]), (&false.into(), &"fail".into()));
}

#[test]
fn shells_get_their_completions() {
    let machine = Machine::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(machine.run(&["completions", shell]).ended(0).out.contains("migrate"), "{shell}");
    }
}
