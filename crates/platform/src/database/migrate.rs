//! Numbered migrations, applied once each and in order, under a lock.

use stoa_kernel::Clock;

use super::{
    Connection, DatabaseConfig, DatabaseError, Engine, connection::Tx, dialling::Dialling,
    postgres::PostgresSession, sqlite::open_writer,
};
use crate::params;

/// The lock that lets one node at a time migrate; any constant that nobody else uses.
const LOCK: i64 = 0x5354_4f41_0001;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the order.
    pub number: i64,
    /// What it is for.
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl Migration {
    /// A step whose SQL both engines understand (`COLLATE "C"` is left out on SQLite, where it is the default).
    pub const fn shared(number: i64, name: &'static str, sql: &'static str) -> Self {
        Self { number, name, sqlite: sql, postgres: sql }
    }

    /// A step that each engine words in its own way.
    pub const fn split(
        number: i64,
        name: &'static str,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Self {
        Self { number, name, sqlite, postgres }
    }

    fn sql(&self, engine: Engine) -> String {
        match engine {
            Engine::Sqlite => self.sqlite.replace(" COLLATE \"C\"", ""),
            Engine::Postgres => self.postgres.to_owned(),
        }
    }
}

/// Why the schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database was migrated by a newer Stoa.
    #[error("the database is at migration {0}, which this version does not know; run the newer version")]
    FromTheFuture(i64),
    /// Two steps share a number.
    #[error("two migrations are numbered {0}")]
    DoubleNumber(i64),
    /// A step failed and was rolled back.
    #[error("migration {number} ({name}) failed: {source}")]
    Failed {
        /// The step's number.
        number: i64,
        /// The step's name.
        name: &'static str,
        /// Why.
        source: DatabaseError,
    },
    /// The database cannot be reached or read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Applies every migration that is missing; answers the numbers applied.
pub fn migrate(
    config: &DatabaseConfig,
    migrations: &[Migration],
    clock: &Clock,
) -> Result<Vec<i64>, MigrationError> {
    let steps = in_order(migrations)?;
    match config {
        DatabaseConfig::Sqlite(sqlite) => {
            let handle = open_writer(sqlite)?;
            apply(&mut Tx::new(Connection::sqlite(&handle)), &steps, clock)
        }
        DatabaseConfig::Postgres(postgres) => {
            let settings = Dialling::of(postgres)?;
            // A second connection holds the lock, so that a failed step cannot release it early.
            let mut guard = settings.connect().map_err(DatabaseError::from)?;
            guard
                .batch_execute(&format!(
                    "SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({LOCK})"
                ))
                .map_err(DatabaseError::from)?;
            let mut session = PostgresSession::connect(&settings)?;
            apply(&mut Tx::new(Connection::postgres(&mut session)), &steps, clock)
        }
    }
}

/// The numbers of the migrations that [`migrate`] would apply.
pub fn pending_migrations(
    config: &DatabaseConfig,
    migrations: &[Migration],
) -> Result<Vec<i64>, MigrationError> {
    let steps = in_order(migrations)?;
    let applied = match config {
        DatabaseConfig::Sqlite(sqlite) if !sqlite.path.exists() => Vec::new(),
        DatabaseConfig::Sqlite(sqlite) => applied(&mut Connection::sqlite(&open_writer(sqlite)?))?,
        DatabaseConfig::Postgres(postgres) => {
            let mut session = PostgresSession::connect(&Dialling::of(postgres)?)?;
            applied(&mut Connection::postgres(&mut session))?
        }
    };
    Ok(steps.iter().map(|step| step.number).filter(|number| !applied.contains(number)).collect())
}

fn in_order(migrations: &[Migration]) -> Result<Vec<Migration>, MigrationError> {
    let mut steps = migrations.to_vec();
    steps.sort_by_key(|step| step.number);
    for pair in steps.windows(2) {
        if let [one, other] = pair
            && one.number == other.number
        {
            return Err(MigrationError::DoubleNumber(one.number));
        }
    }
    Ok(steps)
}

fn applied(connection: &mut Connection<'_>) -> Result<Vec<i64>, DatabaseError> {
    connection.batch(
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)",
    )?;
    connection.query("SELECT number FROM migrations ORDER BY number", &[], |row| row.read())
}

fn apply(tx: &mut Tx<'_>, steps: &[Migration], clock: &Clock) -> Result<Vec<i64>, MigrationError> {
    let done = applied(tx)?;
    let newest = steps.last().map_or(0, |step| step.number);
    if let Some(unknown) = done.iter().find(|number| **number > newest) {
        return Err(MigrationError::FromTheFuture(*unknown));
    }
    let mut made = Vec::new();
    for step in steps.iter().filter(|step| !done.contains(&step.number)) {
        let applied = apply_step(tx, step, clock);
        let failed = |source| MigrationError::Failed { number: step.number, name: step.name, source };
        if applied.map_err(failed)? {
            made.push(step.number);
        }
    }
    Ok(made)
}

/// Applies one step in a transaction; false when another process was quicker.
fn apply_step(tx: &mut Tx<'_>, step: &Migration, clock: &Clock) -> Result<bool, DatabaseError> {
    let begin = if tx.engine() == Engine::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    tx.batch(begin)?;
    let applied = apply_in_transaction(tx, step, clock);
    let end = if matches!(applied, Ok(true)) { "COMMIT" } else { "ROLLBACK" };
    let ended = tx.batch(end);
    // The step's own error tells more than that of the rollback.
    let applied = applied?;
    ended?;
    Ok(applied)
}

fn apply_in_transaction(tx: &mut Tx<'_>, step: &Migration, clock: &Clock) -> Result<bool, DatabaseError> {
    let known = "SELECT 1 FROM migrations WHERE number = $1";
    if tx.find(known, params![step.number], |row| row.read::<i64>())?.is_some() {
        return Ok(false);
    }
    let sql = step.sql(tx.engine());
    tx.batch(&sql)?;
    tx.execute(
        "INSERT INTO migrations (number, name, applied_at) VALUES ($1, $2, $3)",
        params![step.number, step.name, clock.now()],
    )?;
    Ok(true)
}
