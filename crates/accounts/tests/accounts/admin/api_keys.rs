use std::time::Duration;

use stoa_testing::{Answer, Client, TestApp, Value, each_engine, json};

use crate::text;

const KEYS: &str = "/api/admin/api-keys";

async fn make(maker: &Client, body: Value) -> Answer {
    maker.post(KEYS, body).await
}

/// A program with a key of these scopes, and the key's path.
async fn program(app: &TestApp, maker: &Client, scopes: Value) -> (Client, String) {
    let made = make(maker, json!({"name": "till", "scopes": scopes})).await.expect(201);
    let path = made.header("location").expect("a place").to_owned();
    (app.anon().with_header("x-api-key", &text(&made.body, "key")), path)
}

/// Waits for the last use that is written behind a request's back.
async fn last_use(admin: &Client, path: &str, other_than: &Value) -> Value {
    for _ in 0..2_000 {
        let seen = admin.get(path).await.expect(200).body["lastUsedAt"].clone();
        if seen != *other_than {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the last use was never written");
}

each_engine! {
    async fn a_key_is_shown_once_and_does_what_its_scopes_allow(app: TestApp) {
        let admin = app.admin().await;
        let body = json!({
            "name": " Till ", "scopes": ["user:read", "product:*"], "allowedIps": ["127.0.0.1", "10.1.2.3/8"],
            "expiresAt": "2026-01-16T12:00:00Z",
        });
        let made = make(&admin, body).await.expect(201);
        let (key, id) = (text(&made.body, "key"), made.id());
        assert_eq!(made.header("location"), Some(format!("{KEYS}/{id}").as_str()));
        assert_eq!(made.header("cache-control"), Some("no-store"));
        assert!(key.starts_with("stoa_") && key.starts_with(&text(&made.body, "prefix")));
        let mut shown = made.body.clone();
        shown.as_object_mut().unwrap().remove("key");
        assert_eq!(shown, json!({
            "id": id, "prefix": key[..11], "name": "Till", "scopes": ["product:*", "user:read"],
            "allowedIps": ["10.0.0.0/8", "127.0.0.1/32"], "expiresAt": "2026-01-16T12:00:00.000Z",
            "createdAt": "2026-01-15T12:00:00.000Z", "createdBy": format!("user:{}", admin.user_id()), "lastUsedAt": null,
        }));
        assert_eq!(admin.get(&format!("{KEYS}/{id}")).await.expect(200).body, shown);
        assert_eq!(admin.get(KEYS).await.expect(200).entries(), [shown]);

        let till = app.anon().with_header("x-api-key", &key);
        let tea = json!({"name": "Tea", "price": 5, "category": "tea"});
        till.post("/api/products", tea).await.expect(201);
        till.get("/api/users").await.expect(200);
        till.get("/api/admin/audit").await.refused(403, "FORBIDDEN");
        till.get(KEYS).await.refused(403, "FORBIDDEN");
        till.get("/api/auth/me").await.refused(403, "FORBIDDEN");
        till.post("/api/auth/logout-all", json!({})).await.refused(403, "FORBIDDEN");
    }

    async fn nothing_of_a_key_is_kept_but_its_hash(app: TestApp) {
        let admin = app.admin().await;
        let made = make(&admin, json!({"name": "till", "scopes": ["user:read"]})).await.expect(201);
        let secret = text(&made.body, "key")[11..].to_owned();
        let kept = app.read(|c| {
            let mut texts = c.query("SELECT name, prefix, scopes, allowed_ips, created_by FROM api_keys", &[], |row| {
                Ok(format!("{:?}", [row.read::<String>()?, row.read()?, row.read()?, row.read()?, row.read()?]))
            })?;
            texts.extend(c.query("SELECT details FROM audit_log WHERE details IS NOT NULL", &[], |row| row.read())?);
            Ok(texts)
        }).await;
        assert!(kept.len() >= 2 && kept.iter().all(|text| !text.contains(&secret)), "{kept:?}");
        let listed = admin.get(KEYS).await.expect(200);
        assert!(!listed.text.contains(&secret));
    }

    async fn a_bad_key_is_told_apart(app: TestApp, |settings| {
        settings.accounts.machine_keys = vec!["a-key-of-the-configuration".into()];
    }) {
        let admin = app.admin().await;
        let body = json!({"name": "till", "scopes": ["user:read"], "expiresAt": "2026-01-15T12:00:10Z"});
        let made = make(&admin, body).await.expect(201);
        let key = text(&made.body, "key");
        let users = |key: &str| {
            let somebody = app.anon().with_header("x-api-key", key);
            async move { somebody.get("/api/users").await }
        };
        users(&key).await.expect(200);
        users("a-key-of-the-configuration").await.refused(403, "FORBIDDEN");
        let unknown = format!("stoa_{}", "x".repeat(43));
        let (longer, shorter, other) = (format!("{key}x"), &key[..47], key.replacen("stoa_", "STOA_", 1));
        for bad in ["", "nonsense", &unknown, &longer, shorter, &other, &made.id()] {
            users(bad).await.refused(401, "INVALID_API_KEY");
        }
        // A credential that is not good is refused where none is needed, too.
        app.anon().with_header("x-api-key", &unknown).get("/api/auth/me").await.refused(401, "INVALID_API_KEY");
        app.clock.advance(Duration::from_millis(9_999));
        users(&key).await.expect(200);
        app.clock.advance(Duration::from_millis(1));
        users(&key).await.refused(401, "API_KEY_EXPIRED");
        admin.delete(&format!("{KEYS}/{}", made.id())).await.expect(204);
        users(&key).await.refused(401, "INVALID_API_KEY");
    }

    async fn a_key_works_from_its_networks_only(app: TestApp, |settings| {
        settings.http.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    }) {
        let admin = app.admin().await;
        let body = json!({
            "name": "till", "scopes": ["user:read"], "allowedIps": ["203.0.113.0/24", "2001:db8::/32"],
        });
        let key = text(&make(&admin, body).await.expect(201).body, "key");
        let from = |address: &str| {
            let somebody = app.anon().with_header("x-api-key", &key).with_header("x-forwarded-for", address);
            async move { somebody.get("/api/users").await }
        };
        for inside in ["203.0.113.9", "2001:db8:7::1", "::ffff:203.0.113.9", "198.51.100.1, 203.0.113.9"] {
            from(inside).await.expect(200);
        }
        // What the client claims stands left of what the proxy saw.
        for outside in ["203.0.114.1", "2001:db9::1", "203.0.113.9, 198.51.100.1"] {
            from(outside).await.refused(403, "API_KEY_NETWORK");
        }
        app.anon().with_header("x-api-key", &key).get("/api/users").await.refused(403, "API_KEY_NETWORK");
    }

    async fn a_deleted_key_is_refused_at_once(app: TestApp) {
        let admin = app.admin().await;
        let (till, path) = program(app, &admin, json!(["user:read"])).await;
        till.get("/api/users").await.expect(200);
        admin.delete(&path).await.expect(204);
        till.get("/api/users").await.refused(401, "INVALID_API_KEY");
        admin.delete(&path).await.refused(404, "API_KEY_NOT_FOUND");
        admin.get(&path).await.refused(404, "API_KEY_NOT_FOUND");
        admin.get(&format!("{KEYS}/nonsense")).await.refused(400, "INVALID_ID");
    }

    async fn nobody_gives_a_key_more_than_they_have(app: TestApp) {
        let admin = app.admin().await;
        let staff = json!([
            {"resource": "api-key", "action": "*"}, {"resource": "user", "action": "read"},
            {"resource": "product", "action": "*"},
        ]);
        admin.post("/api/admin/roles", json!({"name": "staff", "permissions": staff})).await.expect(201);
        let sam = app.shopper("sam").await;
        admin.put(&format!("/api/users/{}/role", sam.user_id()), json!({"role": "staff"})).await.expect(200);
        let sam = app.sign_in("sam@example.com").await;
        let refused = make(&sam, json!({"name": "k", "scopes": ["user:read", "user:*", "audit:read"]})).await;
        assert_eq!(refused.refused(403, "FORBIDDEN").body["scopes"], json!(["audit:read", "user:*"]));
        let (program, _) = program(app, &sam, json!(["product:create", "user:read", "api-key:create"])).await;
        // Nor does a key that makes keys.
        let refused = make(&program, json!({"name": "k", "scopes": ["product:delete"]})).await;
        assert_eq!(refused.refused(403, "FORBIDDEN").body["scopes"], json!(["product:delete"]));
        let made = make(&program, json!({"name": "k", "scopes": ["product:create"]})).await.expect(201);
        assert!(text(&made.body, "createdBy").starts_with("key:"));
        let weak = app.anon().with_header("x-api-key", &text(&made.body, "key"));
        weak.get("/api/users").await.refused(403, "FORBIDDEN");
    }

    async fn a_key_may_not_do_what_its_maker_may_not_any_more(app: TestApp) {
        let admin = app.admin().await;
        let staff = |permissions: &[(&str, &str)]| {
            let one = |(resource, action): &(&str, &str)| json!({"resource": resource, "action": action});
            json!({"permissions": permissions.iter().map(one).collect::<Vec<_>>()})
        };
        let all = staff(&[("api-key", "*"), ("user", "*"), ("product", "*")]);
        let named = json!({"name": "staff", "permissions": all["permissions"]});
        admin.post("/api/admin/roles", named).await.expect(201);
        let sam = app.shopper("sam").await;
        let role = |name: &str| {
            let (admin, path, body) = (admin.clone(), format!("/api/users/{}/role", sam.user_id()), json!({"role": name}));
            async move { admin.put(&path, body).await.expect(200) }
        };
        role("staff").await;
        let sam = app.sign_in("sam@example.com").await;
        let (till, _) = program(app, &sam, json!(["user:read", "product:*", "api-key:create"])).await;
        let (grandchild, _) = program(app, &till, json!(["user:read"])).await;
        let (of_admin, _) = program(app, &admin, json!(["user:read"])).await;
        let makes = |name: &'static str| {
            let till = till.clone();
            async move { till.post("/api/products", json!({"name": name, "price": 5, "category": "tea"})).await }
        };
        till.get("/api/users").await.expect(200);
        grandchild.get("/api/users").await.expect(200);
        makes("Tea").await.expect(201);

        admin.put("/api/admin/roles/staff", staff(&[("product", "create"), ("product", "read")])).await.expect(200);
        till.get("/api/users").await.refused(403, "FORBIDDEN");
        grandchild.get("/api/users").await.refused(403, "FORBIDDEN");
        till.post(KEYS, json!({"name": "k", "scopes": ["product:read"]})).await.refused(403, "FORBIDDEN");
        let tea = format!("/api/products/{}", makes("Oolong").await.expect(201).id());
        till.delete(&tea).await.refused(403, "FORBIDDEN");
        of_admin.get("/api/users").await.expect(200);

        admin.put("/api/admin/roles/staff", all).await.expect(200);
        grandchild.get("/api/users").await.expect(200);
        till.delete(&tea).await.expect(204);
        role("user").await;
        till.get("/api/users").await.refused(403, "FORBIDDEN");
        makes("Sencha").await.refused(403, "FORBIDDEN");
        role("staff").await;
        makes("Sencha").await.expect(201);
    }

    async fn a_key_is_refused_when_its_maker_is_gone(app: TestApp, |settings| {
        settings.accounts.machine_keys = vec!["a-key-of-the-configuration".into()];
    }) {
        let admin = app.admin().await;
        let sam = app.shopper("sam").await;
        admin.put(&format!("/api/users/{}/role", sam.user_id()), json!({"role": "admin"})).await.expect(200);
        let sam = app.sign_in("sam@example.com").await;
        let (till, path) = program(app, &sam, json!(["user:read", "api-key:create"])).await;
        let body = json!({"name": "short", "scopes": ["user:read", "api-key:create"], "expiresAt": "2026-01-15T12:00:10Z"});
        let short = app.anon().with_header("x-api-key", &text(&make(&sam, body).await.expect(201).body, "key"));
        let (of_till, _) = program(app, &till, json!(["user:read"])).await;
        let (of_short, _) = program(app, &short, json!(["user:read"])).await;
        let users = |program: &Client| {
            let program = program.clone();
            async move { program.get("/api/users").await }
        };
        for program in [&till, &of_till, &of_short] {
            users(program).await.expect(200);
        }
        app.clock.advance(Duration::from_secs(10));
        users(&of_short).await.refused(401, "API_KEY_MAKER_GONE");
        let (other, _) = program(app, &sam, json!(["user:read"])).await;
        admin.delete(&path).await.expect(204);
        users(&of_till).await.refused(401, "API_KEY_MAKER_GONE");
        users(&other).await.expect(200);
        admin.delete(&format!("/api/users/{}", sam.user_id())).await.expect(204);
        users(&other).await.refused(401, "API_KEY_MAKER_GONE");
        app.anon().with_header("x-api-key", "a-key-of-the-configuration").post("/api/products", json!({"name": "Tea", "price": 5, "category": "tea"})).await.expect(201);
    }

    async fn what_is_asked_for_is_checked(app: TestApp) {
        let admin = app.admin().await;
        let refused = make(&admin, json!({
            "name": "", "scopes": ["user:read", "user", "*:*"], "allowedIps": ["10.0.0.0/33"],
            "expiresAt": "2026-01-15T12:00:00Z",
        })).await.expect(422);
        assert_eq!(refused.fields(), ["name", "scopes.1", "scopes.2", "allowedIps.0", "expiresAt"]);
        for (scope, code) in [("user:raed", "UNKNOWN"), ("car:read", "UNKNOWN"), ("user:", "INVALID_PERMISSION")] {
            let refused = make(&admin, json!({"name": "k", "scopes": [scope]})).await.expect(422);
            assert_eq!(refused.body["errors"][0]["code"], code, "{scope}");
        }
        make(&admin, json!({"name": "k", "scopes": []})).await.expect(422);
        make(&admin, json!({"name": "k"})).await.expect(422);
        make(&admin, json!({"name": "k", "scopes": ["user:read"], "admin": true})).await.expect(422);
        make(&admin, json!({"name": "k", "scopes": ["user:read"], "expiresAt": "soon"})).await.expect(422);
        // What a role speaks of is known from then on.
        let permissions = json!([{"resource": "bike", "action": "ride"}]);
        admin.post("/api/admin/roles", json!({"name": "rider", "permissions": permissions})).await.expect(201);
        make(&admin, json!({"name": "k", "scopes": ["bike:ride"]})).await.refused(403, "FORBIDDEN");
    }

    async fn keys_are_listed_page_by_page(app: TestApp) {
        let admin = app.admin().await;
        for name in ["first", "second", "third"] {
            make(&admin, json!({"name": name, "scopes": ["user:read"]})).await.expect(201);
            app.clock.advance(Duration::from_secs(1));
        }
        let names = |page: &Answer| {
            page.entries().iter().map(|key| text(key, "name")).collect::<Vec<_>>()
        };
        let first = admin.get(&format!("{KEYS}?limit=2&total=true")).await.expect(200);
        assert_eq!((names(&first), &first.body["total"]), (vec!["third".into(), "second".into()], &json!(3)));
        let cursor = text(&first.body, "nextCursor");
        let rest = admin.get(&format!("{KEYS}?limit=2&cursor={cursor}")).await.expect(200);
        assert_eq!((names(&rest), &rest.body["nextCursor"]), (vec!["first".into()], &json!(null)));
        let earliest = admin.get(&format!("{KEYS}?limit=1&sortOrder=asc")).await.expect(200);
        assert_eq!(names(&earliest), ["first"]);
        admin.get(&format!("{KEYS}?cursor={cursor}&sortOrder=asc")).await.refused(400, "INVALID_QUERY");
        admin.get(&format!("{KEYS}?sortBy=name")).await.refused(400, "INVALID_QUERY");
    }

    async fn the_last_use_is_known_to_the_minute(app: TestApp) {
        let admin = app.admin().await;
        let (till, path) = program(app, &admin, json!(["user:read"])).await;
        till.get("/api/users").await.expect(200);
        let first = last_use(&admin, &path, &json!(null)).await;
        assert_eq!(first, "2026-01-15T12:00:00.000Z");
        app.clock.advance(Duration::from_secs(30));
        for _ in 0..20 {
            till.get("/api/users").await.expect(200);
        }
        app.clock.advance(Duration::from_secs(30));
        till.get("/api/users").await.expect(200);
        assert_eq!(last_use(&admin, &path, &first).await, "2026-01-15T12:01:00.000Z");
    }

    async fn making_and_deleting_is_written_down(app: TestApp) {
        let admin = app.admin().await;
        let (_, path) = program(app, &admin, json!(["user:read"])).await;
        admin.delete(&path).await.expect(204);
        for kind in ["api-key.created", "api-key.deleted"] {
            let entries = admin.get(&format!("/api/admin/audit?type={kind}")).await.expect(200);
            let [entry] = entries.entries() else { panic!("{kind}: {}", entries.text) };
            assert_eq!(entry["actor"], format!("user:{}", admin.user_id()));
            assert_eq!(entry["subject"], path.replacen("/api/admin/api-keys/", "api-key:", 1));
            assert_eq!((&entry["details"]["name"], &entry["details"]["scopes"]), (&json!("till"), &json!(["user:read"])));
        }
    }

    async fn a_repeated_request_makes_another_key(app: TestApp) {
        let admin = app.admin().await.with_header("idempotency-key", "once");
        let body = json!({"name": "till", "scopes": ["user:read"]});
        let (first, second) = (make(&admin, body.clone()).await.expect(201), make(&admin, body).await.expect(201));
        assert_ne!(first.body["key"], second.body["key"]);
        assert_eq!(second.header("idempotent-replayed"), None);
    }

    async fn keys_are_for_those_who_may(app: TestApp) {
        let ada = app.shopper("ada").await;
        let nobody = "/api/admin/api-keys/01890a5d-ac96-774b-bcce-b302099a8057";
        for (somebody, status) in [(app.anon(), 401), (ada, 403)] {
            somebody.get(KEYS).await.expect(status);
            somebody.get(nobody).await.expect(status);
            make(&somebody, json!({"name": "k", "scopes": ["product:read"]})).await.expect(status);
            somebody.delete(nobody).await.expect(status);
        }
    }

    async fn a_key_is_a_client_of_its_own_to_the_limits(app: TestApp, |settings| {
        settings.rate_limits = true;
        settings.http.limits.general.max = 4;
        settings.http.limits.signed_in_factor = 3;
    }) {
        let admin = app.admin().await;
        let (till, _) = program(app, &admin, json!(["user:read"])).await;
        let (other, _) = program(app, &admin, json!(["user:read"])).await;
        let limit = till.get("/api/users").await.expect(200);
        assert_eq!(limit.header("x-ratelimit-limit"), Some("12"));
        for _ in 0..11 {
            till.get("/api/users").await.expect(200);
        }
        till.get("/api/users").await.refused(429, "RATE_LIMITED");
        other.get("/api/users").await.expect(200);
        // Guessing takes from the address it comes from.
        let guess = app.anon().with_header("x-api-key", "guess");
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(guess.get("/api/users").await.status);
        }
        assert!(answers.ends_with(&[429]) && answers.starts_with(&[401]), "{answers:?}");
    }
}
