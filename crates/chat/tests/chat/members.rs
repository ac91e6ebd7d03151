//! `/api/rooms/{room}/join`, `/leave` and `/members`.

use std::time::Duration;

use stoa_testing::{Client, Value, each_engine, json};

use crate::{heard, joins, opens, room, said, says};

async fn members(who: &Client, room: &str) -> Vec<(String, String)> {
    let answer = who.get(&format!("/api/rooms/{room}/members")).await.expect(200);
    let named = |member: &Value| {
        (member["user"]["username"].as_str().unwrap().to_owned(), member["role"].as_str().unwrap().to_owned())
    };
    answer.entries().iter().map(named).collect()
}

fn named(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, role)| ((*name).to_owned(), (*role).to_owned())).collect()
}

async fn put(who: &Client, room: &str, user: &Client, change: Value) -> stoa_testing::Answer {
    who.put(&format!("/api/rooms/{room}/members/{}", user.user_id()), change).await
}

each_engine! {
    async fn people_join_and_leave(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "tea", "public").await;
        said(&ann, &id, "Before").await;
        says(&bob, &id, "May I?").await.refused(403, "NOT_A_MEMBER");
        assert_eq!(heard(&bob, &id).await.len(), 1, "reading needs no membership");
        app.clock.advance(Duration::from_secs(1));
        joins(&bob, "tea").await;
        joins(&bob, "tea").await;
        assert_eq!(room(&bob, &id).await["unreadCount"], 0);
        assert_eq!(members(&bob, &id).await, named(&[("ann", "owner"), ("bob", "member")]));
        let joined = app.events("chat.member_joined").await;
        assert_eq!((joined.len(), &joined[0]["person"]["username"], &joined[0]["role"]), (1, &json!("bob"), &json!("member")));
        says(&bob, &id, "Thanks").await.expect(201);
        bob.post("/api/rooms/tea/leave", json!({})).await.expect(204);
        bob.post("/api/rooms/tea/leave", json!({})).await.refused(403, "NOT_A_MEMBER");
        let left = app.events("chat.member_left").await;
        assert_eq!((left.len(), &left[0]["userId"], &left[0]["banned"]), (1, &json!(bob.user_id()), &json!(false)));
        assert_eq!(room(&bob, &id).await["memberCount"], 1);
    }

    async fn a_room_is_never_without_an_owner(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let id = opens(&ann, "tea", "public").await;
        for one in [&bob, &eve] {
            app.clock.advance(Duration::from_secs(1));
            joins(one, &id).await;
        }
        put(&ann, &id, &eve, json!({"role": "moderator"})).await.expect(200);
        ann.post("/api/rooms/tea/leave", json!({})).await.expect(204);
        assert_eq!(members(&bob, &id).await, named(&[("bob", "member"), ("eve", "owner")]), "a moderator comes first");
        eve.post("/api/rooms/tea/leave", json!({})).await.expect(204);
        assert_eq!(members(&bob, &id).await, named(&[("bob", "owner")]));
        bob.post("/api/rooms/tea/leave", json!({})).await.expect(204);
        bob.get("/api/rooms/tea").await.refused(404, "ROOM_NOT_FOUND");
        assert_eq!(app.events("chat.room_deleted").await.len(), 1);
    }

    async fn private_rooms_are_joined_by_being_added(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "secret", "private").await;
        bob.post("/api/rooms/secret/join", json!({})).await.refused(404, "ROOM_NOT_FOUND");
        let added = put(&ann, &id, &bob, json!({})).await.expect(200);
        assert_eq!((&added.body["user"]["username"], &added.body["role"]), (&json!("bob"), &json!("member")));
        put(&ann, &id, &bob, json!({})).await.expect(200);
        assert_eq!(app.events("chat.member_joined").await.len(), 1);
        says(&bob, &id, "Thank you").await.expect(201);
        let nobody = "/api/rooms/secret/members/01900000-0000-7000-8000-00000000ffff";
        ann.put(nobody, json!({})).await.refused(404, "USER_NOT_FOUND");
        ann.delete(nobody).await.refused(404, "MEMBER_NOT_FOUND");
        ann.put(nobody, json!({"role": "king"})).await.refused(422, "VALIDATION_FAILED");
        ann.delete(&format!("/api/rooms/secret/members/{}", bob.user_id())).await.expect(204);
        bob.get("/api/rooms/secret").await.refused(404, "ROOM_NOT_FOUND");
    }

    async fn roles_are_given_by_the_owner(app: TestApp) {
        let (ann, bob, eve) = (app.shopper("ann").await, app.shopper("bob").await, app.shopper("eve").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        joins(&eve, &id).await;
        put(&ann, &id, &ann, json!({"role": "member"})).await.refused(409, "OWN_MEMBERSHIP");
        put(&ann, &id, &bob, json!({"role": "moderator"})).await.expect(200);
        put(&bob, &id, &eve, json!({"role": "moderator"})).await.refused(403, "FORBIDDEN");
        put(&ann, &id, &eve, json!({"role": "moderator"})).await.expect(200);
        put(&bob, &id, &eve, json!({"role": "member"})).await.refused(403, "FORBIDDEN");
        put(&bob, &id, &ann, json!({"banned": true})).await.refused(403, "FORBIDDEN");
        bob.delete(&format!("/api/rooms/tea/members/{}", eve.user_id())).await.refused(403, "FORBIDDEN");
        put(&ann, &id, &bob, json!({"role": "owner"})).await.expect(200);
        let mut roles = members(&ann, &id).await;
        roles.sort();
        assert_eq!(roles, named(&[("ann", "moderator"), ("bob", "owner"), ("eve", "moderator")]));
        put(&ann, &id, &eve, json!({"role": "member"})).await.refused(403, "FORBIDDEN");
        let changes = app.events("chat.member_changed").await;
        let last: Vec<_> = changes.iter().rev().take(2).map(|event| event["role"].as_str().unwrap()).collect();
        assert_eq!(last, ["owner", "moderator"]);
        bob.delete(&format!("/api/rooms/tea/members/{}", bob.user_id())).await.expect(204);
    }

    async fn who_is_muted_reads_and_does_not_write(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        let message = said(&bob, &id, "Spam").await;
        let until = "2026-01-15T13:00:00.000Z";
        let muted = put(&ann, &id, &bob, json!({"mutedUntil": until})).await.expect(200);
        assert_eq!(muted.body["mutedUntil"], until);
        let refused = says(&bob, &id, "More spam").await.refused(403, "MUTED");
        assert_eq!(refused.body["mutedUntil"], until);
        bob.put(&message, json!({"content": "Other spam"})).await.refused(403, "MUTED");
        bob.post(&format!("{message}/react"), json!({"emoji": "👍"})).await.refused(403, "MUTED");
        bob.post(&format!("{message}/read"), json!({})).await.expect(200);
        bob.delete(&message).await.expect(204);
        assert_eq!(room(&bob, &id).await["mutedUntil"], until);
        app.clock.advance(Duration::from_hours(1));
        let bob = app.sign_in("bob@example.com").await;
        says(&bob, &id, "Sorry").await.expect(201);
        let ann = app.sign_in("ann@example.com").await;
        put(&ann, &id, &bob, json!({"mutedUntil": "2030-01-01T00:00:00Z"})).await.expect(200);
        put(&ann, &id, &bob, json!({"mutedUntil": null})).await.expect(200);
        says(&bob, &id, "Thanks").await.expect(201);
    }

    async fn who_is_banned_is_out_and_stays_out(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let (open, secret) = (opens(&ann, "tea", "public").await, opens(&ann, "secret", "private").await);
        joins(&bob, &open).await;
        put(&ann, &secret, &bob, json!({})).await.expect(200);
        let message = said(&bob, &open, "Spam").await;
        for id in [&open, &secret] {
            put(&ann, id, &bob, json!({"banned": true})).await.expect(200);
            put(&ann, id, &bob, json!({"banned": true})).await.expect(200);
            assert_eq!(room(&ann, id).await["memberCount"], 1);
            put(&ann, id, &bob, json!({"role": "moderator"})).await.refused(404, "MEMBER_NOT_FOUND");
            let banned = ann.get(&format!("/api/rooms/{id}/members?banned=true")).await.expect(200);
            assert_eq!(banned.entries()[0]["user"]["username"], "bob");
        }
        bob.post("/api/rooms/tea/join", json!({})).await.refused(403, "BANNED");
        says(&bob, &open, "Let me in").await.refused(403, "BANNED");
        bob.put(&message, json!({"content": "Let me in"})).await.refused(403, "BANNED");
        bob.get("/api/rooms/secret").await.refused(404, "ROOM_NOT_FOUND");
        bob.post("/api/rooms/secret/join", json!({})).await.refused(404, "ROOM_NOT_FOUND");
        assert_eq!(heard(&bob, &open).await.len(), 1, "what is public stays public");
        put(&ann, &secret, &bob, json!({"banned": false})).await.expect(200);
        says(&bob, &secret, "Thank you").await.expect(201);
        assert_eq!(room(&ann, &secret).await["memberCount"], 2);
        let left = app.events("chat.member_left").await;
        assert_eq!((left.len(), &left[0]["banned"]), (2, &json!(true)));
    }

    async fn general_can_be_moderated(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        let general = room(&ann, "general").await["id"].as_str().unwrap().to_owned();
        put(&admin, &general, &ann, json!({"role": "owner"})).await.refused(409, "ROOM_FOR_EVERYBODY");
        put(&admin, &general, &ann, json!({"role": "moderator"})).await.expect(200);
        put(&ann, &general, &bob, json!({"banned": true})).await.expect(200);
        says(&bob, "general", "Hello").await.refused(403, "BANNED");
        assert!(bob.get("/api/rooms").await.expect(200).entries().is_empty());
        app.settle().await;
        bob.post("/api/rooms/general/join", json!({})).await.refused(403, "BANNED");
        put(&ann, &general, &bob, json!({"banned": false})).await.expect(200);
        says(&bob, "general", "Hello").await.expect(201);
    }

    async fn members_of_a_slow_room_wait(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let id = opens(&ann, "tea", "public").await;
        joins(&bob, &id).await;
        ann.patch("/api/rooms/tea", json!({"slowMode": 30})).await.expect(200);
        says(&bob, &id, "One").await.expect(201);
        app.clock.advance(Duration::from_secs(10));
        let refused = says(&bob, &id, "Two").await.refused(429, "SLOW_MODE");
        assert_eq!(refused.header("retry-after"), Some("20"));
        for content in ["Moderators", "need not", "wait"] {
            says(&ann, &id, content).await.expect(201);
        }
        app.clock.advance(Duration::from_secs(20));
        says(&bob, &id, "Two").await.expect(201);
        assert_eq!(room(&ann, &id).await["lastSeq"], 5, "what is refused takes no number");
    }

    async fn members_come_in_pages(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        for number in 0..5 {
            app.clock.advance(Duration::from_secs(1));
            joins(&app.shopper(&format!("user{number}")).await, &id).await;
        }
        let path = format!("/api/rooms/{id}/members?limit=4&total=true");
        let page = ann.get(&path).await.expect(200);
        assert_eq!((page.entries().len(), &page.body["total"]), (4, &json!(6)));
        let cursor = page.body["nextCursor"].as_str().unwrap();
        let rest = ann.get(&format!("/api/rooms/{id}/members?cursor={cursor}")).await.expect(200);
        assert_eq!(rest.entries().len(), 2);
        assert_eq!(rest.entries()[1]["user"]["username"], "user4");
        assert_eq!(ann.get(&format!("/api/rooms/{id}/members?page=2&limit=5")).await.expect(200).entries().len(), 1);
        ann.get(&format!("/api/rooms?cursor={cursor}")).await.refused(400, "INVALID_QUERY");
    }
}
