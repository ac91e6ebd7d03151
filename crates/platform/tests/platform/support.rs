//! What several of these modules need.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stoa_kernel::{Clock, ManualClock, Random, Timestamp};
use stoa_platform::{
    Occasion,
    database::{Connection, Database, DatabaseConfig, DatabaseError, Engine, Tx},
    events::{self, Event, Follower, HandlerError, StartAt, StoredEvent},
    params,
    testing::TestDatabase,
};

/// Long enough for anything here; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn clock() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_seconds(1_750_000_000))
}

pub(crate) fn occasion() -> Occasion {
    Occasion::system(&Clock::system(), &Random::system(), "test")
}

/// Something that happened to an account.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Deposited {
    pub(crate) account: i64,
    pub(crate) number: i64,
}

impl Event for Deposited {
    const TYPE: &'static str = "account.deposited";

    fn topic(&self) -> String {
        format!("account:{}", self.account)
    }

    fn aggregate(&self) -> String {
        format!("account:{}", self.account)
    }

    fn version(&self) -> i64 {
        self.number
    }
}

/// Something nobody here listens to unless told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Noise {}

impl Event for Noise {
    const TYPE: &'static str = "noise.made";

    fn topic(&self) -> String {
        "noise".into()
    }

    fn aggregate(&self) -> String {
        "noise".into()
    }
}

pub(crate) fn deposited(account: i64, number: i64) -> Deposited {
    Deposited { account, number }
}

pub(crate) async fn append(database: &Database, event: impl Event + Clone + Send + 'static) {
    let appended = database.write(move |tx| events::append(tx, &occasion(), &event).map(drop));
    let done: Result<(), DatabaseError> = appended.await;
    done.unwrap();
}

/// A table of this test's own.
pub(crate) async fn make(database: &Database, sql: &'static str) {
    // Straight to the engine: tests may be careless about how tables come about.
    let made: Result<(), DatabaseError> = database.write(move |tx| tx.batch(sql)).await;
    made.unwrap();
}

/// The table [`ledger`] writes to.
pub(crate) const LEDGER: &str =
    "CREATE TABLE ledger (pos BIGINT NOT NULL, account TEXT NOT NULL, number BIGINT NOT NULL)";

/// A follower whose effect can be counted: a row per event.
pub(crate) fn ledger(start: StartAt) -> Follower {
    Follower::new("ledger", &[Deposited::TYPE], start, enter)
}

pub(crate) fn enter(tx: &mut Tx<'_>, event: &StoredEvent) -> Result<(), HandlerError> {
    let deposited: Deposited = event.payload()?;
    tx.execute(
        "INSERT INTO ledger (pos, account, number) VALUES ($1, $2, $3)",
        params![event.pos, &event.aggregate, deposited.number],
    )?;
    Ok(())
}

/// `(pos, number)` of every entry in the order of `pos`.
pub(crate) async fn entries(database: &Database) -> Vec<(i64, i64)> {
    let read = database.read(|c| {
        c.query("SELECT pos, number FROM ledger ORDER BY pos, number", &[], |row| {
            Ok((row.read()?, row.read()?))
        })
    });
    let rows: Result<_, DatabaseError> = read.await;
    rows.unwrap()
}

pub(crate) async fn number(database: &Database, sql: &'static str) -> i64 {
    let read = database.read(move |c: &mut Connection<'_>| c.find(sql, &[], |row| row.read::<i64>()));
    let number: Result<_, DatabaseError> = read.await;
    number.unwrap().unwrap()
}

/// Waits for a condition, however long that takes within reason.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = std::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn within_patience<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| panic!("took for ever: {what}"))
}

/// A connection of the test's own to the PostgreSQL database, for mischief; lives on a thread without a runtime.
pub(crate) async fn mischief<T: Send + 'static>(
    db: &TestDatabase,
    work: impl FnOnce(&mut postgres::Client) -> T + Send + 'static,
) -> T {
    let config = postgres_config(db);
    let done = tokio::task::spawn_blocking(move || {
        std::thread::spawn(move || work(&mut config.connect(postgres::NoTls).unwrap())).join().unwrap()
    });
    done.await.unwrap()
}

pub(crate) fn postgres_config(db: &TestDatabase) -> Arc<postgres::Config> {
    assert_eq!(db.engine(), Engine::Postgres);
    let DatabaseConfig::Postgres(config) = db.config() else { unreachable!() };
    Arc::new(config.url.parse().unwrap())
}

/// Ends every other connection that runs or ran something like `pattern`; answers how many.
pub(crate) async fn terminate(db: &TestDatabase, pattern: &'static str) -> i64 {
    mischief(db, move |client| {
        client
            .query_one(
                "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1",
                &[&pattern],
            )
            .unwrap()
            .get(0)
    })
    .await
}
