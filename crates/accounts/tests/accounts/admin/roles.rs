use std::time::Duration;

use stoa_testing::{each_engine, json};

each_engine! {
    async fn are_made_read_changed_and_deleted(app: TestApp) {
        let admin = app.admin().await;
        let clerk = json!({"name": "clerk", "permissions": [{"resource": "order", "action": "*"}]});
        let made = admin.post("/api/admin/roles", clerk).await.expect(201);
        assert_eq!(made.header("location"), Some("/api/admin/roles/clerk"));
        let whole = json!({"name": "clerk", "builtIn": false, "permissions": [{"resource": "order", "action": "*"}]});
        assert_eq!(made.body, whole);
        assert_eq!(admin.get("/api/admin/roles/clerk").await.expect(200).body, whole);
        let listed = admin.get("/api/admin/roles").await.expect(200);
        let names: Vec<_> = listed.entries().iter().map(|role| role["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["admin", "clerk", "user"]);
        let first = admin.get("/api/admin/roles?limit=2&total=true").await.expect(200);
        assert_eq!((first.entries().len(), &first.body["total"]), (2, &json!(3)));
        let cursor = first.body["nextCursor"].as_str().unwrap();
        let rest = admin.get(&format!("/api/admin/roles?limit=2&cursor={cursor}")).await.expect(200);
        assert_eq!((rest.entries().len(), &rest.body["nextCursor"]), (1, &json!(null)));
        let less = json!({"permissions": [{"resource": "order", "action": "read"}]});
        let changed = admin.put("/api/admin/roles/clerk", less).await.expect(200);
        assert_eq!(changed.body["permissions"], json!([{"resource": "order", "action": "read"}]));
        admin.delete("/api/admin/roles/clerk").await.expect(204);
        admin.get("/api/admin/roles/clerk").await.refused(404, "ROLE_NOT_FOUND");
    }

    async fn a_change_holds_at_once_without_signing_in_again(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        ada.get("/api/users").await.refused(403, "FORBIDDEN");
        let mut role = admin.get("/api/admin/roles/user").await.expect(200).body;
        role["permissions"].as_array_mut().unwrap().push(json!({"resource": "user", "action": "read"}));
        admin.put("/api/admin/roles/user", json!({"permissions": role["permissions"]})).await.expect(200);
        ada.get("/api/users").await.expect(200);
        admin.put("/api/admin/roles/user", json!({"permissions": []})).await.expect(200);
        ada.get("/api/users/profile").await.refused(403, "FORBIDDEN");
        ada.get("/api/auth/me").await.expect(200);
    }

    async fn a_change_on_another_node_holds_within_a_second(app: TestApp) {
        let ada = app.shopper("ada").await;
        ada.get("/api/users/profile").await.expect(200);
        app.platform().database.write(|tx| {
            tx.execute("DELETE FROM role_permissions WHERE resource = 'profile'", &[])
        }).await.unwrap();
        app.clock.advance(Duration::from_secs(1));
        ada.get("/api/users/profile").await.refused(403, "FORBIDDEN");
    }

    async fn what_would_break_the_house_is_refused(app: TestApp) {
        let admin = app.admin().await;
        admin.delete("/api/admin/roles/user").await.refused(409, "BUILT_IN_ROLE");
        admin.delete("/api/admin/roles/admin").await.refused(409, "BUILT_IN_ROLE");
        admin.put("/api/admin/roles/admin", json!({"permissions": []})).await.refused(409, "ADMIN_KEEPS_ROLES");
        let clerk = json!({"name": "clerk", "permissions": []});
        admin.post("/api/admin/roles", clerk.clone()).await.expect(201);
        admin.post("/api/admin/roles", clerk).await.refused(409, "ROLE_TAKEN");
        let ada = app.shopper("ada").await;
        admin.put(&format!("/api/users/{}/role", ada.user_id()), json!({"role": "clerk"})).await.expect(200);
        admin.delete("/api/admin/roles/clerk").await.refused(409, "ROLE_IN_USE");
        admin.delete("/api/admin/roles/nothing").await.refused(404, "ROLE_NOT_FOUND");
        admin.put("/api/admin/roles/nothing", json!({"permissions": []})).await.refused(404, "ROLE_NOT_FOUND");
    }

    async fn names_and_permissions_are_checked(app: TestApp) {
        let admin = app.admin().await;
        let body = json!({"name": "Shift Lead", "permissions": [{"resource": "*", "action": "*"}]});
        let refused = admin.post("/api/admin/roles", body).await.expect(422);
        assert_eq!(refused.fields(), ["name", "permissions.0.resource"]);
        let refused = admin.post("/api/admin/roles", json!({"name": "x", "permissions": [{"resource": "a"}]})).await;
        assert_eq!(refused.expect(422).fields(), ["permissions[0].action"]);
    }

    async fn a_key_makes_one_role_of_two_requests(app: TestApp) {
        let admin = app.admin().await.with_header("idempotency-key", "k1");
        let clerk = json!({"name": "clerk", "permissions": []});
        admin.post("/api/admin/roles", clerk.clone()).await.expect(201);
        let again = admin.post("/api/admin/roles", clerk).await.expect(201);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }

    async fn are_for_those_who_may(app: TestApp) {
        let ada = app.shopper("ada").await;
        for (somebody, status) in [(app.anon(), 401), (ada, 403)] {
            somebody.get("/api/admin/roles").await.expect(status);
            somebody.get("/api/admin/roles/user").await.expect(status);
            somebody.post("/api/admin/roles", json!({"name": "x", "permissions": []})).await.expect(status);
            somebody.put("/api/admin/roles/user", json!({"permissions": []})).await.expect(status);
            somebody.delete("/api/admin/roles/user").await.expect(status);
        }
    }
}
