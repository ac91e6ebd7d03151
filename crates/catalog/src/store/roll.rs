//! Lists of packages and offers: by age or by name, each read along its index from right after the cursor.

use stoa_kernel::{Cursor, CursorValue, Id, Page, PageRequest, SortOrder, Timestamp, page::DEEPEST_ENTRY};
use stoa_platform::database::{Connection, DatabaseError, Value};

use crate::{listing::ForeignCursor, product::folded};

/// What such a list can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RollKey {
    Name,
    CreatedAt,
}

impl RollKey {
    /// Their public names.
    pub(crate) const NAMES: [(&'static str, Self); 2] =
        [("name", Self::Name), ("createdAt", Self::CreatedAt)];

    const fn column(self) -> &'static str {
        match self {
            Self::Name => "name_folded",
            Self::CreatedAt => "created_at",
        }
    }
}

/// Which rows of the table are in the list: a condition over `$1`, `$2`, … with their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) condition: String,
    pub(crate) values: Vec<Value<'static>>,
}

/// An order of such a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Roll {
    pub(crate) key: RollKey,
    pub(crate) order: SortOrder,
}

/// The place of an entry in the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RollPlace {
    pub(crate) id: Id<()>,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
}

impl Roll {
    /// A page of the list. `read` runs the statement that finds the `columns` of the rows.
    pub(crate) fn page<T>(
        self,
        connection: &mut Connection<'_>,
        (columns, table): (&str, &str),
        filter: &Filter,
        request: &PageRequest,
        read: impl FnOnce(&mut Connection<'_>, &str, &[Value<'_>]) -> Result<Vec<T>, DatabaseError>,
        place: impl Fn(&T) -> RollPlace,
    ) -> Result<Page<T>, DatabaseError> {
        let (sql, values) = self.statement((columns, table), filter, request);
        let rows = read(connection, &sql, &values)?;
        let total = if request.wants_total() { Some(total(connection, table, filter)?) } else { None };
        Ok(Page::from_rows(rows, request.limit, total, |last| self.cursor_after(place(last))))
    }

    fn statement(
        self,
        (columns, table): (&str, &str),
        filter: &Filter,
        request: &PageRequest,
    ) -> (String, Vec<Value<'static>>) {
        let mut values = filter.values.clone();
        let mut bind = |value: Value<'static>| {
            values.push(value);
            format!("${}", values.len())
        };
        let (column, direction) = (self.key.column(), direction(self.order));
        let mut conditions: Vec<String> = Vec::new();
        if !filter.condition.is_empty() {
            conditions.push(filter.condition.clone());
        }
        if let Some(after) = request.after() {
            let beyond = if self.order == SortOrder::Asc { ">" } else { "<" };
            let value = bind(match &after.value {
                CursorValue::Number(number) => Value::from(*number),
                CursorValue::Text(text) => Value::from(text.clone()),
            });
            let id = bind(Value::from(after.id));
            conditions.push(format!("({column}, id) {beyond} ({value}, {id})"));
        }
        let limit = bind(Value::from(i64::from(request.limit) + 1));
        let offset = bind(Value::from(request.offset()));
        let filtered = filtered(&conditions);
        let order = format!("ORDER BY {column} {direction}, id {direction}");
        (format!("SELECT {columns} FROM {table}{filtered} {order} LIMIT {limit} OFFSET {offset}"), values)
    }

    /// Refuses a cursor of another list or order.
    pub(crate) fn check(self, request: &PageRequest) -> Result<(), ForeignCursor> {
        let Some(cursor) = request.after() else { return Ok(()) };
        let fits = matches!(
            (&cursor.value, self.key),
            (CursorValue::Text(_), RollKey::Name) | (CursorValue::Number(_), RollKey::CreatedAt)
        );
        if fits && cursor.order == self.ordering() { Ok(()) } else { Err(ForeignCursor) }
    }

    fn cursor_after(self, RollPlace { id, name, created_at }: RollPlace) -> Cursor {
        let value = match self.key {
            RollKey::Name => CursorValue::Text(folded(&name)),
            RollKey::CreatedAt => CursorValue::Number(created_at.as_micros()),
        };
        Cursor { order: self.ordering(), value, id: id.uuid() }
    }

    fn ordering(self) -> String {
        format!("{}:{}", self.key.column(), direction(self.order))
    }
}

fn total(connection: &mut Connection<'_>, table: &str, filter: &Filter) -> Result<u32, DatabaseError> {
    let mut values = filter.values.clone();
    values.push(Value::from(DEEPEST_ENTRY));
    let filtered = filtered(std::slice::from_ref(&filter.condition));
    let sql =
        format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table}{filtered} LIMIT ${}) AS counted", values.len());
    Ok(connection.find(&sql, &values, |row| row.read())?.unwrap_or(0))
}

fn filtered(conditions: &[String]) -> String {
    let conditions: Vec<&str> =
        conditions.iter().map(String::as_str).filter(|condition| !condition.is_empty()).collect();
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

const fn direction(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Asc => "ASC",
        SortOrder::Desc => "DESC",
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Position;

    use super::*;

    #[test]
    fn a_cursor_of_another_ordering_is_foreign() {
        let by_name = Roll { key: RollKey::Name, order: SortOrder::Asc };
        let id = format!("{:032x}", 7).parse().unwrap();
        let place = RollPlace { id, name: "Tea".into(), created_at: Timestamp::from_seconds(1) };
        let asked = |cursor| PageRequest { limit: 1, position: Position::After(cursor), count: false };
        let request = asked(by_name.cursor_after(place.clone()));
        assert_eq!(by_name.check(&request), Ok(()));
        for other in [Roll { order: SortOrder::Desc, ..by_name }, Roll { key: RollKey::CreatedAt, ..by_name }]
        {
            assert_eq!(other.check(&request), Err(ForeignCursor));
            assert_eq!(other.check(&asked(other.cursor_after(place.clone()))), Ok(()));
        }
    }

    #[test]
    fn values_are_numbered_after_those_of_the_filter() {
        let filter = Filter { condition: "status = $1".into(), values: vec!["ACTIVE".into()] };
        let roll = Roll { key: RollKey::CreatedAt, order: SortOrder::Desc };
        let (sql, values) = roll.statement(("id", "packages"), &filter, &PageRequest::first(20));
        assert_eq!(
            sql,
            "SELECT id FROM packages WHERE status = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3"
        );
        assert_eq!(values.len(), 3);
    }
}
