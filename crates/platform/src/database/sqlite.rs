//! The embedded engine: one writer thread with group commit, reader threads, and inline reads by key.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use rusqlite::{Connection as Handle, OpenFlags, config::DbConfig};

use super::{
    Connection, DatabaseError, Load, Signals, SqliteConfig, Tx,
    connection::AfterCommit,
    measures::{Lane, Measures},
    statements::{Prepared, Statements},
    work::Work,
};

/// Transactions that may wait for the writer; one more is refused with "unavailable".
const QUEUE: usize = 8_192;
/// Closures to a commit at most, and how long a group may be gathered.
const GROUP: usize = 64;
const GROUP_TIME: Duration = Duration::from_millis(5);
/// How long the writer is idle before it moves the write-ahead log into the file.
const IDLE: Duration = Duration::from_millis(200);
/// Inline readers kept open.
const INLINE_READERS: usize = 16;

pub(super) struct SqliteDatabase {
    writes: Sender<Box<dyn Work>>,
    reads: Sender<Box<dyn Work>>,
    inline: Mutex<Vec<Handle>>,
    config: SqliteConfig,
    measures: Arc<Measures>,
}

impl SqliteDatabase {
    pub(super) fn open(
        config: &SqliteConfig,
        signals: Arc<Signals>,
        measures: Measures,
    ) -> Result<Self, DatabaseError> {
        let measures = Arc::new(measures);
        let (writes, queue) = bounded(QUEUE);
        let connection = open_writer(config)?;
        let figures = Arc::clone(&measures);
        spawn("stoa-sqlite-writer", move || {
            let statements = Statements::of(&connection);
            let work =
                Writer { connection: &connection, statements: &statements, signals, measures: figures };
            work.run(&queue);
        })?;

        let (reads, queue) = bounded::<Box<dyn Work>>(QUEUE);
        for _ in 0..config.reader_threads.max(1) {
            let (connection, queue) = (open_reader(config)?, queue.clone());
            let measures = Arc::clone(&measures);
            spawn("stoa-sqlite-reader", move || serve_reads(&connection, &queue, &measures))?;
        }
        Ok(Self { writes, reads, inline: Mutex::default(), config: config.clone(), measures })
    }

    pub(super) fn write(&self, work: Box<dyn Work>) -> Result<(), DatabaseError> {
        enqueue(&self.writes, work, &self.measures.write)
    }

    pub(super) fn read(&self, work: Box<dyn Work>) -> Result<(), DatabaseError> {
        enqueue(&self.reads, work, &self.measures.read)
    }

    pub(super) fn get<T, E: From<DatabaseError>>(
        &self,
        work: impl Fn(&mut Connection<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.inline.lock().pop();
        let connection = idle.map_or_else(|| open_reader(&self.config), Ok)?;
        let begun = Instant::now();
        let result = work(&mut Connection::sqlite(&connection).measured(&self.measures));
        self.measures.get.record(begun.elapsed());
        let mut idle = self.inline.lock();
        if idle.len() < INLINE_READERS {
            idle.push(connection);
        }
        result
    }

    pub(super) fn load(&self) -> Load {
        let mut log = self.config.path.clone().into_os_string();
        log.push("-wal");
        Load {
            writes_waiting: self.writes.len(),
            reads_waiting: self.reads.len(),
            connections: 1 + self.config.reader_threads.max(1) + self.inline.lock().len(),
            wal_bytes: std::fs::metadata(log).ok().map(|about| about.len()),
        }
    }
}

fn enqueue(queue: &Sender<Box<dyn Work>>, work: Box<dyn Work>, lane: &Lane) -> Result<(), DatabaseError> {
    queue.try_send(work).map_err(|refused| match refused {
        TrySendError::Full(_) => {
            lane.refused.increment(1);
            DatabaseError::overloaded()
        }
        TrySendError::Disconnected(_) => DatabaseError::stopped(),
    })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), DatabaseError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map(drop).map_err(|error| DatabaseError::Unavailable(error.to_string()))
}

/// Opens the file for writing, durable to power loss: the log is synced at every commit.
pub(super) fn open_writer(config: &SqliteConfig) -> Result<Handle, DatabaseError> {
    let connection = Handle::open(&config.path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
    )?;
    if let Some(pages) = config.max_pages {
        connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?;
    }
    prepare_once(&connection)?;
    connection.set_prepared_statement_cache_capacity(512);
    Ok(connection)
}

fn open_reader(config: &SqliteConfig) -> Result<Handle, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Handle::open_with_flags(&config.path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4000;")?;
    prepare_once(&connection)?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(connection)
}

/// Keeps the plan of a prepared statement whatever values are bound: otherwise SQLite compiles many of ours anew at each
/// execution, in case the values ask for another plan, which was a quarter of the cost of a page.
fn prepare_once(connection: &Handle) -> Result<(), DatabaseError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn serve_reads(connection: &Handle, queue: &Receiver<Box<dyn Work>>, measures: &Measures) {
    let statements = Statements::of(connection);
    while let Ok(mut work) = queue.recv() {
        measures.read.wait.record(work.waited());
        let busy = measures.read.begin();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            work.run(&mut Tx::new(Connection::sqlite_prepared(connection, &statements).measured(measures)));
        }));
        drop(busy);
        work.answer(ran.map_err(|_| panicked()));
    }
}

fn panicked() -> DatabaseError {
    DatabaseError::Defect("a transaction panicked".into())
}

struct Writer<'h> {
    connection: &'h Handle,
    statements: &'h dyn Prepared,
    signals: Arc<Signals>,
    measures: Arc<Measures>,
}

/// A closure that was run in the open group, with how that went.
struct Member {
    work: Box<dyn Work>,
    outcome: Result<AfterCommit, DatabaseError>,
}

impl Writer<'_> {
    fn run(self, queue: &Receiver<Box<dyn Work>>) {
        let mut untidy = true;
        loop {
            match queue.recv_timeout(IDLE) {
                Ok(first) => {
                    self.commit_group(first, queue);
                    untidy = true;
                }
                Err(RecvTimeoutError::Timeout) if untidy => {
                    self.tidy();
                    untidy = false;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Runs the first closure and those that wait behind it as one transaction, then answers all of them.
    fn commit_group(&self, first: Box<dyn Work>, queue: &Receiver<Box<dyn Work>>) {
        let measures = Arc::clone(&self.measures);
        let busy = measures.write.begin();
        if let Err(error) = self.steer("BEGIN IMMEDIATE") {
            first.answer(Err(unavailable(error)));
            return;
        }
        let begun = Instant::now();
        let mut members = Vec::new();
        let mut next = Some(first);
        while let Some(work) = next {
            members.push(self.run_member(work));
            let open = !self.connection.is_autocommit();
            let room = members.len() < GROUP && begun.elapsed() < GROUP_TIME;
            next = if open && room { queue.try_recv().ok() } else { None };
        }
        let committed = self.commit();
        drop(busy);
        match committed {
            Ok(()) => {
                measures.commits.increment(1);
                measures.members.record(u32::try_from(members.len()).unwrap_or(u32::MAX));
                self.answer_all(members);
            }
            Err(error) => {
                for member in members {
                    member.work.answer(Err(error.clone()));
                }
            }
        }
    }

    fn run_member(&self, mut work: Box<dyn Work>) -> Member {
        self.measures.write.wait.record(work.waited());
        let outcome = self.run_in_savepoint(work.as_mut());
        Member { work, outcome }
    }

    fn run_in_savepoint(&self, work: &mut dyn Work) -> Result<AfterCommit, DatabaseError> {
        self.steer("SAVEPOINT member")?;
        let connection = Connection::sqlite_prepared(self.connection, self.statements);
        let mut tx = Tx::new(connection.measured(&self.measures));
        let ran = catch_unwind(AssertUnwindSafe(|| work.run(&mut tx)));
        if self.connection.is_autocommit() {
            return Err(DatabaseError::Unavailable("the transaction was lost".into()));
        }
        match ran {
            Ok(true) if tx.failure().is_none() => {
                self.steer("RELEASE member")?;
                Ok(tx.into_after_commit())
            }
            ran => {
                self.steer("ROLLBACK TO member")?;
                self.steer("RELEASE member")?;
                match ran {
                    Ok(false) => Ok(AfterCommit::default()),
                    Ok(true) => Err(swallowed(&tx)),
                    Err(_) => Err(panicked()),
                }
            }
        }
    }

    fn steer(&self, sql: &str) -> Result<(), DatabaseError> {
        self.statements.with(sql, &mut |statement| {
            statement.execute([])?;
            Ok(())
        })
    }

    /// Some errors (disk full, I/O) end the whole transaction, and with it every member of the group.
    fn commit(&self) -> Result<(), DatabaseError> {
        if self.connection.is_autocommit() {
            return Err(DatabaseError::Unavailable("the transaction was lost".into()));
        }
        crate::failpoint::reach("sqlite.before_commit");
        let committed = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if let Err(error) = committed {
            stop_if_sync_failed(&error);
            if !self.connection.is_autocommit()
                && let Err(rollback) = self.connection.execute_batch("ROLLBACK")
            {
                tracing::error!(error = %rollback, "rollback failed");
            }
            return Err(unavailable(error.into()));
        }
        crate::failpoint::reach("sqlite.after_commit");
        Ok(())
    }

    fn answer_all(&self, members: Vec<Member>) {
        let mut raised = super::signals::Raised::default();
        let mut answers = Vec::with_capacity(members.len());
        for Member { work, outcome } in members {
            let outcome = outcome.map(|mut after| {
                self.signals.recent().take_in(after.take_appended());
                raised.merge(after.run(&self.signals));
            });
            answers.push((work, outcome));
        }
        self.signals.announce(raised);
        for (work, outcome) in answers {
            work.answer(outcome);
        }
    }

    /// Moves the write-ahead log into the file while nobody waits.
    fn tidy(&self) {
        let done = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = done {
            tracing::warn!(%error, "checkpoint failed");
        }
    }
}

/// After a failed fsync nobody knows what is on disk, and asking again would lie: only a restart reads the truth.
fn stop_if_sync_failed(error: &rusqlite::Error) {
    if error.sqlite_error().is_some_and(|failure| failure.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC)
    {
        tracing::error!(%error, "fsync failed at commit; stopping, so that a restart reads what is on disk");
        std::process::abort();
    }
}

fn swallowed(tx: &Tx<'_>) -> DatabaseError {
    tx.failure().cloned().unwrap_or_else(panicked)
}

/// Whatever the reason, the members of a group that could not commit may try again.
fn unavailable(error: DatabaseError) -> DatabaseError {
    if error.is_engine_failure() { error } else { DatabaseError::Unavailable(error.to_string()) }
}
