use std::time::Duration;

use stoa_testing::{each_engine, json};

use crate::{mailed_token, subjects};

each_engine! {
    async fn the_mailed_link_verifies_the_address_once(app: TestApp) {
        let ada = app.shopper("ada").await;
        let body = json!({"token": mailed_token(app, "ada@example.com", "/verify-email").await});
        app.anon().post("/api/auth/verify-email", body.clone()).await.expect(204);
        assert_eq!(ada.get("/api/auth/me").await.expect(200).body["emailVerified"], true);
        assert_eq!(app.events("user.updated").await.len(), 1);
        app.anon().post("/api/auth/verify-email", body).await.refused(400, "INVALID_TOKEN");
        app.anon().post("/api/auth/verify-email", json!({"token": "guessed"})).await.refused(400, "INVALID_TOKEN");
        app.anon().post("/api/auth/verify-email", json!({})).await.expect(422);
    }

    async fn the_link_is_good_for_three_days(app: TestApp) {
        app.shopper("ada").await;
        let body = json!({"token": mailed_token(app, "ada@example.com", "/verify-email").await});
        app.clock.advance(Duration::from_hours(72));
        app.anon().post("/api/auth/verify-email", body).await.refused(400, "INVALID_TOKEN");
    }

    async fn the_link_is_mailed_again_until_the_address_is_proved(app: TestApp) {
        let ada = app.shopper("ada").await;
        let first = mailed_token(app, "ada@example.com", "/verify-email").await;
        app.clock.advance(Duration::from_secs(1));
        ada.post("/api/auth/verify-email/resend", json!({})).await.expect(202);
        let second = mailed_token(app, "ada@example.com", "/verify-email").await;
        assert_ne!(first, second);
        let asking = subjects(app, "ada@example.com").await;
        assert_eq!(asking.iter().filter(|subject| subject.starts_with("Please confirm")).count(), 2);
        app.anon().post("/api/auth/verify-email", json!({"token": second})).await.expect(204);
        ada.post("/api/auth/verify-email/resend", json!({})).await.refused(409, "EMAIL_ALREADY_VERIFIED");
        app.anon().post("/api/auth/verify-email/resend", json!({})).await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn the_link_is_mailed_again_five_times_an_hour(app: TestApp, |settings| settings.rate_limits = true) {
        let ada = app.shopper("ada").await;
        for _ in 0..5 {
            ada.post("/api/auth/verify-email/resend", json!({})).await.expect(202);
        }
        ada.post("/api/auth/verify-email/resend", json!({})).await.refused(429, "RATE_LIMITED");
    }

    async fn a_link_to_an_address_that_was_given_up_proves_nothing(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        let token = mailed_token(app, "ada@example.com", "/verify-email").await;
        let path = format!("/api/users/{}", ada.user_id());
        admin.patch(&path, json!({"email": "lovelace@example.com"})).await.expect(200);
        app.anon().post("/api/auth/verify-email", json!({"token": token})).await.refused(400, "INVALID_TOKEN");
        assert_eq!(ada.get("/api/auth/me").await.expect(200).body["emailVerified"], false);
        let token = mailed_token(app, "lovelace@example.com", "/verify-email").await;
        app.anon().post("/api/auth/verify-email", json!({"token": token})).await.expect(204);
    }
}
