//! `stoa verify`: its words and its exit code.

use super::Machine;

#[test]
fn a_fresh_shop_is_whole_and_says_so_in_words_and_json() {
    let machine = Machine::new();
    machine.run(&["migrate"]).ended(0);
    let told = machine.run(&["verify"]).ended(0);
    assert!(
        told.out.lines().count() > 20 && told.out.lines().all(|line| line.starts_with("ok ")),
        "{}",
        told.out
    );
    let json = machine.run(&["verify", "--json"]).ended(0).json();
    assert_eq!(json["ok"], true);
    assert!(
        json["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|check| check["contradictions"] == serde_json::json!([]))
    );
}

#[test]
fn damage_is_told_and_fails() {
    let machine = Machine::new();
    machine.run(&["seed", "--products", "20"]).ended(0);
    machine.run(&["verify"]).ended(0);
    machine.sql(
        "UPDATE products SET stock = stock + 3 WHERE id = (SELECT id FROM products WHERE stock > 0 LIMIT 1)",
    );
    let told = machine.run(&["verify"]).ended(1);
    let lines: Vec<&str> = told.out.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(
        matches!(lines[..], [check, found] if check.contains("stock-movements") && found.contains("its movements add up to")),
        "{lines:?}"
    );
    assert_eq!(machine.run(&["verify", "--json"]).ended(1).json()["ok"], false);
}

#[test]
fn a_database_of_another_version_is_not_judged() {
    let machine = Machine::new();
    machine.run(&["verify"]).ended(2).complained(&["stoa migrate"]);
}
