//! What messages are found by. Each has an entry of its words and of a mark that says who may read it: all, or those who
//! are in its room. No word begins with a line, so nobody can ask for a mark.

use std::collections::BTreeSet;

use stoa_contracts::chat::{RoomId, RoomKind};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Tx, Value, rows_of_few_lengths},
    params,
};

use super::messages;
use crate::{message::Message, room::Room};

const PUBLIC: &str = "_public";

fn room_mark(room: RoomId) -> String {
    format!("_r_{}", room.uuid().simple())
}

/// The entry of a message.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'e> {
    pub(crate) doc: i64,
    pub(crate) room: &'e Room,
    pub(crate) words: &'e BTreeSet<String>,
}

impl Entry<'_> {
    /// The words as the engine takes them: parted by spaces, on PostgreSQL each in quotes, of which words hold none.
    fn text(&self, engine: Engine) -> String {
        let mut text = String::with_capacity(self.words.len() * 8 + 48);
        let mut add = |word: &str| match engine {
            Engine::Sqlite => text.extend([word, " "]),
            Engine::Postgres => text.extend(["'", word, "' "]),
        };
        self.words.iter().for_each(|word| add(word));
        add(&room_mark(self.room.id));
        if self.room.kind == RoomKind::Public {
            add(PUBLIC);
        }
        text
    }
}

/// Enters messages.
pub(crate) fn insert(tx: &mut Tx<'_>, entries: &[Entry<'_>]) -> Result<(), DatabaseError> {
    let engine = tx.engine();
    let rows = entries.iter().map(|entry| [Value::from(entry.doc), entry.text(engine).into()]);
    if engine == Engine::Sqlite {
        let sql = "INSERT INTO message_texts (rowid, words) VALUES ($1, $2)";
        return tx.execute_each(sql, rows).map(drop);
    }
    let rows: Vec<[Value<'_>; 2]> = rows.collect();
    for some in rows_of_few_lengths(&rows) {
        let tuples: Vec<String> = (0..some.len()).map(|row| tuple(row * 2 + 1)).collect();
        let sql = format!("INSERT INTO message_texts (doc, words) VALUES {}", tuples.join(", "));
        tx.execute(&sql, some.as_flattened())?;
    }
    Ok(())
}

fn tuple(first: usize) -> String {
    format!("(CAST(${first} AS BIGINT), CAST(CAST(${} AS TEXT) AS TSVECTOR))", first + 1)
}

/// Takes a message out.
pub(crate) fn remove(tx: &mut Tx<'_>, doc: i64) -> Result<(), DatabaseError> {
    let sql = match tx.engine() {
        Engine::Sqlite => "DELETE FROM message_texts WHERE rowid = $1",
        Engine::Postgres => "DELETE FROM message_texts WHERE doc = $1",
    };
    tx.execute(sql, params![doc])?;
    Ok(())
}

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// In one room.
    Room(RoomId),
    /// In all public rooms and in these.
    Rooms(Vec<RoomId>),
}

/// The messages that hold all of these words, the newest first, from before the entry `before`.
pub(crate) fn search(
    c: &mut Connection<'_>,
    words: &[String],
    scope: &Scope,
    before: i64,
    (limit, offset): (u32, u32),
) -> Result<Vec<Message>, DatabaseError> {
    let asked = expression(c.engine(), words, scope);
    c.query(&search_sql(c.engine()), params![asked, before, limit, offset], messages::from_row)
}

pub(super) fn search_sql(engine: Engine) -> String {
    let columns = messages::COLUMNS;
    match engine {
        Engine::Sqlite => format!(
            "SELECT {columns} FROM message_texts CROSS JOIN messages AS m ON m.doc = message_texts.rowid
             JOIN rooms AS r ON r.id = m.room_id
             WHERE message_texts MATCH $1 AND message_texts.rowid < $2 AND r.closed_at IS NULL
             ORDER BY message_texts.rowid DESC LIMIT $3 OFFSET $4"
        ),
        Engine::Postgres => format!(
            "SELECT {columns} FROM message_texts AS t JOIN messages AS m ON m.doc = t.doc
             JOIN rooms AS r ON r.id = m.room_id
             WHERE t.words @@ CAST(CAST($1 AS TEXT) AS TSQUERY) AND t.doc < $2 AND r.closed_at IS NULL
             ORDER BY t.doc DESC LIMIT $3 OFFSET $4"
        ),
    }
}

/// What the engine is asked. Every word stands in quotes, and holds none.
pub(super) fn expression(engine: Engine, words: &[String], scope: &Scope) -> String {
    let (quote, and, or) = match engine {
        Engine::Sqlite => ('"', " AND ", " OR "),
        Engine::Postgres => ('\'', " & ", " | "),
    };
    let quoted = |word: &str| format!("{quote}{word}{quote}");
    let marks: Vec<String> = match scope {
        Scope::Room(room) => vec![quoted(&room_mark(*room))],
        Scope::Rooms(rooms) => {
            let marks = rooms.iter().map(|room| quoted(&room_mark(*room)));
            [quoted(PUBLIC)].into_iter().chain(marks).collect()
        }
    };
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("{}{and}({})", words.join(and), marks.join(or))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_is_asked_in_its_own_words() {
        let (words, room) = (["tea".to_owned(), "pot".to_owned()], uuid::Uuid::nil().into());
        let mark = room_mark(room);
        assert_eq!(
            expression(Engine::Sqlite, &words, &Scope::Rooms(vec![room])),
            format!("\"tea\" AND \"pot\" AND (\"_public\" OR \"{mark}\")")
        );
        assert_eq!(
            expression(Engine::Postgres, &words, &Scope::Room(room)),
            format!("'tea' & 'pot' & ('{mark}')")
        );
    }
}
