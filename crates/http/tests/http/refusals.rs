//! What the edge refuses, and how.

use axum::{body::Body, extract::Request};
use stoa_http::HttpSettings;
use stoa_platform::each_engine;

use crate::stage::{Stage, migrations};

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

each_engine! {
    &migrations();

    async fn unknown_places_and_methods_are_told_apart(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let nothing = stage.get("/api/nothing").await;
        assert_eq!((nothing.status, &nothing.body["code"]), (404, &"NOT_FOUND".into()));
        let method = stage.send(request("DELETE", "/api/pots").body(Body::empty()).unwrap()).await;
        assert_eq!((method.status, &method.body["code"]), (405, &"METHOD_NOT_ALLOWED".into()));
        assert!(method.header("allow").contains("GET"), "{:?}", method.headers);
        let version = stage.get("/api/v7/pots").await;
        assert_eq!((version.status, &version.body["code"]), (400, &"UNKNOWN_API_VERSION".into()));
    }

    async fn bodies_are_read_strictly(db: TestDatabase) {
        let settings = HttpSettings { body_limit: 100, ..HttpSettings::default() };
        let stage = Stage::new(&db, settings, false);
        let put = |kind: &str, body: Vec<u8>| {
            request("PUT", "/api/pots/3").header("content-type", kind).body(Body::from(body)).unwrap()
        };
        let json = "application/json";
        for (kind, body, status, code) in [
            ("text/plain", b"{}".to_vec(), 415, "UNSUPPORTED_MEDIA_TYPE"),
            (json, b"{".to_vec(), 400, "MALFORMED_JSON"),
            (json, b"\"\xff\"".to_vec(), 400, "MALFORMED_JSON"),
            (json, b"{}".to_vec(), 422, "VALIDATION_FAILED"),
            (json, br#"{"name":"a","more":1}"#.to_vec(), 422, "VALIDATION_FAILED"),
            (json, br#"{"name":"a\u0000"}"#.to_vec(), 422, "NUL_CHARACTER"),
            (json, vec![b' '; 101], 413, "BODY_TOO_LARGE"),
        ] {
            let seen = stage.send(put(kind, body)).await;
            assert_eq!((seen.status, &seen.body["code"]), (status, &code.into()));
        }
    }

    async fn bad_addresses_are_refused(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        for (path, code) in [
            ("/api/pots/three", "INVALID_ID"),
            ("/api/pots/%00", "NUL_CHARACTER"),
            ("/api/pots?limit=0", "INVALID_QUERY"),
            ("/api/pots?sortBy=weight", "INVALID_QUERY"),
            ("/api/pots?cursor=x", "INVALID_QUERY"),
        ] {
            let seen = stage.get(path).await;
            assert_eq!((seen.status, &seen.body["code"]), (400, &code.into()), "{path}");
        }
        let seen = stage.get("/api/v1/pots/%00").await;
        assert_eq!((seen.status, &seen.body["error"]["code"]), (400, &"NUL_CHARACTER".into()));
    }

    async fn a_bad_credential_is_refused_where_somebody_is_asked_for(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let me = |value: &str| request("GET", "/api/me").header("authorization", value).body(Body::empty()).unwrap();
        assert_eq!(stage.get("/api/me").await.body, "guest");
        assert_eq!(stage.send(me("Bearer good")).await.body, "key:good");
        for bad in ["Bearer bad", "Basic Z29vZA==", "good"] {
            let seen = stage.send(me(bad)).await;
            assert_eq!((seen.status, &seen.body["code"]), (401, &"INVALID_TOKEN".into()), "{bad}");
            assert!(seen.header("www-authenticate").starts_with("Bearer"));
        }
    }

    async fn a_limit_of_ones_own_counts_by_its_own_key_and_says_its_own_words(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), true);
        let of = async |kiln: &str| {
            let asked = request("GET", "/api/pots/own-limit").header("x-kiln", kiln).body(Body::empty()).unwrap();
            stage.send(asked).await
        };
        for _ in 0..3 {
            let seen = of("north").await;
            assert_eq!((seen.status, seen.header("ratelimit-policy")), (200, "\"kilns\";q=3;w=60"));
        }
        let full = of("north").await;
        assert_eq!((full.status, &full.body["code"]), (429, &"RATE_LIMITED".into()));
        assert_eq!(full.body["detail"], "The kiln is full. Come back in a minute.");
        assert!(!full.header("retry-after").is_empty());
        assert_eq!(of("south").await.status, 200);
        for _ in 0..5 {
            assert_eq!(stage.get("/api/pots/own-limit").await.status, 200, "not counted");
        }
        stage.clock.advance(std::time::Duration::from_mins(1));
        assert_eq!(of("north").await.status, 200);
    }

    async fn a_panic_is_a_500_that_tells_nothing(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings::default(), false);
        let seen = stage.get("/api/pots/panics").await;
        assert_eq!((seen.status, &seen.body["code"]), (500, &"INTERNAL_ERROR".into()));
        assert!(!seen.body.to_string().contains("secret"));
    }

    async fn limits_are_told_and_kept(db: TestDatabase) {
        let mut settings = HttpSettings::default();
        settings.limits.general.max = 8;
        let stage = Stage::new(&db, settings, true);
        let first = stage.get("/api/pots/limited").await;
        assert_eq!(first.header("ratelimit-policy"), "\"auth\";q=5;w=900");
        assert_eq!(first.header("ratelimit"), "\"auth\";r=4;t=180");
        assert_eq!(first.header("x-ratelimit-remaining"), "4");
        for _ in 0..4 {
            assert_eq!(stage.get("/api/pots/limited").await.status, 200);
        }
        let refused = stage.get("/api/pots/limited").await;
        assert_eq!((refused.status, &refused.body["code"]), (429, &"RATE_LIMITED".into()));
        assert_eq!(refused.header("retry-after"), "180");

        for _ in 0..2 {
            assert_eq!(stage.get("/api/pots").await.header("ratelimit-policy"), "\"general\";q=8;w=900");
        }
        let refused = stage.get("/api/v1/pots").await;
        assert_eq!((refused.status, &refused.body["error"]["code"]), (429, &"RATE_LIMITED".into()));
        // Who signs in has a larger share of their own.
        let good = request("GET", "/api/me").header("authorization", "Bearer good").body(Body::empty()).unwrap();
        let good = stage.send(good).await;
        assert_eq!((good.status, good.header("x-ratelimit-limit")), (200, "40"));
    }

    async fn every_answer_is_guarded_and_named(db: TestDatabase) {
        let stage = Stage::new(&db, HttpSettings { https: true, ..HttpSettings::default() }, false);
        let named = request("GET", "/api/pots").header("x-request-id", "abc-1").body(Body::empty()).unwrap();
        let seen = stage.send(named).await;
        assert_eq!(seen.header("x-request-id"), "abc-1");
        assert_eq!(seen.header("x-content-type-options"), "nosniff");
        assert_eq!(seen.header("x-frame-options"), "DENY");
        assert!(seen.header("content-security-policy").contains("default-src 'none'"));
        assert!(seen.header("strict-transport-security").starts_with("max-age="));
        let odd = request("GET", "/api/pots").header("x-request-id", "a b").body(Body::empty()).unwrap();
        assert_ne!(stage.send(odd).await.header("x-request-id"), "a b");
    }
}
