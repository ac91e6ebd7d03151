//! `/api/rooms`.

use std::time::Duration;

use stoa_chat::{ChatError, Slug};
use stoa_testing::{each_engine, json};

use crate::{Speaker, direct, heard, joins, opens, room, said, says};

each_engine! {
    async fn a_room_is_opened_shown_changed_and_closed(app: TestApp) {
        let ann = app.shopper("ann").await;
        let opened = ann.post("/api/rooms", json!({"slug": "tea-time", "name": "Tea time", "kind": "public"})).await.expect(201);
        let id = opened.id();
        assert_eq!(opened.header("location"), Some(format!("/api/rooms/{id}").as_str()));
        let expected = json!({"id": id, "slug": "tea-time", "name": "Tea time", "kind": "public", "role": "owner", "memberCount": 1,
            "slowMode": 0, "lastSeq": 0, "readSeq": 0, "unreadCount": 0, "mentionCount": 0,
            "createdAt": opened.body["createdAt"], "updatedAt": opened.body["updatedAt"]});
        assert_eq!(opened.body, expected);
        assert_eq!(room(&ann, "tea-time").await, expected);
        let changed = ann.patch("/api/rooms/tea-time", json!({"slug": "coffee", "name": " Coffee ", "slowMode": 5})).await.expect(200).body;
        assert_eq!((&changed["slug"], &changed["name"], &changed["slowMode"]), (&json!("coffee"), &json!("Coffee"), &json!(5)));
        ann.get("/api/rooms/tea-time").await.refused(404, "ROOM_NOT_FOUND");
        ann.patch("/api/rooms/coffee", json!({})).await.expect(200);
        said(&ann, "coffee", "Hello").await;
        ann.delete("/api/rooms/coffee").await.expect(204);
        ann.get(&format!("/api/rooms/{id}")).await.refused(404, "ROOM_NOT_FOUND");
        let events = app.events("chat.room_updated").await;
        assert_eq!((events.len(), &events[0]["version"], &events[0]["facts"]["slug"]), (1, &json!(2), &json!("coffee")));
        let deleted = app.events("chat.room_deleted").await;
        assert_eq!((&deleted[0]["room"], &deleted[0]["version"]), (&json!(id), &json!(3)));
        app.settle().await;
        for table in ["messages", "message_texts"] {
            let count = app.read(move |c| c.find(&format!("SELECT COUNT(*) FROM {table}"), &[], |row| row.read::<i64>())).await;
            assert_eq!(count, Some(0), "{table}");
        }
        let rooms = app.read(|c| c.find("SELECT COUNT(*) FROM rooms", &[], |row| row.read::<i64>())).await;
        assert_eq!(rooms, Some(1), "only the one for everybody is left");
        opens(&ann, "coffee", "private").await;
    }

    async fn what_cannot_be_a_room_is_refused(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        opens(&ann, "tea", "public").await;
        bob.post("/api/rooms", json!({"slug": "tea"})).await.refused(409, "ROOM_SLUG_TAKEN");
        bob.post("/api/rooms", json!({"slug": "general"})).await.refused(409, "ROOM_SLUG_TAKEN");
        for (body, field) in [
            (json!({}), "slug"),
            (json!({"slug": "Tea"}), "slug"),
            (json!({"slug": "a".repeat(65)}), "slug"),
            (json!({"slug": ann.user_id()}), "slug"),
            (json!({"slug": "x", "name": ""}), "name"),
            (json!({"slug": "x", "kind": "secret"}), "kind"),
            (json!({"slug": "x", "userId": ann.user_id()}), "userId"),
            (json!({"kind": "direct"}), "userId"),
            (json!({"kind": "direct", "userId": bob.user_id()}), "userId"),
            (json!({"slug": "x", "topic": "y"}), "topic"),
        ] {
            let refused = bob.post("/api/rooms", body).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.fields(), [field]);
        }
        bob.post("/api/rooms", json!({"kind": "direct", "userId": "01900000-0000-7000-8000-00000000ffff"})).await.refused(404, "USER_NOT_FOUND");
        let id = opens(&bob, "coffee", "public").await;
        bob.patch(&format!("/api/rooms/{id}"), json!({"slug": "tea"})).await.refused(409, "ROOM_SLUG_TAKEN");
        let refused = bob.patch(&format!("/api/rooms/{id}"), json!({"slowMode": 21_601})).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.fields(), ["slowMode"]);
        bob.patch(&format!("/api/rooms/{id}"), json!({"kind": "private"})).await.refused(422, "VALIDATION_FAILED");
    }

    async fn a_key_opens_a_room_once(app: TestApp) {
        let ann = app.shopper("ann").await.with_header("idempotency-key", "room-1");
        let body = json!({"slug": "tea"});
        let first = ann.post("/api/rooms", body.clone()).await.expect(201);
        let again = ann.post("/api/rooms", body).await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
        ann.post("/api/rooms", json!({"slug": "other"})).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    }

    async fn everybody_is_in_general(app: TestApp) {
        let ann = app.shopper("ann").await;
        says(&ann, "general", "Hello").await.expect(201);
        let bob = app.shopper("bob").await;
        let general = room(&bob, "general").await;
        assert_eq!((&general["role"], &general["unreadCount"]), (&json!("member"), &json!(0)), "what was said before is read");
        says(&ann, "general", "Hello Bob").await.expect(201);
        app.settle().await;
        let rooms = bob.get("/api/rooms").await.expect(200);
        assert_eq!(rooms.entries().len(), 1);
        assert_eq!(rooms.entries()[0]["lastMessage"]["content"], "Hello Bob");
        assert_eq!(rooms.entries()[0]["memberCount"], 2);
        let id = general["id"].as_str().unwrap();
        bob.post(&format!("/api/rooms/{id}/leave"), json!({})).await.refused(409, "ROOM_FOR_EVERYBODY");
        let admin = app.admin().await;
        admin.delete("/api/rooms/general").await.refused(409, "ROOM_FOR_EVERYBODY");
        admin.patch("/api/rooms/general", json!({"slug": "agora"})).await.refused(409, "ROOM_FOR_EVERYBODY");
        admin.delete(&format!("/api/rooms/general/members/{}", bob.user_id())).await.refused(409, "ROOM_FOR_EVERYBODY");
        joins(&bob, "general").await;
    }

    async fn who_is_older_than_the_log_is_in_general_too(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        app.settle().await;
        says(&ann, "general", "Long ago").await.expect(201);
        app.platform().database.write(|tx| {
            tx.execute("DELETE FROM room_members", &[])?;
            tx.execute("UPDATE rooms SET member_count = 0", &[])
        }).await.unwrap();
        assert_eq!(bob.get("/api/rooms").await.expect(200).entries()[0]["unreadCount"], 0);
        says(&ann, "general", "Now").await.expect(201);
        assert_eq!(room(&bob, "general").await["unreadCount"], 1);
        assert_eq!(room(&bob, "general").await["memberCount"], 2);
    }

    async fn of_two_people_there_is_one_room(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let first = direct(&ann, &bob).await.expect(201);
        let again = direct(&bob, &ann).await.expect(200);
        assert_eq!(first.id(), again.id());
        assert_eq!((&first.body["name"], &again.body["name"]), (&json!("bob"), &json!("ann")));
        assert_eq!(first.body["person"]["id"], bob.user_id());
        assert_eq!((first.body.get("slug"), &first.body["role"]), (None, &json!("member")));
        let id = first.id();
        says(&ann, &id, "Just us").await.expect(201);
        assert_eq!(bob.get("/api/rooms").await.expect(200).entries()[0]["unreadCount"], 1);
        let path = format!("/api/rooms/{id}");
        ann.patch(&path, json!({"name": "Us"})).await.refused(409, "ROOM_IS_DIRECT");
        ann.delete(&path).await.refused(409, "ROOM_IS_DIRECT");
        ann.post(&format!("{path}/leave"), json!({})).await.refused(409, "ROOM_IS_DIRECT");
        ann.put(&format!("{path}/members/{}", bob.user_id()), json!({"banned": true})).await.refused(409, "ROOM_IS_DIRECT");
        ann.delete(&format!("{path}/members/{}", bob.user_id())).await.refused(409, "ROOM_IS_DIRECT");
        joins(&ann, &id).await;
        let message = said(&bob, &id, "Pinned").await;
        ann.put(&format!("{message}/pin"), json!({})).await.expect(200);
    }

    async fn rooms_are_listed_by_what_was_said_last_and_by_slug(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        for slug in ["c", "a", "b"] {
            opens(&ann, slug, "public").await;
            app.clock.advance(Duration::from_secs(1));
        }
        said(&ann, "a", "Newest").await;
        let slugs = |answer: stoa_testing::Answer| -> Vec<String> {
            answer.entries().iter().map(|room| room["slug"].as_str().unwrap().to_owned()).collect()
        };
        let page = ann.get("/api/rooms?limit=2&total=true").await.expect(200);
        assert_eq!(page.body["total"], 4);
        let cursor = page.body["nextCursor"].as_str().unwrap().to_owned();
        assert_eq!(slugs(page), ["a", "b"]);
        let rest = slugs(ann.get(&format!("/api/rooms?cursor={cursor}")).await.expect(200));
        assert_eq!((rest.len(), rest.contains(&"c".to_owned()), rest.contains(&"general".to_owned())), (2, true, true));
        let page = bob.get("/api/rooms?joined=false&limit=2&total=true").await.expect(200);
        assert_eq!(page.body["total"], 3);
        let cursor = page.body["nextCursor"].as_str().unwrap().to_owned();
        assert!(page.entries()[0].get("role").is_none());
        assert_eq!(slugs(page), ["a", "b"]);
        assert_eq!(slugs(bob.get(&format!("/api/rooms?joined=false&cursor={cursor}")).await.expect(200)), ["c"]);
        bob.get(&format!("/api/rooms?cursor={cursor}")).await.refused(400, "INVALID_QUERY");
        bob.get("/api/rooms?sortBy=name").await.refused(400, "INVALID_QUERY");
        bob.get("/api/rooms?sortOrder=asc").await.refused(400, "INVALID_QUERY");
        joins(&bob, "b").await;
        assert_eq!(slugs(bob.get("/api/rooms?joined=false").await.expect(200)), ["a", "c"]);
    }

    async fn unread_is_what_was_said_since(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let mut messages = Vec::new();
        for number in 0..5 {
            messages.push(said(&ann, &id, &format!("Message {number} @bob")).await);
        }
        let counts = |room: &stoa_testing::Value| (room["unreadCount"].as_i64().unwrap(), room["mentionCount"].as_i64().unwrap());
        assert_eq!(counts(&room(&bob, &id).await), (5, 5));
        assert_eq!(counts(&room(&ann, &id).await), (0, 0), "who speaks has read");
        ann.delete(&messages[4]).await.expect(204);
        assert_eq!(counts(&room(&bob, &id).await), (5, 4), "a deleted message keeps its place");
        bob.post(&format!("{}/read", messages[1]), json!({})).await.expect(200);
        assert_eq!(counts(&bob.get("/api/rooms").await.expect(200).entries()[0]), (3, 2));
        said(&bob, &id, "Here").await;
        assert_eq!(counts(&room(&bob, &id).await), (0, 0));
        assert_eq!(counts(&room(&ann, &id).await), (1, 0));
    }

    async fn one_may_be_in_so_many_rooms_and_a_room_may_have_so_many(app: TestApp, |settings| {
        settings.chat.rooms_per_user = 3;
        settings.chat.members_per_room = 2;
    }) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        app.settle().await;
        let tea = opens(&ann, "tea", "public").await;
        joins(&bob, &tea).await;
        eve.post(&format!("/api/rooms/{tea}/join"), json!({})).await.refused(409, "ROOM_FULL");
        opens(&ann, "coffee", "public").await;
        ann.post("/api/rooms", json!({"slug": "more"})).await.refused(409, "TOO_MANY_ROOMS");
        direct(&bob, &ann).await.refused(409, "TOO_MANY_ROOMS");
        ann.post("/api/rooms/coffee/leave", json!({})).await.expect(204);
        opens(&ann, "more", "public").await;
    }

    async fn entering_an_unknown_room_opens_it(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (ann_at, bob_at) = (Speaker::of(app, &ann), Speaker::of(app, &bob));
        let slug = Slug::parse("lobby").unwrap();
        let opened = ann_at.chat.enter(ann_at.now(), ann_at.visitor, slug.clone()).await.unwrap();
        let entered = bob_at.chat.enter(bob_at.now(), bob_at.visitor, slug).await.unwrap();
        assert_eq!((opened.id, opened.name.as_str(), entered.member_count), (entered.id, "lobby", 2));
        assert_eq!(room(&ann, "lobby").await["role"], "owner");
        assert!(ann_at.chat.may_read(bob_at.visitor, opened.id).await.unwrap());
        assert!(ann_at.chat.is_member(bob_at.visitor, opened.id).await.unwrap());
        assert_eq!(ann_at.chat.rooms_of(ann_at.visitor.user).await.unwrap().len(), 2);
        assert!(heard(&bob, "lobby").await.is_empty());
    }

    async fn entering_an_unknown_room_is_refused_where_that_is_set(app: TestApp, |settings| settings.chat.rooms_on_join = false) {
        let ann = Speaker::of(app, &app.shopper("ann").await);
        let refused = ann.chat.enter(ann.now(), ann.visitor, Slug::parse("lobby").unwrap()).await;
        assert!(matches!(refused, Err(ChatError::UnknownRoom)));
        ann.chat.enter(ann.now(), ann.visitor, Slug::parse("general").unwrap()).await.unwrap();
    }
}
