//! The database: one SQL text on SQLite or PostgreSQL, and transactions that cannot wait.
//!
//! A transaction is a plain function over [`Tx`]: it cannot await, so it can never hold a lock over the network, and
//! it has no effects outside the database, so the engine may run it again. Answers leave only after COMMIT.

mod connection;
mod dialling;
mod error;
mod lanes;
mod measures;
mod migrate;
mod postgres;
mod signals;
mod sqlite;
mod statements;
mod value;
mod work;

use std::{path::PathBuf, sync::Arc};

pub use connection::{Connection, Engine, Tx};
pub use dialling::BadAddress;
pub(crate) use dialling::Dialling;
pub use error::DatabaseError;
pub use lanes::{Bounds, Entered, Lanes, together_or_alone};
pub use measures::Load;
pub use migrate::{Migration, MigrationError, migrate, pending_migrations};
pub use signals::{Signal, Signals};
pub use value::{
    Column, Row, Value, in_list, insert_many, insert_rows, placeholders, rows_of_few_lengths, tuples,
};

use self::{measures::Measures, postgres::PostgresPool, sqlite::SqliteDatabase, work::queued};
use crate::{
    events::LogService,
    metrics::Metrics,
    traces::{Kind, Span},
};

/// Values to bind to `$1`, `$2`, … of a statement.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::database::Value::from($value)),*][..] };
}

/// Which database to use, and how.
#[derive(Clone, Debug)]
pub enum DatabaseConfig {
    /// A SQLite file, made when absent.
    Sqlite(SqliteConfig),
    /// A PostgreSQL server.
    Postgres(PostgresConfig),
}

/// Settings of the embedded engine.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// The database file.
    pub path: PathBuf,
    /// Threads for reads that are not by key.
    pub reader_threads: usize,
    /// The most pages the file may grow to; `None` leaves it to the disk.
    pub max_pages: Option<u32>,
}

impl SqliteConfig {
    /// The usual settings for a file at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), reader_threads: 2, max_pages: None }
    }
}

/// Settings of the PostgreSQL engine.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:port/database`, with `?sslmode=require` or `verify-full` over TLS.
    pub url: String,
    /// Connections, each owned by a thread of its own.
    pub connections: usize,
}

/// The address may hold a password, so it is not shown.
impl std::fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresConfig").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// A handle on the database, cheap to clone.
#[derive(Clone)]
pub struct Database {
    engine: Arc<EngineHandle>,
    signals: Arc<Signals>,
    log: Arc<LogService>,
}

enum EngineHandle {
    Sqlite(SqliteDatabase),
    Postgres(Box<PostgresPool>),
}

impl Database {
    /// Opens the database and starts its threads; they end when the last handle is dropped.
    ///
    /// Blocks while connecting, so call it before the runtime is busy.
    pub fn open(config: &DatabaseConfig) -> Result<Self, DatabaseError> {
        Self::open_measured(config, &Metrics::off())
    }

    /// As [`Database::open`], with a place for its figures.
    pub fn open_measured(config: &DatabaseConfig, metrics: &Metrics) -> Result<Self, DatabaseError> {
        let signals = Arc::new(Signals::new(matches!(config, DatabaseConfig::Postgres(_))));
        let engine = match config {
            DatabaseConfig::Sqlite(sqlite) => {
                let measures = Measures::new(metrics, Engine::Sqlite);
                EngineHandle::Sqlite(SqliteDatabase::open(sqlite, Arc::clone(&signals), measures)?)
            }
            DatabaseConfig::Postgres(postgres) => {
                let measures = Measures::new(metrics, Engine::Postgres);
                let pool = PostgresPool::open(postgres, Arc::clone(&signals), measures)?;
                EngineHandle::Postgres(Box::new(pool))
            }
        };
        Ok(Self { engine: Arc::new(engine), signals, log: Arc::default() })
    }

    /// Which engine this is, where SQL must differ.
    pub fn engine(&self) -> Engine {
        match *self.engine {
            EngineHandle::Sqlite(_) => Engine::Sqlite,
            EngineHandle::Postgres(_) => Engine::Postgres,
        }
    }

    /// How loaded it is right now.
    pub fn load(&self) -> Load {
        match &*self.engine {
            EngineHandle::Sqlite(sqlite) => sqlite.load(),
            EngineHandle::Postgres(pool) => pool.load(),
        }
    }

    /// A span for what is asked of it, when the asker is traced.
    fn span(&self, name: &'static str) -> Option<Span> {
        let span = Span::below(name, Kind::Asking)?;
        span.note("db.system.name", self.engine().name());
        Some(span)
    }

    /// What commits on this node announce.
    pub fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    /// What follows the event log on this handle.
    pub(crate) fn log(&self) -> &LogService {
        &self.log
    }

    /// How to reach the server, for those who need a connection of their own.
    pub(crate) fn postgres_settings(&self) -> Option<&Dialling> {
        match &*self.engine {
            EngineHandle::Sqlite(_) => None,
            EngineHandle::Postgres(pool) => Some(pool.settings()),
        }
    }

    /// Runs one transaction and resolves after its COMMIT.
    ///
    /// The closure may run more than once. When it returns an error nothing of it stays. A future that is dropped does
    /// not cancel the transaction.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let _span = self.span("database write");
        let (work, answer) = queued(work);
        match &*self.engine {
            EngineHandle::Sqlite(sqlite) => sqlite.write(work)?,
            EngineHandle::Postgres(pool) => pool.write(work)?,
        }
        answer.await.unwrap_or_else(|_| Err(DatabaseError::stopped().into()))
    }

    /// Runs reads that may take a while on a thread made for that. Every statement sees its own latest state.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Connection<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let _span = self.span("database read");
        let (work, answer) = queued(move |tx: &mut Tx<'_>| work(tx));
        match &*self.engine {
            EngineHandle::Sqlite(sqlite) => sqlite.read(work)?,
            EngineHandle::Postgres(pool) => pool.read(work)?,
        }
        answer.await.unwrap_or_else(|_| Err(DatabaseError::stopped().into()))
    }

    /// Runs a bounded read by key: inline on SQLite, where that takes microseconds, as [`Database::read`] elsewhere.
    pub async fn get<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Connection<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        match &*self.engine {
            EngineHandle::Sqlite(sqlite) => {
                let _span = self.span("database get");
                sqlite.get(work)
            }
            EngineHandle::Postgres(_) => self.read(work).await,
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({:?})", self.engine())
    }
}
