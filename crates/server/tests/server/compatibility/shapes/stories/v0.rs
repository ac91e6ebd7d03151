//! The first, flat surface.

use stoa_testing::json;

use super::{
    super::recorder::{FIRST, Person, Recorder},
    files::{FORM, PDF, TXT, form},
};

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

    files(&anon, &ada).await;

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

/// Files are sent, listed and deleted.
async fn files(anon: &Person<'_>, ada: &Person<'_>) {
    let file = form(&[PDF]);
    let sends = async |who: &Person<'_>, path: &str, form: &str, status: u16| {
        who.call("POST", path, Some((FORM, form.to_owned())), Some(status)).await
    };
    let sent = sends(ada, "/upload", &file, 200).await;
    let several = sends(ada, "/upload/multiple", &form(&[PDF, PDF]), 200).await;
    for path in ["/upload", "/upload/multiple"] {
        sends(ada, path, &form(&[TXT]), 415).await;
        sends(ada, path, &form(&[]), 422).await;
        sends(anon, path, &file, 401).await;
        ada.call("POST", path, Some(("multipart/form-data", file.clone())), Some(400)).await;
    }
    ada.get("/files", 200).await;
    anon.get("/files", 401).await;
    let named = |file: &stoa_testing::Value| file["filename"].as_str().unwrap().to_owned();
    let id = sent.data["file"]["id"].as_str().unwrap().to_owned();
    ada.deletes("/files/{id}", &format!("/files/{id}"), 200).await;
    ada.deletes("/files/{id}", &format!("/files/{id}"), 404).await;
    let filename = named(&several.data["files"][0]);
    ada.deletes("/upload/{filename}", &format!("/upload/{filename}"), 200).await;
    ada.deletes("/upload/{filename}", &format!("/upload/{filename}"), 404).await;
    anon.deletes("/files/{id}", &format!("/files/{id}"), 401).await;
    anon.deletes("/upload/{filename}", &format!("/upload/{filename}"), 401).await;
}
