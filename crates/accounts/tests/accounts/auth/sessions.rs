use std::time::Duration;

use stoa_testing::{each_engine, json};

use crate::refresh_token;

const NOBODYS: &str = "/api/auth/sessions/01890a5d-ac96-774b-bcce-b302099a8057";

each_engine! {
    async fn are_listed_with_device_address_and_times(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.shopper("bob").await;
        app.clock.advance(Duration::from_mins(1));
        let body = json!({"email": "ada@example.com", "password": stoa_testing::PASSWORD});
        let phone = app.anon().with_header("user-agent", "Phone/1.0");
        let phone = phone.clone().signed_in(phone.post("/api/auth/login", body).await.expect(200).body);
        app.clock.advance(Duration::from_mins(1));
        app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.expect(200);

        let listed = phone.get("/api/auth/sessions?total=true").await.expect(200);
        assert_eq!(listed.body["total"], 2, "bob's is bob's");
        let [latest, first] = listed.entries() else { panic!("{}", listed.text) };
        assert_eq!((&latest["current"], &first["current"]), (&json!(true), &json!(false)));
        assert_eq!((&latest["device"], &latest["address"]), (&json!("Phone/1.0"), &json!("127.0.0.1")));
        assert_eq!((&latest["createdAt"], &latest["lastUsedAt"]), (&json!("2026-01-15T12:01:00.000Z"), &json!("2026-01-15T12:01:00.000Z")));
        assert_eq!((&first["createdAt"], &first["lastUsedAt"]), (&json!("2026-01-15T12:00:00.000Z"), &json!("2026-01-15T12:02:00.000Z")));
        assert_eq!(first["expiresAt"], "2026-01-22T12:02:00.000Z");
        assert!(!listed.text.contains("hash") && !listed.text.contains("oken"));
        let one = ada.get("/api/auth/sessions?limit=1&sortOrder=asc").await.expect(200);
        assert_eq!((&one.entries()[0]["id"], &one.entries()[0]["current"]), (&first["id"], &json!(true)));
        let cursor = one.body["nextCursor"].as_str().unwrap();
        let rest = ada.get(&format!("/api/auth/sessions?limit=1&sortOrder=asc&cursor={cursor}")).await.expect(200);
        assert_eq!((&rest.entries()[0]["id"], &rest.body["nextCursor"]), (&latest["id"], &json!(null)));
        ada.get(&format!("/api/auth/sessions?cursor={cursor}")).await.refused(400, "INVALID_QUERY");
    }

    async fn one_of_ones_own_is_ended_at_once(app: TestApp) {
        let ada = app.shopper("ada").await;
        let phone = app.sign_in("ada@example.com").await;
        phone.get("/api/auth/me").await.expect(200);
        let listed = ada.get("/api/auth/sessions").await.expect(200);
        let other = listed.entries().iter().find(|entry| entry["current"] == false).unwrap()["id"].as_str().unwrap();
        let path = format!("/api/auth/sessions/{other}");
        ada.delete(&path).await.expect(204);
        phone.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
        let body = refresh_token(&phone.session);
        app.anon().post("/api/auth/refresh", body).await.refused(401, "INVALID_REFRESH_TOKEN");
        ada.delete(&path).await.refused(404, "SESSION_NOT_FOUND");
        assert_eq!(ada.get("/api/auth/sessions").await.expect(200).entries().len(), 1);

        let admin = app.admin().await;
        let noted = admin.get("/api/admin/audit?type=auth.session_ended").await.expect(200);
        assert_eq!(noted.entries()[0]["actor"], format!("user:{}", ada.user_id()));
        assert_eq!(noted.entries()[0]["details"], json!({"session": other}));
    }

    async fn the_current_one_may_be_ended_too(app: TestApp) {
        let ada = app.shopper("ada").await;
        let id = ada.get("/api/auth/sessions").await.expect(200).entries()[0]["id"].as_str().unwrap().to_owned();
        ada.delete(&format!("/api/auth/sessions/{id}")).await.expect(204);
        ada.get("/api/auth/me").await.refused(401, "SESSION_ENDED");
    }

    async fn anybody_elses_are_as_unknown_as_none(app: TestApp) {
        let ada = app.shopper("ada").await;
        let admin = app.admin().await;
        let id = ada.get("/api/auth/sessions").await.expect(200).entries()[0]["id"].as_str().unwrap().to_owned();
        admin.delete(&format!("/api/auth/sessions/{id}")).await.refused(404, "SESSION_NOT_FOUND");
        ada.delete(NOBODYS).await.refused(404, "SESSION_NOT_FOUND");
        ada.delete("/api/auth/sessions/nonsense").await.refused(400, "INVALID_ID");
        app.anon().get("/api/auth/sessions").await.refused(401, "AUTHENTICATION_REQUIRED");
        app.anon().delete(NOBODYS).await.refused(401, "AUTHENTICATION_REQUIRED");
        ada.get("/api/auth/sessions?sortBy=address").await.refused(400, "INVALID_QUERY");
        ada.get("/api/auth/me").await.expect(200);
    }

    async fn one_that_ran_out_is_no_longer_there(app: TestApp) {
        app.shopper("ada").await;
        app.clock.advance(Duration::from_hours(7 * 24));
        let ada = app.sign_in("ada@example.com").await;
        assert_eq!(ada.get("/api/auth/sessions?page=1").await.expect(200).body["total"], 1);
    }

    async fn machines_have_none(app: TestApp, |settings| {
        settings.accounts.machine_keys = vec!["till-key-one".into()];
    }) {
        let till = app.anon().with_header("x-api-key", "till-key-one");
        till.get("/api/auth/sessions").await.refused(403, "FORBIDDEN");
        till.delete(NOBODYS).await.refused(403, "FORBIDDEN");
    }
}
