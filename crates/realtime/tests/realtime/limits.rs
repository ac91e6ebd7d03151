//! Clients that do too much, too wrong or nothing at all, and that disturb nobody else.

use std::time::Duration;

use stoa_testing::{Live, TestApp, each_engine, json};

use crate::posts;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
/// Messages at once.
const BURST: usize = 40;

/// Somebody does not read, or a byte now and then, while much is said; the others hear everything, and that they have gone.
async fn is_cut(app: &TestApp, reads_a_byte: bool) {
    let (ann, bob, cat) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("cat").await);
    let mut watching = app.socketio(&cat).await;
    watching.does("join-room", json!("tea")).await;
    let mut writing = app.plain(&ann).await;
    writing.does("join_room", json!({"roomId": "tea"})).await;
    let mut deaf = app.plain(&bob).await;
    deaf.does("join_room", json!({"roomId": "tea"})).await;
    let (long, mut said) = ("x".repeat(3_900), 0);
    // The kernel takes some megabytes for a reader that does not read.
    let cut = loop {
        for number in said..said + BURST {
            let message = json!({"roomId": "tea", "message": format!("{number} {long}")});
            writing.asks_later("send_message", message).await;
        }
        for number in said..said + BURST {
            for (live, word, field) in
                [(&mut watching, "new-message", "content"), (&mut writing, "message", "message")]
            {
                let heard = live.hears(word).await.payload[field].as_str().unwrap().to_owned();
                assert!(heard.starts_with(&format!("{number} ")), "{heard}");
            }
        }
        said += BURST;
        if reads_a_byte {
            deaf.reads_a_byte().await;
        }
        let figures = app.anon().get("/metrics").await.text;
        let is_cut = |line: &&str| {
            let why = line.contains("queue_full") || line.contains("stalled");
            line.starts_with("stoa_sockets_ended_total") && why
        };
        if let Some(line) = figures.lines().find(is_cut) {
            break line.to_owned();
        }
        assert!(said < 50_000, "the reader was never cut");
    };
    assert!(cut.ends_with(" 1"), "{cut}");
    while watching.hears("user-offline").await.payload["userId"] != bob.user_id() {}
    drop(deaf);
}

each_engine! {
    async fn what_is_no_frame_is_told_and_too_much_of_it_closes(app: TestApp) {
        let ann = app.shopper("ann").await;
        let mut live = app.plain(&ann).await;
        for nonsense in [&b"nonsense"[..], b"{}", b"[1]", b"{\"type\":7}", b"{\"type\":\"x\",\"id\":{}}"] {
            live.frame(TEXT, nonsense).await;
            assert_eq!(live.hears("error").await.payload["code"], "BAD_FRAME");
        }
        live.frame(BINARY, b"{}").await;
        assert_eq!(live.hears("error").await.payload["code"], "BAD_FRAME");
        live.does("join_room", json!({"roomId": "tea"})).await;
        for _ in 0..20 {
            live.says("no-such-event", json!(null)).await;
        }
        let mut codes = Vec::new();
        while codes.last().is_none_or(|code| code != "TOO_MANY_FAULTS") {
            codes.push(live.hears("error").await.payload["code"].as_str().unwrap().to_owned());
        }
        assert_eq!(codes[0], "UNKNOWN_EVENT");
        assert_eq!(live.is_closed().await, Some(1008));
    }

    async fn a_flood_is_told_and_closed_and_nobody_else_notices(app: TestApp, |settings| {
        settings.realtime.events_per_second = 50;
    }) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut quiet = app.plain(&bob).await;
        quiet.does("join_room", json!({"roomId": "tea"})).await;
        for mut live in [app.plain(&ann).await, app.socketio(&ann).await] {
            for _ in 0..200 {
                live.says("typing", json!({"roomId": "tea", "isTyping": true})).await;
            }
            let mut code = live.hears("error").await.payload["code"].clone();
            while code != "TOO_MANY_EVENTS" {
                assert!(code == "NOT_IN_ROOM" || code == "TOO_MANY_FAULTS", "{code}");
                if code == "TOO_MANY_FAULTS" {
                    break;
                }
                code = live.hears("error").await.payload["code"].clone();
            }
            live.is_closed().await;
        }
        quiet.does("send_message", json!({"roomId": "tea", "message": "undisturbed"})).await;
        assert_eq!(quiet.hears("message").await.payload["message"], "undisturbed");
    }

    async fn a_message_above_the_limit_closes(app: TestApp) {
        let ann = app.shopper("ann").await;
        let huge = vec![b'x'; 1024 * 1024];
        for mut live in [app.plain(&ann).await, app.socketio(&ann).await] {
            live.frame(TEXT, &huge).await;
            let status = live.is_closed().await;
            assert!(matches!(status, Some(1009) | None), "{status:?}");
        }
    }

    async fn a_socket_is_subscribed_to_so_much_and_no_more(app: TestApp, |settings| {
        settings.realtime.subscriptions = 5;
    }) {
        let ann = app.shopper("ann").await;
        let mut live = app.plain(&ann).await;
        // Two are its own: the user's, and what is told to all.
        for number in 0..3 {
            live.does("join_room", json!({"roomId": format!("room-{number}")})).await;
        }
        live.may_not("join_room", json!({"roomId": "one-more"}), "TOO_MANY_SUBSCRIPTIONS").await;
        live.does("leave_room", json!({"roomId": "room-0"})).await;
        live.does("join_room", json!({"roomId": "one-more"})).await;
    }

    async fn ten_thousand_rooms_are_too_many_for_a_socket_and_disturb_nobody(app: TestApp, |settings| {
        // So that it is not stopped for its haste.
        settings.realtime.events_per_second = 1_000_000;
    }) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut quiet = app.plain(&bob).await;
        quiet.does("join_room", json!({"roomId": "tea"})).await;
        let mut greedy = app.plain(&ann).await;
        let mut asked = Vec::new();
        for number in 0..10_000 {
            asked.push(greedy.asks_later("join_room", json!({"roomId": format!("room-{number}")})).await);
            if number % 500 == 0 {
                quiet.does("send_message", json!({"roomId": "tea", "message": number.to_string()})).await;
                assert_eq!(quiet.hears("message").await.payload["message"], number.to_string());
            }
        }
        // Two of its 500 are its own: the user's, and what is told to all. It goes on after that, and is closed.
        for (number, asked) in asked.into_iter().take(518).enumerate() {
            let answer = greedy.answer(asked).await;
            if number < 498 {
                assert_eq!(answer["ok"], true, "{number}: {answer}");
            } else {
                assert_eq!(answer["error"]["code"], "TOO_MANY_SUBSCRIPTIONS", "{number}: {answer}");
            }
        }
        assert_eq!(greedy.hears("error").await.payload["code"], "TOO_MANY_FAULTS");
        assert_eq!(greedy.is_closed().await, Some(1008));
        let rooms: i64 = app
            .read(|c| Ok(c.find("SELECT COUNT(*) FROM rooms WHERE slug LIKE 'room-%'", &[], |row| row.read())?.unwrap()))
            .await;
        assert_eq!(rooms, 498, "nothing is made for who may not hear it");
        quiet.does("send_message", json!({"roomId": "tea", "message": "undisturbed"})).await;
        assert_eq!(quiet.hears("message").await.payload["message"], "undisturbed");
    }

    async fn ten_thousand_rooms_in_a_second_are_a_flood(app: TestApp) {
        let ann = app.shopper("ann").await;
        for mut live in [app.plain(&ann).await, app.socketio(&ann).await] {
            for number in 0..10_000 {
                live.says("join_room", json!(format!("room-{number}"))).await;
            }
            let codes = live.codes_until_closed().await;
            assert!(codes.iter().any(|code| code == "TOO_MANY_EVENTS" || code == "TOO_MANY_FAULTS"), "{codes:?}");
        }
    }

    async fn who_answers_no_heartbeat_has_gone(app: TestApp, |settings| {
        settings.realtime.ping_interval = Duration::from_millis(300);
        settings.realtime.ping_timeout = Duration::from_millis(300);
        settings.realtime.presence_grace = Duration::from_millis(100);
    }) {
        let (ann, bob, cat) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("cat").await);
        // Their connections stay open, as those of machines that lost their power do; nobody reads them.
        let silent = [app.plain(&bob).await, app.socketio(&cat).await];
        let mut watching = app.socketio(&ann).await;
        let mut gone = vec![bob.user_id(), cat.user_id()];
        while !gone.is_empty() {
            let told = watching.hears("user-offline").await.payload;
            gone.retain(|user| told["userId"] != *user);
        }
        let figures = app.anon().get("/metrics").await.text;
        for end in ["socketio", "websocket"] {
            let figure = format!("stoa_sockets_ended_total{{end=\"{end}\",reason=\"ping_timeout\"}} 1");
            assert!(figures.contains(&figure), "{figure} is not in {figures}");
        }
        drop(silent);
    }

    async fn who_reads_nothing_is_cut_and_the_others_miss_nothing(app: TestApp, |settings| {
        settings.realtime.outbound.stall = Duration::from_secs(3);
        settings.realtime.presence_grace = Duration::from_millis(100);
    }) {
        is_cut(app, false).await;
    }

    async fn who_reads_a_byte_now_and_then_is_cut_too(app: TestApp, |settings| {
        settings.realtime.outbound.stall = Duration::from_secs(3);
        settings.realtime.presence_grace = Duration::from_millis(100);
    }) {
        is_cut(app, true).await;
    }

    async fn a_plain_socket_is_served_while_others_are_gone_for_good(app: TestApp) {
        let ann = app.shopper("ann").await;
        let mut live = Live::open(&app.address(), "/ws", &[]).await.unwrap();
        live.frame(TEXT, b"{\"type\":\"authenticate\"}").await;
        live.is_closed().await;
        let mut live = app.plain(&ann).await;
        live.does("join_room", json!({"roomId": "general"})).await;
        posts(&ann, "general", "still here").await;
        assert_eq!(live.hears("message").await.payload["message"], "still here");
    }
}
