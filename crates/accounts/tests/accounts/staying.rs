//! Whoever stays for longer than a request: who they are by their session, and how they learn that it has ended.

use std::time::Duration;

use stoa_accounts::PresenceStatus;
use stoa_kernel::{Actor, Authenticator, Random, Refusal, SessionId, SignedIn};
use stoa_platform::Occasion;
use stoa_testing::{Client, PASSWORD, TestApp, each_engine, json, two_nodes};

use crate::{OTHER_PASSWORD, claims, mailed_token, refresh_token, text};

/// The id of the login session that somebody's token is of.
fn session(somebody: &Client) -> String {
    text(&claims(&text(&somebody.session, "accessToken")), "sid")
}

/// Who it is that stays in somebody's session.
async fn staying(app: &TestApp, somebody: &Client) -> Result<SignedIn, Refusal> {
    let session: SessionId = session(somebody).parse().unwrap();
    match app.domains().accounts.of_session(session).await? {
        Actor::User(person) => Ok(person),
        other => panic!("{other} has no session"),
    }
}

/// Somebody's sessions of which it was told that they ended.
async fn told(app: &TestApp, user: &str) -> Vec<String> {
    let told = app.events("auth.session_ended").await;
    told.iter().filter(|event| event["userId"] == user).map(|event| text(event, "sessionId")).collect()
}

/// The same, sorted: all sessions of a user end at once, in no order.
fn sorted<const N: usize>(sessions: [&Client; N]) -> Vec<String> {
    let mut sessions: Vec<_> = sessions.into_iter().map(session).collect();
    sessions.sort();
    sessions
}

async fn told_sorted(app: &TestApp, user: &str) -> Vec<String> {
    let mut told = told(app, user).await;
    told.sort();
    told
}

each_engine! {
    async fn signing_out_is_told_once(app: TestApp) {
        let ada = app.shopper("ada").await;
        let (phone, tablet) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
        for _ in 0..2 {
            app.anon().post("/api/auth/logout", refresh_token(&phone.session)).await.expect(204);
        }
        assert_eq!(app.events("auth.session_ended").await, [json!({"userId": ada.user_id(), "sessionId": session(&phone)})]);
        ada.delete(&format!("/api/auth/sessions/{}", session(&tablet))).await.expect(204);
        ada.delete(&format!("/api/auth/sessions/{}", session(&tablet))).await.refused(404, "SESSION_NOT_FOUND");
        assert_eq!(told(app, ada.user_id()).await, [session(&phone), session(&tablet)]);
    }

    async fn every_session_that_ends_with_others_is_told(app: TestApp) {
        let (ada, bob) = (app.shopper("ada").await, app.shopper("bob").await);
        let (phone, tablet) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
        ada.post("/api/auth/logout-all", json!({})).await.expect(204);
        assert_eq!(told_sorted(app, ada.user_id()).await, sorted([&ada, &phone, &tablet]));
        assert_eq!(told(app, bob.user_id()).await, Vec::<String>::new());
    }

    async fn a_changed_password_tells_of_the_other_sessions(app: TestApp) {
        let ada = app.shopper("ada").await;
        let (phone, tablet) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
        let body = json!({"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD});
        ada.post("/api/auth/change-password", body).await.expect(204);
        assert_eq!(told_sorted(app, ada.user_id()).await, sorted([&phone, &tablet]));
    }

    async fn a_reset_password_tells_of_all_sessions(app: TestApp) {
        let ada = app.shopper("ada").await;
        let phone = app.sign_in("ada@example.com").await;
        app.anon().post("/api/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
        let token = mailed_token(app, "ada@example.com", "/reset-password").await;
        let body = json!({"token": token, "newPassword": OTHER_PASSWORD});
        app.anon().post("/api/auth/reset-password", body).await.expect(204);
        assert_eq!(told_sorted(app, ada.user_id()).await, sorted([&ada, &phone]));
    }

    async fn a_token_that_comes_back_tells_of_its_session(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.sign_in("ada@example.com").await;
        app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.expect(200);
        app.clock.advance(Duration::from_secs(11));
        app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.refused(401, "REFRESH_TOKEN_REUSED");
        assert_eq!(told(app, ada.user_id()).await, [session(&ada)]);
    }

    async fn another_role_and_a_deletion_tell_of_all_sessions(app: TestApp) {
        let (admin, ada, bob) = (app.admin().await, app.shopper("ada").await, app.shopper("bob").await);
        let phone = app.sign_in("bob@example.com").await;
        admin.put(&format!("/api/users/{}/role", ada.user_id()), json!({"role": "admin"})).await.expect(200);
        assert_eq!(told(app, ada.user_id()).await, [session(&ada)]);
        admin.delete(&format!("/api/users/{}", bob.user_id())).await.expect(204);
        assert_eq!(told_sorted(app, bob.user_id()).await, sorted([&bob, &phone]));
        assert_eq!(told(app, admin.user_id()).await, Vec::<String>::new());
    }

    async fn a_session_that_runs_out_is_not_told(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.advance(Duration::from_hours(8 * 24)).await;
        assert_eq!(told(app, ada.user_id()).await, Vec::<String>::new());
        assert_eq!(staying(app, &ada).await.unwrap_err().code, "SESSION_ENDED");
    }

    async fn whoever_stays_is_known_by_the_session(app: TestApp) {
        let (admin, ada) = (app.admin().await, app.shopper("ada").await);
        let person = staying(app, &ada).await.unwrap();
        assert_eq!((person.user.to_string(), person.session.to_string()), (ada.user_id().to_owned(), session(&ada)));
        assert_eq!((person.role.as_ref(), person.permissions.allow("user", "read")), ("user", false));
        let permissions = json!([{"resource": "user", "action": "read"}]);
        admin.put("/api/admin/roles/user", json!({"permissions": permissions})).await.expect(200);
        assert!(staying(app, &ada).await.unwrap().permissions.allow("user", "read"));
        // The token has run out, the session has not.
        app.clock.advance(Duration::from_mins(20));
        ada.get("/api/auth/me").await.refused(401, "TOKEN_EXPIRED");
        staying(app, &ada).await.unwrap();
        ada.post("/api/auth/logout", refresh_token(&ada.session)).await.expect(204);
        assert_eq!(staying(app, &ada).await.unwrap_err().code, "SESSION_ENDED");
        let nobodys = app.domains().accounts.of_session(SessionId::new(app.clock.clock().now(), &Random::system()));
        assert_eq!(nobodys.await.unwrap_err().code, "SESSION_ENDED");
    }

    async fn a_session_is_over_when_it_is_not_used_for_a_week(app: TestApp) {
        const WEEK: u64 = 7 * 24 * 60 * 60;
        let ada = app.shopper("ada").await;
        app.clock.advance(Duration::from_secs(WEEK - 2));
        staying(app, &ada).await.unwrap();
        let pair = app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.expect(200);
        let ada = app.anon().signed_in(pair.body);
        app.clock.advance(Duration::from_secs(WEEK - 1));
        staying(app, &ada).await.unwrap();
        app.clock.advance(Duration::from_secs(1));
        assert_eq!(staying(app, &ada).await.unwrap_err().code, "SESSION_ENDED");
    }

    async fn what_somebody_wants_to_be_seen_as_is_told_when_it_changes(app: TestApp) {
        let ada = app.shopper("ada").await;
        for status in ["online", "away", "away", "busy"] {
            let seen = ada.post("/api/users/status", json!({"status": status})).await.expect(200);
            assert_eq!((&seen.body["status"], &seen.body["email"]), (&json!(status), &json!("ada@example.com")));
        }
        let changed = |status: &str| json!({"userId": ada.user_id(), "status": status});
        assert_eq!(app.events("user.status_changed").await, [changed("away"), changed("busy")]);

        let (accounts, user) = (&app.domains().accounts, ada.user_id().parse().unwrap());
        let occasion = || Occasion::system(&app.clock.clock(), &Random::system(), "test");
        accounts.set_status(occasion(), user, PresenceStatus::Offline).await.unwrap();
        assert_eq!(app.events("user.status_changed").await.last(), Some(&changed("offline")));
        assert_eq!(ada.get("/api/auth/me").await.expect(200).body["status"], "offline");
        let nobody = occasion().id();
        let refused = accounts.set_status(occasion(), nobody, PresenceStatus::Away).await.unwrap_err();
        assert_eq!(Refusal::from(refused).code, "USER_NOT_FOUND");
    }
}

two_nodes! {
    async fn whoever_stays_on_another_node_is_gone_within_a_second(app: TestApp, other: AnotherNode) {
        let ada = app.shopper("ada").await;
        staying(app, &ada).await.unwrap();
        let there = other.seen_by(&ada);
        there.post("/api/auth/logout", refresh_token(&there.session)).await.expect(204);
        app.clock.advance(Duration::from_secs(1));
        assert_eq!(staying(app, &ada).await.unwrap_err().code, "SESSION_ENDED");
        assert_eq!(told(app, ada.user_id()).await, [session(&ada)]);
    }
}
