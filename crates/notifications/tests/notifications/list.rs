//! `/api/notifications`: one's own list.

use stoa_testing::{each_engine, json};

use crate::{announced, buys, told, unread};

const NOBODY: &str = "/api/notifications/01890000-0000-7000-8000-000000000001";

each_engine! {
    async fn it_is_for_people_who_signed_in(app: TestApp) {
        let anon = app.anon();
        anon.get("/api/notifications").await.refused(401, "AUTHENTICATION_REQUIRED");
        anon.post("/api/notifications/read-all", json!({})).await.refused(401, "AUTHENTICATION_REQUIRED");
        anon.post(&format!("{NOBODY}/read"), json!({})).await.refused(401, "AUTHENTICATION_REQUIRED");
        anon.delete(NOBODY).await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn pages_run_through_what_is_own_and_what_is_everybodys(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        let tea = app.product("9.90", 50).await;
        for round in 0..3 {
            buys(&ann, &tea).await;
            app.settle().await;
            app.clock.advance(std::time::Duration::from_secs(1));
            announced(&admin, &format!("Announcement {round}")).await;
            app.clock.advance(std::time::Duration::from_secs(1));
        }
        let whole = told(app, &ann).await;
        let kinds: Vec<_> = whole.iter().map(|one| one["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["announcement", "order_confirmed"].repeat(3));
        let (mut seen, mut path) = (Vec::new(), "/api/notifications?limit=2&total=true".to_owned());
        loop {
            let page = ann.get(&path).await.expect(200);
            assert_eq!(page.body["total"], 6);
            assert_eq!(page.body["unreadCount"], 6);
            seen.extend(page.entries().to_vec());
            let Some(cursor) = page.body["nextCursor"].as_str() else { break };
            path = format!("/api/notifications?limit=2&total=true&cursor={cursor}");
        }
        assert_eq!(seen, whole);
        let third = ann.get("/api/notifications?limit=2&page=3").await.expect(200);
        assert_eq!(third.entries(), &whole[4..]);
        assert_eq!(third.body["size"], 2);
        let v1 = ann.get("/api/v1/notifications").await.expect(200);
        assert_eq!(v1.body["meta"]["pagination"]["unreadCount"], 6);
    }

    async fn reading_counts_once_and_only_for_oneself(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        buys(&ann, &app.product("9.90", 50).await).await;
        announced(&admin, "Hello").await;
        let told = told(app, &ann).await;
        assert_eq!((unread(&ann).await, unread(&bob).await), (2, 1));
        for (index, one) in told.iter().enumerate() {
            let path = format!("/api/notifications/{}/read", one["id"].as_str().unwrap());
            let first = ann.post(&path, json!({})).await.expect(200).body;
            assert_eq!(first["read"], true);
            app.clock.advance(std::time::Duration::from_secs(5));
            assert_eq!(ann.post(&path, json!({})).await.expect(200).body["readAt"], first["readAt"]);
            assert_eq!(unread(&ann).await, told.len() as u64 - 1 - index as u64);
        }
        assert_eq!(unread(&bob).await, 1);
        assert!(ann.get("/api/notifications?unread=true").await.expect(200).entries().is_empty());
        assert_eq!(ann.get("/api/notifications?unread=false").await.expect(200).entries().len(), 2);
    }

    async fn read_all_marks_what_is_there(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        buys(&ann, &app.product("9.90", 50).await).await;
        announced(&admin, "Hello").await;
        app.settle().await;
        assert_eq!(ann.post("/api/notifications/read-all", json!({})).await.expect(200).body, json!({"read": 2}));
        assert_eq!(ann.post("/api/notifications/read-all", json!({})).await.expect(200).body, json!({"read": 0}));
        assert_eq!(unread(&ann).await, 0);
        app.clock.advance(std::time::Duration::from_secs(1));
        announced(&admin, "Later").await;
        assert_eq!(unread(&ann).await, 1);
    }

    async fn what_is_removed_is_gone_for_oneself_alone(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        buys(&ann, &app.product("9.90", 50).await).await;
        announced(&admin, "Hello").await;
        for one in told(app, &ann).await {
            let path = format!("/api/notifications/{}", one["id"].as_str().unwrap());
            if one["kind"] != "announcement" {
                bob.delete(&path).await.refused(404, "NOTIFICATION_NOT_FOUND");
                bob.post(&format!("{path}/read"), json!({})).await.refused(404, "NOTIFICATION_NOT_FOUND");
            }
            ann.delete(&path).await.expect(204);
            ann.delete(&path).await.refused(404, "NOTIFICATION_NOT_FOUND");
            ann.post(&format!("{path}/read"), json!({})).await.refused(404, "NOTIFICATION_NOT_FOUND");
        }
        assert!(told(app, &ann).await.is_empty());
        assert_eq!(unread(&ann).await, 0);
        assert_eq!(told(app, &bob).await.len(), 1);
    }

    async fn odd_requests_are_refused(app: TestApp) {
        let ann = app.shopper("ann").await;
        ann.get("/api/notifications?unread=perhaps").await.refused(400, "INVALID_QUERY");
        ann.get("/api/notifications?sortBy=title").await.refused(400, "INVALID_QUERY");
        ann.get("/api/notifications?cursor=nonsense").await.refused(400, "INVALID_QUERY");
        let foreign = "eyJvcmRlciI6InByaWNlOmFzYyIsInZhbHVlIjp7Im4iOjF9LCJpZCI6IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJ9";
        ann.get(&format!("/api/notifications?cursor={foreign}")).await.refused(400, "INVALID_QUERY");
        ann.delete("/api/notifications/nonsense").await.refused(400, "INVALID_ID");
        ann.delete(NOBODY).await.refused(404, "NOTIFICATION_NOT_FOUND");
        ann.post(&format!("{NOBODY}/read"), json!({})).await.refused(404, "NOTIFICATION_NOT_FOUND");
    }
}
