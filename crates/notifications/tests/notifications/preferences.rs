//! `/api/notifications/preferences`: what somebody wants to be told, and that it is honoured.

use stoa_testing::{Client, Value, each_engine, json};

use crate::{buys, kinds};

const PATH: &str = "/api/notifications/preferences";

async fn choose(who: &Client, kind: &str, choice: Value) {
    let mut change = choice;
    change["kind"] = json!(kind);
    who.put(PATH, json!({"preferences": [change]})).await.expect(200);
}

fn of<'v>(view: &'v Value, kind: &str) -> &'v Value {
    view["preferences"].as_array().unwrap().iter().find(|one| one["kind"] == kind).unwrap()
}

each_engine! {
    async fn they_are_for_people_who_signed_in(app: TestApp) {
        app.anon().get(PATH).await.refused(401, "AUTHENTICATION_REQUIRED");
        app.anon().put(PATH, json!({"preferences": []})).await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn everything_is_wanted_until_somebody_chooses(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let view = ann.get(PATH).await.expect(200).body;
        let shipped = json!({"kind": "order_shipped", "inApp": true, "mail": true, "fixed": []});
        assert_eq!(of(&view, "order_shipped"), &shipped);
        assert_eq!(of(&view, "security")["fixed"], json!(["mail"]));
        choose(&ann, "order_shipped", json!({"mail": false})).await;
        choose(&ann, "order_shipped", json!({"inApp": false})).await;
        let view = ann.get(PATH).await.expect(200).body;
        assert_eq!((&of(&view, "order_shipped")["inApp"], &of(&view, "order_shipped")["mail"]), (&json!(false), &json!(false)));
        assert_eq!(of(&bob.get(PATH).await.expect(200).body, "order_shipped"), &shipped);
        choose(&ann, "order_shipped", json!({"inApp": true, "mail": true})).await;
        assert_eq!(of(&ann.get(PATH).await.expect(200).body, "order_shipped"), &shipped);
    }

    async fn what_protects_the_account_cannot_be_switched_off(app: TestApp) {
        let ann = app.shopper("ann").await;
        let change = json!({"preferences": [{"kind": "order_shipped", "mail": false}, {"kind": "security", "mail": false}]});
        let refused = ann.put(PATH, change).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.fields(), ["preferences[1].mail"]);
        let view = ann.get(PATH).await.expect(200).body;
        assert_eq!(of(&view, "order_shipped")["mail"], true, "nothing of a refused change is kept");
        ann.put(PATH, json!({"preferences": [{"kind": "announcement", "inApp": false}]})).await.refused(422, "VALIDATION_FAILED");
        ann.put(PATH, json!({"preferences": [{"kind": "weather", "mail": false}]})).await.expect(422);
        ann.put(PATH, json!({"preferences": [{"kind": "security", "fax": false}]})).await.expect(422);
        let many: Vec<Value> = (0..51).map(|_| json!({"kind": "low_stock", "mail": true})).collect();
        ann.put(PATH, json!({"preferences": many})).await.refused(422, "VALIDATION_FAILED");
    }

    async fn the_mails_of_orders_honour_them(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let tea = app.product("9.90", 50).await;
        choose(&ann, "order_confirmed", json!({"mail": false})).await;
        buys(&ann, &tea).await;
        buys(&bob, &tea).await;
        let confirmations: Vec<_> = app.mails().await.into_iter().filter(|mail| mail.subject.contains("your order")).collect();
        let to: Vec<_> = confirmations.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(to, ["bob@example.com"]);
        assert_eq!(kinds(app, &ann).await, ["order_confirmed"], "the list is another way");
    }

    async fn the_list_honours_them(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        choose(&ann, "order_confirmed", json!({"inApp": false})).await;
        choose(&admin, "out_of_stock", json!({"inApp": false, "mail": false})).await;
        buys(&ann, &app.product("9.90", 1).await).await;
        assert!(kinds(app, &ann).await.is_empty());
        assert!(!kinds(app, &admin).await.contains(&"out_of_stock".to_owned()));
        let mails = app.mails().await;
        assert!(mails.iter().any(|mail| mail.to == "ann@example.com" && mail.subject.contains("your order")));
        assert!(!mails.iter().any(|mail| mail.to == "admin@example.com" && mail.subject.contains("None left")), "{mails:?}");
        assert!(mails.iter().any(|mail| mail.to == "clerk@example.com" && mail.subject.contains("None left")));
    }
}
