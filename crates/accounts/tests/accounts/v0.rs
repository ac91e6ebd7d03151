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
}
