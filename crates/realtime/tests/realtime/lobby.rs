//! The guests' lobby.

use stoa_testing::{Live, Value, each_engine, json};

/// Says something as guests do: fields stand beside the `type`.
async fn says(live: &mut Live, frame: Value) {
    live.frame(1, frame.to_string().as_bytes()).await;
}

each_engine! {
    async fn guests_talk_by_name(app: TestApp, |settings| settings.realtime.guests = true) {
        let mut ann = Live::open(&app.address(), "/ws/lobby", &[]).await.unwrap();
        says(&mut ann, json!({"type": "message", "content": "Hi"})).await;
        assert_eq!(ann.hears("error").await.payload["code"], "NOT_JOINED");
        says(&mut ann, json!({"type": "join", "username": "Ann"})).await;
        assert_eq!(ann.hears("join").await.payload["username"], "Ann");
        assert_eq!(ann.hears("users").await.payload["users"], json!(["Ann"]));
        let mut bob = Live::open(&app.address(), "/ws/lobby", &[]).await.unwrap();
        for (username, code) in [("ann", "USERNAME_TAKEN"), (" ", "BAD_USERNAME"), (&"x".repeat(33), "BAD_USERNAME")] {
            says(&mut bob, json!({"type": "join", "username": username})).await;
            assert_eq!(bob.hears("error").await.payload["code"], code);
        }
        says(&mut bob, json!({"type": "join", "username": "Bob"})).await;
        assert_eq!(ann.hears("join").await.payload["username"], "Bob");
        says(&mut bob, json!({"type": "message", "content": "Hello"})).await;
        let heard = ann.hears("message").await.payload;
        assert_eq!((&heard["username"], &heard["content"]), (&json!("Bob"), &json!("Hello")));
        assert!(heard["timestamp"].is_string());
        says(&mut bob, json!({"type": "message", "content": " "})).await;
        assert_eq!(bob.hears("error").await.payload["code"], "BAD_PAYLOAD");
        says(&mut bob, json!({"type": "dance"})).await;
        assert_eq!(bob.hears("error").await.payload["code"], "UNKNOWN_EVENT");
        drop(bob);
        assert_eq!(ann.hears("leave").await.payload["username"], "Bob");
    }

    async fn there_is_no_lobby_unless_guests_are_let_in(app: TestApp) {
        let refused = Live::open(&app.address(), "/ws/lobby", &[]).await.unwrap_err();
        assert_eq!(refused.status, 403);
    }
}
