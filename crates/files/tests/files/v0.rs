//! The file calls of the first surface.

use stoa_testing::{Client, Form, TestApp, Value, each_engine, json};

use crate::{all_agrees, nothing_is_left, samples, text};

/// Somebody with a token of the first surface.
async fn somebody(app: &TestApp, name: &str) -> Client {
    let body =
        json!({"username": name, "email": format!("{name}@example.com"), "password": stoa_testing::PASSWORD});
    let answer = app.anon().post("/register", body).await.expect(201).body;
    app.anon().bearing(text(&answer, "token"))
}

fn pdf() -> Form {
    Form::new().file("file", "Menu.pdf", "application/pdf", samples::PDF)
}

fn names(files: &Value) -> Vec<&str> {
    files["files"].as_array().unwrap().iter().map(|file| text(file, "originalName")).collect()
}

each_engine! {
    async fn files_are_sent_listed_and_deleted_as_they_were(app: TestApp) {
        let ann = somebody(app, "ann").await;
        let answer = ann.post_form("/upload", pdf()).await.expect(200);
        assert_eq!(answer.said("deprecation"), "@1767225600");
        let id = text(&answer.body["file"], "id").to_owned();
        assert_eq!(answer.body, json!({
            "success": true, "message": "File uploaded successfully", "url": format!("/files/{id}.pdf"),
            "file": {"id": id, "originalName": "Menu.pdf", "filename": format!("{id}.pdf"), "mimetype": "application/pdf",
                     "size": samples::PDF.len(), "url": format!("/files/{id}.pdf")},
        }));
        let several = Form::new().file("files", "a.png", "image/png", &samples::png(9, 9)).file("files", "b.pdf", "application/pdf", samples::PDF);
        let several = ann.post_form("/upload/multiple", several).await.expect(200).body;
        assert_eq!((&several["success"], names(&several)), (&json!(true), vec!["a.png", "b.pdf"]));
        let picture = &several["files"][0];
        app.anon().get(text(picture, "thumbnailUrl")).await.expect(200);
        let mut listed = ann.get("/files").await.expect(200).body;
        listed["files"].as_array_mut().unwrap().sort_by_key(|file| text(file, "originalName").to_owned());
        assert_eq!(names(&listed), ["Menu.pdf", "a.png", "b.pdf"]);
        assert_eq!(ann.delete(&format!("/files/{id}")).await.expect(200).body, json!({"success": true}));
        for file in several["files"].as_array().unwrap() {
            ann.delete(&format!("/upload/{}", text(file, "filename"))).await.expect(200);
        }
        let refused = ann.delete(&format!("/files/{id}")).await.expect(404);
        assert_eq!(refused.body, json!({"error": "There is no such file."}));
        nothing_is_left(app).await;
    }

    async fn they_ask_for_the_same_permissions_as_under_api(app: TestApp) {
        let (ann, admin) = (somebody(app, "ann").await, app.admin().await);
        let file = ann.post_form("/upload", pdf()).await.expect(200).body;
        admin.put("/api/admin/roles/user", json!({"permissions": []})).await.expect(200);
        app.clock.advance(std::time::Duration::from_secs(2));
        for path in ["/upload", "/upload/multiple"] {
            ann.post_form(path, pdf()).await.expect(403);
        }
        ann.get("/files").await.expect(403);
        ann.delete(&format!("/upload/{}", text(&file["file"], "filename"))).await.expect(403);
        all_agrees(app).await;
    }

    async fn they_need_a_token(app: TestApp) {
        let (ann, bob) = (somebody(app, "ann").await, somebody(app, "bob").await);
        let file = ann.post_form("/upload", pdf()).await.expect(200).body;
        for path in ["/upload", "/upload/multiple"] {
            app.anon().post_form(path, pdf()).await.expect(401);
        }
        app.anon().get("/files").await.expect(401);
        let filename = text(&file["file"], "filename");
        app.anon().delete(&format!("/upload/{filename}")).await.expect(401);
        bob.delete(&format!("/upload/{filename}")).await.expect(404);
        assert_eq!(names(&bob.get("/files").await.expect(200).body), [""; 0]);
        assert_eq!(app.anon().get(&format!("/files/{filename}")).await.expect(200).header("deprecation"), None, "content stays");
    }

    async fn fewer_kinds_and_smaller_files_are_taken(app: TestApp) {
        let ann = somebody(app, "ann").await;
        ann.post_form("/upload", Form::new().file("file", "a.txt", "text/plain", b"hello")).await.expect(415);
        let large = [samples::PDF, &vec![b' '; 5 * 1024 * 1024]].concat();
        ann.post_form("/upload", Form::new().file("file", "a.pdf", "application/pdf", &large)).await.expect(413);
        let refused = ann.post_form("/upload", Form::new().text("x", "y")).await.expect(422);
        assert!(refused.body["error"].is_string());
        nothing_is_left(app).await;
    }

    async fn guests_send_files_where_they_may(app: TestApp, |settings| settings.files.guests = true) {
        let file = app.anon().post_form("/upload", pdf()).await.expect(200).body;
        assert_eq!(names(&app.anon().get("/files").await.expect(200).body), ["Menu.pdf"]);
        let ann = somebody(app, "ann").await;
        assert_eq!(names(&ann.get("/files").await.expect(200).body), [""; 0]);
        ann.delete(&format!("/files/{}", text(&file["file"], "id"))).await.expect(404);
        all_agrees(app).await;
        app.anon().delete(&format!("/files/{}", text(&file["file"], "id"))).await.expect(200);
        nothing_is_left(app).await;
    }
}
