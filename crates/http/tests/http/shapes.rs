//! Each version's shape of answers and refusals.

use axum::{body::Body, extract::Request};
use stoa_http::HttpSettings;
use stoa_kernel::Timestamp;
use stoa_platform::each_engine;

use crate::stage::{Stage, migrations};

each_engine! {
    &migrations();

    async fn v2_is_bare_and_v1_is_wrapped(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let v2 = stage.get("/api/pots/3").await;
        assert_eq!((v2.status, v2.header("api-version")), (200, "v2"));
        assert_eq!(v2.body, serde_json::json!({"name": "pot 3"}));

        let v1 = stage.get("/api/v1/pots/3").await;
        assert_eq!((v1.status, v1.header("api-version")), (200, "v1"));
        assert_eq!(v1.body["success"], true);
        assert_eq!(v1.body["data"]["name"], "pot 3");
        assert_eq!(v1.body["meta"]["version"], "v1");
        assert_eq!(v1.body["meta"]["timestamp"], "2026-01-15T12:00:00.000Z");
        assert_eq!(v1.body["meta"]["requestId"], v1.header("x-request-id"));
    }

    async fn lists_carry_their_page(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let v2 = stage.get("/api/pots?limit=5").await;
        assert_eq!(v2.body, serde_json::json!({"data": ["a", "b"], "nextCursor": null}));
        let numbered = stage.get("/api/pots?page=1&size=5").await;
        assert_eq!(
            numbered.body,
            serde_json::json!({"data": ["a", "b"], "nextCursor": null, "page": 1, "size": 5, "total": 2})
        );
        let v1 = stage.get("/api/pots?version=v1&total=true").await;
        assert_eq!(v1.body["data"], serde_json::json!(["a", "b"]));
        assert_eq!(
            v1.body["meta"]["pagination"],
            serde_json::json!({"limit": 20, "nextCursor": null, "total": 2})
        );
    }

    async fn refusals_have_each_versions_shape(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let v2 = stage.get("/api/pots/10").await;
        assert_eq!((v2.status, v2.header("content-type")), (404, "application/problem+json"));
        assert_eq!(v2.body["code"], "POT_NOT_FOUND");
        assert_eq!(v2.body["title"], "Not Found");
        assert_eq!(v2.body["status"], 404);
        assert_eq!(v2.body["known"], 9);
        assert_eq!(v2.body["errors"], serde_json::json!([]));

        let v1 = stage.get("/api/v1/pots/10").await;
        assert_eq!(v1.status, 404);
        assert_eq!(v1.body["success"], false);
        assert_eq!(v1.body["error"]["code"], "POT_NOT_FOUND");
        assert_eq!(v1.body["error"]["details"]["known"], 9);

        let v0 = stage.post("/pot/bad", None, "{}").await;
        assert_eq!((v0.status, v0.body), (409, serde_json::json!({"error": "There is one."})));
    }

    async fn v0_says_that_it_goes_and_then_that_it_is_gone(db: TestDatabase) {
        let sunset = Timestamp::parse("2026-01-15T13:00:00Z");
        let stage = Stage::new(&db, HttpSettings { v0_sunset: sunset, ..HttpSettings::default() }, false);
        let before = stage.get("/pot").await;
        assert_eq!(before.status, 200);
        assert!(before.header("deprecation").starts_with('@'));
        assert_eq!(before.header("sunset"), "Thu, 15 Jan 2026 13:00:00 GMT");
        assert!(before.header("link").contains("successor-version"));
        assert!(before.header("warning").starts_with("299 - \"API v0 is deprecated."));

        stage.clock.advance(std::time::Duration::from_hours(1));
        let after = stage.get("/pot").await;
        assert_eq!(after.status, 410);
        assert!(after.body["error"].is_string());
        // A method it never had is gone, too.
        let gone = stage.send(Request::delete("/pot").body(Body::empty()).unwrap()).await;
        assert_eq!(gone.status, 410);
    }

    async fn conditional_requests_spare_and_protect(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let first = stage.get("/api/pots/3").await;
        assert_eq!(first.header("etag"), "\"3\"");
        let again = Request::get("/api/pots/3").header("if-none-match", "\"3\"").body(Body::empty()).unwrap();
        let again = stage.send(again).await;
        assert_eq!((again.status, again.body), (304, serde_json::Value::Null));

        let put = |etag: &str| {
            Request::put("/api/pots/3")
                .header("if-match", etag)
                .header("content-type", "application/json")
                .body(Body::from(r#"{"name":"new"}"#))
                .unwrap()
        };
        assert_eq!(stage.send(put("\"3\"")).await.status, 200);
        let stale = stage.send(put("\"2\"")).await;
        assert_eq!((stale.status, &stale.body["code"]), (412, &"PRECONDITION_FAILED".into()));
    }
}
