//! Coming back: what was missed is told, in order and once, or the client is told that it is not.

use std::time::Duration;

use stoa_platform::{database::DatabaseError, params};
use stoa_testing::{Client, Live, TestApp, each_engine, json};

use crate::{all_have_gone, comes_back, contents, posts};

/// Waits until the node has heard of everything that was done so far.
async fn all_is_heard(app: &TestApp, who: &Client) {
    let mut live = app.socketio(who).await;
    let last = posts(who, "general", "the last").await;
    while live.hears("new-message").await.payload["id"] != last {}
}

each_engine! {
    async fn a_socketio_client_is_given_what_it_missed(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut a = app.socketio(&ann).await;
        let session = a.session.clone().unwrap();
        a.does("join-room", json!("tea")).await;
        a.does("join_room", json!("coffee")).await;
        a.does("send-message", json!({"room": "tea", "content": "0"})).await;
        let offset = a.hears("new-message").await.offset.unwrap();
        drop(a);
        crate::joins(&bob, "tea").await;
        crate::joins(&bob, "coffee").await;
        for number in 1..=3 {
            posts(&bob, "tea", &number.to_string()).await;
            posts(&bob, "coffee", &format!("c{number}")).await;
        }
        posts(&bob, "general", "not subscribed").await;
        all_is_heard(app, &bob).await;
        let (mut back, pid) = comes_back(app, &ann, &session, Some(&offset)).await;
        assert_eq!(pid, session);
        let greeting = back.is_greeted().await;
        assert_eq!(greeting.payload["recovered"], true);
        posts(&bob, "tea", "4").await;
        back.does("send_message", json!({"roomId": "coffee", "message": "c4"})).await;
        let mut heard = back.heard_so_far().await;
        while contents(&heard, "new-message").len() < 4 || contents(&heard, "message").len() < 4 {
            heard.push(back.hears_next().await);
        }
        assert_eq!(contents(&heard, "new-message"), ["1", "2", "3", "4"]);
        assert_eq!(contents(&heard, "message"), ["c1", "c2", "c3", "c4"]);
        let places: Vec<i64> = heard
            .iter()
            .filter_map(|heard| heard.offset.as_deref()?.rsplit_once('-')?.1.parse().ok())
            .collect();
        assert!(places.is_sorted(), "{places:?}");
    }

    async fn a_client_at_home_is_given_what_it_missed_of_all_its_rooms(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let a = app.socketio(&ann).await;
        let session = a.session.clone().unwrap();
        drop(a);
        posts(&bob, "general", "1").await;
        crate::opens(&bob, "tea", "private").await;
        posts(&bob, "tea", "before ann").await;
        bob.put(&format!("/api/rooms/tea/members/{}", ann.user_id()), json!({})).await;
        posts(&bob, "tea", "2").await;
        all_is_heard(app, &bob).await;
        // Nothing durable was heard yet but the greeting, whose offset a client of Socket.IO has; without any the session's
        // beginning counts.
        let (mut back, pid) = comes_back(app, &ann, &session, None).await;
        assert_eq!(pid, session);
        back.is_greeted().await;
        assert_eq!(contents(&back.heard_so_far().await, "new-message"), ["1", "2", "the last"]);
    }

    async fn a_plain_client_takes_up_its_session(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let token = ann.session["accessToken"].as_str().unwrap();
        let mut a = app.plain(&ann).await;
        let session = a.session.clone().unwrap();
        a.does("join_room", json!({"roomId": "tea"})).await;
        a.does("send_message", json!({"roomId": "tea", "message": "0"})).await;
        let offset = a.hears("message").await.offset.unwrap();
        drop(a);
        crate::joins(&bob, "tea").await;
        posts(&bob, "tea", "1").await;
        all_is_heard(app, &bob).await;
        let target = format!("/ws?token={token}&session={session}&offset={offset}");
        let mut back = Live::open(&app.address(), &target, &[]).await.unwrap();
        assert_eq!(back.is_greeted().await.payload["recovered"], true);
        assert_eq!(contents(&back.heard_so_far().await, "message"), ["1"]);
        drop(back);
        posts(&bob, "tea", "2").await;
        all_is_heard(app, &bob).await;
        // The same after having signed in afresh.
        let mut back = app.plain(&ann).await;
        let taken = back.does("resume", json!({"session": session, "offset": offset})).await;
        assert_eq!(taken["recovered"], true);
        assert_eq!(contents(&back.heard_so_far().await, "message"), ["1", "2"]);
        back.does("send_message", json!({"roomId": "tea", "message": "3"})).await;
        assert_eq!(back.hears("message").await.payload["message"], "3");
    }

    async fn a_client_without_a_session_resumes_from_an_offset(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let token = ann.session["accessToken"].as_str().unwrap();
        let mut a = app.socketio(&ann).await;
        posts(&bob, "general", "0").await;
        let offset = a.hears("new-message").await.offset.unwrap();
        drop(a);
        posts(&bob, "general", "1").await;
        all_is_heard(app, &bob).await;
        let mut back = app.socketio(&ann).await;
        let resumed = back.does("resume", json!({"offset": offset})).await;
        assert_eq!((&resumed["recovered"], &resumed["events"]), (&json!(true), &json!(2)));
        assert_eq!(contents(&back.heard_so_far().await, "new-message"), ["1", "the last"]);
        // What is named later is told from there on too.
        let target = format!("/ws?token={token}&offset={offset}");
        let mut plain = Live::open(&app.address(), &target, &[]).await.unwrap();
        plain.is_greeted().await;
        plain.does("join_room", json!({"roomId": "general"})).await;
        posts(&bob, "general", "3").await;
        assert_eq!(plain.hears("message").await.payload["message"], "1");
        assert_eq!(plain.hears("message").await.payload["message"], "the last");
        assert_eq!(plain.hears("message").await.payload["message"], "3");
        back.may_not("resume", json!({"offset": "nonsense"}), "BAD_OFFSET").await;
        back.may_not("resume", json!({}), "BAD_PAYLOAD").await;
        let gone = back.does("resume", json!({"offset": "other-1"})).await;
        assert_eq!(gone["recovered"], false);
    }

    async fn a_room_that_is_named_by_its_id_is_kept_too(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let joined = app.socketio(&bob).await.does("join-room", json!("tea")).await;
        crate::joins(&ann, "tea").await;
        // Heard by itself until now, under the same name.
        let mut a = app.socketio(&ann).await;
        let session = a.session.clone().unwrap();
        a.does("join-room", joined["room"]["id"].clone()).await;
        posts(&bob, "tea", "0").await;
        let offset = a.hears("new-message").await.offset.unwrap();
        drop(a);
        posts(&bob, "tea", "1").await;
        let (mut back, pid) = comes_back(app, &ann, &session, Some(&offset)).await;
        assert_eq!(pid, session);
        assert_eq!(back.hears("new-message").await.payload["content"], "1");
    }

    async fn what_was_resumed_is_not_told_again_to_who_joins(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut b = app.socketio(&bob).await;
        for room in ["tea", "coffee"] {
            b.does("join-room", json!(room)).await;
            crate::joins(&ann, room).await;
        }
        let mut a = app.socketio(&ann).await;
        posts(&bob, "tea", "0").await;
        let offset = a.hears("new-message").await.offset.unwrap();
        drop(a);
        posts(&bob, "tea", "1").await;
        posts(&bob, "coffee", "c1").await;
        all_is_heard(app, &bob).await;
        let mut back = app.socketio(&ann).await;
        back.does("resume", json!({"offset": offset})).await;
        for room in ["tea", "coffee"] {
            back.does("join-room", json!(room)).await;
        }
        posts(&bob, "tea", "2").await;
        posts(&bob, "coffee", "c2").await;
        for content in ["1", "c1", "the last", "2", "c2"] {
            assert_eq!(back.hears("new-message").await.payload["content"], content);
        }
    }

    async fn made_up_and_stolen_sessions_recover_nothing(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut a = app.socketio(&ann).await;
        a.does("join-room", json!("tea")).await;
        let session = a.session.clone().unwrap();
        a.does("send-message", json!({"room": "tea", "content": "0"})).await;
        let offset = a.hears("new-message").await.offset.unwrap();
        let (mut thief, pid) = comes_back(app, &bob, &session, Some(&offset)).await;
        assert_ne!(pid, session);
        let greeting = thief.is_greeted().await;
        assert_eq!(greeting.payload, json!({"userId": bob.user_id(), "recovered": false}));
        a.does("send-message", json!({"room": "tea", "content": "1"})).await;
        a.hears("new-message").await;
        assert_eq!(contents(&thief.heard_so_far().await, "new-message"), [""; 0]);
        let (_, made_up) = comes_back(app, &ann, "made-up", Some(&offset)).await;
        assert_ne!(made_up, "made-up");
        let epoch = offset.rsplit_once('-').unwrap().0;
        for bad in ["nonsense", "", "other-1", &format!("{epoch}-999999"), &format!("{epoch}--1")] {
            let (mut live, pid) = comes_back(app, &ann, &session, Some(bad)).await;
            assert_ne!(pid, session, "{bad}");
            assert_eq!(live.is_greeted().await.payload["recovered"], false, "{bad}");
        }
        let target = format!("/ws?session={}", "made-up");
        let mut plain = Live::open(&app.address(), &target, &[]).await.unwrap();
        assert_eq!(plain.is_closed().await, Some(1008));
    }

    async fn a_session_is_one_sockets_at_a_time(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut a = app.socketio(&ann).await;
        a.does("join-room", json!("tea")).await;
        let session = a.session.clone().unwrap();
        let (mut back, pid) = comes_back(app, &ann, &session, None).await;
        assert_eq!(pid, session);
        a.is_closed().await;
        back.is_greeted().await;
        crate::joins(&bob, "tea").await;
        posts(&bob, "tea", "1").await;
        assert_eq!(back.hears("new-message").await.payload["content"], "1");
    }

    async fn a_token_that_ran_out_does_not_matter_to_a_session_that_lives(app: TestApp) {
        let ann = app.shopper("ann").await;
        let a = app.socketio(&ann).await;
        let session = a.session.clone().unwrap();
        drop(a);
        app.clock.advance(Duration::from_hours(2));
        let (_, answer) = Live::connects(&app.address(), &json!({"token": ann.session["accessToken"]})).await;
        assert_eq!(answer.unwrap_err()["data"]["code"], "TOKEN_EXPIRED");
        let (mut back, pid) = comes_back(app, &ann, &session, None).await;
        assert_eq!(pid, session);
        assert_eq!(back.is_greeted().await.payload["recovered"], true);
    }

    async fn nobody_is_recovered_when_the_window_is_over(app: TestApp, |settings| {
        settings.realtime.recovery_window = Duration::from_mins(10);
    }) {
        let ann = app.shopper("ann").await;
        let a = app.socketio(&ann).await;
        let session = a.session.clone().unwrap();
        drop(a);
        all_have_gone(app).await;
        app.settle().await;
        app.advance(Duration::from_mins(11)).await;
        let (live, pid) = comes_back(app, &ann, &session, None).await;
        assert_ne!(pid, session);
        drop(live);
        all_have_gone(app).await;
        app.advance(Duration::from_hours(2)).await;
        let sql = "SELECT COUNT(*) FROM realtime_sessions";
        let left = app.read(move |c| c.find(sql, &[], |row| row.read::<i64>())).await;
        assert_eq!(left, Some(0));
    }

    async fn where_the_log_was_pruned_history_has_the_rest(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut a = app.socketio(&ann).await;
        posts(&bob, "general", "0").await;
        let heard = a.hears("new-message").await;
        let (session, offset) = (a.session.clone().unwrap(), heard.offset.unwrap());
        drop(a);
        posts(&bob, "general", "1").await;
        posts(&bob, "general", "2").await;
        all_is_heard(app, &bob).await;
        let place: i64 = offset.rsplit_once('-').unwrap().1.parse().unwrap();
        let pruned = app.platform().database.write(move |tx| {
            tx.execute("DELETE FROM events WHERE pos <= $1", params![place + 1])
        });
        pruned.await.unwrap_or_else(|error: DatabaseError| panic!("{error}"));
        let (mut back, pid) = comes_back(app, &ann, &session, Some(&offset)).await;
        assert_ne!(pid, session);
        assert_eq!(back.is_greeted().await.payload["recovered"], false);
        let room = heard.payload["room"].as_str().unwrap();
        let rest = ann.get(&format!("/api/messages?room={room}&after={}", heard.payload["seq"])).await.expect(200);
        let said: Vec<_> = rest.entries().iter().map(|message| message["content"].clone()).collect();
        assert_eq!(said, ["1", "2", "the last"]);
    }

    async fn too_much_is_not_recovered(app: TestApp, |settings| settings.realtime.recovery_events = 5) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let a = app.socketio(&ann).await;
        let session = a.session.clone().unwrap();
        drop(a);
        for number in 0..6 {
            posts(&bob, "general", &number.to_string()).await;
        }
        all_is_heard(app, &bob).await;
        let (mut back, pid) = comes_back(app, &ann, &session, None).await;
        assert_ne!(pid, session);
        assert_eq!(back.is_greeted().await.payload["recovered"], false);
        posts(&bob, "general", "live").await;
        assert_eq!(back.hears("new-message").await.payload["content"], "live");
    }

    async fn what_one_may_not_hear_any_more_is_not_recovered(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        crate::opens(&bob, "tea", "private").await;
        bob.put(&format!("/api/rooms/tea/members/{}", ann.user_id()), json!({})).await;
        let mut a = app.socketio(&ann).await;
        a.does("join-room", json!("tea")).await;
        let session = a.session.clone().unwrap();
        drop(a);
        posts(&bob, "tea", "with her").await;
        bob.delete(&format!("/api/rooms/tea/members/{}", ann.user_id())).await.expect(204);
        posts(&bob, "tea", "without her").await;
        all_is_heard(app, &bob).await;
        let (mut back, pid) = comes_back(app, &ann, &session, None).await;
        assert_eq!(pid, session);
        back.is_greeted().await;
        assert_eq!(contents(&back.heard_so_far().await, "new-message"), [""; 0]);
    }
}
