//! Pictures of people, and of products.

use stoa_testing::{Form, each_engine, json};

use crate::{all_agrees, nothing_is_left, opens, samples, sends, sent, sent_in_private, stored, text};

const AVATAR: &str = "/api/users/avatar";

each_engine! {
    async fn somebody_wears_the_picture_they_sent(app: TestApp) {
        let ann = app.shopper("ann").await;
        let form = |field: &str| Form::new().file(field, "me.jpg", "image/jpeg", &samples::jpeg(900, 600));
        let user = ann.post_form(AVATAR, form("file")).await.expect(200).body;
        assert_eq!(user["id"], ann.user_id());
        let url = text(&user, "avatarUrl").to_owned();
        let shown = app.anon().get(&format!("{url}?format=png")).await.expect(200);
        let picture = image::load_from_memory(&shown.bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (400, 400));
        assert_eq!(text(&ann.get("/api/users/profile").await.expect(200).body, "avatarUrl"), url);
        opens(&ann, "tea", "public").await;
        ann.post("/api/messages", json!({"room": "tea", "content": "Look at me"})).await.expect(201);
        let worn = async || ann.get("/api/messages?room=tea").await.expect(200).entries()[0]["sender"]["avatarUrl"].clone();
        assert_eq!(worn().await, json!(url));
        let again = ann.post_form(AVATAR, form("avatar")).await.expect(200).body;
        assert_ne!(text(&again, "avatarUrl"), url);
        assert_eq!(worn().await, again["avatarUrl"], "messages show it at once");
        app.anon().get(&url).await.refused(404, "FILE_NOT_FOUND");
        app.settle().await;
        assert_eq!(stored(app).await.iter().filter(|key| !key.starts_with("renditions")).count(), 2, "the one before is gone");
        all_agrees(app).await;
    }

    async fn only_pictures_are_worn(app: TestApp) {
        let ann = app.shopper("ann").await;
        app.anon().post_form(AVATAR, Form::new().file("file", "a.png", "image/png", &samples::png(9, 9))).await.refused(401, "AUTHENTICATION_REQUIRED");
        ann.post_form(AVATAR, Form::new().file("file", "a.pdf", "application/pdf", samples::PDF)).await.refused(415, "FILE_TYPE_NOT_ALLOWED");
        ann.post_form(AVATAR, Form::new().file("file", "a.png", "image/png", &samples::huge_png())).await.refused(422, "PICTURE_TOO_LARGE");
        ann.post(AVATAR, json!({})).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(ann.get("/api/users/profile").await.body["avatarUrl"], json!(null));
        nothing_is_left(app).await;
    }

    async fn products_are_shown_by_files(app: TestApp) {
        let admin = app.admin().await;
        let product = app.product("9.90", 5).await;
        let picture = sends(&admin, "tea.png", "image/png", &samples::png(9, 9)).await.expect(201).body;
        let images = async |images: serde_json::Value| {
            admin.put(&format!("/api/products/{product}/images"), json!({"images": images})).await
        };
        let shown = images(json!([picture["id"], "https://cdn.example/a.jpg"])).await.expect(200).body;
        assert_eq!(shown["images"], json!([picture["url"], "https://cdn.example/a.jpg"]));
        let (words, hidden) = (sent(&admin, "words").await, sent_in_private(&admin, "hidden").await);
        for bad in [&words["id"], &hidden["id"], &json!("0198c2d1-0000-7000-8000-000000000001"), &json!("javascript:alert(1)")] {
            assert_eq!(images(json!([bad])).await.refused(422, "VALIDATION_FAILED").fields(), ["images"]);
        }
    }
}
