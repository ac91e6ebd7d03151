//! In which order messages are said, and how many wait.

use std::collections::BTreeSet;

use stoa_chat::ChatError;
use stoa_contracts::chat::RoomId;
use stoa_testing::{at_once, each_engine};

use crate::{Speaker, opens};

each_engine! {
    async fn a_thousand_sent_without_waiting_keep_their_order(app: TestApp) {
        let ann = app.shopper("ann").await;
        let room: RoomId = opens(&ann, "tea", "public").await.parse().unwrap();
        let speaker = Speaker::of(app, &ann);
        let sending: Vec<_> = (0..1_000).map(|number| speaker.says(room, &number.to_string(), None)).collect();
        for (seq, sent) in (1..).zip(at_once(sending).await) {
            let message = sent.unwrap().message;
            assert_eq!((message.seq, message.content), (seq, (seq - 1).to_string()));
        }
        let kept = app.read(|c| c.query("SELECT content FROM messages ORDER BY seq", &[], |row| row.read::<String>())).await;
        assert_eq!(kept, (0..1_000).map(|number| number.to_string()).collect::<Vec<_>>());
        let told = app.events("chat.message_sent").await;
        assert!(told.iter().map(|event| event["message"]["seq"].as_i64().unwrap()).eq(1..=1_000), "and are told in it");
    }

    async fn a_future_that_is_dropped_is_said_all_the_same(app: TestApp) {
        let ann = app.shopper("ann").await;
        let room: RoomId = opens(&ann, "tea", "public").await.parse().unwrap();
        let speaker = Speaker::of(app, &ann);
        drop(speaker.says(room, "Dropped", None));
        let after = speaker.says(room, "Awaited", None).await.unwrap();
        assert_eq!(after.message.seq, 2);
    }

    async fn more_than_can_wait_is_refused_and_leaves_no_hole(app: TestApp) {
        let ann = app.shopper("ann").await;
        let room: RoomId = opens(&ann, "tea", "public").await.parse().unwrap();
        let speaker = Speaker::of(app, &ann);
        let sending: Vec<_> = (0..2_500).map(|number| speaker.says(room, &number.to_string(), None)).collect();
        let (mut seqs, mut refused) = (BTreeSet::new(), 0_usize);
        for sent in at_once(sending).await {
            match sent {
                Ok(sent) => assert!(seqs.insert(sent.message.seq)),
                Err(ChatError::Busy(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(seqs.len() + refused, 2_500);
        assert!((1..).zip(&seqs).all(|(expected, seq)| *seq == expected));
        assert!(refused > 0);
    }
}
