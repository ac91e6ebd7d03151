//! /api/offers

use std::time::Duration;

use stoa_testing::{Client, Value, json};

use crate::{made, offered};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Ten percent off the cart, by itself.
fn tenth(name: &str) -> Value {
    json!({"name": name, "kind": "percent", "value": 10, "target": {"type": "cart"}})
}

fn with(name: &str, field: &str, value: Value) -> Value {
    let mut body = tenth(name);
    body[field] = value;
    body
}

async fn made_offer(admin: &Client, body: Value) -> String {
    format!("/api/offers/{}", admin.post("/api/offers", body).await.expect(201).id())
}

fn names(answer: &stoa_testing::Answer) -> Vec<String> {
    answer.entries().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

stoa_testing::each_engine! {

async fn an_offer_is_made_as_told(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    let lamp = lamp.rsplit('/').next().unwrap();
    let body = format!(
        r#"{{"name":"Spring","code":"SPRING","kind":"fixed","value":2.50,"target":{{"type":"product","id":"{lamp}"}},
            "startsAt":"2026-03-01T00:00:00Z","endsAt":"2026-06-01T00:00:00.000Z","maxUses":5,"active":false}}"#
    );
    let spring = admin.post_raw("/api/offers", body).await.expect(201);
    let told = format!(
        r#""name":"Spring","code":"SPRING","kind":"fixed","value":2.50,"target":{{"type":"product","id":"{lamp}"}},"startsAt":"2026-03-01T00:00:00.000Z","endsAt":"2026-06-01T00:00:00.000Z","maxUses":5,"uses":0,"active":false,"createdAt""#
    );
    assert!(spring.text.contains(&told), "{}", spring.text);
    let path = format!("/api/offers/{}", spring.id());
    assert_eq!(spring.header("location"), Some(path.as_str()));
    assert_eq!(admin.get(&path).await.expect(200).text, spring.text);
    let plain = admin.post("/api/offers", with("Plain", "value", json!(12.5))).await.expect(201);
    assert!(plain.text.contains(r#""kind":"percent","value":12.5,"target":{"type":"cart"},"uses":0,"active":true"#), "{}", plain.text);
    let first = app.anon().get("/api/v1/offers").await.expect(200);
    assert_eq!(first.body["data"], json!([plain.body]));
    admin.post("/api/categories", json!({"name": "Home"})).await.expect(201);
    let home = admin.get("/api/categories/home").await.expect(200).id();
    for name in ["home", home.as_str()] {
        let target = json!({"type": "category", "id": name});
        let made = admin.post("/api/offers", with("At home", "target", target)).await.expect(201);
        assert_eq!(made.body["target"], json!({"type": "category", "id": home}));
    }
    assert_eq!(app.events("offer.created").await.len(), 4);
}

async fn shoppers_see_what_runs_and_needs_no_code(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let now = made_offer(&admin, tenth("now")).await;
    let coded = made_offer(&admin, with("coded", "code", json!("SECRET"))).await;
    let off = made_offer(&admin, with("off", "active", json!(false))).await;
    let soon = made_offer(&admin, with("soon", "startsAt", json!("2026-01-15T13:00:00Z"))).await;
    let over = made_offer(&admin, with("over", "endsAt", json!("2026-01-15T12:00:00Z"))).await;
    for client in [&bob, &app.anon()] {
        let list = client.get("/api/offers?total=true").await.expect(200);
        assert_eq!((names(&list), &list.body["total"]), (vec!["now".to_owned()], &json!(1)));
        client.get(&now).await.expect(200);
        for hidden in [&coded, &off, &soon, &over] {
            client.get(hidden).await.refused(404, "OFFER_NOT_FOUND");
        }
    }
    assert_eq!(admin.get("/api/offers?total=true").await.expect(200).body["total"], 5);
    for path in [&coded, &off, &soon, &over] {
        admin.get(path).await.expect(200);
    }
    admin.get(&format!("/api/offers/{NOBODY}")).await.refused(404, "OFFER_NOT_FOUND");
    admin.get("/api/offers/x").await.refused(400, "INVALID_ID");
}

async fn the_list_changes_when_offers_begin_and_end(app: TestApp) {
    let admin = app.admin().await;
    let body = json!({
        "name": "minutes", "kind": "percent", "value": 10, "target": {"type": "cart"},
        "startsAt": "2026-01-15T12:01:00Z", "endsAt": "2026-01-15T12:02:00Z",
    });
    let path = made_offer(&admin, body).await;
    // Well within the time that answers are kept for.
    for running in [false, true, false] {
        for _ in 0..2 {
            assert_eq!(names(&app.anon().get("/api/offers").await.expect(200)).len(), usize::from(running));
            app.anon().get(&path).await.expect(if running { 200 } else { 404 });
        }
        app.clock.advance(Duration::from_mins(1));
    }
}

async fn lists_go_on_where_they_ended(app: TestApp) {
    let admin = app.admin().await;
    for name in ["b", "A", "c"] {
        made_offer(&admin, tenth(name)).await;
        app.clock.advance(Duration::from_secs(1));
    }
    for client in [&admin, &app.anon()] {
        assert_eq!(names(&client.get("/api/offers").await.expect(200)), ["c", "A", "b"]);
        let first = client.get("/api/offers?sortBy=name&limit=2").await.expect(200);
        assert_eq!(names(&first), ["A", "b"]);
        let cursor = first.body["nextCursor"].as_str().unwrap();
        let rest = client.get(&format!("/api/offers?sortBy=name&cursor={cursor}")).await.expect(200);
        assert_eq!(names(&rest), ["c"]);
        let foreign = client.get(&format!("/api/offers?sortBy=name&sortOrder=desc&cursor={cursor}")).await;
        assert_eq!(foreign.refused(400, "INVALID_QUERY").fields(), ["cursor"]);
        assert_eq!(client.get("/api/offers?sortBy=value").await.refused(400, "INVALID_QUERY").fields(), ["sortBy"]);
    }
}

async fn bad_offers_are_refused(app: TestApp) {
    let admin = app.admin().await;
    let path = made_offer(&admin, tenth("kept")).await;
    for (field, value, told) in [
        ("name", json!(""), "name"), ("code", json!("a b"), "code"), ("code", json!(""), "code"),
        ("code", json!("c".repeat(65)), "code"), ("kind", json!("half"), "kind"), ("value", json!(0), "value"),
        ("value", json!(100.01), "value"), ("value", json!(1.001), "value"), ("value", json!(-1), "value"),
        ("value", json!("10"), "value"), ("target", json!({"type": "cart", "id": NOBODY}), "target.id"),
        ("target", json!({"type": "product"}), "target.id"), ("target", json!({"type": "product", "id": "x"}), "target.id"),
        ("target", json!({"type": "product", "id": NOBODY}), "target.id"),
        ("target", json!({"type": "package", "id": NOBODY}), "target.id"),
        ("target", json!({"type": "category", "id": "nowhere"}), "target.id"),
        ("target", json!({"type": "moon"}), "target.type"), ("maxUses", json!(0), "maxUses"),
        ("maxUses", json!(1_000_000_001), "maxUses"), ("startsAt", json!("soon"), "startsAt"),
        ("active", json!("yes"), "active"), ("uses", json!(1), "uses"),
    ] {
        let answers = [
            admin.post("/api/offers", with("x", field, value.clone())).await,
            admin.patch(&path, json!({field: value})).await,
            admin.put(&path, json!({field: value})).await,
        ];
        for answer in answers {
            assert_eq!(answer.refused(422, "VALIDATION_FAILED").fields(), [told], "{field}={value}");
        }
    }
    let mut period = with("x", "startsAt", json!("2026-03-01T00:00:00Z"));
    period["endsAt"] = json!("2026-02-01T00:00:00Z");
    assert_eq!(admin.post("/api/offers", period).await.refused(422, "VALIDATION_FAILED").fields(), ["endsAt"]);
    assert_eq!(admin.patch(&path, json!({"kind": "fixed"})).await.refused(422, "VALIDATION_FAILED").fields(), ["value"]);
    admin.post("/api/offers", with("x", "code", json!("Ten"))).await.expect(201);
    admin.post("/api/offers", with("y", "code", json!("TEN"))).await.refused(409, "OFFER_CODE_TAKEN");
    admin.patch(&path, json!({"code": "ten"})).await.refused(409, "OFFER_CODE_TAKEN");
    assert_eq!(admin.get(&path).await.expect(200).body["name"], "kept");
}

async fn offers_are_changed_and_deleted(app: TestApp) {
    let admin = app.admin().await;
    let path = made_offer(&admin, with("ten", "code", json!("TEN"))).await;
    app.clock.advance(Duration::from_mins(1));
    let changed = admin.patch(&path, json!({"code": null, "maxUses": 3, "value": 15})).await.expect(200);
    assert_eq!((changed.body.get("code"), &changed.body["maxUses"], &changed.body["value"]), (None, &json!(3), &json!(15)));
    assert_eq!(changed.body["updatedAt"], "2026-01-15T12:01:00.000Z");
    assert_eq!(app.anon().get(&path).await.expect(200).text, changed.text);
    let fixed = admin.put(&path, json!({"kind": "fixed", "value": 2, "maxUses": null, "endsAt": "2026-02-01T00:00:00Z"})).await.expect(200);
    assert!(fixed.text.contains(r#""kind":"fixed","value":2.00"#), "{}", fixed.text);
    assert!(fixed.body.get("maxUses").is_none());
    assert_eq!(app.anon().get("/api/offers").await.entries(), std::slice::from_ref(&fixed.body));
    admin.patch(&path, json!({"active": false})).await.expect(200);
    assert_eq!(app.anon().get("/api/offers").await.entries().len(), 0);
    admin.patch(&format!("/api/offers/{NOBODY}"), json!({"name": "x"})).await.refused(404, "OFFER_NOT_FOUND");
    admin.delete(&path).await.expect(204);
    admin.get(&path).await.refused(404, "OFFER_NOT_FOUND");
    admin.delete(&path).await.refused(404, "OFFER_NOT_FOUND");
    assert_eq!((app.events("offer.updated").await.len(), app.events("offer.deleted").await.len()), (3, 1));
}

async fn only_those_who_may_deal_with_offers(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let path = made_offer(&admin, tenth("ten")).await;
    for (client, status, code) in [(&bob, 403, "FORBIDDEN"), (&app.anon(), 401, "AUTHENTICATION_REQUIRED")] {
        client.post("/api/offers", tenth("x")).await.refused(status, code);
        client.patch(&path, json!({"value": 1})).await.refused(status, code);
        client.put(&path, json!({"value": 1})).await.refused(status, code);
        client.delete(&path).await.refused(status, code);
    }
    let again = admin.clone().with_header("idempotency-key", "k");
    let first = again.post("/api/offers", tenth("once")).await.expect(201);
    let second = again.post("/api/offers", tenth("once")).await.expect(201);
    assert_eq!((first.id(), second.header("idempotent-replayed")), (second.id(), Some("true")));
}

}
