//! POST and GET /api/orders/{id}/refunds.

use std::time::Duration;

use serde_json::json;
use stoa_platform::each_engine;

use super::{both, text};
use crate::{
    outside::{Line, Names},
    stage::{Stage, migrations, subjects},
};

const MINUTE: Duration = Duration::from_mins(1);

each_engine! { &migrations();
    async fn parts_go_back_until_nothing_is_left(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 1).await.id();
        let first = stage.clerk().refunds(&order, json!({"amount": 1.1, "reason": "A dent"})).await.expect(201).body;
        assert_eq!((&first["amount"], &first["status"], &first["reason"]), (&json!(1.1), &json!("succeeded"), &json!("A dent")));
        assert_eq!(first["requestedBy"], json!(format!("user:{}", stage.clerk().id())));
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "partially_refunded"));
        let seen = stage.clerk().refunds(&order, json!({"amount": 10.01})).await.refused(422, "REFUND_TOO_LARGE");
        assert_eq!((&seen.body["refundable"], &seen.body["requested"]), (&json!(10.0), &json!(10.01)));
        assert_eq!(stage.held().await, 1_000);
        stage.clock.advance(MINUTE);
        // The rest, without a body.
        let path = format!("/api/orders/{order}/refunds");
        let rest = stage.clerk().send("POST", &path, None, "").await.expect(201).body;
        assert_eq!((&rest["amount"], &rest["status"]), (&json!(10.0), &json!("succeeded")));
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "refunded"));
        stage.clerk().refunds(&order, json!({})).await.refused(409, "NOTHING_TO_REFUND");
        let events: Vec<_> = stage.events("payment.refunded").await.into_iter().map(|event| event["amount"].clone()).collect();
        assert_eq!((events, stage.held().await), (vec![json!(1.1), json!(10.0)], 0));
        let listed = stage.bob().sees_refunds(&order).await;
        assert_eq!((&listed[0]["amount"], &listed[1]["amount"]), (&json!(10.0), &json!(1.1)));
        stage.close().await;
    }

    async fn a_shipped_order_is_refunded_with_the_last_part(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 1).await.id();
        for status in ["processing", "shipped", "delivered"] {
            stage.clerk().moves(&order, status).await.expect(200);
        }
        stage.clerk().refunds(&order, json!({"amount": 5})).await.expect(201);
        assert_eq!(stage.bob().sees(&order).await, both("delivered", "partially_refunded"));
        stage.clerk().refunds(&order, json!({})).await.expect(201);
        assert_eq!(stage.bob().sees(&order).await, both("refunded", "refunded"));
        assert_eq!(stage.stock(&pot).await, 8, "what was shipped stays with the buyer");
        assert!(subjects(&stage.mails().await).iter().any(|subject| subject.contains("paid back") || subject.contains("refund")));
        stage.close().await;
    }

    async fn ending_an_order_returns_what_is_left(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let cancelled = stage.bob().buys(&pot, 1).await.id();
        stage.clerk().refunds(&cancelled, json!({"amount": 5})).await.expect(201);
        stage.bob().cancels(&cancelled).await.expect(200);
        assert_eq!(stage.bob().sees(&cancelled).await, both("cancelled", "refunded"));
        let paid_back = stage.bob().buys(&pot, 1).await.id();
        for status in ["processing", "shipped"] {
            stage.clerk().moves(&paid_back, status).await.expect(200);
        }
        stage.clerk().refunds(&paid_back, json!({"amount": 5})).await.expect(201);
        stage.clerk().moves(&paid_back, "refunded").await.expect(200);
        assert_eq!(stage.bob().sees(&paid_back).await, both("refunded", "refunded"));
        assert_eq!((stage.held().await, stage.stock(&pot).await), (0, 8));
        assert_eq!(stage.events("payment.refunded").await.len(), 4);
        stage.close().await;
    }

    async fn what_the_provider_refuses_for_good_is_told_and_not_tried_for_ever(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        stage.bob().wants(&pot, 1).await;
        let order = stage.bob().pays("pm_card_refundFail").await.expect(201).id();
        let failed = stage.clerk().refunds(&order, json!({"amount": 5})).await.expect(201).body;
        assert_eq!(failed["status"], "failed");
        assert!(failed["failure"].is_string());
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        stage.clock.advance(MINUTE);
        stage.bob().cancels(&order).await.expect(200);
        assert_eq!(stage.bob().sees(&order).await, both("cancelled", "captured"));
        let listed = stage.clerk().sees_refunds(&order).await;
        assert_eq!((&listed[0]["status"], &listed[0]["amount"]), (&json!("failed"), &json!(11.1)));
        let due = "SELECT COUNT(*) FROM refunds WHERE due_at IS NOT NULL";
        assert_eq!(stage.number(due).await, 0, "the sweep has nothing to do");
        // Once the provider has come round it is asked for anew.
        stage.heals().await;
        stage.clerk().refunds(&order, json!({})).await.expect(201);
        assert_eq!(stage.bob().sees(&order).await, both("cancelled", "refunded"));
        assert_eq!(stage.events("payment.refunded").await.len(), 1);
        stage.close().await;
    }

    async fn a_lost_answer_is_settled_by_the_sweep_once(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        for line in [Line::Cut, Line::Mute] {
            let order = stage.bob().buys(&pot, 1).await.id();
            stage.cut(line);
            let pending = stage.clerk().refunds(&order, json!({"amount": 5})).await.expect(201).body;
            assert_eq!(pending["status"], "pending");
            // What is on its way cannot be given back twice.
            stage.clerk().refunds(&order, json!({"amount": 6.11})).await.refused(422, "REFUND_TOO_LARGE");
            stage.sweep_after(MINUTE).await;
            assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"), "{line:?}");
            stage.cut(Line::Up);
            stage.sweep_after(MINUTE).await;
            stage.sweep_after(MINUTE).await;
            assert_eq!(stage.bob().sees(&order).await, both("confirmed", "partially_refunded"), "{line:?}");
            assert_eq!(stage.clerk().sees_refunds(&order).await[0]["status"], "succeeded");
        }
        assert_eq!(stage.number("SELECT COUNT(*) FROM test_provider_refunds").await, 2);
        stage.close().await;
    }

    async fn racing_refunds_never_give_back_more_than_was_taken(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        let asked = (0..20).map(|_| (stage.clerk(), order.clone()));
        let asked = asked.map(|(clerk, order)| {
            tokio::spawn(async move { clerk.refunds(&order, json!({"amount": 2})).await })
        });
        let mut given = 0;
        for refund in asked.collect::<Vec<_>>() {
            let seen = refund.await.unwrap();
            given += usize::from(seen.status == 201);
            assert!(seen.status == 201 || seen.body["code"] == "REFUND_TOO_LARGE", "{}", seen.text);
        }
        assert_eq!((given, stage.held().await), (5, 110));
        stage.close().await;
    }

    async fn under_one_key_a_sum_is_given_back_once(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        let clerk = stage.clerk().with_key("refund-1");
        let first = clerk.refunds(&order, json!({"amount": 2})).await.expect(201);
        let again = clerk.refunds(&order, json!({"amount": 2})).await.expect(201);
        assert_eq!((&first.body, again.header("idempotent-replayed")), (&again.body, "true"));
        clerk.refunds(&order, json!({"amount": 3})).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(stage.held().await, 910);
        stage.close().await;
    }

    async fn who_may_and_what_is_no_sum(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().buys(&pot, 1).await.id();
        stage.bob().refunds(&order, json!({})).await.refused(403, "FORBIDDEN");
        stage.person("nobody").refunds(&order, json!({})).await.refused(401, "AUTHENTICATION_REQUIRED");
        let unknown = "0198c1a0-0000-7000-8000-000000000000";
        stage.clerk().refunds(unknown, json!({})).await.refused(404, "ORDER_NOT_FOUND");
        stage.clerk().refunds("x", json!({})).await.refused(400, "INVALID_ID");
        for amount in [json!(0), json!(-1), json!(1.001), json!("1"), json!(1e300)] {
            let seen = stage.clerk().refunds(&order, json!({"amount": amount})).await;
            assert_eq!(seen.refused(422, "VALIDATION_FAILED").fields(), ["amount"], "{amount}");
        }
        let seen = stage.clerk().refunds(&order, json!({"reason": "x".repeat(501)})).await;
        assert_eq!(seen.refused(422, "VALIDATION_FAILED").fields(), ["reason"]);
        stage.person("ann").get(&format!("/api/orders/{order}/refunds")).await.refused(404, "ORDER_NOT_FOUND");
        assert_eq!(stage.bob().sees_refunds(&order).await, json!([]));
        let unpaid = stage.bob().defers(&pot, 1).await.id();
        stage.clerk().refunds(&unpaid, json!({})).await.refused(409, "NOTHING_TO_REFUND");
        stage.bob().cancels(&unpaid).await.expect(200);
        stage.close().await;
    }

    async fn a_long_list_pages_and_there_is_an_end_to_it(db: TestDatabase) {
        let stage = Stage::open(&db);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        for _ in 0..50 {
            stage.clerk().refunds(&order, json!({"amount": 0.01})).await.expect(201);
        }
        stage.clerk().refunds(&order, json!({"amount": 0.01})).await.refused(409, "TOO_MANY_REFUNDS");
        let (mut path, mut seen) = (format!("/api/orders/{order}/refunds?limit=20"), Vec::new());
        loop {
            let page = stage.bob().get(&path).await.expect(200).body;
            seen.extend(page["data"].as_array().unwrap().iter().map(|refund| text(&refund["id"])));
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            path = format!("/api/orders/{order}/refunds?limit=20&cursor={cursor}");
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.reverse();
        assert_eq!((seen.len(), seen), (50, sorted));
        let asc = stage.bob().get(&format!("/api/orders/{order}/refunds?sortOrder=asc&total=true")).await.body;
        assert_eq!(asc["total"], 50);
        stage.close().await;
    }
}

impl Stage {
    /// The `test` provider refunds from now on what it refused to.
    async fn heals(&self) {
        let sql = "UPDATE test_provider_charges SET method = 'pm_card_visa'";
        let healed = self.platform.database.write(move |tx| tx.execute(sql, &[]));
        healed.await.map_err(|error: stoa_platform::database::DatabaseError| error).unwrap();
    }
}
