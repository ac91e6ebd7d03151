//! Tokens signed by keys that are published and change by the clock, seen as a verifier outside sees them.

use std::{collections::BTreeSet, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, dangerous::insecure_decode, decode,
    decode_header, encode, jwk::JwkSet,
};
use stoa_accounts::JwtAlgorithm;
use stoa_testing::{Client, TestApp, Value, each_engine, json, two_nodes};

use crate::{SECRET, claims, signed, text};

const JWKS: &str = "/.well-known/jwks.json";
const HOUR: Duration = Duration::from_hours(1);

async fn published(anybody: &Client) -> JwkSet {
    serde_json::from_str(&anybody.get(JWKS).await.expect(200).text).expect("a set of keys")
}

fn names(keys: &JwkSet) -> BTreeSet<String> {
    keys.keys.iter().filter_map(|key| key.common.key_id.clone()).collect()
}

fn token_of(somebody: &Client) -> String {
    text(&somebody.session, "accessToken")
}

fn kid_of(somebody: &Client) -> String {
    decode_header(token_of(somebody)).expect("a token").kid.expect("a named key")
}

/// What a token says to somebody who knows the published keys and nothing else.
fn verified(keys: &JwkSet, token: &str) -> Option<Value> {
    let header = decode_header(token).ok()?;
    let key = DecodingKey::from_jwk(keys.find(&header.kid?)?).ok()?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["stoa"]);
    validation.set_issuer(&["http://localhost:0"]);
    // The time of tests is not that of the wall.
    validation.validate_exp = false;
    Some(decode::<Value>(token, &key, &validation).ok()?.claims)
}

async fn keys_kept(app: &TestApp) -> i64 {
    app.read(|c| c.find("SELECT COUNT(*) FROM signing_keys", &[], |row| row.read())).await.unwrap_or(0)
}

each_engine! {
    async fn nothing_is_published_while_the_secret_signs(app: TestApp) {
        let ada = app.shopper("ada").await;
        let answer = app.anon().get(JWKS).await.expect(200);
        assert_eq!(answer.text, r#"{"keys":[]}"#);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(answer.header("api-version"), None);
        assert_eq!(decode_header(token_of(&ada)).unwrap().alg, Algorithm::HS256);
        assert_eq!(keys_kept(app).await, 0);
    }

    async fn a_token_is_verified_by_what_is_published(app: TestApp, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let ada = app.shopper("ada").await;
        ada.get("/api/auth/me").await.expect(200);
        let keys = published(&app.anon()).await;
        let said = verified(&keys, &token_of(&ada)).expect("a token that its key verifies");
        assert_eq!((&said["sub"], &said["email"]), (&json!(ada.user_id()), &json!("ada@example.com")));
        assert_eq!(names(&keys), [kid_of(&ada)].into());
        // Of each key what RFC 8037 names, and nothing private.
        let listed = app.anon().get(JWKS).await.expect(200).body;
        let [key] = listed["keys"].as_array().unwrap().as_slice() else { panic!("{listed}") };
        let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
        // The one token of the flat surface is signed the same way.
        let body = json!({"email": "ada@example.com", "password": stoa_testing::PASSWORD});
        let flat = app.anon().post("/login", body).await.expect(200);
        assert!(verified(&keys, &text(&flat.body, "token")).is_some());
    }

    async fn the_first_key_is_there_before_the_first_token(app: TestApp, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let keys = published(&app.anon()).await;
        assert_eq!(keys.keys.len(), 1);
        assert_eq!(names(&keys), [kid_of(&app.shopper("ada").await)].into());
    }

    async fn forged_tokens_are_refused(app: TestApp, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let ada = app.shopper("ada").await;
        let (genuine, kid) = (token_of(&ada), kid_of(&ada));
        let said = claims(&genuine);
        let listed = app.anon().get(JWKS).await.expect(200).body;
        let x = text(&listed["keys"][0], "x");
        let parts: Vec<_> = genuine.split('.').collect();
        let (none, me) = ("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "/api/auth/me");
        let mut forged = vec![
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], parts[1], parts[2].to_lowercase()),
        ];
        // The public key as the secret of HS256, in every dress it is handed about in, with and without its name.
        let raw = DecodingKey::from_ed_components(&x).unwrap();
        let raw = raw.try_get_as_bytes().unwrap().to_vec();
        for secret in [raw, x.clone().into_bytes(), listed["keys"][0].to_string().into_bytes()] {
            for name in [None, Some(kid.clone())] {
                let header = Header { kid: name, ..Header::new(Algorithm::HS256) };
                forged.push(encode(&header, &said, &EncodingKey::from_secret(&secret)).unwrap());
            }
        }
        // Somebody else's key under our name, under its own, and under none.
        let theirs = EncodingKey::from_ed_der(THEIRS);
        for name in [Some(kid.clone()), Some("unknown".into()), Some(String::new()), None] {
            let header = Header { kid: name, ..Header::new(Algorithm::EdDSA) };
            forged.push(encode(&header, &said, &theirs).unwrap());
        }
        for token in &forged {
            app.anon().bearing(token).get(me).await.refused(401, "INVALID_TOKEN");
        }
        ada.get(me).await.expect(200);
    }

    async fn the_secret_vouches_only_for_what_it_signed_before(app: TestApp, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let ada = app.shopper("ada").await;
        let mut said = claims(&token_of(&ada));
        said["exp"] = json!(said["exp"].as_i64().unwrap() + 1_000_000);
        let by_secret = |iat: i64| {
            let mut said = said.clone();
            said["iat"] = json!(iat);
            app.anon().bearing(&signed(&said, Algorithm::HS256, SECRET))
        };
        by_secret(1).get("/api/auth/me").await.expect(200);
        // As long as the longest token lives, which is a day on the flat surface.
        app.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
        by_secret(2).get("/api/auth/me").await.expect(200);
        app.clock.advance(Duration::from_secs(1));
        by_secret(3).get("/api/auth/me").await.refused(401, "INVALID_TOKEN");
    }

    async fn a_key_is_published_before_it_signs_and_verifies_after(app: TestApp, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
        settings.accounts.jwt_key_rotation = Duration::from_hours(4);
    }) {
        let first = app.shopper("ada").await;
        app.advance(Duration::from_mins(170)).await;
        assert_eq!(published(&app.anon()).await.keys.len(), 1);
        // An hour ahead everybody may know the next one, and it signs nothing yet.
        app.advance(Duration::from_mins(10)).await;
        let keys = published(&app.anon()).await;
        assert_eq!(keys.keys.len(), 2);
        app.clock.advance(Duration::from_mins(59));
        let last = app.sign_in("ada@example.com").await;
        assert_eq!(kid_of(&last), kid_of(&first));
        app.advance(Duration::from_mins(1)).await;
        let second = app.sign_in("ada@example.com").await;
        assert_ne!(kid_of(&second), kid_of(&first));
        assert_eq!(names(&keys), [kid_of(&first), kid_of(&second)].into(), "no other was ever needed");
        for somebody in [&last, &second] {
            somebody.get("/api/auth/me").await.expect(200);
            assert!(verified(&published(&app.anon()).await, &token_of(somebody)).is_some());
        }
        // When the last token of the first has run out, nobody needs it any more.
        app.advance(Duration::from_hours(24)).await;
        assert!(names(&published(&app.anon()).await).contains(&kid_of(&first)));
        app.advance(HOUR).await;
        assert!(!names(&published(&app.anon()).await).contains(&kid_of(&first)));
        let kept = app.read(|c| c.query("SELECT kid FROM signing_keys", &[], |row| row.read::<String>())).await;
        assert!(!kept.contains(&kid_of(&first)), "{kept:?}");
        let noted = app.admin().await.get("/api/admin/audit?type=signing-key.created").await.expect(200);
        assert!(noted.entries().iter().any(|entry| entry["subject"] == format!("signing-key:{}", kid_of(&second))));
    }

    async fn the_private_part_is_kept_sealed(app: TestApp, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let ada = app.shopper("ada").await;
        let (public, sealed) = app.read(|c| {
            c.find("SELECT public_key, sealed_key FROM signing_keys", &[], |row| {
                Ok((row.read::<Vec<u8>>()?, row.read::<Vec<u8>>()?))
            })
        }).await.unwrap();
        // Nonce, seed and tag; read as a seed at any place, it makes another key than the one that is published.
        assert_eq!((public.len(), sealed.len()), (32, 12 + 32 + 16));
        for seed in sealed.windows(32) {
            let mut der = THEIRS[..16].to_vec();
            der.extend(seed);
            let forged = encode(&Header { kid: Some(kid_of(&ada)), ..Header::new(Algorithm::EdDSA) },
                &claims(&token_of(&ada)), &EncodingKey::from_ed_der(&der)).unwrap();
            app.anon().bearing(&forged).get("/api/auth/me").await.refused(401, "INVALID_TOKEN");
        }
        assert!(insecure_decode::<Value>(token_of(&ada)).is_ok());
    }
}

two_nodes! {
    async fn a_token_of_one_node_is_good_on_the_other_at_once(app: TestApp, other: AnotherNode, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let ada = app.shopper("ada").await;
        other.seen_by(&ada).get("/api/auth/me").await.expect(200);
        assert_eq!(names(&published(&other.anon()).await), [kid_of(&ada)].into());
    }

    async fn one_key_comes_of_two_nodes_that_begin_at_once(app: TestApp, other: AnotherNode, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let (here, there) = (app.anon(), other.anon());
        let (here, there) = tokio::join!(published(&here), published(&there));
        assert_eq!(names(&here), names(&there));
        assert_eq!(keys_kept(app).await, 1);
    }

    async fn keys_change_once_for_all_nodes(app: TestApp, other: AnotherNode, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
        settings.accounts.jwt_key_rotation = Duration::from_hours(4);
    }) {
        let ada = app.shopper("ada").await;
        other.seen_by(&ada).get("/api/auth/me").await.expect(200);
        app.clock.advance(3 * HOUR);
        tokio::join!(app.advance(Duration::ZERO), other.tick());
        app.settle().await;
        assert_eq!(keys_kept(app).await, 2);
        // Long before it signs.
        app.clock.advance(Duration::from_mins(1));
        assert_eq!(published(&app.anon()).await.keys.len(), 2);
        assert_eq!(names(&published(&app.anon()).await), names(&published(&other.anon()).await));
        app.clock.advance(Duration::from_mins(58));
        let (before, old) = (app.sign_in("ada@example.com").await, kid_of(&ada));
        assert_eq!(kid_of(&before), old);
        app.clock.advance(Duration::from_mins(1));
        let body = json!({"email": "ada@example.com", "password": stoa_testing::PASSWORD});
        let after = other.anon().post("/api/auth/login", body).await.expect(200);
        let after = other.anon().signed_in(after.body);
        assert_ne!(kid_of(&after), old);
        for somebody in [&before, &after] {
            app.anon().bearing(&token_of(somebody)).get("/api/auth/me").await.expect(200);
            other.seen_by(somebody).get("/api/auth/me").await.expect(200);
        }
        assert_eq!(keys_kept(app).await, 2);
    }

    async fn another_algorithm_keeps_tokens_good_until_they_run_out(app: TestApp, other: AnotherNode) {
        let by_secret = app.shopper("ada").await;
        let newer = app.another_node_with(|settings| settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa).await;
        newer.seen_by(&by_secret).get("/api/auth/me").await.expect(200);
        let body = json!({"email": "ada@example.com", "password": stoa_testing::PASSWORD});
        let by_key = newer.anon().signed_in(newer.anon().post("/api/auth/login", body).await.expect(200).body);
        assert_eq!(decode_header(token_of(&by_key)).unwrap().alg, Algorithm::EdDSA);
        // A node that still signs by secret, or does again, takes both as well and goes on publishing.
        other.seen_by(&by_key).get("/api/auth/me").await.expect(200);
        assert_eq!(names(&published(&other.anon()).await), [kid_of(&by_key)].into());
        newer.stop().await;
        app.advance(HOUR).await;
        assert_eq!(names(&published(&app.anon()).await), [kid_of(&by_key)].into());
        // Nobody signs by keys any more: they go when their tokens have.
        app.advance(Duration::from_hours(25)).await;
        assert_eq!(names(&published(&app.anon()).await), BTreeSet::new());
        assert_eq!(keys_kept(app).await, 0);
    }

    async fn another_secret_makes_another_key_and_ends_no_token(app: TestApp, other: AnotherNode, |settings| {
        settings.accounts.jwt_algorithm = JwtAlgorithm::EdDsa;
    }) {
        let ada = app.shopper("ada").await;
        let changed = app.another_node_with(|settings| {
            settings.accounts.jwt_secret = b"another secret, which seals other keys".to_vec();
        }).await;
        changed.seen_by(&ada).get("/api/auth/me").await.expect(200);
        let body = json!({"email": "ada@example.com", "password": stoa_testing::PASSWORD});
        let again = changed.anon().signed_in(changed.anon().post("/api/auth/login", body).await.expect(200).body);
        assert_ne!(kid_of(&again), kid_of(&ada));
        app.clock.advance(Duration::from_secs(1));
        other.seen_by(&again).get("/api/auth/me").await.expect(200);
        changed.stop().await;
    }
}

/// Somebody else's Ed25519 key (PKCS #8): the example of RFC 8410.
const THEIRS: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0xd4,
    0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe,
    0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44, 0x75, 0x58, 0x42,
];
