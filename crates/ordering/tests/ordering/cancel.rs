//! POST /api/orders/{id}/cancel.

use serde_json::json;
use stoa_platform::each_engine;

use crate::{
    outside::Line,
    stage::{Stage, migrations, subjects},
};

each_engine! { &migrations();
    async fn a_paid_order_is_called_off_refunded_and_restocked(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 3).await;
        let seen = stage.bob().cancels(&order.id()).await.expect(200);
        assert_eq!((&seen.body["status"], &seen.body["paymentStatus"]), (&json!("cancelled"), &json!("refunded")));
        assert_eq!(seen.header("etag"), "\"4\"");
        assert_eq!(stage.stock(&pot).await, 9);
        assert_eq!(stage.number("SELECT refunded FROM test_provider_charges").await, 1_330);
        assert_eq!(stage.events("order.cancelled").await.len(), 1);
        assert_eq!(stage.events("payment.refunded").await[0]["amount"], json!(13.3));
        assert_eq!(
            subjects(&stage.mails().await),
            ["Thank you for your order STOA-000001", "Your order STOA-000001 was cancelled"]
        );
        let seen = stage.bob().cancels(&order.id()).await.refused(409, "ORDER_NOT_CANCELLABLE");
        assert_eq!((&seen.body["status"], &seen.body["orderStatus"]), (&json!(409), &json!("cancelled")));
        assert_eq!(stage.stock(&pot).await, 9);
        stage.close().await;
    }

    async fn an_unsettled_charge_is_voided_or_paid_back(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        for (line, payment) in [(Line::Cut, "failed"), (Line::Mute, "refunded")] {
            stage.bob().wants(&pot, 1).await;
            stage.cut(line);
            let order = stage.bob().pays("pm_card_visa").await.expect(201);
            stage.cut(Line::Up);
            let seen = stage.bob().cancels(&order.id()).await.expect(200);
            assert_eq!(seen.body["status"], "cancelled");
            assert_eq!(seen.body["paymentStatus"], payment, "{line:?}");
        }
        assert_eq!(stage.stock(&pot).await, 9);
        stage.close().await;
    }

    async fn an_order_that_waits_for_its_buyer_can_be_called_off(db: TestDatabase) {
        let stage = Stage::open(&db);
        stage.bob().wants(&stage.product(100, 9).await, 1).await;
        let order = stage.bob().pays("pm_card_authenticationRequired").await.expect(201);
        let seen = stage.bob().cancels(&order.id()).await.expect(200);
        assert_eq!((&seen.body["status"], &seen.body["paymentStatus"]), (&json!("cancelled"), &json!("failed")));
        stage.close().await;
    }

    async fn only_ones_own_and_only_in_time(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 1).await;
        stage.person("ann").cancels(&order.id()).await.refused(404, "ORDER_NOT_FOUND");
        stage.person("nobody").cancels(&order.id()).await.refused(401, "AUTHENTICATION_REQUIRED");
        stage.person("stranger").cancels(&order.id()).await.refused(403, "FORBIDDEN");
        stage.bob().cancels("0198c1a0-0000-7000-8000-000000000000").await.refused(404, "ORDER_NOT_FOUND");
        stage.bob().cancels("x").await.refused(400, "INVALID_ID");
        let path = format!("/api/orders/{}/cancel", order.id());
        stage.bob().send("POST", &path, None, "\"1\"").await.refused(412, "PRECONDITION_FAILED");
        stage.clerk().moves(&order.id(), "processing").await.expect(200);
        stage.bob().cancels(&order.id()).await.refused(409, "ORDER_NOT_CANCELLABLE");
        stage.clerk().cancels(&order.id()).await.refused(409, "ORDER_NOT_CANCELLABLE");
        assert_eq!(stage.stock(&pot).await, 8);
        stage.close().await;
    }

    async fn a_clerk_calls_off_anybodys(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await;
        let seen =
            stage.clerk().send("POST", &format!("/api/orders/{}/cancel", order.id()), None, "\"2\"").await;
        assert_eq!(seen.expect(200).body["paymentStatus"], "refunded");
        stage.close().await;
    }
}
