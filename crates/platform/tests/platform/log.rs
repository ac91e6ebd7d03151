//! The event log: dense, in commit order, nothing lost and nothing twice, whatever happens to the sequencer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use stoa_kernel::{Random, Timestamp};
use stoa_platform::{
    MIGRATIONS, Occasion,
    database::{Database, DatabaseError},
    each_engine,
    events::{self, Event, Filter, Followers, Offset, PruneEvents, StoredEvent, Tail},
    jobs,
};

use crate::support::{Deposited, Noise, append, clock, deposited, make, occasion, until};

pub(crate) async fn whole_log(database: &Database) -> Vec<StoredEvent> {
    let read = database.read(|c| events::read_after(c, 0, Filter::default(), 1_000_000));
    read.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
}

pub(crate) async fn head(database: &Database) -> Offset {
    database.read(events::head).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
}

const SPAN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

each_engine! { MIGRATIONS;
    async fn an_event_comes_back_as_it_was_appended(db: TestDatabase) {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        assert_eq!(head(&database).await.pos, 0);
        let at = Timestamp::from_micros(1_700_000_000_000_001);
        let mut occasion = occasion();
        (occasion.at, occasion.trace) = (at, Some(SPAN.into()));
        let id = database.write(move |tx| events::append(tx, &occasion, &deposited(7, 3))).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        events::settle(&database).await.unwrap();
        let log = whole_log(&database).await;
        assert_eq!(log, [StoredEvent {
            pos: 1,
            id,
            topic: "account:7".into(),
            kind: "account.deposited".into(),
            aggregate: "account:7".into(),
            version: 3,
            actor: "system:test".into(),
            at,
            payload: r#"{"account":7,"number":3}"#.into(),
            trace: Some(SPAN.into()),
        }]);
        assert_eq!(log[0].payload::<Deposited>().unwrap(), deposited(7, 3));
        let head = head(&database).await;
        assert_eq!(head.pos, 1);
        assert_eq!(head.to_string().parse(), Ok(head));
        followers.drain().await;
    }

    async fn many_are_appended_in_their_order_each_of_its_own_occasion(db: TestDatabase) {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        for count in [0, 1, 2, 300] {
            let appended: Result<(), DatabaseError> = database.write(move |tx| {
                let occasions: Vec<Occasion> = (0..count)
                    .map(|number| Occasion { actor: format!("user:{number}"), ..occasion() })
                    .collect();
                let events: Vec<_> = occasions.iter().zip(1..).map(|(occasion, number)| (occasion, deposited(count, number))).collect();
                events::append_all(tx, &events)
            }).await;
            appended.unwrap();
            events::settle(&database).await.unwrap();
            let log = whole_log(&database).await;
            let appended: Vec<_> = log.iter().filter(|event| event.topic == format!("account:{count}")).collect();
            let numbers = appended.iter().map(|event| event.payload::<Deposited>().unwrap().number);
            assert!(numbers.eq(1..=count));
            let actors = appended.iter().map(|event| event.actor.clone());
            assert!(actors.eq((0..count).map(|number| format!("user:{number}"))));
        }
        followers.drain().await;
    }

    async fn what_is_to_be_forgotten_is_written_anew_where_it_stands(db: TestDatabase) {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        for (account, number) in [(1, 1), (2, 1), (1, 2)] {
            append(&database, deposited(account, number)).await;
        }
        append(&database, Noise {}).await;
        events::settle(&database).await.unwrap();
        let before = whole_log(&database).await;
        let rewritten: Result<(), DatabaseError> = database.write(|tx| {
            events::rewrite(tx, "account:1", &[Deposited::TYPE], |kind, payload| Ok(format!("[{kind:?},{payload}]")))
        }).await;
        rewritten.unwrap();
        let after = whole_log(&database).await;
        for (before, after) in before.iter().zip(&after) {
            let payload = match before.topic.as_str() {
                "account:1" => format!("[\"account.deposited\",{}]", before.payload),
                _ => before.payload.clone(),
            };
            assert_eq!(*after, StoredEvent { payload, ..before.clone() });
        }
        followers.drain().await;
    }

    async fn reading_goes_by_type_topic_and_limit(db: TestDatabase) {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        for number in 1..=4 {
            append(&database, deposited(number % 2, number)).await;
            append(&database, Noise {}).await;
        }
        events::settle(&database).await.unwrap();
        let read = |from: i64, types: &'static [&'static str], topics: &'static [&'static str], limit: u32| {
            let database = database.clone();
            async move {
                let read = database.read(move |c| events::read_after(c, from, Filter { types, topics }, limit));
                let found: Vec<StoredEvent> = read.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
                found.iter().map(|event| event.pos).collect::<Vec<_>>()
            }
        };
        assert_eq!(read(0, &[], &[], 100).await, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(read(3, &[Deposited::TYPE], &[], 100).await, [5, 7]);
        assert_eq!(read(0, &[], &["account:1", "account:0"], 3).await, [1, 3, 5]);
        assert_eq!(read(1, &[Deposited::TYPE, Noise::TYPE], &["account:1"], 9).await, [5]);
        followers.drain().await;
    }

    async fn a_rolled_back_event_never_was(db: TestDatabase) {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        append(&database, deposited(1, 1)).await;
        let refused: Result<(), DatabaseError> = database.write(|tx| {
            events::append(tx, &occasion(), &deposited(1, 2))?;
            Err(DatabaseError::Check("no".into()))
        }).await;
        assert!(refused.is_err());
        append(&database, deposited(1, 2)).await;
        events::settle(&database).await.unwrap();
        let versions: Vec<_> = whole_log(&database).await.iter().map(|event| (event.pos, event.version)).collect();
        assert_eq!(versions, [(1, 1), (2, 2)]);
        followers.drain().await;
    }

    async fn a_tail_hears_everything_from_its_start_in_order(db: TestDatabase) {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        append(&database, deposited(1, 1)).await;
        events::settle(&database).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        // Another node, which appends nothing itself.
        let other = db.open();
        let tail = Tail::start(&other, |_| move |events: Vec<Arc<StoredEvent>>| {
            hears.lock().unwrap().extend(events.iter().map(|event| event.pos));
            std::future::ready(())
        }).await.unwrap();
        for number in 2..=30 {
            append(&database, deposited(number % 3, number)).await;
        }
        until("the tail has heard all", || async { heard.lock().unwrap().len() >= 29 }).await;
        assert_eq!(*heard.lock().unwrap(), (2..=30).collect::<Vec<i64>>());
        drop(tail);
        followers.drain().await;
    }

    async fn a_tail_hears_what_its_own_node_commits_as_the_log_has_it(db: TestDatabase) {
        let (database, other) = (db.open(), db.open());
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let tail = Tail::start(&database, |_| move |events: Vec<Arc<StoredEvent>>| {
            hears.lock().unwrap().extend(events.iter().map(|event| StoredEvent::clone(event)));
            std::future::ready(())
        }).await.unwrap();
        for number in 1..=20 {
            append(&database, deposited(1, number * 10)).await;
            // Some of it is undone, some comes from elsewhere, and some at once.
            let undone: Result<(), DatabaseError> = database.write(move |tx| {
                events::append(tx, &occasion(), &deposited(2, number))?;
                Err(DatabaseError::Defect("on purpose".into()))
            }).await;
            assert!(undone.is_err());
            if number % 5 == 0 {
                append(&other, deposited(3, number)).await;
            }
            let many: Result<(), DatabaseError> = database.write(move |tx| {
                let _undone = tx.savepoint(|tx| {
                    events::append(tx, &occasion(), &deposited(4, number))?;
                    Err::<(), _>(DatabaseError::Defect("on purpose".into()))
                });
                let occasion = occasion();
                let many: Vec<_> = (1..=7).map(|one| (&occasion, deposited(1, number * 10 + one))).collect();
                events::append_all(tx, &many)
            }).await;
            many.unwrap();
        }
        let all = 20 * 8 + 4;
        until("the tail has heard all", || async { heard.lock().unwrap().len() >= all }).await;
        let log = database.read(|c| events::read_after(c, 0, Filter::default(), 1_000)).await.unwrap();
        assert_eq!(*heard.lock().unwrap(), log);
        drop(tail);
        followers.drain().await;
    }

    async fn pruning_keeps_the_newest_and_waits_for_followers(db: TestDatabase) {
        let database = db.open();
        let hand = clock();
        let at = hand.clock();
        let followers = Followers::start(&database, &hand.clock(), vec![]).await.unwrap();
        for number in 1..=6 {
            let mut occasion = occasion();
            occasion.at = at.now();
            hand.advance(Duration::from_hours(24));
            let appended = database.write(move |tx| events::append(tx, &occasion, &deposited(1, number)));
            appended.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        }
        events::settle(&database).await.unwrap();
        followers.drain().await;
        make(&database, "INSERT INTO followers (name, pos) VALUES ('slow', 4)").await;
        let positions = || async { whole_log(&database).await.iter().map(|event| event.pos).collect::<Vec<_>>() };
        assert_eq!(events::prune(&database, at.now() - Duration::from_hours(24 * 4)).await.unwrap(), 2, "by age");
        assert_eq!(positions().await, [3, 4, 5, 6]);
        assert_eq!(events::prune(&database, at.now()).await.unwrap(), 2, "behind the slowest follower");
        assert_eq!(positions().await, [5, 6]);
        make(&database, "UPDATE followers SET pos = 6").await;
        make(&database, "INSERT INTO parked_events (follower, pos, aggregate, reason, parked_at) VALUES ('slow', 5, 'a', 'r', 0)").await;
        assert_eq!(events::prune(&database, at.now()).await.unwrap(), 0, "not what is parked");
        make(&database, "DELETE FROM parked_events").await;
        assert_eq!(events::prune(&database, at.now()).await.unwrap(), 1, "but never the newest");
        assert_eq!(positions().await, [6]);
        let followers = Followers::start(&database, &hand.clock(), vec![]).await.unwrap();
        append(&database, deposited(1, 7)).await;
        events::settle(&database).await.unwrap();
        assert_eq!(positions().await, [6, 7], "and the order goes on");
        followers.drain().await;
    }

    async fn the_prune_job_keeps_what_is_young(db: TestDatabase) {
        let (database, hand) = (db.open(), clock());
        let followers = Followers::start(&database, &hand.clock(), vec![]).await.unwrap();
        for number in 1..=3 {
            let mut occasion = occasion();
            occasion.at = hand.clock().now();
            hand.advance(Duration::from_hours(24));
            let appended = database.write(move |tx| events::append(tx, &occasion, &deposited(1, number)));
            appended.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        }
        events::settle(&database).await.unwrap();
        let occasion = Occasion::system(&hand.clock(), &Random::seeded(1), "test");
        let queued = database.write(move |tx| jobs::enqueue(tx, &occasion, &PruneEvents {}));
        assert!(queued.await.unwrap_or_else(|e: DatabaseError| panic!("{e}")).is_some());
        let handlers = [PruneEvents::handler(&database, Duration::from_hours(36))];
        assert_eq!(jobs::run_due(&database, &hand.clock(), &Random::seeded(2), &handlers).await.unwrap(), 1);
        let left: Vec<i64> = whole_log(&database).await.iter().map(|event| event.pos).collect();
        assert_eq!(left, [3], "those of 72 and 48 hours ago are gone");
        assert_eq!(PruneEvents::schedule().name(), "prune-events");
        followers.drain().await;
    }
}
