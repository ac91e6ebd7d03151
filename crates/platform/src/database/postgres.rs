//! The PostgreSQL engine: threads that each own one synchronous connection behind a bounded queue.
//!
//! READ COMMITTED. Only serialization failures and deadlocks are run again; a connection lost during COMMIT leaves the
//! outcome unknown and is never retried blindly.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use postgres::{Client, Statement, types::ToSql};
use stoa_kernel::Random;

use super::{
    Connection, DatabaseError, Load, PostgresConfig, Signals, Tx, Value,
    connection::AfterCommit,
    dialling::Dialling,
    measures::{Lane, Measures},
    work::Work,
};

const QUEUE: usize = 4_096;
const MOST_ATTEMPTS: u32 = 8;
const MOST_STATEMENTS: usize = 512;

pub(super) struct PostgresPool {
    queue: Sender<Task>,
    settings: Dialling,
    connections: usize,
    measures: Arc<Measures>,
}

enum Task {
    Write(Box<dyn Work>),
    Read(Box<dyn Work>),
}

impl PostgresPool {
    pub(super) fn open(
        config: &PostgresConfig,
        signals: Arc<Signals>,
        measures: Measures,
    ) -> Result<Self, DatabaseError> {
        let (measures, connections) = (Arc::new(measures), config.connections.max(1));
        let settings = Dialling::of(config)?;
        let (queue, tasks) = bounded(QUEUE);
        for number in 0..connections {
            // The first connection proves the address; the others connect when they are needed.
            let session = if number == 0 { Some(PostgresSession::connect(&settings)?) } else { None };
            let worker = Worker {
                settings: settings.clone(),
                session,
                signals: Arc::clone(&signals),
                measures: Arc::clone(&measures),
                random: Random::system(),
            };
            let tasks = tasks.clone();
            thread::Builder::new()
                .name("stoa-postgres".into())
                .spawn(move || worker.run(&tasks))
                .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        }
        Ok(Self { queue, settings, connections, measures })
    }

    pub(super) fn load(&self) -> Load {
        let waiting = self.queue.len();
        Load { writes_waiting: waiting, connections: self.connections, ..Load::default() }
    }

    pub(super) fn settings(&self) -> &Dialling {
        &self.settings
    }

    pub(super) fn write(&self, work: Box<dyn Work>) -> Result<(), DatabaseError> {
        self.enqueue(Task::Write(work), &self.measures.write)
    }

    pub(super) fn read(&self, work: Box<dyn Work>) -> Result<(), DatabaseError> {
        self.enqueue(Task::Read(work), &self.measures.read)
    }

    fn enqueue(&self, task: Task, lane: &Lane) -> Result<(), DatabaseError> {
        self.queue.try_send(task).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                lane.refused.increment(1);
                DatabaseError::overloaded()
            }
            TrySendError::Disconnected(_) => DatabaseError::stopped(),
        })
    }
}

/// A connection with its prepared statements.
pub(super) struct PostgresSession {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl PostgresSession {
    pub(super) fn connect(settings: &Dialling) -> Result<Self, DatabaseError> {
        let client = settings.connect().map_err(DatabaseError::from)?;
        Ok(Self { client, statements: HashMap::new() })
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, DatabaseError> {
        let statement = self.prepare(sql)?;
        Ok(self.client.execute(&statement, &references(values))?)
    }

    pub(super) fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<postgres::Row>, DatabaseError> {
        let statement = self.prepare(sql)?;
        Ok(self.client.query(&statement, &references(values))?)
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<(), DatabaseError> {
        Ok(self.client.batch_execute(sql)?)
    }

    fn prepare(&mut self, sql: &str) -> Result<Statement, DatabaseError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if self.statements.len() >= MOST_STATEMENTS {
            self.statements.clear();
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn references<'v>(values: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}

struct Worker {
    settings: Dialling,
    session: Option<PostgresSession>,
    signals: Arc<Signals>,
    measures: Arc<Measures>,
    random: Random,
}

/// What became of one try at a transaction.
enum Attempt {
    Done(Result<AfterCommit, DatabaseError>),
    Again(DatabaseError),
}

impl Worker {
    fn run(mut self, tasks: &Receiver<Task>) {
        let measures = Arc::clone(&self.measures);
        while let Ok(task) = tasks.recv() {
            let (work, outcome) = match task {
                Task::Write(mut work) => {
                    measures.write.wait.record(work.waited());
                    let _busy = measures.write.begin();
                    let outcome = self.write(work.as_mut(), &measures);
                    (work, outcome)
                }
                Task::Read(mut work) => {
                    measures.read.wait.record(work.waited());
                    let _busy = measures.read.begin();
                    let outcome = self.read(work.as_mut(), &measures);
                    (work, outcome)
                }
            };
            if self.session.as_ref().is_some_and(|session| session.client.is_closed()) {
                self.session = None;
            }
            work.answer(outcome);
        }
    }

    /// Reads have no effects, so one that met a dead connection is run again on a new one.
    fn read(&mut self, work: &mut dyn Work, measures: &Measures) -> Result<(), DatabaseError> {
        if self.reads(work, measures)? {
            return Ok(());
        }
        self.session = None;
        self.reads(work, measures).map(drop)
    }

    /// Runs a read; false when the connection was lost on the way.
    fn reads(&mut self, work: &mut dyn Work, measures: &Measures) -> Result<bool, DatabaseError> {
        let session = self.connected()?;
        let mut tx = Tx::new(Connection::postgres(&mut *session).measured(measures));
        let ran = catch_unwind(AssertUnwindSafe(|| work.run(&mut tx)));
        let failed = matches!(tx.failure(), Some(DatabaseError::Unavailable(_)));
        // A statement that took too long fails like this as well, but its session answers.
        let lost = failed && session.batch("").is_err();
        if ran.is_err() {
            self.session = None;
        }
        ran.map(|_| !lost).map_err(|_| panicked())
    }

    fn write(&mut self, work: &mut dyn Work, measures: &Measures) -> Result<(), DatabaseError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(work, measures)? {
                Attempt::Done(outcome) => {
                    let after = outcome?;
                    self.signals.announce(after.run(&self.signals));
                    return Ok(());
                }
                Attempt::Again(error) if attempts >= MOST_ATTEMPTS => return Err(error),
                Attempt::Again(_) => {
                    measures.retries.increment(1);
                    let most = 2_u64.saturating_pow(attempts) * 1_000;
                    thread::sleep(Duration::from_micros(self.random.below(most)));
                }
            }
        }
    }

    fn attempt(&mut self, work: &mut dyn Work, measures: &Measures) -> Result<Attempt, DatabaseError> {
        let session = self.begun()?;
        let mut tx = Tx::new(Connection::postgres(session).measured(measures));
        let ran = catch_unwind(AssertUnwindSafe(|| work.run(&mut tx)));
        let failure = tx.failure().cloned();
        let after = tx.into_after_commit();
        let attempt = match (ran, failure) {
            (Err(_), _) => {
                self.session = None;
                return Err(panicked());
            }
            (Ok(_), Some(error @ DatabaseError::Conflict(_))) => Attempt::Again(error),
            (Ok(true), None) => return self.commit(after),
            (Ok(true), Some(error)) => Attempt::Done(Err(error)),
            (Ok(false), _) => Attempt::Done(Ok(AfterCommit::default())),
        };
        self.rollback();
        Ok(attempt)
    }

    /// Only a refusal (a deferred constraint, a conflict) says that the transaction is undone. Any other failure may have
    /// come after the commit was written: a server that shuts down says so to a session that waits for its replica, too.
    fn commit(&mut self, after: AfterCommit) -> Result<Attempt, DatabaseError> {
        crate::failpoint::reach("postgres.before_commit");
        let committed = self.connected()?.client.batch_execute("COMMIT");
        crate::failpoint::reach("postgres.after_commit");
        let Err(error) = committed else {
            self.measures.commits.increment(1);
            return Ok(Attempt::Done(Ok(after)));
        };
        match DatabaseError::from(error) {
            DatabaseError::Unavailable(reason) => {
                self.session = None;
                Err(DatabaseError::CommitUnknown(reason))
            }
            refused => {
                self.rollback();
                let again = matches!(refused, DatabaseError::Conflict(_));
                Ok(if again { Attempt::Again(refused) } else { Attempt::Done(Err(refused)) })
            }
        }
    }

    /// A connection that cannot roll back is thrown away, which rolls back too.
    fn rollback(&mut self) {
        if let Some(session) = &mut self.session
            && session.batch("ROLLBACK").is_err()
        {
            self.session = None;
        }
    }

    /// A session with a transaction begun. One that died while it was idle has done nothing yet, so another takes its
    /// place.
    fn begun(&mut self) -> Result<&mut PostgresSession, DatabaseError> {
        if self.connected()?.batch("BEGIN").is_err() {
            self.session = None;
            self.connected()?.batch("BEGIN")?;
        }
        self.connected()
    }

    fn connected(&mut self) -> Result<&mut PostgresSession, DatabaseError> {
        match &mut self.session {
            Some(session) if !session.client.is_closed() => {}
            absent => *absent = Some(PostgresSession::connect(&self.settings)?),
        }
        self.session.as_mut().ok_or_else(DatabaseError::stopped)
    }
}

fn panicked() -> DatabaseError {
    DatabaseError::Defect("a transaction panicked".into())
}
