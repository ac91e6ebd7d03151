//! Followers: each effect once, in order, whatever fails.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseError, Engine},
    each_engine,
    events::{self, Event, Follower, Followers, FollowersHandle, HandlerError, ParkedEvent, StartAt},
    params,
    testing::{TestDatabase, on_engine},
};

use crate::support::{
    Deposited, LEDGER, Noise, append, clock, deposited, enter, entries, ledger, make, mischief, number,
    until, within_patience,
};

async fn start(database: &Database, followers: Vec<Follower>) -> FollowersHandle {
    Followers::start(database, &clock().clock(), followers).await.unwrap()
}

async fn settled(database: &Database) {
    within_patience("the followers", events::settle(database)).await.unwrap();
}

async fn parked(database: &Database) -> Vec<ParkedEvent> {
    database.read(|c| events::parked(c, "ledger", 100)).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
}

async fn retry_parked(database: &Database) -> u64 {
    let asked = database.write(|tx| events::retry_parked(tx, "ledger"));
    asked.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
}

/// A ledger that refuses number 13 while it is superstitious.
fn superstitious() -> (Follower, Arc<AtomicBool>, Arc<AtomicU32>) {
    let (fears, tries) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let (afraid, counter) = (Arc::clone(&fears), Arc::clone(&tries));
    let follower = Follower::new("ledger", &[Deposited::TYPE], StartAt::Head, move |tx, event| {
        // The effect comes first: it must be undone with the failure.
        enter(tx, event)?;
        if event.payload::<Deposited>()?.number == 13 {
            counter.fetch_add(1, Ordering::SeqCst);
            if afraid.load(Ordering::SeqCst) {
                return Err(HandlerError::new("thirteen"));
            }
        }
        Ok(())
    });
    (follower, fears, tries)
}

each_engine! { MIGRATIONS;
    async fn each_event_has_its_effect_once_and_in_order(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let running = start(&database, vec![ledger(StartAt::Head)]).await;
        for number in 1..=300 {
            append(&database, deposited(number % 7, number)).await;
            if number % 50 == 0 {
                append(&database, Noise {}).await;
            }
        }
        settled(&database).await;
        let entries = entries(&database).await;
        assert_eq!(entries.iter().map(|(_, number)| *number).collect::<Vec<_>>(), (1..=300).collect::<Vec<_>>());
        running.drain().await;
    }

    async fn a_reaction_begins_at_the_head_and_a_projection_at_the_beginning(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let nobody = start(&database, vec![]).await;
        append(&database, deposited(1, 1)).await;
        settled(&database).await;
        let reaction = Follower::new("reaction", &[Deposited::TYPE], StartAt::Head, enter);
        let projection = Follower::new("projection", &[Deposited::TYPE], StartAt::Beginning, enter);
        let running = start(&database, vec![reaction.clone(), projection.clone()]).await;
        append(&database, deposited(1, 2)).await;
        settled(&database).await;
        let numbers = || async { entries(&database).await.into_iter().map(|(_, number)| number).collect::<Vec<_>>() };
        assert_eq!(numbers().await, [1, 2, 2]);
        running.drain().await;
        nobody.drain().await;
        // Where it begins is settled once: what happens while it is away is not missed.
        let nobody = start(&database, vec![]).await;
        append(&database, deposited(1, 3)).await;
        settled(&database).await;
        let running = start(&database, vec![reaction, projection]).await;
        settled(&database).await;
        assert_eq!(numbers().await, [1, 2, 2, 3, 3]);
        running.drain().await;
        nobody.drain().await;
    }

    async fn draining_handles_what_is_committed(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let running = start(&database, vec![ledger(StartAt::Head)]).await;
        for number in 1..=50 {
            append(&database, deposited(1, number)).await;
        }
        within_patience("the drain", running.drain()).await;
        assert_eq!(entries(&database).await.len(), 50);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM followers WHERE runner IS NOT NULL").await, 0);
    }

    async fn effects_that_are_events_are_settled_too(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let echo = Follower::new("echo", &[Noise::TYPE], StartAt::Head, |tx, event| {
            events::append(tx, &crate::support::occasion(), &deposited(9, event.pos))?;
            Ok(())
        });
        let running = start(&database, vec![ledger(StartAt::Head), echo]).await;
        append(&database, Noise {}).await;
        settled(&database).await;
        assert_eq!(entries(&database).await, [(2, 1)]);
        running.drain().await;
    }

    async fn the_place_passes_over_what_is_not_for_it(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let running = start(&database, vec![ledger(StartAt::Head)]).await;
        for _ in 0..20 {
            append(&database, Noise {}).await;
        }
        settled(&database).await;
        until("the place is written", || async { number(&database, "SELECT pos FROM followers").await == 20 }).await;
        let state = database.read(events::followers).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        assert_eq!((state[0].name.as_str(), state[0].lag, state[0].parked), ("ledger", 0, 0));
        running.drain().await;
    }

    async fn a_poisonous_event_is_parked_and_its_aggregate_waits(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let (follower, fears, tries) = superstitious();
        let running = start(&database, vec![follower]).await;
        for number in [12, 13, 14, 15] {
            append(&database, deposited(number % 2, number)).await;
        }
        settled(&database).await;
        assert_eq!(tries.load(Ordering::SeqCst), 5, "tried five times");
        let found = parked(&database).await;
        assert_eq!(found.iter().map(|event| event.pos).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(found[0].reason, "thirteen");
        assert!(found[1].reason.contains("behind event 2"), "{}", found[1].reason);
        assert_eq!(entries(&database).await, [(1, 12), (3, 14)], "the other aggregate goes on");

        // Still poisonous: nothing passes it.
        assert_eq!(retry_parked(&database).await, 2);
        settled(&database).await;
        assert_eq!(parked(&database).await.len(), 2);
        assert_eq!(entries(&database).await.len(), 2);

        // Mended: in order, and what came meanwhile goes on from there.
        fears.store(false, Ordering::SeqCst);
        assert_eq!(retry_parked(&database).await, 2);
        settled(&database).await;
        assert!(parked(&database).await.is_empty());
        append(&database, deposited(1, 17)).await;
        settled(&database).await;
        assert_eq!(entries(&database).await, [(1, 12), (2, 13), (3, 14), (4, 15), (5, 17)]);
        running.drain().await;
    }

    async fn an_order_free_follower_lets_the_aggregate_pass(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let (follower, _, _) = superstitious();
        let running = start(&database, vec![follower.order_free()]).await;
        for number in [13, 15] {
            append(&database, deposited(1, number)).await;
        }
        settled(&database).await;
        assert_eq!(parked(&database).await.len(), 1);
        assert_eq!(entries(&database).await, [(2, 15)]);
        running.drain().await;
    }

    async fn a_panic_is_a_failure_like_any_other(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let follower = Follower::new("ledger", &[Deposited::TYPE], StartAt::Head, |tx, event| {
            enter(tx, event)?;
            assert_ne!(event.version, 13, "on purpose");
            Ok(())
        });
        let running = start(&database, vec![follower]).await;
        for number in [12, 13, 14] {
            append(&database, deposited(number, number)).await;
        }
        settled(&database).await;
        assert_eq!(parked(&database).await[0].reason, "the handler panicked");
        assert_eq!(entries(&database).await, [(1, 12), (3, 14)]);
        running.drain().await;
    }

    async fn a_swallowed_sql_error_is_a_failure_too(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let follower = Follower::new("ledger", &[Deposited::TYPE], StartAt::Head, |tx, event| {
            enter(tx, event)?;
            if event.version == 13 {
                let _ = tx.execute("INSERT INTO ledger (pos) VALUES ($1)", params![event.pos]);
            }
            Ok(())
        });
        let running = start(&database, vec![follower]).await;
        for number in [12, 13, 14] {
            append(&database, deposited(number, number)).await;
        }
        settled(&database).await;
        assert_eq!(parked(&database).await.len(), 1);
        assert_eq!(entries(&database).await, [(1, 12), (3, 14)]);
        running.drain().await;
    }

    async fn a_failing_engine_is_no_attempt(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let failures = Arc::new(AtomicU32::new(6));
        let left = Arc::clone(&failures);
        let follower = Follower::new("ledger", &[Deposited::TYPE], StartAt::Head, move |tx, event| {
            enter(tx, event)?;
            if left.load(Ordering::SeqCst) > 0 {
                left.fetch_sub(1, Ordering::SeqCst);
                return Err(DatabaseError::Unavailable("on purpose".into()).into());
            }
            Ok(())
        });
        let running = start(&database, vec![follower]).await;
        append(&database, deposited(1, 1)).await;
        settled(&database).await;
        assert_eq!(failures.load(Ordering::SeqCst), 0, "tried more often than an event is");
        assert!(parked(&database).await.is_empty());
        assert_eq!(entries(&database).await, [(1, 1)]);
        running.drain().await;
    }

    async fn a_projection_may_be_taken_back(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let running = start(&database, vec![ledger(StartAt::Beginning)]).await;
        for number in 1..=3 {
            append(&database, deposited(1, number)).await;
        }
        settled(&database).await;
        make(&database, "DELETE FROM ledger; UPDATE followers SET pos = 0").await;
        until("it is built anew", || async { entries(&database).await.len() == 3 }).await;
        running.drain().await;
    }
}

/// Two nodes, one of them killed in the middle: the other takes over and no effect is lost or doubled.
#[test]
fn another_node_takes_over() {
    on_engine(Engine::Postgres, MIGRATIONS, |db| async move {
        let (one, other) = (db.open(), db.open());
        make(&one, LEDGER).await;
        let first = start(&one, vec![ledger(StartAt::Head)]).await;
        let second = start(&other, vec![ledger(StartAt::Head)]).await;
        for number in 1..=100 {
            append(&other, deposited(number % 5, number)).await;
        }
        until("half is done", || async { entries(&other).await.len() >= 50 }).await;
        // Without a farewell: its tasks just end.
        drop(first);
        drop(one);
        for number in 101..=150 {
            append(&other, deposited(number % 5, number)).await;
        }
        until("all is done", || async { entries(&other).await.len() >= 150 }).await;
        second.drain().await;
        let numbers: Vec<i64> = entries(&other).await.into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers, (1..=150).collect::<Vec<_>>());
    });
}

/// Its connections are killed in the middle of effects and commits, again and again.
#[test]
fn lost_connections_neither_lose_nor_double_effects() {
    on_engine(Engine::Postgres, MIGRATIONS, |db| async move {
        let (writer, node) = (db.open(), db.open());
        make(&writer, LEDGER).await;
        let running = start(&node, vec![ledger(StartAt::Head)]).await;
        let (mut killed, mut number) = (0, 0);
        within_patience("enough mischief", async {
            while killed < 20 {
                for _ in 0..10 {
                    number += 1;
                    append_surely(&writer, number).await;
                }
                killed += kill_busy(&db).await;
            }
        })
        .await;
        until("all is entered", || async { i64::try_from(entries(&writer).await.len()).unwrap() >= number })
            .await;
        within_patience("the drain", running.drain()).await;
        let numbers: Vec<i64> = entries(&writer).await.into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers, (1..=number).collect::<Vec<_>>());
        assert_eq!(crate::support::number(&writer, "SELECT COUNT(*) FROM parked_events").await, 0);
    });
}

/// The writer's connections are hit as well: it asks what became of a commit before it tries again.
async fn append_surely(database: &Database, number: i64) {
    let known = "SELECT 1 FROM events WHERE version = $1";
    loop {
        let appended: Result<(), DatabaseError> = database
            .write(move |tx| {
                if tx.find(known, params![number], |row| row.read::<i64>())?.is_none() {
                    events::append(tx, &crate::support::occasion(), &deposited(number % 5, number))?;
                }
                Ok(())
            })
            .await;
        if appended.is_ok() {
            return;
        }
    }
}

/// Ends every connection that is at work just now.
async fn kill_busy(db: &TestDatabase) -> i64 {
    mischief(db, |client| {
        let kill = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        client.query_one(kill, &[]).unwrap().get(0)
    })
    .await
}
