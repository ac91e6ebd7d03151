//! The first, flat surface.

use stoa_testing::json;

use super::super::recorder::{FIRST, Recorder};

pub(super) async fn tell(shop: &Recorder<'_>) {
    let anon = shop.anon();
    let ada = json!({"username": "ada", "email": "ada@example.com", "password": FIRST});
    anon.post("/register", ada.clone(), 201).await;
    anon.post("/register", ada, 409).await;
    let bob = json!({"username": "bob", "email": "bob@example.com", "password": FIRST});
    anon.post("/register", bob, 201).await;
    let login = json!({"email": "ada@example.com", "password": FIRST});
    let token = anon.post("/login", login, 200).await.text("token");
    anon.post("/login", json!({"email": "ada@example.com", "password": "wrong"}), 401).await;

    let ada = anon.with("authorization", &format!("Bearer {token}"));
    ada.get("/profile", 200).await;
    ada.patch("/profile", json!({"name": "Ada Lovelace"}), 200).await;
    ada.patch("/profile", json!({"username": "bob"}), 409).await;
    ada.get("/protected", 200).await;

    for path in ["/upload", "/upload/multiple"] {
        ada.call("POST", path, Some(("multipart/form-data; boundary=x", "--x--".into())), Some(501)).await;
    }
    ada.get("/files", 501).await;
    for path in ["/files/{id}", "/upload/{filename}"] {
        ada.call("DELETE", path, None, Some(501)).await;
    }

    anon.get("/profile", 401).await;
    anon.get("/protected", 401).await;
    anon.patch("/profile", json!({"name": "Eve"}), 401).await;
    for (who, method, path) in
        [(&anon, "POST", "/register"), (&anon, "POST", "/login"), (&ada, "PATCH", "/profile")]
    {
        let body = |text: &str| text.to_owned();
        who.call(method, path, Some(("application/json", body("{"))), Some(400)).await;
        who.call(method, path, Some(("application/json", body(r#"{"nonsense": 1}"#))), Some(422)).await;
        who.call(method, path, Some(("text/plain", body("x"))), Some(415)).await;
        who.call(method, path, Some(("application/json", "x".repeat(super::refusals::TOO_LONG))), Some(413))
            .await;
    }
    anon.call_outside("a method that v0 does not have", "DELETE", "/profile", 405).await;
    super::platform::uses_up(&anon, "/login").await;
}
