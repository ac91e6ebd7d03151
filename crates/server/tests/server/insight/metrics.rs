//! GET /metrics.

use std::time::Duration;

use stoa_testing::{TestApp, each_engine, json};

pub(super) const TOKEN: &str = "a-token-for-prometheus";

/// The value of a line that begins so.
pub(super) fn figure(text: &str, beginning: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(beginning));
    let value = value.unwrap_or_else(|| panic!("no {beginning} in\n{text}"));
    value.trim().parse().unwrap()
}

async fn scrape(app: &TestApp) -> String {
    app.anon().get("/metrics").await.expect(200).text
}

each_engine! {
    async fn requests_are_counted_by_route_and_never_by_address(app: TestApp) {
        let bob = app.shopper("bob").await;
        let tea = app.product("9.90", 5).await;
        for _ in 0..3 {
            bob.get(&format!("/api/v2/products/{tea}?fields=secret-word")).await.expect(200);
        }
        bob.get("/api/products/no-such-id").await.expect(400);
        bob.get("/nowhere/secret-word").await.expect(404);
        bob.get("/api/products?version=v9").await.expect(400);
        let text = scrape(app).await;
        let requests = |route: &str, status: &str| {
            let labels = format!("{{route=\"{route}\",method=\"GET\",status=\"{status}\"}} ");
            figure(&text, &format!("stoa_http_request_duration_seconds_count{labels}"))
        };
        assert!((requests("/api/products/{id}", "2xx") - 3.0).abs() < 0.1, "{text}");
        assert!((requests("/api/products/{id}", "4xx") - 1.0).abs() < 0.1);
        assert!((requests("(unmatched)", "4xx") - 1.0).abs() < 0.1);
        assert!((requests("(refused)", "4xx") - 1.0).abs() < 0.1);
        assert!((figure(&text, "stoa_http_requests_in_flight ") - 1.0).abs() < 0.1, "only the scrape itself");
        assert!(!text.contains("secret-word") && !text.contains(&tea), "no address is a label");
    }

    async fn engines_tell_what_they_do(app: TestApp) {
        let bob = app.shopper("bob").await;
        let tea = app.product("9.90", 5).await;
        bob.get(&format!("/api/products/{tea}")).await.expect(200);
        bob.get(&format!("/api/products/{tea}")).await.expect(200);
        app.settle().await;
        let text = scrape(app).await;
        let engine = app.platform().database.engine().name();
        let of_engine = |name: &str| figure(&text, &format!("{name}{{engine=\"{engine}\"}} "));
        assert!(of_engine("stoa_database_commits_total") >= 3.0);
        assert!(of_engine("stoa_database_statement_seconds_count") >= 3.0);
        assert!(of_engine("stoa_database_connections") >= 1.0 && of_engine("stoa_database_up") > 0.9);
        let lane = |name: &str| figure(&text, &format!("{name}{{engine=\"{engine}\",kind=\"write\"}} "));
        assert!(lane("stoa_database_transaction_seconds_count") >= 1.0);
        assert!(lane("stoa_database_queue_wait_seconds_count") >= 3.0);
        assert!(lane("stoa_database_queue_depth") >= 0.0 && lane("stoa_database_connections_busy") >= 0.0);
        if engine == "sqlite" {
            assert!(of_engine("stoa_database_commit_members_count") >= 1.0);
            assert!(of_engine("stoa_database_wal_bytes") >= 0.0);
        }
        assert!(figure(&text, "stoa_cache_hits_total{level=\"process\"} ") >= 1.0 && figure(&text, "stoa_cache_fills_total{level=\"process\"} ") >= 1.0);
        assert!(figure(&text, "stoa_cache_bytes ") > 0.0);
        let ratio = figure(&text, "stoa_cache_hit_ratio ");
        assert!(ratio > 0.0 && ratio < 1.0, "{ratio}");
        assert!(figure(&text, "stoa_events_head ") >= 1.0);
        let lag = text.lines().filter(|line| line.starts_with("stoa_follower_lag{"));
        assert!(lag.clone().count() >= 1 && lag.clone().all(|line| line.ends_with(" 0")), "{text}");
        assert!(figure(&text, "stoa_mails_total{outcome=\"sent\"} ") >= 1.0);
        assert!(figure(&text, "stoa_jobs{queue=\"emails\",state=\"waiting\"} ") < 0.1);
        assert!(figure(&text, "stoa_jobs{queue=\"emails\",state=\"dead\"} ") < 0.1);
        assert!(text.contains("stoa_job_seconds_count{queue=\"emails\"") && text.contains("outcome=\"done\""));
        assert!(figure(&text, "process_resident_memory_bytes ") > 1e6 && figure(&text, "stoa_uptime_seconds ") > 0.0);
        assert!(text.contains(&format!("stoa_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
    }

    async fn jobs_of_the_future_and_refusals_of_limits_are_told(app: TestApp, |settings| {
        settings.rate_limits = true;
        settings.http.limits.auth.max = 1;
    }) {
        let credentials = json!({"email": "nobody@example.com", "password": "wrong-Passw0rd"});
        app.anon().post("/api/auth/login", credentials.clone()).await.expect(401);
        app.anon().post("/api/auth/login", credentials).await.expect(429);
        let text = scrape(app).await;
        assert!((figure(&text, "stoa_rate_limit_refused_total{policy=\"auth\"} ") - 1.0).abs() < 0.1);
    }

    async fn it_is_open_on_this_machine_and_else_to_who_may(app: TestApp, |settings| {
        settings.insight.tokens = vec!["another-token-for-tests".into(), TOKEN.into()];
    }) {
        let (admin, bob) = (app.admin().await, app.shopper("bob").await);
        for path in ["/metrics", "/api/admin/performance/metrics", "/api/admin/performance/slow-requests",
            "/api/admin/performance/summary"]
        {
            app.anon().get(path).await.expect(200);
            let from_afar = |client: stoa_testing::Client| client.with_header("x-forwarded-for", "203.0.113.9");
            from_afar(app.anon()).get(path).await.refused(401, "AUTHENTICATION_REQUIRED");
            from_afar(app.anon().bearing("a-token-for-prometheuz")).get(path).await.expect(401);
            from_afar(bob.clone()).get(path).await.refused(403, "FORBIDDEN");
            from_afar(admin.clone()).get(path).await.expect(200);
            from_afar(app.anon().bearing(TOKEN)).get(path).await.expect(200);
            let renamed = app.anon().with_header("host", "shop.example.com");
            renamed.get(path).await.expect(401);
        }
        app.anon().post("/metrics", json!({})).await.expect(405);
        let answer = app.anon().get("/metrics").await;
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!((answer.header("api-version"), answer.header("cache-control")), (None, Some("no-store")));
    }
}

#[tokio::test]
async fn metrics_are_not_counted_by_the_general_limit() {
    let database = stoa_platform::testing::TestDatabase::new(
        stoa_testing::Engine::Sqlite,
        &stoa_server::wiring::migrations(),
    );
    let app = TestApp::start(database, |settings| {
        settings.rate_limits = true;
        settings.http.limits.general.max = 1;
        settings.http.limits.general.window = Duration::from_hours(1);
    })
    .await;
    for _ in 0..3 {
        app.anon().get("/metrics").await.expect(200);
    }
    app.finish().await;
}
