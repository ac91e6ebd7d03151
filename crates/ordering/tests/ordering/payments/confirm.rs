//! POST /api/payments/intents and POST /api/payments/{id}/confirm.

use std::time::Duration;

use serde_json::json;
use stoa_platform::each_engine;

use super::{both, text};
use crate::{
    outside::{Line, Names},
    stage::{Stage, migrations, subjects},
};

const MINUTE: Duration = Duration::from_mins(1);
/// A pot, its tax and its sending.
const PRICE: i64 = 1_110;

each_engine! { &migrations();
    async fn an_order_is_placed_without_a_charge_and_paid_later(db: TestDatabase) {
        for names in [Names::Known, Names::Asked] {
            let stage = Stage::with_provider(&db, names);
            let pot = stage.product(100, 9).await;
            let order = stage.bob().defers(&pot, 1).await;
            assert_eq!((&order.body["status"], &order.body["paymentStatus"]), (&json!("pending"), &json!("pending")));
            assert_eq!((&order.body["paymentMethod"], stage.stock(&pot).await), (&json!("deferred"), 8));
            assert_eq!(stage.outside.charges_asked(), 0);

            let opened = stage.bob().opens_intent(&order.id()).await.expect(200).body;
            let again = stage.bob().opens_intent(&order.id()).await.expect(200).body;
            assert_eq!(opened, again);
            assert!(text(&opened["clientSecret"]).contains("secret"));
            let intent = text(&opened["paymentIntentId"]);
            let paid = stage.bob().confirms(&intent, "pm_card_visa").await.expect(200).body;
            assert_eq!(paid["success"], true);
            assert!(text(&paid["transactionId"]).starts_with("ch_"));
            assert_eq!(stage.bob().sees(&order.id()).await, both("confirmed", "captured"));
            // Once more changes nothing.
            let twice = stage.bob().confirms(&intent, "pm_card_visa").await.expect(200).body;
            assert_eq!((paid, stage.outside.charges_asked()), (twice, 1));
            stage.bob().opens_intent(&order.id()).await.refused(409, "ORDER_NOT_PAYABLE");
            stage.close().await;
        }
    }

    async fn a_refused_method_leaves_the_order_to_another(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().defers(&pot, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        for _ in 0..2 {
            let declined = stage.bob().confirms(&intent, "pm_card_chargeDeclined").await.expect(200).body;
            assert_eq!((&declined["success"], &declined["code"]), (&json!(false), &json!("PAYMENT_DECLINED")));
            assert!(declined["error"].is_string() && declined["transactionId"].is_null());
            assert_eq!(stage.bob().sees(&order).await, both("pending", "pending"));
        }
        assert_eq!(stage.stock(&pot).await, 8);
        assert_eq!(stage.bob().confirms(&intent, "pm_card_visa").await.expect(200).body["success"], true);
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        let told: Vec<_> = stage.events("payment.processed").await.iter().map(|event| text(&event["status"])).collect();
        assert_eq!((told, stage.held().await), (vec!["failed".into(), "failed".into(), "success".into()], PRICE));
        stage.close().await;
    }

    async fn nobody_pays_and_the_hold_ends(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let (never, tried) = (stage.bob().defers(&pot, 1).await.id(), stage.bob().defers(&pot, 2).await.id());
        let intent = stage.bob().intent(&tried).await;
        stage.bob().confirms(&intent, "pm_card_chargeDeclined").await.expect(200);
        stage.sweep_after(MINUTE * 29).await;
        assert_eq!(stage.bob().sees(&never).await, both("pending", "pending"));
        stage.sweep_after(MINUTE).await;
        for order in [never, tried] {
            assert_eq!(stage.bob().sees(&order).await, both("cancelled", "failed"));
            stage.bob().opens_intent(&order).await.refused(409, "ORDER_NOT_PAYABLE");
        }
        stage.bob().confirms(&intent, "pm_card_visa").await.refused(409, "ORDER_NOT_PAYABLE");
        assert_eq!((stage.stock(&pot).await, stage.held().await), (9, 0));
        // Its buyer has left it long ago.
        assert_eq!(stage.bob().get("/api/cart").await.body["items"], json!([]));
        assert_eq!(subjects(&stage.mails().await).len(), 2);
        stage.close().await;
    }

    async fn a_hold_that_has_ended_is_not_paid_before_the_sweep_either(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        stage.clock.advance(MINUTE * 30);
        stage.bob().confirms(&intent, "pm_card_visa").await.refused(409, "ORDER_NOT_PAYABLE");
        stage.sweep_after(Duration::ZERO).await;
        assert_eq!(stage.bob().sees(&order).await, both("cancelled", "failed"));
        stage.close().await;
    }

    async fn a_second_step_is_finished_by_confirming(db: TestDatabase) {
        for names in [Names::Known, Names::Asked] {
            let stage = Stage::with_provider(&db, names);
            stage.bob().wants(&stage.product(100, 9).await, 1).await;
            let order = stage.bob().pays("pm_card_authenticationRequired").await.expect(201);
            let action = &order.body["nextAction"];
            assert_eq!((&order.body["paymentStatus"], &action["type"]), (&json!("pending"), &json!("authenticate")));
            let intent = text(&action["paymentIntentId"]);
            let paid = stage.bob().has_authenticated(&intent).await.expect(200).body;
            assert_eq!(paid["success"], true, "{paid}");
            assert_eq!(stage.bob().sees(&order.id()).await, both("confirmed", "captured"));
            stage.close().await;
        }
    }

    async fn an_order_that_is_paid_later_can_need_a_second_step_too(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        stage.bob().has_authenticated(&intent).await.refused(422, "VALIDATION_FAILED");
        let asked = stage.bob().confirms(&intent, "pm_card_authenticationRequired").await.expect(200).body;
        assert_eq!((&asked["success"], &asked["code"]), (&json!(false), &json!("ACTION_REQUIRED")));
        assert_eq!(asked["nextAction"]["paymentIntentId"], json!(intent));
        assert_eq!(stage.bob().has_authenticated(&intent).await.expect(200).body["success"], true);
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        stage.close().await;
    }

    async fn another_method_in_place_of_a_second_step(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        for (method, expected) in [
            ("pm_card_visa", both("confirmed", "captured")),
            ("pm_card_chargeDeclined", both("cancelled", "failed")),
        ] {
            stage.bob().wants(&pot, 1).await;
            let order = stage.bob().pays("pm_card_authenticationRequired").await.expect(201);
            let intent = text(&order.body["nextAction"]["paymentIntentId"]);
            stage.bob().confirms(&intent, method).await.expect(200);
            assert_eq!(stage.bob().sees(&order.id()).await, expected);
            // Whoever still holds the secret can do nothing with it.
            stage.bob().has_authenticated(&intent).await;
            assert_eq!(stage.bob().sees(&order.id()).await, expected);
        }
        assert_eq!((stage.stock(&pot).await, stage.held().await), (8, PRICE));
        stage.close().await;
    }

    async fn a_lost_answer_is_settled_by_asking_again_or_by_the_sweep(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        for asks_again in [true, false] {
            let order = stage.bob().defers(&pot, 1).await.id();
            let intent = stage.bob().intent(&order).await;
            stage.cut(Line::Mute);
            stage.bob().confirms(&intent, "pm_card_visa").await.expect(503);
            stage.cut(Line::Up);
            if asks_again {
                let paid = stage.bob().confirms(&intent, "pm_card_visa").await.expect(200).body;
                assert_eq!(paid["success"], true);
            } else {
                stage.sweep_after(MINUTE).await;
            }
            assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        }
        assert_eq!(stage.held().await, 2 * PRICE);
        assert_eq!(stage.outside.charges_asked(), 2, "none was asked for twice");
        stage.sweep_after(MINUTE * 60).await;
        stage.close().await;
    }

    async fn an_attempt_that_never_arrived_leaves_time_for_another(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        stage.cut(Line::Cut);
        stage.bob().confirms(&intent, "pm_card_visa").await.expect(503);
        stage.cut(Line::Up);
        stage.bob().confirms(&intent, "pm_card_visa").await.refused(409, "PAYMENT_IN_PROGRESS");
        stage.sweep_after(MINUTE).await;
        assert_eq!(stage.bob().confirms(&intent, "pm_card_visa").await.expect(200).body["success"], true);
        stage.close().await;
    }

    async fn an_intent_whose_answer_was_lost_is_asked_for_again(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().defers(&pot, 1).await.id();
        for line in [Line::Cut, Line::Mute] {
            stage.cut(line);
            stage.bob().opens_intent(&order).await.expect(503);
        }
        // An order that is to be paid at once has no intent either; nobody has taken anything.
        stage.bob().wants(&pot, 1).await;
        let unknown = stage.bob().pays("pm_card_visa").await.expect(201).id();
        stage.cut(Line::Up);
        let intent = stage.bob().intent(&order).await;
        stage.bob().confirms(&intent, "pm_card_visa").await.expect(200);
        stage.sweep_after(MINUTE).await;
        assert_eq!(stage.bob().sees(&unknown).await, both("cancelled", "failed"));
        assert_eq!((stage.bob().sees(&order).await, stage.held().await), (both("confirmed", "captured"), PRICE));
        stage.close().await;
    }

    async fn under_one_key_a_payment_is_tried_once(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let bob = stage.bob().with_key("try-1");
        let first = bob.confirms(&intent, "pm_card_chargeDeclined").await.expect(200);
        let again = bob.confirms(&intent, "pm_card_chargeDeclined").await.expect(200);
        assert_eq!((&first.body, again.header("idempotent-replayed")), (&again.body, "true"));
        bob.confirms(&intent, "pm_card_visa").await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(stage.outside.charges_asked(), 1);
        stage.bob().cancels(&order).await.expect(200);
        stage.close().await;
    }

    async fn an_order_that_waits_can_be_called_off_or_confirmed_by_hand(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let called_off = stage.bob().defers(&pot, 1).await.id();
        let intent = stage.bob().intent(&called_off).await;
        stage.bob().cancels(&called_off).await.expect(200);
        assert_eq!(stage.bob().sees(&called_off).await, both("cancelled", "failed"));
        stage.bob().confirms(&intent, "pm_card_visa").await.refused(409, "ORDER_NOT_PAYABLE");

        let by_hand = stage.bob().defers(&pot, 1).await.id();
        stage.clerk().moves(&by_hand, "confirmed").await.expect(200);
        stage.sweep_after(MINUTE * 31).await;
        assert_eq!(stage.bob().sees(&by_hand).await, both("confirmed", "pending"));
        assert_eq!(stage.stock(&pot).await, 8);
        stage.close().await;
    }

    async fn racing_attempts_take_the_money_once(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let tries = (0..10).map(|_| (stage.bob(), intent.clone()));
        let tries = tries.map(|(bob, intent)| tokio::spawn(async move { bob.confirms(&intent, "pm_card_visa").await }));
        let mut paid = 0;
        for attempt in tries.collect::<Vec<_>>() {
            let seen = attempt.await.unwrap();
            paid += usize::from(seen.status == 200 && seen.body["success"] == true);
            assert!(seen.status == 200 || seen.body["code"] == "PAYMENT_IN_PROGRESS", "{}", seen.text);
        }
        assert!(paid > 0);
        assert_eq!((stage.bob().sees(&order).await, stage.held().await), (both("confirmed", "captured"), PRICE));
        assert_eq!(stage.events("payment.processed").await.len(), 1);
        stage.close().await;
    }

    async fn an_order_that_costs_nothing_needs_no_provider(db: TestDatabase) {
        let stage = Stage::sending_free(&db, Names::Asked);
        stage.offer(None, 100, 9).await;
        let pot = stage.product(20_000, 9).await;
        stage.cut(Line::Cut);
        for method in ["deferred", "pm_card_visa"] {
            stage.bob().wants(&pot, 1).await;
            let order = stage.bob().pays(method).await.expect(201);
            assert_eq!((&order.body["total"], &order.body["status"]), (&json!(0.0), &json!("confirmed")), "{}", order.text);
            assert_eq!(stage.bob().cancels(&order.id()).await.expect(200).body["status"], "cancelled");
        }
        assert_eq!(stage.outside.charges_asked(), 0);
        stage.close().await;
    }

    async fn only_ones_own_and_what_exists(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let (ann, nobody, stranger) = (stage.person("ann"), stage.person("nobody"), stage.person("stranger"));
        ann.opens_intent(&order).await.refused(404, "ORDER_NOT_FOUND");
        ann.confirms(&intent, "pm_card_visa").await.refused(404, "PAYMENT_NOT_FOUND");
        ann.confirms("pi_other", "pm_card_visa").await.refused(404, "PAYMENT_NOT_FOUND");
        ann.confirms(&"x".repeat(300), "pm_card_visa").await.refused(404, "PAYMENT_NOT_FOUND");
        for (person, status, code) in [(nobody, 401, "AUTHENTICATION_REQUIRED"), (stranger, 403, "FORBIDDEN")] {
            person.opens_intent(&order).await.refused(status, code);
            person.confirms(&intent, "pm_card_visa").await.refused(status, code);
        }
        stage.bob().opens_intent("0198c1a0-0000-7000-8000-000000000000").await.refused(404, "ORDER_NOT_FOUND");
        stage.bob().opens_intent("x").await.refused(422, "VALIDATION_FAILED");
        let seen = stage.bob().confirms(&intent, "cash").await.refused(422, "VALIDATION_FAILED");
        assert_eq!(seen.fields(), ["paymentMethod"]);
        let strict = stage.bob().post(&format!("/api/payments/{intent}/confirm"), json!({"method": "x"})).await;
        strict.refused(422, "VALIDATION_FAILED");
        stage.bob().cancels(&order).await.expect(200);
        stage.close().await;
    }
}
