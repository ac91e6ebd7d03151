use std::time::Duration;

use stoa_testing::{Answer, TestApp, each_engine, json};

use crate::{mailed_token, subjects};

async fn forgot(app: &TestApp, email: &str) -> Answer {
    app.anon().post("/api/auth/forgot-password", json!({"email": email})).await
}

/// The lines a request leaves behind before any job has run: kinds of jobs and audit entries, with how often.
async fn left_behind(app: &TestApp) -> Vec<(String, i64)> {
    let counted = app.read(|c| {
        c.query("SELECT type, COUNT(*) FROM audit_log GROUP BY type ORDER BY type", &[], |row| {
            Ok((row.read()?, row.read()?))
        })
    });
    counted.await
}

each_engine! {
    async fn whoever_has_the_address_is_mailed_a_link(app: TestApp) {
        app.shopper("ada").await;
        let answer = forgot(app, "Ada@Example.com").await.expect(202);
        assert!(answer.body["message"].is_string());
        assert!(subjects(app, "ada@example.com").await.contains(&"Set a new password".to_owned()));
        let token = mailed_token(app, "ada@example.com", "/reset-password").await;
        assert_eq!(token.len(), 43);
    }

    async fn an_unknown_address_is_answered_the_same_and_mailed_nothing(app: TestApp) {
        app.shopper("ada").await;
        let known = forgot(app, "ada@example.com").await.expect(202);
        let before = left_behind(app).await;
        let unknown = forgot(app, "nobody@example.com").await.expect(202);
        assert_eq!(known.body, unknown.body);
        let work = |counts: &[(String, i64)]| counts.iter().map(|(_, count)| count).sum::<i64>();
        assert_eq!(work(&left_behind(app).await), work(&before) + 1, "one line for anybody");
        assert!(subjects(app, "nobody@example.com").await.is_empty());
    }

    async fn the_token_lies_nowhere_but_in_the_mail(app: TestApp) {
        app.shopper("ada").await;
        forgot(app, "ada@example.com").await.expect(202);
        let token = mailed_token(app, "ada@example.com", "/reset-password").await;
        let columns = [
            ("jobs", "payload"), ("audit_log", "COALESCE(details, '')"), ("audit_log", "subject"), ("events", "payload"),
        ];
        for (table, column) in columns {
            let kept: Vec<String> = app.read(move |c| {
                c.query(&format!("SELECT {column} FROM {table}"), &[], |row| row.read())
            }).await;
            assert!(kept.iter().all(|text| !text.contains(&token)), "{table}.{column}");
        }
        let hashes: Vec<Vec<u8>> =
            app.read(|c| c.query("SELECT hash FROM password_resets", &[], |row| row.read())).await;
        assert_eq!(hashes.iter().map(Vec::len).collect::<Vec<_>>(), [32]);
    }

    async fn what_is_no_address_is_refused(app: TestApp) {
        for odd in ["", "ada", "ada@", "a b@example.com"] {
            let refused = forgot(app, odd).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.fields(), ["email"]);
        }
        let anon = app.anon();
        anon.post("/api/auth/forgot-password", json!({})).await.expect(422);
        let more = json!({"email": "ada@example.com", "userId": "x"});
        assert_eq!(anon.post("/api/auth/forgot-password", more).await.expect(422).fields(), ["userId"]);
        assert_eq!(anon.post_raw("/api/auth/forgot-password", "{").await.expect(400).code(), Some("MALFORMED_JSON"));
    }

    async fn an_address_is_asked_for_five_times_an_hour_known_or_not(app: TestApp, |settings| {
        settings.rate_limits = true;
        settings.http.limits.auth.max = 1_000;
    }) {
        app.shopper("ada").await;
        for email in ["ada@example.com", "nobody@example.com"] {
            for _ in 0..5 {
                forgot(app, email).await.expect(202);
            }
            let refused = forgot(app, &email.to_uppercase()).await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("720"));
        }
        app.clock.advance(Duration::from_mins(12));
        forgot(app, "ada@example.com").await.expect(202);
        forgot(app, "ada@example.com").await.expect(429);
    }

    async fn a_client_asks_five_times_in_a_quarter(app: TestApp, |settings| settings.rate_limits = true) {
        for n in 0..5 {
            forgot(app, &format!("somebody{n}@example.com")).await.expect(202);
        }
        forgot(app, "somebody5@example.com").await.refused(429, "RATE_LIMITED");
    }

    async fn it_is_written_down_who_asked_from_where(app: TestApp) {
        forgot(app, "Nobody@example.com").await.expect(202);
        let admin = app.admin().await;
        let asked = admin.get("/api/admin/audit?type=auth.password_reset_asked").await.expect(200);
        assert_eq!(asked.entries()[0]["subject"], "nobody@example.com");
        assert_eq!(asked.entries()[0]["address"], "127.0.0.1");
    }
}
