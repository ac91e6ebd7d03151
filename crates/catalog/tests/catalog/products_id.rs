//! GET, PUT, PATCH, DELETE /api/products/{id}

use stoa_testing::json;

use crate::{made, offered};

const NOBODY: &str = "/api/products/01890a5d-ac96-774b-bcce-b302099a8057";

stoa_testing::each_engine! {

async fn what_is_not_on_offer_is_hidden_from_shoppers(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    for status in ["DRAFT", "INACTIVE", "ARCHIVED"] {
        let body = json!({"name": "Lamp", "price": 1, "category": "home", "status": status});
        let lamp = made(&admin, body).await;
        assert_eq!(admin.get(&lamp).await.expect(200).body["status"], status);
        bob.get(&lamp).await.refused(404, "PRODUCT_NOT_FOUND");
        app.anon().get(&lamp).await.refused(404, "PRODUCT_NOT_FOUND");
    }
    admin.get(NOBODY).await.refused(404, "PRODUCT_NOT_FOUND");
    admin.get("/api/products/7").await.refused(400, "INVALID_ID");
}

async fn put_and_patch_take_any_fields(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    app.clock.advance(std::time::Duration::from_mins(1));
    let changed = admin.patch(&lamp, json!({"name": "LED", "compareAtPrice": 12.5})).await.expect(200);
    assert_eq!((&changed.body["name"], &changed.body["stock"]), (&json!("LED"), &json!(3)));
    assert_eq!((changed.header("etag"), &changed.body["compareAtPrice"]), (Some("\"2\""), &json!(12.5)));
    assert_eq!(changed.body["updatedAt"], "2026-01-15T12:01:00.000Z");
    assert_eq!(changed.body["createdAt"], "2026-01-15T12:00:00.000Z");
    let body = json!({"stock": 9, "compareAtPrice": null, "specifications": {"a": [1, null]}, "images": ["/b"]});
    let replaced = admin.put(&lamp, body).await.expect(200);
    assert_eq!((&replaced.body["name"], &replaced.body["stock"]), (&json!("LED"), &json!(9)));
    assert!(replaced.body.get("compareAtPrice").is_none());
    assert_eq!((&replaced.body["specifications"], &replaced.body["images"]), (&json!({"a": [1, null]}), &json!(["/b"])));
    assert_eq!(admin.patch(&lamp, json!({})).await.expect(200).header("etag"), Some("\"3\""));
    assert_eq!(app.events("product.updated").await.len(), 2);
}

async fn bad_changes_change_nothing(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    for (field, value) in [
        ("name", json!("")), ("name", json!(null)), ("price", json!("1")), ("price", json!(null)),
        ("stock", json!(-1)), ("stock", json!(null)), ("category", json!("A")), ("status", json!("X")),
        ("images", json!(["ftp://x"])), ("specifications", json!(null)), ("createdAt", json!("2026-01-01")),
    ] {
        for answer in [admin.patch(&lamp, json!({field: value})).await, admin.put(&lamp, json!({field: value})).await] {
            assert_eq!(answer.refused(422, "VALIDATION_FAILED").fields(), [field], "{field}={value}");
        }
    }
    assert_eq!(admin.get(&lamp).await.header("etag"), Some("\"1\""));
    admin.patch(NOBODY, json!({"name": "x"})).await.refused(404, "PRODUCT_NOT_FOUND");
}

async fn only_those_who_may_change_products(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    app.anon().patch(&lamp, json!({"name": "x"})).await.refused(401, "AUTHENTICATION_REQUIRED");
    bob.patch(&lamp, json!({"name": "x"})).await.refused(403, "FORBIDDEN");
    bob.put(&lamp, json!({"name": "x"})).await.refused(403, "FORBIDDEN");
    bob.delete(&lamp).await.refused(403, "FORBIDDEN");
    app.anon().delete(&lamp).await.refused(401, "AUTHENTICATION_REQUIRED");
    assert_eq!(bob.get(&lamp).await.body["name"], "Lamp");
}

async fn a_change_meant_for_another_state_is_refused(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    let at_1 = admin.clone().with_header("if-match", "\"1\"");
    at_1.patch(&lamp, json!({"name": "LED"})).await.expect(200);
    at_1.patch(&lamp, json!({"name": "old"})).await.refused(412, "PRECONDITION_FAILED");
    at_1.put(&lamp, json!({"name": "old"})).await.refused(412, "PRECONDITION_FAILED");
    at_1.delete(&lamp).await.refused(412, "PRECONDITION_FAILED");
    at_1.patch(&format!("{lamp}/stock"), json!({"quantityChange": -1})).await.refused(412, "PRECONDITION_FAILED");
    let now = admin.get(&lamp).await.expect(200);
    assert_eq!((&now.body["name"], &now.body["stock"], now.header("etag")), (&json!("LED"), &json!(3), Some("\"2\"")));
    let at_2 = admin.clone().with_header("if-match", "\"1\", \"2\"");
    at_2.patch(&format!("{lamp}/stock"), json!({"quantityChange": -1})).await.expect(200);
    admin.with_header("if-match", "*").delete(&lamp).await.expect(204);
}

async fn a_reader_who_has_it_is_told_so(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    let reader = app.anon().with_header("if-none-match", "\"1\"");
    for _ in 0..2 {
        let answer = reader.get(&lamp).await.expect(304);
        assert_eq!((answer.text.as_str(), answer.header("etag")), ("", Some("\"1\"")));
    }
    admin.patch(&lamp, json!({"name": "LED"})).await.expect(200);
    assert_eq!(reader.get(&lamp).await.expect(200).body["name"], "LED");
}

async fn what_is_deleted_is_gone(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    assert_eq!(admin.delete(&lamp).await.expect(204).text, "");
    admin.get(&lamp).await.refused(404, "PRODUCT_NOT_FOUND");
    admin.delete(&lamp).await.refused(404, "PRODUCT_NOT_FOUND");
    assert_eq!(app.events("product.deleted").await.len(), 1);
}

}
