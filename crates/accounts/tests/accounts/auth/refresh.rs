use std::time::Duration;

use stoa_testing::{TestApp, Value, at_once, each_engine, json};

use crate::refresh_token;

async fn refresh(app: &TestApp, session: &Value) -> stoa_testing::Answer {
    app.anon().post("/api/auth/refresh", refresh_token(session)).await
}

each_engine! {
    async fn a_token_is_good_for_the_next_pair_of_its_session(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.clock.advance(Duration::from_mins(20));
        ada.get("/api/auth/me").await.refused(401, "TOKEN_EXPIRED");
        let next = refresh(app, &ada.session).await.expect(200).body;
        assert_ne!(next["refreshToken"], ada.session["refreshToken"]);
        assert_eq!(next["user"]["id"], ada.user_id());
        let sid = |session: &Value| crate::claims(session["accessToken"].as_str().unwrap())["sid"].clone();
        assert_eq!(sid(&next), sid(&ada.session));
        app.anon().signed_in(next.clone()).get("/api/auth/me").await.expect(200);
        refresh(app, &next).await.expect(200);
    }

    async fn race_of_two_yields_one_pair_and_one_conflict(app: TestApp) {
        for name in ["ada", "bob", "cid", "dan"] {
            let somebody = app.shopper(name).await;
            let answers = at_once((0..2).map(|_| {
                let (anon, body) = (app.anon(), refresh_token(&somebody.session));
                async move { anon.post("/api/auth/refresh", body).await }
            })).await;
            let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
            let raced = answers.iter().filter(|answer| answer.status == 409 && answer.code() == Some("REFRESH_RACED"));
            assert_eq!((won.len(), raced.count()), (1, 1));
            refresh(app, &won[0].body).await.expect(200);
        }
        assert!(app.events("auth.token_reused").await.is_empty());
    }

    async fn a_spent_token_within_ten_seconds_is_a_race(app: TestApp) {
        let ada = app.shopper("ada").await;
        let next = refresh(app, &ada.session).await.expect(200).body;
        app.clock.advance(Duration::from_secs(10));
        refresh(app, &ada.session).await.refused(409, "REFRESH_RACED");
        ada.get("/api/auth/me").await.expect(200);
        refresh(app, &next).await.expect(200);
    }

    async fn a_spent_token_later_revokes_the_family(app: TestApp) {
        let ada = app.shopper("ada").await;
        let elsewhere = app.sign_in("ada@example.com").await;
        let next = refresh(app, &ada.session).await.expect(200).body;
        app.clock.advance(Duration::from_secs(11));
        refresh(app, &ada.session).await.refused(401, "REFRESH_TOKEN_REUSED");
        refresh(app, &next).await.refused(401, "INVALID_REFRESH_TOKEN");
        ada.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        app.anon().signed_in(next).get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        let heard = app.events("auth.token_reused").await;
        assert_eq!(heard, [json!({"userId": ada.user_id(), "address": "127.0.0.1"})]);
        refresh(app, &ada.session).await.refused(401, "INVALID_REFRESH_TOKEN");
        elsewhere.get("/api/auth/me").await.expect(200);
        refresh(app, &elsewhere.session).await.expect(200);
    }

    async fn a_spent_token_whose_successor_was_used_revokes_at_once(app: TestApp) {
        let ada = app.shopper("ada").await;
        let next = refresh(app, &ada.session).await.expect(200).body;
        let third = refresh(app, &next).await.expect(200).body;
        refresh(app, &ada.session).await.refused(401, "REFRESH_TOKEN_REUSED");
        refresh(app, &third).await.refused(401, "INVALID_REFRESH_TOKEN");
    }

    async fn a_token_is_good_for_a_week_from_its_making(app: TestApp) {
        let ada = app.shopper("ada").await;
        let week = Duration::from_hours(7 * 24);
        app.clock.advance(Duration::from_secs(7 * 24 * 60 * 60 - 1));
        let next = refresh(app, &ada.session).await.expect(200).body;
        app.clock.advance(week);
        refresh(app, &next).await.refused(401, "TOKEN_EXPIRED");
    }

    async fn what_is_no_token_is_refused(app: TestApp) {
        let ada = app.shopper("ada").await;
        let post = |body: Value| {
            let anon = app.anon();
            async move { anon.post("/api/auth/refresh", body).await }
        };
        post(json!({"refreshToken": "guessed"})).await.refused(401, "INVALID_REFRESH_TOKEN");
        post(json!({"refreshToken": ""})).await.refused(401, "INVALID_REFRESH_TOKEN");
        post(json!({"refreshToken": ada.session["accessToken"]})).await.refused(401, "INVALID_REFRESH_TOKEN");
        assert_eq!(post(json!({})).await.expect(422).fields(), ["refreshToken"]);
        ada.get("/api/auth/me").await.expect(200);
    }

    async fn the_new_pair_tells_the_present_state(app: TestApp) {
        let ada = app.shopper("ada").await;
        ada.patch("/api/users/profile", json!({"name": "Ada Lovelace"})).await.expect(200);
        let next = refresh(app, &ada.session).await.expect(200).body;
        assert_eq!(next["user"]["name"], "Ada Lovelace");
    }
}
