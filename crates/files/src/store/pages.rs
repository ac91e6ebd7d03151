//! Lists of files: somebody's own, and those that were shown in a room.

use stoa_contracts::chat::{MessageId, RoomId};
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, page::DEEPEST_ENTRY};
use stoa_platform::{
    database::{Connection, DatabaseError, Value, placeholders},
    params,
};
use uuid::Uuid;

use super::files::{COLUMNS, from_row};
use crate::{
    file::{File, Owner},
    kinds::{Kind, Sort},
};

const OWN: &str = "files:desc";
const SHOWN: &str = "media:desc";

/// A file as it was shown in a room.
pub(crate) struct Shown {
    pub(crate) file: File,
    pub(crate) message: MessageId,
    pub(crate) place: i64,
}

/// `AND f.kind IN (…)` for a sort of files, its kinds bound behind `values`.
fn of_sort(sort: Option<Sort>, values: &mut Vec<Value<'_>>) -> String {
    let Some(sort) = sort else { return String::new() };
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.sort() == sort).collect();
    let list = placeholders(values.len() + 1, kinds.len());
    values.extend(kinds.into_iter().map(|kind| Value::from(kind.name())));
    format!("AND f.kind IN ({list})")
}

/// A page of somebody's files, the newest first; `None` when the cursor is of another list. Ids begin with the time.
pub(crate) fn own(
    c: &mut Connection<'_>,
    owner: Owner,
    sort: Option<Sort>,
    page: &PageRequest,
) -> Result<Option<Page<File>>, DatabaseError> {
    let before = match page.after() {
        None => Uuid::max(),
        Some(cursor) if cursor.number_in(OWN).is_some() => cursor.id,
        Some(_) => return Ok(None),
    };
    let mut values = params![owner.uuid(), before, page.limit + 1, page.offset()].to_vec();
    let kinds = of_sort(sort, &mut values);
    let rows = c.query(
        &format!(
            "SELECT {COLUMNS} FROM files AS f WHERE f.owner_id = $1 AND f.state = 'ready' AND f.id < $2 {kinds}
             ORDER BY f.id DESC LIMIT $3 OFFSET $4"
        ),
        &values,
        from_row,
    )?;
    let total = if page.wants_total() { Some(count_own(c, owner, sort)?) } else { None };
    Ok(Some(Page::from_rows(rows, page.limit, total, |file| Cursor {
        order: OWN.into(),
        value: CursorValue::Number(0),
        id: file.id.uuid(),
    })))
}

fn count_own(c: &mut Connection<'_>, owner: Owner, sort: Option<Sort>) -> Result<u32, DatabaseError> {
    let mut values = params![owner.uuid(), DEEPEST_ENTRY].to_vec();
    let kinds = of_sort(sort, &mut values);
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM files AS f WHERE f.owner_id = $1 AND f.state = 'ready' {kinds} LIMIT $2)
         AS counted"
    );
    Ok(c.find(&sql, &values, |row| row.read())?.unwrap_or(0))
}

/// A page of what was shown in a room, the newest first; `None` when the cursor is of another list.
pub(crate) fn shown(
    c: &mut Connection<'_>,
    room: RoomId,
    sort: Option<Sort>,
    page: &PageRequest,
) -> Result<Option<Page<Shown>>, DatabaseError> {
    let (place, before) = match page.after() {
        None => (i64::MAX, Uuid::max()),
        Some(cursor) => match cursor.number_in(SHOWN) {
            Some(place) => (place, cursor.id),
            None => return Ok(None),
        },
    };
    let mut values = params![room, before, place, page.limit + 1, page.offset()].to_vec();
    let kinds = of_sort(sort, &mut values);
    let rows = c.query(
        &format!(
            "SELECT {COLUMNS}, m.message_id, m.place FROM file_messages AS m JOIN files AS f ON f.id = m.file_id
             WHERE m.room_id = $1 AND (m.message_id, m.place) < ($2, $3) AND f.state = 'ready' {kinds}
             ORDER BY m.message_id DESC, m.place DESC LIMIT $4 OFFSET $5"
        ),
        &values,
        |row| Ok(Shown { file: from_row(row)?, message: row.read()?, place: row.read()? }),
    )?;
    let total = if page.wants_total() { Some(count_shown(c, room, sort)?) } else { None };
    Ok(Some(Page::from_rows(rows, page.limit, total, |shown| Cursor {
        order: SHOWN.into(),
        value: CursorValue::Number(shown.place),
        id: shown.message.uuid(),
    })))
}

fn count_shown(c: &mut Connection<'_>, room: RoomId, sort: Option<Sort>) -> Result<u32, DatabaseError> {
    let mut values = params![room, DEEPEST_ENTRY].to_vec();
    let kinds = of_sort(sort, &mut values);
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM file_messages AS m JOIN files AS f ON f.id = m.file_id
             WHERE m.room_id = $1 AND f.state = 'ready' {kinds} LIMIT $2) AS counted"
    );
    Ok(c.find(&sql, &values, |row| row.read())?.unwrap_or(0))
}

/// How many files of each kind were shown in a room, and their bytes; each file counts once.
pub(crate) fn sums(c: &mut Connection<'_>, room: RoomId) -> Result<Vec<(Kind, u64, u64)>, DatabaseError> {
    c.query(
        "SELECT f.kind, COUNT(*), CAST(SUM(f.size) AS BIGINT) FROM files AS f
         WHERE f.state = 'ready' AND f.id IN (SELECT file_id FROM file_messages WHERE room_id = $1)
         GROUP BY f.kind",
        params![room],
        |row| Ok((row.parse(Kind::parse)?, row.read()?, row.read()?)),
    )
}
