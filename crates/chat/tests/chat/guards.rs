//! Who may come in at all: every route by every door.

use stoa_testing::{Client, each_engine, json};

use crate::{direct, joins, opens, said, says};

const NOBODY: &str = "01900000-0000-7000-8000-00000000ffff";

/// Every route with a body that would do, about this room and message.
async fn every_route(
    who: &Client,
    room: &str,
    message: &str,
    user: &str,
) -> Vec<(String, stoa_testing::Answer)> {
    let rooms = format!("/api/rooms/{room}");
    let messages = format!("/api/messages/{message}");
    vec![
        ("list rooms".into(), who.get("/api/rooms").await),
        ("open".into(), who.post("/api/rooms", json!({"slug": "another"})).await),
        ("show".into(), who.get(&rooms).await),
        ("change".into(), who.patch(&rooms, json!({"name": "Other"})).await),
        ("join".into(), who.post(&format!("{rooms}/join"), json!({})).await),
        ("members".into(), who.get(&format!("{rooms}/members")).await),
        ("put member".into(), who.put(&format!("{rooms}/members/{user}"), json!({})).await),
        ("delete member".into(), who.delete(&format!("{rooms}/members/{user}")).await),
        ("list".into(), who.get(&format!("/api/messages?room={room}")).await),
        ("send".into(), says(who, room, "Hello").await),
        ("search".into(), who.get(&format!("/api/messages/search?q=tea&room={room}")).await),
        ("message".into(), who.get(&messages).await),
        ("edit".into(), who.put(&messages, json!({"content": "Other"})).await),
        ("read".into(), who.post(&format!("{messages}/read"), json!({})).await),
        ("react".into(), who.post(&format!("{messages}/react"), json!({"emoji": "👍"})).await),
        ("thread".into(), who.get(&format!("{messages}/thread")).await),
        ("pin".into(), who.put(&format!("{messages}/pin"), json!({})).await),
        ("unpin".into(), who.delete(&format!("{messages}/pin")).await),
        ("delete".into(), who.delete(&messages).await),
        ("leave".into(), who.post(&format!("{rooms}/leave"), json!({})).await),
        ("close".into(), who.delete(&rooms).await),
    ]
}

each_engine! {
    async fn guests_are_asked_to_sign_in(app: TestApp) {
        let ann = app.shopper("ann").await;
        let room = opens(&ann, "tea", "public").await;
        let message = says(&ann, &room, "Hello").await.id();
        for (name, answer) in every_route(&app.anon(), &room, &message, ann.user_id()).await {
            assert_eq!((answer.status, answer.code()), (401, Some("AUTHENTICATION_REQUIRED")), "{name}");
        }
    }

    async fn machines_and_those_whose_role_is_silent_are_refused(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        let room = opens(&ann, "tea", "public").await;
        let message = says(&ann, &room, "Hello").await.id();
        let key = json!({"name": "robot", "scopes": ["message:read", "message:create", "message:update", "message:delete"]});
        let key = admin.post("/api/admin/api-keys", key).await.expect(201).body["key"].as_str().unwrap().to_owned();
        let robot = app.anon().with_header("x-api-key", &key);
        for (name, answer) in every_route(&robot, &room, &message, ann.user_id()).await {
            assert_eq!((answer.status, answer.code()), (403, Some("FORBIDDEN")), "{name}");
        }
        let role = json!({"name": "silent", "permissions": [{"resource": "product", "action": "read"}]});
        admin.post("/api/admin/roles", role).await.expect(201);
        let eve = app.shopper("eve").await;
        admin.put(&format!("/api/users/{}/role", eve.user_id()), json!({"role": "silent"})).await.expect(200);
        let eve = app.sign_in("eve@example.com").await;
        for (name, answer) in every_route(&eve, &room, &message, ann.user_id()).await {
            assert_eq!((answer.status, answer.code()), (403, Some("FORBIDDEN")), "{name}");
        }
    }

    async fn what_is_not_there_is_not_found(app: TestApp) {
        let ann = app.shopper("ann").await;
        for room in ["nowhere", NOBODY, "No%20Slug"] {
            for (name, answer) in every_route(&ann, room, NOBODY, ann.user_id()).await {
                if !["list rooms", "open"].contains(&name.as_str()) {
                    assert_eq!(answer.status, 404, "{name} of {room}: {}", answer.text);
                }
            }
            ann.delete("/api/rooms/another").await.expect(204);
        }
        ann.get("/api/messages/nonsense").await.refused(400, "INVALID_ID");
        ann.put("/api/rooms/general/members/nonsense", json!({})).await.refused(400, "INVALID_ID");
    }

    async fn rooms_of_others_are_not_found(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let private = opens(&ann, "secret", "private").await;
        let between = direct(&ann, &bob).await.expect(201).id();
        for room in [private, between] {
            let message = says(&ann, &room, "Hello tea").await.expect(201).id();
            for (name, answer) in every_route(&eve, &room, &message, ann.user_id()).await {
                if !["list rooms", "open"].contains(&name.as_str()) {
                    assert_eq!(answer.status, 404, "{name}: {}", answer.text);
                }
            }
            eve.delete("/api/rooms/another").await.expect(204);
        }
        let rooms = eve.get("/api/rooms").await.expect(200);
        assert_eq!(rooms.entries().len(), 1, "only the one for everybody");
        assert!(eve.get("/api/rooms?joined=false").await.expect(200).entries().is_empty());
        assert!(eve.get("/api/messages/search?q=tea").await.expect(200).entries().is_empty());
    }

    async fn members_may_not_do_what_moderators_may(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let room = opens(&ann, "tea", "public").await;
        let message = said(&ann, &room, "Hello").await;
        joins(&bob, &room).await;
        let path = format!("/api/rooms/{room}");
        for answer in [
            bob.patch(&path, json!({"name": "Mine"})).await,
            bob.delete(&path).await,
            bob.put(&format!("{path}/members/{}", ann.user_id()), json!({"banned": true})).await,
            bob.delete(&format!("{path}/members/{}", ann.user_id())).await,
            bob.get(&format!("{path}/members?banned=true")).await,
            bob.put(&message, json!({"content": "Mine"})).await,
            bob.delete(&message).await,
            bob.put(&format!("{message}/pin"), json!({})).await,
            bob.delete(&format!("{message}/pin")).await,
        ] {
            answer.refused(403, "FORBIDDEN");
        }
    }

    async fn whoever_moderates_everywhere_decides_in_rooms_and_not_between_two(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        let private = opens(&ann, "secret", "private").await;
        let message = said(&ann, &private, "Hello").await;
        admin.get(&message).await.expect(200);
        says(&admin, &private, "Hello").await.refused(403, "NOT_A_MEMBER");
        admin.put(&format!("{message}/pin"), json!({})).await.expect(200);
        admin.delete(&message).await.expect(204);
        admin.patch(&format!("/api/rooms/{private}"), json!({"name": "Quiet"})).await.expect(200);
        admin.put(&format!("/api/rooms/{private}/members/{}", ann.user_id()), json!({"mutedUntil": "2030-01-01T00:00:00Z"})).await.refused(403, "FORBIDDEN");
        admin.post(&format!("/api/rooms/{private}/join"), json!({})).await.expect(200);
        admin.delete(&format!("/api/rooms/{private}")).await.expect(204);
        let between = direct(&ann, &bob).await.expect(201).id();
        admin.get(&format!("/api/rooms/{between}")).await.refused(404, "ROOM_NOT_FOUND");
        admin.patch("/api/rooms/general", json!({"name": "Agora"})).await.expect(200);
    }
}
