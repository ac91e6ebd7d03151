use std::time::Duration;

use stoa_testing::each_engine;

each_engine! {
    async fn pages_run_from_the_newest_and_miss_nobody(app: TestApp) {
        let admin = app.admin().await;
        for name in ["ann", "bob", "cid"] {
            app.clock.advance(Duration::from_secs(1));
            app.shopper(name).await;
        }
        let admin = { app.clock.advance(Duration::from_secs(1)); admin };
        let mut seen = Vec::new();
        let mut path = "/api/users?limit=2&total=true".to_owned();
        loop {
            let page = admin.get(&path).await.expect(200);
            assert_eq!(page.body["total"], 4);
            seen.extend(page.entries().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
            let Some(cursor) = page.body["nextCursor"].as_str() else { break };
            path = format!("/api/users?limit=2&total=true&cursor={cursor}");
        }
        assert_eq!(seen, ["cid", "bob", "ann", "admin"]);
        let shoppers = admin.get("/api/users?role=user&page=1&size=2").await.expect(200);
        assert_eq!((shoppers.entries().len(), shoppers.body["total"].as_i64()), (2, Some(3)));
        assert_eq!(shoppers.entries()[0]["email"], "cid@example.com");
        assert_eq!(shoppers.entries()[0]["syncStatus"], "PENDING");
    }

    async fn bad_questions_are_refused(app: TestApp) {
        let admin = app.admin().await;
        for query in ["limit=0", "limit=101", "cursor=nonsense", "sortBy=email", "page=0", "page=1&cursor=x"] {
            admin.get(&format!("/api/users?{query}")).await.refused(400, "INVALID_QUERY");
        }
        let roles = admin.get("/api/admin/roles?limit=1").await.expect(200);
        let foreign = roles.body["nextCursor"].as_str().unwrap();
        admin.get(&format!("/api/users?cursor={foreign}")).await.refused(400, "INVALID_QUERY");
    }

    async fn others_are_read_by_permission_and_oneself_always(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        let bob = app.shopper("bob").await;
        ada.get("/api/users").await.refused(403, "FORBIDDEN");
        app.anon().get("/api/users").await.refused(401, "AUTHENTICATION_REQUIRED");
        let path = format!("/api/users/{}", ada.user_id());
        assert_eq!(ada.get(&path).await.expect(200).body["email"], "ada@example.com");
        assert_eq!(admin.get(&path).await.expect(200).body["syncStatus"], "PENDING");
        bob.get(&path).await.refused(403, "FORBIDDEN");
        app.anon().get(&path).await.refused(401, "AUTHENTICATION_REQUIRED");
        admin.get("/api/users/01890a5d-ac96-774b-bcce-b302099a8057").await.refused(404, "USER_NOT_FOUND");
        admin.get("/api/users/nonsense").await.refused(400, "INVALID_ID");
    }

    async fn may_be_asked_for_the_other_way_round(app: TestApp) {
        let admin = app.admin().await;
        for name in ["ann", "bob"] {
            app.clock.advance(Duration::from_secs(1));
            app.shopper(name).await;
        }
        let mut seen = Vec::new();
        let mut path = "/api/users?limit=2&sortBy=createdAt&sortOrder=asc".to_owned();
        loop {
            let page = admin.get(&path).await.expect(200);
            seen.extend(page.entries().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
            let Some(cursor) = page.body["nextCursor"].as_str() else { break };
            admin.get(&format!("/api/users?cursor={cursor}")).await.refused(400, "INVALID_QUERY");
            path = format!("/api/users?limit=2&sortBy=createdAt&sortOrder=asc&cursor={cursor}");
        }
        assert_eq!(seen, ["admin", "ann", "bob"]);
    }
}
