//! The dialect rooms.

use stoa_testing::{Heard, each_engine, json};

use crate::{contents, joins, opens, posts};

/// Where in the log it stands.
fn place(heard: &Heard) -> i64 {
    let offset = heard.offset.as_deref().unwrap_or_default();
    offset.rsplit_once('-').unwrap().1.parse().unwrap()
}

each_engine! {
    async fn what_is_said_at_once_is_heard_one_by_one_in_its_order(app: TestApp) {
        const MESSAGES: usize = 150;
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        for room in ["tea", "coffee"] {
            opens(&ann, room, "public").await;
            joins(&bob, room).await;
        }
        let (mut socketio, mut plain) = (app.socketio(&ann).await, app.plain(&ann).await);
        socketio.does("join-room", json!("tea")).await;
        socketio.does("join-room", json!("coffee")).await;
        plain.does("join_room", json!({"roomId": "tea"})).await;
        let mut saying = tokio::task::JoinSet::new();
        for number in 0..MESSAGES {
            let (bob, room) = (bob.clone(), if number % 3 == 0 { "coffee" } else { "tea" });
            saying.spawn(async move { posts(&bob, room, &number.to_string()).await });
        }
        saying.join_all().await;
        let mut told = Vec::new();
        while told.len() < MESSAGES {
            told.push(socketio.hears("new-message").await);
        }
        let places: Vec<i64> = told.iter().map(place).collect();
        assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
        for room in ["tea", "coffee"] {
            let of_room = told.iter().filter(|one| one.payload["room"] == room);
            let seqs: Vec<i64> = of_room.map(|one| one.payload["seq"].as_i64().unwrap()).collect();
            assert_eq!(seqs, (1..).take(seqs.len()).collect::<Vec<i64>>());
        }
        let (mut seqs, in_tea) = (Vec::new(), MESSAGES - MESSAGES.div_ceil(3));
        while seqs.len() < in_tea {
            seqs.push(plain.hears("message").await.payload["seq"].as_i64().unwrap());
        }
        assert_eq!(seqs, (1..).take(in_tea).collect::<Vec<i64>>());
    }

    async fn what_happens_in_a_room_is_heard_by_its_members_without_asking(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let room = opens(&ann, "tea", "private").await;
        let mut bobs = app.socketio(&bob).await;
        ann.put(&format!("/api/rooms/tea/members/{}", bob.user_id()), json!({})).await;
        let came = bobs.hears("member-joined").await;
        assert_eq!((&came.payload["room"], &came.payload["userId"]), (&json!(room), &json!(bob.user_id())));
        let id = posts(&ann, "tea", "Hello @bob").await;
        let message = bobs.hears("new-message").await;
        let read = ann.get(&format!("/api/messages?room={room}")).await.expect(200);
        assert_eq!(message.payload, read.entries()[0]);
        assert!(message.offset.is_some());

        ann.put(&format!("/api/messages/{id}"), json!({"content": "Hello, Bob"})).await.expect(200);
        let edited = bobs.hears("message-edited").await;
        assert_eq!((&edited.payload["content"], edited.payload["editedAt"].is_string()), (&json!("Hello, Bob"), true));
        ann.put(&format!("/api/messages/{id}/pin"), json!({})).await.expect(200);
        let touched = json!({"messageId": id, "room": room, "seq": 1, "userId": ann.user_id()});
        assert_eq!(bobs.hears("message-pinned").await.payload, touched);
        ann.delete(&format!("/api/messages/{id}/pin")).await;
        assert_eq!(bobs.hears("message-unpinned").await.payload, touched);
        ann.delete(&format!("/api/messages/{id}")).await.expect(204);
        let deleted = bobs.hears("message-deleted").await.payload;
        assert_eq!((&deleted["messageId"], &deleted["deletedBy"]), (&json!(id), &json!(ann.user_id())));

        ann.delete(&format!("/api/rooms/tea/members/{}", bob.user_id())).await.expect(204);
        let left = bobs.hears("member-left").await.payload;
        assert_eq!(left, json!({"room": room, "userId": bob.user_id(), "banned": false}));
        posts(&ann, "tea", "Bob does not hear this").await;
        posts(&bob, "general", "but this").await;
        assert_eq!(bobs.hears("new-message").await.payload["content"], "but this");
    }

    async fn a_client_that_names_a_room_hears_only_what_it_names_and_as_it_names_it(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.socketio(&ann).await, app.socketio(&bob).await);
        let joined = a.does("join-room", json!("tea")).await;
        let id = joined["room"]["id"].as_str().unwrap();
        assert_eq!(joined["room"]["role"], "owner");
        b.does("join-room", json!({"room": id})).await;
        posts(&ann, "general", "unheard").await;
        let sent = a.does("send-message", json!({"room": "tea", "content": "Hi", "clientId": "c-1"})).await;
        assert_eq!((&sent["message"]["content"], &sent["message"]["seq"]), (&json!("Hi"), &json!(1)));
        assert_eq!(a.hears("new-message").await.payload["room"], "tea");
        assert_eq!(b.hears("new-message").await.payload["room"], id);
        // The same again is the same.
        let again = b.asks("send-message", json!({"room": id, "content": "Hi", "clientId": "c-2"})).await;
        let twice = b.asks("send-message", json!({"room": id, "content": "Hi", "clientId": "c-2"})).await;
        assert_eq!(again["message"]["id"], twice["message"]["id"]);
        for live in [&mut a, &mut b] {
            assert_eq!(live.hears("new-message").await.payload["seq"], 2);
        }
        a.does("leave-room", json!("tea")).await;
        posts(&bob, "tea", "Ann has left").await;
        assert_eq!(b.hears("new-message").await.payload["seq"], 3);
        assert_eq!(contents(&a.heard_so_far().await, "new-message"), [""; 0]);
        a.may_not("leave-room", json!("tea"), "NOT_IN_ROOM").await;
        // She is a member still.
        a.does("send-message", json!({"room": "tea", "content": "but may write"})).await;
    }

    async fn messages_are_changed_read_and_reacted_to_over_the_socket(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.socketio(&ann).await, app.socketio(&bob).await);
        for live in [&mut a, &mut b] {
            live.does("join-room", json!("tea")).await;
        }
        let sent = a.does("send-message", json!({"room": "tea", "content": "Hi"})).await;
        let message = sent["message"]["id"].clone();
        b.hears("new-message").await;
        b.does("typing-start", json!("tea")).await;
        let typing = a.hears("user-typing").await;
        assert_eq!(typing.payload, json!({"userId": bob.user_id(), "room": "tea", "isTyping": true}));
        assert_eq!(typing.offset, None);
        b.does("typing-stop", json!({"room": "tea"})).await;
        assert_eq!(a.hears("user-typing").await.payload["isTyping"], false);
        let read = b.does("message-read", json!({"messageId": message})).await;
        assert_eq!((&read["readSeq"], &read["unreadCount"]), (&json!(1), &json!(0)));
        let receipt = a.hears("message-read-receipt").await.payload;
        assert_eq!(receipt, json!({"messageId": message, "room": "tea", "seq": 1, "userId": bob.user_id()}));
        let reacted = b.does("message-react", json!({"messageId": message, "emoji": "🍵"})).await;
        assert_eq!(reacted["message"]["reactions"], json!({"🍵": [bob.user_id()]}));
        let reaction = a.hears("message-reaction").await.payload;
        let expected = json!({"messageId": message, "room": "tea", "seq": 1, "userId": bob.user_id(),
            "emoji": "🍵", "added": true, "count": 1});
        assert_eq!(reaction, expected);
        a.does("message-edit", json!({"messageId": message, "content": "Hi there"})).await;
        assert_eq!(b.hears("message-edited").await.payload["content"], "Hi there");
        b.may_not("message-edit", json!({"messageId": message, "content": "Mine"}), "FORBIDDEN").await;
        b.may_not("message-delete", json!({"messageId": message}), "FORBIDDEN").await;
        a.does("message-delete", json!({"messageId": message})).await;
        assert_eq!(b.hears("message-deleted").await.payload["messageId"], message);
    }

    async fn typing_that_is_not_repeated_is_over(app: TestApp, |settings| {
        settings.realtime.typing_lasts = std::time::Duration::from_millis(200);
    }) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.socketio(&ann).await, app.plain(&bob).await);
        a.does("join-room", json!("tea")).await;
        b.does("join_room", json!({"roomId": "tea"})).await;
        a.does("typing-start", json!("tea")).await;
        let typing = |is_typing| json!({"userId": ann.user_id(), "roomId": "tea", "isTyping": is_typing});
        assert_eq!(b.hears("typing").await.payload, typing(true));
        assert_eq!(b.hears("typing").await.payload, typing(false));
        assert!(!a.heard_so_far().await.iter().any(|heard| heard.word == "user-typing"));
    }

    async fn what_may_not_be_is_refused_as_over_rest(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let room = opens(&ann, "secret", "private").await;
        let open = opens(&ann, "open", "public").await;
        let message = posts(&ann, "secret", "psst").await;
        let mut b = app.socketio(&bob).await;
        for name in [json!("secret"), json!(room), json!({"room": room}), json!("No such name!")] {
            b.may_not("join-room", name, "ROOM_NOT_FOUND").await;
        }
        b.may_not("join-room", json!(7), "BAD_PAYLOAD").await;
        b.may_not("send-message", json!({"room": room, "content": "x"}), "ROOM_NOT_FOUND").await;
        b.may_not("send-message", json!({"room": open, "content": "x"}), "NOT_A_MEMBER").await;
        b.may_not("send-message", json!({"room": open, "content": ""}), "VALIDATION_FAILED").await;
        b.may_not("send-message", json!({"room": open, "content": "x", "rank": 1}), "BAD_PAYLOAD").await;
        b.may_not("message-read", json!({"messageId": message}), "MESSAGE_NOT_FOUND").await;
        b.may_not("message-react", json!({"messageId": message, "emoji": "x"}), "MESSAGE_NOT_FOUND").await;
        b.may_not("typing-start", json!("secret"), "NOT_IN_ROOM").await;
        let mut b = app.socketio(&bob).await;
        joins(&bob, "open").await;
        ann.put(&format!("/api/rooms/open/members/{}", bob.user_id()), json!({"mutedUntil": "2027-01-01T00:00:00Z"})).await.expect(200);
        b.may_not("send-message", json!({"room": open, "content": "x"}), "MUTED").await;
        ann.put(&format!("/api/rooms/open/members/{}", bob.user_id()), json!({"banned": true})).await;
        b.may_not("join-room", json!("open"), "BANNED").await;
    }

    async fn a_room_that_is_closed_is_heard_no_more(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.socketio(&ann).await, app.plain(&bob).await);
        a.does("join-room", json!("tea")).await;
        b.does("join_room", json!({"roomId": "tea"})).await;
        ann.delete("/api/rooms/tea").await.expect(204);
        assert_eq!(a.hears("room-closed").await.payload, json!({"room": "tea"}));
        assert_eq!(b.hears("room_closed").await.payload, json!({"roomId": "tea"}));
        let refused = b.asks("send_message", json!({"roomId": "tea", "message": "x"})).await;
        assert_eq!(refused["ok"], false);
    }

    async fn a_thousand_messages_without_waiting_keep_their_order(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.plain(&ann).await, app.socketio(&bob).await);
        a.does("join_room", json!({"roomId": "tea"})).await;
        b.does("join-room", json!("tea")).await;
        let mut asked = Vec::new();
        for number in 0..1_000 {
            let message = json!({"roomId": "tea", "message": number.to_string()});
            asked.push(a.asks_later("send_message", message).await);
        }
        for (number, asked) in asked.into_iter().enumerate() {
            let answer = a.answer(asked).await;
            assert_eq!((&answer["ok"], &answer["message"]["seq"]), (&json!(true), &json!(number + 1)));
        }
        for number in 0..1_000 {
            assert_eq!(b.hears("new-message").await.payload["content"], number.to_string());
        }
    }
}
