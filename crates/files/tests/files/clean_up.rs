//! What is cleared away by the clock, and with people.

use std::time::Duration;

use bytes::Bytes;
use stoa_platform::{params, storage::ObjectKey};
use stoa_testing::{Form, each_engine, json};

use crate::{all_agrees, nothing_is_left, opens, rows, samples, sends, sent, stored, text};

each_engine! {
    async fn files_that_never_came_to_be_are_cleared_away(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "a.png", "image/png", &samples::png(9, 9)).await.expect(201).body;
        // As a crash leaves it between the objects and the word that they are there.
        let id: uuid::Uuid = text(&file, "id").parse().unwrap();
        let database = &app.platform().database;
        database.write(move |tx| tx.execute("UPDATE files SET state = 'pending' WHERE id = $1", params![id])).await.unwrap();
        ann.get(text(&file, "url")).await.refused(404, "FILE_NOT_FOUND");
        ann.delete(&format!("/api/files/{id}")).await.refused(404, "FILE_NOT_FOUND");
        app.advance(Duration::from_mins(45)).await;
        assert_eq!(rows(app).await, 1, "it may still be on its way");
        app.advance(Duration::from_mins(45)).await;
        nothing_is_left(app).await;
        all_agrees(app).await;
    }

    async fn what_deleting_left_behind_is_removed(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "hello").await;
        let id: uuid::Uuid = text(&file, "id").parse().unwrap();
        // As a store that was away for long leaves it: the row is marked, the job was given up.
        let mark = "UPDATE files SET state = 'deleted' WHERE id = $1";
        let database = &app.platform().database;
        database.write(move |tx| tx.execute(mark, params![id])).await.unwrap();
        let forget = "UPDATE file_usage SET bytes = 0, files = 0";
        database.write(move |tx| tx.execute(forget, &[])).await.unwrap();
        app.advance(Duration::from_mins(90)).await;
        nothing_is_left(app).await;
        all_agrees(app).await;
    }

    async fn what_guests_send_is_kept_for_a_while(app: TestApp, |settings| {
        settings.files.guests = true;
        settings.files.guest_retention = Duration::from_hours(2);
    }) {
        let form = Form::new().file("file", "a.pdf", "application/pdf", samples::PDF);
        let file = app.anon().post_form("/upload", form).await.expect(200).body;
        app.anon().get(text(&file, "url")).await.expect(200);
        app.clock.advance(Duration::from_hours(2));
        app.anon().get(text(&file, "url")).await.refused(404, "FILE_NOT_FOUND");
        app.advance(Duration::from_mins(16)).await;
        nothing_is_left(app).await;
        all_agrees(app).await;
    }

    async fn renditions_of_nothing_are_swept(app: TestApp) {
        let key = ObjectKey::parse("renditions/2026/01/15/0198c2d1-0000-7000-8000-000000000001/64xany-inside.webp").unwrap();
        app.platform().storage.put(&key, Bytes::from_static(b"x"), "image/webp").await.unwrap();
        app.advance(Duration::from_hours(24)).await;
        assert_eq!(stored(app).await, Vec::<String>::new());
    }

    async fn files_go_with_whoever_is_gone_but_for_what_rooms_show(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        opens(&ann, "tea", "public").await;
        bob.post("/api/rooms/tea/join", json!({})).await.expect(200);
        sent(&ann, "mine").await;
        let shown = Form::new().text("room", "tea").file("file", "a.txt", "text/plain", b"shown");
        let shown = ann.post_form("/api/files/upload", shown).await.expect(201).body;
        admin.delete(&format!("/api/users/{}", ann.user_id())).await.expect(204);
        app.settle().await;
        assert_eq!(stored(app).await, [format!("2026/01/15/{}", text(&shown, "filename"))]);
        let heard = bob.get("/api/messages?room=tea").await.expect(200);
        assert_eq!(heard.entries()[0]["file"]["id"], shown["id"]);
        all_agrees(app).await;
    }

    async fn verify_finds_each_damage(app: TestApp) {
        let ann = app.shopper("ann").await;
        let (lost, changed) = (sent(&ann, "lost").await, sent(&ann, "changed").await);
        all_agrees(app).await;
        let storage = &app.platform().storage;
        let key = |file: &stoa_testing::Value| ObjectKey::parse(&format!("2026/01/15/{}", text(file, "filename"))).unwrap();
        storage.delete(&key(&lost)).await.unwrap();
        storage.put(&key(&changed), Bytes::from_static(b"CHANGED"), "text/plain").await.unwrap();
        let stray = ObjectKey::parse("2026/01/15/0198c2d1-0000-7000-8000-000000000001.txt").unwrap();
        storage.put(&stray, Bytes::from_static(b"x"), "text/plain").await.unwrap();
        let found = stoa_files::verify::compare(&app.platform().database, storage).await.unwrap();
        let told: Vec<_> = found.iter().map(|findings| findings.contradictions.len()).collect();
        assert_eq!(told, [2, 1], "{found:?}");
        assert!(found[0].contradictions.iter().any(|told| told.contains("is not there")));
        assert!(found[0].contradictions.iter().any(|told| told.contains("another checksum")));
        assert!(found[1].contradictions[0].contains("belongs to no file"));
        let wrong = "UPDATE file_usage SET bytes = bytes + 1";
        app.platform().database.write(move |tx| tx.execute(wrong, &[])).await.unwrap();
        let now = app.clock.clock().now();
        let found = stoa_platform::verify::verify(&app.platform().database, now, stoa_files::verify::checks()).await.unwrap();
        assert_eq!(found[0].contradictions.len(), 1, "{found:?}");
        app.anon().get(text(&lost, "url")).await.refused(500, "INTERNAL_ERROR");
        assert_eq!(json!(found[1].contradictions), json!([]));
    }
}
