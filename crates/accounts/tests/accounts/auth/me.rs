use std::time::Duration;

use jsonwebtoken::Algorithm;
use stoa_testing::{Value, each_engine, json};

use crate::{SECRET, claims, signed, text};

each_engine! {
    async fn a_token_says_who_asks(app: TestApp) {
        let ada = app.shopper("ada").await;
        assert_eq!(ada.get("/api/auth/me").await.expect(200).body["id"], ada.user_id());
        let said = claims(&text(&ada.session, "accessToken"));
        assert_eq!((&said["sub"], &said["email"]), (&json!(ada.user_id()), &json!("ada@example.com")));
        assert_eq!((&said["role"], &said["aud"]), (&json!("user"), &json!("stoa")));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 900);
        app.anon().get("/api/auth/me").await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn a_token_is_good_for_a_quarter(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.clock.advance(Duration::from_secs(899));
        ada.get("/api/auth/me").await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        ada.get("/api/auth/me").await.refused(401, "TOKEN_EXPIRED");
    }

    async fn forged_tokens_are_refused(app: TestApp) {
        let ada = app.shopper("ada").await;
        let bob = app.shopper("bob").await;
        let genuine = text(&ada.session, "accessToken");
        let said = claims(&genuine);
        let me = |token: String| {
            let somebody = app.anon().bearing(&token);
            async move { somebody.get("/api/auth/me").await }
        };
        let with = |field: &str, value: Value| {
            let mut changed = said.clone();
            changed[field] = value;
            changed
        };
        me(signed(&said, Algorithm::HS256, SECRET)).await.expect(200);
        for claims in [
            with("iss", json!("https://elsewhere.example")),
            with("aud", json!("elsewhere")),
            with("sub", json!(bob.user_id())),
            with("sub", json!("nobody")),
            with("exp", json!("soon")),
        ] {
            me(signed(&claims, Algorithm::HS256, SECRET)).await.refused(401, "INVALID_TOKEN");
        }
        me(signed(&said, Algorithm::HS256, "another secret, good for nothing")).await.refused(401, "INVALID_TOKEN");
        me(signed(&said, Algorithm::HS512, SECRET)).await.refused(401, "INVALID_TOKEN");
        let parts: Vec<_> = genuine.split('.').collect();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        for forged in [format!("{none}.{}.", parts[1]), format!("{none}.{}.{}", parts[1], parts[2]), "nonsense".into()] {
            me(forged).await.refused(401, "INVALID_TOKEN");
        }
        let unknown = with("sid", json!("01890a5d-ac96-774b-bcce-b302099a8057"));
        me(signed(&unknown, Algorithm::HS256, SECRET)).await.refused(401, "SESSION_ENDED");
        let basic = app.anon().with_header("authorization", "Basic YWRhOmFkYQ==");
        basic.get("/api/auth/me").await.refused(401, "INVALID_TOKEN");
    }

    async fn the_role_in_the_token_means_nothing(app: TestApp) {
        let ada = app.shopper("ada").await;
        let mut said = claims(&text(&ada.session, "accessToken"));
        said["role"] = json!("admin");
        let boasting = app.anon().bearing(&signed(&said, Algorithm::HS256, SECRET));
        assert_eq!(boasting.get("/api/auth/me").await.expect(200).body["role"], "user");
        boasting.get("/api/users").await.refused(403, "FORBIDDEN");
    }

    async fn machines_have_keys_and_no_profile(app: TestApp, |settings| {
        settings.accounts.machine_keys = vec!["till-key-one".into(), "till-key-two".into()];
    }) {
        for key in ["till-key-one", "till-key-two"] {
            let till = app.anon().with_header("x-api-key", key);
            till.get("/api/auth/me").await.refused(403, "FORBIDDEN");
            till.get("/api/users").await.refused(403, "FORBIDDEN");
        }
        let wrong = app.anon().with_header("x-api-key", "till-key");
        wrong.get("/api/auth/me").await.refused(401, "INVALID_API_KEY");
    }
}
