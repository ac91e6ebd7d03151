use std::time::Duration;

use stoa_accounts::PasswordCost;
use stoa_testing::{Answer, PASSWORD, TestApp, each_engine, json};

use crate::{OTHER_PASSWORD, subjects};

async fn login(app: &TestApp, identifier: &str, password: &str) -> Answer {
    let field = if identifier.contains('@') { "email" } else { "username" };
    app.anon().post("/api/auth/login", json!({field: identifier, "password": password})).await
}

each_engine! {
    async fn by_address_or_username_in_any_case(app: TestApp) {
        let ada = app.shopper("ada").await;
        for identifier in ["ada@example.com", "ADA@Example.com", "ada", "ADA", " ada "] {
            let answer = login(app, identifier, PASSWORD).await.expect(200);
            assert_eq!(answer.body["user"]["id"], ada.user_id());
            assert_eq!(answer.body["user"]["lastLoginAt"], "2026-01-15T12:00:00.000Z");
            app.anon().signed_in(answer.body).get("/api/auth/me").await.expect(200);
        }
        // An address may also come in the field of the username and the other way round.
        let body = json!({"username": "ada@example.com", "password": PASSWORD});
        app.anon().post("/api/auth/login", body).await.expect(200);
        let heard = app.events("auth.login_success").await;
        assert_eq!(heard.len(), 6);
        assert_eq!(heard[0], json!({"userId": ada.user_id(), "address": "127.0.0.1"}));
    }

    async fn unknown_and_wrong_look_the_same(app: TestApp) {
        app.shopper("ada").await;
        let wrong = login(app, "ada@example.com", OTHER_PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        let unknown = login(app, "eve@example.com", OTHER_PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        assert_eq!(wrong.body["detail"], unknown.body["detail"]);
        assert_eq!(wrong.body["title"], unknown.body["title"]);
        let failed = app.events("auth.login_failed").await;
        let identifiers: Vec<_> = failed.iter().map(|event| event["identifier"].as_str().unwrap()).collect();
        assert_eq!(identifiers, ["ada@example.com", "eve@example.com"]);
    }

    async fn an_attempt_names_one_identifier_and_a_password(app: TestApp) {
        let anon = app.anon();
        let refused = |body: stoa_testing::Value| {
            let anon = anon.clone();
            async move { anon.post("/api/auth/login", body).await.expect(422).fields().join(",") }
        };
        assert_eq!(refused(json!({"password": PASSWORD})).await, "email");
        assert_eq!(refused(json!({"email": "a@b.example"})).await, "password");
        assert_eq!(refused(json!({"email": "a@b.example", "username": "a", "password": PASSWORD})).await, "username");
        assert_eq!(refused(json!({"email": " ", "password": "x".repeat(1025)})).await, "email,password");
        assert_eq!(refused(json!({"email": "x".repeat(255), "password": PASSWORD})).await, "email");
        assert_eq!(refused(json!({"email": "a@b.example", "password": PASSWORD, "admin": true})).await, "admin");
        assert!(app.events("auth.login_failed").await.is_empty());
    }

    async fn ten_failures_lock_for_a_quarter_and_tell_by_mail(app: TestApp) {
        app.shopper("ada").await;
        for _ in 0..10 {
            login(app, "ada@example.com", OTHER_PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        }
        let locked = login(app, "Ada@example.com", PASSWORD).await.refused(429, "ACCOUNT_LOCKED");
        assert_eq!(locked.header("retry-after"), Some("900"));
        assert_eq!(app.events("auth.account_locked").await, [json!({"identifier": "ada@example.com"})]);
        let mails = subjects(app, "ada@example.com").await;
        assert!(mails.contains(&"Your account is locked for 15 minutes".to_owned()), "{mails:?}");
        app.clock.advance(Duration::from_secs(899));
        login(app, "ada@example.com", PASSWORD).await.refused(429, "ACCOUNT_LOCKED");
        app.clock.advance(Duration::from_secs(1));
        login(app, "ada@example.com", PASSWORD).await.expect(200);
    }

    async fn what_does_not_exist_is_locked_all_the_same(app: TestApp) {
        for _ in 0..10 {
            login(app, "nobody@example.com", PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        }
        login(app, "nobody@example.com", PASSWORD).await.refused(429, "ACCOUNT_LOCKED");
        login(app, "somebody@example.com", PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        assert!(app.mails().await.is_empty());
    }

    async fn signing_in_forgets_the_failures_before(app: TestApp) {
        app.shopper("ada").await;
        for _ in 0..2 {
            for _ in 0..9 {
                login(app, "ada@example.com", OTHER_PASSWORD).await.expect(401);
            }
            login(app, "ada@example.com", PASSWORD).await.expect(200);
        }
    }

    async fn an_account_has_five_attempts_in_a_quarter(app: TestApp, |settings| settings.rate_limits = true) {
        // Registering was the first of the five, of the client and of the account alike.
        app.shopper("ada").await;
        for _ in 0..4 {
            login(app, "ada@example.com", OTHER_PASSWORD).await.expect(401);
        }
        let refused = login(app, "ada@example.com", PASSWORD).await.refused(429, "RATE_LIMITED");
        assert!(refused.header("retry-after").is_some());
    }

    async fn a_hash_of_another_cost_is_made_anew(app: TestApp, |settings| {
        settings.accounts.password_cost = PasswordCost { memory: 16, ..PasswordCost::FOR_TESTS };
    }) {
        app.shopper("ada").await;
        // As if it had been made before the cost was raised.
        let cheap = "$argon2id$v=19$m=8,t=1,p=1$";
        let old = old_hash(app).await;
        assert!(old.starts_with(cheap));
        app.platform().database.write(move |tx| {
            tx.execute("UPDATE users SET password_hash = $1", stoa_platform::params![&old])
        }).await.unwrap();
        login(app, "ada", OTHER_PASSWORD).await.expect(401);
        assert!(kept_hash(app).await.starts_with(cheap));
        login(app, "ada", PASSWORD).await.expect(200);
        assert!(kept_hash(app).await.starts_with("$argon2id$v=19$m=16,t=1,p=1$"));
        login(app, "ada", PASSWORD).await.expect(200);
    }
}

async fn kept_hash(app: &TestApp) -> String {
    let kept = app.read(|c| c.find("SELECT password_hash FROM users", &[], |row| row.read::<String>()));
    kept.await.expect("a user")
}

/// The hash that a node with cheaper passwords would have kept.
async fn old_hash(app: &TestApp) -> String {
    let mut settings = stoa_accounts::AccountsSettings::new(vec![7; 32], "http://localhost");
    settings.password_cost = PasswordCost::FOR_TESTS;
    let accounts = stoa_accounts::Accounts::new(app.platform(), settings).unwrap();
    let hash = accounts.hash_password(PASSWORD).await.unwrap();
    let clock = app.clock.clock();
    let kept = app.platform().database.write(move |tx| {
        let random = stoa_kernel::Random::system();
        let occasion = stoa_platform::Occasion::system(&clock, &random, "test");
        stoa_accounts::Accounts::insert_user(tx, &occasion, "user", "old@example.com", "Old", &hash)?;
        let kept =
            tx.find("SELECT password_hash FROM users WHERE email_folded = 'old@example.com'", &[], |row| {
                row.read::<String>()
            })?;
        tx.execute("DELETE FROM users WHERE email_folded = 'old@example.com'", &[])?;
        Ok::<_, stoa_kernel::Refusal>(kept)
    });
    kept.await.unwrap().unwrap()
}
