//! `/api/admin/announcements`: what is said to everybody.

use stoa_testing::{each_engine, json};

use crate::{announced, told, unread};

each_engine! {
    async fn only_who_may_announce_does(app: TestApp) {
        let (anon, ann) = (app.anon(), app.shopper("ann").await);
        let path = "/api/admin/announcements";
        let body = || json!({"title": "Hello", "message": "World"});
        for (who, status, code) in [(&anon, 401, "AUTHENTICATION_REQUIRED"), (&ann, 403, "FORBIDDEN")] {
            who.get(path).await.refused(status, code);
            who.post(path, body()).await.refused(status, code);
            let one = format!("{path}/01890000-0000-7000-8000-000000000001");
            who.get(&one).await.refused(status, code);
            who.delete(&one).await.refused(status, code);
        }
    }

    async fn it_is_kept_once_and_stands_in_everybodys_list(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        let answer = admin.post("/api/admin/announcements", json!({"title": "Sale", "message": "From Monday on."})).await.expect(201);
        let id = answer.id();
        assert_eq!(answer.header("location"), Some(format!("/api/admin/announcements/{id}").as_str()));
        assert_eq!(answer.body["type"], "info");
        assert_eq!(answer.body["createdBy"], format!("user:{}", admin.user_id()));
        for who in [&ann, &bob, &admin] {
            let told = told(app, who).await;
            assert_eq!(told.len(), 1);
            assert_eq!((&told[0]["id"], &told[0]["kind"]), (&json!(id), &json!("announcement")));
            assert_eq!((&told[0]["title"], &told[0]["data"]), (&json!("Sale"), &json!({"type": "info"})));
        }
        assert_eq!(admin.get(&format!("/api/admin/announcements/{id}")).await.expect(200).body, answer.body);
        let events = app.events("system.announcement").await;
        assert_eq!(events, [json!({"announcementId": id, "title": "Sale", "message": "From Monday on.", "type": "info"})]);
        let rows = app.read(|c| c.find("SELECT COUNT(*) FROM notifications", &[], |row| row.read::<i64>())).await;
        assert_eq!(rows, Some(0), "no row per user");
    }

    async fn a_repeated_request_says_it_once(app: TestApp) {
        let admin = app.admin().await.with_header("idempotency-key", "say-it-once");
        let first = announced(&admin, "Hello").await;
        assert_eq!(announced(&admin, "Hello").await, first);
        assert_eq!(told(app, &admin).await.len(), 1);
    }

    async fn taken_back_it_is_gone_everywhere(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        let id = announced(&admin, "Oops").await;
        ann.post(&format!("/api/notifications/{id}/read"), json!({})).await.expect(200);
        admin.delete(&format!("/api/admin/announcements/{id}")).await.expect(204);
        assert!(told(app, &ann).await.is_empty());
        assert_eq!(unread(&ann).await, 0);
        admin.delete(&format!("/api/admin/announcements/{id}")).await.refused(404, "ANNOUNCEMENT_NOT_FOUND");
        admin.get(&format!("/api/admin/announcements/{id}")).await.refused(404, "ANNOUNCEMENT_NOT_FOUND");
    }

    async fn they_are_listed_newest_first(app: TestApp) {
        let admin = app.admin().await;
        for title in ["One", "Two", "Three"] {
            announced(&admin, title).await;
            app.clock.advance(std::time::Duration::from_secs(1));
        }
        let page = admin.get("/api/admin/announcements?limit=2&total=true").await.expect(200);
        let titles: Vec<_> = page.entries().iter().map(|one| one["title"].as_str().unwrap()).collect();
        assert_eq!((titles, &page.body["total"]), (vec!["Three", "Two"], &json!(3)));
        let next = page.body["nextCursor"].as_str().unwrap();
        let rest = admin.get(&format!("/api/admin/announcements?cursor={next}")).await.expect(200);
        assert_eq!(rest.entries()[0]["title"], "One");
    }

    async fn odd_texts_are_refused_by_name(app: TestApp) {
        let admin = app.admin().await;
        let path = "/api/admin/announcements";
        let refused = admin.post(path, json!({"title": " ", "message": "x".repeat(4_001)})).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.fields(), ["title", "message"]);
        admin.post(path, json!({"title": "Hello", "message": "World", "type": "loud"})).await.expect(422);
        admin.post(path, json!({"title": "Hello"})).await.expect(422);
        admin.post(path, json!({"title": "Hello", "message": "World", "to": "ann"})).await.expect(422);
    }
}
