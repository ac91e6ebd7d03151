//! PATCH /api/orders/{id}/status and PUT /api/orders/{id}/tracking.

use serde_json::{Value, json};
use stoa_platform::each_engine;

use crate::stage::{Person, Seen, Stage, history, migrations, subjects};

async fn tracks(person: &Person, id: &str, body: Value) -> Seen {
    person.send("PUT", &format!("/api/orders/{id}/tracking"), Some(body), "").await
}

each_engine! { &migrations();
    async fn an_order_goes_its_way_and_its_buyer_is_told(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await;
        let (id, clerk) = (order.id(), stage.clerk());
        clerk.moves(&id, "processing").await.expect(200);
        let parcel = json!({"trackingNumber": "GR1", "carrier": "ELTA", "estimatedDelivery": "2026-01-20T10:00:00Z"});
        let seen = tracks(&clerk, &id, parcel).await.expect(200);
        assert_eq!((&seen.body["trackingNumber"], &seen.body["carrier"]), (&json!("GR1"), &json!("ELTA")));
        assert_eq!(seen.body["estimatedDelivery"], "2026-01-20T10:00:00.000Z");
        let change = json!({"status": "shipped", "details": "Left Piraeus"});
        let path = format!("/api/orders/{id}/status");
        let seen = clerk.send("PATCH", &path, Some(change), &seen.version()).await.expect(200);
        assert_eq!(seen.body["history"][3]["details"], "Left Piraeus");
        let seen = clerk.moves(&id, "delivered").await.expect(200);
        let by_clerk = format!("user:{}", clerk.id());
        let went: Vec<_> = history(&seen.body);
        assert_eq!(
            went.iter().map(|(status, _)| status.as_str()).collect::<Vec<_>>(),
            ["pending", "confirmed", "processing", "shipped", "delivered"]
        );
        assert!(went[2..].iter().all(|(_, by)| *by == by_clerk));
        assert_eq!(stage.bob().order(&id).await.text, seen.text);

        assert_eq!(stage.events("order.shipped").await[0]["trackingNumber"], "GR1");
        assert_eq!(stage.events("order.tracking_updated").await.len(), 1);
        let changes = stage.events("order.status_changed").await;
        assert_eq!(changes[2]["details"], "Left Piraeus");
        assert_eq!((&changes[3]["from"], &changes[3]["to"]), (&json!("shipped"), &json!("delivered")));
        let told = stage.mails().await;
        assert_eq!(
            subjects(&told),
            [
                "Follow your order STOA-000001",
                "Thank you for your order STOA-000001",
                "Your order STOA-000001 has arrived",
                "Your order STOA-000001 is on its way",
            ]
        );
        stage.close().await;
    }

    async fn no_step_is_skipped_and_none_goes_back(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await;
        let (id, clerk) = (order.id(), stage.clerk());
        for status in ["pending", "confirmed", "shipped", "delivered", "refunded"] {
            clerk.moves(&id, status).await.refused(409, "ILLEGAL_STATUS_CHANGE");
        }
        clerk.moves(&id, "lost").await.refused(422, "VALIDATION_FAILED");
        let path = format!("/api/orders/{id}/status");
        let long = json!({"status": "processing", "details": "x".repeat(1_001)});
        assert_eq!(clerk.send("PATCH", &path, Some(long), "").await.expect(422).fields(), ["details"]);
        let stale = clerk.send("PATCH", &path, Some(json!({"status": "processing"})), "\"1\"").await;
        stale.refused(412, "PRECONDITION_FAILED");
        stage.bob().moves(&id, "processing").await.refused(403, "FORBIDDEN");
        stage.person("nobody").moves(&id, "processing").await.refused(401, "AUTHENTICATION_REQUIRED");
        clerk.moves("0198c1a0-0000-7000-8000-000000000000", "processing").await.refused(404, "ORDER_NOT_FOUND");
        assert_eq!(stage.bob().order(&id).await.text, order.text);
        stage.close().await;
    }

    async fn cancelling_by_status_refunds_and_restocks(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 2).await;
        stage.clerk().moves(&order.id(), "processing").await.expect(200);
        let seen = stage.clerk().moves(&order.id(), "cancelled").await.expect(200);
        assert_eq!((&seen.body["status"], &seen.body["paymentStatus"]), (&json!("cancelled"), &json!("refunded")));
        assert_eq!(stage.stock(&pot).await, 9);
        stage.clerk().moves(&order.id(), "cancelled").await.refused(409, "ILLEGAL_STATUS_CHANGE");
        stage.close().await;
    }

    async fn refunding_by_status_returns_the_money_and_not_the_goods(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 2).await;
        for status in ["processing", "shipped"] {
            stage.clerk().moves(&order.id(), status).await.expect(200);
        }
        stage.clerk().moves(&order.id(), "cancelled").await.refused(409, "ILLEGAL_STATUS_CHANGE");
        let seen = stage.clerk().moves(&order.id(), "refunded").await.expect(200);
        assert_eq!((&seen.body["status"], &seen.body["paymentStatus"]), (&json!("refunded"), &json!("refunded")));
        assert_eq!(stage.stock(&pot).await, 7);
        assert!(stage.events("order.cancelled").await.is_empty());
        assert!(subjects(&stage.mails().await).contains(&"Your order STOA-000001 was refunded"));
        stage.close().await;
    }

    async fn an_order_is_not_confirmed_by_hand_while_its_charge_is_under_way(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        stage.bob().wants(&pot, 1).await;
        stage.cut(crate::outside::Line::Mute);
        let charging = stage.bob().pays("pm_card_visa").await.expect(201);
        stage.cut(crate::outside::Line::Up);
        stage.clerk().moves(&charging.id(), "confirmed").await.refused(409, "PAYMENT_IN_PROGRESS");
        stage.bob().wants(&pot, 1).await;
        let waiting = stage.bob().pays("pm_card_authenticationRequired").await.expect(201);
        let seen = stage.clerk().moves(&waiting.id(), "confirmed").await.expect(200);
        assert_eq!(seen.body["paymentStatus"], "pending");
        stage.sweep_after(std::time::Duration::from_mins(30)).await;
        assert_eq!(stage.bob().order(&waiting.id()).await.body["status"], "confirmed", "the sweep leaves it");
        assert_eq!(stage.bob().order(&charging.id()).await.body["paymentStatus"], "captured");
        stage.close().await;
    }

    async fn tracking_is_set_between_payment_and_delivery(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 1).await;
        let (id, clerk) = (order.id(), stage.clerk());
        let parcel = || json!({"trackingNumber": "GR1"});
        tracks(&stage.bob(), &id, parcel()).await.refused(403, "FORBIDDEN");
        let seen = tracks(&clerk, &id, json!({"trackingNumber": "", "carrier": "c".repeat(101)})).await;
        assert_eq!(seen.refused(422, "VALIDATION_FAILED").fields(), ["trackingNumber", "carrier"]);
        let path = format!("/api/orders/{id}/tracking");
        clerk.send("PUT", &path, Some(parcel()), "\"1\"").await.refused(412, "PRECONDITION_FAILED");
        let seen = tracks(&clerk, &id, parcel()).await.expect(200);
        assert_eq!((seen.header("etag"), seen.body.get("carrier")), ("\"3\"", None));
        stage.bob().cancels(&id).await.expect(200);
        tracks(&clerk, &id, parcel()).await.refused(409, "ORDER_NOT_TRACKABLE");
        tracks(&clerk, "0198c1a0-0000-7000-8000-000000000000", parcel()).await.refused(404, "ORDER_NOT_FOUND");
        stage.close().await;
    }
}
