//! Many at once.

use std::collections::BTreeSet;

use stoa_contracts::chat::RoomId;
use stoa_testing::{TestApp, at_once, each_engine, json, two_nodes};

use crate::{Speaker, direct, joins, opens, room, says};

async fn number(app: &TestApp, sql: &'static str) -> i64 {
    app.read(move |c| c.find(sql, &[], |row| row.read())).await.unwrap()
}

each_engine! {
    async fn race_two_hundred_senders_leave_no_hole(app: TestApp) {
        let ann = app.shopper("ann").await;
        let mut speakers = Vec::new();
        for number in 0..20 {
            speakers.push(Speaker::of(app, &app.shopper(&format!("user{number}")).await));
        }
        let general: RoomId = room(&ann, "general").await["id"].as_str().unwrap().parse().unwrap();
        let senders = (0..200).map(|number| {
            let speaker = speakers[number % 20].clone();
            async move { speaker.says(general, &format!("Message {number}"), None).await.unwrap().message.seq }
        });
        let seqs: BTreeSet<i64> = at_once(senders).await.into_iter().collect();
        assert!(seqs.into_iter().eq(1..=200));
        assert_eq!(room(&ann, "general").await["lastSeq"], 200);
        assert_eq!(number(app, "SELECT COUNT(*) FROM messages").await, 200);
        assert_eq!(app.events("chat.message_sent").await.len(), 200);
    }

    async fn race_senders_over_http_leave_no_hole(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let senders = (0..60).map(|number| {
            let (ann, id) = (ann.clone(), id.clone());
            async move { says(&ann, &id, &format!("Message {number}")).await.expect(201).body["seq"].as_i64().unwrap() }
        });
        let seqs: BTreeSet<i64> = at_once(senders).await.into_iter().collect();
        assert!(seqs.into_iter().eq(1..=60));
    }

    async fn race_fifty_who_open_one_direct_room(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let openers = (0..50).map(|number| {
            let (one, other) = if number % 2 == 0 { (ann.clone(), bob.clone()) } else { (bob.clone(), ann.clone()) };
            async move {
                let answer = direct(&one, &other).await;
                assert!([200, 201].contains(&answer.status), "{}", answer.text);
                (answer.id(), answer.status)
            }
        });
        let opened = at_once(openers).await;
        assert_eq!(opened.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len(), 1);
        assert_eq!(opened.iter().filter(|(_, status)| *status == 201).count(), 1);
        assert_eq!(number(app, "SELECT COUNT(*) FROM rooms WHERE kind = 'direct'").await, 1);
        assert_eq!(room(&ann, &opened[0].0).await["memberCount"], 2);
    }

    async fn race_a_hundred_resends_of_one_message(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let resends = (0..100).map(|_| {
            let (ann, id) = (ann.clone(), id.clone());
            async move {
                let body = json!({"room": id, "content": "Once", "clientId": "c-1"});
                let answer = ann.post("/api/messages", body).await;
                (answer.id(), answer.status)
            }
        });
        let sent = at_once(resends).await;
        assert_eq!(sent.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len(), 1);
        assert_eq!(sent.iter().filter(|(_, status)| *status == 201).count(), 1);
        assert_eq!(sent.iter().filter(|(_, status)| *status == 200).count(), 99);
        assert_eq!(number(app, "SELECT COUNT(*) FROM messages").await, 1);
        assert_eq!(room(&ann, &id).await["lastSeq"], 1);
    }

    async fn race_twenty_who_enter_an_unknown_room(app: TestApp) {
        let mut people = Vec::new();
        for number in 0..20 {
            people.push(Speaker::of(app, &app.shopper(&format!("user{number}")).await));
        }
        let entered = at_once(people.into_iter().map(|one| async move {
            let slug = stoa_chat::Slug::parse("lobby").unwrap();
            one.chat.enter(one.now(), one.visitor, slug).await.unwrap().id
        })).await;
        assert_eq!(entered.iter().collect::<BTreeSet<_>>().len(), 1);
        assert_eq!(number(app, "SELECT member_count FROM rooms WHERE slug = 'lobby'").await, 20);
        assert_eq!(number(app, "SELECT COUNT(*) FROM room_members WHERE role = 'owner'").await, 1);
    }

    async fn race_everybody_leaves_at_once(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let mut people = vec![ann];
        for number in 0..10 {
            let one = app.shopper(&format!("user{number}")).await;
            joins(&one, &id).await;
            people.push(one);
        }
        at_once(people.into_iter().map(|one| async move {
            one.post("/api/rooms/tea/leave", json!({})).await.expect(204);
        })).await;
        assert_eq!(app.events("chat.room_deleted").await.len(), 1);
        app.settle().await;
        assert_eq!(number(app, "SELECT COUNT(*) FROM rooms WHERE slug = 'tea'").await, 0);
    }

    async fn race_reactions_of_one_person_toggle(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        let message = says(&ann, &id, "Tea?").await.id();
        let toggles = (0..31).map(|_| {
            let (ann, path) = (ann.clone(), format!("/api/messages/{message}/react"));
            async move { ann.post(&path, json!({"emoji": "👍"})).await.expect(200); }
        });
        at_once(toggles).await;
        let shown = ann.get(&format!("/api/messages/{message}")).await.expect(200).body;
        assert_eq!(shown["reactions"], json!({"👍": [ann.user_id()]}), "an odd number of times");
        assert_eq!(app.events("chat.message_reaction").await.len(), 31);
    }
}

two_nodes! {
    async fn race_senders_on_two_nodes_leave_no_hole(app: TestApp, other: AnotherNode) {
        let here = app.shopper("ann").await;
        let there = other.seen_by(&here);
        let id = opens(&here, "tea", "public").await;
        let senders = (0..80).map(|number| {
            let (who, id) = (if number % 2 == 0 { here.clone() } else { there.clone() }, id.clone());
            async move {
                let body = json!({"room": id, "content": number.to_string(), "clientId": format!("c-{}", number / 2)});
                let answer = who.post("/api/messages", body).await;
                (answer.body["seq"].as_i64().unwrap(), answer.status)
            }
        });
        let sent = at_once(senders).await;
        assert!(sent.iter().map(|(seq, _)| *seq).collect::<BTreeSet<_>>().into_iter().eq(1..=40), "one for each name");
        assert_eq!(sent.iter().filter(|(_, status)| *status == 201).count(), 40);
    }
}
