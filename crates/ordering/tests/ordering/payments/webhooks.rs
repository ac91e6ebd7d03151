//! POST /api/payments/webhooks/stripe, with a provider whose notices a test writes.

use std::time::Duration;

use axum::{body::Body, extract::Request};
use serde_json::json;
use stoa_platform::each_engine;

use super::{both, text};
use crate::{
    outside::{Line, Names},
    stage::{Seen, Stage, migrations},
};

const MINUTE: Duration = Duration::from_mins(1);
const PRICE: i64 = 1_110;

impl Stage {
    /// The provider tells something; the words of a notice are those of `Outside::read_notice`.
    async fn hears(&self, words: &str, signature: &str) -> Seen {
        let request = Request::post("/api/payments/webhooks/stripe")
            .header("content-type", "application/json; charset=utf-8");
        let request =
            if signature.is_empty() { request } else { request.header("stripe-signature", signature) };
        self.person("nobody").request(request.body(Body::from(json!(words).to_string())).unwrap()).await
    }

    /// The buyer's bank does not take a refund that was done; the provider has the money again.
    async fn bank_sends_back(&self, refund: &str, minor: i64) {
        self.outside.sends_back(refund);
        let sql =
            "UPDATE test_provider_charges SET refunded = refunded - CAST($1 AS BIGINT) WHERE refunded >= $1";
        let returned = self.platform.database.write(move |tx| tx.execute(sql, stoa_platform::params![minor]));
        returned.await.map_err(|error: stoa_platform::database::DatabaseError| error).unwrap();
    }

    /// The provider's names of all refunds, the oldest first.
    async fn names_of_refunds(&self) -> Vec<String> {
        let sql = "SELECT provider_refund FROM refunds ORDER BY amount";
        let read = self.platform.database.read(move |c| c.query(sql, &[], |row| row.read()));
        read.await.map_err(|error: stoa_platform::database::DatabaseError| error).unwrap()
    }

    async fn is_told(&self, words: &str) {
        self.hears(words, "good").await.expect(204);
    }
}

each_engine! { &migrations();
    async fn a_payment_made_by_the_buyers_client_is_heard_of(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let charge = stage.outside.pays_by_itself(&intent, "pm_card_visa", PRICE).await;
        let words = format!("evt_1 captured {intent} {charge} {PRICE}");
        for _ in 0..3 {
            stage.is_told(&words).await;
        }
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        assert_eq!(stage.events("payment.processed").await.len(), 1);
        assert_eq!(stage.number("SELECT COUNT(*) FROM payment_notices").await, 1);
        stage.close().await;
    }

    async fn a_notice_can_come_before_the_answer_and_long_after_it(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        // The answer is lost, the notice comes, then the sweep.
        stage.bob().wants(&pot, 1).await;
        stage.cut(Line::MuteOnceOpened);
        let order = stage.bob().pays("pm_card_visa").await.expect(201).id();
        stage.cut(Line::Up);
        let intent = stage.intent_of(&order).await;
        let charge = stage.outside.charge_of(&intent).await;
        assert_eq!(stage.bob().sees(&order).await, both("pending", "pending"));
        stage.is_told(&format!("evt_1 captured {intent} {charge} {PRICE}")).await;
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        stage.sweep_after(MINUTE).await;
        // Late, and of something that was before.
        stage.is_told(&format!("evt_2 captured {intent} {charge} {PRICE}")).await;
        stage.is_told(&format!("evt_3 moved {intent} - 0")).await;
        stage.bob().cancels(&order).await.expect(200);
        stage.is_told(&format!("evt_4 captured {intent} {charge} {PRICE}")).await;
        stage.is_told(&format!("evt_5 returned {intent} - {PRICE}")).await;
        assert_eq!((stage.bob().sees(&order).await, stage.held().await), (both("cancelled", "refunded"), 0));
        assert_eq!(stage.events("payment.refunded").await.len(), 1);
        stage.close().await;
    }

    async fn a_refusal_that_is_told_is_looked_up(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        // A second step that failed ends an order that was to be paid at once.
        stage.bob().wants(&pot, 1).await;
        let order = stage.bob().pays("pm_card_authenticationRequired").await.expect(201);
        let intent = text(&order.body["nextAction"]["paymentIntentId"]);
        stage.is_told(&format!("evt_1 moved {intent} - 0")).await;
        assert_eq!(stage.bob().sees(&order.id()).await, both("pending", "pending"), "it waits still");
        stage.outside.pays_by_itself(&intent, "pm_card_chargeDeclined", PRICE).await;
        stage.is_told(&format!("evt_2 moved {intent} - 0")).await;
        assert_eq!(stage.bob().sees(&order.id()).await, both("cancelled", "failed"));
        assert_eq!(stage.stock(&pot).await, 9);
        // A refusal told late does not touch what was paid since.
        let paid = stage.bob().defers(&pot, 1).await.id();
        let intent = stage.bob().intent(&paid).await;
        stage.bob().confirms(&intent, "pm_card_chargeDeclined").await.expect(200);
        stage.bob().confirms(&intent, "pm_card_visa").await.expect(200);
        stage.is_told(&format!("evt_3 moved {intent} - 0")).await;
        assert_eq!(stage.bob().sees(&paid).await, both("confirmed", "captured"));
        // While the provider cannot be asked, the notice is to come again.
        let waiting = stage.bob().defers(&pot, 1).await.id();
        let intent = stage.bob().intent(&waiting).await;
        stage.cut(Line::Cut);
        stage.hears(&format!("evt_4 moved {intent} - 0"), "good").await.expect(503);
        stage.cut(Line::Up);
        stage.is_told(&format!("evt_4 moved {intent} - 0")).await;
        stage.bob().cancels(&waiting).await.expect(200);
        stage.close().await;
    }

    async fn money_for_an_order_that_was_given_up_goes_back(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().defers(&pot, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let charge = stage.outside.pays_by_itself(&intent, "pm_card_visa", PRICE).await;
        stage.bob().cancels(&order).await.expect(200);
        assert_eq!((stage.bob().sees(&order).await, stage.held().await), (both("cancelled", "refunded"), 0));
        stage.is_told(&format!("evt_1 captured {intent} {charge} {PRICE}")).await;
        assert_eq!((stage.bob().sees(&order).await, stage.stock(&pot).await), (both("cancelled", "refunded"), 9));
        stage.close().await;
    }

    async fn another_sum_is_not_believed(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let pot = stage.product(100, 9).await;
        let order = stage.bob().defers(&pot, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let charge = stage.outside.pays_by_itself(&intent, "pm_card_visa", 100).await;
        stage.is_told(&format!("evt_1 captured {intent} {charge} 100")).await;
        assert_eq!(stage.bob().sees(&order).await, both("pending", "pending"));
        stage.sweep_after(MINUTE * 31).await;
        assert_eq!(stage.bob().sees(&order).await, both("pending", "pending"), "a person decides");
        stage.clerk().cancels(&order).await.expect(200);
        assert_eq!((stage.bob().sees(&order).await, stage.held().await), (both("cancelled", "refunded"), 0));
        assert_eq!((stage.stock(&pot).await, stage.events("payment.refunded").await[0]["amount"].clone()), (9, json!(1.0)));
    }

    async fn what_was_given_back_at_the_provider_is_written_down(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.intent_of(&order).await;
        stage.clerk().refunds(&order, json!({"amount": 1})).await.expect(201);
        stage.is_told(&format!("evt_1 returned {intent} - 100")).await;
        assert_eq!(stage.events("payment.refunded").await.len(), 1, "that was ours");
        stage.outside.gives_back_by_itself(&intent, 300).await;
        stage.is_told(&format!("evt_2 returned {intent} - 400")).await;
        stage.is_told(&format!("evt_2 returned {intent} - 400")).await;
        stage.is_told(&format!("evt_0 returned {intent} - 100")).await;
        assert_eq!(stage.events("payment.refunded").await[1]["amount"], json!(3.0));
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "partially_refunded"));
        stage.clerk().refunds(&order, json!({})).await.expect(201);
        assert_eq!((stage.bob().sees(&order).await, stage.held().await), (both("confirmed", "refunded"), 0));
        stage.close().await;
    }

    async fn a_refund_that_a_bank_sends_back_is_in_the_books_and_told(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.intent_of(&order).await;
        for amount in [1, 2] {
            stage.clerk().refunds(&order, json!({"amount": amount})).await.expect(201);
        }
        let [first, second] = stage.names_of_refunds().await[..].to_vec().try_into().unwrap();
        stage.is_told(&format!("evt_1 refund {intent} {first} 100")).await;
        assert!(stage.events("payment.refund_failed").await.is_empty(), "it came through");
        stage.bank_sends_back(&first, 100).await;
        for _ in 0..3 {
            stage.is_told(&format!("evt_2 refund {intent} {first} 100")).await;
        }
        stage.is_told(&format!("evt_3 refund {intent} {first} 100")).await;
        let failed = stage.events("payment.refund_failed").await;
        assert_eq!((failed.len(), &failed[0]["amount"], &failed[0]["reason"]), (1, &json!(1.0), &json!("the account is closed")));
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "partially_refunded"));
        let refunds = stage.clerk().sees_refunds(&order).await;
        let of = |amount: f64| {
            let one = refunds.as_array().unwrap().iter().find(|refund| refund["amount"] == amount);
            one.map(|refund| (refund["status"].clone(), refund["failure"].clone())).unwrap()
        };
        assert_eq!(of(1.0), (json!("failed"), json!("the account is closed")));
        assert_eq!(of(2.0).0, "succeeded");

        stage.bank_sends_back(&second, 200).await;
        stage.is_told(&format!("evt_4 refund {intent} {second} 200")).await;
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        // All of it can be given back anew.
        assert_eq!(stage.clerk().refunds(&order, json!({})).await.expect(201).body["amount"], json!(11.1));
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "refunded"));
        stage.close().await;
    }

    async fn a_refund_made_at_the_provider_can_come_back_too(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.intent_of(&order).await;
        stage.outside.gives_back_by_itself(&intent, 300).await;
        stage.is_told(&format!("evt_1 returned {intent} - 300")).await;
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "partially_refunded"));
        stage.bank_sends_back("re_theirs", 300).await;
        stage.is_told(&format!("evt_2 refund {intent} re_theirs 200")).await;
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "partially_refunded"), "none of that sum");
        stage.is_told(&format!("evt_3 refund {intent} re_theirs 300")).await;
        stage.is_told(&format!("evt_4 refund {intent} re_theirs 300")).await;
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        assert_eq!(stage.events("payment.refund_failed").await.len(), 1);
        stage.close().await;
    }

    async fn a_refund_is_looked_at_again_when_the_provider_cannot_be_asked(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.intent_of(&order).await;
        stage.clerk().refunds(&order, json!({"amount": 1})).await.expect(201);
        let [name] = stage.names_of_refunds().await[..].to_vec().try_into().unwrap();
        stage.bank_sends_back(&name, 100).await;
        stage.cut(Line::Cut);
        stage.hears(&format!("evt_1 refund {intent} {name} 100"), "good").await.expect(503);
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "partially_refunded"));
        stage.cut(Line::Up);
        stage.is_told(&format!("evt_1 refund {intent} {name} 100")).await;
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        stage.close().await;
    }

    async fn a_dispute_is_told_each_time_it_moves(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().buys(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.intent_of(&order).await;
        for _ in 0..2 {
            stage.is_told(&format!("evt_1 disputed {intent} dp_1 {PRICE}")).await;
        }
        stage.is_told(&format!("evt_2 lost {intent} dp_1 {PRICE}")).await;
        stage.is_told("evt_3 disputed pi_of_somebody_else dp_2 5").await;
        let told = stage.events("payment.disputed").await;
        let seen: Vec<_> = told.iter().map(|event| (&event["status"], &event["disputeId"], &event["amount"])).collect();
        assert_eq!(seen, [(&json!("needs_response"), &json!("dp_1"), &json!(11.1)), (&json!("lost"), &json!("dp_1"), &json!(11.1))]);
        assert_eq!(told[0]["orderId"], json!(order));
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        stage.close().await;
    }

    async fn what_is_forged_stale_foreign_or_nonsense_does_nothing(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let words = format!("evt_1 captured {intent} ch_1 {PRICE}");
        for signature in ["", "bad"] {
            stage.hears(&words, signature).await.refused(400, "INVALID_SIGNATURE");
        }
        stage.hears(&words, "old").await.refused(400, "STALE_SIGNATURE");
        stage.hears("nonsense", "good").await.refused(400, "MALFORMED_EVENT");
        assert_eq!(stage.bob().sees(&order).await, both("pending", "pending"));
        stage.is_told("evt_2 captured pi_of_somebody_else ch_1 5").await;
        stage.is_told("evt_3 customer.created - - 0").await;
        assert_eq!(stage.bob().sees(&order).await, both("pending", "pending"));
        stage.bob().cancels(&order).await.expect(200);
        // They are forgotten after a month.
        stage.sweep_after(Duration::from_hours(31 * 24)).await;
        assert_eq!(stage.number("SELECT COUNT(*) FROM payment_notices").await, 0);
        stage.close().await;
    }

    async fn the_same_notice_many_times_at_once_has_its_effect_once(db: TestDatabase) {
        let stage = Stage::with_provider(&db, Names::Asked);
        let order = stage.bob().defers(&stage.product(100, 9).await, 1).await.id();
        let intent = stage.bob().intent(&order).await;
        let charge = stage.outside.pays_by_itself(&intent, "pm_card_visa", PRICE).await;
        let stage = std::sync::Arc::new(stage);
        let words = format!("evt_1 captured {intent} {charge} {PRICE}");
        let told = (0..20).map(|_| (std::sync::Arc::clone(&stage), words.clone()));
        let told = told.map(|(stage, words)| tokio::spawn(async move { stage.hears(&words, "good").await }));
        for heard in told.collect::<Vec<_>>() {
            heard.await.unwrap().expect(204);
        }
        assert_eq!(stage.bob().sees(&order).await, both("confirmed", "captured"));
        assert_eq!(stage.events("payment.processed").await.len(), 1);
        std::sync::Arc::into_inner(stage).unwrap().close().await;
    }

    async fn without_a_provider_that_tells_nothing_is_heard(db: TestDatabase) {
        let stage = Stage::open(&db);
        stage.hears("evt_1 captured pi ch 1", "good").await.refused(404, "WEBHOOK_NOT_CONFIGURED");
        stage.close().await;
    }
}
