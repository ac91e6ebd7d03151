//! What holds for every call: repeating one safely, addresses that are none, and limits.

use stoa_testing::json;

use super::super::recorder::{Person, Recorder, Version};

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    is_repeated(admin).await;
    let anon = shop.anon();
    anon.call_outside("an address that is none", "GET", "/api/nowhere", 404).await;
    anon.call_outside("a method that a path does not have", "DELETE", "/api/products", 405).await;
    // Before a version is known, v2 speaks.
    if shop.version == Version::V2 {
        anon.call_outside("a version that nobody knows", "GET", "/api/v9/products", 400).await;
    }
}

async fn is_repeated(admin: &Person<'_>) {
    let once = admin.with("idempotency-key", "the same");
    let body = json!({"name": "Once", "slug": "once"});
    once.post("/api/categories", body.clone(), 201).await;
    let again = once.post("/api/categories", body, 201).await;
    assert_eq!(again.answer.header("idempotent-replayed"), Some("true"));
    once.post("/api/categories", json!({"name": "Twice"}), 422).await;
}

/// Asks until it is too often. Last of all, for nobody signs in after it.
pub(super) async fn is_used_up(shop: &Recorder<'_>) {
    let anon = shop.anon();
    for _ in 0..5 {
        anon.post("/api/auth/forgot-password", json!({"email": "nobody@example.com"}), 202).await;
    }
    anon.post("/api/auth/forgot-password", json!({"email": "nobody@example.com"}), 429).await;
    uses_up(&anon, "/api/auth/login").await;
}

/// Sends what is refused without looking at passwords, until the limit for guessing refuses it first.
pub(super) async fn uses_up(anon: &Person<'_>, login: &str) {
    for _ in 0..=super::super::MOST_GUESSES {
        let told = anon.call("POST", login, Some(("application/json", "{}".to_owned())), None).await;
        if told.answer.status == 429 {
            return;
        }
    }
    panic!("{login} can be called without end");
}
