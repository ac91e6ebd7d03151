use stoa_testing::{Answer, Client, at_once, each_engine, json};

use crate::refresh_token;

async fn give(giver: &Client, user: &str, role: &str) -> Answer {
    giver.put(&format!("/api/users/{user}/role"), json!({"role": role})).await
}

each_engine! {
    async fn another_role_ends_the_sessions_and_holds_from_the_next(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        ada.get("/api/auth/me").await.expect(200);
        let changed = give(&admin, ada.user_id(), "admin").await.expect(200);
        assert_eq!(changed.body["role"], "admin");
        ada.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.refused(401, "INVALID_REFRESH_TOKEN");
        app.sign_in("ada@example.com").await.get("/api/users").await.expect(200);
    }

    async fn is_refused_to_who_may_not_and_for_what_is_not(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        give(&ada, ada.user_id(), "admin").await.refused(403, "FORBIDDEN");
        give(&app.anon(), ada.user_id(), "admin").await.refused(401, "AUTHENTICATION_REQUIRED");
        assert_eq!(give(&admin, ada.user_id(), "emperor").await.expect(422).fields(), ["role"]);
        give(&admin, "01890a5d-ac96-774b-bcce-b302099a8057", "user").await.refused(404, "USER_NOT_FOUND");
        give(&admin, "nonsense", "user").await.refused(400, "INVALID_ID");
        ada.get("/api/auth/me").await.expect(200);
    }

    async fn nobody_gives_more_than_they_have(app: TestApp) {
        let admin = app.admin().await;
        let staff = json!([
            {"resource": "user", "action": "read"}, {"resource": "user", "action": "update"},
            {"resource": "order", "action": "read"},
        ]);
        admin.post("/api/admin/roles", json!({"name": "staff", "permissions": staff})).await.expect(201);
        let less = json!([{"resource": "order", "action": "read"}]);
        admin.post("/api/admin/roles", json!({"name": "trainee", "permissions": less})).await.expect(201);
        let sam = app.shopper("sam").await;
        give(&admin, sam.user_id(), "staff").await.expect(200);
        let sam = app.sign_in("sam@example.com").await;
        let tim = app.shopper("tim").await;
        give(&admin, tim.user_id(), "trainee").await.expect(200);
        give(&sam, tim.user_id(), "admin").await.refused(403, "FORBIDDEN");
        give(&sam, sam.user_id(), "admin").await.refused(403, "FORBIDDEN");
        give(&sam, admin.user_id(), "trainee").await.refused(403, "FORBIDDEN");
        give(&sam, tim.user_id(), "staff").await.expect(200);
    }

    async fn the_last_admin_stays_one(app: TestApp) {
        let admin = app.admin().await;
        give(&admin, admin.user_id(), "user").await.refused(409, "LAST_ADMIN");
        admin.get("/api/users").await.expect(200);
        let ada = app.shopper("ada").await;
        give(&admin, ada.user_id(), "admin").await.expect(200);
        let ada = app.sign_in("ada@example.com").await;
        let answers = at_once([(admin.clone(), ada.user_id().to_owned()), (ada.clone(), admin.user_id().to_owned())]
            .map(|(giver, user)| async move { give(&giver, &user, "user").await })).await;
        let admins = app.read(|c| {
            c.find("SELECT COUNT(*) FROM users WHERE role = 'admin'", &[], |row| row.read::<i64>())
        }).await;
        assert_eq!(admins, Some(1), "{answers:?}");
    }
}
