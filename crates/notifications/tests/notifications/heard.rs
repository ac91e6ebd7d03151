//! What becomes a notification, and that it does so once.

use std::time::Duration;

use stoa_contracts::ordering::{PaymentDisputed, PaymentRefundFailed};
use stoa_testing::{PASSWORD, Value, each_engine, json};

use crate::{buys, kinds, told, unread};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

each_engine! {
    async fn a_buyer_hears_of_each_step_of_an_order(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        let tea = app.product("9.90", 50).await;
        let order = buys(&ann, &tea).await;
        let path = format!("/api/orders/{order}");
        assert_eq!(kinds(app, &ann).await, ["order_confirmed"]);
        let newest = &told(app, &ann).await[0];
        assert_eq!(newest["data"]["orderId"], order);
        assert_eq!((&newest["read"], newest.get("readAt")), (&json!(false), None));
        app.clock.advance(Duration::from_secs(1));

        admin.patch(&format!("{path}/status"), json!({"status": "processing"})).await.expect(200);
        admin.put(&format!("{path}/tracking"), json!({"trackingNumber": "1Z9", "carrier": "UPS"})).await.expect(200);
        assert_eq!(kinds(app, &ann).await[0], "order_tracking");
        app.clock.advance(Duration::from_secs(1));
        admin.patch(&format!("{path}/status"), json!({"status": "shipped"})).await.expect(200);
        assert_eq!(kinds(app, &ann).await[0], "order_shipped");
        app.clock.advance(Duration::from_secs(1));
        admin.patch(&format!("{path}/status"), json!({"status": "delivered"})).await.expect(200);
        assert_eq!(kinds(app, &ann).await[0], "order_delivered");
        assert!(!kinds(app, &ann).await.contains(&"processing".to_owned()));
        assert!(told(app, &bob).await.is_empty(), "nobody else hears of it");
    }

    async fn a_cancelled_order_is_told_of_with_its_money(app: TestApp) {
        let ann = app.shopper("ann").await;
        let order = buys(&ann, &app.product("9.90", 50).await).await;
        ann.post(&format!("/api/orders/{order}/cancel"), json!({})).await.expect(200);
        let mut kinds = kinds(app, &ann).await;
        kinds.sort();
        assert_eq!(kinds, ["order_cancelled", "order_confirmed", "order_refunded"]);
    }

    async fn whoever_looks_after_products_hears_of_an_empty_shelf(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        let tea = app.product("9.90", 1).await;
        app.settle().await;
        let before = kinds(app, &admin).await.len();
        buys(&ann, &tea).await;
        let told = told(app, &admin).await;
        assert_eq!(told.len(), before + 1);
        assert_eq!(told[0]["kind"], "out_of_stock");
        assert_eq!((&told[0]["data"]["productId"], &told[0]["data"]["stock"]), (&json!(tea), &json!(0)));
        assert!(told[0]["message"].as_str().unwrap().contains("Tea"));
        let mails = app.mails().await;
        assert!(mails.iter().any(|mail| mail.to == "admin@example.com" && mail.subject == "None left: Tea"), "{mails:?}");
        assert!(mails.iter().all(|mail| mail.to != "ann@example.com" || !mail.subject.contains("left")));
    }

    async fn whoever_looks_after_orders_hears_of_money_in_trouble(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        let order = buys(&ann, &app.product("9.90", 50).await).await;
        app.settle().await;
        let (before, of_ann) = (kinds(app, &admin).await.len(), kinds(app, &ann).await.len());
        let (order_id, user_id) = (order.parse().unwrap(), ann.user_id().parse().unwrap());
        let amount = || serde_json::value::to_raw_value(&9.9).unwrap();
        let occasion = stoa_platform::Occasion::system(&app.platform().clock, &app.platform().random, "test");
        let failed = PaymentRefundFailed {
            order_id, user_id, version: 9, refund_id: occasion.id(), amount: amount(), reason: "the account is closed".into(),
        };
        let disputed = PaymentDisputed {
            order_id, user_id, version: 9, dispute_id: "dp_1".into(), amount: Some(amount()), reason: "fraudulent".into(),
            status: "needs_response".into(), respond_by: Some(stoa_testing::START),
        };
        app.platform().database.write::<_, stoa_platform::database::DatabaseError, _>(move |tx| {
            stoa_platform::events::append(tx, &occasion, &failed)?;
            stoa_platform::events::append(tx, &occasion, &disputed).map(drop)
        }).await.unwrap();
        app.settle().await;
        let told = told(app, &admin).await;
        assert_eq!(told.len(), before + 2);
        let mut heard: Vec<_> = told[..2].iter().map(|told| (text(&told["kind"]), text(&told["data"]["orderId"]), text(&told["message"]))).collect();
        heard.sort();
        assert_eq!((heard[0].0.as_str(), heard[1].0.as_str()), ("payment_disputed", "refund_failed"));
        assert!(heard.iter().all(|(_, of, _)| *of == order));
        assert!(heard[0].2.contains("fraudulent") && heard[1].2.contains("the account is closed"), "{heard:?}");
        assert_eq!(kinds(app, &ann).await.len(), of_ann, "that is not for buyers");
        let unwilling = json!({"preferences": [{"kind": "payment_disputed", "mail": true}]});
        admin.put("/api/notifications/preferences", unwilling).await.refused(422, "VALIDATION_FAILED");
    }

    async fn a_changed_password_is_told_of(app: TestApp) {
        let ann = app.shopper("ann").await;
        let change = json!({"currentPassword": PASSWORD, "newPassword": "An0ther-Horse-Battery"});
        ann.post("/api/auth/change-password", change).await.expect(204);
        app.settle().await;
        let login = json!({"email": "ann@example.com", "password": "An0ther-Horse-Battery"});
        let ann = app.anon().signed_in(app.anon().post("/api/auth/login", login).await.expect(200).body);
        assert_eq!(kinds(app, &ann).await, ["security"]);
    }

    async fn each_notification_is_an_event_of_its_user(app: TestApp) {
        let ann = app.shopper("ann").await;
        buys(&ann, &app.product("9.90", 50).await).await;
        let told = told(app, &ann).await;
        let events = app.events("notification.created").await;
        let own: Vec<_> = events.iter().filter(|event| event["userId"] == ann.user_id()).collect();
        assert_eq!(own.len(), told.len());
        assert_eq!(own[0]["notificationId"], told[0]["id"]);
        assert_eq!((&own[0]["kind"], &own[0]["title"]), (&told[0]["kind"], &told[0]["title"]));
        let user = format!("user:{}", ann.user_id());
        let topics = app.read(move |c| {
            let filter = stoa_platform::events::Filter { types: &["notification.created"], topics: &[user.as_str()] };
            stoa_platform::events::read_after(c, 0, filter, 10)
        });
        assert_eq!(topics.await.len(), 1);
    }

    async fn an_event_heard_twice_is_told_once(app: TestApp) {
        let ann = app.shopper("ann").await;
        buys(&ann, &app.product("9.90", 50).await).await;
        app.settle().await;
        assert_eq!(unread(&ann).await, 1);
        // As when somebody sets the follower back: what it has done it does not do again.
        app.platform().database.write(|tx| tx.execute("UPDATE followers SET pos = 0 WHERE name = 'notifications'", &[])).await.unwrap();
        let bob = app.shopper("bob").await;
        buys(&bob, &app.product("9.90", 50).await).await;
        assert_eq!(kinds(app, &bob).await, ["order_confirmed"]);
        assert_eq!(kinds(app, &ann).await, ["order_confirmed"]);
    }

    async fn what_is_old_is_forgotten(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        buys(&ann, &app.product("9.90", 50).await).await;
        crate::announced(&admin, "Soon forgotten").await;
        assert_eq!(told(app, &ann).await.len(), 2);
        app.advance(Duration::from_hours(91 * 24)).await;
        let ann = app.sign_in("ann@example.com").await;
        assert!(told(app, &ann).await.is_empty());
        assert_eq!(unread(&ann).await, 0);
    }
}
