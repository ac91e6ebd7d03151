//! POST /api/orders.

use std::time::Duration;

use serde_json::json;
use stoa_platform::each_engine;

use crate::{
    outside::Line,
    stage::{Stage, address, history, migrations, order_by, subjects},
};

each_engine! { &migrations();
    async fn a_cart_becomes_a_paid_order(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, pan) = (stage.product(1_999, 9).await, stage.product(500, 9).await);
        let bob = stage.bob();
        bob.wants(&pot, 2).await;
        bob.wants(&pan, 1).await;
        let order = bob.pays("pm_card_visa").await.expect(201);

        assert_eq!(order.header("location"), format!("/api/orders/{}", order.id()));
        assert_eq!(order.header("etag"), "\"2\"");
        let body = &order.body;
        assert_eq!(
            (&body["status"], &body["paymentStatus"], &body["paymentMethod"], &body["userId"]),
            (&json!("confirmed"), &json!("captured"), &json!("pm_card_visa"), &json!(bob.id()))
        );
        assert_eq!((&body["shippingAddress"], &body["billingAddress"]), (&address(), &address()));
        assert_eq!(body["number"], "STOA-000001");
        let sums = r#""subtotal":44.98,"discount":0.00,"tax":4.50,"shipping":10.00,"total":59.48,"currency":"USD""#;
        assert!(order.text.contains(sums), "{}", order.text);
        let who = format!("user:{}", bob.id());
        assert_eq!(history(body), [("pending".into(), who.clone()), ("confirmed".into(), who)]);
        assert!(body.get("trackingNumber").is_none() && body.get("nextAction").is_none());

        assert_eq!((stage.stock(&pot).await, stage.stock(&pan).await), (7, 8));
        assert_eq!(bob.get("/api/cart").await.body["items"], json!([]));
        assert_eq!(bob.order(&order.id()).await.expect(200).text, order.text);

        let placed = stage.events("order.placed").await;
        assert_eq!((&placed[0]["orderId"], &placed[0]["userId"]), (&body["id"], &body["userId"]));
        assert_eq!(placed[0]["items"][0], json!({"productId": pot, "quantity": 2}));
        assert_eq!(placed[0]["total"], json!(59.48));
        assert_eq!(stage.events("payment.processed").await[0]["status"], "success");
        assert_eq!(stage.events("order.status_changed").await[0]["to"], "confirmed");

        let mails = stage.mails().await;
        assert_eq!(subjects(&mails), ["Thank you for your order STOA-000001"]);
        assert_eq!(mails[0].to, "bob@example.com");
        let mail = stage.mail(&mails[0].id).await;
        assert!(mail.contains("59.48 USD") && mail.contains("1 Stoa Lane"), "{mail}");
        stage.close().await;
    }

    async fn every_flaw_of_a_checkout_is_named(db: TestDatabase) {
        let stage = Stage::open(&db);
        let bob = stage.bob();
        bob.wants(&stage.product(100, 9).await, 1).await;
        let mut bad = order_by("");
        bad["shippingAddress"]["city"] = json!("");
        bad["billingAddress"] = address();
        bad["billingAddress"]["phone"] = json!("1".repeat(51));
        bad["notes"] = json!("n".repeat(1_001));
        let seen = bob.post("/api/orders", bad).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(seen.fields(), ["shippingAddress.city", "billingAddress.phone", "paymentMethod", "notes"]);
        for method in ["cash", "pm_card", "x".repeat(256).as_str()] {
            let seen = bob.pays(method).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(seen.fields(), ["paymentMethod"], "{method}");
        }
        let mut unknown = order_by("pm_card_visa");
        unknown["shippingAddress"]["planet"] = json!("Mars");
        assert_eq!(bob.post("/api/orders", unknown).await.expect(422).fields(), ["shippingAddress.planet"]);
        let missing = json!({"paymentMethod": "pm_card_visa"});
        assert_eq!(bob.post("/api/orders", missing).await.expect(422).fields(), ["shippingAddress"]);
        stage.person("nobody").pays("pm_card_visa").await.refused(401, "AUTHENTICATION_REQUIRED");
        stage.clerk().pays("pm_card_visa").await.refused(403, "FORBIDDEN");
        stage.person("ann").pays("pm_card_visa").await.refused(422, "CART_EMPTY");
        assert_eq!(stage.number("SELECT COUNT(*) FROM orders").await, 0);
        stage.close().await;
    }

    async fn billing_address_and_notes_are_kept(db: TestDatabase) {
        let stage = Stage::open(&db);
        let bob = stage.bob();
        bob.wants(&stage.product(100, 9).await, 1).await;
        let mut order = order_by("pm_card_visa");
        order["billingAddress"] = address();
        order["billingAddress"]["fullName"] = json!("Bob's Firm");
        order["notes"] = json!("Ring twice");
        let placed = bob.post("/api/orders", order).await.expect(201);
        let kept = bob.order(&placed.id()).await.body;
        assert_eq!(kept["billingAddress"]["fullName"], "Bob's Firm");
        assert_eq!((&kept["shippingAddress"], &kept["notes"]), (&address(), &json!("Ring twice")));
        stage.close().await;
    }

    async fn a_changed_price_is_told_first_and_accepted_then(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let bob = stage.bob().with_key("buy");
        bob.wants(&pot, 1).await;
        let bob = stage.bob().with_key("order");
        stage.set(&pot, "price", "250").await;
        assert!(bob.get("/api/cart").await.text.contains(r#""price":1.00"#), "the cart shows what was shown");
        let seen = bob.pays("pm_card_visa").await.refused(409, "PRICE_CHANGED");
        assert_eq!(seen.body["errors"][0]["message"], "Pot now costs 2.50 USD, not 1.00.");
        assert_eq!((stage.stock(&pot).await, stage.outside.charges_asked()), (9, 0));
        assert!(bob.get("/api/cart").await.text.contains(r#""price":2.50"#), "and now the new one");
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert!(order.text.contains(r#""subtotal":2.50"#), "{}", order.text);
        stage.close().await;
    }

    async fn a_product_that_is_gone_or_scarce_stops_the_checkout(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (gone, scarce) = (stage.product(100, 9).await, stage.product(100, 9).await);
        let (bob, ann) = (stage.bob(), stage.person("ann"));
        bob.wants(&gone, 1).await;
        ann.wants(&scarce, 5).await;
        stage.set(&gone, "active", "FALSE").await;
        stage.set(&scarce, "stock", "4").await;
        bob.pays("pm_card_visa").await.refused(409, "PRODUCT_UNAVAILABLE");
        let seen = ann.pays("pm_card_visa").await.refused(422, "INSUFFICIENT_STOCK");
        assert_eq!((&seen.body["available"], &seen.body["requested"]), (&json!(4), &json!(5)));
        assert_eq!(bob.get("/api/cart").await.body["items"].as_array().unwrap().len(), 1);
        assert_eq!(stage.outside.charges_asked(), 0);
        stage.close().await;
    }

    async fn a_declined_charge_leaves_things_as_they_were(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let bob = stage.bob().with_key("order");
        stage.bob().wants(&pot, 2).await;
        bob.pays("pm_card_chargeDeclined").await.refused(402, "PAYMENT_DECLINED");
        assert_eq!(stage.stock(&pot).await, 9);
        assert_eq!(bob.get("/api/cart").await.body["items"][0]["quantity"], 2);
        let list = bob.get("/api/orders").await.expect(200);
        let order = &list.body["data"][0];
        assert_eq!((&order["status"], &order["paymentStatus"]), (&json!("cancelled"), &json!("failed")));
        assert_eq!(stage.events("payment.processed").await[0]["status"], "failed");
        assert_eq!(stage.events("order.cancelled").await.len(), 1);
        assert_eq!(stage.mails().await, [], "the answer told it");
        // A refusal frees its key.
        bob.pays("pm_card_visa").await.expect(201);
        assert_eq!(stage.stock(&pot).await, 7);
        stage.close().await;
    }

    async fn a_lost_answer_is_looked_up_and_not_charged_again(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        stage.bob().wants(&pot, 1).await;
        let order = stage.bob().pays("pm_test_timeout").await.expect(201);
        assert_eq!(order.body["paymentStatus"], "captured");
        assert_eq!(stage.outside.charges_asked(), 1);
        assert_eq!(stage.number("SELECT COUNT(*) FROM test_provider_charges").await, 1);
        stage.close().await;
    }

    async fn a_second_step_is_asked_for_and_the_order_waits(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        stage.bob().wants(&pot, 1).await;
        let bob = stage.bob().with_key("order");
        let order = bob.pays("pm_card_authenticationRequired").await.expect(201);
        assert_eq!((&order.body["status"], &order.body["paymentStatus"]), (&json!("pending"), &json!("pending")));
        assert_eq!(order.body["nextAction"]["type"], "authenticate");
        assert!(order.body["nextAction"]["clientSecret"].as_str().unwrap().len() > 10);
        let again = bob.pays("pm_card_authenticationRequired").await.expect(201);
        assert_eq!(again.text, order.text);
        assert!(bob.order(&order.id()).await.body.get("nextAction").is_none(), "the secret is told once");
        assert_eq!(stage.stock(&pot).await, 8);

        stage.sweep_after(Duration::from_mins(29)).await;
        assert_eq!(bob.order(&order.id()).await.body["status"], "pending");
        stage.sweep_after(Duration::from_mins(1)).await;
        let swept = bob.order(&order.id()).await.body;
        assert_eq!((&swept["status"], &swept["paymentStatus"]), (&json!("cancelled"), &json!("failed")));
        assert_eq!(stage.stock(&pot).await, 9);
        assert_eq!(subjects(&stage.mails().await), ["Your order STOA-000001 was cancelled"]);
        stage.close().await;
    }

    async fn the_answer_to_a_key_is_kept(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        stage.bob().wants(&pot, 1).await;
        let bob = stage.bob().with_key("order");
        let first = bob.pays("pm_card_visa").await.expect(201);
        let again = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!((&again.text, again.version()), (&first.text, first.version()));
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.header("location"), first.header("location"));
        bob.pays("pm_card_mastercard").await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(stage.outside.charges_asked(), 1);
        stage.close().await;
    }

    async fn a_retry_after_the_lease_goes_on_where_the_first_stopped(db: TestDatabase) {
        for line in [Line::Cut, Line::Mute] {
            let stage = Stage::open(&db);
            let pot = stage.product(100, 9).await;
            stage.bob().wants(&pot, 1).await;
            let bob = stage.bob().with_key(&format!("order-{line:?}"));
            stage.cut(line);
            let pending = bob.pays("pm_card_visa").await.expect(201);
            assert_eq!(pending.body["paymentStatus"], "pending", "{line:?}");
            stage.cut(Line::Up);
            bob.pays("pm_card_visa").await.refused(409, "IDEMPOTENCY_IN_PROGRESS");

            stage.clock.advance(Duration::from_secs(31));
            let paid = bob.pays("pm_card_visa").await.expect(201);
            assert_eq!((paid.id(), &paid.body["paymentStatus"]), (pending.id(), &json!("captured")));
            // What got through the mute line was looked up; what did not get through the cut one was asked again.
            assert_eq!(stage.outside.charges_asked(), if line == Line::Cut { 2 } else { 1 });
            assert_eq!(bob.pays("pm_card_visa").await.expect(201).text, paid.text);
            stage.close().await;
        }
    }
}
