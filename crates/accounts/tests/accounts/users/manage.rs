use std::time::Duration;

use stoa_testing::{Client, PASSWORD, TestApp, Value, at_once, each_engine, json};

use crate::{OTHER_PASSWORD, refresh_token, subjects};

const NOBODY: &str = "/api/users/01890a5d-ac96-774b-bcce-b302099a8057";

/// Somebody with a role of these permissions on users.
async fn clerk(app: &TestApp, admin: &Client, actions: &[&str]) -> Client {
    let mut permissions: Vec<Value> =
        actions.iter().map(|action| json!({"resource": "user", "action": action})).collect();
    permissions.push(json!({"resource": "profile", "action": "read"}));
    let role = json!({"name": "clerk", "permissions": permissions});
    admin.post("/api/admin/roles", role).await.expect(201);
    let body = json!({"email": "clerk@shop.example", "password": PASSWORD, "role": "clerk"});
    admin.post("/api/users", body).await.expect(201);
    app.sign_in("clerk@shop.example").await
}

fn path(user: &Client) -> String {
    format!("/api/users/{}", user.user_id())
}

each_engine! {
    async fn one_is_made_and_signs_in(app: TestApp) {
        let admin = app.admin().await;
        let body = json!({
            "email": "Ada@Example.com", "password": PASSWORD, "username": "Ada_L", "name": "Ada Lovelace",
            "role": "admin", "emailVerified": true,
        });
        let made = admin.post("/api/users", body).await.expect(201);
        assert_eq!(made.header("location"), Some(format!("/api/users/{}", made.id()).as_str()));
        assert_eq!((&made.body["email"], &made.body["username"]), (&json!("Ada@Example.com"), &json!("Ada_L")));
        assert_eq!((&made.body["role"], &made.body["emailVerified"]), (&json!("admin"), &json!(true)));
        assert_eq!((&made.body["syncStatus"], &made.body["status"]), (&json!("PENDING"), &json!("offline")));
        assert!(!made.text.contains("argon2"));
        let ada = app.sign_in("ada@example.com").await;
        assert_eq!(ada.get("/api/users?limit=1").await.expect(200).entries().len(), 1);
        assert!(subjects(app, "ada@example.com").await.is_empty(), "there is nothing to prove");
        let by_admin = format!("/api/admin/audit?type=user.created&actor=user:{}", admin.user_id());
        let noted = admin.get(&by_admin).await.expect(200);
        assert_eq!(noted.entries().len(), 1);
        assert_eq!(noted.entries()[0]["subject"], format!("user:{}", made.id()));
        assert_eq!(app.events("user.created").await.len(), 2);
        assert!(app.events("auth.user_registered").await.is_empty());
    }

    async fn what_is_left_out_is_made_up_and_the_address_is_to_be_proved(app: TestApp) {
        let admin = app.admin().await;
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let made = admin.post("/api/users", body).await.expect(201).body;
        assert_eq!((&made["username"], &made["name"], &made["role"]), (&json!("ada"), &json!("ada"), &json!("user")));
        assert_eq!(made["emailVerified"], false);
        assert_eq!(subjects(app, "ada@example.com").await, ["Please confirm your e-mail address"]);
    }

    async fn a_key_makes_one_user_of_two_requests(app: TestApp) {
        let admin = app.admin().await.with_header("idempotency-key", "k1");
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let made = admin.post("/api/users", body.clone()).await.expect(201);
        let again = admin.post("/api/users", body).await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), again.id()), (Some("true"), made.id()));
        let other = json!({"email": "bob@example.com", "password": PASSWORD});
        admin.post("/api/users", other).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    }

    async fn what_cannot_be_made_is_refused(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        let make = |body: Value| {
            let admin = admin.clone();
            async move { admin.post("/api/users", body).await }
        };
        let with = |more: Value| {
            let mut body = json!({"email": "bob@example.com", "password": PASSWORD});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        make(with(json!({"email": "ADA@example.com"}))).await.refused(409, "EMAIL_TAKEN");
        make(with(json!({"username": "ADA"}))).await.refused(409, "USERNAME_TAKEN");
        for (more, field) in [
            (json!({"email": "bob"}), "email"),
            (json!({"password": "weak"}), "password"),
            (json!({"username": "?"}), "username"),
            (json!({"username": "x".repeat(65)}), "username"),
            (json!({"name": "a\nb"}), "name"),
            (json!({"name": "x".repeat(101)}), "name"),
            (json!({"role": "emperor"}), "role"),
            (json!({"id": "x"}), "id"),
            (json!({"syncStatus": "SYNCED"}), "syncStatus"),
            (json!({"emailVerified": "yes"}), "emailVerified"),
        ] {
            assert_eq!(make(with(more)).await.expect(422).fields(), [field]);
        }
        let body = with(json!({}));
        ada.post("/api/users", body.clone()).await.refused(403, "FORBIDDEN");
        app.anon().post("/api/users", body).await.refused(401, "AUTHENTICATION_REQUIRED");
        assert_eq!(admin.get("/api/users?page=1").await.expect(200).body["total"], 2);
    }

    async fn any_part_is_changed_by_put_and_patch(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        app.clock.advance(Duration::from_secs(5));
        let changed = admin.patch(&path(&ada), json!({"name": " Ada Lovelace "})).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["username"]), (&json!("Ada Lovelace"), &json!("ada")));
        assert_eq!((&changed["updatedAt"], &changed["status"]), (&json!("2026-01-15T12:00:05.000Z"), &json!("online")));
        let body = json!({"username": "Countess", "emailVerified": true});
        let changed = admin.put(&path(&ada), body).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["username"]), (&json!("Ada Lovelace"), &json!("Countess")));
        assert_eq!(changed["emailVerified"], true);
        let changed = admin.patch(&path(&ada), json!({"email": "Countess@example.com"})).await.expect(200).body;
        assert_eq!((&changed["email"], &changed["emailVerified"]), (&json!("Countess@example.com"), &json!(false)));
        assert_eq!(admin.get(&path(&ada)).await.expect(200).body, changed);
        // She stays signed in, and signs in by the new address from now on.
        ada.get("/api/auth/me").await.expect(200);
        app.sign_in("countess@example.com").await;
        let old = json!({"email": "ada@example.com", "password": PASSWORD});
        app.anon().post("/api/auth/login", old).await.refused(401, "INVALID_CREDENTIALS");
        assert_eq!(subjects(app, "countess@example.com").await, ["Please confirm your e-mail address"]);
        assert_eq!(app.events("user.updated").await.len(), 3);
        let noted = admin.get("/api/admin/audit?type=user.updated").await.expect(200);
        let told: Vec<_> = noted.entries().iter().map(|entry| entry["details"]["changed"].clone()).collect();
        for changed in [json!(["name"]), json!(["username", "emailVerified"]), json!(["email"])] {
            assert!(told.contains(&changed), "{told:?}");
        }
    }

    async fn what_cannot_be_changed_is_refused(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        app.shopper("bob").await;
        admin.patch(&path(&ada), json!({"email": "BOB@example.com"})).await.refused(409, "EMAIL_TAKEN");
        admin.patch(&path(&ada), json!({"username": "BOB"})).await.refused(409, "USERNAME_TAKEN");
        for (body, field) in [
            (json!({"role": "admin"}), "role"),
            (json!({"password": PASSWORD}), "password"),
            (json!({"syncStatus": "SYNCED"}), "syncStatus"),
            (json!({"status": "online"}), "status"),
            (json!({"email": "ada"}), "email"),
            (json!({"name": ""}), "name"),
            (json!({"username": "a b"}), "username"),
        ] {
            assert_eq!(admin.patch(&path(&ada), body.clone()).await.expect(422).fields(), [field]);
            assert_eq!(admin.put(&path(&ada), body).await.expect(422).fields(), [field]);
        }
        admin.patch(NOBODY, json!({"name": "Nobody"})).await.refused(404, "USER_NOT_FOUND");
        admin.put("/api/users/nonsense", json!({})).await.refused(400, "INVALID_ID");
        for (somebody, status) in [(app.anon(), 401), (ada.clone(), 403)] {
            somebody.patch(&path(&ada), json!({"name": "Eve"})).await.expect(status);
            somebody.put(&path(&ada), json!({"name": "Eve"})).await.expect(status);
        }
        let read = admin.get(&path(&ada)).await.expect(200).body;
        assert_eq!((&read["name"], &read["email"]), (&json!("ada"), &json!("ada@example.com")));
    }

    async fn one_is_deleted_with_sessions_and_links(app: TestApp) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        ada.get("/api/auth/me").await.expect(200);
        admin.delete(&path(&ada)).await.expect(204);
        ada.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.refused(401, "INVALID_REFRESH_TOKEN");
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        app.anon().post("/api/auth/login", body).await.refused(401, "INVALID_CREDENTIALS");
        admin.get(&path(&ada)).await.refused(404, "USER_NOT_FOUND");
        admin.delete(&path(&ada)).await.refused(404, "USER_NOT_FOUND");
        assert_eq!(admin.get("/api/users/search?q=ada").await.expect(200).entries().len(), 0);
        assert_eq!(app.events("user.deleted").await, [json!({"userId": ada.user_id()})]);
        let noted = admin.get("/api/admin/audit?type=user.deleted").await.expect(200);
        assert_eq!(noted.entries()[0]["subject"], path(&ada).replace("/api/users/", "user:"));
        // The name is free again.
        app.shopper("ada").await;
    }

    async fn what_somebody_ordered_stays(app: TestApp) {
        let tea = app.product("9.90", 5).await;
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        ada.post("/api/cart/items", json!({"productId": tea, "quantity": 2})).await.expect(200);
        let address = json!({
            "fullName": "Ada", "street": "1 Lake Road", "city": "Lakeside", "state": "LS", "zipCode": "12345",
            "country": "US", "phone": "+1 555 0100",
        });
        let order = json!({"shippingAddress": address, "paymentMethod": "pm_card_visa"});
        let order = ada.post("/api/orders", order).await.expect(201);
        admin.delete(&path(&ada)).await.expect(204);
        let kept = admin.get(&format!("/api/orders/{}", order.id())).await.expect(200);
        assert_eq!(kept.body["userId"], ada.user_id());
    }

    async fn who_may_not_delete_is_refused(app: TestApp) {
        let ada = app.shopper("ada").await;
        let admin = app.admin().await;
        app.anon().delete(&path(&ada)).await.refused(401, "AUTHENTICATION_REQUIRED");
        ada.delete(&path(&ada)).await.refused(403, "FORBIDDEN");
        admin.delete("/api/users/nonsense").await.refused(400, "INVALID_ID");
        admin.delete(NOBODY).await.refused(404, "USER_NOT_FOUND");
        ada.get("/api/auth/me").await.expect(200);
    }

    async fn the_last_admin_cannot_be_deleted(app: TestApp) {
        let admin = app.admin().await;
        admin.delete(&path(&admin)).await.refused(409, "LAST_ADMIN");
        admin.get("/api/users").await.expect(200);
        let body = json!({"email": "second@example.com", "password": PASSWORD, "role": "admin"});
        admin.post("/api/users", body).await.expect(201);
        admin.delete(&path(&admin)).await.expect(204);
        admin.get("/api/users").await.refused(401, "SESSION_ENDED");
        app.sign_in("second@example.com").await.get("/api/users").await.expect(200);
    }

    async fn race_of_admins_against_each_other_leaves_one(app: TestApp) {
        let first = app.admin().await;
        let mut admins = vec![first.clone()];
        for n in 0..5 {
            let email = format!("admin{n}@example.com");
            let body = json!({"email": email, "password": PASSWORD, "role": "admin"});
            first.post("/api/users", body).await.expect(201);
            admins.push(app.sign_in(&email).await);
        }
        // Each deletes or demotes the next, in a ring: whoever goes on to the end would leave nobody.
        let ring = admins.iter().zip(admins.iter().cycle().skip(1)).enumerate();
        let moves: Vec<_> = ring.map(|(n, (actor, victim))| (n, actor.clone(), path(victim))).collect();
        let answers = at_once(moves.into_iter().map(|(n, actor, victim)| async move {
            if n % 2 == 0 {
                actor.delete(&victim).await
            } else {
                actor.put(&format!("{victim}/role"), json!({"role": "user"})).await
            }
        })).await;
        let left = app.read(|c| {
            c.find("SELECT COUNT(*) FROM users WHERE role = 'admin'", &[], |row| row.read::<i64>())
        }).await;
        let told: Vec<_> = answers.iter().map(|answer| (answer.status, answer.code())).collect();
        assert!(left >= Some(1), "{told:?}");
        // Whoever was not let was told why: the last admin, or signed out before they came to it.
        for answer in &answers {
            let refused = matches!(answer.code(), Some("LAST_ADMIN" | "SESSION_ENDED" | "FORBIDDEN"));
            assert!(matches!(answer.status, 200 | 204) || refused, "{told:?}");
        }
    }

    async fn nobody_manages_who_may_more_than_they(app: TestApp) {
        let admin = app.admin().await;
        let clerk = clerk(app, &admin, &["read", "create", "update", "delete"]).await;
        let ada = app.shopper("ada").await;
        // An address is the way to a new password, so taking an admin's would be taking the admin.
        clerk.patch(&path(&admin), json!({"email": "clerks-own@example.com"})).await.refused(403, "FORBIDDEN");
        clerk.delete(&path(&admin)).await.refused(403, "FORBIDDEN");
        let body = json!({"email": "new@example.com", "password": OTHER_PASSWORD, "role": "admin"});
        clerk.post("/api/users", body).await.refused(403, "FORBIDDEN");
        // A shopper may order, which the clerk may not.
        clerk.delete(&path(&ada)).await.refused(403, "FORBIDDEN");
        let body = json!({"email": "second@example.com", "password": OTHER_PASSWORD, "role": "clerk"});
        let second = clerk.post("/api/users", body).await.expect(201);
        let second = format!("/api/users/{}", second.id());
        clerk.patch(&second, json!({"name": "Second"})).await.expect(200);
        clerk.delete(&second).await.expect(204);
    }

    async fn each_permission_is_its_own(app: TestApp) {
        let admin = app.admin().await;
        let clerk = clerk(app, &admin, &["read"]).await;
        clerk.get("/api/users").await.expect(200);
        let body = json!({"email": "new@example.com", "password": PASSWORD, "role": "clerk"});
        clerk.post("/api/users", body).await.refused(403, "FORBIDDEN");
        clerk.patch(&path(&clerk), json!({"name": "Clerk"})).await.refused(403, "FORBIDDEN");
        clerk.delete(&path(&clerk)).await.refused(403, "FORBIDDEN");
    }
}
