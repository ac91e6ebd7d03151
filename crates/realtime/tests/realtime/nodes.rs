//! Several nodes: what one is told is heard at all.

use std::time::Duration;

use stoa_platform::limits::Policy;
use stoa_testing::{AnotherNode, Client, Live, Value, json, two_nodes};

use crate::comes_back_at;

/// Says something in the lobby, where fields stand beside the `type`.
async fn says(live: &mut Live, frame: Value) {
    live.frame(1, frame.to_string().as_bytes()).await;
}

async fn socketio(node: &AnotherNode, who: &Client) -> Live {
    Live::socketio(&node.address(), who).await
}

/// Waits until somebody is, or is not, among those of whom a newcomer is told.
async fn is_listed(node: &str, watcher: &Client, user: &str, wanted: bool) {
    loop {
        let mut newcomer = Live::socketio(node, watcher).await;
        let listed = newcomer.hears("online-users").await.payload;
        if listed["users"].as_array().unwrap().contains(&json!(user)) == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until both nodes hear each other: what is said before is lost.
async fn all_hear(nodes: &[String]) {
    for node in nodes {
        loop {
            let figures = Client::new(node.as_str()).get("/metrics").await.text;
            let heard = format!("stoa_nodes {}", nodes.len());
            if figures.lines().any(|line| line == heard) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Waits until a guest is told that these are there.
async fn sees(guest: &mut Live, users: &[&str]) {
    while guest.hears("users").await.payload["users"] != json!(users) {}
}

two_nodes! {
    async fn who_is_at_one_node_is_online_at_all(app: TestApp, other: AnotherNode, |settings| {
        settings.realtime.presence_grace = Duration::from_millis(200);
    }) {
        let third = app.another_node().await;
        all_hear(&[app.address(), other.address(), third.address()]).await;
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut watching = [app.socketio(&ann).await, socketio(other, &ann).await, socketio(&third, &ann).await];
        let here = socketio(other, &bob).await;
        for watcher in &mut watching {
            assert_eq!(watcher.hears("user-online").await.payload, json!({"userId": bob.user_id()}));
        }
        for node in [app.address(), other.address(), third.address()] {
            is_listed(&node, &ann, bob.user_id(), true).await;
        }
        // Whoever has another socket at another node has not gone.
        let there = Live::plain(&third.address(), &bob).await;
        drop(here);
        for watcher in &mut watching {
            let told = watcher.heard_so_far().await;
            assert!(!told.iter().any(|heard| heard.word == "user-offline"), "{told:?}");
        }
        drop(there);
        for watcher in &mut watching {
            assert_eq!(watcher.hears("user-offline").await.payload, json!({"userId": bob.user_id()}));
        }
        third.stop().await;
    }

    async fn a_node_that_comes_later_is_told_who_is_there(app: TestApp, other: AnotherNode) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let _here = [app.socketio(&ann).await, socketio(other, &bob).await];
        let third = app.another_node().await;
        is_listed(&third.address(), &ann, bob.user_id(), true).await;
        third.stop().await;
    }

    async fn a_node_that_stops_takes_its_users_with_it(app: TestApp, other: AnotherNode, |settings| {
        settings.realtime.presence_grace = Duration::from_millis(200);
    }) {
        let third = app.another_node().await;
        all_hear(&[app.address(), other.address(), third.address()]).await;
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut watching = [app.socketio(&ann).await, socketio(other, &ann).await];
        let mut leaving = socketio(&third, &bob).await;
        for watcher in &mut watching {
            watcher.hears("user-online").await;
        }
        third.stop().await;
        // Going away: a client that is told so, and not to stay away, comes back by itself.
        assert_eq!(leaving.is_closed().await, Some(1001));
        for watcher in &mut watching {
            assert_eq!(watcher.hears("user-offline").await.payload, json!({"userId": bob.user_id()}));
        }
    }

    async fn typing_and_moving_are_told_at_all_nodes(app: TestApp, other: AnotherNode) {
        all_hear(&[app.address(), other.address()]).await;
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.plain(&ann).await, Live::plain(&other.address(), &bob).await);
        a.does("join_room", json!({"roomId": "tea"})).await;
        a.hears("user_joined").await;
        b.does("join_room", json!({"roomId": "tea"})).await;
        assert_eq!(a.hears("user_joined").await.payload, json!({"userId": bob.user_id(), "roomId": "tea"}));
        b.does("typing", json!({"roomId": "tea", "isTyping": true})).await;
        let typing = |is_typing| json!({"userId": bob.user_id(), "roomId": "tea", "isTyping": is_typing});
        assert_eq!(a.hears("typing").await.payload, typing(true));
        b.does("typing", json!({"roomId": "tea", "isTyping": false})).await;
        assert_eq!(a.hears("typing").await.payload, typing(false));
        // The same in the words of the other dialect, and not to who types.
        let mut c = app.socketio(&ann).await;
        c.does("join-room", json!("tea")).await;
        b.does("typing", json!({"roomId": "tea", "isTyping": true})).await;
        let told = c.hears("user-typing").await.payload;
        assert_eq!(told, json!({"userId": bob.user_id(), "room": "tea", "isTyping": true}));
        drop(b);
        assert_eq!(a.hears("user_left").await.payload, json!({"userId": bob.user_id(), "roomId": "tea"}));
        assert_eq!(c.hears("user-typing").await.payload["isTyping"], false);
    }

    async fn typing_elsewhere_goes_on_while_it_is_repeated_and_then_ends(app: TestApp, other: AnotherNode, |settings| {
        settings.realtime.typing_lasts = Duration::from_millis(400);
    }) {
        all_hear(&[app.address(), other.address()]).await;
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.plain(&ann).await, Live::plain(&other.address(), &bob).await);
        a.does("join_room", json!({"roomId": "tea"})).await;
        b.does("join_room", json!({"roomId": "tea"})).await;
        b.does("typing", json!({"roomId": "tea", "isTyping": true})).await;
        assert_eq!(a.hears("typing").await.payload["isTyping"], true);
        assert_eq!(a.hears("typing").await.payload["isTyping"], false);
    }

    async fn the_lobby_is_one(app: TestApp, other: AnotherNode, |settings| settings.realtime.guests = true) {
        all_hear(&[app.address(), other.address()]).await;
        let mut ann = Live::open(&app.address(), "/ws/lobby", &[]).await.unwrap();
        let mut bob = Live::open(&other.address(), "/ws/lobby", &[]).await.unwrap();
        says(&mut ann, json!({"type": "join", "username": "Ann"})).await;
        says(&mut bob, json!({"type": "join", "username": "Bob"})).await;
        for guest in [&mut ann, &mut bob] {
            sees(guest, &["Ann", "Bob"]).await;
        }
        for (username, node) in [("bob", app.address()), ("ANN", other.address())] {
            let mut late = Live::open(&node, "/ws/lobby", &[]).await.unwrap();
            says(&mut late, json!({"type": "join", "username": username})).await;
            assert_eq!(late.hears("error").await.payload["code"], "USERNAME_TAKEN");
        }
        says(&mut ann, json!({"type": "message", "content": "Hello"})).await;
        let told = bob.hears("message").await.payload;
        assert_eq!((&told["username"], &told["content"]), (&json!("Ann"), &json!("Hello")));
        assert!(told["timestamp"].is_string());
        drop(bob);
        assert_eq!(ann.hears("leave").await.payload["username"], "Bob");
        sees(&mut ann, &["Ann"]).await;
    }

    async fn a_session_that_ends_at_one_node_ends_its_sockets_at_all_and_opens_nothing(app: TestApp, other: AnotherNode) {
        let ann = app.shopper("ann").await;
        let (mut one, mut two) = (socketio(other, &ann).await, Live::plain(&other.address(), &ann).await);
        one.does("join-room", json!("tea")).await;
        let refresh = json!({"refreshToken": ann.session["refreshToken"]});
        ann.post("/api/auth/logout", refresh).await.expect(204);
        assert_eq!(one.is_closed().await, Some(1008));
        assert_eq!(two.is_closed().await, Some(1008));
        let (pid, session) = (one.session.unwrap(), two.session.unwrap());
        // A node may believe for a second what it knows of a session.
        app.clock.advance(Duration::from_secs(1));
        for node in [app.address(), other.address()] {
            let refused = comes_back_at(&node, &ann, &pid, None).await.1.unwrap_err();
            assert_eq!(refused["data"]["code"], "SESSION_ENDED");
            let mut late = Live::open(&node, &format!("/ws?session={session}"), &[]).await.unwrap();
            assert_eq!(late.is_closed().await, Some(1008));
        }
    }

    async fn bad_handshakes_are_counted_together(app: TestApp, other: AnotherNode, |settings| {
        settings.rate_limits = true;
        settings.realtime.bad_handshakes = Policy { name: "sockets", max: 4, window: Duration::from_mins(10) };
    }) {
        let target = "/ws?token=nonsense";
        for node in [app.address(), other.address(), app.address(), other.address()] {
            let mut live = Live::open(&node, target, &[]).await.unwrap();
            assert_eq!(live.is_closed().await, Some(1008));
        }
        // One more at either, and it is closed there.
        for node in [app.address(), other.address()] {
            let mut live = Live::open(&node, target, &[]).await.unwrap();
            assert_eq!(live.is_closed().await, Some(1008));
            assert_eq!(Live::open(&node, target, &[]).await.unwrap_err().status, 429);
        }
    }
}
