use std::time::Duration;

use stoa_testing::{Answer, Client, PASSWORD, TestApp, at_once, each_engine, json};

use crate::{OTHER_PASSWORD, mailed_token, refresh_token, subjects};

const ADA: &str = "ada@example.com";

/// Asks for a link and reads the token from the mail. Time moves on, so that each link is newer than the last.
async fn asked_for(app: &TestApp, email: &str) -> String {
    app.clock.advance(Duration::from_secs(1));
    app.anon().post("/api/auth/forgot-password", json!({"email": email})).await.expect(202);
    mailed_token(app, email, "/reset-password").await
}

async fn reset(somebody: &Client, token: &str, password: &str) -> Answer {
    somebody.post("/api/auth/reset-password", json!({"token": token, "newPassword": password})).await
}

async fn login(app: &TestApp, password: &str) -> Answer {
    app.anon().post("/api/auth/login", json!({"email": ADA, "password": password})).await
}

each_engine! {
    async fn sets_a_new_password_and_ends_every_session(app: TestApp) {
        let ada = app.shopper("ada").await;
        let elsewhere = app.sign_in(ADA).await;
        let bob = app.shopper("bob").await;
        elsewhere.get("/api/auth/me").await.expect(200);
        let token = asked_for(app, ADA).await;
        reset(&app.anon(), &token, OTHER_PASSWORD).await.expect(204);
        for session in [&ada, &elsewhere] {
            session.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
            let body = refresh_token(&session.session);
            app.anon().post("/api/auth/refresh", body).await.refused(401, "INVALID_REFRESH_TOKEN");
        }
        bob.get("/api/auth/me").await.expect(200);
        login(app, PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        let again = login(app, OTHER_PASSWORD).await.expect(200);
        assert_eq!(again.body["user"]["emailVerified"], true, "who reads the mail has proved the address");

        assert_eq!(app.events("auth.password_changed").await, [json!({"userId": ada.user_id()})]);
        assert!(subjects(app, ADA).await.contains(&"Your password was changed".to_owned()));
        let admin = app.admin().await;
        let noted = admin.get("/api/admin/audit?type=auth.password_changed").await.expect(200);
        assert_eq!(noted.entries()[0]["actor"], format!("user:{}", ada.user_id()));
        assert_eq!(noted.entries()[0]["details"], json!({"by": "reset"}));
    }

    async fn a_link_is_good_once(app: TestApp) {
        app.shopper("ada").await;
        let token = asked_for(app, ADA).await;
        reset(&app.anon(), &token, OTHER_PASSWORD).await.expect(204);
        reset(&app.anon(), &token, "Y3t-Another-Trombone").await.refused(400, "INVALID_TOKEN");
        login(app, OTHER_PASSWORD).await.expect(200);
    }

    async fn race_for_a_link_has_one_winner(app: TestApp) {
        app.shopper("ada").await;
        let token = asked_for(app, ADA).await;
        let answers = at_once((0..8).map(|n| {
            let (anon, token) = (app.anon(), token.clone());
            async move { (n, reset(&anon, &token, &format!("N3w-Trombone-{n}")).await) }
        })).await;
        let won: Vec<_> = answers.iter().filter(|(_, answer)| answer.status == 204).map(|(n, _)| *n).collect();
        let lost = answers.iter().filter(|(_, answer)| answer.code() == Some("INVALID_TOKEN")).count();
        assert_eq!((won.len(), lost), (1, 7));
        login(app, &format!("N3w-Trombone-{}", won[0])).await.expect(200);
        assert_eq!(app.events("auth.password_changed").await.len(), 1);
    }

    async fn a_link_is_good_for_an_hour(app: TestApp) {
        app.shopper("ada").await;
        let token = asked_for(app, ADA).await;
        app.clock.advance(Duration::from_secs(3599));
        // A password that will not do takes nothing away from the link.
        assert_eq!(reset(&app.anon(), &token, "weak").await.expect(422).fields(), ["newPassword"]);
        app.clock.advance(Duration::from_secs(1));
        reset(&app.anon(), &token, OTHER_PASSWORD).await.refused(400, "INVALID_TOKEN");
        login(app, PASSWORD).await.expect(200);
    }

    async fn a_newer_link_ends_the_older(app: TestApp) {
        app.shopper("ada").await;
        let older = asked_for(app, ADA).await;
        let newer = asked_for(app, ADA).await;
        assert_ne!(older, newer);
        reset(&app.anon(), &older, OTHER_PASSWORD).await.refused(400, "INVALID_TOKEN");
        reset(&app.anon(), &newer, OTHER_PASSWORD).await.expect(204);
        let after = asked_for(app, ADA).await;
        reset(&app.anon(), &after, PASSWORD).await.expect(204);
    }

    async fn a_change_of_password_ends_the_link(app: TestApp) {
        let ada = app.shopper("ada").await;
        let token = asked_for(app, ADA).await;
        let body = json!({"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD});
        ada.post("/api/auth/change-password", body).await.expect(204);
        reset(&app.anon(), &token, "Y3t-Another-Trombone").await.refused(400, "INVALID_TOKEN");
        login(app, OTHER_PASSWORD).await.expect(200);
    }

    async fn another_address_ends_the_link_to_the_old_one(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        let token = asked_for(app, ADA).await;
        let path = format!("/api/users/{}", ada.user_id());
        admin.patch(&path, json!({"email": "lovelace@example.com"})).await.expect(200);
        reset(&app.anon(), &token, OTHER_PASSWORD).await.refused(400, "INVALID_TOKEN");
    }

    async fn what_is_made_up_is_refused(app: TestApp) {
        app.shopper("ada").await;
        let token = asked_for(app, ADA).await;
        for made_up in ["", "guessed", &token[1..], &format!("{token}x"), &token.to_lowercase()] {
            reset(&app.anon(), made_up, OTHER_PASSWORD).await.refused(400, "INVALID_TOKEN");
        }
        // The token of one mail is good for nothing else.
        let proof = mailed_token(app, ADA, "/verify-email").await;
        reset(&app.anon(), &proof, OTHER_PASSWORD).await.refused(400, "INVALID_TOKEN");
        app.anon().post("/api/auth/verify-email", json!({"token": token})).await.refused(400, "INVALID_TOKEN");
        let body = json!({"token": token, "newPassword": OTHER_PASSWORD, "email": "eve@example.com"});
        assert_eq!(app.anon().post("/api/auth/reset-password", body).await.expect(422).fields(), ["email"]);
        assert_eq!(app.anon().post("/api/auth/reset-password", json!({})).await.expect(422).fields(), ["token"]);
        reset(&app.anon(), &token, "Password123").await.expect(422);
        reset(&app.anon(), &token, OTHER_PASSWORD).await.expect(204);
    }

    async fn who_was_locked_out_comes_in_again(app: TestApp) {
        app.shopper("ada").await;
        for _ in 0..10 {
            login(app, OTHER_PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        }
        login(app, PASSWORD).await.refused(429, "ACCOUNT_LOCKED");
        let token = asked_for(app, ADA).await;
        reset(&app.anon(), &token, OTHER_PASSWORD).await.expect(204);
        login(app, OTHER_PASSWORD).await.expect(200);
    }

    async fn a_client_tries_five_times_in_a_quarter(app: TestApp, |settings| settings.rate_limits = true) {
        for _ in 0..5 {
            reset(&app.anon(), "guessed", OTHER_PASSWORD).await.refused(400, "INVALID_TOKEN");
        }
        reset(&app.anon(), "guessed", OTHER_PASSWORD).await.refused(429, "RATE_LIMITED");
    }

    async fn a_job_that_runs_twice_mails_one_link_and_wakes_no_dead_one(app: TestApp) {
        app.shopper("ada").await;
        let token = asked_for(app, ADA).await;
        let mails = app.mails().await.len();
        again(app).await;
        assert_eq!(app.mails().await.len(), mails, "one mail");
        reset(&app.anon(), &token, OTHER_PASSWORD).await.expect(204);
        again(app).await;
        reset(&app.anon(), &token, PASSWORD).await.refused(400, "INVALID_TOKEN");
    }
}

/// Puts the job of the last link back, as if its worker had died before it could say that it was done.
async fn again(app: &TestApp) {
    app.settle().await;
    let id = app
        .mails()
        .await
        .iter()
        .find(|mail| mail.subject == "Set a new password")
        .expect("a mail")
        .id
        .clone();
    let id: stoa_platform::jobs::JobId = id.parse().expect("the id of a job");
    let at = app.clock.clock().now();
    let queued = app.platform().database.write(move |tx| {
        let asked_at: i64 =
            tx.find("SELECT asked_at FROM password_resets", &[], |row| row.read())?.unwrap_or_default();
        let asked_at = stoa_kernel::Timestamp::from_micros(asked_at);
        let payload = json!({"email": ADA, "asked_at": asked_at}).to_string();
        tx.execute(
            "INSERT INTO jobs (id, queue, kind, payload, run_at, max_attempts, created_by, created_at)
             VALUES ($1, 'emails', 'password-reset', $2, $3, 3, 'test', $3)",
            stoa_platform::params![id, payload, at],
        )
    });
    assert_eq!(queued.await.unwrap(), 1);
    app.advance(Duration::ZERO).await;
}
