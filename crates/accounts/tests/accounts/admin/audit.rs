use std::time::Duration;

use stoa_testing::{Client, each_engine, json};

use crate::{OTHER_PASSWORD, refresh_token};

async fn types(admin: &Client, query: &str) -> Vec<String> {
    let page = admin.get(&format!("/api/admin/audit?{query}")).await.expect(200);
    page.entries().iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect()
}

each_engine! {
    async fn tells_who_did_what_when_and_from_where(app: TestApp) {
        let ada = app.shopper("ada").await.with_header("user-agent", "Lynx");
        let body = json!({"email": "ada@example.com", "password": OTHER_PASSWORD});
        ada.post("/api/auth/login", body).await.expect(401);
        app.clock.advance(Duration::from_secs(1));
        app.anon().post("/api/auth/logout", refresh_token(&ada.session)).await.expect(204);
        let admin = app.admin().await;
        let actor = format!("user:{}", ada.user_id());
        assert_eq!(types(&admin, &format!("actor={actor}")).await, ["auth.logout", "auth.user_registered"]);

        let failed = admin.get("/api/admin/audit?type=auth.login_failed").await.expect(200);
        let entry = &failed.entries()[0];
        assert_eq!((&entry["actor"], &entry["subject"]), (&json!("guest"), &json!("ada@example.com")));
        assert_eq!((&entry["address"], &entry["userAgent"]), (&json!("127.0.0.1"), &json!("Lynx")));
        assert_eq!(entry["at"], "2026-01-15T12:00:00.000Z");
    }

    async fn is_searched_by_time_and_paged(app: TestApp) {
        app.shopper("ada").await;
        app.clock.advance(Duration::from_mins(1));
        app.shopper("bob").await;
        let admin = app.admin().await;
        let registered = "type=auth.user_registered";
        assert_eq!(types(&admin, registered).await.len(), 2);
        assert_eq!(types(&admin, &format!("{registered}&from=2026-01-15T12:00:30Z")).await.len(), 1);
        assert_eq!(types(&admin, &format!("{registered}&to=2026-01-15T12:01:00Z")).await.len(), 1);
        assert_eq!(types(&admin, &format!("{registered}&to=2026-01-15T12:00:00Z")).await.len(), 0);
        let first = admin.get(&format!("/api/admin/audit?{registered}&limit=1&total=true")).await.expect(200);
        assert_eq!(first.body["total"], 2);
        let cursor = first.body["nextCursor"].as_str().unwrap();
        let second = admin.get(&format!("/api/admin/audit?{registered}&limit=1&cursor={cursor}")).await.expect(200);
        assert_ne!(first.entries()[0]["id"], second.entries()[0]["id"]);
        assert_eq!(second.body["nextCursor"], json!(null));
        for odd in ["from=yesterday", "to=", "sortBy=actor", "limit=0", "cursor=nonsense"] {
            admin.get(&format!("/api/admin/audit?{odd}")).await.refused(400, "INVALID_QUERY");
        }
        let upwards = admin.get(&format!("/api/admin/audit?{registered}&limit=1&sortOrder=asc")).await.expect(200);
        assert_eq!(upwards.entries()[0]["id"], second.entries()[0]["id"]);
        let cursor = upwards.body["nextCursor"].as_str().unwrap();
        let path = format!("/api/admin/audit?{registered}&limit=1&sortOrder=asc&cursor={cursor}");
        assert_eq!(admin.get(&path).await.expect(200).entries()[0]["id"], first.entries()[0]["id"]);
        admin.get(&format!("/api/admin/audit?cursor={cursor}")).await.refused(400, "INVALID_QUERY");
        admin.get("/api/admin/roles?sortOrder=desc").await.refused(400, "INVALID_QUERY");
    }

    async fn holds_what_administrators_do(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        admin.post("/api/admin/roles", json!({"name": "clerk", "permissions": []})).await.expect(201);
        admin.put(&format!("/api/users/{}/role", ada.user_id()), json!({"role": "clerk"})).await.expect(200);
        let changed = admin.get("/api/admin/audit?type=user.role_changed").await.expect(200);
        let entry = &changed.entries()[0];
        assert_eq!(entry["actor"], format!("user:{}", admin.user_id()));
        assert_eq!(entry["subject"], format!("user:{}", ada.user_id()));
        assert_eq!(entry["details"], json!({"from": "user", "to": "clerk"}));
        assert_eq!(types(&admin, "type=role.created").await.len(), 1);
        assert_eq!(types(&admin, "actor=system:command").await, ["user.created"]);
    }

    async fn is_for_those_who_may(app: TestApp) {
        app.anon().get("/api/admin/audit").await.refused(401, "AUTHENTICATION_REQUIRED");
        app.shopper("ada").await.get("/api/admin/audit").await.refused(403, "FORBIDDEN");
    }

    async fn admin_routes_have_a_limit_of_their_own(app: TestApp, |settings| settings.rate_limits = true) {
        let admin = app.admin().await;
        for _ in 0..50 {
            admin.get("/api/admin/audit?limit=1").await.expect(200);
        }
        admin.get("/api/admin/roles").await.refused(429, "RATE_LIMITED");
        admin.get("/api/auth/me").await.expect(200);
    }
}
