//! The response cache as a layer.

use std::sync::atomic::Ordering;

use axum::{body::Body, extract::Request};
use stoa_http::HttpSettings;
use stoa_platform::{cache::Tag, each_engine};

use crate::stage::{Stage, migrations};

each_engine! {
    &migrations();

    async fn an_answer_is_made_once_until_its_tag_is_invalidated(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let miss = stage.get("/api/pots/slow").await;
        assert_eq!((miss.header("x-cache"), &miss.body), ("MISS", &1.into()));
        let hit = stage.get("/api/pots/slow").await;
        assert_eq!((hit.header("x-cache"), hit.header("etag")), ("HIT", miss.header("etag")));
        let other_version = stage.get("/api/v1/pots/slow").await;
        assert_eq!(other_version.body["data"], 1);

        stage.worth.store(2, Ordering::SeqCst);
        stage.platform.cache.invalidate(&[Tag::named("pots")]);
        let fresh = stage.get("/api/pots/slow").await;
        assert_eq!((fresh.header("x-cache"), &fresh.body), ("MISS", &2.into()));
        assert_ne!(fresh.header("etag"), miss.header("etag"));
    }

    async fn answers_can_be_told_apart_by_a_key_of_ones_own(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let of = async |colour: &str, path: &str| {
            let request = Request::get(path).header("x-colour", colour).body(Body::empty()).unwrap();
            stage.send(request).await
        };
        assert_eq!(of("red", "/api/pots/by-colour").await.header("x-cache"), "MISS");
        assert_eq!(of("red", "/api/pots/by-colour?whatever=1").await.header("x-cache"), "HIT");
        assert_eq!(of("blue", "/api/pots/by-colour").await.header("x-cache"), "MISS");
        assert_eq!(of("red", "/api/v1/pots/by-colour").await.header("x-cache"), "MISS", "another shape");
        assert_eq!(stage.get("/api/pots/slow").await.header("x-cache"), "MISS", "not the same as by address");
        for _ in 0..2 {
            assert_eq!(stage.get("/api/pots/by-colour").await.header("x-cache"), "", "no key, no place");
        }
        assert_eq!(stage.made.load(Ordering::SeqCst), 6);
    }

    async fn a_bad_credential_is_told_before_what_is_kept(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        stage.get("/api/pots/slow").await;
        let request = Request::get("/api/pots/slow").header("authorization", "Bearer bad");
        let refused = stage.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((refused.status, &refused.body["code"]), (401, &"INVALID_TOKEN".into()));
        assert_eq!(refused.header("x-cache"), "");
    }

    async fn an_answer_ends_with_its_time(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        stage.get("/api/pots/slow").await;
        stage.clock.advance(std::time::Duration::from_mins(11));
        assert_eq!(stage.get("/api/pots/slow").await.header("x-cache"), "MISS");
        assert_eq!(stage.made.load(Ordering::SeqCst), 2);
    }
}
