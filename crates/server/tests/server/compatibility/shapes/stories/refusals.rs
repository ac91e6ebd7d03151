//! Every call of the document, refused in every way that works the same for all of them.

use super::super::{
    document::Operation,
    recorder::{Person, Recorder},
};
use stoa_testing::json;

/// More bytes than a body may have in these tests.
pub(in super::super) const TOO_LONG: usize = 70_000;

/// What ends the session that all the others need.
const ENDS_THE_SESSION: &str = "POST /api/auth/logout-all";

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    // Whoever sits on the server's own machine may see more.
    let anon = shop.anon().with("x-forwarded-for", "198.51.100.7");
    let forged = anon.with("authorization", "Bearer nonsense");
    let elsewhere = anon.with("x-api-key", &key_for_another_network(admin).await);
    let shopper = shop.shopper("plain").await;
    let document = shop.document.as_ref().unwrap();
    for operation in document.operations() {
        is_asked_badly(admin, operation).await;
        if operation.is_open() {
            asks(&forged, operation, None).await;
        } else {
            asks(&anon, operation, None).await;
        }
        asks(&elsewhere, operation, None).await;
        if operation.call() != ENDS_THE_SESSION {
            asks(&shopper, operation, None).await;
        }
        if operation.path.contains('{') {
            asks(admin, operation, shop.body_of(&operation.call())).await;
        }
        if operation.is_list() && !operation.needs_more() {
            // What is listed may still be on its way.
            shop.app.settle().await;
            is_paged(admin, operation).await;
        }
    }
}

/// A list by number of page, which says more of itself, and by a limit, which has something after it.
async fn is_paged(admin: &Person<'_>, operation: Operation<'_>) {
    for query in ["page=1&limit=100", "limit=1&total=true"] {
        admin.call("GET", &format!("{}?{query}", operation.path), None, Some(200)).await;
    }
}

async fn key_for_another_network(admin: &Person<'_>) -> String {
    let key = json!({"name": "far away", "scopes": ["product:read"], "allowedIps": ["203.0.113.0/24"]});
    admin.post("/api/admin/api-keys", key, 201).await.text("key")
}

/// Asks for what is not there, with a body that is not good unless a good one is given.
async fn asks(who: &Person<'_>, operation: Operation<'_>, body: Option<(String, String)>) {
    let nonsense = operation.takes().map(|media| (media.to_owned(), r#"{"nonsense": 1}"#.to_owned()));
    let body = body.or(nonsense);
    let body = body.as_ref().map(|(media, text)| (media.as_str(), text.clone()));
    who.call(operation.method, &operation.path_to_nothing(), body, None).await;
}

/// Addresses and bodies that nothing can be made of.
async fn is_asked_badly(admin: &Person<'_>, operation: Operation<'_>) {
    let path = operation.path_to_nothing();
    let query = if path.contains('?') { "&" } else { "?" };
    admin.call(operation.method, &format!("{path}{query}x=%00"), None, Some(400)).await;
    let Some(media) = operation.takes() else { return };
    for (media, text) in [
        (media, "{".to_owned()),
        (media, r#"{"nonsense": 1}"#.to_owned()),
        ("text/plain", "x".to_owned()),
        (media, "x".repeat(TOO_LONG)),
    ] {
        admin.call(operation.method, &path, Some((media, text)), None).await;
    }
}
