//! What ends on one node has ended on every other within a second.

use std::time::Duration;

use stoa_testing::{AnotherNode, Client, TestApp, json, two_nodes};

use crate::{OTHER_PASSWORD, mailed_token, refresh_token, text};

/// Somebody who is at work on both nodes.
async fn at_both(app: &TestApp, other: &AnotherNode, name: &str) -> (Client, Client) {
    let here = app.shopper(name).await;
    let there = other.seen_by(&here);
    there.get("/api/auth/me").await.expect(200);
    (here, there)
}

/// A second later at the latest the other node knows.
async fn has_ended(app: &TestApp, there: &Client) {
    app.clock.advance(Duration::from_secs(1));
    there.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
}

two_nodes! {
    async fn what_is_still_good_is_good_everywhere(app: TestApp, other: AnotherNode) {
        let (here, there) = at_both(app, other, "ada").await;
        app.clock.advance(Duration::from_secs(5));
        there.get("/api/auth/me").await.expect(200);
        let renewed = there.post("/api/auth/refresh", refresh_token(&here.session)).await.expect(200);
        app.anon().signed_in(renewed.body).get("/api/auth/me").await.expect(200);
    }

    async fn a_changed_profile_shows_at_once_and_elsewhere_within_a_second(app: TestApp, other: AnotherNode) {
        let (here, there) = at_both(app, other, "ada").await;
        let name = |answer: stoa_testing::Answer| text(&answer.body, "name");
        for new in ["Ada Lovelace", "Ada Byron"] {
            here.get("/api/auth/me").await.expect(200);
            here.patch("/api/users/profile", json!({"name": new})).await.expect(200);
            assert_eq!(name(here.get("/api/auth/me").await.expect(200)), new);
            app.clock.advance(Duration::from_secs(1));
            assert_eq!(name(there.get("/api/auth/me").await.expect(200)), new);
        }
    }

    async fn a_logout_holds_within_a_second(app: TestApp, other: AnotherNode) {
        let (here, there) = at_both(app, other, "ada").await;
        here.post("/api/auth/logout", refresh_token(&here.session)).await.expect(204);
        here.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        has_ended(app, &there).await;
    }

    async fn the_end_of_all_sessions_holds_within_a_second(app: TestApp, other: AnotherNode) {
        let (here, there) = at_both(app, other, "ada").await;
        let elsewhere = other.seen_by(&app.sign_in("ada@example.com").await);
        elsewhere.get("/api/auth/me").await.expect(200);
        here.post("/api/auth/logout-all", json!({})).await.expect(204);
        has_ended(app, &there).await;
        elsewhere.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
    }

    async fn the_end_of_one_device_holds_within_a_second(app: TestApp, other: AnotherNode) {
        let (here, there) = at_both(app, other, "ada").await;
        let listed = here.get("/api/auth/sessions").await.expect(200);
        let device = text(&listed.entries()[0], "id");
        here.delete(&format!("/api/auth/sessions/{device}")).await.expect(204);
        has_ended(app, &there).await;
    }

    async fn a_changed_password_ends_other_devices_within_a_second(app: TestApp, other: AnotherNode) {
        let (_, there) = at_both(app, other, "ada").await;
        let elsewhere = app.sign_in("ada@example.com").await;
        let body = json!({"currentPassword": stoa_testing::PASSWORD, "newPassword": OTHER_PASSWORD});
        elsewhere.post("/api/auth/change-password", body).await.expect(204);
        has_ended(app, &there).await;
    }

    async fn a_reset_password_ends_every_session_within_a_second(app: TestApp, other: AnotherNode) {
        let (_, there) = at_both(app, other, "ada").await;
        app.anon().post("/api/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
        let token = mailed_token(app, "ada@example.com", "/reset-password").await;
        let body = json!({"token": token, "newPassword": OTHER_PASSWORD});
        app.anon().post("/api/auth/reset-password", body).await.expect(204);
        has_ended(app, &there).await;
    }

    async fn another_role_holds_within_a_second(app: TestApp, other: AnotherNode) {
        let admin = app.admin().await;
        let (here, there) = at_both(app, other, "ada").await;
        let path = format!("/api/users/{}/role", here.user_id());
        admin.put(&path, json!({"role": "admin"})).await.expect(200);
        has_ended(app, &there).await;
    }

    async fn a_deleted_user_is_nobody_within_a_second(app: TestApp, other: AnotherNode) {
        let admin = app.admin().await;
        let (here, there) = at_both(app, other, "ada").await;
        admin.delete(&format!("/api/users/{}", here.user_id())).await.expect(204);
        has_ended(app, &there).await;
    }

    async fn what_a_role_allows_changes_within_a_second(app: TestApp, other: AnotherNode) {
        let admin = app.admin().await;
        let (_, there) = at_both(app, other, "ada").await;
        there.get("/api/users").await.refused(403, "FORBIDDEN");
        let permissions = json!([{"resource": "user", "action": "read"}]);
        admin.put("/api/admin/roles/user", json!({"permissions": permissions})).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        there.get("/api/users").await.expect(200);
    }

    async fn a_stolen_refresh_token_ends_its_session_within_a_second(app: TestApp, other: AnotherNode) {
        let (here, there) = at_both(app, other, "ada").await;
        here.post("/api/auth/refresh", refresh_token(&here.session)).await.expect(200);
        app.clock.advance(Duration::from_secs(11));
        here.post("/api/auth/refresh", refresh_token(&here.session)).await.refused(401, "REFRESH_TOKEN_REUSED");
        has_ended(app, &there).await;
    }

    async fn a_key_loses_within_a_second_what_its_maker_lost(app: TestApp, other: AnotherNode) {
        let admin = app.admin().await;
        let (sam, _) = at_both(app, other, "sam").await;
        let role = format!("/api/users/{}/role", sam.user_id());
        admin.put(&role, json!({"role": "admin"})).await.expect(200);
        let sam = app.sign_in("sam@example.com").await;
        let made = sam.post("/api/admin/api-keys", json!({"name": "till", "scopes": ["user:read"]})).await.expect(201);
        let till = other.anon().with_header("x-api-key", &text(&made.body, "key"));
        till.get("/api/users").await.expect(200);
        admin.put(&role, json!({"role": "user"})).await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        till.get("/api/users").await.refused(403, "FORBIDDEN");
        admin.delete(&format!("/api/users/{}", sam.user_id())).await.expect(204);
        app.clock.advance(Duration::from_secs(1));
        till.get("/api/users").await.refused(401, "API_KEY_MAKER_GONE");
    }

    async fn a_deleted_api_key_is_refused_within_a_second(app: TestApp, other: AnotherNode) {
        let admin = app.admin().await;
        let made = admin.post("/api/admin/api-keys", json!({"name": "till", "scopes": ["user:read"]})).await.expect(201);
        let till = other.anon().with_header("x-api-key", &text(&made.body, "key"));
        till.get("/api/users").await.expect(200);
        admin.delete(&format!("/api/admin/api-keys/{}", made.id())).await.expect(204);
        app.clock.advance(Duration::from_secs(1));
        till.get("/api/users").await.refused(401, "INVALID_API_KEY");
    }
}
