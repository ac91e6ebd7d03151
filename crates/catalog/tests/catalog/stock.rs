//! PATCH /api/products/{id}/stock

use stoa_kernel::Id;
use stoa_testing::{TestApp, Value, at_once, json};

use crate::{made, offered};

/// What was told of stock: of which variant, what is left of it and of the product, how many came, and why.
async fn told(app: &TestApp) -> Vec<Value> {
    let told = app.events("product.stock_changed").await.into_iter();
    let fields = ["variantId", "stock", "productStock", "change", "reason"];
    told.map(|event| fields.iter().map(|field| event[field].clone()).collect()).collect()
}

/// What is there of a product of this address, for whoever watches it.
async fn watched(app: &TestApp, product: &str) -> Option<i64> {
    let id = product.rsplit('/').next().unwrap().parse().unwrap();
    app.domains().catalogue.stock_of(id).await.unwrap()
}

stoa_testing::each_engine! {

async fn every_change_of_stock_is_told(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    admin.patch(&lamp, json!({"name": "LED"})).await.expect(200);
    admin.patch(&lamp, json!({"stock": 3, "price": 9})).await.expect(200);
    assert_eq!(told(app).await, Vec::<Value>::new(), "nothing moved since it was made");
    admin.patch(&format!("{lamp}/stock"), json!({"quantityChange": 4})).await.expect(200);
    admin.patch(&format!("{lamp}/stock"), json!({"quantityChange": 0})).await.expect(200);
    admin.patch(&format!("{lamp}/stock"), json!({"quantityChange": -8})).await.refused(422, "INSUFFICIENT_STOCK");
    admin.put(&lamp, json!({"stock": 2, "name": "Lamp"})).await.expect(200);
    admin.delete(&lamp).await.expect(204);
    assert_eq!(
        told(app).await,
        [json!([null, 7, 7, 4, "adjusted"]), json!([null, 2, 2, -5, "set"]), json!([null, 0, 0, -2, "deleted"])]
    );
    let whole = app.events("product.stock_changed").await.remove(1);
    let id = lamp.rsplit('/').next().unwrap();
    let change = json!({"productId": id, "version": 6, "stock": 2, "productStock": 2, "change": -5, "reason": "set"});
    assert_eq!(whole, change);
}

async fn what_moves_by_variants_is_told_of_each(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 4)).await;
    let variants = format!("{tea}/variants");
    let large = admin.post(&variants, json!({"name": "Large", "sku": "L"})).await.expect(201).id();
    let small = admin.post(&variants, json!({"name": "Small", "sku": "S", "stock": 5})).await.expect(201).id();
    admin.patch(&format!("{variants}/{small}"), json!({"stock": 6})).await.expect(200);
    admin.patch(&format!("{variants}/{small}"), json!({"name": "Tiny"})).await.expect(200);
    admin.patch(&format!("{tea}/stock"), json!({"quantityChange": -1, "variantId": large})).await.expect(200);
    admin.delete(&format!("{variants}/{large}")).await.expect(204);
    admin.delete(&tea).await.expect(204);
    assert_eq!(
        told(app).await,
        [
            json!([null, 0, 4, -4, "moved"]), json!([large, 4, 4, 4, "moved"]),
            json!([small, 5, 9, 5, "created"]), json!([small, 6, 10, 1, "set"]),
            json!([large, 3, 9, -1, "adjusted"]), json!([large, 0, 6, -3, "deleted"]),
            json!([small, 0, 0, -6, "deleted"]),
        ]
    );
}

async fn what_is_there_is_for_everybody_to_watch_if_the_product_is(app: TestApp) {
    let admin = app.admin().await;
    let tea = made(&admin, offered("Tea", 10.0, 4)).await;
    assert_eq!(watched(app, &tea).await, Some(4));
    for (sku, stock) in [("L", 2), ("S", 3)] {
        admin.post(&format!("{tea}/variants"), json!({"name": sku, "sku": sku, "stock": stock})).await.expect(201);
    }
    assert_eq!(watched(app, &tea).await, Some(5), "the sum of its variants, as it is shown");
    for status in ["DRAFT", "INACTIVE", "ARCHIVED"] {
        admin.patch(&tea, json!({"status": status})).await.expect(200);
        assert_eq!(watched(app, &tea).await, None, "{status}");
    }
    let nobody = Id::<()>::new(app.clock.clock().now(), &stoa_kernel::Random::system());
    assert_eq!(watched(app, &nobody.to_string()).await, None);
}

async fn pieces_come_and_go(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    let stock = format!("{lamp}/stock");
    let more = admin.patch(&stock, json!({"quantityChange": 4})).await.expect(200);
    assert_eq!((&more.body["stock"], more.header("etag")), (&json!(7), Some("\"2\"")));
    assert_eq!(admin.patch(&stock, json!({"quantityChange": -7})).await.expect(200).body["stock"], 0);
    let short = admin.patch(&stock, json!({"quantityChange": -2})).await.refused(422, "INSUFFICIENT_STOCK");
    assert_eq!((&short.body["available"], &short.body["requested"]), (&json!(0), &json!(2)));
    admin.patch(&stock, json!({"quantityChange": 1_000_000_000})).await.expect(200);
    admin.patch(&stock, json!({"quantityChange": 1})).await.refused(422, "STOCK_TOO_LARGE");
}

async fn bad_changes_are_refused(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let stock = format!("{}/stock", made(&admin, offered("Lamp", 10.0, 3)).await);
    for body in [
        json!({}), json!({"quantityChange": "1"}), json!({"quantityChange": 1.5}), json!({"quantityChange": null}),
        json!({"quantityChange": 1_000_000_001}), json!({"quantityChange": i64::MIN}),
        json!({"quantityChange": 1e30}),
    ] {
        let answer = admin.patch(&stock, body.clone()).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(answer.fields(), ["quantityChange"], "{body}");
    }
    bob.patch(&stock, json!({"quantityChange": 1})).await.refused(403, "FORBIDDEN");
    app.anon().patch(&stock, json!({"quantityChange": 1})).await.refused(401, "AUTHENTICATION_REQUIRED");
    let nobody = "/api/products/01890a5d-ac96-774b-bcce-b302099a8057/stock";
    admin.patch(nobody, json!({"quantityChange": 1})).await.refused(404, "PRODUCT_NOT_FOUND");
    admin.patch("/api/products/x/stock", json!({"quantityChange": 1})).await.refused(400, "INVALID_ID");
}

async fn crossing_the_level_is_told_once(app: TestApp) {
    let admin = app.admin().await;
    let stock = format!("{}/stock", made(&admin, offered("Lamp", 10.0, 12)).await);
    for change in [-1, -1, -1, -9] {
        admin.patch(&stock, json!({"quantityChange": change})).await.expect(200);
    }
    let low = app.events("product.low_stock").await;
    assert_eq!((low.len(), &low[0]["stock"]), (1, &json!(10)));
    let out = app.events("product.out_of_stock").await;
    assert_eq!((out.len(), &out[0]["stock"]), (1, &json!(0)));
    assert_eq!(app.events("product.updated").await.len(), 4);
}

async fn the_level_can_be_set(app: TestApp, |settings| settings.catalog.low_stock_level = 3) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 12)).await;
    admin.patch(&lamp, json!({"stock": 4})).await.expect(200);
    assert!(app.events("product.low_stock").await.is_empty());
    admin.patch(&lamp, json!({"stock": 3})).await.expect(200);
    assert_eq!(app.events("product.low_stock").await.len(), 1);
}

async fn race_for_the_last_pieces_sells_each_once(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 30)).await;
    let takes = (0..100).map(|_| {
        let (admin, stock) = (admin.clone(), format!("{lamp}/stock"));
        async move { admin.patch(&stock, json!({"quantityChange": -1})).await }
    });
    let answers = at_once(takes).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    let short = answers.iter().filter(|answer| answer.code() == Some("INSUFFICIENT_STOCK")).count();
    assert_eq!((taken, short), (30, 70));
    assert_eq!(app.anon().get(&lamp).await.body["stock"], 0);
    assert_eq!(app.events("product.out_of_stock").await.len(), 1);
}

async fn race_of_conditional_changes_has_one_winner(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 30)).await;
    let changes = (0..20).map(|number| {
        let (admin, lamp) = (admin.clone().with_header("if-match", "\"1\""), lamp.clone());
        async move { admin.patch(&lamp, json!({"name": format!("Lamp {number}")})).await }
    });
    let answers = at_once(changes).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 19);
}

}
