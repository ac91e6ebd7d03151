//! Requests that are sent again.

use std::{sync::atomic::Ordering, time::Duration};

use stoa_http::{HttpSettings, Once, Reply};
use stoa_platform::each_engine;

use crate::stage::{Stage, migrations, post_request, request_by, send};

const POT: &str = r#"{"name":"a"}"#;

each_engine! {
    &migrations();

    async fn the_first_answer_is_given_again(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let first = stage.post("/api/pots", Some("k1"), POT).await;
        assert_eq!((first.status, first.header("location")), (201, "/api/pots/1"));
        assert_eq!(first.header("idempotent-replayed"), "");
        let again = stage.post("/api/pots", Some("k1"), POT).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!((again.header("location"), again.header("etag")), ("/api/pots/1", first.header("etag")));
        assert_eq!(stage.made.load(Ordering::SeqCst), 1);
        // Another version is another scope, and no key is no promise.
        assert_eq!(stage.post("/api/v1/pots", Some("k1"), POT).await.header("idempotent-replayed"), "");
        assert_eq!(stage.post("/api/pots", None, POT).await.header("idempotent-replayed"), "");
    }

    async fn a_guests_key_holds_where_the_guest_is_told_from_others(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let by = |guest: Option<&'static str>| {
            let mut request = request_by("/api/pots", Some("k1"), POT, None);
            if let Some(guest) = guest {
                request.headers_mut().insert("x-guest", guest.parse().unwrap());
            }
            stage.send(request)
        };
        for (guest, replayed) in
            [(None, ""), (None, ""), (Some("one"), ""), (Some("two"), ""), (Some("one"), "true"), (None, "")]
        {
            let seen = by(guest).await;
            assert_eq!((seen.status, seen.header("idempotent-replayed")), (201, replayed), "{guest:?}");
        }
        assert_eq!(stage.made.load(Ordering::SeqCst), 5);
    }

    async fn another_body_and_bad_keys_are_refused(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        stage.post("/api/pots", Some("k1"), POT).await;
        let other = stage.post("/api/pots", Some("k1"), r#"{"name":"b"}"#).await;
        assert_eq!((other.status, &other.body["code"]), (422, &"IDEMPOTENCY_KEY_REUSED".into()));
        let long = stage.post("/api/pots", Some(&"k".repeat(256)), POT).await;
        assert_eq!((long.status, &long.body["code"]), (400, &"INVALID_IDEMPOTENCY_KEY".into()));
    }

    async fn refusals_are_not_kept(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        for _ in 0..2 {
            let refused = stage.post("/api/pots", Some("k1"), r#"{"name":"refused"}"#).await;
            assert_eq!((refused.status, refused.header("idempotent-replayed")), (409, ""));
        }
        assert_eq!(stage.post("/api/pots", Some("k1"), POT).await.status, 201);
    }

    async fn an_answer_is_kept_for_a_day(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        stage.post("/api/pots", Some("k1"), POT).await;
        stage.clock.advance(Duration::from_hours(25));
        assert_eq!(stage.post("/api/pots", Some("k1"), POT).await.header("idempotent-replayed"), "");
    }

    async fn who_took_too_long_neither_keeps_an_answer_nor_frees_the_key(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let fires = || stage.post("/api/kilns", Some("k1"), POT);
        assert_eq!(fires().await.status, 200);
        assert_eq!(fires().await.body["code"], "IDEMPOTENCY_IN_PROGRESS");
        stage.clock.advance(Duration::from_secs(31));
        assert_eq!(fires().await.body, "it burns");
        let (slow, quick) = {
            let fired = stage.fired.lock().unwrap();
            assert_eq!(fired.len(), 2);
            (fired[0].clone(), fired[1].clone())
        };
        let now = stage.clock.clock().now();
        let finish = |once: Once, answer: &'static str| stage.platform.database.write(move |tx| {
            once.finish(tx, &Reply::ok(&answer).unwrap(), now)
        });
        let forget = |once: Once| stage.platform.database.write(move |tx| once.forget(tx));
        for _ in 0..2 {
            forget(slow.clone()).await.unwrap();
            assert_eq!(fires().await.body["code"], "IDEMPOTENCY_IN_PROGRESS", "the key is the retry's");
            finish(slow.clone(), "of the slow one").await.unwrap();
        }
        finish(quick.clone(), "of the quick one").await.unwrap();
        forget(slow.clone()).await.unwrap();
        finish(slow, "of the slow one").await.unwrap();
        assert_eq!(fires().await.body, "of the quick one");
        // Who has the key may free it.
        forget(quick).await.unwrap();
        assert_eq!(fires().await.body, "it burns");
    }

    async fn race_of_one_key_has_one_effect(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let racers: Vec<_> = (0..20)
            .map(|_| tokio::spawn(send(stage.edge.clone(), post_request("/api/pots", Some("k1"), POT))))
            .collect();
        let mut fresh = 0;
        for racer in racers {
            let seen = racer.await.unwrap();
            assert!(matches!(seen.status, 201 | 409), "{}", seen.body);
            fresh += i32::from(seen.status == 201 && seen.header("idempotent-replayed").is_empty());
        }
        assert_eq!(fresh, 1);
    }
}
