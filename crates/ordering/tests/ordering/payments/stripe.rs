//! Orders paid at Stripe: the real driver against localstripe in a process of its own, which is slow, silent, cut off,
//! failing or killed in the middle. Whatever happens, the provider's own list and ours agree once the sweep has been.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use stoa_drivers::{stripe::Stripe, testing::StripeServer};
use stoa_platform::each_engine;

use super::{both, stripe_shop::Shop, text};
use crate::stage::{Stage, migrations};

const MINUTE: Duration = Duration::from_mins(1);
const INTENTS: &str = "^/v1/payment_intents$";
const CONFIRM: &str = "/confirm$";
const CANCEL: &str = "/cancel$";
const REFUNDS: &str = "^/v1/refunds$";
const ONE_INTENT: &str = "^/v1/payment_intents/[A-Za-z0-9_]+$";

each_engine! { &migrations();
    async fn an_order_is_paid_refunded_in_parts_and_called_off(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let paid = shop.order("pm_card_visa").await.expect(201);
        assert_eq!((&paid.body["status"], &paid.body["paymentStatus"]), (&json!("confirmed"), &json!("captured")));
        assert_eq!(shop.stripe.asked("POST /v1/payment_intents").await, 2, "one to make it, one to confirm it");
        let order = paid.id();
        let clerk = shop.stage.clerk();
        assert_eq!(clerk.refunds(&order, json!({"amount": 1.5})).await.expect(201).body["status"], "succeeded");
        assert_eq!(shop.sees(&order).await, both("confirmed", "partially_refunded"));
        shop.stage.bob().cancels(&order).await.expect(200);
        assert_eq!(shop.sees(&order).await, both("cancelled", "refunded"));
        shop.agrees().await;
    }

    async fn a_refused_card_is_told_and_the_order_given_up(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.order("pm_card_chargeDeclined").await.refused(402, "PAYMENT_DECLINED");
        // Not one of Stripe's.
        shop.stage.bob().pays("pm_nobodys").await.refused(402, "PAYMENT_DECLINED");
        shop.stage.bob().pays("cash").await.refused(422, "VALIDATION_FAILED");
        assert_eq!(shop.stage.bob().get("/api/cart").await.body["items"][0]["quantity"], 1);
        shop.agrees().await;
    }

    async fn a_second_step_is_taken_well_badly_or_not_at_all(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let mut orders = Vec::new();
        for how in ["well", "badly", "not at all"] {
            let order = shop.order("pm_card_authenticationRequired").await.expect(201);
            let action = &order.body["nextAction"];
            let intent = text(&action["paymentIntentId"]);
            assert!(text(&action["clientSecret"]).starts_with(&intent), "{action}");
            assert_eq!(action["type"], "use_stripe_sdk");
            // Saying so is not enough.
            let seen = shop.stage.bob().has_authenticated(&intent).await.expect(200);
            assert_eq!((&seen.body["success"], &seen.body["code"]), (&json!(false), &json!("ACTION_REQUIRED")));
            if how != "not at all" {
                shop.stripe.authenticates(&intent, how).await;
                let seen = shop.stage.bob().has_authenticated(&intent).await.expect(200);
                assert_eq!(seen.body["success"], how == "well", "{}", seen.text);
            }
            orders.push(order.id());
        }
        assert_eq!(shop.sees(&orders[0]).await, both("confirmed", "captured"));
        assert_eq!(shop.sees(&orders[1]).await, both("cancelled", "failed"));
        assert_eq!(shop.sees(&orders[2]).await, both("pending", "pending"));
        shop.stage.sweep_after(MINUTE * 31).await;
        assert_eq!(shop.sees(&orders[2]).await, both("cancelled", "failed"));
        shop.agrees().await;
    }

    async fn an_order_is_paid_later_by_the_second_card(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let order = shop.order("deferred").await.expect(201).id();
        let bob = shop.stage.bob();
        let (first, again) = (bob.opens_intent(&order).await.expect(200), bob.opens_intent(&order).await.expect(200));
        assert_eq!(first.body, again.body);
        let intent = text(&first.body["paymentIntentId"]);
        assert_eq!(bob.confirms(&intent, "pm_card_chargeDeclined").await.expect(200).body["code"], "PAYMENT_DECLINED");
        let paid = bob.confirms(&intent, "pm_card_visa").await.expect(200).body;
        assert_eq!(paid["success"], true, "{paid}");
        assert!(text(&paid["transactionId"]).starts_with("ch_"));
        assert_eq!(shop.sees(&order).await, both("confirmed", "captured"));
        shop.agrees().await;
    }

    async fn answers_are_lost_at_each_question_of_an_order(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        for (method, path) in [("POST", INTENTS), ("POST", CONFIRM)] {
            for what in ["cut_before", "cut_after", "fail_before", "fail_after", "slow"] {
                for looks_up in [true, false] {
                    shop.stripe.suffers(what, method, path, 1).await;
                    if !looks_up {
                        shop.stripe.suffers("cut_before", "GET", ONE_INTENT, 1).await;
                    }
                    let seen = shop.order("pm_card_visa").await.expect(201);
                    shop.settles().await;
                    let (status, payment) = shop.sees(&seen.id()).await;
                    let ended = [both("confirmed", "captured"), both("cancelled", "failed")];
                    assert!(ended.contains(&(status.clone(), payment)), "{what} {path}: {}", seen.text);
                    // A failure of Stripe's own is asked about once more.
                    let opened = path == INTENTS && what.starts_with("fail");
                    let arrived = (path == CONFIRM && what.ends_with("after")) || what == "slow" || opened;
                    assert_eq!(status == "confirmed", arrived, "{what} {path}");
                    shop.agrees().await;
                }
            }
        }
    }

    async fn an_order_that_is_given_up_while_it_is_charged_is_told_so(db: TestDatabase) {
        let shop = Shop::with_patience(&db, MINUTE).await;
        let bob = shop.stage.bob().with_key("order");
        bob.wants(&shop.pot, 1).await;
        shop.stripe.suffers("held", "POST", INTENTS, 1).await;
        let (told, ()) = tokio::join!(bob.pays("pm_card_visa"), async {
            while shop.stripe.asked("POST /v1/payment_intents").await == 0 {
                tokio::task::yield_now().await;
            }
            shop.stage.sweep_after(MINUTE).await;
            shop.stripe.is_well().await;
        });
        told.refused(402, "PAYMENT_DECLINED");
        assert_eq!(shop.stripe.asked("POST").await, 1, "it is not charged any more");
        // As after any refusal, the cart is as it was and the key is free.
        let paid = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!(shop.sees(&paid.id()).await, both("confirmed", "captured"));
        assert_eq!(shop.stage.number("SELECT COUNT(*) FROM orders WHERE status = 'cancelled'").await, 1);
        shop.agrees().await;
    }

    async fn answers_are_lost_where_an_order_is_given_up_or_paid_back(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        for what in ["cut_before", "cut_after", "fail_before", "fail_after"] {
            // A payment that waits is cancelled.
            let waiting = shop.order("pm_card_authenticationRequired").await.expect(201).id();
            shop.stripe.suffers(what, "POST", CANCEL, 1).await;
            shop.stage.bob().cancels(&waiting).await.expect(200);
            // One that was taken is paid back, in parts.
            let paid = shop.order("pm_card_visa").await.expect(201).id();
            shop.stripe.suffers(what, "POST", REFUNDS, 2).await;
            let part = shop.stage.clerk().refunds(&paid, json!({"amount": 2})).await.expect(201).body;
            assert_eq!(part["status"], "pending", "{what}");
            shop.stage.bob().cancels(&paid).await.expect(200);
            shop.settles().await;
            assert_eq!(shop.sees(&waiting).await, both("cancelled", "failed"), "{what}");
            assert_eq!(shop.sees(&paid).await, both("cancelled", "refunded"), "{what}");
            shop.agrees().await;
        }
    }

    async fn answers_are_lost_where_an_order_is_paid_later(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        for what in ["cut_before", "cut_after", "fail_after"] {
            let order = shop.order("deferred").await.expect(201).id();
            shop.stripe.suffers(what, "POST", INTENTS, if what == "fail_after" { 2 } else { 1 }).await;
            shop.stage.bob().opens_intent(&order).await.expect(503);
            let intent = shop.stage.bob().intent(&order).await;
            shop.stripe.suffers(what, "POST", CONFIRM, 1).await;
            shop.stripe.suffers("cut_before", "GET", ONE_INTENT, 1).await;
            shop.stage.bob().confirms(&intent, "pm_card_visa").await.expect(503);
            shop.stripe.is_well().await;
            shop.stage.sweep_after(MINUTE).await;
            let paid = both("confirmed", "captured");
            if what == "cut_before" {
                assert_eq!(shop.sees(&order).await, both("pending", "pending"));
                shop.stage.bob().confirms(&intent, "pm_card_visa").await.expect(200);
            }
            assert_eq!(shop.sees(&order).await, paid, "{what}");
            shop.agrees().await;
        }
    }

    async fn a_silent_stripe_holds_nobody_up_for_ever(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.stripe.suffers("silent_after", "POST", CONFIRM, 1).await;
        let taken = shop.order("pm_card_visa").await.expect(201);
        assert_eq!(taken.body["paymentStatus"], "captured", "looking it up tells");
        shop.stripe.suffers("silent_before", "POST", CONFIRM, 1).await;
        let never = shop.order("pm_card_visa").await.expect(201);
        assert_eq!(never.body["paymentStatus"], "pending");
        shop.settles().await;
        assert_eq!(shop.sees(&never.id()).await, both("cancelled", "failed"));
        shop.agrees().await;
    }

    async fn stripe_is_killed_at_each_question_and_started_again(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        for (path, what) in [(INTENTS, "die_before"), (INTENTS, "die_after"), (CONFIRM, "die_before"), (CONFIRM, "die_after")] {
            shop.stripe.suffers(what, "POST", path, 1).await;
            let order = shop.order("pm_card_visa").await.expect(201);
            assert_eq!(order.body["paymentStatus"], "pending");
            // It is away for a while, and nothing is lost.
            shop.stage.sweep_after(MINUTE).await;
            shop.stripe.restart();
            shop.settles().await;
            let arrived = path == CONFIRM && what == "die_after";
            let expected = if arrived { both("confirmed", "captured") } else { both("cancelled", "failed") };
            assert_eq!(shop.sees(&order.id()).await, expected, "{path} {what}");
            shop.agrees().await;
        }
        for what in ["die_before", "die_after"] {
            let order = shop.order("pm_card_visa").await.expect(201).id();
            shop.stripe.suffers(what, "POST", REFUNDS, 1).await;
            shop.stage.bob().cancels(&order).await.expect(200);
            assert_eq!(shop.sees(&order).await, both("cancelled", "captured"));
            shop.stripe.restart();
            shop.settles().await;
            assert_eq!(shop.sees(&order).await, both("cancelled", "refunded"), "{what}");
            shop.agrees().await;
        }
    }

    async fn webhooks_are_heard_once_however_they_come(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        // Before the answer, which never comes.
        shop.stripe.suffers("cut_after", "POST", CONFIRM, 1).await;
        shop.stripe.suffers("cut_before", "GET", ONE_INTENT, 1).await;
        let order = shop.order("pm_card_visa").await.expect(201);
        assert_eq!(order.body["paymentStatus"], "pending");
        let order = order.id();
        let [sent] = &shop.stripe.sent("payment_intent.succeeded", 1).await[..] else { panic!("one") };
        // Forged: another body, another time, another secret's signature, none.
        let foreign = sent.body.replace("succeeded", "succeeded ");
        shop.delivers_as(&sent.signature, &foreign).await.refused(400, "INVALID_SIGNATURE");
        let (time, hex) = sent.signature.split_once(",v1=").unwrap();
        let time: i64 = time.strip_prefix("t=").unwrap().parse().unwrap();
        shop.delivers_as(&format!("t={},v1={hex}", time + 1), &sent.body).await.refused(400, "INVALID_SIGNATURE");
        let turned: String = hex.chars().rev().collect();
        shop.delivers_as(&format!("t={time},v1={turned}"), &sent.body).await.refused(400, "INVALID_SIGNATURE");
        shop.delivers_as("", &sent.body).await.refused(400, "INVALID_SIGNATURE");
        assert_eq!(shop.sees(&order).await, both("pending", "pending"));
        // Beside a signature by a secret that was rolled.
        let rolled = format!("t={time},v1={turned},v1={hex}");
        shop.delivers_as(&rolled, &sent.body).await.expect(204);
        assert_eq!(shop.sees(&order).await, both("confirmed", "captured"));
        for _ in 0..3 {
            shop.delivers(sent).await.expect(204);
        }
        assert_eq!(shop.stage.events("payment.processed").await.len(), 1);
        // Replayed by somebody who has kept it.
        shop.stage.clock.advance(MINUTE * 6);
        shop.delivers(sent).await.refused(400, "STALE_SIGNATURE");
        shop.settles().await;
        shop.agrees().await;
    }

    async fn what_happens_at_stripe_alone_is_heard_or_found(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        // The buyer's client pays; one webhook comes, one is lost.
        let (heard, found) = (shop.order("deferred").await.expect(201).id(), shop.order("deferred").await.expect(201).id());
        for order in [&heard, &found] {
            let intent = shop.stage.bob().intent(order).await;
            shop.stripe.pays_by_itself(&intent, "pm_card_visa").await;
        }
        let intent = shop.stage.intent_of(&heard).await;
        let sent = shop.stripe.sent("payment_intent.succeeded", 2).await;
        let of_it = sent.iter().find(|sent| sent.event()["data"]["object"]["id"] == json!(intent));
        shop.delivers(of_it.unwrap()).await.expect(204);
        assert_eq!(shop.sees(&heard).await, both("confirmed", "captured"));
        // Somebody gives money back there.
        shop.stripe.gives_back_by_itself(&intent, 210).await;
        let [refunded] = &shop.stripe.sent("charge.refunded", 1).await[..] else { panic!("one") };
        for _ in 0..2 {
            shop.delivers(refunded).await.expect(204);
        }
        assert_eq!(shop.sees(&heard).await, both("confirmed", "partially_refunded"));
        assert_eq!(shop.stage.bob().sees_refunds(&heard).await[0]["amount"], json!(2.1));
        assert_eq!(shop.sees(&found).await, both("pending", "pending"));
        shop.stage.sweep_after(MINUTE * 31).await;
        assert_eq!(shop.sees(&found).await, both("confirmed", "captured"), "giving it up found it paid");
        shop.agrees().await;
    }

    async fn a_refund_that_fails_at_stripe_days_later_is_heard(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let order = shop.order("pm_card_visa").await.expect(201).id();
        let clerk = shop.stage.clerk();
        clerk.refunds(&order, json!({"amount": 2})).await.expect(201);
        let made = shop.stripe.objects("refund").await;
        shop.stripe.sends_back(made[0]["id"].as_str().unwrap()).await;
        let failed = shop.stripe.sent("refund.failed", 1).await;
        let updated = shop.stripe.sent("charge.refund.updated", 1).await;
        for sent in [&updated[0], &failed[0], &updated[0]] {
            shop.delivers(sent).await.expect(204);
        }
        assert_eq!(shop.sees(&order).await, both("confirmed", "captured"));
        let told = shop.stage.events("payment.refund_failed").await;
        assert_eq!((told.len(), &told[0]["amount"]), (1, &json!(2.0)));
        assert!(text(&told[0]["reason"]).contains("lost_or_stolen_card"), "{told:?}");
        assert_eq!(clerk.refunds(&order, json!({"amount": 11.1})).await.expect(201).body["status"], "succeeded");
        assert_eq!(shop.sees(&order).await, both("confirmed", "refunded"));
    }

    async fn a_dispute_at_stripe_is_told(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let order = shop.order("pm_card_visa").await.expect(201).id();
        let intent = shop.stage.intent_of(&order).await;
        for (status, kind) in [("needs_response", "charge.dispute.created"), ("lost", "charge.dispute.closed")] {
            shop.stripe.is_disputed(&intent, status).await;
            let [sent] = &shop.stripe.sent(kind, 1).await[..] else { panic!("one") };
            shop.delivers_as(&sent.signature, &sent.body.replace("fraudulent", "general")).await.refused(400, "INVALID_SIGNATURE");
            for _ in 0..2 {
                shop.delivers(sent).await.expect(204);
            }
        }
        let told = shop.stage.events("payment.disputed").await;
        let seen: Vec<_> = told.iter().map(|event| (text(&event["status"]), text(&event["reason"]), event["amount"].clone())).collect();
        let of = |status: &str| (status.to_owned(), "fraudulent".to_owned(), json!(11.1));
        assert_eq!(seen, [of("needs_response"), of("lost")]);
        assert!(told[0]["respondBy"].is_string());
        shop.agrees().await;
    }

    async fn a_refusal_at_stripe_is_heard_late_and_early(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let order = shop.order("deferred").await.expect(201).id();
        let intent = shop.stage.bob().intent(&order).await;
        shop.stripe.pays_by_itself(&intent, "pm_card_chargeDeclined").await;
        let [refused] = &shop.stripe.sent("payment_intent.payment_failed", 1).await[..] else { panic!("one") };
        shop.delivers(refused).await.expect(204);
        assert_eq!(shop.sees(&order).await, both("pending", "pending"), "there is time for another card");
        shop.stage.bob().confirms(&intent, "pm_card_visa").await.expect(200);
        shop.delivers(refused).await.expect(204);
        assert_eq!(shop.sees(&order).await, both("confirmed", "captured"));
        shop.agrees().await;
    }

    async fn many_buy_while_stripe_falters(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        for (what, method, path) in [("cut_after", "POST", CONFIRM), ("fail_before", "POST", INTENTS), ("cut_before", "GET", ONE_INTENT)] {
            shop.stripe.suffers(what, method, path, 6).await;
        }
        let mut placed = Vec::new();
        for number in 0..20 {
            let method = if number % 5 == 4 { "pm_card_chargeDeclined" } else { "pm_card_visa" };
            let seen = shop.order(method).await;
            assert!([201, 402].contains(&seen.status), "{}", seen.text);
            if seen.status == 201 && number % 3 == 0 {
                placed.push(seen.id());
            }
        }
        for order in placed {
            shop.stage.bob().cancels(&order).await;
        }
        shop.settles().await;
        shop.agrees().await;
    }

    async fn a_key_that_is_not_taken_harms_nobody(db: TestDatabase) {
        let stripe = StripeServer::start();
        let settings = stoa_drivers::stripe::StripeSettings { secret_key: "pk_wrong".into(), ..stripe.settings() };
        let stage = Stage::paid_at(&db, Arc::new(Stripe::new(settings).unwrap()));
        let shop = Shop { pot: stage.product(100, 1_000).await, stage, stripe };
        let order = shop.order("pm_card_visa").await.expect(201);
        assert_eq!(order.body["paymentStatus"], "pending");
        shop.settles().await;
        assert_eq!(shop.sees(&order.id()).await, both("cancelled", "failed"));
        assert_eq!(shop.stripe.objects("payment_intent").await, Vec::<Value>::new());
        shop.agrees().await;
    }
}
