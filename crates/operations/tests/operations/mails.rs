//! `/api/admin/mails`: what became of each mail.

use std::time::Duration;

use stoa_testing::{each_engine, json};

use crate::{NOBODY, buried, is_guarded};

each_engine! {
    async fn they_are_for_operators(app: TestApp) {
        is_guarded(app, "GET", "/api/admin/mails").await;
        is_guarded(app, "GET", &format!("/api/admin/mails/{NOBODY}")).await;
    }

    async fn mails_are_listed_newest_first_and_shown_as_they_were_kept(app: TestApp) {
        let admin = app.admin().await;
        app.shopper("ann").await;
        app.settle().await;
        app.clock.advance(Duration::from_secs(1));
        app.shopper("bob").await;
        app.settle().await;
        let list = admin.get("/api/admin/mails?total=true&limit=100").await.expect(200);
        assert_eq!(list.body["total"], list.entries().len());
        assert_eq!(list.entries()[0]["to"], "bob@example.com");
        let welcome = list.entries().iter().find(|mail| mail["template"] == "welcome").unwrap();
        assert_eq!((&welcome["state"], &welcome["attempts"]), (&json!("sent"), &json!(1)));
        assert!(welcome.get("message").is_none() && welcome.get("error").is_none());
        let shown = admin.get(&format!("/api/admin/mails/{}", welcome["id"].as_str().unwrap())).await.expect(200).body;
        assert_eq!(shown["subject"], welcome["subject"]);
        assert!(shown["message"].as_str().unwrap().starts_with("Date: "));

        let mut seen = Vec::new();
        let mut path = "/api/admin/mails?limit=1".to_owned();
        loop {
            let page = admin.get(&path).await.expect(200);
            seen.extend(page.entries().to_vec());
            let Some(cursor) = page.body["nextCursor"].as_str() else { break };
            path = format!("/api/admin/mails?limit=1&cursor={cursor}");
        }
        assert_eq!(seen, list.entries());
        assert_eq!(admin.get("/api/admin/mails?state=sent&limit=100").await.expect(200).entries(), list.entries());
        assert!(admin.get("/api/admin/mails?state=failed").await.expect(200).entries().is_empty());
    }

    async fn what_cannot_be_a_mail_leaves_no_record(app: TestApp) {
        let admin = app.admin().await;
        app.settle().await;
        let before = admin.get("/api/admin/mails?limit=100").await.expect(200).entries().len();
        let id = buried(app).await;
        assert_eq!(admin.get("/api/admin/mails?limit=100").await.expect(200).entries().len(), before);
        admin.get(&format!("/api/admin/mails/{id}")).await.refused(404, "MAIL_NOT_FOUND");
        admin.delete(&format!("/api/admin/jobs/{id}")).await.expect(204);
    }

    async fn old_ones_are_forgotten_with_their_files(app: TestApp) {
        app.shopper("ann").await;
        let kept = app.mails().await;
        assert!(!kept.is_empty());
        app.advance(Duration::from_hours(31 * 24)).await;
        assert!(app.mails().await.is_empty());
        let admin = app.admin().await;
        for mail in kept {
            admin.get(&format!("/api/admin/mails/{}", mail.id)).await.refused(404, "MAIL_NOT_FOUND");
        }
    }

    async fn odd_requests_are_refused(app: TestApp) {
        let admin = app.admin().await;
        admin.get("/api/admin/mails?state=lost").await.refused(400, "INVALID_QUERY");
        admin.get("/api/admin/mails?sortBy=to").await.refused(400, "INVALID_QUERY");
        admin.get("/api/admin/mails/nonsense").await.refused(400, "INVALID_ID");
        admin.get(&format!("/api/admin/mails/{NOBODY}")).await.refused(404, "MAIL_NOT_FOUND");
    }
}
