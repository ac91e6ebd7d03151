//! GET /api/admin/performance/…

use std::time::Duration;

use stoa_testing::each_engine;

each_engine! {
    async fn a_window_tells_of_its_requests_only(app: TestApp) {
        let tea = app.product("9.90", 5).await;
        for _ in 0..4 {
            app.anon().get(&format!("/api/products/{tea}")).await.expect(200);
        }
        let seen = app.anon().get("/api/admin/performance/metrics").await.expect(200).body;
        assert_eq!(seen["timeWindow"], 300_000);
        assert!(seen["totalRequests"].as_u64().unwrap() >= 5, "{seen}");
        assert_eq!((&seen["errorRate"], &seen["slowRequests"]), (&0.0.into(), &0.into()));
        for time in ["averageResponseTime", "p50", "p95", "p99", "requestsPerSecond"] {
            assert!(seen[time].as_f64().unwrap() > 0.0, "{time} in {seen}");
        }
        assert!(seen["p50"].as_f64() <= seen["p95"].as_f64() && seen["p95"].as_f64() <= seen["p99"].as_f64());
        let top = seen["topEndpoints"].as_array().unwrap();
        let product = top.iter().find(|entry| entry["endpoint"] == "GET /api/products/{id}").unwrap();
        assert_eq!(product["count"], 4);
        assert!(product["averageResponseTime"].as_f64().unwrap() > 0.0);

        app.advance(Duration::from_mins(6)).await;
        let short = app.anon().get("/api/admin/performance/metrics?timeWindow=60000").await.expect(200).body;
        assert_eq!((&short["totalRequests"], &short["p99"]), (&0.into(), &0.0.into()));
        let long = app.anon().get("/api/admin/performance/metrics?timeWindow=3600000").await.expect(200).body;
        assert!(long["totalRequests"].as_u64().unwrap() >= 6, "{long}");
    }

    async fn slow_requests_are_listed_the_latest_first(app: TestApp, |settings| {
        settings.http.slow_request = Duration::ZERO;
    }) {
        for path in ["/api/products?search=secret-word", "/api/categories", "/nowhere"] {
            app.anon().with_header("x-request-id", &format!("asked-for{}", path.len())).get(path).await;
        }
        let slow = app.anon().get("/api/admin/performance/slow-requests?limit=2").await.expect(200);
        let slow = slow.body.as_array().unwrap();
        assert_eq!(slow.len(), 2);
        assert_eq!(slow[0]["endpoint"], "GET (unmatched)");
        assert_eq!((&slow[0]["status"], &slow[1]["status"]), (&404.into(), &200.into()));
        assert_eq!((&slow[1]["endpoint"], &slow[1]["requestId"]), (&"GET /api/categories".into(), &"asked-for15".into()));
        assert!(slow[1]["duration"].as_f64().unwrap() > 0.0 && slow[1]["timestamp"].is_string());
        let all = app.anon().get("/api/admin/performance/slow-requests").await.expect(200);
        assert_eq!(all.body.as_array().map(Vec::len), Some(4));
        assert!(!all.text.contains("secret-word"));
        let v1 = app.anon().get("/api/v1/admin/performance/slow-requests?limit=1").await.expect(200).body;
        assert_eq!((&v1["success"], v1["data"].as_array().map(Vec::len)), (&true.into(), Some(1)));
        let summary = app.anon().get("/api/admin/performance/summary").await.expect(200).body;
        assert_eq!(summary["slowRequestThreshold"], 0);
        assert!(summary["last5Minutes"]["slowRequests"].as_u64().unwrap() >= 6, "{summary}");
    }

    async fn the_summary_tells_of_memory(app: TestApp) {
        let summary = app.anon().get("/api/admin/performance/summary").await.expect(200).body;
        let memory = &summary["memory"];
        assert!(memory["rss"].as_u64().unwrap() >= memory["heap"].as_u64().unwrap(), "{summary}");
        let percent = memory["systemMemory"]["usagePercent"].as_f64().unwrap();
        assert!(percent > 0.0 && percent <= 100.0);
        assert!(memory["growthPerHour"].is_null(), "a node that has just started cannot know");
        assert_eq!(summary["slowRequestThreshold"], 1_000);
        assert!(summary["uptime"].is_u64() && summary["timestamp"].is_string());
        assert!(summary["last5Minutes"]["topEndpoints"].is_array());
    }

    async fn bad_parameters_are_refused(app: TestApp) {
        for (path, field) in [
            ("metrics?timeWindow=0", "timeWindow"),
            ("metrics?timeWindow=999", "timeWindow"),
            ("metrics?timeWindow=3600001", "timeWindow"),
            ("metrics?timeWindow=-1", "timeWindow"),
            ("metrics?timeWindow=soon", "timeWindow"),
            ("slow-requests?limit=0", "limit"),
            ("slow-requests?limit=101", "limit"),
            ("slow-requests?limit=ten", "limit"),
        ] {
            let refused = app.anon().get(&format!("/api/admin/performance/{path}")).await;
            assert_eq!(refused.refused(400, "INVALID_QUERY").fields(), [field], "{path}");
        }
    }
}
