//! Notifications over real HTTP, on every engine, mirrored on their addresses.
#![cfg(test)]

mod announcements;
mod heard;
mod list;
mod preferences;
mod races;

use stoa_testing::{Client, TestApp, Value, json};

/// Buys one piece and answers the order's id.
async fn buys(buyer: &Client, product: &str) -> String {
    buyer.post("/api/cart/items", json!({"productId": product, "quantity": 1})).await.expect(200);
    let address = json!({
        "fullName": "Ann Buyer", "street": "1 Main St", "city": "Springfield", "state": "IL", "zipCode": "62701",
        "country": "US", "phone": "+1 555 0100"
    });
    let order = json!({"shippingAddress": address, "paymentMethod": "pm_card_visa"});
    buyer.post("/api/orders", order).await.expect(201).id()
}

/// The newest notifications of somebody, after everything has been heard.
async fn told(app: &TestApp, who: &Client) -> Vec<Value> {
    app.settle().await;
    who.get("/api/notifications?limit=100").await.expect(200).entries().to_vec()
}

/// Their kinds, the newest first.
async fn kinds(app: &TestApp, who: &Client) -> Vec<String> {
    told(app, who).await.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}

async fn unread(who: &Client) -> u64 {
    who.get("/api/notifications").await.expect(200).body["unreadCount"].as_u64().unwrap()
}

/// Something said to everybody; answers its id.
async fn announced(admin: &Client, title: &str) -> String {
    let body = json!({"title": title, "message": "Everybody hears this.", "type": "warning"});
    admin.post("/api/admin/announcements", body).await.expect(201).id()
}
