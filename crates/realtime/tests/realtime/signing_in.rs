//! Who is let in, and who is not.

use std::time::Duration;

use stoa_platform::limits::Policy;
use stoa_testing::{Live, Value, each_engine, json};

fn token(who: &stoa_testing::Client) -> String {
    who.session["accessToken"].as_str().unwrap().to_owned()
}

each_engine! {
    async fn socketio_clients_sign_in_by_handshake_or_by_event(app: TestApp) {
        let ann = app.shopper("ann").await;
        let (mut live, answer) = Live::connects(&app.address(), &json!({"token": token(&ann)})).await;
        assert!(!answer.unwrap().is_empty());
        let greeting = live.is_greeted().await;
        assert_eq!(greeting.payload, json!({"userId": ann.user_id(), "recovered": false}));
        assert!(greeting.offset.is_some());
        let online = live.hears("online-users").await;
        assert_eq!(online.payload, json!({"users": [ann.user_id()], "total": 1}));

        let (mut live, answer) = Live::connects(&app.address(), &json!({})).await;
        answer.unwrap();
        live.may_not("join-room", json!("tea"), "NOT_AUTHENTICATED").await;
        live.says("authenticate", json!("nonsense")).await;
        let refused = live.hears("unauthorized").await;
        assert_eq!(refused.payload["code"], "INVALID_TOKEN");
        live.does("authenticate", json!(token(&ann))).await;
        assert_eq!(live.is_greeted().await.payload["userId"], ann.user_id());
        live.does("authenticate", json!(token(&ann))).await;
        let bob = app.shopper("bob").await;
        live.may_not("authenticate", json!(token(&bob)), "ALREADY_AUTHENTICATED").await;
        live.does("join-room", json!("tea")).await;
    }

    async fn a_bad_token_in_the_handshake_is_a_connect_error(app: TestApp) {
        for token in [json!("nonsense"), json!("")] {
            let (_, answer) = Live::connects(&app.address(), &json!({"token": token})).await;
            let expected = json!({"message": "Authentication error", "data": {"code": "INVALID_TOKEN"}});
            assert_eq!(answer.unwrap_err(), expected);
        }
        let (_, answer) = Live::connects(&app.address(), &json!({"token": 7})).await;
        assert_eq!(answer.unwrap_err()["data"]["code"], "BAD_PAYLOAD");
    }

    async fn who_does_not_sign_in_is_closed(app: TestApp, |settings| {
        settings.realtime.sign_in_within = Duration::from_millis(300);
    }) {
        let (mut live, answer) = Live::connects(&app.address(), &json!({})).await;
        answer.unwrap();
        assert_eq!(live.is_closed().await, Some(1008));
        let mut plain = Live::open(&app.address(), "/ws", &[]).await.unwrap();
        assert_eq!(plain.is_closed().await, Some(1008));
    }

    async fn plain_clients_sign_in_by_query_protocol_or_frame(app: TestApp) {
        let ann = app.shopper("ann").await;
        for target in ["/ws", "/"] {
            let mut live = Live::open(&app.address(), &format!("{target}?token={}", token(&ann)), &[]).await.unwrap();
            let greeting = live.is_greeted().await;
            assert_eq!((&greeting.payload["userId"], &greeting.payload["recovered"]), (&json!(ann.user_id()), &json!(false)));
            assert!(greeting.payload["session"].as_str().is_some_and(|session| session.len() > 20));
        }
        let offered = format!("stoa, bearer.{}", token(&ann));
        let mut live = Live::open(&app.address(), "/ws", &[("Sec-WebSocket-Protocol", &offered)]).await.unwrap();
        live.is_greeted().await;
        let mut live = Live::open(&app.address(), "/ws", &[]).await.unwrap();
        live.may_not("join_room", json!({"roomId": "tea"}), "NOT_AUTHENTICATED").await;
        live.does("authenticate", json!({"token": token(&ann)})).await;
        live.is_greeted().await;
        live.does("join_room", json!({"roomId": "tea"})).await;
    }

    async fn a_bad_token_closes_a_plain_socket(app: TestApp) {
        let mut live = Live::open(&app.address(), "/ws?token=nonsense", &[]).await.unwrap();
        assert_eq!(live.hears("unauthorized").await.payload["code"], "INVALID_TOKEN");
        assert_eq!(live.is_closed().await, Some(1008));
        let mut live = Live::open(&app.address(), "/ws", &[]).await.unwrap();
        live.may_not("authenticate", json!({"token": "nonsense"}), "INVALID_TOKEN").await;
        assert_eq!(live.is_closed().await, Some(1008));
    }

    async fn repeated_bad_handshakes_of_one_address_are_limited(app: TestApp, |settings| {
        settings.rate_limits = true;
        settings.realtime.bad_handshakes = Policy { name: "sockets", max: 3, window: Duration::from_mins(1) };
    }) {
        for _ in 0..4 {
            let mut live = Live::open(&app.address(), "/ws?token=nonsense", &[]).await.unwrap();
            assert_eq!(live.is_closed().await, Some(1008));
        }
        for target in ["/ws?token=nonsense", "/socket.io/?EIO=4&transport=websocket"] {
            let refused = Live::open(&app.address(), target, &[]).await.unwrap_err();
            assert_eq!(refused.status, 429, "{target}");
            assert!(refused.head.to_lowercase().contains("retry-after"), "{}", refused.head);
        }
    }

    async fn pages_of_other_origins_are_refused(app: TestApp, |settings| {
        settings.realtime.origins = vec!["https://app.example".parse().unwrap()];
    }) {
        let own = app.address();
        for target in ["/ws", "/", "/socket.io/?EIO=4&transport=websocket"] {
            let refused = Live::open(&own, target, &[("Origin", "https://evil.example")]).await.unwrap_err();
            assert_eq!(refused.status, 403, "{target}");
            for origin in ["https://app.example", own.as_str()] {
                assert!(Live::open(&own, target, &[("Origin", origin)]).await.is_ok(), "{target} {origin}");
            }
        }
        let asked = app.anon().with_header("origin", "https://evil.example");
        assert_eq!(asked.get("/socket.io/?EIO=4&transport=polling").await.status, 403);
    }

    async fn what_is_no_upgrade_is_told_so(app: TestApp) {
        let answer = app.anon().get("/ws").await;
        assert_eq!((answer.status, answer.code()), (400, Some("NOT_AN_UPGRADE")));
        assert_eq!(app.anon().get("/socket.io/").await.status, 400);
        assert_eq!(app.anon().get("/ws/lobby").await.status, 403);
    }

    async fn a_session_that_ends_takes_its_sockets_with_it(app: TestApp) {
        let ann = app.shopper("ann").await;
        let elsewhere = app.sign_in("ann@example.com").await;
        let (mut one, mut other, mut kept) =
            (app.socketio(&ann).await, app.plain(&ann).await, app.plain(&elsewhere).await);
        let refresh = json!({"refreshToken": ann.session["refreshToken"]});
        ann.post("/api/auth/logout", refresh).await.expect(204);
        assert_eq!(one.is_closed().await, Some(1008));
        assert_eq!(other.is_closed().await, Some(1008));
        kept.does("join_room", json!({"roomId": "tea"})).await;
        // What its client kept opens nothing any more.
        let auth = json!({"pid": one.session.unwrap(), "token": ann.session["accessToken"]});
        let (_, answer) = Live::connects(&app.address(), &auth).await;
        assert_eq!(answer.unwrap_err()["data"]["code"], "SESSION_ENDED");
        let target = format!("/ws?session={}", other.session.unwrap());
        let mut late = Live::open(&app.address(), &target, &[]).await.unwrap();
        assert_eq!(late.is_closed().await, Some(1008));
    }

    async fn a_changed_password_ends_other_sockets_at_once_and_its_own_with_the_token(app: TestApp) {
        let ann = app.shopper("ann").await;
        let elsewhere = app.sign_in("ann@example.com").await;
        let (mut own, mut other) = (app.plain(&ann).await, app.socketio(&elsewhere).await);
        let body = json!({"currentPassword": stoa_testing::PASSWORD, "newPassword": "Another-Pass-2"});
        ann.post("/api/auth/change-password", body).await.expect(204);
        assert_eq!(other.is_closed().await, Some(1008));
        own.does("join_room", json!({"roomId": "tea"})).await;
        // Nothing refreshes the session any more: it ends when its last access token does.
        app.clock.advance(Duration::from_mins(14));
        own.does("join_room", json!({"roomId": "coffee"})).await;
        app.clock.advance(Duration::from_mins(2));
        own.may_not("join_room", json!({"roomId": "milk"}), "SESSION_ENDED").await;
        assert_eq!(own.is_closed().await, Some(1008));
        let target = format!("/ws?session={}", own.session.unwrap());
        let mut late = Live::open(&app.address(), &target, &[]).await.unwrap();
        assert_eq!(late.is_closed().await, Some(1008));
    }

    async fn presence_lasts_from_the_first_socket_to_a_moment_after_the_last(app: TestApp, |settings| {
        settings.realtime.presence_grace = Duration::from_millis(200);
    }) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut watching = app.socketio(&ann).await;
        let (one, two) = (app.socketio(&bob).await, app.plain(&bob).await);
        assert_eq!(watching.hears("user-online").await.payload, json!({"userId": bob.user_id()}));
        drop(one);
        let here: Vec<Value> = watching.heard_so_far().await.into_iter().map(|heard| heard.payload).collect();
        assert!(!here.contains(&json!({"userId": bob.user_id()})), "{here:?}");
        drop(two);
        assert_eq!(watching.hears("user-offline").await.payload, json!({"userId": bob.user_id()}));
    }

    async fn a_status_is_told_to_those_who_are_there(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (mut a, mut b) = (app.socketio(&ann).await, app.socketio(&bob).await);
        b.does("user-status", json!("busy")).await;
        let told = a.hears("user-status-update").await;
        assert_eq!((told.payload, told.offset), (json!({"userId": bob.user_id(), "status": "busy"}), None));
        b.does("user-status", json!({"status": "away"})).await;
        assert_eq!(a.hears("user-status-update").await.payload["status"], "away");
        b.may_not("user-status", json!("asleep"), "BAD_PAYLOAD").await;
    }
}
