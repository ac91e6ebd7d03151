//! `POST /api/files/presign`, the address it gives, and `POST /api/files/{id}/complete`.

use std::time::Duration;

use reqwest::Method;
use stoa_testing::{Answer, Client, TestApp, Value, at_once, each_engine, json};

use crate::{all_agrees, nothing_is_left, samples, sha256, stored, text};

async fn presigned(who: &Client, name: &str, content_type: &str, size: usize) -> Value {
    let body = json!({"filename": name, "contentType": content_type, "size": size});
    who.post("/api/files/presign", body).await.expect(201).body
}

/// Sends bytes to the address that was given, as a stranger would.
async fn puts(app: &TestApp, upload: &Value, bytes: &[u8]) -> Answer {
    let content_type = text(&upload["headers"], "Content-Type").to_owned();
    app.anon().raw(Method::PUT, text(upload, "url"), &content_type, bytes.to_vec()).await
}

/// Whether the address is the store's own, which judges by itself what it takes.
fn is_of_the_store(upload: &Value) -> bool {
    text(upload, "url").starts_with("http")
}

/// Sends bytes that are taken.
async fn puts_well(app: &TestApp, upload: &Value, bytes: &[u8]) {
    let status = if is_of_the_store(upload) { 200 } else { 204 };
    puts(app, upload, bytes).await.expect(status);
}

async fn completes(who: &Client, upload: &Value) -> Answer {
    who.post(&format!("/api/files/{}/complete", text(upload, "id")), json!({})).await
}

each_engine! {
    async fn what_is_sent_to_the_address_becomes_a_file(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let upload = presigned(&ann, "Report.pdf", "application/pdf", samples::PDF.len()).await;
        assert_eq!((text(&upload, "method"), text(&upload, "expiresAt")), ("PUT", "2026-01-15T13:00:00.000Z"));
        completes(&ann, &upload).await.refused(409, "UPLOAD_NOT_SENT");
        puts_well(app, &upload, samples::PDF).await;
        completes(&bob, &upload).await.refused(404, "UPLOAD_NOT_FOUND");
        let file = completes(&ann, &upload).await.expect(201).body;
        assert_eq!((&file["id"], text(&file, "originalName"), text(&file, "checksum").to_owned()), (&upload["id"], "Report.pdf", sha256(samples::PDF)));
        assert_eq!(completes(&ann, &upload).await.expect(201).body, file, "again it is the same");
        assert_eq!(stored(app).await, [format!("2026/01/15/{}", text(&file, "filename"))]);
        if !is_of_the_store(&upload) {
            puts(app, &upload, samples::PDF).await.refused(404, "UPLOAD_NOT_FOUND");
        }
        all_agrees(app).await;
    }

    async fn pictures_are_made_small_this_way_too(app: TestApp) {
        let ann = app.shopper("ann").await;
        let bytes = samples::png(300, 200);
        let upload = presigned(&ann, "a.png", "image/png", bytes.len()).await;
        puts_well(app, &upload, &bytes).await;
        let file = completes(&ann, &upload).await.expect(201).body;
        assert_eq!((text(&file, "contentType"), &file["width"]), ("image/webp", &json!(300)));
        all_agrees(app).await;
    }

    async fn what_cannot_be_taken_is_refused_before_it_is_sent(app: TestApp) {
        let ann = app.shopper("ann").await;
        let asks = async |name: &str, kind: &str, size: u64| {
            ann.post("/api/files/presign", json!({"filename": name, "contentType": kind, "size": size})).await
        };
        asks("a.exe", "application/octet-stream", 10).await.refused(415, "FILE_TYPE_NOT_ALLOWED");
        asks("a.html", "text/html", 10).await.refused(415, "FILE_TYPE_NOT_ALLOWED");
        asks("a.png", "application/pdf", 10).await.refused(415, "FILE_TYPE_NOT_ALLOWED");
        asks("a.pdf", "application/pdf", 11 * 1024 * 1024).await.refused(413, "FILE_TOO_LARGE");
        asks("a.pdf", "application/pdf", 0).await.refused(422, "VALIDATION_FAILED");
        ann.post("/api/files/presign", json!({"filename": "a.pdf"})).await.refused(422, "VALIDATION_FAILED");
        app.anon().post("/api/files/presign", json!({"filename": "a.pdf", "contentType": "application/pdf", "size": 1})).await.refused(401, "AUTHENTICATION_REQUIRED");
        nothing_is_left(app).await;
    }

    async fn only_what_was_announced_is_taken(app: TestApp) {
        let ann = app.shopper("ann").await;
        let upload = presigned(&ann, "a.txt", "text/plain", 5).await;
        if !is_of_the_store(&upload) {
            puts(app, &upload, b"123456").await.refused(422, "SIZE_MISMATCH");
            puts(app, &upload, b"1234").await.refused(422, "SIZE_MISMATCH");
            let other = app.anon().raw(Method::PUT, text(&upload, "url"), "text/html", "12345").await;
            other.refused(415, "FILE_TYPE_MISMATCH");
            let altered = text(&upload, "url").replace("signature=", "signature=A");
            app.anon().raw(Method::PUT, &altered, "text/plain", "12345").await.refused(403, "INVALID_SIGNATURE");
            let unsigned = text(&upload, "url").split('?').next().unwrap().to_owned();
            app.anon().raw(Method::PUT, &unsigned, "text/plain", "12345").await.refused(403, "INVALID_SIGNATURE");
        }
        let program = presigned(&ann, "a.png", "image/png", samples::PROGRAM.len()).await;
        puts_well(app, &program, samples::PROGRAM).await;
        completes(&ann, &program).await.refused(415, "FILE_TYPE_NOT_ALLOWED");
        completes(&ann, &program).await.refused(404, "UPLOAD_NOT_FOUND");
        nothing_is_left(app).await;
    }

    async fn an_upload_runs_out(app: TestApp) {
        let ann = app.shopper("ann").await;
        let (sent, unsent) = (presigned(&ann, "a.txt", "text/plain", 5).await, presigned(&ann, "b.txt", "text/plain", 5).await);
        puts_well(app, &sent, b"12345").await;
        assert_eq!(stored(app).await.len(), 1);
        all_agrees(app).await;
        app.advance(Duration::from_mins(61)).await;
        if !is_of_the_store(&unsent) {
            puts(app, &unsent, b"12345").await.refused(403, "LINK_EXPIRED");
        }
        let ann = app.sign_in("ann@example.com").await;
        completes(&ann, &sent).await.refused(404, "UPLOAD_NOT_FOUND");
        nothing_is_left(app).await;
    }

    async fn one_of_many_who_complete_it_makes_the_file(app: TestApp) {
        let ann = app.shopper("ann").await;
        let upload = presigned(&ann, "a.txt", "text/plain", 5).await;
        puts_well(app, &upload, b"12345").await;
        let answers = at_once((0..8).map(|_| {
            let (ann, upload) = (ann.clone(), upload.clone());
            async move { completes(&ann, &upload).await }
        }))
        .await;
        for answer in &answers {
            assert!(answer.status == 201 || answer.code() == Some("UPLOAD_IN_PROGRESS"), "{}", answer.text);
        }
        assert!(answers.iter().any(|answer| answer.status == 201));
        assert_eq!(stored(app).await.len(), 1);
        all_agrees(app).await;
    }

    async fn few_are_open_at_once(app: TestApp) {
        let ann = app.shopper("ann").await;
        for _ in 0..100 {
            presigned(&ann, "a.txt", "text/plain", 5).await;
        }
        let body = json!({"filename": "a.txt", "contentType": "text/plain", "size": 5});
        ann.post("/api/files/presign", body).await.refused(409, "TOO_MANY_UPLOADS");
    }
}
