//! PATCH /api/products/{id}/stock

use stoa_testing::{at_once, json};

use crate::{made, offered};

stoa_testing::each_engine! {

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
