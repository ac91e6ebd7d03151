//! Offers in carts and orders: codes, totals, and what is told when they change.

use serde_json::json;
use stoa_platform::each_engine;

use crate::stage::{START, Stage, migrations};

const USES: &str = "SELECT CAST(COALESCE(SUM(uses), 0) AS BIGINT) FROM shelf_offers";

each_engine! { &migrations();
    async fn what_offers_take_off_is_in_the_sums(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(11_000, 9).await;
        let sale = stage.offer(None, 10, 100).await;
        let ten = stage.offer(Some("Ten"), 10, 100).await;
        let bob = stage.bob();
        let cart = bob.adds(&pot, 1).await.expect(200);
        assert_eq!(cart.body["offers"], json!([{"id": sale, "name": "Sale", "discount": 11.0}]));
        // Tax and the fee go by the 99 that are left.
        assert_eq!(cart.sums(), "110.0 11.0 9.9 10.0 118.9");
        let cart = bob.brings(" tEN ").await.expect(200);
        assert_eq!(cart.body["offers"][1], json!({"id": ten, "name": "Sale", "code": "Ten", "discount": 11.0}));
        assert!(cart.text.contains(r#""discount":22.00,"tax":8.80,"shipping":10.00,"total":106.80"#), "{}", cart.text);
        let again = bob.brings("TEN").await.expect(200);
        assert_eq!(again.body["offers"], cart.body["offers"], "a code counts once");

        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!((&order.body["offers"], order.sums()), (&cart.body["offers"], cart.sums()));
        assert_eq!(bob.order(&order.id()).await.text, order.text);
        assert_eq!(stage.number(USES).await, 2);
        assert_eq!(bob.cart().await.body["offers"], json!([]), "codes leave with the cart");
        let mail = stage.mail(&stage.mails().await[0].id).await;
        assert_eq!(mail.matches("Sale: -11.00").count(), 2, "{mail}");
        stage.close().await;
    }

    async fn a_code_is_taken_off_again(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        stage.offer(Some("TEN"), 10, 100).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        bob.brings("TEN").await.expect(200);
        bob.send("DELETE", "/api/cart/offers/FIVE", None, "").await.refused(404, "CART_OFFER_NOT_FOUND");
        let cart = bob.send("DELETE", "/api/cart/offers/ten", None, "").await.expect(200);
        assert_eq!((&cart.body["offers"], cart.sums()), (&json!([]), "10.0 0.0 1.0 10.0 21.0".to_owned()));
        bob.send("DELETE", "/api/cart/offers/ten", None, "").await.refused(404, "CART_OFFER_NOT_FOUND");
        bob.brings("TEN").await.expect(200);
        bob.send("DELETE", "/api/cart", None, "").await.expect(204);
        bob.send("DELETE", "/api/cart/offers/ten", None, "").await.refused(404, "CART_OFFER_NOT_FOUND");
        stage.close().await;
    }

    async fn a_code_that_takes_nothing_off_is_refused_with_its_reason(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, pan) = (stage.product(1_000, 9).await, stage.product(1_000, 9).await);
        let bob = stage.bob();
        stage.offer(Some("ALL"), 10, 100).await;
        bob.brings("ALL").await.refused(422, "OFFER_NOT_APPLICABLE");
        bob.wants(&pot, 1).await;
        let early = stage.offer(Some("EARLY"), 10, 100).await;
        let over = stage.offer(Some("OVER"), 10, 100).await;
        stage.offer(Some("SPENT"), 10, 0).await;
        let pans = stage.offer(Some("PANS"), 10, 100).await;
        let off = stage.offer(Some("OFF"), 10, 100).await;
        let later = (START + std::time::Duration::from_mins(1)).as_micros().to_string();
        stage.set_in("shelf_offers", &early, "starts_at", &later).await;
        stage.set_in("shelf_offers", &over, "ends_at", "0").await;
        stage.set_in("shelf_offers", &off, "active", "FALSE").await;
        let pan_literal = if db.open().engine() == stoa_platform::database::Engine::Sqlite {
            format!("x'{}'", pan.replace('-', ""))
        } else {
            format!("'{pan}'")
        };
        stage.set_in("shelf_offers", &pans, "product_id", &pan_literal).await;
        let before = bob.cart().await.text;
        for (code, refused) in [
            ("NONE", "OFFER_UNKNOWN"),
            ("OFF", "OFFER_UNKNOWN"),
            ("early", "OFFER_NOT_STARTED"),
            ("OVER", "OFFER_ENDED"),
            ("SPENT", "OFFER_USED_UP"),
            ("PANS", "OFFER_NOT_APPLICABLE"),
        ] {
            bob.brings(code).await.refused(422, refused);
        }
        for code in ["", "  ", &"x".repeat(101)] {
            assert_eq!(bob.brings(code).await.refused(422, "VALIDATION_FAILED").fields(), ["code"]);
        }
        assert_eq!(bob.post("/api/cart/offers", json!({})).await.expect(422).fields(), ["code"]);
        assert_eq!(bob.cart().await.text, before);
        bob.wants(&pan, 1).await;
        bob.brings("PANS").await.expect(200);
        stage.close().await;
    }

    async fn a_cart_has_ten_codes_at_most(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let codes = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"];
        for code in codes {
            stage.offer(Some(code), 1, 100).await;
        }
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        for code in &codes[..10] {
            bob.brings(code).await.expect(200);
        }
        bob.brings("K").await.refused(422, "TOO_MANY_OFFER_CODES");
        bob.brings("a").await.expect(200);
        assert_eq!(bob.cart().await.body["offers"].as_array().unwrap().len(), 10);
        stage.close().await;
    }

    async fn goods_never_cost_less_than_nothing(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        stage.offer(None, 80, 100).await;
        let gift = stage.offer(Some("GIFT"), 0, 100).await;
        stage.set_in("shelf_offers", &gift, "fixed", "999999").await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        let cart = bob.brings("GIFT").await.expect(200);
        assert_eq!(cart.sums(), "10.0 10.0 0.0 10.0 10.0");
        bob.pays("pm_card_visa").await.expect(201);
        stage.close().await;
    }

    async fn a_code_that_stops_holding_is_told_and_then_gone(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let ten = stage.offer(Some("TEN"), 10, 100).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        let shown = bob.brings("TEN").await.expect(200);
        stage.set_in("shelf_offers", &ten, "ends_at", "0").await;
        assert_eq!(bob.cart().await.text, shown.text, "looking goes on showing what was shown");
        for _ in 0..2 {
            let told = bob.validates().await;
            assert_eq!((told.codes(), &told.body["errors"][0]["offerCode"]), (vec!["OFFER_ENDED"], &json!("TEN")));
            assert_eq!(told.body["errors"][0]["message"], "The offer with the code TEN has ended.");
        }
        let told = bob.pays("pm_card_visa").await.refused(409, "OFFER_CHANGED");
        assert_eq!((told.codes(), told.fields()), (vec!["OFFER_ENDED"], vec!["offers.TEN"]));
        assert_eq!(stage.stock(&pot).await, 9);
        assert_eq!(bob.validates().await.body["valid"], true);
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!((order.sums(), &order.body["offers"]), ("10.0 0.0 1.0 10.0 21.0".to_owned(), &json!([])));
        assert_eq!(stage.number(USES).await, 0);
        stage.close().await;
    }

    async fn an_offer_without_code_that_changes_is_told(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let sale = stage.offer(None, 10, 100).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        stage.set_in("shelf_offers", &sale, "percent", "5").await;
        let told = bob.pays("pm_card_visa").await.refused(409, "OFFER_CHANGED");
        assert_eq!(told.fields(), [format!("offers.{sale}")]);
        assert_eq!(told.body["errors"][0]["message"], "Sale now takes 0.50 USD off, not 1.00.");
        stage.set_in("shelf_offers", &sale, "active", "FALSE").await;
        let told = bob.pays("pm_card_visa").await.refused(409, "OFFER_CHANGED");
        assert_eq!(told.body["errors"][0]["message"], "Sale takes nothing off any more.");
        stage.set_in("shelf_offers", &sale, "active", "TRUE").await;
        let told = bob.validates().await;
        assert_eq!((told.codes(), &told.body["errors"][0]["offerId"]), (vec!["OFFER_CHANGED"], &json!(sale)));
        bob.pays("pm_card_visa").await.refused(409, "OFFER_CHANGED");
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!(order.sums(), "10.0 0.5 0.95 10.0 20.45");
        stage.close().await;
    }

    async fn prices_and_offers_are_told_together(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let sale = stage.offer(None, 10, 100).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        stage.set(&pot, "price", "2000").await;
        stage.set_in("shelf_offers", &sale, "percent", "20").await;
        let told = bob.pays("pm_card_visa").await.refused(409, "PRICE_CHANGED");
        assert_eq!(told.codes(), ["PRICE_CHANGED", "OFFER_CHANGED"]);
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!(order.sums(), "20.0 4.0 1.6 10.0 27.6");
        stage.close().await;
    }

    async fn uses_come_back_when_nothing_was_paid(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let ten = stage.offer(Some("TEN"), 10, 1).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        let shown = bob.brings("TEN").await.expect(200);
        bob.pays("pm_card_chargeDeclined").await.refused(402, "PAYMENT_DECLINED");
        assert_eq!(stage.number(USES).await, 0);
        let cart = bob.cart().await;
        assert_eq!((&cart.body["offers"], cart.sums()), (&shown.body["offers"], shown.sums()));

        let order = bob.pays("pm_card_authenticationRequired").await.expect(201).id();
        assert_eq!(stage.number(USES).await, 1);
        bob.cancels(&order).await.expect(200);
        assert_eq!(stage.number(USES).await, 0);

        bob.wants(&pot, 1).await;
        bob.brings("TEN").await.expect(200);
        let order = bob.pays("pm_card_visa").await.expect(201).id();
        bob.cancels(&order).await.expect(200);
        assert_eq!(stage.number_in("shelf_offers", &ten, "uses").await, 1, "what was paid for was used");
        bob.wants(&pot, 1).await;
        bob.brings("TEN").await.refused(422, "OFFER_USED_UP");
        stage.close().await;
    }

    async fn the_sweep_gives_uses_back_too(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        stage.offer(None, 10, 1).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        bob.pays("pm_card_authenticationRequired").await.expect(201);
        assert_eq!(stage.number(USES).await, 1);
        stage.sweep_after(std::time::Duration::from_mins(31)).await;
        assert_eq!((stage.number(USES).await, stage.stock(&pot).await), (0, 9));
        assert_eq!(bob.cart().await.sums(), "10.0 1.0 0.9 10.0 19.9");
        stage.close().await;
    }
}
