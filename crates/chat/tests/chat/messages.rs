//! `/api/messages`.

use std::time::Duration;

use stoa_testing::{Value, each_engine, json};

use crate::{contents, direct, heard, joins, opens, room, said, says};

fn seqs(messages: &[Value]) -> Vec<i64> {
    messages.iter().map(|message| message["seq"].as_i64().unwrap()).collect()
}

async fn found(who: &stoa_testing::Client, question: &str) -> Vec<String> {
    let answer = who.get(&format!("/api/messages/search?q={question}")).await.expect(200);
    contents(answer.entries()).into_iter().map(str::to_owned).collect()
}

each_engine! {
    async fn a_message_is_said_as_it_was_written(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let written = "  <b>Tea?</b> \u{1F375}\n\"@nobody\" ";
        let sent = says(&ann, "tea", written).await.expect(201);
        let message = sent.id();
        let expected = json!({"id": message, "seq": 1, "room": id,
            "sender": {"id": ann.user_id(), "username": "ann", "name": "ann", "avatarUrl": null},
            "content": written, "type": "text", "reactions": {}, "readByCount": 0, "mentions": [],
            "createdAt": "2026-01-15T12:00:00.000Z"});
        assert_eq!(sent.body, expected);
        assert_eq!(sent.header("location"), Some(format!("/api/messages/{message}").as_str()));
        let shown = ann.get(&format!("/api/messages/{message}")).await.expect(200);
        assert_eq!((&shown.body, shown.header("etag")), (&expected, sent.header("etag")));
        assert_eq!(heard(&ann, &id).await, std::slice::from_ref(&expected));
        assert_eq!(room(&ann, &id).await["lastMessage"], expected);
        let event = &app.events("chat.message_sent").await[0];
        assert_eq!((&event["message"], &event["room"], &event["messageId"]), (&expected, &json!(id), &json!(message)));
        let room_topic = format!("room:{id}");
        let told = app.read(move |c| {
            let filter = stoa_platform::events::Filter { types: &[], topics: &[room_topic.as_str()] };
            stoa_platform::events::read_after(c, 0, filter, 10)
        }).await;
        let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["chat.room_created", "chat.message_sent"]);
    }

    async fn a_part_that_is_shown_again_is_as_it_is_now(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let first = said(&ann, &id, "First").await;
        let mut before = Vec::new();
        let mut changed = async |what: &str, field: &str, now: Value| {
            let shown = heard(&ann, &id).await;
            assert_eq!(shown[0][field], now, "{what}");
            assert_ne!(shown, before, "{what}");
            // Shown once more, it is the same.
            assert_eq!(heard(&ann, &id).await, shown, "{what}");
            before = shown;
        };
        changed("said", "readByCount", json!(0)).await;
        bob.post(&format!("{first}/read"), json!({})).await.expect(200);
        changed("read", "readByCount", json!(1)).await;
        bob.post(&format!("{first}/react"), json!({"emoji": "+1"})).await.expect(200);
        changed("reacted to", "reactions", json!({"+1": [bob.user_id()]})).await;
        ann.put(&format!("{first}/pin"), json!({})).await.expect(200);
        changed("pinned", "pinnedAt", json!("2026-01-15T12:00:00.000Z")).await;
        ann.put(&first, json!({"content": "@bob, changed"})).await.expect(200);
        changed("edited", "mentions", json!([bob.user_id()])).await;
        let called = json!({"id": ann.user_id(), "username": "ann", "name": "Ann Other", "avatarUrl": null});
        ann.patch("/api/users/profile", json!({"name": "Ann Other"})).await.expect(200);
        changed("by somebody with another name", "sender", called).await;
        bob.post(&format!("/api/rooms/{id}/leave"), json!({})).await.expect(204);
        changed("read by somebody who left", "readByCount", json!(0)).await;
        ann.delete(&first).await.expect(204);
        changed("deleted", "content", json!("")).await;
        says(&ann, &id, "Second").await.expect(201);
        changed("answered", "seq", json!(1)).await;
    }

    async fn whoever_comes_to_the_house_has_read_what_was_said_in_its_room(app: TestApp) {
        let ann = app.shopper("ann").await;
        says(&ann, "general", "Welcome").await.expect(201);
        assert_eq!(heard(&ann, "general").await[0]["readByCount"], 0);
        let _bob = app.shopper("bob").await;
        app.settle().await;
        assert_eq!(heard(&ann, "general").await[0]["readByCount"], 1);
    }

    async fn what_cannot_be_said_is_refused(app: TestApp) {
        let ann = app.shopper("ann").await;
        opens(&ann, "tea", "public").await;
        let other = opens(&ann, "other", "public").await;
        let elsewhere = says(&ann, &other, "Elsewhere").await.id();
        for (body, field) in [
            (json!({"room": "tea"}), "content"),
            (json!({"content": "Hello"}), "room"),
            (json!({"room": "tea", "content": ""}), "content"),
            (json!({"room": "tea", "content": " \n"}), "content"),
            (json!({"room": "tea", "content": "ä".repeat(4_001)}), "content"),
            (json!({"room": "tea", "content": "a", "clientId": ""}), "clientId"),
            (json!({"room": "tea", "content": "a", "clientId": "x".repeat(65)}), "clientId"),
            (json!({"room": "tea", "content": "a", "replyTo": elsewhere}), "replyTo"),
            (json!({"room": "tea", "content": "a", "fileIds": [elsewhere]}), "fileIds"),
            (json!({"room": "tea", "content": "a", "type": "system"}), "type"),
        ] {
            let refused = ann.post("/api/messages", body).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.fields(), [field]);
        }
        ann.post("/api/messages", json!({"room": "tea", "content": "a\u{0}"})).await.refused(422, "NUL_CHARACTER");
        assert_eq!(room(&ann, "tea").await["lastSeq"], 0, "what is refused takes no number");
        says(&ann, "tea", &"ä".repeat(4_000)).await.expect(201);
    }

    async fn a_client_id_makes_a_resend_harmless(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let body = json!({"room": id, "content": "Once", "clientId": "c-1"});
        let first = ann.post("/api/messages", body.clone()).await.expect(201);
        let again = ann.post("/api/messages", json!({"room": "tea", "content": "Otherwise", "clientId": "c-1"})).await.expect(200);
        assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
        bob.post("/api/messages", body.clone()).await.expect(201);
        let other = opens(&ann, "other", "public").await;
        ann.post("/api/messages", json!({"room": other, "content": "Once", "clientId": "c-1"})).await.expect(201);
        assert_eq!(seqs(&heard(&ann, &id).await), [1, 2]);
        assert_eq!(app.events("chat.message_sent").await[0]["clientId"], "c-1");
    }

    async fn a_key_says_it_once(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let keyed = ann.clone().with_header("idempotency-key", "say-1");
        says(&keyed, "nowhere", "Hello").await.refused(404, "ROOM_NOT_FOUND");
        let first = says(&keyed, &id, "Hello").await.expect(201);
        let again = says(&keyed, &id, "Hello").await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), &again.body, again.header("location")),
            (Some("true"), &first.body, first.header("location")));
        says(&keyed, &id, "Other").await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(heard(&ann, &id).await.len(), 1);
        ann.delete(&format!("/api/messages/{}", first.id())).await.expect(204);
        let late = says(&keyed, &id, "Hello").await.expect(201);
        assert_eq!((late.header("idempotent-replayed"), &late.body["content"]), (Some("true"), &json!("")), "as it is now");
        let kept = app.read(|c| c.query("SELECT body FROM idempotency_keys", &[], |row| row.read::<String>())).await;
        assert!(kept.iter().all(|answer| !answer.contains("Hello")));
    }

    async fn a_refused_key_can_be_used_again(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await.with_header("idempotency-key", "say-1"));
        let id = opens(&ann, "tea", "public").await;
        says(&bob, &id, "Hello").await.refused(403, "NOT_A_MEMBER");
        joins(&bob, &id).await;
        says(&bob, &id, "Hello").await.expect(201);
    }

    async fn a_conversation_is_read_in_parts(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        for number in 1..=70 {
            says(&ann, &id, &format!("Message {number}")).await.expect(201);
        }
        let part = async |query: &str| ann.get(&format!("/api/messages?room=tea{query}")).await.expect(200);
        let seqs_of = async |query: &str| seqs(part(query).await.entries());
        assert_eq!(seqs_of("").await, (21..=70).collect::<Vec<_>>());
        assert_eq!(seqs_of("&before=11&limit=3").await, [8, 9, 10]);
        assert_eq!(seqs_of("&after=68").await, [69, 70]);
        assert_eq!(seqs_of("&after=3&before=6").await, [4, 5]);
        assert_eq!(seqs_of("&after=70").await, Vec::<i64>::new());
        assert_eq!(seqs_of("&before=0").await, Vec::<i64>::new());
        let newest = part("&limit=40").await;
        let cursor = newest.body["nextCursor"].as_str().unwrap();
        let earlier = part(&format!("&cursor={cursor}&limit=40")).await;
        assert_eq!(seqs(earlier.entries()), (1..=30).collect::<Vec<_>>());
        assert!(earlier.body["nextCursor"].is_null());
        let first = part("&after=0&limit=60").await;
        let cursor = first.body["nextCursor"].as_str().unwrap();
        assert_eq!(seqs_of(&format!("&cursor={cursor}")).await, (61..=70).collect::<Vec<_>>());
        for bad in ["&limit=0", "&limit=101", "&before=-1", "&after=x", "&cursor=x", &format!("&after=1&cursor={cursor}")] {
            ann.get(&format!("/api/messages?room=tea{bad}")).await.refused(400, "INVALID_QUERY");
        }
        ann.get("/api/messages").await.refused(400, "INVALID_QUERY");
        ann.get("/api/v1/messages?room=tea&limit=1").await.expect(200);
    }

    async fn a_message_is_edited_by_its_sender(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let message = said(&bob, &id, "Coffee").await;
        ann.put(&message, json!({"content": "Mine"})).await.refused(403, "FORBIDDEN");
        let etag = bob.get(&message).await.expect(200).header("etag").unwrap().to_owned();
        app.clock.advance(Duration::from_secs(5));
        let edited = bob.put(&message, json!({"content": "Tea, @ann"})).await.expect(200);
        assert_eq!((&edited.body["content"], &edited.body["editedAt"]), (&json!("Tea, @ann"), &json!("2026-01-15T12:00:05.000Z")));
        assert_eq!(edited.body["mentions"], json!([ann.user_id()]));
        let stale = bob.clone().with_header("if-match", &etag);
        stale.put(&message, json!({"content": "Stale"})).await.refused(412, "PRECONDITION_FAILED");
        stale.delete(&message).await.refused(412, "PRECONDITION_FAILED");
        let fresh = bob.clone().with_header("if-match", edited.header("etag").unwrap());
        assert_eq!(fresh.put(&message, json!({"content": "Tea, @ann"})).await.expect(200).body, edited.body, "the same is no change");
        fresh.put(&message, json!({"content": "Tea!"})).await.expect(200);
        bob.put(&message, json!({"content": " "})).await.refused(422, "VALIDATION_FAILED");
        let known = bob.clone().with_header("if-none-match", bob.get(&message).await.header("etag").unwrap());
        known.get(&message).await.expect(304);
        assert_eq!(found(&ann, "coffee").await, Vec::<String>::new());
        assert_eq!(found(&ann, "tea").await, ["Tea!"]);
        assert_eq!(app.events("chat.message_edited").await.len(), 2);
        assert_eq!(room(&ann, &id).await["mentionCount"], 0, "the mention is gone again");
    }

    async fn a_deleted_message_keeps_nothing_but_its_place(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        joins(&eve, &id).await;
        let message = said(&bob, &id, "Wormwood for @eve").await;
        bob.put(&message, json!({"content": "Wormwood and gall for @eve"})).await.expect(200);
        eve.post(&format!("{message}/react"), json!({"emoji": "👎"})).await.expect(200);
        ann.put(&format!("{message}/pin"), json!({})).await.expect(200);
        eve.delete(&message).await.refused(403, "FORBIDDEN");
        let thanks = said(&bob, &id, "Thanks").await;
        ann.delete(&message).await.expect(204);
        ann.delete(&message).await.expect(204);
        let deleted = eve.get(&message).await.expect(200).body;
        assert_eq!((&deleted["content"], &deleted["seq"], &deleted["reactions"], &deleted["mentions"]), (&json!(""), &json!(1), &json!({}), &json!([])));
        assert!(deleted["deletedAt"].is_string() && deleted.get("pinnedAt").is_none());
        assert_eq!(contents(&heard(&eve, &id).await), ["", "Thanks"]);
        assert_eq!(found(&ann, "wormwood").await, Vec::<String>::new());
        assert_eq!(room(&eve, &id).await["mentionCount"], 0);
        for answer in [
            bob.put(&message, json!({"content": "Back"})).await,
            bob.post(&format!("{message}/react"), json!({"emoji": "👍"})).await,
            ann.put(&format!("{message}/pin"), json!({})).await,
        ] {
            answer.refused(409, "MESSAGE_DELETED");
        }
        bob.delete(&thanks).await.expect(204);
        app.settle().await;
        let log = app.read(|c| c.query("SELECT payload FROM events", &[], |row| row.read::<String>())).await;
        assert!(log.iter().all(|payload| !payload.contains("ormwood")), "the log has forgotten it too");
        let sent = &app.events("chat.message_sent").await[0];
        assert_eq!((&sent["message"]["content"], &sent["message"]["id"]), (&json!(""), &deleted["id"]));
        assert!(sent["message"]["deletedAt"].is_string());
        let event = &app.events("chat.message_deleted").await[0];
        assert_eq!((&event["seq"], &event["deletedBy"], &event["messageId"]), (&json!(1), &json!(ann.user_id()), &deleted["id"]));
        assert_eq!(app.events("chat.message_deleted").await.len(), 2);
    }

    async fn reading_moves_forward_only(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let (one, two) = (said(&ann, &id, "One").await, said(&ann, &id, "Two @bob").await);
        let read = async |message: &str| bob.post(&format!("{message}/read"), json!({})).await.expect(200).body;
        assert_eq!(read(&one).await, json!({"room": id, "readSeq": 1, "unreadCount": 1, "mentionCount": 1}));
        assert_eq!(read(&two).await, json!({"room": id, "readSeq": 2, "unreadCount": 0, "mentionCount": 0}));
        assert_eq!(read(&one).await["readSeq"], 2, "never backwards");
        eve.post(&format!("{one}/read"), json!({})).await.refused(403, "NOT_A_MEMBER");
        ann.post(&format!("{one}/read"), json!({})).await.expect(200);
        let read_by: Vec<_> = heard(&eve, &id).await.iter().map(|message| message["readByCount"].as_i64().unwrap()).collect();
        assert_eq!(read_by, [1, 1], "the sender does not count");
        joins(&eve, &id).await;
        assert_eq!(ann.get(&one).await.expect(200).body["readByCount"], 2, "who joins has read what was said before");
        let events = app.events("chat.message_read").await;
        assert_eq!(events.iter().map(|event| event["seq"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((&events[1]["userId"], &events[1]["room"]), (&json!(bob.user_id()), &json!(id)));
    }

    async fn reactions_come_and_go(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let message = said(&ann, &id, "Tea?").await;
        let react = async |who: &stoa_testing::Client, emoji: &str| who.post(&format!("{message}/react"), json!({"emoji": emoji})).await;
        react(&bob, "👍").await.expect(200);
        let both = react(&ann, "👍").await.expect(200).body;
        let mut who: Vec<_> = both["reactions"]["👍"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        who.sort_unstable();
        let mut expected = [ann.user_id(), bob.user_id()];
        expected.sort_unstable();
        assert_eq!(who, expected);
        react(&bob, ":tea:").await.expect(200);
        let left = react(&bob, "👍").await.expect(200).body;
        assert_eq!(left["reactions"], json!({"👍": [ann.user_id()], ":tea:": [bob.user_id()]}));
        react(&eve, "👍").await.refused(403, "NOT_A_MEMBER");
        for bad in ["", "a b", &"x".repeat(33)] {
            assert_eq!(react(&bob, bad).await.refused(422, "VALIDATION_FAILED").fields(), ["emoji"]);
        }
        for number in 0..18 {
            react(&bob, &format!(":{number}:")).await.expect(200);
        }
        react(&bob, "one-too-many").await.refused(409, "TOO_MANY_REACTIONS");
        react(&bob, "👍").await.expect(200);
        let events = app.events("chat.message_reaction").await;
        assert_eq!((&events[0]["emoji"], &events[0]["added"], &events[0]["count"]), (&json!("👍"), &json!(true), &json!(1)));
        assert_eq!((&events[3]["emoji"], &events[3]["added"], &events[3]["count"]), (&json!("👍"), &json!(false), &json!(1)));
    }

    async fn answers_make_a_thread(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let reply = async |to: &str, content: &str| {
            let body = json!({"room": id, "content": content, "replyTo": to});
            ann.post("/api/messages", body).await.expect(201)
        };
        let root = says(&ann, &id, "Root").await.id();
        says(&ann, &id, "Beside").await.expect(201);
        let first = reply(&root, "First").await;
        assert_eq!(first.body["replyTo"], json!(root));
        let second = reply(&first.id(), "Second").await.id();
        reply(&root, "Third").await;
        let thread = async |message: &str, query: &str| ann.get(&format!("/api/messages/{message}/thread{query}")).await.expect(200);
        for message in [&root, &first.id(), &second] {
            assert_eq!(contents(thread(message, "").await.entries()), ["Root", "First", "Second", "Third"]);
        }
        let page = thread(&root, "?limit=3").await;
        let cursor = page.body["nextCursor"].as_str().unwrap();
        assert_eq!(contents(page.entries()), ["Root", "First", "Second"]);
        assert_eq!(contents(thread(&root, &format!("?cursor={cursor}")).await.entries()), ["Third"]);
        ann.get(&format!("/api/messages/{root}/thread?page=2")).await.refused(400, "INVALID_QUERY");
        ann.get(&format!("/api/messages?room=tea&cursor={cursor}")).await.refused(400, "INVALID_QUERY");
        ann.delete(&format!("/api/messages/{root}")).await.expect(204);
        assert_eq!(contents(thread(&second, "").await.entries()), ["", "First", "Second", "Third"]);
        reply(&root, "To one that is gone").await;
    }

    async fn pins_are_kept_by_moderators(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let (one, two) = (said(&ann, &id, "One").await, said(&ann, &id, "Two").await);
        let pin = format!("{two}/pin");
        let pinned = ann.put(&pin, json!({})).await.expect(200);
        assert_eq!(pinned.body["pinnedAt"], "2026-01-15T12:00:00.000Z");
        ann.put(&pin, json!({})).await.expect(200);
        ann.put(&format!("{one}/pin"), json!({})).await.expect(200);
        ann.delete(&format!("{one}/pin")).await.expect(200);
        let found = ann.get(&format!("/api/messages?room={id}&pinned=true")).await.expect(200);
        assert_eq!(contents(found.entries()), ["Two"]);
        assert_eq!((app.events("chat.message_pinned").await.len(), app.events("chat.message_unpinned").await.len()), (2, 1));
        for number in 0..99 {
            let message = said(&ann, &id, &format!("Pinned {number}")).await;
            ann.put(&format!("{message}/pin"), json!({})).await.expect(200);
        }
        ann.put(&format!("{one}/pin"), json!({})).await.refused(409, "TOO_MANY_PINS");
    }

    async fn messages_are_found_by_their_words(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let open = opens(&ann, "tea", "public").await;
        let secret = opens(&ann, "secret", "private").await;
        let between = direct(&ann, &bob).await.expect(201).id();
        says(&ann, &open, "Green tea, please").await.expect(201);
        says(&ann, &secret, "Secret green recipe").await.expect(201);
        says(&ann, &between, "Green between us").await.expect(201);
        says(&ann, &open, "Café für GRÜNE Frösche 東京都 'AND' \"_public\"").await.expect(201);
        assert_eq!(found(&ann, "green").await, ["Green between us", "Secret green recipe", "Green tea, please"]);
        assert_eq!(found(&bob, "GREEN").await, ["Green between us", "Green tea, please"]);
        assert_eq!(found(&bob, "tea+green").await, ["Green tea, please"]);
        assert_eq!(found(&bob, "gree").await, Vec::<String>::new(), "words are whole");
        for question in ["cafe", "grune", "%E6%9D%B1%E4%BA%AC", "and", "public"] {
            assert_eq!(found(&bob, question).await.len(), 1, "{question}");
        }
        for odd in ["_public", "%22tea%22+OR+%22x%22", "tea*", "'tea'%3A*", "NEAR(tea)", "-tea", "words%3Atea"] {
            ann.get(&format!("/api/messages/search?q={odd}")).await.expect(200);
        }
        assert_eq!(found(&ann, &format!("green&room={secret}")).await, ["Secret green recipe"]);
        assert_eq!(found(&bob, "green&room=tea").await, ["Green tea, please"]);
        bob.get("/api/messages/search?q=green&room=secret").await.refused(404, "ROOM_NOT_FOUND");
        for bad in ["q=", "q=%3F%21", "q=tea&sortOrder=asc", "q=tea&total=true", "q=tea&cursor=x", ""] {
            ann.get(&format!("/api/messages/search?{bad}")).await.refused(400, "INVALID_QUERY");
        }
        for number in 0..5 {
            says(&ann, &open, &format!("Black tea {number}")).await.expect(201);
        }
        let page = ann.get("/api/messages/search?q=black&limit=3").await.expect(200);
        let cursor = page.body["nextCursor"].as_str().unwrap();
        assert_eq!(contents(page.entries()), ["Black tea 4", "Black tea 3", "Black tea 2"]);
        assert_eq!(found(&ann, &format!("black&cursor={cursor}")).await, ["Black tea 1", "Black tea 0"]);
        ann.delete("/api/rooms/tea").await.expect(204);
        assert_eq!(found(&ann, "tea").await, Vec::<String>::new());
    }

    async fn mentions_tell_members(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let sent = says(&ann, &id, "@Bob @bob @eve @ann @nobody bob@example.com").await.expect(201);
        assert_eq!(sent.body["mentions"], json!([bob.user_id()]), "members, once, and nobody themselves");
        app.settle().await;
        let told = bob.get("/api/notifications").await.expect(200);
        assert_eq!(told.entries().len(), 1);
        let (one, message) = (&told.entries()[0], sent.id());
        assert_eq!((&one["kind"], &one["message"]), (&json!("mention"), &json!("ann mentioned you in tea.")));
        assert_eq!(one["data"], json!({"room": id, "messageId": message, "seq": 1, "by": ann.user_id()}));
        assert!(eve.get("/api/notifications").await.expect(200).entries().is_empty());
        let path = format!("/api/messages/{message}");
        ann.put(&path, json!({"content": "@bob again"})).await.expect(200);
        joins(&eve, &id).await;
        ann.put(&path, json!({"content": "@bob and @eve"})).await.expect(200);
        app.settle().await;
        assert_eq!(bob.get("/api/notifications").await.expect(200).entries().len(), 1, "once for each message");
        assert_eq!(eve.get("/api/notifications").await.expect(200).entries().len(), 1);
        says(&ann, "general", "@eve and everybody").await.expect(201);
        app.settle().await;
        assert_eq!(eve.get("/api/notifications").await.expect(200).entries().len(), 2);
        eve.put("/api/notifications/preferences", json!({"preferences": [{"kind": "mention", "inApp": false}]})).await.expect(200);
        says(&ann, "general", "@eve once more").await.expect(201);
        app.settle().await;
        assert_eq!(eve.get("/api/notifications").await.expect(200).entries().len(), 2);
    }
}
