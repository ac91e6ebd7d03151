//! `/api/admin/jobs`: dead letters seen, revived and deleted.

use std::time::Duration;

use stoa_testing::{each_engine, json};

use crate::{NOBODY, allowed_only, buried, is_guarded};

each_engine! {
    async fn they_are_for_operators(app: TestApp) {
        is_guarded(app, "GET", "/api/admin/jobs").await;
        is_guarded(app, "GET", &format!("/api/admin/jobs/{NOBODY}")).await;
        is_guarded(app, "POST", &format!("/api/admin/jobs/{NOBODY}/retry")).await;
        is_guarded(app, "DELETE", &format!("/api/admin/jobs/{NOBODY}")).await;
    }

    async fn reading_is_not_putting_right(app: TestApp) {
        let clerk = allowed_only(app, "job", "read").await;
        clerk.get("/api/admin/jobs").await.expect(200);
        clerk.get(&format!("/api/admin/jobs/{NOBODY}")).await.refused(404, "JOB_NOT_FOUND");
        clerk.post(&format!("/api/admin/jobs/{NOBODY}/retry"), json!({})).await.refused(403, "FORBIDDEN");
        clerk.delete(&format!("/api/admin/jobs/{NOBODY}")).await.refused(403, "FORBIDDEN");
    }

    async fn a_dead_job_is_seen_revived_and_deleted(app: TestApp) {
        let admin = app.admin().await;
        let id = buried(app).await;
        let path = format!("/api/admin/jobs/{id}");
        let job = admin.get(&path).await.expect(200).body;
        assert_eq!((&job["state"], &job["queue"], &job["kind"]), (&json!("dead"), &json!("emails"), &json!("send-mail")));
        assert_eq!((&job["attempts"], &job["maxAttempts"], &job["deaths"]), (&json!(1), &json!(3), &json!(0)));
        assert!(job["error"].as_str().unwrap().contains("nonsense") && job["deadAt"].is_string());
        let dead = admin.get("/api/admin/jobs?state=dead&queue=emails&total=true").await.expect(200);
        assert_eq!((dead.entries()[0]["id"].as_str(), &dead.body["total"]), (Some(id.as_str()), &json!(1)));
        assert!(admin.get("/api/admin/jobs?state=dead&queue=files").await.expect(200).entries().is_empty());

        app.clock.advance(Duration::from_secs(1));
        let revived = admin.post(&format!("{path}/retry"), json!({})).await.expect(200).body;
        assert_eq!((&revived["state"], &revived["attempts"]), (&json!("waiting"), &json!(0)));
        app.settle().await;
        let again = admin.get(&path).await.expect(200).body;
        assert_eq!(again["state"], "dead", "what cannot be mended dies again");
        assert_ne!(again["deadAt"], job["deadAt"]);
        admin.delete(&path).await.expect(204);
        admin.get(&path).await.refused(404, "JOB_NOT_FOUND");
        admin.delete(&path).await.refused(404, "JOB_NOT_FOUND");
        admin.post(&format!("{path}/retry"), json!({})).await.refused(404, "JOB_NOT_FOUND");
    }

    async fn what_a_mail_was_told_is_not_shown(app: TestApp) {
        let admin = app.admin().await;
        let id = buried(app).await;
        for path in [format!("/api/admin/jobs/{id}"), "/api/admin/jobs".to_owned()] {
            assert!(!admin.get(&path).await.expect(200).text.contains("hush"));
        }
        admin.delete(&format!("/api/admin/jobs/{id}")).await.expect(204);
    }

    async fn what_is_not_dead_is_left_alone(app: TestApp) {
        let admin = app.admin().await;
        // The events are looked through every hour; that job is to come.
        app.platform().database.write(|tx| {
            tx.execute(
                "INSERT INTO jobs (id, queue, kind, payload, run_at, max_attempts, created_by, created_at)
                 VALUES ($1, 'maintenance', 'prune-events', '{}', $2, 3, 'system:test', $2)",
                stoa_platform::params![uuid::Uuid::from_u128(7), i64::MAX],
            )
        }).await.unwrap();
        let path = format!("/api/admin/jobs/{}", uuid::Uuid::from_u128(7));
        let job = admin.get(&path).await.expect(200).body;
        assert_eq!((&job["state"], &job["payload"]), (&json!("waiting"), &json!({})));
        admin.post(&format!("{path}/retry"), json!({})).await.refused(409, "JOB_NOT_DEAD");
        admin.delete(&path).await.refused(409, "JOB_NOT_DEAD");
        assert_eq!(admin.get("/api/admin/jobs?state=waiting&limit=1").await.expect(200).entries().len(), 1);
        assert!(admin.get("/api/admin/jobs?state=running").await.expect(200).entries().is_empty());
    }

    async fn odd_requests_are_refused(app: TestApp) {
        let admin = app.admin().await;
        admin.get("/api/admin/jobs?state=tired").await.refused(400, "INVALID_QUERY");
        admin.get("/api/admin/jobs?sortBy=kind").await.refused(400, "INVALID_QUERY");
        admin.get("/api/admin/jobs/nonsense").await.refused(400, "INVALID_ID");
        let next = "eyJvcmRlciI6InByaWNlOmFzYyIsInZhbHVlIjp7Im4iOjF9LCJpZCI6IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJ9";
        admin.get(&format!("/api/admin/jobs?cursor={next}")).await.refused(400, "INVALID_QUERY");
    }
}
