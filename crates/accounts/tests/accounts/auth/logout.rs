use std::time::Duration;

use stoa_testing::{each_engine, json};

use crate::refresh_token;

each_engine! {
    async fn ends_the_session_of_its_token_and_no_other(app: TestApp) {
        let ada = app.shopper("ada").await;
        let elsewhere = app.sign_in("ada@example.com").await;
        ada.get("/api/auth/me").await.expect(200);
        app.anon().post("/api/auth/logout", refresh_token(&ada.session)).await.expect(204);
        ada.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.refused(401, "INVALID_REFRESH_TOKEN");
        elsewhere.get("/api/auth/me").await.expect(200);
        // Once more, and with nonsense, changes nothing.
        app.anon().post("/api/auth/logout", refresh_token(&ada.session)).await.expect(204);
        app.anon().post("/api/auth/logout", json!({"refreshToken": "guessed"})).await.expect(204);
        app.anon().post("/api/auth/logout", json!({})).await.expect(422);
    }

    async fn all_ends_every_session_of_the_user(app: TestApp) {
        let ada = app.shopper("ada").await;
        let elsewhere = app.sign_in("ada@example.com").await;
        let bob = app.shopper("bob").await;
        elsewhere.get("/api/auth/me").await.expect(200);
        ada.post("/api/auth/logout-all", json!({})).await.expect(204);
        for session in [&ada, &elsewhere] {
            session.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
            let body = refresh_token(&session.session);
            app.anon().post("/api/auth/refresh", body).await.refused(401, "INVALID_REFRESH_TOKEN");
        }
        bob.get("/api/auth/me").await.expect(200);
        app.sign_in("ada@example.com").await.get("/api/auth/me").await.expect(200);
        app.anon().post("/api/auth/logout-all", json!({})).await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn a_session_ended_on_another_node_is_refused_within_a_second(app: TestApp) {
        let ada = app.shopper("ada").await;
        ada.get("/api/auth/me").await.expect(200);
        app.platform().database.write(|tx| tx.execute("UPDATE sessions SET ended_at = 1", &[])).await.unwrap();
        app.clock.advance(Duration::from_secs(1));
        ada.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
    }
}
