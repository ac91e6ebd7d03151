//! The event log: dense, in commit order, nothing lost and nothing twice, whatever happens to the sequencer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use stoa_kernel::{Random, Timestamp};
use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseError, Engine},
    each_engine,
    events::{self, Event, Filter, Followers, Offset, StoredEvent, Tail},
    params,
    testing::{TestDatabase, on_engine},
};

use crate::support::{
    Deposited, Noise, append, clock, deposited, make, mischief, number, occasion, until, within_patience,
};

async fn whole_log(database: &Database) -> Vec<StoredEvent> {
    let read = database.read(|c| events::read_after(c, 0, Filter::default(), 1_000_000));
    read.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
}

async fn head(database: &Database) -> Offset {
    database.read(events::head).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
}

each_engine! { MIGRATIONS;
    async fn an_event_comes_back_as_it_was_appended(db: TestDatabase) {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        assert_eq!(head(&database).await.pos, 0);
        let at = Timestamp::from_micros(1_700_000_000_000_001);
        let mut occasion = occasion();
        occasion.at = at;
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
        }]);
        assert_eq!(log[0].payload::<Deposited>().unwrap(), deposited(7, 3));
        let head = head(&database).await;
        assert_eq!(head.pos, 1);
        assert_eq!(head.to_string().parse(), Ok(head));
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
        let tail = Tail::start(&other, move |events| {
            hears.lock().unwrap().extend(events.iter().map(|event| event.pos));
        }).await.unwrap();
        for number in 2..=30 {
            append(&database, deposited(number % 3, number)).await;
        }
        until("the tail has heard all", || async { heard.lock().unwrap().len() >= 29 }).await;
        assert_eq!(*heard.lock().unwrap(), (2..=30).collect::<Vec<i64>>());
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

    async fn many_writers_and_one_order(db: TestDatabase) {
        storm(&db, 16, 20, None).await;
    }
}

const ACCOUNTS: &str = "CREATE TABLE accounts (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)";
const ACCOUNT_COUNT: i64 = 10;

/// Every transaction raises the version of one account (so it holds its lock), appends the event, dawdles, and sometimes
/// rolls back.
async fn write_some(
    database: Database,
    random: Random,
    count: u64,
    newest_answered: Arc<AtomicI64>,
    ledger: Arc<Ledger>,
) {
    for _ in 0..count {
        let account = i64::try_from(random.below(ACCOUNT_COUNT.unsigned_abs())).unwrap();
        let (first, rest) = (random.below(3_000), random.below(6_000));
        let roll_back = random.below(20) == 0;
        let clock = newest_answered.fetch_add(1, Ordering::SeqCst);
        let written = database
            .write(move |tx| {
                std::thread::sleep(Duration::from_micros(first));
                let version: i64 = tx
                    .find(
                        "UPDATE accounts SET version = version + 1 WHERE id = $1 RETURNING version",
                        params![account],
                        |row| row.read(),
                    )?
                    .unwrap();
                let id = events::append(tx, &occasion(), &deposited(account, version))?;
                std::thread::sleep(Duration::from_micros(rest));
                if roll_back { Err(DatabaseError::Check("rolled back on purpose".into())) } else { Ok(id) }
            })
            .await;
        match written {
            Ok(id) => {
                let answered = newest_answered.fetch_add(1, Ordering::SeqCst);
                ledger.lock().unwrap().insert(id.to_string(), (clock, answered));
            }
            Err(DatabaseError::Check(_)) => assert!(roll_back),
            Err(error) => panic!("{error}"),
        }
    }
}

/// When each write was begun and answered, on one clock that only ticks for that.
type Ledger = Mutex<BTreeMap<String, (i64, i64)>>;

async fn storm(db: &TestDatabase, writers: u64, each: u64, killer: Option<&AtomicBool>) {
    let database = db.open();
    make(&database, ACCOUNTS).await;
    let fill = database.write(|tx| {
        (0..ACCOUNT_COUNT).try_for_each(|id| {
            tx.execute("INSERT INTO accounts (id, version) VALUES ($1, 0)", params![id]).map(drop)
        })
    });
    fill.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
    let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
    let (ticks, ledger) = (Arc::new(AtomicI64::new(0)), Arc::new(Ledger::default()));
    let watcher = tokio::spawn(watch(database.clone()));
    let tasks: Vec<_> = (0..writers)
        .map(|seed| {
            // Each writer has connections of its own kind: two handles are two nodes.
            let database = if seed % 2 == 0 { database.clone() } else { db.open() };
            tokio::spawn(write_some(
                database,
                Random::seeded(seed),
                each,
                Arc::clone(&ticks),
                Arc::clone(&ledger),
            ))
        })
        .collect();
    for task in tasks {
        within_patience("the writers", task).await.unwrap();
    }
    if let Some(killer) = killer {
        killer.store(false, Ordering::SeqCst);
    }
    within_patience("the sequencer", events::settle(&database)).await.unwrap();
    assert!(!watcher.is_finished(), "the onlooker saw a hole");
    watcher.abort();
    check(&whole_log(&database).await, &ledger.lock().unwrap());
    followers.drain().await;
}

/// Looks on from the side: whoever has read up to a place never finds anything at or below it later.
async fn watch(database: Database) {
    let mut seen = 0;
    loop {
        let events = database.read(move |c| events::read_after(c, seen, Filter::default(), 1_000)).await;
        for event in events.unwrap_or_else(|e: DatabaseError| panic!("{e}")) {
            assert_eq!(event.pos, seen + 1, "a hole that may be filled later");
            seen = event.pos;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn check(log: &[StoredEvent], ledger: &BTreeMap<String, (i64, i64)>) {
    let ids: BTreeSet<String> = log.iter().map(|event| event.id.to_string()).collect();
    assert_eq!(ids.len(), log.len(), "none twice");
    assert_eq!(ids, ledger.keys().cloned().collect(), "all that were answered, and no other");
    let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
    for (place, event) in (1_i64..).zip(log) {
        assert_eq!(event.pos, place, "dense");
        let version = versions.entry(&event.aggregate).or_default();
        assert_eq!(event.version, *version + 1, "an aggregate's versions in order");
        *version = event.version;
    }
    // Commit order, as far as anybody can tell from outside: what was answered before another began comes before it.
    let mut latest_begin = 0;
    for event in log {
        let (begun, answered) = ledger[&event.id.to_string()];
        assert!(
            answered > latest_begin,
            "{} was answered before one that has a lower place began",
            event.pos
        );
        latest_begin = latest_begin.max(begun);
    }
}

fn on_postgres<F: Future<Output = ()>>(test: impl FnOnce(TestDatabase) -> F) {
    on_engine(Engine::Postgres, MIGRATIONS, test);
}

#[test]
fn a_storm_with_the_sequencer_killed_again_and_again() {
    on_postgres(|db| async move {
        let db = Arc::new(db);
        let going = Arc::new(AtomicBool::new(true));
        let killer = {
            let (db, going) = (Arc::clone(&db), Arc::clone(&going));
            tokio::spawn(async move {
                let mut killed = 0;
                while going.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(40)).await;
                    killed += kill_sequencer(&db).await;
                }
                killed
            })
        };
        // Another node stands by.
        let other = db.open();
        let followers = Followers::start(&other, &clock().clock(), vec![]).await.unwrap();
        storm(&db, 32, 40, Some(&going)).await;
        let deaths = killer.await.unwrap();
        assert!(deaths >= 3, "the sequencer was killed {deaths} times");
        followers.drain().await;
    });
}

/// Ends the connection that holds the sequencer's lock; answers how many did.
async fn kill_sequencer(db: &TestDatabase) -> i64 {
    mischief(db, |client| {
        client.query_one(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks
             WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            &[],
        )
        .unwrap()
        .get(0)
    })
    .await
}

async fn sequencers(db: &TestDatabase) -> i64 {
    mischief(db, |client| {
        client.query_one(
            "SELECT COUNT(*) FROM pg_locks
             WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            &[],
        )
        .unwrap()
        .get(0)
    })
    .await
}

#[test]
fn there_is_one_sequencer_and_another_takes_over() {
    on_postgres(|db| async move {
        let (one, other) = (db.open(), db.open());
        let first = Followers::start(&one, &clock().clock(), vec![]).await.unwrap();
        let second = Followers::start(&other, &clock().clock(), vec![]).await.unwrap();
        for round in 1..=5 {
            append(if round % 2 == 0 { &one } else { &other }, deposited(1, round)).await;
            until("it has its place", || async { head(&one).await.pos == round }).await;
            assert_eq!(kill_sequencer(&db).await, 1);
        }
        // The node that leaves hands over, too.
        drop(first);
        append(&other, deposited(1, 6)).await;
        until("the other node numbers", || async { head(&one).await.pos == 6 }).await;
        second.drain().await;
        until("nobody is left", || async { sequencers(&db).await == 0 }).await;
    });
}

/// The trap that a watermark of the wrong kind falls into: a transaction that began late draws a low number and commits
/// long after higher ones have got their place.
#[test]
fn a_low_number_that_commits_late_is_not_forgotten() {
    on_postgres(|db| async move {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        let (begun, begins) = std::sync::mpsc::channel();
        let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
        let late = {
            let config = crate::support::postgres_config(&db);
            std::thread::spawn(move || {
                let mut client = config.connect(postgres::NoTls).unwrap();
                let mut transaction = client.transaction().unwrap();
                let sql = "INSERT INTO events (id, topic, type, aggregate, version, actor, at, payload)
                     VALUES (gen_random_uuid(), 'late', 'late.event', 'late', 1, 'test', 0, '{}')";
                transaction.execute(sql, &[]).unwrap();
                begun.send(()).unwrap();
                goes_on.recv().unwrap();
                transaction.commit().unwrap();
            })
        };
        tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
        // Longer than the floor takes to be sampled, twice.
        let begun = std::time::Instant::now();
        let mut number = 0;
        while begun.elapsed() < Duration::from_millis(2_500) {
            number += 1;
            append(&database, deposited(1, number)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        go_on.send(()).unwrap();
        late.join().unwrap();
        until("the late one has its place", || async { head(&database).await.pos == number + 1 }).await;
        let log = whole_log(&database).await;
        assert_eq!(log.last().unwrap().kind, "late.event");
        followers.drain().await;
    });
}

#[test]
fn an_old_snapshot_stops_nothing() {
    on_postgres(|db| async move {
        let database = db.open();
        let followers = Followers::start(&database, &clock().clock(), vec![]).await.unwrap();
        append(&database, deposited(1, 1)).await;
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (holds, held) = std::sync::mpsc::channel();
        let config = crate::support::postgres_config(&db);
        let holder = std::thread::spawn(move || {
            let mut client = config.connect(postgres::NoTls).unwrap();
            client
                .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT COUNT(*) FROM events")
                .unwrap();
            holds.send(()).unwrap();
            released.recv().unwrap();
        });
        tokio::task::spawn_blocking(move || held.recv().unwrap()).await.unwrap();
        for number in 2..=200 {
            append(&database, deposited(1, number)).await;
        }
        within_patience("the sequencer", events::settle(&database)).await.unwrap();
        assert_eq!(head(&database).await.pos, 200);
        release.send(()).unwrap();
        holder.join().unwrap();
        assert_eq!(number(&database, "SELECT COUNT(*) FROM events WHERE pos IS NULL").await, 0);
        followers.drain().await;
    });
}
