//! The order of the log while many write at once, roll back, hang, and the sequencer dies.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use stoa_kernel::Random;
use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseError, Engine},
    each_engine,
    events::{self, Filter, Followers, StoredEvent},
    params,
    testing::{TestDatabase, on_engine},
};

use crate::{
    log::{head, whole_log},
    support::{append, clock, deposited, make, mischief, number, occasion, until, within_patience},
};

each_engine! { MIGRATIONS;
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
