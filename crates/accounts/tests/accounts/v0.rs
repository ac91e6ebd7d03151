use std::time::Duration;

use stoa_testing::{PASSWORD, each_engine, json};

each_engine! {
    async fn the_flat_surface_works_and_says_that_it_goes(app: TestApp) {
        let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
        let made = app.anon().post("/register", body).await.expect(201);
        assert_eq!(made.body["user"]["username"], "ada");
        assert!(made.body["message"].is_string() && made.body["token"].is_string());
        assert!(made.header("deprecation").is_some() && made.header("warning").unwrap().starts_with("299"));

        let login = app.anon().post("/login", json!({"email": "ada@example.com", "password": PASSWORD})).await.expect(200);
        assert_eq!(login.body["user"]["id"], made.body["user"]["id"]);
        let ada = app.anon().bearing(login.body["token"].as_str().unwrap());
        assert_eq!(ada.get("/profile").await.expect(200).body["user"]["email"], "ada@example.com");
        let changed = ada.patch("/profile", json!({"name": "Ada Lovelace"})).await.expect(200);
        assert_eq!(changed.body["user"]["name"], "Ada Lovelace");
        assert_eq!(ada.get("/protected").await.expect(200).body["user"]["username"], "ada");
        // It is an access token like any other, but for its age.
        ada.get("/api/auth/me").await.expect(200);
    }

    async fn its_token_is_good_for_a_day(app: TestApp) {
        let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
        let made = app.anon().post("/register", body).await.expect(201);
        let ada = app.anon().bearing(made.body["token"].as_str().unwrap());
        app.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
        ada.get("/protected").await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        ada.get("/protected").await.expect(401);
    }

    async fn its_errors_are_one_sentence(app: TestApp) {
        app.shopper("ada").await;
        let body = json!({"username": "other", "email": "ada@example.com", "password": PASSWORD});
        let taken = app.anon().post("/register", body).await.expect(409);
        assert_eq!(taken.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["error"]);
        let weak = json!({"username": "bob", "email": "bob@example.com", "password": "weak"});
        assert!(app.anon().post("/register", weak).await.expect(422).body["error"].is_string());
        let wrong = json!({"email": "ada@example.com", "password": "wrong"});
        assert!(app.anon().post("/login", wrong).await.expect(401).body["error"].is_string());
        assert!(app.anon().get("/profile").await.expect(401).body["error"].is_string());
        assert!(app.anon().get("/protected").await.expect(401).body["error"].is_string());
        app.anon().patch("/profile", json!({"name": "Eve"})).await.expect(401);
    }

    async fn every_answer_says_that_it_goes(app: TestApp, |settings| {
        settings.http.v0_sunset = stoa_kernel::Timestamp::parse("2026-06-01T00:00:00Z");
    }) {
        let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
        let made = app.anon().post("/register", body).await.expect(201);
        let ada = app.anon().bearing(made.body["token"].as_str().unwrap());
        let login = json!({"email": "ada@example.com", "password": PASSWORD});
        let answers = [
            made,
            app.anon().post("/login", login).await.expect(200),
            app.anon().post("/login", json!({"email": "ada@example.com"})).await.expect(422),
            ada.get("/profile").await.expect(200),
            ada.patch("/profile", json!({"username": "countess"})).await.expect(200),
            ada.get("/protected").await.expect(200),
            app.anon().get("/protected").await.expect(401),
            ada.delete("/profile").await.expect(405),
        ];
        for answer in &answers {
            assert_eq!(answer.header("deprecation"), Some("@1767225600"));
            assert_eq!(answer.header("sunset"), Some("Mon, 01 Jun 2026 00:00:00 GMT"));
            assert_eq!(answer.header("link"), Some("</api/docs>; rel=\"successor-version\""));
            let warning = "299 - \"API v0 is deprecated. Please migrate to v1 or v2.\"";
            assert_eq!(answer.header("warning"), Some(warning), "{}", answer.text);
        }
        app.clock.advance(Duration::from_hours(24 * 365));
        for gone in [app.anon().get("/profile").await, app.anon().post("/login", json!({})).await] {
            let gone = gone.expect(410);
            assert!(gone.body["error"].is_string() && gone.header("deprecation").is_some());
        }
    }

    async fn its_bodies_are_strict_and_its_guesses_limited(app: TestApp, |settings| settings.rate_limits = true) {
        let more = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD, "role": "admin"});
        app.anon().post("/register", more).await.expect(422);
        let more = json!({"email": "ada@example.com", "password": PASSWORD, "remember": true});
        app.anon().post("/login", more).await.expect(422);
        let less = json!({"email": "ada@example.com", "password": PASSWORD});
        app.anon().post("/register", less).await.expect(422);
        let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
        let made = app.anon().post("/register", body.clone()).await.expect(201);
        let ada = app.anon().bearing(made.body["token"].as_str().unwrap());
        assert!(ada.patch("/profile", json!({"role": "admin"})).await.expect(422).body["error"].is_string());
        app.anon().post("/login", json!({"email": "ada@example.com", "password": "wrong"})).await.expect(401);
        let refused = app.anon().post("/login", body).await.expect(429);
        assert!(refused.body["error"].is_string() && refused.header("retry-after").is_some());
    }
}
