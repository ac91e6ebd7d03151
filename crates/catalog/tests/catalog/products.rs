//! POST /api/products

use reqwest::Method;
use stoa_testing::{at_once, json};

use crate::offered;

stoa_testing::each_engine! {

async fn a_product_is_made_as_told(app: TestApp) {
    let admin = app.admin().await;
    let body = r#"{"name":"Lamp","description":"Bright","price":19.90,"compareAtPrice":25,"stock":3,
        "category":"home-lights","status":"ACTIVE","images":["https://cdn.example/a.jpg"],
        "specifications":{"watts":7.50,"colour":"red"}}"#;
    let answer = admin.post_raw("/api/products", body).await.expect(201);
    assert_eq!(answer.header("location"), Some(format!("/api/products/{}", answer.id()).as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert!(answer.text.contains(r#""price":19.90,"compareAtPrice":25.00,"currency":"USD""#), "{}", answer.text);
    assert!(answer.text.contains(r#""watts":7.50"#), "numbers stay as written: {}", answer.text);
    assert_eq!(answer.body["variants"], json!([]));
    assert_eq!(answer.body["images"], json!(["https://cdn.example/a.jpg"]));
    assert_eq!(answer.body["createdAt"], "2026-01-15T12:00:00.000Z");
    let shown = app.anon().get(&format!("/api/products/{}", answer.id())).await.expect(200);
    assert_eq!(shown.text, answer.text);
    assert_eq!(app.events("product.created").await[0]["name"], "Lamp");
}

async fn what_is_not_told_has_a_default(app: TestApp) {
    let admin = app.admin().await;
    let body = json!({"name": "Lamp", "price": 1, "category": "home"});
    let answer = admin.post("/api/products", body).await.expect(201);
    assert_eq!((&answer.body["status"], &answer.body["stock"]), (&json!("DRAFT"), &json!(0)));
    assert!(answer.body.get("compareAtPrice").is_none());
    assert_eq!(answer.body["specifications"], json!({}));
}

async fn only_those_who_may_make_products(app: TestApp) {
    let bob = app.shopper("bob").await;
    app.anon().post("/api/products", offered("x", 1.0, 1)).await.refused(401, "AUTHENTICATION_REQUIRED");
    bob.post("/api/products", offered("x", 1.0, 1)).await.refused(403, "FORBIDDEN");
    bob.post("/api/products", json!({"nonsense": 1})).await.refused(403, "FORBIDDEN");
    app.anon().bearing("forged").post("/api/products", offered("x", 1.0, 1)).await.expect(401);
}

async fn bad_bodies_name_their_field(app: TestApp) {
    let admin = app.admin().await;
    let with = |field: &str, value: &str| {
        let mut fields = vec![("name", "\"a\""), ("price", "1"), ("category", "\"home\"")];
        fields.retain(|(known, _)| *known != field);
        fields.push((field, value));
        let body: Vec<_> = fields.iter().map(|(field, value)| format!("\"{field}\":{value}")).collect();
        format!("{{{}}}", body.join(","))
    };
    let long = format!("\"{}\"", "n".repeat(300));
    for (field, value) in [
        ("name", "\"\""), ("name", long.as_str()), ("name", "7"), ("name", "null"),
        ("price", "1.999"), ("price", "-1"), ("price", "1e999"), ("price", "\"1.00\""), ("price", "10000000000.01"),
        ("price", "99999999999999999999999999999999999"), ("price", "null"),
        ("compareAtPrice", "0.001"), ("stock", "-1"), ("stock", "1.5"), ("stock", "1e3"), ("stock", "1000000001"),
        ("stock", "99999999999999999999"), ("category", "\"No Slug\""), ("category", "\"\""),
        ("status", "\"active\""), ("status", "\"SOLD\""), ("images", "[\"javascript:x\"]"), ("images", "\"/a\""),
        ("specifications", "[]"), ("specifications", "\"a\""), ("specifications", "{\"a\":\"\\ud800\"}"),
        ("colour", "\"red\""), ("id", "\"x\""),
    ] {
        let answer = admin.post_raw("/api/products", with(field, value)).await;
        let answer = answer.refused(422, "VALIDATION_FAILED");
        let named = answer.fields();
        assert!(named.iter().any(|name| name.split('.').next() == Some(field)), "{field}={value}: {named:?}");
    }
    let all = admin.post("/api/products", json!({"name": "", "price": -1, "category": "A"})).await;
    assert_eq!(all.expect(422).fields(), ["name", "price", "category"]);
    let missing = admin.post("/api/products", json!({"name": "x", "category": "home"})).await;
    assert_eq!(missing.expect(422).fields(), ["price"]);
}

async fn what_is_no_json_is_refused(app: TestApp) {
    let admin = app.admin().await;
    admin.post_raw("/api/products", "{\"name\":").await.refused(400, "MALFORMED_JSON");
    admin.post_raw("/api/products", vec![0xff, 0xfe]).await.refused(400, "MALFORMED_JSON");
    admin.post_raw("/api/products", "").await.refused(400, "MALFORMED_JSON");
    admin.post_raw("/api/products", "{\"name\":\"a\\u0000\",\"price\":1,\"category\":\"c\"}").await
        .refused(422, "NUL_CHARACTER");
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    admin.post_raw("/api/products", huge).await.refused(413, "BODY_TOO_LARGE");
    admin.raw(Method::POST, "/api/products", "text/plain", "{}").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    admin.raw(Method::DELETE, "/api/products", "application/json", "").await.expect(405);
}

async fn a_repeated_key_makes_one_product(app: TestApp) {
    let admin = app.admin().await.with_header("idempotency-key", "one");
    let first = admin.post("/api/products", offered("Lamp", 1.0, 1)).await.expect(201);
    let again = admin.post("/api/products", offered("Lamp", 1.0, 1)).await.expect(201);
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (first.text.as_str(), Some("true")));
    assert_eq!(again.header("location"), first.header("location"));
    admin.post("/api/products", offered("Chair", 1.0, 1)).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(app.events("product.created").await.len(), 1);
    assert_eq!(app.anon().get("/api/products").await.entries().len(), 1);
}

async fn race_of_one_key_makes_one_product(app: TestApp) {
    let admin = app.admin().await.with_header("idempotency-key", "race");
    let posts = (0..20).map(|_| {
        let admin = admin.clone();
        async move { admin.post("/api/products", offered("Lamp", 1.0, 1)).await }
    });
    let answers = at_once(posts).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)));
    let ids: std::collections::HashSet<_> =
        answers.iter().filter(|answer| answer.status == 201).map(stoa_testing::Answer::id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(app.events("product.created").await.len(), 1);
}

async fn v1_wraps_products_and_refusals(app: TestApp) {
    let admin = app.admin().await;
    let made = admin.post("/api/v1/products", offered("Lamp", 19.9, 1)).await.expect(201);
    assert_eq!((&made.body["success"], &made.body["data"]["name"]), (&json!(true), &json!("Lamp")));
    assert!(made.text.contains("\"price\":19.90"), "{}", made.text);
    let refused = admin.post("/api/v1/products", json!({"name": ""})).await.refused(422, "VALIDATION_FAILED");
    assert_eq!(refused.body["success"], false);
    let list = app.anon().get("/api/products?version=v1&page=1").await.expect(200);
    assert_eq!(list.body["meta"]["pagination"]["total"], 1);
    assert_eq!(list.body["data"][0]["name"], "Lamp");
}

}
