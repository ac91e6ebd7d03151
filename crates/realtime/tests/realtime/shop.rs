//! The dialect shop: orders, stock, notifications and announcements.

use stoa_testing::{Client, TestApp, each_engine, json};

async fn buys(who: &Client, product: &str, quantity: i64) -> String {
    who.post("/api/cart/items", json!({"productId": product, "quantity": quantity})).await.expect(200);
    let address = json!({
        "fullName": "Ann Smith", "street": "1 Long Road", "city": "Oslo", "state": "", "zipCode": "0150",
        "country": "NO", "phone": "+47 22 00 00 00",
    });
    let order = json!({"shippingAddress": address, "paymentMethod": "pm_card_visa"});
    who.post("/api/orders", order).await.expect(201).id()
}

async fn ships(app: &TestApp, order: &str) {
    let admin = app.admin().await;
    for status in ["processing", "shipped"] {
        let body = json!({"status": status, "details": "On its way"});
        admin.patch(&format!("/api/orders/{order}/status"), body).await.expect(200);
    }
}

each_engine! {
    async fn an_order_moves_before_its_buyers_eyes(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let tea = app.product("9.90", 5).await;
        let order = buys(&ann, &tea, 2).await;
        let (mut a, mut plain, mut b) = (app.socketio(&ann).await, app.plain(&ann).await, app.plain(&bob).await);
        let tracked = a.does("track_order", json!(order)).await;
        assert_eq!((&tracked["orderId"], &tracked["status"]), (&json!(order), &json!("confirmed")));
        plain.does("track_order", json!({"orderId": order})).await;
        b.may_not("track_order", json!(order), "ORDER_NOT_FOUND").await;
        b.may_not("track_order", json!("nonsense"), "BAD_PAYLOAD").await;
        ships(app, &order).await;
        for live in [&mut a, &mut plain] {
            let heard = live.hears("order_status_update").await;
            assert_eq!((&heard.payload["orderId"], &heard.payload["status"]), (&json!(order), &json!("processing")));
            assert!(heard.payload["timestamp"].is_string() && heard.offset.is_some());
            assert_eq!(live.hears("order_status_update").await.payload["status"], "shipped");
        }
        a.does("untrack_order", json!(order)).await;
    }

    async fn stock_moves_before_everybodys_eyes(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let tea = app.product("9.90", 5).await;
        let mut b = app.plain(&bob).await;
        let tracked = b.does("track_inventory", json!(tea)).await;
        assert_eq!((&tracked["productId"], &tracked["quantity"]), (&json!(tea), &json!(5)));
        buys(&ann, &tea, 2).await;
        let heard = b.hears("inventory_update").await;
        assert_eq!((&heard.payload["productId"], &heard.payload["quantity"]), (&json!(tea), &json!(3)));
        assert_eq!(heard.payload["details"], json!({"change": -2, "reason": "sold"}));
        assert!(heard.offset.is_some());
        b.does("untrack_inventory", json!({"productId": tea})).await;
        buys(&ann, &tea, 1).await;
        app.settle().await;
        assert!(!b.heard_so_far().await.iter().any(|heard| heard.word == "inventory_update"));
        b.may_not("track_inventory", json!("01900000-0000-7000-8000-000000000000"), "PRODUCT_NOT_FOUND").await;
        b.may_not("track_inventory", json!(7), "BAD_PAYLOAD").await;
    }

    async fn everybody_hears_their_own_notifications_and_all_announcements(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let tea = app.product("9.90", 5).await;
        let (mut a, mut b) = (app.socketio(&ann).await, app.plain(&bob).await);
        let order = buys(&ann, &tea, 1).await;
        let told = a.hears("real_time_notification").await;
        assert_eq!((&told.payload["type"], &told.payload["data"]["orderId"]), (&json!("order_confirmed"), &json!(order)));
        let kept = ann.get("/api/notifications").await.expect(200);
        assert_eq!(kept.entries()[0]["id"], told.payload["id"]);
        let admin = app.admin().await;
        let words = json!({"title": "Closed", "message": "On Monday", "type": "info"});
        admin.post("/api/admin/announcements", words).await.expect(201);
        for live in [&mut a, &mut b] {
            let told = live.hears("system_announcement").await;
            assert_eq!((&told.payload["title"], &told.payload["message"]), (&json!("Closed"), &json!("On Monday")));
            assert!(told.offset.is_some());
        }
        assert!(!b.heard_so_far().await.iter().any(|heard| heard.word == "real_time_notification"));
    }
}
