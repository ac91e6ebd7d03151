//! The dialect snake, over both ends.

use stoa_testing::{each_engine, json};

use crate::posts;

each_engine! {
    async fn both_ends_talk_in_a_room(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.socketio(&ann).await, app.plain(&bob).await);
        a.does("join_room", json!("tea")).await;
        b.does("join_room", json!({"roomId": "tea"})).await;
        let came = json!({"userId": bob.user_id(), "roomId": "tea"});
        assert_eq!(a.hears("user_joined").await.payload, came);
        // Whoever comes in hears so over a plain WebSocket, and not over Socket.IO.
        assert_eq!(b.hears("user_joined").await.payload, came);
        let sent = b.does("send_message", json!({"roomId": "tea", "message": "Hi", "clientId": "1"})).await;
        let id = sent["message"]["id"].clone();
        for live in [&mut a, &mut b] {
            let heard = live.hears("message").await;
            let expected = json!({"id": id, "seq": 1, "userId": bob.user_id(), "roomId": "tea", "message": "Hi",
                "timestamp": sent["message"]["createdAt"], "clientId": "1"});
            assert_eq!(heard.payload, expected);
            assert!(heard.offset.is_some());
        }
        a.does("typing", json!({"roomId": "tea", "isTyping": true})).await;
        let typing = json!({"userId": ann.user_id(), "roomId": "tea", "isTyping": true});
        assert_eq!(b.hears("typing").await.payload, typing);
        bob.put(&format!("/api/messages/{}", id.as_str().unwrap()), json!({"content": "Hi!"})).await.expect(200);
        assert_eq!(a.hears("message_edited").await.payload["message"], "Hi!");
        ann.post(&format!("/api/messages/{}/react", id.as_str().unwrap()), json!({"emoji": "+1"})).await.expect(200);
        let reaction = b.hears("message_reaction").await.payload;
        assert_eq!(reaction, json!({"id": id, "seq": 1, "roomId": "tea", "userId": ann.user_id(), "emoji": "+1", "added": true, "count": 1}));
        ann.post(&format!("/api/messages/{}/read", id.as_str().unwrap()), json!({})).await.expect(200);
        assert_eq!(b.hears("message_read").await.payload["userId"], ann.user_id());
        bob.delete(&format!("/api/messages/{}", id.as_str().unwrap())).await.expect(204);
        assert_eq!(a.hears("message_deleted").await.payload, json!({"id": id, "seq": 1, "roomId": "tea"}));
        b.does("leave_room", json!({"roomId": "tea"})).await;
        assert_eq!(a.hears("user_left").await.payload, came);
        b.may_not("send_message", json!({"roomId": "tea", "message": "x"}), "NOT_IN_ROOM").await;
    }

    async fn a_lost_socket_leaves_its_rooms(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.socketio(&ann).await, app.plain(&bob).await);
        a.does("join_room", json!("tea")).await;
        b.does("join_room", json!({"roomId": "tea"})).await;
        a.hears("user_joined").await;
        b.does("typing", json!({"roomId": "tea", "isTyping": true})).await;
        assert_eq!(a.hears("typing").await.payload["isTyping"], true);
        drop(b);
        assert_eq!(a.hears("user_left").await.payload, json!({"userId": bob.user_id(), "roomId": "tea"}));
        assert_eq!(a.hears("typing").await.payload["isTyping"], false);
    }

    async fn a_room_that_was_not_joined_is_not_written_to(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        posts(&ann, "general", "Hello").await;
        let (mut a, mut b) = (app.socketio(&ann).await, app.plain(&bob).await);
        let answer = b.asks("send_message", json!({"roomId": "general", "message": "x"})).await;
        assert_eq!(answer, json!({"ok": false, "error": {"code": "NOT_IN_ROOM", "message": "Not in room"}}));
        b.says("send_message", json!({"roomId": "general", "message": "x"})).await;
        assert_eq!(b.hears("error").await.payload, json!({"code": "NOT_IN_ROOM", "message": "Not in room"}));
        a.may_not("send_message", json!({"roomId": "tea", "message": "x"}), "NOT_IN_ROOM").await;
        a.may_not("typing", json!({"roomId": "tea", "isTyping": true}), "NOT_IN_ROOM").await;
        a.may_not("typing", json!({"roomId": "tea"}), "BAD_PAYLOAD").await;
    }
}
