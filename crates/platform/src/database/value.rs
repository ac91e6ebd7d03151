//! Values on their way into statements and out of rows, the same for both engines.

use std::{borrow::Cow, cell::Cell, error::Error, fmt::Write as _};

use postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use rusqlite::types::{ToSqlOutput, ValueRef};
use stoa_kernel::{Id, Money, Timestamp};
use uuid::Uuid;

use super::{DatabaseError, Engine, Tx};

/// A value to bind. Ids are BLOB(16) or UUID, times BIGINT microseconds, money BIGINT minor units, JSON is TEXT.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A BOOLEAN.
    Bool(bool),
    /// A BIGINT (or a narrower integer, when it fits).
    Number(i64),
    /// TEXT.
    Text(Cow<'a, str>),
    /// BLOB or BYTEA.
    Bytes(Cow<'a, [u8]>),
    /// A UUID.
    Uuid(Uuid),
}

/// `$from, $from+1, …`: so many placeholders for an IN list or VALUES row.
pub fn placeholders(from: usize, count: usize) -> String {
    let mut names = String::with_capacity(count * 6);
    append_placeholders(&mut names, from, count);
    names
}

/// `($1, $2), ($3, $4), …`: the VALUES of so many rows.
pub fn tuples(rows: usize, columns: usize) -> String {
    let mut tuples = String::with_capacity(rows * (columns * 6 + 4));
    for row in 0..rows {
        tuples.push_str(if row == 0 { "(" } else { ", (" });
        append_placeholders(&mut tuples, row * columns + 1, columns);
        tuples.push(')');
    }
    tuples
}

fn append_placeholders(text: &mut String, from: usize, count: usize) {
    for number in from..from + count {
        // Writing into a string cannot fail.
        let _ = write!(text, "{}${number}", if number == from { "" } else { ", " });
    }
}

/// Inserts rows into `table (column, …)`, with `rest` behind their VALUES: on SQLite one by one, which costs least there,
/// on PostgreSQL many to a statement, which is a round trip.
pub fn insert_rows<const COLUMNS: usize>(
    tx: &mut Tx<'_>,
    table: &str,
    rows: &[[Value<'_>; COLUMNS]],
    rest: &str,
) -> Result<u64, DatabaseError> {
    if rows.is_empty() {
        return Ok(0);
    }
    if tx.engine() == Engine::Sqlite {
        return tx.execute_each(&insert_many(Engine::Sqlite, table, (1, COLUMNS), rest), rows);
    }
    let mut inserted = 0;
    for some in rows_of_few_lengths(rows) {
        let insert = insert_many(Engine::Postgres, table, (some.len(), COLUMNS), rest);
        inserted += tx.execute(&insert, some.as_flattened())?;
    }
    Ok(inserted)
}

/// The statement that inserts so many rows of so many columns into `table (column, …)`, and `rest` behind them.
///
/// On `SQLite` a statement of several rows that could fail at a later one keeps a copy of each page it touches, to take the
/// earlier rows back by itself: a third of all work where indexes are large. This one does not, so whoever runs it has to
/// end the transaction when it fails.
pub fn insert_many(engine: Engine, table: &str, (rows, columns): (usize, usize), rest: &str) -> String {
    let insert = if engine == Engine::Sqlite && rest.is_empty() { "INSERT OR FAIL" } else { "INSERT" };
    format!("{insert} INTO {table} VALUES {}{rest}", tuples(rows, columns))
}

/// Rows for statements of many rows, in slices of 512, 256, 128, … 1, so that whatever their number there are few different
/// statements to prepare.
pub fn rows_of_few_lengths<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    const MOST: usize = 512;
    let mut rest = rows;
    std::iter::from_fn(move || {
        let length = (rest.len().min(MOST) + 1).next_power_of_two() / 2;
        if length == 0 {
            return None;
        }
        let (some, others) = rest.split_at_checked(length)?;
        rest = others;
        Some(some)
    })
}

/// Placeholders from `$from` for an IN list of `values`, which are appended to `bound`; repeats the last, so that
/// whatever their number there are few different statements to prepare. There must be at least one.
pub fn in_list<'v>(bound: &mut Vec<Value<'v>>, values: impl IntoIterator<Item = Value<'v>>) -> String {
    let from = bound.len() + 1;
    bound.extend(values);
    let given = (bound.len() + 1).saturating_sub(from);
    if let Some(last) = bound.last().cloned() {
        bound.extend(std::iter::repeat_n(last, given.next_power_of_two().saturating_sub(given)));
    }
    placeholders(from, (bound.len() + 1).saturating_sub(from))
}

macro_rules! value_from {
    ($($kind:ty => |$value:ident| $made:expr;)*) => {
        $(impl<'a> From<$kind> for Value<'a> {
            fn from($value: $kind) -> Self {
                $made
            }
        })*
    };
}

value_from! {
    bool => |value| Self::Bool(value);
    i64 => |value| Self::Number(value);
    i32 => |value| Self::Number(value.into());
    u32 => |value| Self::Number(value.into());
    &'a str => |value| Self::Text(value.into());
    &'a String => |value| Self::Text(value.as_str().into());
    String => |value| Self::Text(value.into());
    &'a [u8] => |value| Self::Bytes(value.into());
    Vec<u8> => |value| Self::Bytes(value.into());
    Uuid => |value| Self::Uuid(value);
    Timestamp => |value| Self::Number(value.as_micros());
    Money => |value| Self::Number(value.minor());
}

impl<K> From<Id<K>> for Value<'_> {
    fn from(id: Id<K>) -> Self {
        Self::Uuid(id.uuid())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Number(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::Uuid(value) => ValueRef::Blob(value.as_bytes()),
        }))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql_checked(ty, out),
            Self::Number(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            Self::Number(value) if *ty == Type::INT2 => i16::try_from(*value)?.to_sql(ty, out),
            Self::Number(value) => value.to_sql_checked(ty, out),
            Self::Text(value) => value.as_ref().to_sql_checked(ty, out),
            Self::Bytes(value) => value.as_ref().to_sql_checked(ty, out),
            Self::Uuid(value) => value.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A result row, read column by column from the left.
pub struct Row<'r> {
    source: Source<'r>,
    next: Cell<usize>,
}

#[derive(Clone, Copy)]
enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r postgres::Row),
}

impl<'r> Row<'r> {
    pub(super) fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self { source: Source::Sqlite(row), next: Cell::new(0) }
    }

    pub(super) fn postgres(row: &'r postgres::Row) -> Self {
        Self { source: Source::Postgres(row), next: Cell::new(0) }
    }

    /// The next column's value.
    pub fn read<T: Column>(&self) -> Result<T, DatabaseError> {
        let index = self.next.replace(self.next.get() + 1);
        let value = match self.source {
            Source::Sqlite(row) => T::from_sqlite(row.get_ref(index)?),
            Source::Postgres(row) => T::from_postgres(row, index),
        };
        value.ok_or_else(|| unexpected(index))
    }

    /// The next column's text, where it lies.
    pub fn text(&self) -> Result<&str, DatabaseError> {
        let index = self.next.replace(self.next.get() + 1);
        let text = match self.source {
            Source::Sqlite(row) => row.get_ref(index)?.as_str().ok(),
            Source::Postgres(row) => row.try_get(index).ok(),
        };
        text.ok_or_else(|| unexpected(index))
    }

    /// The next column's text, turned into a domain value by `parse`.
    pub fn parse<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, DatabaseError> {
        let text = self.text()?;
        parse(text).ok_or_else(|| DatabaseError::Decode(format!("{text:?} is not a known value")))
    }
}

fn unexpected(index: usize) -> DatabaseError {
    DatabaseError::Decode(format!("column {index} has an unexpected type or value"))
}

/// A type that can stand in a column.
pub trait Column: Sized {
    /// From SQLite's dynamic value.
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self>;
    /// From a column of a PostgreSQL row.
    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self>;
}

impl Column for i64 {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok()
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        match *row.columns().get(index)?.type_() {
            Type::INT4 => row.try_get::<_, i32>(index).ok().map(Self::from),
            Type::INT2 => row.try_get::<_, i16>(index).ok().map(Self::from),
            _ => row.try_get(index).ok(),
        }
    }
}

macro_rules! narrow_column {
    ($($kind:ty),*) => {
        $(impl Column for $kind {
            fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
                i64::from_sqlite(value)?.try_into().ok()
            }

            fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
                i64::from_postgres(row, index)?.try_into().ok()
            }
        })*
    };
}

narrow_column!(i32, u32, u64);

impl Column for bool {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok().map(|number| number != 0)
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        row.try_get(index).ok()
    }
}

impl Column for String {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        value.as_str().ok().map(str::to_owned)
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        row.try_get(index).ok()
    }
}

impl Column for Vec<u8> {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        value.as_blob().ok().map(<[u8]>::to_vec)
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        row.try_get(index).ok()
    }
}

impl Column for Uuid {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        Self::from_slice(value.as_blob().ok()?).ok()
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        row.try_get(index).ok()
    }
}

impl<K> Column for Id<K> {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        Uuid::from_sqlite(value).map(Self::from)
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        Uuid::from_postgres(row, index).map(Self::from)
    }
}

impl Column for Timestamp {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        i64::from_sqlite(value).map(Self::from_micros)
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        i64::from_postgres(row, index).map(Self::from_micros)
    }
}

impl<T: Column> Column for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &postgres::Row, index: usize) -> Option<Self> {
        if is_null(row, index) { Some(None) } else { T::from_postgres(row, index).map(Some) }
    }
}

fn is_null(row: &postgres::Row, index: usize) -> bool {
    struct AnyType;
    impl<'a> postgres::types::FromSql<'a> for AnyType {
        fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
            Ok(Self)
        }

        fn accepts(_: &Type) -> bool {
            true
        }
    }
    matches!(row.try_get::<_, Option<AnyType>>(index), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_from_where_they_are_told() {
        assert_eq!(placeholders(3, 2), "$3, $4");
        assert_eq!(placeholders(1, 0), "");
    }

    #[test]
    fn many_rows_go_in_few_different_lengths() {
        for count in [0, 1, 2, 3, 7, 64, 100, 511, 512, 513, 1_300] {
            let rows: Vec<usize> = (0..count).collect();
            let slices: Vec<&[usize]> = rows_of_few_lengths(&rows).collect();
            assert_eq!(slices.concat(), rows);
            assert!(
                slices.iter().all(|slice| slice.len().is_power_of_two() && slice.len() <= 512),
                "{count}"
            );
            assert!(slices.len() <= count / 512 + 9);
        }
        assert_eq!(tuples(2, 2), "($1, $2), ($3, $4)");
    }

    #[test]
    fn lists_grow_to_powers_of_two() {
        let mut bound = vec![Value::Bool(true)];
        assert_eq!(in_list(&mut bound, (0..3_i64).map(Value::from)), "$2, $3, $4, $5");
        assert_eq!(bound[1..], [0_i64, 1, 2, 2].map(Value::Number));
        assert_eq!(in_list(&mut bound, [Value::Null]), "$6");
    }
}
