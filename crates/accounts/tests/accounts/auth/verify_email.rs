use std::time::Duration;

use stoa_testing::{TestApp, each_engine, json};

/// The token in the link of the mail that asks somebody to confirm their address.
async fn mailed_token(app: &TestApp, email: &str) -> String {
    let mails = app.mails().await;
    let asking = mails.iter().find(|mail| mail.to == email && mail.subject.starts_with("Please confirm"));
    let message = app.platform().mailer.read(&asking.expect("a mail").id).await.unwrap().unwrap();
    let message = String::from_utf8(message).unwrap().replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = message.split_once("/verify-email?token=").expect("a link");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}

each_engine! {
    async fn the_mailed_link_verifies_the_address_once(app: TestApp) {
        let ada = app.shopper("ada").await;
        let body = json!({"token": mailed_token(app, "ada@example.com").await});
        app.anon().post("/api/auth/verify-email", body.clone()).await.expect(204);
        assert_eq!(ada.get("/api/auth/me").await.expect(200).body["emailVerified"], true);
        assert_eq!(app.events("user.updated").await.len(), 1);
        app.anon().post("/api/auth/verify-email", body).await.refused(400, "INVALID_TOKEN");
        app.anon().post("/api/auth/verify-email", json!({"token": "guessed"})).await.refused(400, "INVALID_TOKEN");
        app.anon().post("/api/auth/verify-email", json!({})).await.expect(422);
    }

    async fn the_link_is_good_for_three_days(app: TestApp) {
        app.shopper("ada").await;
        let body = json!({"token": mailed_token(app, "ada@example.com").await});
        app.clock.advance(Duration::from_hours(72));
        app.anon().post("/api/auth/verify-email", body).await.refused(400, "INVALID_TOKEN");
    }
}
