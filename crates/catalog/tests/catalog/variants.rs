//! POST /api/products/{id}/variants, PATCH and DELETE …/variants/{variantId}, and stock of variants

use stoa_testing::{at_once, json};

use crate::{made, offered};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

stoa_testing::each_engine! {

async fn a_variant_is_made_as_told(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 4)).await;
    let body = r#"{"name":"Large","sku":"TEA-L","price":12.50,"stock":3,"attributes":{"size":"L"}}"#;
    let large = admin.post_raw(&format!("{tea}/variants"), body).await.expect(201);
    assert!(large.text.contains(r#""sku":"TEA-L","price":12.50,"stock":3,"attributes":{"size":"L"}"#), "{}", large.text);
    assert_eq!(large.header("location"), Some(tea.as_str()));
    let shown = app.anon().get(&tea).await.expect(200);
    assert_eq!((&shown.body["variants"], &shown.body["stock"]), (&json!([large.body]), &json!(3)));
    assert_eq!(shown.header("etag"), large.header("etag"), "the product's version moves with its variants");
    let small = admin.post(&format!("{tea}/variants"), json!({"name": "Small", "sku": "TEA-S"})).await.expect(201);
    assert_eq!((small.body["price"].as_f64(), &small.body["stock"]), (Some(10.0), &json!(0)));
    let listed = app.anon().get("/api/products").await.expect(200);
    assert_eq!(listed.entries()[0]["variants"], json!([large.body, small.body]));
    let flat = app.anon().get(&format!("/api/v1{}", tea.trim_start_matches("/api"))).await.expect(200);
    assert_eq!(flat.body["data"]["variants"][1]["name"], "Small");
}

async fn the_first_variant_takes_the_pieces_along(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 4)).await;
    let large = admin.post(&format!("{tea}/variants"), json!({"name": "Large", "sku": "L"})).await.expect(201);
    assert_eq!(large.body["stock"], 4);
    let of_tea = format!("{tea}/variants/{}", large.id());
    assert_eq!(admin.patch(&of_tea, json!({"stock": 9, "name": "XL"})).await.expect(200).body["name"], "XL");
    assert_eq!(app.anon().get(&tea).await.body["stock"], 9);
    admin.delete(&of_tea).await.expect(204);
    let bare = app.anon().get(&tea).await.expect(200);
    assert_eq!((&bare.body["stock"], &bare.body["variants"]), (&json!(0), &json!([])));
    admin.patch(&format!("{tea}/stock"), json!({"quantityChange": 2})).await.expect(200);
}

async fn stock_moves_by_the_variant(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 0)).await;
    let large = admin.post(&format!("{tea}/variants"), json!({"name": "Large", "sku": "L", "stock": 12})).await.expect(201).id();
    admin.post(&format!("{tea}/variants"), json!({"name": "Small", "sku": "S", "stock": 50})).await.expect(201);
    let stock = format!("{tea}/stock");
    admin.patch(&stock, json!({"quantityChange": 1})).await.refused(422, "VARIANT_REQUIRED");
    admin.patch(&stock, json!({"quantityChange": 1, "variantId": NOBODY})).await.refused(404, "VARIANT_NOT_FOUND");
    let body = json!({"quantityChange": -13, "variantId": large});
    let short = admin.patch(&stock, body).await.refused(422, "INSUFFICIENT_STOCK");
    assert_eq!((&short.body["available"], &short.body["requested"]), (&json!(12), &json!(13)));
    let left = admin.patch(&stock, json!({"quantityChange": -12, "variantId": large})).await.expect(200);
    assert_eq!((&left.body["stock"], &left.body["variants"][0]["stock"]), (&json!(50), &json!(0)));
    let (low, out) = (app.events("product.low_stock").await, app.events("product.out_of_stock").await);
    assert_eq!((low.len(), &low[0]["variantId"], &low[0]["stock"]), (1, &json!(large), &json!(0)));
    assert_eq!((out.len(), &out[0]["variantId"]), (1, &json!(large)));
    let set = admin.patch(&tea, json!({"stock": 5})).await.refused(422, "VALIDATION_FAILED");
    assert_eq!(set.fields(), ["stock"]);
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    let body = json!({"quantityChange": 1, "variantId": large});
    admin.patch(&format!("{lamp}/stock"), body).await.refused(404, "VARIANT_NOT_FOUND");
    let body = json!({"quantityChange": 1, "variantId": "x"});
    assert_eq!(admin.patch(&stock, body).await.refused(422, "VALIDATION_FAILED").fields(), ["variantId"]);
}

async fn bad_variants_are_refused(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 4)).await;
    let variants = format!("{tea}/variants");
    let with = |field: &str, value: stoa_testing::Value| {
        let mut body = json!({"name": "Large", "sku": "L"});
        body[field] = value;
        body
    };
    let many: std::collections::BTreeMap<_, _> = (0..21).map(|number| (number.to_string(), "x")).collect();
    for (field, value) in [
        ("name", json!("")), ("name", json!("n".repeat(256))), ("name", json!(1)), ("sku", json!("a b")),
        ("sku", json!("")), ("sku", json!("s".repeat(65))), ("price", json!(-1)), ("price", json!(1.999)),
        ("price", json!("1")), ("stock", json!(-1)), ("stock", json!(1_000_000_001)), ("attributes", json!([])),
        ("attributes", json!(many)), ("attributes", json!({"": "x"})), ("attributes", json!({"a": "x".repeat(201)})),
        ("id", json!(NOBODY)),
    ] {
        let answer = admin.post(&variants, with(field, value.clone())).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(answer.fields(), [field], "{value}");
    }
    let large = admin.post(&variants, with("stock", json!(1))).await.expect(201).id();
    for body in [json!({"name": null}), json!({"sku": null}), json!({"price": null}), json!({"stock": null}), json!({"attributes": null})] {
        let answer = admin.patch(&format!("{variants}/{large}"), body.clone()).await;
        assert_eq!(answer.refused(422, "VALIDATION_FAILED").fields().len(), 1, "{body}");
    }
    assert_eq!(admin.post(&variants, json!({"name": "x", "sku": "l"})).await.refused(409, "SKU_TAKEN").status, 409);
    let small = admin.post(&variants, json!({"name": "Small", "sku": "S"})).await.expect(201).id();
    admin.patch(&format!("{variants}/{small}"), json!({"sku": "L"})).await.refused(409, "SKU_TAKEN");
    admin.patch(&format!("{variants}/{NOBODY}"), json!({"sku": "x"})).await.refused(404, "VARIANT_NOT_FOUND");
    admin.delete(&format!("{variants}/{NOBODY}")).await.refused(404, "VARIANT_NOT_FOUND");
    admin.delete(&format!("{variants}/x")).await.refused(400, "INVALID_ID");
    let nowhere = format!("/api/products/{NOBODY}/variants");
    admin.post(&nowhere, json!({"name": "x", "sku": "x"})).await.refused(404, "PRODUCT_NOT_FOUND");
    admin.delete(&format!("{nowhere}/{small}")).await.refused(404, "PRODUCT_NOT_FOUND");
}

async fn only_those_who_may_change_products(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let tea = made(&admin, offered("Tea", 10.0, 4)).await;
    let variants = format!("{tea}/variants");
    let body = json!({"name": "Large", "sku": "L"});
    let large = admin.post(&variants, body.clone()).await.expect(201).id();
    let of_tea = format!("{variants}/{large}");
    for (client, status, code) in [(&bob, 403, "FORBIDDEN"), (&app.anon(), 401, "AUTHENTICATION_REQUIRED")] {
        client.post(&variants, body.clone()).await.refused(status, code);
        client.patch(&of_tea, json!({"stock": 1})).await.refused(status, code);
        client.delete(&of_tea).await.refused(status, code);
        client.put(&format!("{tea}/images"), json!({"images": []})).await.refused(status, code);
    }
}

async fn a_write_may_insist_on_the_state_it_saw(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 0)).await;
    let variants = format!("{tea}/variants");
    let seen = admin.clone().with_header("if-match", "\"1\"");
    let large = seen.post(&variants, json!({"name": "Large", "sku": "L"})).await.expect(201);
    let of_tea = format!("{variants}/{}", large.id());
    let body = json!({"name": "Small", "sku": "S"});
    seen.post(&variants, body).await.refused(412, "PRECONDITION_FAILED");
    seen.patch(&of_tea, json!({"stock": 4})).await.refused(412, "PRECONDITION_FAILED");
    seen.delete(&of_tea).await.refused(412, "PRECONDITION_FAILED");
    seen.put(&format!("{tea}/images"), json!({"images": []})).await.refused(412, "PRECONDITION_FAILED");
    let body = json!({"quantityChange": 1, "variantId": large.id()});
    seen.patch(&format!("{tea}/stock"), body).await.refused(412, "PRECONDITION_FAILED");
    let now = admin.clone().with_header("if-match", large.header("etag").unwrap());
    let changed = now.patch(&of_tea, json!({"stock": 4})).await.expect(200);
    let now = admin.clone().with_header("if-match", changed.header("etag").unwrap());
    now.delete(&of_tea).await.expect(204);
}

async fn a_repeated_key_makes_one_variant(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 0)).await;
    let again = admin.clone().with_header("idempotency-key", "k");
    let body = json!({"name": "Large", "sku": "L"});
    let first = again.post(&format!("{tea}/variants"), body.clone()).await.expect(201);
    let second = again.post(&format!("{tea}/variants"), body).await.expect(201);
    assert_eq!((first.text, second.header("idempotent-replayed")), (second.text.clone(), Some("true")));
}

async fn race_for_the_last_pieces_of_a_variant_sells_each_once(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 0)).await;
    let large = admin.post(&format!("{tea}/variants"), json!({"name": "Large", "sku": "L", "stock": 30})).await.expect(201).id();
    let takes = (0..80).map(|_| {
        let (admin, stock, large) = (admin.clone(), format!("{tea}/stock"), large.clone());
        async move { admin.patch(&stock, json!({"quantityChange": -1, "variantId": large})).await }
    });
    let answers = at_once(takes).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    let short = answers.iter().filter(|answer| answer.code() == Some("INSUFFICIENT_STOCK")).count();
    assert_eq!((taken, short), (30, 50));
    let shown = app.anon().get(&tea).await;
    assert_eq!((&shown.body["stock"], &shown.body["variants"][0]["stock"]), (&json!(0), &json!(0)));
}

async fn pictures_are_replaced(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 4)).await;
    let images = format!("{tea}/images");
    let changed = admin.put(&images, json!({"images": ["/a.png", "https://cdn.example/b.png"]})).await.expect(200);
    assert_eq!(changed.body["images"], json!(["/a.png", "https://cdn.example/b.png"]));
    assert_eq!((changed.header("etag"), &changed.body["name"]), (Some("\"2\""), &json!("Tea")));
    assert_eq!(app.anon().get(&tea).await.text, changed.text);
    let many: Vec<_> = (0..51).map(|number| format!("/{number}")).collect();
    for body in [json!({}), json!({"images": ["ftp://x"]}), json!({"images": "x"}), json!({"images": many}), json!({"images": null})] {
        let answer = admin.put(&images, body.clone()).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(answer.fields(), ["images"], "{body}");
    }
    assert_eq!(admin.put(&images, json!({"images": []})).await.expect(200).body["images"], json!([]));
    let nowhere = format!("/api/products/{NOBODY}/images");
    admin.put(&nowhere, json!({"images": []})).await.refused(404, "PRODUCT_NOT_FOUND");
}

}
