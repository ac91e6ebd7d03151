//! The response cache as a layer.

use std::sync::atomic::Ordering;

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

    async fn an_answer_ends_with_its_time(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        stage.get("/api/pots/slow").await;
        stage.clock.advance(std::time::Duration::from_mins(11));
        assert_eq!(stage.get("/api/pots/slow").await.header("x-cache"), "MISS");
        assert_eq!(stage.made.load(Ordering::SeqCst), 2);
    }
}
