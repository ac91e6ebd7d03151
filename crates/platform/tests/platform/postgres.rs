//! What only PostgreSQL has to prove: conflicts are run again, and lost connections are told for what they are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseError, Engine, Tx},
    params,
    testing::{TestDatabase, on_engine},
};

use crate::support::{make, mischief, number, terminate, within_patience};

fn on_postgres<F: Future<Output = ()>>(test: impl FnOnce(TestDatabase) -> F) {
    on_engine(Engine::Postgres, MIGRATIONS, test);
}

const COUNTERS: &str = "CREATE TABLE counters (id BIGINT PRIMARY KEY, value BIGINT NOT NULL);
     INSERT INTO counters VALUES (1, 0), (2, 0)";

fn bump(tx: &mut Tx<'_>, id: i64) -> Result<u64, DatabaseError> {
    tx.execute("UPDATE counters SET value = value + 1 WHERE id = $1", params![id])
}

#[test]
fn deadlocks_are_run_again() {
    on_postgres(|db| async move {
        let database = db.open();
        make(&database, COUNTERS).await;
        let tries = Arc::new(AtomicU32::new(0));
        let crossing = |first: i64, second: i64| {
            let (database, tries) = (database.clone(), Arc::clone(&tries));
            async move {
                for _ in 0..3 {
                    let tries = Arc::clone(&tries);
                    let crossed = database.write(move |tx| {
                        tries.fetch_add(1, Ordering::SeqCst);
                        bump(tx, first)?;
                        std::thread::sleep(Duration::from_millis(30));
                        bump(tx, second)
                    });
                    crossed.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
                }
            }
        };
        within_patience("crossing updates", async { tokio::join!(crossing(1, 2), crossing(2, 1)) }).await;
        assert!(tries.load(Ordering::SeqCst) > 6, "there was no deadlock to prove anything by");
        assert_eq!(number(&database, "SELECT MIN(value) FROM counters").await, 6);
        assert_eq!(number(&database, "SELECT MAX(value) FROM counters").await, 6);
    });
}

#[test]
fn a_deadlock_inside_a_savepoint_is_run_again_too() {
    on_postgres(|db| async move {
        let database = db.open();
        make(&database, COUNTERS).await;
        let tries = Arc::new(AtomicU32::new(0));
        let crossing = |first: i64, second: i64| {
            let (database, tries) = (database.clone(), Arc::clone(&tries));
            async move {
                let crossed = database.write(move |tx| {
                    tries.fetch_add(1, Ordering::SeqCst);
                    bump(tx, first)?;
                    std::thread::sleep(Duration::from_millis(100));
                    tx.savepoint(|tx| bump(tx, second))
                });
                crossed.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
            }
        };
        within_patience("crossing updates", async { tokio::join!(crossing(1, 2), crossing(2, 1)) }).await;
        assert!(tries.load(Ordering::SeqCst) > 2, "there was no deadlock to prove anything by");
        assert_eq!(number(&database, "SELECT MIN(value) FROM counters").await, 2);
    });
}

#[test]
fn serialization_failures_are_run_again() {
    on_postgres(|db| async move {
        let database = db.open();
        make(&database, COUNTERS).await;
        let tries = Arc::new(AtomicU32::new(0));
        let strict = || {
            let (database, tries) = (database.clone(), Arc::clone(&tries));
            async move {
                let counted = database.write(move |tx| {
                    tries.fetch_add(1, Ordering::SeqCst);
                    tx.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", &[])?;
                    let value: i64 = tx
                        .find("SELECT value FROM counters WHERE id = 1", &[], |row| row.read())?
                        .unwrap_or(0);
                    std::thread::sleep(Duration::from_millis(30));
                    tx.execute("UPDATE counters SET value = $1 WHERE id = 1", params![value + 1])
                });
                counted.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
            }
        };
        tokio::join!(strict(), strict(), strict());
        assert!(tries.load(Ordering::SeqCst) > 3, "there was no conflict to prove anything by");
        assert_eq!(number(&database, "SELECT value FROM counters WHERE id = 1").await, 3);
    });
}

#[test]
fn idle_connections_that_were_killed_are_replaced() {
    on_postgres(|db| async move {
        let database = db.open();
        make(&database, COUNTERS).await;
        for _ in 0..3 {
            terminate(&db, "%").await;
            // Nothing was done on them yet, so a write does not even notice.
            for _ in 0..8 {
                database.write(|tx| bump(tx, 1)).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
            }
        }
        for _ in 0..3 {
            terminate(&db, "%").await;
            // Nor does a read.
            for _ in 0..8 {
                assert_eq!(number(&database, "SELECT value FROM counters WHERE id = 1").await, 24);
            }
        }
    });
}

#[test]
fn a_connection_killed_inside_a_transaction_is_unavailable_and_recovers() {
    on_postgres(|db| async move {
        let database = db.open();
        make(&database, COUNTERS).await;
        let slow = {
            let database = database.clone();
            tokio::spawn(async move {
                let slow = database.write(|tx| {
                    bump(tx, 1)?;
                    tx.execute("SELECT pg_sleep(60) /* slow */", &[])
                });
                slow.await
            })
        };
        within_patience("the slow statement runs", async {
            while terminate(&db, "SELECT pg_sleep(60) /* slow */%").await == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let lost: Result<u64, DatabaseError> = slow.await.unwrap();
        assert!(matches!(lost, Err(DatabaseError::Unavailable(_))), "{lost:?}");
        database.write(|tx| bump(tx, 1)).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        assert_eq!(number(&database, "SELECT value FROM counters WHERE id = 1").await, 1);
    });
}

/// A deferred trigger makes COMMIT itself slow, so that it can be killed in the middle of it.
#[test]
fn a_connection_killed_during_commit_leaves_the_outcome_unknown() {
    on_postgres(|db| async move {
        let database = db.open();
        make(
            &database,
            "CREATE TABLE slow (id BIGINT PRIMARY KEY);
             CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION dawdle()",
        )
        .await;
        let commit = {
            let database = database.clone();
            tokio::spawn(async move { insert_slow(&database).await })
        };
        within_patience("the commit runs", async {
            while terminate(&db, "COMMIT").await == 0 || !commit.is_finished() && committing(&db).await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let lost = commit.await.unwrap();
        assert!(matches!(lost, Err(DatabaseError::CommitUnknown(_))), "{lost:?}");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM slow").await, 0);
    });
}

async fn insert_slow(database: &Database) -> Result<u64, DatabaseError> {
    database.write(|tx| tx.execute("INSERT INTO slow VALUES (1)", &[])).await
}

async fn committing(db: &TestDatabase) -> bool {
    mischief(db, |client| {
        let active = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
             WHERE datname = current_database() AND state = 'active' AND query = 'COMMIT')";
        client.query_one(active, &[]).unwrap().get(0)
    })
    .await
}
