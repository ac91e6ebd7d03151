//! The prepared statements of a connection that stays with its thread.
//!
//! The driver's own cache copies and hashes the whole text of a statement twice for each execution, after we have
//! translated it; for a short statement that costs as much as the statement itself. Here the text is hashed once, as it
//! was written.

use std::{cell::RefCell, collections::HashMap, mem};

use rusqlite::{Connection as Handle, PrepFlags, Statement};

use super::{DatabaseError, connection::translate};

/// Statements that were used lately, of which there are two such generations.
const GENERATION: usize = 256;

/// Runs statements that it has prepared.
pub(super) trait Prepared {
    /// Hands the statement with this text to `work`.
    fn with(
        &self,
        sql: &str,
        work: &mut dyn FnMut(&mut Statement<'_>) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError>;
}

/// Statements of a connection, by the text they were written in.
pub(super) struct Statements<'h> {
    handle: &'h Handle,
    kept: RefCell<Kept<'h>>,
}

type Generation<'h> = HashMap<Box<str>, Statement<'h>, foldhash::fast::RandomState>;

#[derive(Default)]
struct Kept<'h> {
    young: Generation<'h>,
    old: Generation<'h>,
}

impl<'h> Statements<'h> {
    pub(super) fn of(handle: &'h Handle) -> Self {
        Self { handle, kept: RefCell::default() }
    }
}

impl Prepared for Statements<'_> {
    fn with(
        &self,
        sql: &str,
        work: &mut dyn FnMut(&mut Statement<'_>) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let mut kept = self.kept.borrow_mut();
        let statement = kept.statement(self.handle, sql)?;
        let done = work(statement);
        // What was bound may be large.
        statement.clear_bindings();
        done
    }
}

impl<'h> Kept<'h> {
    fn statement(&mut self, handle: &'h Handle, sql: &str) -> Result<&mut Statement<'h>, DatabaseError> {
        if !self.young.contains_key(sql) {
            let statement = match self.old.remove(sql) {
                Some(statement) => statement,
                None => prepare(handle, sql)?,
            };
            if self.young.len() == GENERATION {
                self.old = mem::take(&mut self.young);
            }
            self.young.insert(sql.into(), statement);
        }
        self.young.get_mut(sql).ok_or_else(|| DatabaseError::Defect("a statement was mislaid".into()))
    }
}

fn prepare<'h>(handle: &'h Handle, sql: &str) -> Result<Statement<'h>, DatabaseError> {
    let mut translated = String::new();
    translate(sql, &mut translated);
    Ok(handle.prepare_with_flags(&translated, PrepFlags::SQLITE_PREPARE_PERSISTENT)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(statements: &Statements<'_>, sql: &str, bound: i64) -> i64 {
        let mut answer = 0;
        let read = &mut |statement: &mut Statement<'_>| {
            answer = statement.query_row([bound], |row| row.get(0))?;
            Ok(())
        };
        statements.with(sql, read).unwrap();
        answer
    }

    #[test]
    fn a_statement_is_prepared_once_and_the_number_of_them_is_bounded() {
        let handle = Handle::open_in_memory().unwrap();
        let statements = Statements::of(&handle);
        for round in 0..3 {
            for plus in 0..700 {
                let sql = format!("SELECT $1 + {plus}");
                assert_eq!(number(&statements, &sql, round), round + plus);
                assert_eq!(number(&statements, "SELECT $1", round), round);
                let kept = statements.kept.borrow();
                assert!(kept.young.len() <= GENERATION && kept.old.len() <= GENERATION);
                assert!(kept.young.contains_key("SELECT $1"), "what is used stays");
            }
        }
        let bad = statements.with("SELECT nonsense FROM nowhere", &mut |_| Ok(()));
        assert!(bad.is_err());
        assert_eq!(number(&statements, "SELECT $1", 7), 7, "and the others still work");
    }
}
