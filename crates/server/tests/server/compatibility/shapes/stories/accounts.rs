//! Who people are: signing up, in and out, mailed links, profiles; and users, roles and keys for those who manage them.

use stoa_testing::json;

use super::super::recorder::{FIRST, OTHER, Person, Recorder};

const ADA: &str = "ada@example.com";

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    let ada = signs_up(shop).await;
    has_devices(&ada).await;
    follows_mailed_links(shop, &ada).await;
    shows_themselves(&shop.anon().signs_in(ADA, OTHER).await).await;
    goes_away(&shop.anon(), ADA).await;
    users_are_managed(admin).await;
    roles_are_managed(admin).await;
    keys_are_managed(admin).await;
    admin.get("/api/admin/audit?limit=100", 200).await;
}

async fn signs_up<'r>(shop: &'r Recorder<'r>) -> Person<'r> {
    let anon = shop.anon();
    let body = json!({"email": ADA, "password": FIRST, "name": "Ada"});
    let ada = anon.signed_in(&anon.post("/api/auth/register", body.clone(), 201).await);
    anon.post("/api/auth/register", body, 409).await;
    let bob = json!({"email": "bob@example.com", "password": FIRST, "username": "bob"});
    anon.post("/api/auth/register", bob, 201).await;
    anon.post("/api/auth/login", json!({"username": "bob", "password": FIRST}), 200).await;
    anon.post("/api/auth/login", json!({"username": "bob", "password": OTHER}), 401).await;
    ada.get("/api/auth/me", 200).await;
    ada
}

async fn has_devices(ada: &Person<'_>) {
    ada.with("user-agent", "Lantern/1.0").signs_in(ADA, FIRST).await;
    let named = ada.with("user-agent", "Lantern/1.0");
    named.post("/api/auth/login", json!({"email": ADA, "password": FIRST}), 200).await;
    let sessions = ada.get("/api/auth/sessions", 200).await;
    let other = sessions.entries().iter().find(|session| session["current"] == false).unwrap();
    ada.delete(&format!("/api/auth/sessions/{}", other["id"].as_str().unwrap()), 204).await;
    ada.post("/api/auth/refresh", ada.refresh_token(), 200).await;
    ada.post("/api/auth/refresh", ada.refresh_token(), 409).await;
    ada.post("/api/auth/refresh", json!({"refreshToken": "guessed"}), 401).await;
}

async fn follows_mailed_links(shop: &Recorder<'_>, ada: &Person<'_>) {
    let anon = shop.anon();
    ada.act("/api/auth/verify-email/resend", 202).await;
    let token = shop.mailed_token(ADA, "/verify-email").await;
    anon.post("/api/auth/verify-email", json!({"token": token}), 204).await;
    anon.post("/api/auth/verify-email", json!({"token": token}), 400).await;
    ada.act("/api/auth/verify-email/resend", 409).await;
    anon.post("/api/auth/forgot-password", json!({"email": ADA}), 202).await;
    let token = shop.mailed_token(ADA, "/reset-password").await;
    anon.post("/api/auth/reset-password", json!({"token": token, "newPassword": OTHER}), 204).await;
    anon.post("/api/auth/reset-password", json!({"token": token, "newPassword": OTHER}), 400).await;
}

async fn shows_themselves(ada: &Person<'_>) {
    ada.get("/api/profile", 200).await;
    ada.get("/api/users/profile", 200).await;
    for method in ["PATCH", "PUT"] {
        ada.json(method, "/api/users/profile", json!({"name": "Ada Lovelace"}), 200).await;
        ada.json(method, "/api/users/profile", json!({"username": "bob"}), 409).await;
    }
    ada.post("/api/users/status", json!({"status": "busy"}), 200).await;
    ada.get("/api/users/online", 200).await;
    ada.get("/api/users/search?q=ada", 200).await;
    ada.get("/api/users/search?q=ada&page=1", 200).await;
    ada.get(&format!("/api/users/{}", ada.user_id()), 200).await;
}

async fn goes_away(anon: &Person<'_>, email: &str) {
    let ada = anon.signs_in(email, OTHER).await;
    let wrong = json!({"currentPassword": FIRST, "newPassword": FIRST});
    ada.post("/api/auth/change-password", wrong, 400).await;
    let right = json!({"currentPassword": OTHER, "newPassword": FIRST});
    ada.post("/api/auth/change-password", right, 204).await;
    ada.post("/api/auth/logout", ada.refresh_token(), 204).await;
    anon.signs_in(email, FIRST).await.act("/api/auth/logout-all", 204).await;
}

async fn users_are_managed(admin: &Person<'_>) {
    let body = json!({"email": "eve@example.com", "password": FIRST, "username": "eve", "name": "Eve", "emailVerified": true});
    let eve = format!("/api/users/{}", admin.post("/api/users", body.clone(), 201).await.id());
    admin.post("/api/users", body, 409).await;
    admin.get("/api/users?limit=100", 200).await;
    admin.get(&eve, 200).await;
    for method in ["PATCH", "PUT"] {
        admin.json(method, &eve, json!({"name": "Eve Adams"}), 200).await;
        admin.json(method, &eve, json!({"username": "bob"}), 409).await;
    }
    let own = format!("/api/users/{}", admin.user_id());
    admin.put(&format!("{own}/role"), json!({"role": "user"}), 409).await;
    admin.put(&format!("{eve}/role"), json!({"role": "admin"}), 200).await;
    admin.put(&format!("{eve}/role"), json!({"role": "user"}), 200).await;
    admin.delete(&own, 409).await;
    admin.delete(&eve, 204).await;
}

async fn roles_are_managed(admin: &Person<'_>) {
    let roles = "/api/admin/roles";
    let staff = json!({"name": "staff", "permissions": [{"resource": "product", "action": "update"}]});
    admin.post(roles, staff.clone(), 201).await;
    admin.post(roles, staff, 409).await;
    admin.get(roles, 200).await;
    admin.get(&format!("{roles}/staff"), 200).await;
    admin.put(&format!("{roles}/admin"), json!({"permissions": []}), 409).await;
    let more = json!({"permissions": [{"resource": "product", "action": "*"}]});
    admin.put(&format!("{roles}/staff"), more, 200).await;
    admin.delete(&format!("{roles}/user"), 409).await;
    admin.delete(&format!("{roles}/staff"), 204).await;
}

async fn keys_are_managed(admin: &Person<'_>) {
    let keys = "/api/admin/api-keys";
    let till = json!({
        "name": "till", "scopes": ["product:*"], "allowedIps": ["127.0.0.1"], "expiresAt": "2027-01-01T00:00:00Z",
    });
    let id = admin.post(keys, till, 201).await.id();
    admin.post(keys, json!({"name": "for good", "scopes": ["user:read"]}), 201).await;
    admin.get(keys, 200).await;
    admin.get(&format!("{keys}/{id}"), 200).await;
    admin.delete(&format!("{keys}/{id}"), 204).await;
}
