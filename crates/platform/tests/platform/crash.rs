//! What survives SIGKILL: a child process is killed at a named place, and its successor goes on from what is stored.
//!
//! The child is this test binary again, told by the environment which database to work on.

use std::{os::unix::process::ExitStatusExt, path::Path, process::Command, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stoa_kernel::{Clock, Random};
use stoa_platform::{
    MIGRATIONS, Occasion,
    database::{Database, DatabaseConfig, DatabaseError, PostgresConfig, SqliteConfig},
    each_engine,
    events::{self, Event, Follower, Followers, StartAt},
    failpoint,
    jobs::{self, Handler, Job, JobContext, Workers},
    params,
    testing::TestDatabase,
};
use tokio::sync::Notify;

use crate::support::{Deposited, LEDGER, append, deposited, enter, entries, make, number, within_patience};

/// Which database the child works on: `sqlite:<path>` or `postgres:<address>`.
const DATABASE: &str = "STOA_TEST_CRASH_DATABASE";

fn told(db: &TestDatabase) -> String {
    match db.config() {
        DatabaseConfig::Sqlite(config) => format!("sqlite:{}", config.path.display()),
        DatabaseConfig::Postgres(config) => format!("postgres:{}", config.url),
    }
}

fn understood(told: &str) -> DatabaseConfig {
    match told.split_once(':').unwrap() {
        ("sqlite", path) => DatabaseConfig::Sqlite(SqliteConfig::at(Path::new(path))),
        (_, url) => DatabaseConfig::Postgres(PostgresConfig { url: url.to_owned(), connections: 4 }),
    }
}

/// Runs one of the children below on this database and waits for its end; true when it was killed at the failpoint.
async fn killed(db: &TestDatabase, child: &str, failpoint: &str) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("crash::{child}"), "--exact", "--nocapture"]).env(DATABASE, told(db));
    if !failpoint.is_empty() {
        command.env("FAILPOINT_KILL", failpoint);
    }
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = within_patience("the child", ended).await.unwrap();
    let killed = output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    killed
}

/// The child's database; `None` in the parent's run of these tests, which are children's work only.
fn inherited() -> Option<Database> {
    std::env::var(DATABASE).ok().map(|told| Database::open(&understood(&told)).unwrap())
}

fn on_runtime(work: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(within_patience("the child's work", work));
}

/// Enters deposits in the ledger. An event of version 13 takes the process with it.
fn cursed_ledger() -> Follower {
    Follower::new("ledger", &[Deposited::TYPE], StartAt::Beginning, |tx, event| {
        enter(tx, event)?;
        if event.version == 13 {
            failpoint::reach("test.cursed");
        }
        Ok(())
    })
}

#[test]
fn child_that_follows() {
    let Some(database) = inherited() else { return };
    on_runtime(async move {
        let running = Followers::start(&database, &Clock::system(), vec![cursed_ledger()]).await.unwrap();
        events::settle(&database).await.unwrap();
        running.drain().await;
    });
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    number: i64,
}

impl Job for Entry {
    const QUEUE: &'static str = "sync";
    const KIND: &'static str = "entry";
    const MAX_ATTEMPTS: u32 = 10;
}

/// Writes a row under the job's id: what an effect outside the database would use as its key.
fn entering(database: &Database, done: Arc<Notify>) -> Handler {
    let database = database.clone();
    Handler::of::<Entry>(move |entry: Entry, context: JobContext| {
        let (database, done) = (database.clone(), Arc::clone(&done));
        async move {
            let account = context.id.to_string();
            let entered = database.write(move |tx| {
                let known = tx.find("SELECT 1 FROM ledger WHERE account = $1", params![&account], |row| {
                    row.read::<i64>()
                })?;
                if known.is_none() {
                    tx.execute(
                        "INSERT INTO ledger (pos, account, number) VALUES (0, $1, $2)",
                        params![&account, entry.number],
                    )?;
                }
                Ok::<_, DatabaseError>(())
            });
            entered.await?;
            done.notify_one();
            Ok(())
        }
    })
}

#[test]
fn child_that_works() {
    let Some(database) = inherited() else { return };
    on_runtime(async move {
        let done = Arc::new(Notify::new());
        let handlers = vec![entering(&database, Arc::clone(&done))];
        let workers =
            Workers::start(&database, &Clock::system(), &Random::system(), handlers, vec![]).await.unwrap();
        while number(&database, "SELECT COUNT(*) FROM jobs").await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        workers.drain().await;
    });
}

#[test]
fn child_that_writes() {
    let Some(database) = inherited() else { return };
    on_runtime(async move {
        for number in 1..=50 {
            append(&database, deposited(1, number)).await;
        }
    });
}

each_engine! { MIGRATIONS;
    async fn a_follower_killed_at_any_point_has_each_effect_once(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        for number in 1..=12 {
            append(&database, deposited(number % 3, number)).await;
        }
        // Between an effect and its commit, after the commit, in the middle of a batch, and at the engines' own places.
        for failpoint in [
            "follower.applied:1", "follower.applied:3", "follower.committed:1", "follower.applied:2",
            "sqlite.before_commit:2", "sqlite.after_commit:2", "postgres.before_commit:2", "postgres.after_commit:2",
            "sequencer.numbered:1",
        ] {
            killed(&db, "child_that_follows", failpoint).await;
        }
        assert!(!killed(&db, "child_that_follows", "").await);
        let numbers: Vec<i64> = entries(&database).await.into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers.len(), 12, "{numbers:?}");
        assert_eq!(number(&database, "SELECT COUNT(DISTINCT number) FROM ledger").await, 12);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM parked_events").await, 0);
    }

    async fn an_event_that_kills_the_process_is_found_and_parked(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        for number in [11, 12, 13, 14, 16, 15] {
            append(&database, deposited(number % 2, number)).await;
        }
        let mut deaths = 0;
        while killed(&db, "child_that_follows", "test.cursed").await {
            deaths += 1;
            assert!(deaths <= 10, "it dies for ever");
        }
        assert!((4..=6).contains(&deaths), "died {deaths} times");
        let parked = database.read(|c| events::parked(c, "ledger", 10)).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        let reasons: Vec<&str> = parked.iter().map(|event| event.reason.as_str()).collect();
        assert_eq!(reasons, ["the process died while handling it", "waits behind event 3 of its aggregate"]);
        let numbers: Vec<i64> = entries(&database).await.into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers, [11, 12, 14, 16]);
    }

    async fn a_job_killed_at_any_point_is_done_in_the_end(db: TestDatabase) {
        let database = db.open();
        make(&database, LEDGER).await;
        let occasion = Occasion::system(&Clock::system(), &Random::system(), "test");
        database.write(move |tx| {
            (1..=6).try_for_each(|number| jobs::enqueue(tx, &occasion, &Entry { number }).map(drop))
        }).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        for failpoint in ["job.claimed:1", "job.ran:2", "job.claimed:2", "job.ran:1"] {
            assert!(killed(&db, "child_that_works", failpoint).await, "{failpoint} was not reached");
            // The lease runs out.
            make(&database, "UPDATE jobs SET locked_until = 0 WHERE locked_until IS NOT NULL").await;
        }
        assert!(!killed(&db, "child_that_works", "").await);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM ledger").await, 6);
        assert_eq!(number(&database, "SELECT CAST(SUM(number) AS BIGINT) FROM ledger").await, 21);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM jobs").await, 0);
    }

    async fn what_was_answered_survives_a_kill_at_commit(db: TestDatabase) {
        let database = db.open();
        let engine = if db.engine() == stoa_platform::database::Engine::Sqlite { "sqlite" } else { "postgres" };
        let mut before = 0;
        for (place, kept) in [("before_commit", 9), ("after_commit", 10)] {
            // The tenth commit is its last.
            assert!(killed(&db, "child_that_writes", &format!("{engine}.{place}:10")).await);
            let events = number(&database, "SELECT COUNT(*) FROM events").await;
            assert_eq!(events - before, kept, "{place}");
            before = events;
        }
    }
}
