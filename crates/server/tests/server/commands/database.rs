//! Commands that write to the database: `migrate`, `seed`, `admin create`; and `openapi`, which must not.

use serde_json::Value;

use super::Machine;

const ADMIN: &str = r#"{"email":"admin@demo.stoa","password":"Demo-Shop-1"}"#;

#[test]
fn migrate_lists_applies_and_then_has_nothing_to_do() {
    let machine = Machine::new();
    let missing = machine.run(&["migrate", "--check"]).ended(1).out;
    assert!(missing.starts_with("missing 0001 events\n"), "{missing}");
    assert!(!machine.path("data").exists(), "looking makes nothing");
    let applied = machine.run(&["migrate"]).ended(0).out;
    assert_eq!(applied, missing.replace("missing", "applied"));
    for arguments in [&["migrate", "--check"][..], &["migrate"]] {
        assert_eq!(machine.run(arguments).ended(0).out, "the database is up to date\n");
    }
}

#[test]
fn a_seeded_shop_has_its_goods_and_its_people() {
    let machine = Machine::new().with("STOA_RATE_LIMITS", "off");
    let told = machine.run(&["seed"]).ended(0).out;
    assert!(told.contains("seeded 200 products in 12 categories") && told.contains("Demo-Shop-1"), "{told}");
    assert_eq!(machine.run(&["seed"]).ended(0).out, "already seeded with 200 products\n");
    let server = machine.serve();
    let products = server.get("/api/products?total=true").json();
    assert_eq!(products["total"], 200);
    assert_eq!(server.get("/api/categories?limit=100").json()["data"].as_array().unwrap().len(), 12);
    assert_eq!(server.post("/api/auth/login", ADMIN).json()["user"]["role"], "admin");
    for shopper in ["ada", "ben", "chloe"] {
        let answer = server.post("/api/auth/login", &ADMIN.replace("admin@", &format!("{shopper}@")));
        assert_eq!((answer.status, answer.json()["user"]["role"].as_str()), (200, Some("user")), "{shopper}");
    }
}

#[test]
fn the_demo_shop_is_the_same_everywhere() {
    let goods = || {
        let machine = Machine::new();
        machine.run(&["seed"]).ended(0);
        machine.serve().get("/api/products?sortBy=name&sortOrder=asc&limit=100").json()["data"].clone()
    };
    let shop: Value = goods();
    assert_eq!(shop.as_array().unwrap().len(), 100);
    assert_eq!(shop, goods());
}

#[test]
fn a_shop_of_another_size_is_not_mixed_into_this_one() {
    let machine = Machine::new();
    machine.run(&["seed", "--products", "50"]).ended(0);
    for other in ["49", "51"] {
        machine.run(&["seed", "--products", other]).ended(2).complained(&["another number of products"]);
    }
}

#[test]
fn a_load_of_several_transactions_is_whole_and_can_be_repeated() {
    let machine = Machine::new();
    let told = machine.run(&["seed", "--products", "20500"]).ended(0).out;
    assert!(told.starts_with("seeded 20500 products"), "{told}");
    assert!(machine.run(&["seed", "--products", "20500"]).ended(0).out.starts_with("already"));
    let cheapest = machine.serve().get("/api/products?sortBy=price&sortOrder=asc&limit=1");
    assert_eq!(cheapest.status, 200);
}

#[test]
fn a_shop_of_somebody_else_and_a_shop_in_production_are_left_alone() {
    let machine = Machine::new();
    machine.run(&["admin", "create", "--email", "boss@example.com", "--password", "Tr0mbone-Lake"]).ended(0);
    machine.run(&["seed"]).ended(2).complained(&["has users", "--yes"]);
    machine.run(&["seed", "--products", "10", "--yes"]).ended(0);
    let production = Machine::new().with("STOA_ENVIRONMENT", "production");
    production.run(&["seed"]).ended(2).complained(&["production", "--yes"]);
}

#[test]
fn an_administrator_is_made_once_by_flag_or_by_variable() {
    let machine = Machine::new();
    let create = ["admin", "create", "--email", "boss@example.com"];
    machine.run(&create).ended(2).complained(&["--password", "STOA_ADMIN_PASSWORD"]);
    machine.run(&[&create[..], &["--password", "short"]].concat()).ended(1).complained(&["password: "]);
    machine
        .run(&["admin", "create", "--email", "boss", "--password", "Tr0mbone-Lake"])
        .ended(1)
        .complained(&["email: "]);
    let machine = machine.with("STOA_ADMIN_PASSWORD", "Tr0mbone-Lake");
    let told = machine.run(&create).ended(0);
    assert!(told.out.starts_with("made the administrator boss@example.com"), "{}", told.out);
    assert!(!(told.out + &told.err).contains("Tr0mbone"));
    machine.run(&create).ended(1).complained(&["stoa: "]);
    let server = machine.serve();
    let answer = server.post("/api/auth/login", r#"{"email":"boss@example.com","password":"Tr0mbone-Lake"}"#);
    assert_eq!(answer.json()["user"]["role"], "admin");
}

#[test]
fn the_document_is_printed_without_touching_anything() {
    let machine = Machine::new().with("DATABASE_URL", "postgres://nowhere.invalid/shop");
    let document = machine.run(&["openapi"]).ended(0).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/api/products"].is_object());
    assert_ne!(machine.run(&["openapi", "--version", "v1"]).ended(0).json(), document);
    assert!(!machine.path("data").exists());
}
