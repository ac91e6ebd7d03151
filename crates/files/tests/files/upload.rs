//! `POST /api/files/upload`, `/upload/multiple` and `POST /api/files`.

use image::ImageFormat;
use stoa_testing::{Form, each_engine, json};

use crate::{all_agrees, nothing_is_left, opens, samples, sends, sent, sha256, spooled, stored, text};

each_engine! {
    async fn a_document_is_kept_as_it_came(app: TestApp) {
        let ann = app.shopper("ann").await;
        let answer = sends(&ann, "Résumé.pdf", "application/pdf", samples::PDF).await.expect(201);
        let (file, id) = (answer.body.clone(), answer.id());
        let expected = json!({
            "id": id, "filename": format!("{id}.pdf"), "originalName": "Résumé.pdf", "url": format!("/files/{id}.pdf"),
            "size": samples::PDF.len(), "contentType": "application/pdf", "checksum": sha256(samples::PDF),
            "visibility": "public", "createdAt": "2026-01-15T12:00:00.000Z", "uploadedAt": "2026-01-15T12:00:00.000Z",
        });
        assert_eq!(file, expected);
        assert_eq!(answer.said("location"), format!("/api/files/{id}"));
        assert_eq!(stored(app).await, [format!("2026/01/15/{id}.pdf")]);
        assert_eq!(spooled(app), 0);
        let event = &app.events("file.uploaded").await[0];
        assert_eq!((&event["fileId"], &event["userId"]), (&json!(id), &json!(ann.user_id())));
        let content = app.anon().get(text(&file, "url")).await.expect(200);
        assert_eq!(content.bytes, samples::PDF);
        all_agrees(app).await;
    }

    async fn a_picture_is_made_small_and_has_a_thumbnail(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "Photo.JPG", "image/jpeg", &samples::jpeg(2_400, 1_200)).await.expect(201).body;
        let id = text(&file, "id");
        assert_eq!((&file["width"], &file["height"]), (&json!(1_200), &json!(600)));
        assert_eq!((text(&file, "contentType"), text(&file, "originalName")), ("image/webp", "Photo.JPG"));
        assert_eq!(text(&file, "thumbnailUrl"), format!("/files/{id}_thumb.webp"));
        let content = app.anon().get(text(&file, "url")).await.expect(200);
        assert_eq!(content.said("content-type"), "image/webp");
        assert_eq!((sha256(&content.bytes), content.bytes.len()), (text(&file, "checksum").to_owned(), usize::try_from(file["size"].as_u64().unwrap()).unwrap()));
        let small = app.anon().get(text(&file, "thumbnailUrl")).await.expect(200);
        assert_eq!((&small.bytes[..4], &small.bytes[8..12]), (b"RIFF".as_slice(), b"WEBP".as_slice()));
        assert_eq!(stored(app).await, [format!("2026/01/15/{id}.webp"), format!("2026/01/15/{id}_thumb.webp")]);
        all_agrees(app).await;
    }

    async fn originals_are_kept_for_their_owners_where_that_is_wanted(app: TestApp, |settings| {
        settings.files.keep_originals = true;
    }) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let bytes = samples::jpeg(300, 200);
        let file = sends(&ann, "photo.jpg", "image/jpeg", &bytes).await.expect(201).body;
        let original = format!("/files/{}_original.jpg", text(&file, "id"));
        assert_eq!(ann.get(&original).await.expect(200).bytes, bytes);
        assert_eq!(ann.get(&original).await.said("cache-control"), "private, no-store");
        for other in [&bob, &app.anon()] {
            other.get(&original).await.expect(404);
        }
        all_agrees(app).await;
    }

    async fn every_kind_that_is_taken_is_what_its_bytes_say(app: TestApp) {
        let ann = app.shopper("ann").await;
        let mp4 = [b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".as_slice(), &[0; 600]].concat();
        let webm = [b"\x1A\x45\xDF\xA3\x9f\x42\x86\x81\x01\x42\x82\x84webm".as_slice(), &[0; 600]].concat();
        let xlsx = samples::archive(&["[Content_Types].xml", "xl/workbook.xml"], 10);
        for (name, declared, bytes, served) in [
            ("a.pdf", "application/pdf", samples::PDF.to_vec(), "application/pdf"),
            ("a.docx", "application/octet-stream", samples::document(), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("a.xlsx", "application/zip", xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("a.mp4", "video/mp4", mp4, "video/mp4"),
            ("a.webm", "video/webm", webm, "video/webm"),
            ("a.txt", "text/plain; charset=utf-8", "Grüße\n".into(), "text/plain; charset=utf-8"),
            ("a.png", "image/png", samples::png(10, 10), "image/webp"),
            ("a.gif", "image/gif", samples::encoded(&samples::picture(10, 10), ImageFormat::Gif), "image/webp"),
            ("no ending", "image/jpeg", samples::jpeg(10, 10), "image/webp"),
        ] {
            let file = sends(&ann, name, declared, &bytes).await.expect(201).body;
            assert_eq!(text(&file, "contentType"), served, "{name}");
            let content = app.anon().get(text(&file, "url")).await.expect(200);
            assert_eq!(content.said("content-type"), served, "{name}");
        }
        all_agrees(app).await;
    }

    async fn several_are_kept_together_or_not_at_all(app: TestApp) {
        let ann = app.shopper("ann").await;
        let two = Form::new().file("files", "a.txt", "text/plain", b"one").file("files", "a.txt", "text/plain", b"two");
        let answer = ann.post_form("/api/files/upload/multiple", two).await.expect(201);
        let sizes: Vec<_> = answer.entries().iter().map(|file| text(file, "checksum").to_owned()).collect();
        assert_eq!(sizes, [sha256(b"one"), sha256(b"two")]);
        assert_eq!(stored(app).await.len(), 2);
        let bad = Form::new().file("files", "a.txt", "text/plain", b"three").file("files", "b.png", "image/png", samples::PROGRAM);
        ann.post_form("/api/files/upload/multiple", bad).await.refused(415, "FILE_TYPE_NOT_ALLOWED");
        let many = (0..11).fold(Form::new(), |form, number| form.file("files", &format!("{number}.txt"), "text/plain", b"x"));
        ann.post_form("/api/files/upload/multiple", many).await.refused(422, "TOO_MANY_FILES");
        let ten = (0..10).fold(Form::new(), |form, number| form.file("files", &format!("{number}.txt"), "text/plain", b"x"));
        ann.post_form("/api/files/upload/multiple", ten).await.expect(201);
        assert_eq!((stored(app).await.len(), spooled(app)), (12, 0));
        all_agrees(app).await;
    }

    async fn every_version_and_either_address_takes_files(app: TestApp) {
        let ann = app.shopper("ann").await;
        let form = || Form::new().file("file", "a.txt", "text/plain", b"hello");
        let first = ann.post_form("/api/v1/files", form()).await.expect(201);
        assert_eq!((&first.body["success"], &first.body["data"]["size"]), (&json!(true), &json!(5)));
        ann.post_form("/api/files", form()).await.expect(201);
        let several = ann.post_form("/api/v1/files/upload/multiple", Form::new().file("files", "a.txt", "text/plain", b"x")).await.expect(201);
        assert_eq!(several.body["data"][0]["size"], 1);
    }

    async fn who_may_not_send_is_told_before_the_body_is_read(app: TestApp) {
        let form = || Form::new().file("file", "a.txt", "text/plain", b"hello");
        app.anon().post_form("/api/files/upload", form()).await.refused(401, "AUTHENTICATION_REQUIRED");
        let admin = app.admin().await;
        let key = admin.post("/api/admin/api-keys", json!({"name": "till", "scopes": ["file:create"]})).await.expect(201);
        let machine = app.anon().with_header("x-api-key", text(&key.body, "key"));
        machine.post_form("/api/files/upload", form()).await.refused(403, "FORBIDDEN");
        nothing_is_left(app).await;
    }

    async fn files_that_are_shown_come_with_a_message(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let room = opens(&ann, "tea", "public").await;
        let form = Form::new().text("room", "tea").file("file", "Menu.pdf", "application/pdf", samples::PDF);
        let file = ann.post_form("/api/files/upload", form).await.expect(201).body;
        let message = ann.get(&format!("/api/messages/{}", text(&file, "messageId"))).await.expect(200).body;
        assert_eq!((&message["type"], &message["content"], &message["room"]), (&json!("file"), &json!("Menu.pdf"), &json!(room)));
        assert_eq!((&message["file"]["id"], &message["file"]["url"]), (&file["id"], &file["url"]));
        let event = &app.events("chat.message_sent").await[0];
        assert_eq!(event["message"]["file"]["id"], file["id"]);
        let form = || Form::new().file("file", "Menu.pdf", "application/pdf", samples::PDF).text("room", "tea");
        bob.post_form("/api/files/upload", form()).await.refused(403, "NOT_A_MEMBER");
        let nowhere = Form::new().file("file", "Menu.pdf", "application/pdf", samples::PDF).text("room", "nowhere");
        bob.post_form("/api/files/upload", nowhere).await.refused(404, "ROOM_NOT_FOUND");
        let said = form().text("content", "Our menu").text("clientId", "c-1");
        let message = ann.post_form("/api/files/upload", said).await.expect(201).body;
        let message = ann.get(&format!("/api/messages/{}", text(&message, "messageId"))).await.expect(200).body;
        assert_eq!(message["content"], "Our menu");
        ann.post_form("/api/files/upload", form().text("clientId", "c-1")).await.refused(409, "MESSAGE_SENT");
        app.settle().await;
        assert_eq!(stored(app).await.len(), 2, "what was refused is not kept");
        all_agrees(app).await;
    }

    async fn uploads_are_limited_per_hour(app: TestApp, |settings| {
        settings.rate_limits = true;
        settings.http.limits.upload.max = 2;
    }) {
        let ann = app.shopper("ann").await;
        for _ in 0..2 {
            sent(&ann, "hello").await;
        }
        let refused = sends(&ann, "a.txt", "text/plain", b"more").await.refused(429, "RATE_LIMITED");
        assert!(refused.header("retry-after").is_some());
    }
}
