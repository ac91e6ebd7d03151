use stoa_testing::{at_once, each_engine, json};

each_engine! {
    async fn ones_own_is_read_in_two_shapes(app: TestApp) {
        let ada = app.shopper("ada").await;
        let profile = ada.get("/api/users/profile").await.expect(200).body;
        assert_eq!((&profile["id"], &profile["email"]), (&json!(ada.user_id()), &json!("ada@example.com")));
        assert_eq!(ada.get("/api/profile").await.expect(200).body, json!({"user": profile}));
        app.anon().get("/api/users/profile").await.refused(401, "AUTHENTICATION_REQUIRED");
        app.anon().get("/api/profile").await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn any_part_of_it_is_changed(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.clock.advance(std::time::Duration::from_secs(5));
        let changed = ada.patch("/api/users/profile", json!({"name": " Ada Lovelace "})).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["username"]), (&json!("Ada Lovelace"), &json!("ada")));
        assert_eq!(changed["updatedAt"], "2026-01-15T12:00:05.000Z");
        let changed = ada.put("/api/users/profile", json!({"username": "Lovelace"})).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["username"]), (&json!("Ada Lovelace"), &json!("Lovelace")));
        assert_eq!(ada.get("/api/users/profile").await.expect(200).body, changed);
        // Only the case of one's own name is no conflict with oneself.
        ada.patch("/api/users/profile", json!({"username": "lovelace"})).await.expect(200);
        assert_eq!(app.events("user.updated").await.len(), 3);
    }

    async fn what_is_not_theirs_to_change_is_refused(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.shopper("bob").await;
        ada.patch("/api/users/profile", json!({"username": "BOB"})).await.refused(409, "USERNAME_TAKEN");
        for (body, field) in [
            (json!({"role": "admin"}), "role"),
            (json!({"email": "eve@example.com"}), "email"),
            (json!({"avatarUrl": "http://x"}), "avatarUrl"),
            (json!({"name": ""}), "name"),
            (json!({"name": "x".repeat(101)}), "name"),
            (json!({"username": "a b"}), "username"),
            (json!({"name": 5}), "name"),
        ] {
            let refused = ada.patch("/api/users/profile", body).await.expect(422);
            assert_eq!(refused.fields(), [field]);
        }
        app.anon().patch("/api/users/profile", json!({"name": "Eve"})).await.refused(401, "AUTHENTICATION_REQUIRED");
        let profile = ada.get("/api/users/profile").await.expect(200).body;
        assert_eq!((&profile["role"], &profile["name"]), (&json!("user"), &json!("ada")));
    }

    async fn race_for_a_username_has_one_winner(app: TestApp) {
        let mut racers = Vec::new();
        for name in ["ada", "bob", "cid", "dan"] {
            racers.push(app.shopper(name).await);
        }
        let answers = at_once(racers.into_iter().map(|racer| async move {
            racer.patch("/api/users/profile", json!({"username": "first"})).await
        })).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        let lost = answers.iter().filter(|answer| answer.code() == Some("USERNAME_TAKEN")).count();
        assert_eq!((won, lost), (1, 3));
    }
}
