//! Variants and packages in carts and orders.

use serde_json::json;
use stoa_platform::each_engine;

use crate::stage::{Stage, migrations};

each_engine! { &migrations();
    async fn a_line_is_of_one_ware_and_each_ware_has_one_line(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, shirt) = (stage.product(1_000, 9).await, stage.product(2_000, 9).await);
        let (red, blue) =
            (stage.variant(&shirt, "red", 2_100, 5).await, stage.variant(&shirt, "blue", 2_200, 5).await);
        let set = stage.package(2_500, &[(&pot, None, 1), (&shirt, Some(&red), 1)]).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        bob.adds_variant(&shirt, &red, 1).await.expect(200);
        bob.adds_variant(&shirt, &blue, 1).await.expect(200);
        bob.adds_package(&set, 1).await.expect(200);
        bob.adds_variant(&shirt, &red, 2).await.expect(200);
        let cart = bob.adds_package(&set, 1).await.expect(200);
        let items: Vec<_> = cart.body["items"].as_array().unwrap().iter().map(|item| {
            json!([item["productId"], item["variantId"], item["packageId"], item["name"], item["quantity"], item["price"]])
        }).collect();
        let expected = [
            json!([pot, null, null, "Pot", 1, 10.0]),
            json!([shirt, red, null, "Pot, red", 3, 21.0]),
            json!([shirt, blue, null, "Pot, blue", 1, 22.0]),
            json!([null, null, set, "Set", 2, 25.0]),
        ];
        assert_eq!(items, expected);
        let order = bob.pays("pm_card_visa").await.expect(201);
        let kept = bob.order(&order.id()).await;
        assert_eq!(kept.body["items"], order.body["items"]);
        assert_eq!(kept.body["items"][3]["packageId"], set.as_str());
        assert_eq!(kept.body["items"][1]["variantId"], red.as_str());
        assert_eq!((stage.stock(&pot).await, stage.number_in("shelf_variants", &red, "stock").await), (6, 0));
        let placed = &stage.events("order.placed").await[0]["items"];
        let expected = json!([
            {"productId": pot, "quantity": 1},
            {"productId": shirt, "variantId": red, "quantity": 3},
            {"productId": shirt, "variantId": blue, "quantity": 1},
            {"packageId": set, "quantity": 2},
        ]);
        assert_eq!(placed, &expected);
        stage.close().await;
    }

    async fn what_names_no_one_ware_is_refused(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, shirt) = (stage.product(100, 3).await, stage.product(100, 3).await);
        let red = stage.variant(&shirt, "red", 100, 2).await;
        let set = stage.package(100, &[(&pot, None, 2)]).await;
        let bob = stage.bob();
        let add = |body| bob.post("/api/cart/items", body);
        for (body, field) in [
            (json!({"quantity": 1}), "productId"),
            (json!({"variantId": red, "quantity": 1}), "productId"),
            (json!({"productId": pot, "packageId": set, "quantity": 1}), "packageId"),
            (json!({"variantId": red, "packageId": set, "quantity": 1}), "packageId"),
        ] {
            assert_eq!(add(body).await.refused(422, "VALIDATION_FAILED").fields(), [field]);
        }
        assert_eq!(bob.adds(&shirt, 1).await.refused(422, "VARIANT_REQUIRED").fields(), ["variantId"]);
        bob.adds_variant(&pot, &red, 1).await.refused(404, "VARIANT_NOT_FOUND");
        let seen = bob.adds_variant(&shirt, &pot, 1).await.refused(404, "VARIANT_NOT_FOUND");
        assert_eq!((&seen.body["productId"], &seen.body["variantId"]), (&json!(shirt), &json!(pot)));
        bob.adds_package(&pot, 1).await.refused(404, "PACKAGE_NOT_FOUND");
        let seen = bob.adds_variant(&shirt, &red, 3).await.refused(422, "INSUFFICIENT_STOCK");
        assert_eq!((&seen.body["available"], &seen.body["requested"]), (&json!(2), &json!(3)));
        let seen = bob.adds_package(&set, 2).await.refused(422, "INSUFFICIENT_STOCK");
        assert_eq!((&seen.body["available"], &seen.body["packageId"]), (&json!(1), &json!(set)));
        stage.set(&pot, "active", "FALSE").await;
        bob.adds_package(&set, 1).await.refused(404, "PACKAGE_NOT_FOUND");
        assert_eq!(bob.cart().await.body["items"], json!([]));
        stage.close().await;
    }

    async fn exactly_what_was_unpacked_goes_back(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, lid) = (stage.product(100, 20).await, stage.product(100, 20).await);
        let set = stage.package(150, &[(&pot, None, 1), (&lid, None, 2)]).await;
        let bob = stage.bob();
        bob.adds_package(&set, 3).await.expect(200);
        let order = bob.pays("pm_card_visa").await.expect(201).id();
        assert_eq!((stage.stock(&pot).await, stage.stock(&lid).await), (17, 14));
        // The package is made otherwise from now on.
        stage.repack(&set, 5).await;
        bob.cancels(&order).await.expect(200);
        assert_eq!((stage.stock(&pot).await, stage.stock(&lid).await), (20, 20));
        stage.close().await;
    }

    async fn a_declined_payment_brings_every_ware_back(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, shirt) = (stage.product(100, 9).await, stage.product(100, 9).await);
        let red = stage.variant(&shirt, "red", 100, 9).await;
        let set = stage.package(150, &[(&pot, None, 1), (&shirt, Some(&red), 2)]).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        bob.adds_variant(&shirt, &red, 1).await.expect(200);
        let before = bob.adds_package(&set, 2).await.expect(200);
        bob.pays("pm_card_chargeDeclined").await.refused(402, "PAYMENT_DECLINED");
        let after = bob.cart().await;
        let lines = |cart: &serde_json::Value| {
            let mut items = cart["items"].clone();
            for item in items.as_array_mut().unwrap() {
                item.as_object_mut().unwrap().remove("id");
            }
            items
        };
        assert_eq!(lines(&after.body), lines(&before.body));
        assert_eq!((stage.stock(&pot).await, stage.number_in("shelf_variants", &red, "stock").await), (9, 9));
        stage.close().await;
    }

    async fn what_changed_meanwhile_is_told(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, lid, shirt) =
            (stage.product(100, 9).await, stage.product(100, 9).await, stage.product(100, 9).await);
        let red = stage.variant(&shirt, "red", 100, 9).await;
        let set = stage.package(150, &[(&pot, None, 1), (&lid, None, 1)]).await;
        let bob = stage.bob();
        bob.adds_variant(&shirt, &red, 1).await.expect(200);
        bob.adds_package(&set, 1).await.expect(200);
        stage.set_in("shelf_packages", &set, "price", "160").await;
        stage.set_in("shelf_variants", &red, "price", "90").await;
        assert_eq!(bob.validates().await.codes(), ["PRICE_CHANGED"; 2]);
        assert_eq!(bob.pays("pm_card_visa").await.refused(409, "PRICE_CHANGED").codes(), ["PRICE_CHANGED"; 2]);
        assert_eq!(bob.validates().await.body["valid"], true);

        // A part of the package is archived between cart and checkout.
        stage.set(&lid, "active", "FALSE").await;
        let seen = bob.validates().await;
        assert_eq!(seen.codes(), ["PRODUCT_UNAVAILABLE"]);
        assert_eq!(seen.body["errors"][0]["packageId"], set.as_str());
        assert_eq!(seen.body["errors"][0]["message"], "Set is no longer offered.");
        let seen = bob.pays("pm_card_visa").await.refused(409, "PRODUCT_UNAVAILABLE");
        assert_eq!(seen.codes(), ["PRODUCT_UNAVAILABLE"]);
        assert_eq!((stage.stock(&pot).await, stage.stock(&lid).await), (9, 9));

        stage.set(&lid, "active", "TRUE").await;
        bob.pays("pm_card_visa").await.expect(201);
        stage.close().await;
    }

    async fn a_product_that_got_variants_is_told_to_be_chosen_anew(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        let red = stage.variant(&pot, "red", 100, 9).await;
        assert_eq!(bob.validates().await.codes(), ["VARIANT_REQUIRED"]);
        assert_eq!(bob.pays("pm_card_visa").await.refused(409, "PRODUCT_UNAVAILABLE").codes(), ["VARIANT_REQUIRED"]);
        let line = format!("/api/cart/items/{}", bob.cart().await.body["items"][0]["id"].as_str().unwrap());
        bob.send("PUT", &line, Some(json!({"quantity": 2})), "").await.refused(422, "VARIANT_REQUIRED");
        bob.send("DELETE", &line, None, "").await.expect(200);
        bob.adds_variant(&pot, &red, 1).await.expect(200);
        bob.pays("pm_card_visa").await.expect(201);
        stage.close().await;
    }
}
