//! A connection as stores see it, and a transaction on top of it.

use std::{
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use super::{
    DatabaseError, Row, Signal, Signals, Value, measures::Measures, postgres::PostgresSession,
    signals::Raised, statements::Prepared,
};
use crate::{
    cache::Tag,
    events::{Appended, StoredEvent},
    metrics::Histogram,
};

/// Which engine runs the SQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The embedded engine.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

impl Engine {
    /// Its name where figures and traces tell engines apart.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }
}

/// Runs statements. Parameters are `$1`, `$2`, … on both engines and are bound by number, whatever their order in the
/// text.
pub struct Connection<'c> {
    link: Link<'c>,
    failure: Option<DatabaseError>,
    times: Option<&'c Histogram>,
}

enum Link<'c> {
    Sqlite(SqliteLink<'c>),
    Postgres(&'c mut PostgresSession),
}

/// A handle, with the statements that were prepared on it where it stays with its thread.
struct SqliteLink<'c> {
    handle: &'c rusqlite::Connection,
    prepared: Option<&'c dyn Prepared>,
}

impl<'c> Connection<'c> {
    pub(super) fn sqlite(handle: &'c rusqlite::Connection) -> Self {
        Self { link: Link::Sqlite(SqliteLink { handle, prepared: None }), failure: None, times: None }
    }

    /// The same, with statements of this handle that are kept from one use to the next.
    pub(super) fn sqlite_prepared(handle: &'c rusqlite::Connection, prepared: &'c dyn Prepared) -> Self {
        let link = SqliteLink { handle, prepared: Some(prepared) };
        Self { link: Link::Sqlite(link), failure: None, times: None }
    }

    pub(super) fn postgres(session: &'c mut PostgresSession) -> Self {
        Self { link: Link::Postgres(session), failure: None, times: None }
    }

    /// The same, with its statements timed.
    pub(super) fn measured(self, measures: &'c Measures) -> Self {
        Self { times: Some(&measures.statements), ..self }
    }

    /// Which engine this is, where SQL must differ.
    pub fn engine(&self) -> Engine {
        match self.link {
            Link::Sqlite(_) => Engine::Sqlite,
            Link::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement; answers how many rows it changed.
    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, DatabaseError> {
        let begun = Instant::now();
        let changed = match &mut self.link {
            Link::Sqlite(link) => link.execute_each(sql, [values]),
            Link::Postgres(session) => session.execute(sql, values),
        };
        self.remember(begun, changed)
    }

    /// Runs a query; every row is turned into a value by `read`.
    pub fn query<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, DatabaseError> {
        let begun = Instant::now();
        let rows = match &mut self.link {
            Link::Sqlite(link) => link.query_each(sql, [values], &mut read),
            Link::Postgres(session) => session
                .query(sql, values)
                .and_then(|rows| rows.iter().map(|row| read(&Row::postgres(row))).collect()),
        };
        self.remember(begun, rows)
    }

    /// Runs a statement for each of these rows of values; answers how many rows it changed in all. On SQLite that costs
    /// less than one statement of many rows, on PostgreSQL it is a round trip for each.
    pub fn execute_each<'v>(
        &mut self,
        sql: &str,
        rows: impl IntoIterator<Item: AsRef<[Value<'v>]>>,
    ) -> Result<u64, DatabaseError> {
        let begun = Instant::now();
        let changed = match &mut self.link {
            Link::Sqlite(link) => link.execute_each(sql, rows),
            Link::Postgres(session) => {
                rows.into_iter().try_fold(0, |sum, row| Ok(sum + session.execute(sql, row.as_ref())?))
            }
        };
        self.remember(begun, changed)
    }

    /// Runs a query for each of these rows of values; answers what all of them found, in order.
    pub fn query_each<'v, T>(
        &mut self,
        sql: &str,
        rows: impl IntoIterator<Item: AsRef<[Value<'v>]>>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, DatabaseError> {
        let begun = Instant::now();
        let found = match &mut self.link {
            Link::Sqlite(link) => link.query_each(sql, rows, &mut read),
            Link::Postgres(session) => rows.into_iter().try_fold(Vec::new(), |mut found, row| {
                for row in session.query(sql, row.as_ref())? {
                    found.push(read(&Row::postgres(&row))?);
                }
                Ok(found)
            }),
        };
        self.remember(begun, found)
    }

    /// Runs a query for one row at most.
    pub fn find<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, DatabaseError>,
    ) -> Result<Option<T>, DatabaseError> {
        Ok(self.query(sql, values, read)?.into_iter().next())
    }

    /// Runs statements without parameters, separated by semicolons.
    pub fn batch(&mut self, sql: &str) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        let done = match &mut self.link {
            Link::Sqlite(link) => link.handle.execute_batch(sql).map_err(DatabaseError::from),
            Link::Postgres(session) => session.batch(sql),
        };
        self.remember(begun, done)
    }

    /// The key of the row that was inserted last, on SQLite.
    pub(crate) fn last_row(&self) -> Option<i64> {
        match &self.link {
            Link::Sqlite(link) => Some(link.handle.last_insert_rowid()),
            Link::Postgres(_) => None,
        }
    }

    /// Runs one statement that begins or ends a part of a transaction, in the way that is cheapest.
    fn steer(&mut self, sql: &str) -> Result<(), DatabaseError> {
        match self.link {
            Link::Sqlite(_) => self.execute(sql, &[]).map(drop),
            Link::Postgres(_) => self.batch(sql),
        }
    }

    /// The first error since the last rollback: whoever swallows one cannot commit.
    pub(crate) fn failure(&self) -> Option<&DatabaseError> {
        self.failure.as_ref()
    }

    fn remember<T>(&mut self, begun: Instant, result: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if let Some(times) = self.times {
            times.record(begun.elapsed());
        }
        if let Err(error) = &result
            && self.failure.is_none()
        {
            self.failure = Some(error.clone());
        }
        result
    }
}

impl SqliteLink<'_> {
    fn execute_each<'v>(
        &self,
        sql: &str,
        each: impl IntoIterator<Item: AsRef<[Value<'v>]>>,
    ) -> Result<u64, DatabaseError> {
        let (mut each, mut changed) = (each.into_iter(), 0);
        self.with(sql, &mut |statement| {
            for values in each.by_ref() {
                changed += statement.execute(rusqlite::params_from_iter(values.as_ref()))? as u64;
            }
            Ok(())
        })?;
        Ok(changed)
    }

    fn query_each<'v, T>(
        &self,
        sql: &str,
        each: impl IntoIterator<Item: AsRef<[Value<'v>]>>,
        read: &mut impl FnMut(&Row<'_>) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, DatabaseError> {
        let (mut each, mut found) = (each.into_iter(), Vec::new());
        self.with(sql, &mut |statement| {
            for values in each.by_ref() {
                let mut rows = statement.query(rusqlite::params_from_iter(values.as_ref()))?;
                while let Some(row) = rows.next()? {
                    found.push(read(&Row::sqlite(row))?);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn with(
        &self,
        sql: &str,
        work: &mut dyn FnMut(&mut rusqlite::Statement<'_>) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        if let Some(prepared) = self.prepared {
            return prepared.with(sql, work);
        }
        let mut translated = String::new();
        translate(sql, &mut translated);
        work(&mut *self.handle.prepare_cached(&translated)?)
    }
}

/// To SQLite `$1` is a *name*, numbered by first appearance; `?1` is the number that PostgreSQL means.
pub(super) fn translate(sql: &str, translated: &mut String) {
    translated.clear();
    translated.reserve(sql.len());
    let mut quoted = false;
    let mut pieces = sql.split_inclusive(['$', '\'']);
    let mut after_dollar = false;
    for piece in &mut pieces {
        if after_dollar {
            let numbered = !quoted && piece.starts_with(|first: char| first.is_ascii_digit());
            translated.push(if numbered { '?' } else { '$' });
        }
        after_dollar = piece.ends_with('$');
        translated.push_str(piece.strip_suffix('$').unwrap_or(piece));
        quoted ^= piece.ends_with('\'');
    }
    if after_dollar {
        translated.push('$');
    }
}

/// A transaction in progress; everything a [`Connection`] can do, and savepoints, announcements and hooks.
pub struct Tx<'c> {
    connection: Connection<'c>,
    raised: Raised,
    touched: Vec<Tag>,
    hooks: Vec<Box<dyn FnOnce() + Send>>,
    appended: Appended,
    depth: u32,
}

/// What a transaction asks to be done once it is committed.
#[derive(Default)]
pub(super) struct AfterCommit {
    raised: Raised,
    touched: Vec<Tag>,
    hooks: Vec<Box<dyn FnOnce() + Send>>,
    appended: Appended,
}

impl AfterCommit {
    /// What it did to the log.
    pub(super) fn take_appended(&mut self) -> Appended {
        std::mem::take(&mut self.appended)
    }

    /// Tells what was touched, runs the hooks and answers what is to be announced. The transaction stands, so a hook that
    /// panics is only told.
    pub(super) fn run(self, signals: &Signals) -> Raised {
        signals.touch(&self.touched);
        for hook in self.hooks {
            if catch_unwind(AssertUnwindSafe(hook)).is_err() {
                tracing::error!("a hook panicked after its transaction was committed");
            }
        }
        self.raised
    }
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: Connection<'c>) -> Self {
        let (raised, appended) = (Raised::default(), Appended::default());
        Self { connection, raised, touched: Vec::new(), hooks: Vec::new(), appended, depth: 0 }
    }

    /// Runs `work` in a savepoint: when it fails nothing of it stays, and the transaction goes on, unless it was the
    /// engine that failed.
    pub fn savepoint<T, E: From<DatabaseError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(error) = self.connection.failure.clone() {
            // Somebody swallowed an error: nothing that follows may be kept.
            return Err(error.into());
        }
        self.depth += 1;
        let result = self.in_savepoint(&format!("inner_{}", self.depth), work);
        self.depth -= 1;
        result
    }

    fn in_savepoint<T, E: From<DatabaseError>>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let (raised, hooks, appended) = (self.raised, self.hooks.len(), self.appended.len());
        self.steer(&format!("SAVEPOINT {name}"))?;
        let result = work(self);
        if result.is_ok() && self.failure.is_none() {
            self.steer(&format!("RELEASE SAVEPOINT {name}"))?;
            return result;
        }
        self.raised = raised;
        self.hooks.truncate(hooks);
        self.appended.truncate(appended);
        let undone = self.batch(&format!("ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"));
        let failure = self.connection.failure.take();
        if let Some(engine) = failure.iter().find(|error| error.is_engine_failure()) {
            // That was not the statement's fault, so the whole transaction has failed and may be run again.
            self.connection.failure = Some(engine.clone());
        }
        match (result, failure, undone) {
            (Ok(_), Some(swallowed), _) => Err(swallowed.into()),
            (Ok(_), None, Err(lost)) => Err(lost.into()),
            (result, ..) => result,
        }
    }

    /// Announces something to this node once the transaction is committed.
    pub fn raise(&mut self, signal: Signal) {
        self.raised.raise(signal);
    }

    /// Says that what this names is another once the transaction is committed: whoever read it before knows that they
    /// have to read it again, see [`Signals::holds`].
    pub fn touch(&mut self, what: Tag) {
        self.touched.push(what);
    }

    /// Runs `hook` right after COMMIT, before the answer leaves; never when the transaction fails. It must not block.
    pub fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.push(Box::new(hook));
    }

    /// Keeps an event that was just appended for those who hear the log here.
    pub(crate) fn hand_over(&mut self, event: StoredEvent) {
        self.appended.push(event);
    }

    /// Those who hear the log here have to read it.
    pub(crate) fn hand_over_nothing(&mut self) {
        self.appended.give_up();
    }

    pub(super) fn into_after_commit(self) -> AfterCommit {
        AfterCommit { raised: self.raised, touched: self.touched, hooks: self.hooks, appended: self.appended }
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = Connection<'c>;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(sql: &str) -> String {
        let mut text = String::new();
        translate(sql, &mut text);
        text
    }

    #[test]
    fn numbered_parameters_become_numbers_outside_quotes_only() {
        assert_eq!(translated("UPDATE t SET a=$2 WHERE id=$1"), "UPDATE t SET a=?2 WHERE id=?1");
        assert_eq!(translated("SELECT '$1', $1, '$', a$"), "SELECT '$1', ?1, '$', a$");
        assert_eq!(translated("SELECT '$.a' || $10"), "SELECT '$.a' || ?10");
        assert_eq!(translated("SELECT 'it''s $1' , $1$2"), "SELECT 'it''s $1' , ?1?2");
    }
}
