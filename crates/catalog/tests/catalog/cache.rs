//! Cached answers: found again, and never stale after a write.

use stoa_testing::{Answer, Client, at_once, json};

use crate::{made, offered};

/// Asks until the answer comes from the cache. Where events take their time, a node hears of its own writes a moment
/// later and forgets once more than it must.
pub(crate) async fn found_again(client: &Client, path: &str) -> Answer {
    for _ in 0..50 {
        let answer = client.get(path).await.expect(200);
        if answer.header("x-cache") == Some("HIT") {
            return answer;
        }
    }
    panic!("{path} is never found again");
}

stoa_testing::each_engine! {

async fn an_answer_is_found_again(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    for path in [lamp.as_str(), "/api/products", "/api/products?sortBy=price&limit=5", "/api/categories", "/api/categories/tree"] {
        let first = app.anon().get(path).await.expect(200);
        assert_eq!(first.header("x-cache"), Some("MISS"), "{path}");
        let again = found_again(&app.anon(), path).await;
        assert_eq!((&first.text, first.header("etag")), (&again.text, again.header("etag")), "{path}");
        assert!(first.header("etag").is_some(), "{path}");
    }
}

async fn what_may_be_seen_is_kept_apart(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    let mut body = offered("Lamp", 10.0, 3);
    body["status"] = json!("DRAFT");
    let lamp = made(&admin, body).await;
    for _ in 0..2 {
        assert_eq!(admin.get("/api/products").await.entries().len(), 1);
        assert_eq!(bob.get("/api/products").await.entries().len(), 0);
        admin.get(&lamp).await.expect(200);
        bob.get(&lamp).await.expect(404);
    }
    let (shopper, guest) = (found_again(&bob, "/api/products").await, found_again(&app.anon(), "/api/products").await);
    assert_eq!(shopper.text, guest.text);
}

async fn an_answer_is_never_stale_after_a_write(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    for number in 0..20 {
        app.anon().get(&lamp).await.expect(200);
        app.anon().get("/api/products").await.expect(200);
        let change = if number % 2 == 0 { json!({"name": format!("Lamp {number}")}) } else { json!({"stock": number}) };
        let now = admin.patch(&lamp, change).await.expect(200);
        assert_eq!(app.anon().get(&lamp).await.text, now.text);
        assert_eq!(app.anon().get("/api/products").await.entries()[0], now.body);
    }
    admin.patch(&format!("{lamp}/stock"), json!({"quantityChange": 100})).await.expect(200);
    assert_eq!(app.anon().get(&lamp).await.body["stock"], 119);
    made(&admin, offered("Chair", 1.0, 1)).await;
    assert_eq!(app.anon().get("/api/products").await.entries().len(), 2);
    admin.delete(&lamp).await.expect(204);
    app.anon().get(&lamp).await.expect(404);
    assert_eq!(app.anon().get("/api/products").await.entries().len(), 1);
}

async fn race_of_readers_and_a_writer_shows_nothing_older_than_acknowledged(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 0)).await;
    for stock in 1..=15_i64 {
        let readers = (0..8).map(|_| {
            let (anon, lamp) = (app.anon(), lamp.clone());
            async move { anon.get(&lamp).await.body["stock"].as_i64().unwrap() }
        });
        let reading = tokio::spawn(at_once(readers.collect::<Vec<_>>()));
        admin.patch(&lamp, json!({"stock": stock})).await.expect(200);
        assert_eq!(app.anon().get(&lamp).await.body["stock"], stock, "after the write was answered");
        let during = reading.await.unwrap();
        assert!(during.iter().all(|seen| *seen == stock || *seen == stock - 1), "{during:?}");
    }
}

async fn categories_are_never_stale_either(app: TestApp) {
    let admin = app.admin().await;
    assert_eq!(app.anon().get("/api/categories").await.entries().len(), 0);
    admin.post("/api/categories", json!({"name": "Home"})).await.expect(201);
    assert_eq!(app.anon().get("/api/categories").await.entries().len(), 1);
    assert_eq!(app.anon().get("/api/categories/home").await.body["name"], "Home");
    admin.patch("/api/categories/home", json!({"name": "House"})).await.expect(200);
    assert_eq!(app.anon().get("/api/categories/home").await.body["name"], "House");
    assert_eq!(app.anon().get("/api/categories/tree").await.body[0]["name"], "House");
    admin.delete("/api/categories/home").await.expect(204);
    app.anon().get("/api/categories/home").await.refused(404, "CATEGORY_NOT_FOUND");
}

async fn a_rush_leaves_no_stale_stock(app: TestApp) {
    let lamp = app.product("9.90", 5).await;
    let path = format!("/api/products/{lamp}");
    assert_eq!(app.anon().get(&path).await.body["stock"], 5);
    let admin = app.admin().await;
    let stock = format!("{path}/stock");
    at_once((0..5).map(|_| {
        let (admin, stock) = (admin.clone(), stock.clone());
        async move { admin.patch(&stock, json!({"quantityChange": -1})).await.expect(200) }
    })).await;
    assert_eq!(app.anon().get(&path).await.body["stock"], 0);
    assert_eq!(app.anon().get("/api/products?inStock=true").await.entries().len(), 0);
}

async fn the_cache_is_warm_soon_after_the_start(app: TestApp, |settings| settings.cache.warm = true) {
    while app.platform().cache.stats().fills < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for path in ["/api/products", "/api/categories", "/api/categories/tree"] {
        assert_eq!(app.anon().get(path).await.expect(200).header("x-cache"), Some("HIT"), "{path}");
    }
}

}
