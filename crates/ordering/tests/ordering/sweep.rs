//! What a crash or a silent provider leaves behind is settled by the sweep.

use std::time::Duration;

use serde_json::json;
use stoa_contracts::payments::{Charge, ChargeOutcome, PaymentProvider};
use stoa_ordering::intent_key;
use stoa_platform::each_engine;

use crate::{
    outside::Line,
    stage::{Stage, history, migrations, subjects},
};

const MINUTE: Duration = Duration::from_mins(1);

each_engine! { &migrations();
    async fn a_charge_that_never_arrived_is_voided_and_its_order_given_up(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let bob = stage.bob();
        bob.wants(&pot, 2).await;
        stage.cut(Line::Cut);
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!((&order.body["status"], &order.body["paymentStatus"]), (&json!("pending"), &json!("pending")));
        stage.sweep_after(MINUTE).await;
        assert_eq!(bob.order(&order.id()).await.body["status"], "pending", "the provider cannot be asked");
        stage.cut(Line::Up);
        stage.sweep_after(Duration::from_secs(59)).await;
        assert_eq!(bob.order(&order.id()).await.body["status"], "pending", "not due again yet");
        stage.sweep_after(Duration::from_secs(1)).await;

        let swept = bob.order(&order.id()).await.body;
        assert_eq!((&swept["status"], &swept["paymentStatus"]), (&json!("cancelled"), &json!("failed")));
        assert_eq!(history(&swept)[1], ("cancelled".into(), "system:sweep-orders".into()));
        assert_eq!(stage.stock(&pot).await, 9);
        assert_eq!(bob.get("/api/cart").await.body["items"][0]["quantity"], 2);
        assert_eq!(subjects(&stage.mails().await), ["Your order STOA-000001 was cancelled"]);
        // The charge that was under way all the time comes too late.
        let key = intent_key(order.id().parse().unwrap());
        let amount = stoa_kernel::Money::from_minor(1_220, crate::shelf::usd());
        let intent = stage.outside.known_intent(&key).unwrap().id;
        let late = Charge { intent: &intent, key: &key, amount, method: Some("pm_card_visa") };
        let late = stage.outside.confirm(late).await.unwrap();
        assert_eq!(late, ChargeOutcome::Voided);
        stage.close().await;
    }

    async fn a_charge_whose_answer_was_lost_is_found(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let bob = stage.bob();
        bob.wants(&pot, 2).await;
        stage.cut(Line::Mute);
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!(order.body["paymentStatus"], "pending");
        stage.cut(Line::Up);
        stage.sweep_after(Duration::from_secs(59)).await;
        assert_eq!(bob.order(&order.id()).await.body["status"], "pending", "a retry comes first");
        stage.sweep_after(Duration::from_secs(1)).await;
        let swept = bob.order(&order.id()).await.body;
        assert_eq!((&swept["status"], &swept["paymentStatus"]), (&json!("confirmed"), &json!("captured")));
        assert_eq!((stage.stock(&pot).await, stage.outside.charges_asked()), (7, 1));
        assert_eq!(subjects(&stage.mails().await), ["Thank you for your order STOA-000001"]);
        stage.sweep_after(MINUTE).await;
        assert_eq!(stage.mails().await.len(), 1, "a second sweep finds nothing");
        stage.close().await;
    }

    async fn a_decline_whose_answer_was_lost_cancels(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        stage.bob().wants(&pot, 2).await;
        stage.cut(Line::Mute);
        let order = stage.bob().pays("pm_card_chargeDeclined").await.expect(201);
        stage.cut(Line::Up);
        stage.sweep_after(MINUTE).await;
        assert_eq!(stage.bob().order(&order.id()).await.body["status"], "cancelled");
        assert_eq!(stage.stock(&pot).await, 9);
        assert_eq!(stage.mails().await.len(), 1, "nobody was there to be told");
        stage.close().await;
    }

    async fn a_retry_after_the_sweep_hears_what_became_of_the_order(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        for (line, status) in [(Line::Mute, 201), (Line::Cut, 402)] {
            stage.bob().wants(&pot, 1).await;
            stage.cut(line);
            let bob = stage.bob().with_key(&format!("{line:?}"));
            bob.pays("pm_card_visa").await.expect(201);
            stage.cut(Line::Up);
            stage.sweep_after(MINUTE).await;
            let asked = stage.outside.charges_asked();
            bob.pays("pm_card_visa").await.expect(status);
            assert_eq!(stage.outside.charges_asked(), asked, "{line:?}");
        }
        stage.close().await;
    }

    async fn a_retry_keeps_the_sweep_away_for_a_while(db: TestDatabase) {
        let stage = Stage::open(&db);
        stage.bob().wants(&stage.product(100, 9).await, 1).await;
        let bob = stage.bob().with_key("order");
        stage.cut(Line::Cut);
        let order = bob.pays("pm_card_visa").await.expect(201);
        stage.clock.advance(Duration::from_secs(31));
        bob.pays("pm_card_visa").await.expect(201);
        stage.cut(Line::Up);
        stage.sweep_after(Duration::from_secs(59)).await;
        assert_eq!(bob.order(&order.id()).await.body["status"], "pending");
        stage.sweep_after(Duration::from_secs(1)).await;
        assert_eq!(bob.order(&order.id()).await.body["status"], "cancelled");
        stage.close().await;
    }

    async fn a_refund_that_was_cut_off_is_finished_once(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        for line in [Line::Cut, Line::Mute] {
            let order = stage.bob().buys(&pot, 1).await;
            stage.cut(line);
            let seen = stage.bob().cancels(&order.id()).await.expect(200);
            assert_eq!((&seen.body["status"], &seen.body["paymentStatus"]), (&json!("cancelled"), &json!("captured")));
            stage.cut(Line::Up);
            stage.sweep_after(MINUTE).await;
            assert_eq!(stage.bob().order(&order.id()).await.body["paymentStatus"], "refunded", "{line:?}");
        }
        assert_eq!(stage.number("SELECT COUNT(*) FROM test_provider_refunds").await, 2);
        assert_eq!(stage.events("payment.refunded").await.len(), 2);
        assert_eq!(stage.stock(&pot).await, 9);
        stage.close().await;
    }

    async fn many_orders_left_behind_are_all_settled(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 500).await;
        stage.cut(Line::Mute);
        for _ in 0..130 {
            stage.bob().wants(&pot, 1).await;
            stage.bob().pays("pm_card_visa").await.expect(201);
        }
        stage.cut(Line::Up);
        stage.sweep_after(MINUTE).await;
        let settled = "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'";
        assert_eq!(stage.number(settled).await, 130);
        stage.close().await;
    }
}
