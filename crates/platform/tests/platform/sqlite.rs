//! What only the embedded engine has to prove: its group commit.

use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseConfig, DatabaseError, Engine, SqliteConfig},
    params,
    testing::{TestDatabase, on_engine},
};

use crate::support::{make, number};

fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(TestDatabase) -> F) {
    on_engine(Engine::Sqlite, MIGRATIONS, test);
}

/// The same file with a bound on its size, some pages above what it has.
async fn bounded(db: &TestDatabase, spare_pages: u32) -> Database {
    let DatabaseConfig::Sqlite(config) = db.config() else { unreachable!() };
    let open = Database::open(&db.config()).unwrap();
    make(&open, "CREATE TABLE blobs (id BIGINT PRIMARY KEY, content BLOB)").await;
    let pages = number(&open, "PRAGMA page_count").await;
    let max_pages = Some(u32::try_from(pages).unwrap() + spare_pages);
    Database::open(&DatabaseConfig::Sqlite(SqliteConfig { max_pages, ..config })).unwrap()
}

async fn store(database: &Database, id: i64, bytes: usize) -> Result<(), DatabaseError> {
    database
        .write(move |tx| {
            tx.execute("INSERT INTO blobs (id, content) VALUES ($1, $2)", params![id, vec![7_u8; bytes]])
                .map(drop)
        })
        .await
}

/// Small and large transactions at once: the large ones do not fit, and no small one that was answered is lost.
#[test]
fn a_full_database_takes_no_answered_write_with_it() {
    on_sqlite(|db| async move {
        let database = bounded(&db, 200).await;
        let writers = (0..400).map(|id| {
            let database = database.clone();
            let bytes = if id % 5 == 0 { 4_000_000 } else { 100 };
            tokio::spawn(async move { (id, store(&database, id, bytes).await) })
        });
        let (mut kept, mut refused) = (Vec::new(), 0);
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                (id, Ok(())) => kept.push(id),
                (_, Err(error)) => {
                    assert!(matches!(error, DatabaseError::Unavailable(_)), "{error:?}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 80, "every large write is refused: {refused}");
        assert!(kept.iter().all(|id| id % 5 != 0));
        // The engine goes on, and what was answered is in the file.
        store(&database, 1_000, 100).await.unwrap();
        kept.push(1_000);
        drop(database);
        let reopened = db.open();
        let stored: Vec<i64> = reopened
            .read(|c| c.query("SELECT id FROM blobs ORDER BY id", &[], |row| row.read()))
            .await
            .unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        kept.sort_unstable();
        assert_eq!(stored, kept);
    });
}

/// An inner savepoint that meets the full disk may have ended the whole transaction, so it cannot be forgiven.
#[test]
fn a_full_database_in_a_savepoint_is_not_forgiven() {
    on_sqlite(|db| async move {
        let database = bounded(&db, 50).await;
        let forgiven: Result<(), DatabaseError> = database
            .write(|tx| {
                tx.execute("INSERT INTO blobs (id, content) VALUES (1, NULL)", &[])?;
                let _ = tx.savepoint(|tx| {
                    tx.execute(
                        "INSERT INTO blobs (id, content) VALUES (2, $1)",
                        params![vec![7_u8; 4_000_000]],
                    )
                });
                Ok(())
            })
            .await;
        assert!(matches!(forgiven, Err(DatabaseError::Unavailable(_))), "{forgiven:?}");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM blobs").await, 0);
    });
}

#[test]
fn a_failed_commit_is_answered_with_unavailable_to_all() {
    on_sqlite(|db| async move {
        let database = db.open();
        make(
            &database,
            "CREATE TABLE owners (id BIGINT PRIMARY KEY);
             CREATE TABLE things (id BIGINT PRIMARY KEY, owner BIGINT REFERENCES owners (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await;
        let writers = (0..40).map(|id: i64| {
            let database = database.clone();
            tokio::spawn(async move {
                let written: Result<u64, DatabaseError> = database
                    .write(move |tx| {
                        if id % 10 == 0 {
                            tx.execute("INSERT INTO things (id, owner) VALUES ($1, 999)", params![id])
                        } else {
                            tx.execute("INSERT INTO owners (id) VALUES ($1)", params![id])
                        }
                    })
                    .await;
                (id, written)
            })
        });
        let mut kept = 0;
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                (id, Ok(_)) => {
                    assert_ne!(id % 10, 0, "a broken key was committed");
                    kept += 1;
                }
                (_, Err(error)) => assert!(matches!(error, DatabaseError::Unavailable(_)), "{error:?}"),
            }
        }
        assert_eq!(number(&database, "SELECT COUNT(*) FROM owners").await, kept);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM things").await, 0);
        make(&database, "INSERT INTO owners (id) VALUES (500)").await;
    });
}

#[test]
fn a_group_of_writers_is_durable_as_answered() {
    on_sqlite(|db| async move {
        let database = db.open();
        make(&database, "CREATE TABLE notes (id BIGINT PRIMARY KEY)").await;
        let writers = (0..300).map(|id: i64| {
            let database = database.clone();
            tokio::spawn(async move {
                let written =
                    database.write(move |tx| tx.execute("INSERT INTO notes (id) VALUES ($1)", params![id]));
                let done: Result<u64, DatabaseError> = written.await;
                done.unwrap();
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        // A copy of the files as they are now, without a farewell: what a power cut would leave.
        let DatabaseConfig::Sqlite(config) = db.config() else { unreachable!() };
        let folder = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal"] {
            let from = format!("{}{suffix}", config.path.display());
            std::fs::copy(from, folder.path().join(format!("copy.db{suffix}"))).unwrap();
        }
        let copy =
            Database::open(&DatabaseConfig::Sqlite(SqliteConfig::at(folder.path().join("copy.db")))).unwrap();
        assert_eq!(number(&copy, "SELECT COUNT(*) FROM notes").await, 300);
    });
}
