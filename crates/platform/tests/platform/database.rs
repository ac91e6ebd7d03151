//! What every engine of the database door keeps to.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use stoa_kernel::{Clock, Timestamp};
use stoa_platform::{
    MIGRATIONS,
    database::{DatabaseError, Migration, MigrationError, Tx, Value, migrate, pending_migrations},
    each_engine, params,
};
use uuid::Uuid;

use crate::support::{make, number, within_patience};

const ITEMS: &str =
    "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT NOT NULL, size BIGINT NOT NULL DEFAULT 0,
     CONSTRAINT items_name_key UNIQUE (name), CONSTRAINT items_size_check CHECK (size >= 0));
     CREATE TABLE parts (item BIGINT NOT NULL REFERENCES items (id))";

fn insert(tx: &mut Tx<'_>, id: i64, name: &str) -> Result<(), DatabaseError> {
    tx.execute("INSERT INTO items (id, name) VALUES ($1, $2)", params![id, name]).map(drop)
}

type Kinds = (
    Option<bool>,
    Option<i32>,
    Option<i64>,
    Option<String>,
    Option<Uuid>,
    Option<Timestamp>,
    Option<Vec<u8>>,
);

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("not today")]
    NotToday,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

each_engine! { MIGRATIONS;
    async fn parameters_are_bound_by_number_whatever_their_order(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        let found = database.write(|tx| {
            insert(tx, 1, "one")?;
            let changed = tx.execute("UPDATE items SET name = $2, size = $3 WHERE id = $1", params![1_i64, "uno", 7_i64])?;
            let found = tx.find(
                "SELECT name, size, '$1' FROM items WHERE name = $2 AND id = $1 AND $2 = name",
                params![1_i64, "uno"],
                |row| Ok((row.read::<String>()?, row.read::<i64>()?, row.read::<String>()?)),
            )?;
            Ok::<_, DatabaseError>((changed, found))
        }).await.unwrap();
        assert_eq!(found, (1, Some(("uno".into(), 7, "$1".into()))));
    }

    async fn values_of_every_type_come_back_as_they_went(db: TestDatabase) {
        let database = db.open();
        make(&database, "CREATE TABLE kinds (place BIGINT, flag BOOLEAN, small INTEGER, large BIGINT, words TEXT, id UUID, at BIGINT)").await;
        let blob = if db.engine() == stoa_platform::database::Engine::Sqlite { "BLOB" } else { "BYTEA" };
        let sql = format!("ALTER TABLE kinds ADD COLUMN bytes {blob}");
        database.write(move |tx| tx.batch(&sql)).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        let id = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
        let at = Timestamp::from_micros(1_700_000_000_123_456);
        database.write(move |tx| {
            tx.execute(
                "INSERT INTO kinds (place, flag, small, large, words, id, at, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                params![1_i64, true, -3_i32, i64::MIN, "naïve 🦀 'quoted' $1", id, at, vec![0_u8, 255, 39]],
            )?;
            let nothing = [Value::from(2_i64), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, Value::Null];
            tx.execute(
                "INSERT INTO kinds (place, flag, small, large, words, id, at, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                &nothing,
            )?;
            Ok::<_, DatabaseError>(())
        }).await.unwrap();
        let rows: Vec<Kinds> = database.read(|c| {
            c.query("SELECT flag, small, large, words, id, at, bytes FROM kinds ORDER BY place", &[], |row| {
                Ok((row.read()?, row.read()?, row.read()?, row.read()?, row.read()?, row.read()?, row.read()?))
            })
        }).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        let full = (Some(true), Some(-3), Some(i64::MIN), Some("naïve 🦀 'quoted' $1".to_owned()), Some(id), Some(at), Some(vec![0, 255, 39]));
        assert_eq!(rows, [full, (None, None, None, None, None, None, None)]);
    }

    async fn a_null_read_as_a_value_is_a_decoding_error(db: TestDatabase) {
        let database = db.open();
        let read = database.get(|c| c.find("SELECT CAST(NULL AS BIGINT)", &[], |row| row.read::<i64>())).await;
        assert!(matches!(read, Err(DatabaseError::Decode(_))), "{read:?}");
    }

    async fn an_error_leaves_nothing_behind(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        let refused = database.write(|tx| {
            insert(tx, 1, "one")?;
            Err::<(), _>(Refused::NotToday)
        }).await;
        assert!(matches!(refused, Err(Refused::NotToday)));
        assert_eq!(number(&database, "SELECT COUNT(*) FROM items").await, 0);
    }

    async fn a_swallowed_error_cannot_commit(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        let swallowed = database.write(|tx| {
            insert(tx, 1, "one")?;
            let _ = insert(tx, 1, "other");
            Ok::<_, DatabaseError>(())
        }).await;
        assert!(swallowed.unwrap_err().is_unique("items_pkey"));
        let hidden = database.write(|tx| {
            insert(tx, 1, "one")?;
            let _ = insert(tx, 2, "one");
            // A savepoint afterwards must not make it forgotten.
            let _ = tx.savepoint(|tx| insert(tx, 3, "three"));
            Ok::<_, DatabaseError>(())
        }).await;
        assert!(hidden.is_err());
        assert_eq!(number(&database, "SELECT COUNT(*) FROM items").await, 0);
    }

    async fn a_failed_savepoint_keeps_the_rest(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        let heard = Arc::new(AtomicU32::new(0));
        let (inner, outer) = (Arc::clone(&heard), Arc::clone(&heard));
        database.write(move |tx| {
            insert(tx, 1, "one")?;
            let (inner, outer) = (Arc::clone(&inner), Arc::clone(&outer));
            tx.after_commit(move || { outer.fetch_add(1, Ordering::SeqCst); });
            let failed = tx.savepoint(|tx| {
                tx.after_commit(move || { inner.fetch_add(100, Ordering::SeqCst); });
                insert(tx, 2, "two")?;
                insert(tx, 3, "one")
            });
            assert!(failed.unwrap_err().is_unique("items_name_key"));
            tx.savepoint(|tx| { insert(tx, 4, "four")?; tx.savepoint(|tx| insert(tx, 5, "five")) })
        }).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        assert_eq!(number(&database, "SELECT CAST(SUM(id) AS BIGINT) FROM items").await, 10);
        assert_eq!(heard.load(Ordering::SeqCst), 1, "hooks of the failed savepoint are dropped");
    }

    async fn constraints_are_told_apart_by_name(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        let tried = |sql: &'static str| {
            let database = database.clone();
            async move { database.write(move |tx| tx.execute(sql, &[])).await.map_err(|e: DatabaseError| e) }
        };
        tried("INSERT INTO items (id, name) VALUES (1, 'one')").await.unwrap();
        assert!(tried("INSERT INTO items (id, name) VALUES (2, 'one')").await.unwrap_err().is_unique("items_name_key"));
        assert!(tried("INSERT INTO items (id, name) VALUES (1, 'two')").await.unwrap_err().is_unique("items_pkey"));
        let check = tried("INSERT INTO items (id, name, size) VALUES (3, 'three', -1)").await;
        assert!(matches!(&check, Err(DatabaseError::Check(name)) if name == "items_size_check"), "{check:?}");
        let null = tried("INSERT INTO items (id, name) VALUES (3, NULL)").await;
        assert!(matches!(&null, Err(DatabaseError::Check(name)) if name.ends_with("name")), "{null:?}");
        assert!(matches!(tried("INSERT INTO parts (item) VALUES (9)").await, Err(DatabaseError::ForeignKey)));
        tried("INSERT INTO parts (item) VALUES (1)").await.unwrap();
        assert!(matches!(tried("DELETE FROM items WHERE id = 1").await, Err(DatabaseError::ForeignKey)));
    }

    async fn a_panic_is_answered_and_the_next_transaction_is_fine(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        for _ in 0..6 {
            let panicked = database.write(|tx| {
                insert(tx, 1, "one")?;
                panic!("on purpose");
                #[expect(unreachable_code, reason = "names the type")]
                Ok::<(), DatabaseError>(())
            }).await;
            assert!(matches!(panicked, Err(DatabaseError::Defect(_))), "{panicked:?}");
            let read = database.read(|_| -> Result<(), DatabaseError> { panic!("on purpose") }).await;
            assert!(matches!(read, Err(DatabaseError::Defect(_))), "{read:?}");
        }
        database.write(|tx| insert(tx, 1, "one")).await.unwrap();
        assert_eq!(number(&database, "SELECT COUNT(*) FROM items").await, 1);
    }

    async fn a_panic_in_a_hook_does_not_stop_the_engine(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        for id in 0..6 {
            database.write(move |tx| {
                insert(tx, id, &id.to_string())?;
                tx.after_commit(|| panic!("on purpose"));
                Ok::<_, DatabaseError>(())
            }).await.unwrap();
        }
        assert_eq!(number(&database, "SELECT COUNT(*) FROM items").await, 6);
    }

    async fn a_dropped_future_still_commits(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        let mut asked = Box::pin(database.write(|tx| insert(tx, 1, "one")));
        let waker = std::task::Waker::noop();
        assert!(asked.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        drop(asked);
        within_patience("the dropped write commits", async {
            while number(&database, "SELECT COUNT(*) FROM items").await == 0 {
                tokio::task::yield_now().await;
            }
        }).await;
    }

    async fn hooks_run_before_the_answer_and_not_without_commit(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        for round in 0..20 {
            let (done, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let (on_done, on_refused) = (Arc::clone(&done), Arc::clone(&refused));
            database.write(move |tx| {
                let on_done = Arc::clone(&on_done);
                tx.after_commit(move || on_done.store(true, Ordering::SeqCst));
                insert(tx, round, &round.to_string())
            }).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
            assert!(done.load(Ordering::SeqCst));
            let failed = database.write(move |tx| {
                let on_refused = Arc::clone(&on_refused);
                tx.after_commit(move || on_refused.store(true, Ordering::SeqCst));
                insert(tx, round, "again")
            }).await;
            assert!(failed.is_err());
            assert!(!refused.load(Ordering::SeqCst));
        }
    }

    async fn concurrent_writers_lose_no_update(db: TestDatabase) {
        let database = db.open();
        make(&database, ITEMS).await;
        database.write(|tx| insert(tx, 1, "one")).await.unwrap();
        let writers = (0..32).map(|_| {
            let database = database.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let added = database.write(|tx| tx.execute("UPDATE items SET size = size + 1 WHERE id = 1", &[]));
                    added.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(number(&database, "SELECT size FROM items").await, 320);
    }

    async fn two_racing_migrators_apply_each_step_once(db: TestDatabase) {
        static MORE: &[Migration] = &[
            Migration::shared(900, "race", "CREATE TABLE race (name TEXT COLLATE \"C\" PRIMARY KEY)"),
            Migration::shared(901, "entry", "INSERT INTO race (name) VALUES ('entered')"),
        ];
        let steps: Vec<Migration> = MIGRATIONS.iter().chain(MORE).copied().collect();
        assert_eq!(pending(&db, &steps).await.unwrap(), [900, 901]);
        let (one, other) = tokio::join!(migrated(&db, &steps), migrated(&db, &steps));
        let mut applied = [one.unwrap(), other.unwrap()].concat();
        applied.sort_unstable();
        assert_eq!(applied, [900, 901]);
        assert!(pending(&db, &steps).await.unwrap().is_empty());
        assert_eq!(number(&db.open(), "SELECT COUNT(*) FROM race").await, 1);
    }

    async fn a_failed_migration_leaves_nothing(db: TestDatabase) {
        let broken = Migration::shared(900, "broken", "CREATE TABLE half (id BIGINT); INSERT INTO nowhere VALUES (1)");
        let steps: Vec<Migration> = MIGRATIONS.iter().copied().chain([broken]).collect();
        let failed = migrated(&db, &steps).await;
        assert!(matches!(failed, Err(MigrationError::Failed { number: 900, .. })), "{failed:?}");
        assert_eq!(pending(&db, &steps).await.unwrap(), [900]);
        // The name is free again, so the table is gone.
        make(&db.open(), "CREATE TABLE half (id BIGINT)").await;
    }

    async fn a_database_from_the_future_is_refused(db: TestDatabase) {
        let future = [Migration::shared(900, "future", "CREATE TABLE future (id BIGINT)")];
        let steps: Vec<Migration> = MIGRATIONS.iter().copied().chain(future).collect();
        migrated(&db, &steps).await.unwrap();
        assert!(matches!(migrated(&db, MIGRATIONS).await, Err(MigrationError::FromTheFuture(900))));
    }
}

async fn migrated(
    db: &stoa_platform::testing::TestDatabase,
    steps: &[Migration],
) -> Result<Vec<i64>, MigrationError> {
    let (config, steps) = (db.config(), steps.to_vec());
    on_thread(move || migrate(&config, &steps, &Clock::system())).await
}

async fn pending(
    db: &stoa_platform::testing::TestDatabase,
    steps: &[Migration],
) -> Result<Vec<i64>, MigrationError> {
    let (config, steps) = (db.config(), steps.to_vec());
    on_thread(move || pending_migrations(&config, &steps)).await
}

async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(work()).ok());
    receiver.await.unwrap()
}

#[test]
fn a_number_may_not_be_given_twice() {
    let twice = [Migration::shared(1, "one", "SELECT 1"), Migration::shared(1, "other", "SELECT 1")];
    let folder = tempfile::tempdir().unwrap();
    let config = stoa_platform::database::DatabaseConfig::Sqlite(stoa_platform::database::SqliteConfig::at(
        folder.path().join("twice.db"),
    ));
    assert!(matches!(migrate(&config, &twice, &Clock::system()), Err(MigrationError::DoubleNumber(1))));
}
