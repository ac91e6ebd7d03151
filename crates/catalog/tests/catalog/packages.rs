//! /api/packages

use stoa_testing::{Client, Value, json};

use crate::{made, offered};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn id_of(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

/// A package on offer of so many pieces of each product.
fn set(name: &str, parts: &[(&str, i64)]) -> Value {
    let item = |(path, quantity): &(&str, i64)| json!({"productId": id_of(path), "quantity": quantity});
    let items: Vec<_> = parts.iter().map(item).collect();
    json!({"name": name, "price": 19.9, "items": items, "status": "ACTIVE"})
}

async fn packed(admin: &Client, body: Value) -> String {
    format!("/api/packages/{}", admin.post("/api/packages", body).await.expect(201).id())
}

fn names(answer: &stoa_testing::Answer) -> Vec<String> {
    answer.entries().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

stoa_testing::each_engine! {

async fn a_package_is_made_as_told(app: TestApp) {
    let admin = app.admin().await;
    let cup = made(&admin, offered("Cup", 3.0, 9)).await;
    let tea = made(&admin, offered("Tea", 5.0, 0)).await;
    let large = admin.post(&format!("{tea}/variants"), json!({"name": "Large", "sku": "L", "stock": 3})).await.expect(201).id();
    let body = format!(
        r#"{{"name":"Tea for two","description":"Warm","price":19.90,"status":"ACTIVE","images":["/a.png"],
            "items":[{{"productId":"{}","quantity":2}},{{"productId":"{}","variantId":"{large}","quantity":1}}]}}"#,
        id_of(&cup), id_of(&tea)
    );
    let made = admin.post_raw("/api/packages", body).await.expect(201);
    assert!(made.text.contains(r#""description":"Warm","price":19.90,"currency":"USD","items":[{"productId":""#), "{}", made.text);
    assert_eq!((&made.body["stock"], &made.body["status"]), (&json!(3), &json!("ACTIVE")));
    assert_eq!((&made.body["items"][1]["variantId"], made.body["items"][0].get("variantId")), (&json!(large), None));
    assert_eq!(made.header("location"), Some(format!("/api/packages/{}", made.id()).as_str()));
    assert_eq!(app.anon().get(&format!("/api/packages/{}", made.id())).await.expect(200).text, made.text);
    assert_eq!(app.anon().get("/api/packages").await.expect(200).entries(), std::slice::from_ref(&made.body));
    let first = app.anon().get("/api/v1/packages?total=true").await.expect(200);
    assert_eq!((&first.body["data"][0], &first.body["meta"]["pagination"]["total"]), (&made.body, &json!(1)));
    let body = json!({"name": "Plain", "price": 1, "items": [{"productId": id_of(&cup), "quantity": 1}]});
    let plain = admin.post("/api/packages", body).await.expect(201);
    assert_eq!((&plain.body["status"], &plain.body["images"]), (&json!("DRAFT"), &json!([])));
    assert_eq!(app.events("package.created").await[0]["name"], "Tea for two");
}

async fn what_is_not_on_offer_is_hidden_from_shoppers(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let cup = made(&admin, offered("Cup", 3.0, 9)).await;
    for status in ["DRAFT", "INACTIVE", "ARCHIVED", "ACTIVE"] {
        let mut body = set(status, &[(&cup, 1)]);
        body["status"] = json!(status);
        let path = packed(&admin, body).await;
        assert_eq!(admin.get(&path).await.expect(200).body["status"], status);
        if status != "ACTIVE" {
            bob.get(&path).await.refused(404, "PACKAGE_NOT_FOUND");
            app.anon().get(&path).await.refused(404, "PACKAGE_NOT_FOUND");
        }
    }
    assert_eq!(names(&bob.get("/api/packages").await.expect(200)), ["ACTIVE"]);
    let hidden = bob.get("/api/packages?status=DRAFT&total=true").await.expect(200);
    assert_eq!((hidden.entries().len(), &hidden.body["total"]), (0, &json!(0)));
    assert_eq!(names(&admin.get("/api/packages?status=DRAFT").await.expect(200)), ["DRAFT"]);
    assert_eq!(admin.get("/api/packages?total=true").await.expect(200).body["total"], 4);
    admin.get(&format!("/api/packages/{NOBODY}")).await.refused(404, "PACKAGE_NOT_FOUND");
    admin.get("/api/packages/x").await.refused(400, "INVALID_ID");
}

async fn lists_go_on_where_they_ended(app: TestApp) {
    let admin = app.admin().await;
    let cup = made(&admin, offered("Cup", 3.0, 9)).await;
    for name in ["b", "A", "c"] {
        packed(&admin, set(name, &[(&cup, 1)])).await;
        app.clock.advance(std::time::Duration::from_secs(1));
    }
    for client in [&admin, &app.anon()] {
        assert_eq!(names(&client.get("/api/packages").await.expect(200)), ["c", "A", "b"]);
        let first = client.get("/api/packages?sortBy=name&limit=2").await.expect(200);
        assert_eq!(names(&first), ["A", "b"]);
        let cursor = first.body["nextCursor"].as_str().unwrap();
        let rest = client.get(&format!("/api/packages?sortBy=name&limit=2&cursor={cursor}")).await.expect(200);
        assert_eq!((names(&rest), &rest.body["nextCursor"]), (vec!["c".to_owned()], &json!(null)));
        let foreign = client.get(&format!("/api/packages?cursor={cursor}")).await;
        assert_eq!(foreign.refused(400, "INVALID_QUERY").fields(), ["cursor"]);
        let page = client.get("/api/packages?page=2&size=2&sortBy=createdAt&sortOrder=asc").await.expect(200);
        assert_eq!((names(&page), &page.body["total"]), (vec!["c".to_owned()], &json!(3)));
    }
    for (query, field) in [("sortBy=price", "sortBy"), ("status=SOLD", "status"), ("limit=0", "limit")] {
        let answer = admin.get(&format!("/api/packages?{query}")).await.refused(400, "INVALID_QUERY");
        assert_eq!(answer.fields(), [field]);
    }
}

async fn bad_packages_are_refused(app: TestApp) {
    let admin = app.admin().await;
    let cup = made(&admin, offered("Cup", 3.0, 9)).await;
    let tea = made(&admin, offered("Tea", 5.0, 0)).await;
    admin.post(&format!("{tea}/variants"), json!({"name": "Large", "sku": "L"})).await.expect(201);
    let path = packed(&admin, set("Set", &[(&cup, 1)])).await;
    let cup = id_of(&cup);
    let many: Vec<_> = (0..51).map(|number| json!({"productId": format!("{number:032x}"), "quantity": 1})).collect();
    for (field, value, told) in [
        ("name", json!(""), "name"), ("price", json!(-1), "price"), ("price", json!("1"), "price"),
        ("images", json!(["x"]), "images"), ("status", json!("SOLD"), "status"), ("stock", json!(1), "stock"),
        ("items", json!([]), "items"), ("items", json!(many), "items"), ("items", json!(null), "items"),
        ("items", json!([{"productId": cup, "quantity": 0}]), "items[0].quantity"),
        ("items", json!([{"productId": cup, "quantity": 1_001}]), "items[0].quantity"),
        ("items", json!([{"productId": cup, "quantity": 1}, {"productId": cup, "quantity": 2}]), "items[1]"),
        ("items", json!([{"productId": NOBODY, "quantity": 1}]), "items[0].productId"),
        ("items", json!([{"productId": id_of(&tea), "quantity": 1}]), "items[0].variantId"),
        ("items", json!([{"productId": cup, "variantId": NOBODY, "quantity": 1}]), "items[0].variantId"),
    ] {
        let mut body = json!({"name": "Set", "price": 1, "items": [{"productId": cup, "quantity": 1}]});
        body[field] = value.clone();
        let answers = [
            admin.post("/api/packages", body).await,
            admin.patch(&path, json!({field: value})).await,
            admin.put(&path, json!({field: value})).await,
        ];
        for answer in answers {
            assert_eq!(answer.refused(422, "VALIDATION_FAILED").fields(), [told], "{field}={value}");
        }
    }
    let unchanged = admin.get(&path).await.expect(200);
    assert_eq!((&unchanged.body["name"], &unchanged.body["items"][0]["quantity"]), (&json!("Set"), &json!(1)));
}

async fn packages_are_changed_and_deleted(app: TestApp) {
    let admin = app.admin().await;
    let cup = made(&admin, offered("Cup", 3.0, 9)).await;
    let jug = made(&admin, offered("Jug", 3.0, 4)).await;
    let path = packed(&admin, set("Set", &[(&cup, 1)])).await;
    app.clock.advance(std::time::Duration::from_mins(1));
    let changed = admin.patch(&path, json!({"price": 5, "name": "Other"})).await.expect(200);
    assert_eq!((&changed.body["name"], &changed.body["stock"]), (&json!("Other"), &json!(9)));
    assert_eq!(changed.body["updatedAt"], "2026-01-15T12:01:00.000Z");
    let items = json!([{"productId": id_of(&jug), "quantity": 2}]);
    let repacked = admin.put(&path, json!({"items": items})).await.expect(200);
    assert_eq!((&repacked.body["items"], &repacked.body["stock"]), (&items, &json!(2)));
    assert_eq!(app.anon().get(&path).await.text, repacked.text);
    admin.patch(&format!("/api/packages/{NOBODY}"), json!({"price": 5})).await.refused(404, "PACKAGE_NOT_FOUND");
    admin.delete(&path).await.expect(204);
    app.anon().get(&path).await.refused(404, "PACKAGE_NOT_FOUND");
    admin.delete(&path).await.refused(404, "PACKAGE_NOT_FOUND");
    assert_eq!((app.events("package.updated").await.len(), app.events("package.deleted").await.len()), (2, 1));
}

async fn only_those_who_may_deal_with_packages(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let cup = made(&admin, offered("Cup", 3.0, 9)).await;
    let path = packed(&admin, set("Set", &[(&cup, 1)])).await;
    for (client, status, code) in [(&bob, 403, "FORBIDDEN"), (&app.anon(), 401, "AUTHENTICATION_REQUIRED")] {
        client.post("/api/packages", set("x", &[(&cup, 1)])).await.refused(status, code);
        client.patch(&path, json!({"price": 1})).await.refused(status, code);
        client.put(&path, json!({"price": 1})).await.refused(status, code);
        client.delete(&path).await.refused(status, code);
    }
    let again = admin.clone().with_header("idempotency-key", "k");
    let first = again.post("/api/packages", set("Once", &[(&cup, 1)])).await.expect(201);
    let second = again.post("/api/packages", set("Once", &[(&cup, 1)])).await.expect(201);
    assert_eq!((first.id(), second.header("idempotent-replayed")), (second.id(), Some("true")));
}

async fn an_answer_is_never_stale_after_a_write_of_a_part(app: TestApp) {
    let admin = app.admin().await;
    let cup = made(&admin, offered("Cup", 3.0, 9)).await;
    let tea = made(&admin, offered("Tea", 5.0, 0)).await;
    let large = admin.post(&format!("{tea}/variants"), json!({"name": "Large", "sku": "L", "stock": 8})).await.expect(201).id();
    let mut body = set("Set", &[(&cup, 1), (&tea, 1)]);
    body["items"][1]["variantId"] = json!(large);
    let path = packed(&admin, body).await;
    let shown = async |expected: i64| {
        for path in [path.as_str(), "/api/packages"] {
            let answer = app.anon().get(path).await.expect(200);
            let package = answer.body.get("data").map_or(&answer.body, |list| &list[0]);
            assert_eq!(package["stock"], expected, "{path}");
            app.anon().get(path).await.expect(200);
        }
    };
    shown(8).await;
    admin.patch(&format!("{cup}/stock"), json!({"quantityChange": -3})).await.expect(200);
    shown(6).await;
    admin.patch(&format!("{tea}/stock"), json!({"quantityChange": -3, "variantId": large})).await.expect(200);
    shown(5).await;
    admin.patch(&format!("{tea}/variants/{large}"), json!({"stock": 4})).await.expect(200);
    shown(4).await;
    admin.patch(&cup, json!({"status": "ARCHIVED"})).await.expect(200);
    shown(0).await;
    admin.patch(&cup, json!({"status": "ACTIVE"})).await.expect(200);
    shown(4).await;
    admin.delete(&tea).await.expect(204);
    shown(0).await;
    let items = json!([{"productId": id_of(&cup), "quantity": 2}]);
    admin.patch(&path, json!({"items": items})).await.expect(200);
    shown(3).await;
    admin.post(&format!("{cup}/variants"), json!({"name": "Blue", "sku": "B"})).await.expect(201);
    shown(0).await;
}

}
