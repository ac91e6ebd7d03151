//! Files in rooms: who reads them, what carries them, what becomes of both.

use stoa_testing::{Client, Form, Value, each_engine, json};

use crate::{all_agrees, nothing_is_left, opens, samples, sent, sent_in_private, stored, text};

/// Sends a text to a room.
async fn shows(who: &Client, room: &str, words: &str) -> Value {
    let form = Form::new().text("room", room).file("file", "note.txt", "text/plain", words.as_bytes());
    who.post_form("/api/files/upload", form).await.expect(201).body
}

each_engine! {
    async fn what_is_shown_in_a_private_room_is_for_its_readers(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let room = opens(&ann, "secret", "private").await;
        ann.put(&format!("/api/rooms/{room}/members/{}", bob.user_id()), json!({})).await;
        let file = shows(&ann, &room, "between us").await;
        assert_eq!(file["visibility"], "private");
        let url = text(&file, "url");
        assert_eq!(bob.get(url).await.expect(200).text, "between us");
        bob.get(&format!("/api/files/{}", text(&file, "id"))).await.expect(200);
        let link = bob.get(&format!("/api/files/{}/download", text(&file, "id"))).await.expect(200).body;
        app.anon().get(text(&link, "downloadUrl")).await.expect(200);
        for other in [&eve, &app.anon()] {
            other.get(url).await.refused(404, "FILE_NOT_FOUND");
        }
        bob.post(&format!("/api/rooms/{room}/leave"), json!({})).await;
        bob.get(url).await.refused(404, "FILE_NOT_FOUND");
        eve.get(&format!("/api/files/media/{room}")).await.refused(404, "ROOM_NOT_FOUND");
        eve.get(&format!("/api/files/stats/{room}")).await.refused(404, "ROOM_NOT_FOUND");
    }

    async fn messages_carry_files_of_ones_own(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        opens(&ann, "tea", "public").await;
        bob.post("/api/rooms/tea/join", json!({})).await.expect(200);
        let (one, two, of_bob) = (sent_in_private(&ann, "one").await, sent(&ann, "two").await, sent(&bob, "bob's").await);
        bob.get(text(&one, "url")).await.refused(404, "FILE_NOT_FOUND");
        let body = |ids: &[&Value]| json!({"room": "tea", "content": "Look", "fileIds": ids});
        let message = ann.post("/api/messages", body(&[&one["id"], &two["id"], &one["id"]])).await.expect(201).body;
        assert_eq!((&message["type"], &message["file"]["id"]), (&json!("file"), &one["id"]));
        let carried: Vec<_> = message["files"].as_array().unwrap().iter().map(|file| file["id"].clone()).collect();
        assert_eq!(carried, [one["id"].clone(), two["id"].clone()]);
        let heard = bob.get("/api/messages?room=tea").await.expect(200);
        assert_eq!(heard.entries()[0], message);
        assert_eq!(bob.get(text(&one, "url")).await.expect(200).text, "one", "whoever reads the room reads it");
        for bad in [json!([of_bob["id"]]), json!(["0198c2d1-0000-7000-8000-000000000001"])] {
            let refused = ann.post("/api/messages", json!({"room": "tea", "content": "Look", "fileIds": bad})).await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").fields(), ["fileIds"]);
        }
        let many: Vec<_> = (0..11).map(|_| one["id"].clone()).collect();
        let refused = ann.post("/api/messages", json!({"room": "tea", "content": "Look", "fileIds": many})).await;
        assert_eq!(refused.refused(422, "VALIDATION_FAILED").fields(), ["fileIds"]);
        all_agrees(app).await;
    }

    async fn media_and_stats_tell_what_was_shown(app: TestApp) {
        let ann = app.shopper("ann").await;
        let room = opens(&ann, "tea", "public").await;
        let first = shows(&ann, "tea", "first").await;
        app.clock.advance(std::time::Duration::from_millis(2));
        let form = Form::new().text("room", "tea").file("file", "a.png", "image/png", &samples::png(20, 10));
        let second = ann.post_form("/api/files/upload", form).await.expect(201).body;
        let media = ann.get(&format!("/api/files/media/{room}")).await.expect(200);
        assert_eq!(media.entries(), [second.clone(), first.clone()]);
        assert_eq!(ann.get("/api/files/media/tea?type=image").await.entries(), std::slice::from_ref(&second));
        let page = ann.get("/api/files/media/tea?limit=1&total=true").await.expect(200);
        assert_eq!(page.body["total"], 2);
        let next = ann.get(&format!("/api/files/media/tea?limit=1&cursor={}", text(&page.body, "nextCursor"))).await;
        assert_eq!(next.entries(), std::slice::from_ref(&first));
        let size = second["size"].as_u64().unwrap();
        let stats = ann.get("/api/files/stats/tea").await.expect(200).body;
        assert_eq!(stats, json!({"totalFiles": 2, "totalSize": 5 + size, "byType": {
            "image": {"count": 1, "size": size}, "video": {"count": 0, "size": 0}, "document": {"count": 1, "size": 5}}}));
        ann.get("/api/files/media/nowhere").await.refused(404, "ROOM_NOT_FOUND");
    }

    async fn a_file_goes_with_the_message_it_was_sent_for(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        opens(&ann, "tea", "public").await;
        bob.post("/api/rooms/tea/join", json!({})).await.expect(200);
        let file = shows(&ann, "tea", "gone soon").await;
        let message = text(&file, "messageId").to_owned();
        bob.delete(&format!("/api/files/{message}")).await.refused(404, "FILE_NOT_FOUND");
        ann.delete(&format!("/api/files/{message}")).await.expect(204);
        let left = bob.get(&format!("/api/messages/{message}")).await.expect(200).body;
        assert!(left["deletedAt"].is_string() && left.get("file").is_none(), "{left}");
        ann.get(text(&file, "url")).await.refused(404, "FILE_NOT_FOUND");
        let event = &app.events("chat.message_sent").await[0];
        assert_eq!(event["message"].get("file"), None, "the log has forgotten it too");

        let file = shows(&ann, "tea", "gone as well").await;
        ann.delete(&format!("/api/messages/{}", text(&file, "messageId"))).await.expect(204);
        ann.get(text(&file, "url")).await.refused(404, "FILE_NOT_FOUND");

        let file = shows(&ann, "tea", "gone by its own id").await;
        ann.delete(&format!("/api/files/{}", text(&file, "id"))).await.expect(204);
        let left = bob.get(&format!("/api/messages/{}", text(&file, "messageId"))).await.expect(200).body;
        assert!(left["deletedAt"].is_string());
        nothing_is_left(app).await;
    }

    async fn a_file_of_ones_own_outlives_the_message_that_shows_it(app: TestApp) {
        let ann = app.shopper("ann").await;
        opens(&ann, "tea", "public").await;
        let file = sent(&ann, "mine").await;
        let says = async || {
            let body = json!({"room": "tea", "content": "Look", "fileIds": [file["id"]]});
            ann.post("/api/messages", body).await.expect(201).id()
        };
        let first = says().await;
        ann.delete(&format!("/api/messages/{first}")).await.expect(204);
        ann.get(text(&file, "url")).await.expect(200);
        let second = says().await;
        let newest = async || ann.get("/api/messages?room=tea").await.expect(200).entries().last().unwrap().clone();
        assert_eq!(newest().await["file"]["id"], file["id"]);
        ann.delete(&format!("/api/files/{}", text(&file, "id"))).await.expect(204);
        let left = ann.get(&format!("/api/messages/{second}")).await.expect(200).body;
        assert_eq!((&left["content"], left.get("file"), left.get("deletedAt")), (&json!("Look"), None, None));
        assert_eq!(newest().await, left, "nothing is shown as it was before");
        assert_eq!(app.events("file.withdrawn").await, [json!({"room": left["room"], "fileId": file["id"]})]);
        all_agrees(app).await;
    }

    async fn files_go_with_a_closed_room(app: TestApp) {
        let ann = app.shopper("ann").await;
        let room = opens(&ann, "tea", "public").await;
        shows(&ann, "tea", "one").await;
        let own = sent(&ann, "own").await;
        ann.post("/api/messages", json!({"room": "tea", "content": "Look", "fileIds": [own["id"]]})).await.expect(201);
        ann.delete(&format!("/api/rooms/{room}")).await.expect(204);
        app.settle().await;
        assert_eq!(stored(app).await, [format!("2026/01/15/{}", text(&own, "filename"))]);
        all_agrees(app).await;
    }

    async fn sockets_say_and_hear_files(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        opens(&ann, "tea", "public").await;
        let file = sent(&ann, "mine").await;
        let (mut says, mut hears) = (app.plain(&ann).await, app.plain(&bob).await);
        hears.does("join-room", json!("tea")).await;
        says.does("join-room", json!("tea")).await;
        says.does("send-message", json!({"room": "tea", "content": "Look", "fileIds": [file["id"]]})).await;
        let heard = hears.hears("new-message").await.payload;
        assert_eq!((&heard["type"], &heard["file"]["id"]), (&json!("file"), &file["id"]), "{heard}");
    }
}
