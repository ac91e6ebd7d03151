//! What every surface of a node shares: health, documentation, CORS, compression.

use std::time::Duration;

use stoa_testing::{Client, at_once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

stoa_testing::each_engine! {
    async fn health_is_told_in_three_ways(app: TestApp) {
        let anon = app.anon();
        let whole = anon.get("/health").await.expect(200);
        assert_eq!(whole.body["status"], "healthy");
        for check in ["database", "redis", "broker", "storage", "memory"] {
            assert_eq!(whole.body["checks"][check]["status"], "healthy", "{check}");
        }
        assert_eq!(whole.header("api-version"), None, "health has no version");
        assert_eq!(anon.get("/health/ready").await.expect(200).body["status"], "ready");
        assert_eq!(anon.get("/health/live").await.expect(200).body["status"], "alive");
    }

    async fn each_version_has_its_document(app: TestApp) {
        let anon = app.anon();
        let v2 = anon.get("/api/openapi.json").await.expect(200);
        assert_eq!(v2.body["openapi"], "3.1.0");
        let product = "/paths/~1api~1products~1{id}/get/responses/200/content/application~1json/schema";
        assert!(v2.body.pointer(product).expect("a schema")["$ref"].is_string());
        let v1 = anon.get("/api/v1/openapi.json").await.expect(200);
        assert_eq!(v1.body["info"]["version"], "v1");
        assert_eq!(v1.body.pointer(product).expect("a schema")["properties"]["success"]["const"], true);
    }

    async fn the_documentation_page_loads_nothing_from_elsewhere(app: TestApp) {
        let anon = app.anon();
        assert_eq!(anon.get("/api/docs").await.expect(308).header("location"), Some("/api/docs/"));
        let page = anon.get("/api/docs/").await.expect(200);
        assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
        for file in ["swagger-ui.css", "index.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
            anon.get(&format!("/api/docs/{file}")).await.expect(200);
        }
        let policy = page.header("content-security-policy").expect("a policy").to_owned();
        assert!(policy.contains("script-src 'self'") && policy.contains("connect-src 'self'"), "{policy}");
        anon.get("/api/docs/errors").await.expect(200);
        anon.get("/api/docs/nothing.js").await.expect(404);
    }

    async fn the_page_that_sends_files_runs_its_own_script_alone(app: TestApp) {
        let page = app.anon().get("/upload-form").await.expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").expect("a policy").to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!page.text.contains("style=") && !page.text.contains("onclick="), "nothing that it would not run");
        assert!(!page.text.contains("data-guests"));
        for (file, kind) in [("page.css", "text/css; charset=utf-8"), ("page.js", "text/javascript; charset=utf-8")] {
            assert!(page.text.contains(&format!("\"/upload-form/{file}\"")));
            let part = app.anon().get(&format!("/upload-form/{file}")).await.expect(200);
            assert_eq!(part.header("content-type"), Some(kind));
            assert!(!part.text.contains("://"), "{file} names another place");
        }
    }

    async fn guests_are_offered_to_send_files_where_they_may(app: TestApp, |settings| {
        settings.realtime.guests = true;
    }) {
        assert!(app.anon().get("/upload-form").await.expect(200).text.contains("<html data-guests=\"on\" "));
    }

    async fn only_listed_origins_may_read(app: TestApp, |settings| {
        settings.http.cors_origins = vec!["https://shop.example".parse().expect("an origin")];
    }) {
        let from = |origin: &str| app.anon().with_header("origin", origin);
        let listed = from("https://shop.example").get("/api/products").await.expect(200);
        assert_eq!(listed.header("access-control-allow-origin"), Some("https://shop.example"));
        let other = from("https://elsewhere.example").get("/api/products").await.expect(200);
        assert_eq!(other.header("access-control-allow-origin"), None);
    }

    async fn large_answers_are_compressed_when_asked(app: TestApp) {
        for coding in ["gzip", "br", "zstd"] {
            let client = app.anon().with_header("accept-encoding", coding);
            assert_eq!(client.get("/api/openapi.json").await.expect(200).header("content-encoding"), Some(coding));
            assert_eq!(client.get("/health/live").await.expect(200).header("content-encoding"), None);
        }
    }

    async fn limits_hold_over_http_and_spare_health(app: TestApp, |settings| {
        settings.rate_limits = true;
        settings.http.limits.general.max = 3;
    }) {
        let anon = app.anon();
        for left in ["2", "1", "0"] {
            let answer = anon.get("/api/products").await.expect(200);
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        }
        let refused = anon.get("/api/products").await.refused(429, "RATE_LIMITED");
        assert!(refused.header("retry-after").is_some());
        anon.get("/health").await.expect(200);
        app.clock.advance(Duration::from_mins(5));
        anon.get("/api/products").await.expect(200);
    }

    async fn a_body_that_never_ends_is_given_up(app: TestApp, |settings| {
        settings.http.request_timeout = Duration::from_millis(200);
    }) {
        let address = app.address().replace("http://", "");
        let mut slow = tokio::net::TcpStream::connect(&address).await.expect("a connection");
        let head = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                    content-length: 100\r\n\r\n{";
        slow.write_all(head.as_bytes()).await.expect("a head that is taken");
        let mut answer = vec![0; 4096];
        let read = slow.read(&mut answer).await.expect("an answer");
        let text = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(text.starts_with("HTTP/1.1 408"), "{text}");
        app.anon().get("/health").await.expect(200);
    }

    async fn a_body_of_ten_megabytes_is_refused(app: TestApp) {
        let body = format!("{{\"email\":\"{}\"}}", "a".repeat(10 << 20));
        let answers = at_once((0..4).map(|_| {
            let (client, body): (Client, String) = (app.anon(), body.clone());
            async move { client.post_raw("/api/auth/login", body).await.status }
        }))
        .await;
        assert_eq!(answers, [413; 4]);
    }
}
