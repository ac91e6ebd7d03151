use stoa_testing::{PASSWORD, at_once, each_engine, json};

use crate::subjects;

each_engine! {
    async fn whoever_registers_is_signed_in_and_welcomed(app: TestApp) {
        let body = json!({"email": "Ada@Example.com", "password": PASSWORD, "username": "Ada_L", "name": "Ada Lovelace"});
        let answer = app.anon().post("/api/auth/register", body).await.expect(201);
        let user = &answer.body["user"];
        assert_eq!(user["email"], "Ada@Example.com");
        assert_eq!((&user["username"], &user["name"]), (&json!("Ada_L"), &json!("Ada Lovelace")));
        assert_eq!((&user["role"], &user["emailVerified"]), (&json!("user"), &json!(false)));
        assert_eq!((&user["avatarUrl"], &user["lastLoginAt"]), (&json!(null), &json!(null)));
        assert_eq!(user["createdAt"], "2026-01-15T12:00:00.000Z");
        assert!(!answer.text.contains("argon2") && user.get("syncStatus").is_none());
        assert_eq!((&answer.body["tokenType"], &answer.body["expiresIn"]), (&json!("Bearer"), &json!(900)));
        let ada = app.anon().signed_in(answer.body.clone());
        assert_eq!(ada.get("/api/auth/me").await.expect(200).body, *user);

        let registered = app.events("auth.user_registered").await;
        assert_eq!(registered, [json!({"userId": user["id"], "email": "Ada@Example.com", "name": "Ada Lovelace"})]);
        assert_eq!(app.events("user.created").await.len(), 1);
        let mails = subjects(app, "Ada@Example.com").await;
        assert_eq!(mails, ["Please confirm your e-mail address", "Welcome, Ada Lovelace"]);
    }

    async fn a_name_is_made_for_who_brings_none(app: TestApp) {
        let mut usernames = Vec::new();
        for email in ["ada@example.com", "ada@example.org", "ada@example.net"] {
            let body = json!({"email": email, "password": PASSWORD});
            let answer = app.anon().post("/api/auth/register", body).await.expect(201);
            assert_eq!(answer.body["user"]["name"], "ada");
            usernames.push(answer.body["user"]["username"].as_str().unwrap().to_owned());
        }
        assert_eq!(usernames[0], "ada");
        assert!(usernames[1].starts_with("ada") && usernames[2].starts_with("ada"));
        usernames.sort();
        usernames.dedup();
        assert_eq!(usernames.len(), 3);
    }

    async fn what_is_taken_is_a_conflict(app: TestApp) {
        let register = |email: &str, username: &str| {
            let body = json!({"email": email, "password": PASSWORD, "username": username});
            let anon = app.anon();
            async move { anon.post("/api/auth/register", body).await }
        };
        register("ada@example.com", "ada").await.expect(201);
        register("ADA@example.com", "other").await.refused(409, "EMAIL_TAKEN");
        register("other@example.com", "ADA").await.refused(409, "USERNAME_TAKEN");
        register("ada@example.com", "ada").await.refused(409, "EMAIL_TAKEN");
        assert_eq!(app.events("auth.user_registered").await.len(), 1);
    }

    async fn race_of_registrations_has_one_winner(app: TestApp) {
        let answers = at_once((0..8).map(|n| {
            let body = json!({"email": "ada@example.com", "password": PASSWORD, "username": format!("ada{n}")});
            let anon = app.anon();
            async move { anon.post("/api/auth/register", body).await }
        })).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        let taken = answers.iter().filter(|answer| answer.code() == Some("EMAIL_TAKEN") && answer.status == 409).count();
        assert_eq!((made, taken), (1, 7));
        assert_eq!(app.events("auth.user_registered").await.len(), 1);
        assert_eq!(subjects(app, "ada@example.com").await.len(), 2);
    }

    async fn race_for_a_derived_name_leaves_nobody_without(app: TestApp) {
        let answers = at_once((0..8).map(|n| {
            let body = json!({"email": format!("ada@shop{n}.example"), "password": PASSWORD, "name": "Ada"});
            let anon = app.anon();
            async move { anon.post("/api/auth/register", body).await }
        })).await;
        assert!(answers.iter().all(|answer| answer.status == 201));
    }

    async fn every_flaw_is_named(app: TestApp) {
        let anon = app.anon();
        let refused = |body: stoa_testing::Value| {
            let anon = anon.clone();
            async move {
                let answer = anon.post("/api/auth/register", body).await.expect(422);
                let codes: Vec<_> = answer.body["errors"].as_array().unwrap().iter()
                    .map(|error| format!("{} {}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
                    .collect();
                codes.join(", ")
            }
        };
        let told = refused(json!({"email": "ada", "password": "short", "username": "?", "name": "a\nb"})).await;
        assert_eq!(told, "email INVALID_EMAIL, username TOO_SHORT, name INVALID_NAME, password PASSWORD_TOO_SHORT");
        let told = refused(json!({"email": "ada@example.com", "password": "Password123"})).await;
        assert_eq!(told, "password PASSWORD_TOO_COMMON");
        let told = refused(json!({"email": "ada@example.com", "password": "all-lower-case-1"})).await;
        assert_eq!(told, "password PASSWORD_TOO_WEAK");
        let told = refused(json!({"email": "ada@example.com", "password": "Aa1".repeat(400)})).await;
        assert_eq!(told, "password TOO_LONG");
        assert_eq!(refused(json!({"email": "ada@example.com"})).await, "password REQUIRED");
        let told = refused(json!({"email": "ada@example.com", "password": PASSWORD, "role": "admin"})).await;
        assert_eq!(told, "role INVALID");
        let told = refused(json!({"email": 7, "password": PASSWORD})).await;
        assert_eq!(told, "email INVALID");
        anon.post_raw("/api/auth/register", "{").await.refused(400, "MALFORMED_JSON");
        assert!(app.events("auth.user_registered").await.is_empty());
    }

    async fn the_basic_policy_asks_for_less(app: TestApp, |settings| {
        settings.accounts.password_policy = stoa_accounts::PasswordPolicy::Basic;
    }) {
        let register = |password: &str| {
            let body = json!({"email": "ada@example.com", "password": password});
            let anon = app.anon();
            async move { anon.post("/api/auth/register", body).await }
        };
        register("qwerty").await.expect(422);
        register("lake7").await.expect(422);
        register("lakes7").await.expect(201);
    }

    async fn a_client_registers_five_times_in_a_quarter(app: TestApp, |settings| settings.rate_limits = true) {
        let register = |n: u32| {
            let body = json!({"email": format!("ada{n}@example.com"), "password": PASSWORD});
            let anon = app.anon();
            async move { anon.post("/api/auth/register", body).await }
        };
        for n in 0..5 {
            register(n).await.expect(201);
        }
        let refused = register(5).await.refused(429, "RATE_LIMITED");
        assert_eq!(refused.header("retry-after"), Some("180"));
        app.clock.advance(std::time::Duration::from_mins(3));
        register(5).await.expect(201);
    }
}
