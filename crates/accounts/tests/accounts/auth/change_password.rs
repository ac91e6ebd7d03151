use std::time::Duration;

use stoa_testing::{Answer, Client, PASSWORD, each_engine, json};

use crate::{OTHER_PASSWORD, refresh_token, subjects};

async fn change(somebody: &Client, current: &str, new: &str) -> Answer {
    let body = json!({"currentPassword": current, "newPassword": new});
    somebody.post("/api/auth/change-password", body).await
}

each_engine! {
    async fn all_refresh_tokens_are_revoked(app: TestApp) {
        let ada = app.shopper("ada").await;
        let elsewhere = app.sign_in("ada@example.com").await;
        change(&ada, PASSWORD, OTHER_PASSWORD).await.expect(204);
        for session in [&ada.session, &elsewhere.session] {
            app.anon().post("/api/auth/refresh", refresh_token(session)).await.refused(401, "INVALID_REFRESH_TOKEN");
        }
        elsewhere.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        ada.get("/api/auth/me").await.expect(200);
        let login = |password: &str| {
            let body = json!({"email": "ada@example.com", "password": password});
            let anon = app.anon();
            async move { anon.post("/api/auth/login", body).await }
        };
        login(PASSWORD).await.expect(401);
        login(OTHER_PASSWORD).await.expect(200);
        assert_eq!(app.events("auth.password_changed").await, [json!({"userId": ada.user_id()})]);
        assert!(subjects(app, "ada@example.com").await.contains(&"Your password was changed".to_owned()));
    }

    async fn a_wrong_current_one_and_a_weak_new_one_are_refused(app: TestApp) {
        let ada = app.shopper("ada").await;
        change(&ada, OTHER_PASSWORD, "N3w-Password-Here").await.refused(400, "INVALID_CREDENTIALS");
        assert_eq!(change(&ada, PASSWORD, "weak").await.expect(422).fields(), ["newPassword"]);
        assert_eq!(change(&ada, PASSWORD, "Password123").await.expect(422).fields(), ["newPassword"]);
        assert_eq!(change(&ada, &"x".repeat(1025), OTHER_PASSWORD).await.expect(422).fields(), ["currentPassword"]);
        change(&app.anon(), PASSWORD, OTHER_PASSWORD).await.refused(401, "AUTHENTICATION_REQUIRED");
        app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.expect(200);
    }

    async fn a_stolen_token_cannot_try_passwords(app: TestApp) {
        let ada = app.shopper("ada").await;
        for _ in 0..10 {
            change(&ada, OTHER_PASSWORD, "N3w-Password-Here").await.refused(400, "INVALID_CREDENTIALS");
        }
        change(&ada, PASSWORD, OTHER_PASSWORD).await.refused(429, "ACCOUNT_LOCKED");
        // Signing in is not what was tried, so it is not locked.
        let again = app.sign_in("ada@example.com").await;
        app.clock.advance(Duration::from_mins(15) - Duration::from_secs(1));
        change(&again, PASSWORD, OTHER_PASSWORD).await.refused(429, "ACCOUNT_LOCKED");
        let again = app.sign_in("ada@example.com").await;
        app.clock.advance(Duration::from_secs(1));
        change(&again, PASSWORD, OTHER_PASSWORD).await.expect(204);
    }
}
