//! The main job, whole: a shopper registers, finds, buys, follows and cancels.
#![cfg(test)]

mod surface;

use stoa_testing::{Client, json};

fn address() -> stoa_testing::Value {
    json!({
        "fullName": "Bob Buyer", "street": "1 Stoa Lane", "city": "Athens", "state": "Attica",
        "zipCode": "10555", "country": "GR", "phone": "+30 210 0000000",
    })
}

async fn buys(bob: &Client, product: &str, pieces: i64) -> stoa_testing::Answer {
    bob.post("/api/cart/items", json!({"productId": product, "quantity": pieces})).await;
    bob.post("/api/orders", json!({"shippingAddress": address(), "paymentMethod": "pm_card_visa"})).await
}

stoa_testing::each_engine! {
    async fn a_shopper_finds_buys_follows_and_cancels(app: TestApp) {
        let tea = app.product("19.99", 5).await;
        let bob = app.shopper("bob").await;
        assert_eq!(bob.get("/api/auth/me").await.expect(200).body["email"], "bob@example.com");

        let found = app.anon().get("/api/products?search=tea&inStock=true").await.expect(200);
        assert_eq!(found.entries()[0]["id"], tea.as_str());

        let order = buys(&bob, &tea, 2).await.expect(201);
        assert_eq!(order.body["status"], "confirmed");
        assert_eq!(order.body["paymentStatus"], "captured");
        assert!(order.text.contains("\"subtotal\":39.98"), "{}", order.text);
        assert!(order.text.contains("\"total\":53.98"), "{}", order.text);
        let product = app.anon().get(&format!("/api/products/{tea}")).await.expect(200);
        assert_eq!(product.body["stock"], 3);

        let id = order.id();
        assert_eq!(bob.get(&format!("/api/orders/{id}")).await.expect(200).body["number"], order.body["number"]);
        let eve = app.shopper("eve").await;
        eve.get(&format!("/api/orders/{id}")).await.expect(404);

        let cancelled = bob.post(&format!("/api/orders/{id}/cancel"), json!({})).await.expect(200);
        assert_eq!(cancelled.body["status"], "cancelled");
        assert_eq!(cancelled.body["paymentStatus"], "refunded");
        let product = app.anon().get(&format!("/api/products/{tea}")).await.expect(200);
        assert_eq!(product.body["stock"], 5);

        let subjects: Vec<_> = app.mails().await.into_iter().filter(|mail| mail.to.contains("bob")).collect();
        assert_eq!(subjects.len(), 4, "welcome, verify, confirmation, cancellation: {subjects:?}");
        assert_eq!(app.events("order.placed").await.len(), 1);
    }
}
