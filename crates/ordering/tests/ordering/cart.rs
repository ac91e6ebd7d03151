//! `/api/cart`.

use serde_json::json;
use stoa_platform::each_engine;

use crate::stage::{Stage, migrations};

each_engine! { &migrations();
    async fn a_cart_is_there_before_anything_is_in_it(db: TestDatabase) {
        let stage = Stage::open(&db);
        let seen = stage.bob().get("/api/cart").await.expect(200);
        let expected = format!(
            r#"{{"id":"{id}","userId":"{id}","items":[],"offers":[],"subtotal":0.00,"discount":0.00,"tax":0.00,"shipping":0.00,"total":0.00,"currency":"USD","updatedAt":"2026-01-15T12:00:00.000Z"}}"#,
            id = stage.bob().id()
        );
        assert_eq!(seen.text, expected);
        stage.close().await;
    }

    async fn lines_are_added_changed_and_removed(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, pan) = (stage.product(1_999, 9).await, stage.product(500, 9).await);
        let bob = stage.bob();
        bob.wants(&pot, 2).await;
        let cart = bob.adds(&pan, 1).await.expect(200);
        assert_eq!(cart.body["items"][0]["productId"], pot.as_str());
        assert!(cart.text.contains(r#""quantity":2,"price":19.99,"total":39.98,"available":true"#), "{}", cart.text);
        let sums = r#""subtotal":44.98,"discount":0.00,"tax":4.50,"shipping":10.00,"total":59.48,"currency":"USD""#;
        assert!(cart.text.contains(sums), "{}", cart.text);

        let cart = bob.adds(&pan, 2).await.expect(200);
        assert_eq!(cart.body["items"][1]["quantity"], 3, "more of a product is one line");

        let line = format!("/api/cart/items/{}", cart.body["items"][0]["id"].as_str().unwrap());
        let cart = bob.send("PUT", &line, Some(json!({"quantity": 9})), "").await.expect(200);
        assert_eq!(cart.body["items"][0]["quantity"], 9);
        assert!(cart.text.contains(r#""shipping":0.00"#), "free above 100: {}", cart.text);
        let cart = bob.send("PUT", &line, Some(json!({"quantity": 0})), "").await.expect(200);
        assert_eq!(cart.body["items"].as_array().unwrap().len(), 1);
        bob.send("DELETE", &line, None, "").await.refused(404, "CART_ITEM_NOT_FOUND");
        let line = format!("/api/cart/items/{}", cart.body["items"][0]["id"].as_str().unwrap());
        let cart = bob.send("DELETE", &line, None, "").await.expect(200);
        assert_eq!(cart.body["items"], json!([]));
        stage.close().await;
    }

    async fn emptying_a_cart_keeps_everybody_elses(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let (bob, ann) = (stage.bob(), stage.person("ann"));
        bob.wants(&pot, 1).await;
        ann.wants(&pot, 1).await;
        let anns = ann.get("/api/cart").await.expect(200);
        bob.send("DELETE", "/api/cart", None, "").await.expect(204);
        assert_eq!(bob.get("/api/cart").await.body["items"], json!([]));
        assert_eq!(ann.get("/api/cart").await.text, anns.text);
        let line = format!("/api/cart/items/{}", anns.body["items"][0]["id"].as_str().unwrap());
        bob.send("DELETE", &line, None, "").await.refused(404, "CART_ITEM_NOT_FOUND");
        bob.send("PUT", &line, Some(json!({"quantity": 2})), "").await.refused(404, "CART_ITEM_NOT_FOUND");
        stage.close().await;
    }

    async fn what_cannot_be_in_a_cart_is_refused_and_changes_nothing(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, many, hidden) =
            (stage.product(100, 3).await, stage.product(1, 2_000).await, stage.product(100, 3).await);
        stage.set(&hidden, "active", "FALSE").await;
        let bob = stage.bob();
        bob.wants(&pot, 3).await;
        bob.wants(&many, 1_000).await;
        let before = bob.get("/api/cart").await.text;

        let seen = bob.adds(&pot, 1).await.refused(422, "INSUFFICIENT_STOCK");
        assert_eq!((&seen.body["available"], &seen.body["requested"]), (&json!(3), &json!(4)));
        bob.adds(&many, 1).await.refused(422, "QUANTITY_TOO_LARGE");
        bob.adds(&hidden, 1).await.refused(404, "PRODUCT_NOT_FOUND");
        bob.adds("0198c1a0-0000-7000-8000-000000000000", 1).await.refused(404, "PRODUCT_NOT_FOUND");
        for quantity in [json!(0), json!(-1), json!(1_001), json!(1.5), json!("1"), json!(null), json!(1e30)] {
            let body = json!({"productId": pot, "quantity": quantity});
            let seen = bob.post("/api/cart/items", body).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(seen.fields(), ["quantity"]);
        }
        let seen = bob.post("/api/cart/items", json!({"productId": "x", "quantity": 1})).await.expect(422);
        assert_eq!(seen.fields(), ["productId"]);
        let body = json!({"productId": pot, "quantity": 1, "price": 1});
        assert_eq!(bob.post("/api/cart/items", body).await.expect(422).fields(), ["price"]);
        bob.send("PUT", "/api/cart/items/x", Some(json!({"quantity": 1})), "").await.refused(400, "INVALID_ID");
        let line = bob.get("/api/cart").await.body["items"][0]["id"].as_str().unwrap().to_owned();
        let line = format!("/api/cart/items/{line}");
        bob.send("PUT", &line, Some(json!({"quantity": 4})), "").await.refused(422, "INSUFFICIENT_STOCK");
        bob.send("PUT", &line, Some(json!({"quantity": -1})), "").await.refused(422, "VALIDATION_FAILED");

        assert_eq!(bob.get("/api/cart").await.text, before);
        stage.close().await;
    }

    async fn a_cart_has_a_hundred_lines_at_most(db: TestDatabase) {
        let stage = Stage::open(&db);
        let bob = stage.bob();
        for _ in 0..100 {
            bob.wants(&stage.product(100, 1).await, 1).await;
        }
        let one_more = stage.product(100, 1).await;
        bob.adds(&one_more, 1).await.refused(422, "CART_FULL");
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!(order.body["items"].as_array().unwrap().len(), 100);
        assert_eq!(stage.bob().order(&order.id()).await.body["items"], order.body["items"]);
        stage.close().await;
    }

    async fn a_sum_beyond_all_bounds_is_refused(db: TestDatabase) {
        let stage = Stage::open(&db);
        let dear = stage.product(i64::MAX / 2, 9).await;
        stage.bob().wants(&dear, 1).await;
        stage.bob().adds(&dear, 1).await.refused(422, "AMOUNT_TOO_LARGE");
        stage.close().await;
    }

    async fn adding_under_one_key_adds_once(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let bob = stage.bob().with_key("add-1");
        let first = bob.adds(&pot, 2).await.expect(200);
        let again = bob.adds(&pot, 2).await.expect(200);
        assert_eq!((again.header("idempotent-replayed"), &again.text), ("true", &first.text));
        bob.adds(&pot, 3).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(stage.bob().get("/api/cart").await.body["items"][0]["quantity"], 2);
        stage.close().await;
    }

    async fn validate_names_everything_and_changes_nothing(db: TestDatabase) {
        let stage = Stage::open(&db);
        let bob = stage.bob();
        let check = || async { bob.send("POST", "/api/cart/validate", None, "").await.expect(200) };
        assert_eq!(check().await.body["errors"][0]["code"], "CART_EMPTY");
        let (dearer, gone, scarce) =
            (stage.product(100, 9).await, stage.product(100, 9).await, stage.product(100, 9).await);
        for product in [&dearer, &gone, &scarce] {
            bob.wants(product, 2).await;
        }
        assert_eq!(check().await.body, json!({"valid": true, "errors": []}));
        stage.set(&dearer, "price", "101").await;
        stage.set(&gone, "active", "FALSE").await;
        stage.set(&scarce, "stock", "1").await;
        for _ in 0..2 {
            let seen = check().await.body;
            assert_eq!(seen["valid"], false);
            let codes: Vec<_> = seen["errors"].as_array().unwrap().iter().map(|error| &error["code"]).collect();
            assert_eq!(codes, ["PRICE_CHANGED", "PRODUCT_UNAVAILABLE", "INSUFFICIENT_STOCK"]);
            assert_eq!(seen["errors"][0]["message"], "Pot now costs 1.01 USD, not 1.00.");
            assert_eq!(seen["errors"][0]["productId"], dearer.as_str());
        }
        let cart = bob.get("/api/cart").await;
        let available: Vec<_> =
            cart.body["items"].as_array().unwrap().iter().map(|item| &item["available"]).collect();
        assert_eq!(available, [&json!(true), &json!(false), &json!(false)]);
        stage.close().await;
    }
}
