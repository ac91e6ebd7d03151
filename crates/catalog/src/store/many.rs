//! Inserting many rows by few statements.

use stoa_platform::database::{DatabaseError, Tx, Value, insert_many, rows_of_few_lengths};

/// A table with the columns that are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// `table (column, column)`.
    pub(crate) table: &'static str,
    /// How many columns that are.
    pub(crate) columns: usize,
    /// What follows the rows: ` ON CONFLICT …`, or nothing.
    pub(crate) rest: &'static str,
}

/// Inserts rows; `values` gives those of one. Whoever calls it has to end the transaction when it fails.
pub(crate) fn insert<'r, R>(
    tx: &mut Tx<'_>,
    into: Rows,
    rows: &'r [R],
    values: impl Fn(&'r R, &mut Vec<Value<'r>>),
) -> Result<(), DatabaseError> {
    for rows in rows_of_few_lengths(rows) {
        let mut given: Vec<Value<'_>> = Vec::with_capacity(rows.len() * into.columns);
        for row in rows {
            values(row, &mut given);
        }
        let insert = insert_many(tx.engine(), into.table, (rows.len(), into.columns), into.rest);
        tx.execute(&insert, &given)?;
    }
    Ok(())
}
