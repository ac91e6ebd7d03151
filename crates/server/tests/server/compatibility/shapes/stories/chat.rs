//! Two friends open rooms, talk, and fall out.

use stoa_testing::json;

use super::{
    super::recorder::{Person, Recorder},
    NOBODY,
};

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    let (cleo, dan) = (shop.shopper("cleo").await, shop.shopper("dan").await);
    rooms_are_opened(&cleo, &dan).await;
    they_talk(&cleo, &dan).await;
    they_look_back(&cleo, &dan).await;
    they_fall_out(shop, admin, &cleo, &dan).await;
}

async fn rooms_are_opened(cleo: &Person<'_>, dan: &Person<'_>) {
    let garden = json!({"slug": "garden", "name": "Garden", "kind": "public"});
    cleo.post("/api/rooms", garden.clone(), 201).await;
    dan.post("/api/rooms", garden, 409).await;
    let direct = json!({"kind": "direct", "userId": dan.user_id()});
    cleo.post("/api/rooms", direct.clone(), 201).await;
    let between = cleo.post("/api/rooms", direct, 200).await.id();
    cleo.post("/api/rooms", json!({"kind": "direct", "userId": NOBODY}), 404).await;
    cleo.post("/api/rooms", json!({"slug": "NO ROOM"}), 422).await;
    dan.get("/api/rooms?joined=false", 200).await;
    dan.act("/api/rooms/garden/join", 200).await;
    dan.get("/api/rooms/garden", 200).await;
    cleo.patch("/api/rooms/garden", json!({"name": "The garden", "slowMode": 0}), 200).await;
    cleo.patch("/api/rooms/garden", json!({"slug": "general"}), 409).await;
    cleo.act(&format!("/api/rooms/{between}/leave"), 409).await;
    cleo.delete(&format!("/api/rooms/{between}"), 409).await;
    let member = format!("/api/rooms/{between}/members/{}", dan.user_id());
    cleo.put(&member, json!({"role": "moderator"}), 409).await;
    cleo.delete(&member, 409).await;
    dan.get("/api/rooms/garden/members", 200).await;
    dan.get("/api/rooms/garden/members?page=1", 200).await;
}

async fn they_talk(cleo: &Person<'_>, dan: &Person<'_>) {
    let say = |content: &str| json!({"room": "garden", "content": content, "clientId": content});
    let first = cleo.post("/api/messages", say("The roses are out, @dan!"), 201).await.id();
    cleo.post("/api/messages", say("The roses are out, @dan!"), 200).await;
    let reply = json!({"room": "garden", "content": "So they are.", "replyTo": first});
    let reply = dan.post("/api/messages", reply, 201).await.id();
    dan.post("/api/messages", json!({"room": "no-such-room", "content": "Anybody?"}), 404).await;
    dan.post("/api/messages", json!({"room": "garden", "content": ""}), 422).await;

    let of = |id: &str| format!("/api/messages/{id}");
    dan.get_twice(&of(&first)).await;
    dan.put(&of(&reply), json!({"content": "So they are, all of them."}), 200).await;
    cleo.put(&of(&reply), json!({"content": "Not mine."}), 403).await;
    dan.with("if-match", "\"999\"").put(&of(&reply), json!({"content": "Late."}), 412).await;
    dan.post(&format!("{}/react", of(&first)), json!({"emoji": "🌹"}), 200).await;
    dan.act(&format!("{}/read", of(&reply)), 200).await;
    cleo.call("PUT", &format!("{}/pin", of(&first)), None, Some(200)).await;
    dan.call("PUT", &format!("{}/pin", of(&first)), None, Some(403)).await;
    dan.get("/api/messages?room=garden&pinned=true", 200).await;
    cleo.delete(&format!("{}/pin", of(&first)), 200).await;
    cleo.get(&format!("{}/thread", of(&first)), 200).await;

    dan.with("if-match", "\"999\"").delete(&of(&reply), 412).await;
    dan.delete(&of(&reply), 204).await;
    dan.put(&of(&reply), json!({"content": "Too late."}), 409).await;
    dan.post(&format!("{}/react", of(&reply)), json!({"emoji": "🌹"}), 409).await;
    cleo.call("PUT", &format!("{}/pin", of(&reply)), None, Some(409)).await;
    cleo.delete(&format!("{}/pin", of(&reply)), 409).await;
}

async fn they_look_back(cleo: &Person<'_>, dan: &Person<'_>) {
    dan.get("/api/messages?room=garden", 200).await;
    dan.get("/api/messages?room=garden&limit=1", 200).await;
    dan.get("/api/messages?room=garden&after=1", 200).await;
    dan.get("/api/messages?room=no-such-room", 404).await;
    dan.get("/api/messages/search?q=roses&room=no-such-room", 404).await;
    dan.get("/api/messages/search?q=roses", 200).await;
    dan.get("/api/messages/search?q=roses&room=garden", 200).await;
    cleo.get("/api/rooms", 200).await;
    cleo.get("/api/rooms?limit=1&total=true", 200).await;
}

async fn they_fall_out(shop: &Recorder<'_>, admin: &Person<'_>, cleo: &Person<'_>, dan: &Person<'_>) {
    let member = |who: &Person<'_>| format!("/api/rooms/garden/members/{}", who.user_id());
    dan.put(&member(cleo), json!({"role": "member"}), 403).await;
    cleo.put(&member(dan), json!({"role": "moderator"}), 200).await;
    cleo.put(&member(dan), json!({"role": "member", "mutedUntil": "2099-01-01T00:00:00Z"}), 200).await;
    dan.post("/api/messages", json!({"room": "garden", "content": "Hey!"}), 403).await;
    cleo.put(&member(dan), json!({"banned": true}), 200).await;
    dan.act("/api/rooms/garden/join", 403).await;
    let eve = shop.shopper("eve").await;
    eve.act("/api/rooms/garden/join", 200).await;
    cleo.delete(&member(&eve), 204).await;
    eve.act("/api/rooms/garden/leave", 403).await;
    eve.act("/api/rooms/garden/join", 200).await;
    eve.act("/api/rooms/garden/leave", 204).await;
    admin.delete("/api/rooms/general", 409).await;
    cleo.delete("/api/rooms/garden", 204).await;
}
