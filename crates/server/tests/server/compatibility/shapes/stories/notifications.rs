//! What people are told, what they want to be told, and what is said to everybody.

use stoa_testing::json;

use super::super::recorder::{Person, Recorder};

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    something_is_announced(admin).await;
    shop.app.settle().await;
    // Whoever bought something has been told of it.
    let ann = shop.anon().signs_in("ann@example.com", super::super::recorder::FIRST).await;
    let told = ann.get("/api/notifications?limit=100", 200).await;
    let path =
        |number: usize| format!("/api/notifications/{}", told.entries()[number]["id"].as_str().unwrap());
    ann.post(&format!("{}/read", path(0)), json!({}), 200).await;
    ann.get("/api/notifications?limit=100&total=true", 200).await;
    ann.act("/api/notifications/read-all", 200).await;
    ann.get("/api/notifications?page=1", 200).await;
    ann.get("/api/notifications?limit=1", 200).await;
    ann.delete(&path(0), 204).await;
    ann.get("/api/notifications/preferences", 200).await;
    let choice = json!({"preferences": [{"kind": "order_shipped", "mail": false}]});
    ann.put("/api/notifications/preferences", choice, 200).await;
}

async fn something_is_announced(admin: &Person<'_>) {
    let announcements = "/api/admin/announcements";
    let sale = json!({"title": "Sale", "message": "Everything must go.", "type": "success"});
    admin.post(announcements, sale, 201).await;
    let closed = json!({"title": "Closed", "message": "On Monday."});
    let id = admin.post(announcements, closed, 201).await.id();
    admin.get(announcements, 200).await;
    admin.get(&format!("{announcements}/{id}"), 200).await;
    admin.delete(&format!("{announcements}/{id}"), 204).await;
}
