//! A page of what was said must cost the same in a long history as in a short one. The long one is written straight into
//! the tables while nobody serves: said one by one it would take hours.

use std::time::Instant;

use rusqlite::Connection as Database;

use super::{Column, Stage, contender, crowd::CONTENT};
use crate::{
    client::request,
    failure::Failure,
    measure::{Cost, drive},
};

const SHORT: u64 = 1_000;
const CONNECTIONS: usize = 64;
/// Messages to a transaction.
const SLICE: u64 = 100_000;

/// Where pages are taken: how it is called, and what part of the history lies before it.
const PLACES: [(&str, u64); 2] = [("last", 100), ("middle", 50)];

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    // The file is that of SQLite.
    if !stage.is_first() || stage.contender.is_on_postgres() {
        return Ok(());
    }
    let mut costs = Vec::new();
    for (number, messages) in [SHORT, stage.sizes.messages].into_iter().enumerate() {
        let room = stage.room("history", number);
        let begun = Instant::now();
        fill(stage, &room, messages).await?;
        if messages > SHORT {
            table.add(format!("writing {messages} messages"), format!("{:.0?}", begun.elapsed()), "");
        }
        costs.push(pages(stage, &room, messages, table).await?);
    }
    if let [short, long] = costs.as_slice() {
        for ((place, _), (short, long)) in PLACES.iter().zip(short.iter().zip(long)) {
            let ratio = format!("{:.2}", long.micros() / short.micros());
            table.add(format!("{place} page, long history to short"), ratio, "0.8 to 1.2");
        }
    }
    Ok(())
}

/// Opens a room in which all are, and puts the messages into it.
async fn fill(stage: &Stage<'_>, room: &str, messages: u64) -> Result<(), Failure> {
    let server = stage.contender.start().await?;
    for person in stage.contender.people.iter().take(CONNECTIONS) {
        contender::enter(server.address, person, room).await?;
    }
    server.stop()?;
    let database = Database::open(stage.contender.database())?;
    database.execute_batch("PRAGMA synchronous = OFF")?;
    let (people, insert) = if stage.contender.is_stoa() { STOA } else { PEER };
    database.execute_batch("DROP TABLE IF EXISTS temp.people; CREATE TEMP TABLE people (id)")?;
    let count = database.execute(people, [room])?;
    let count = i64::try_from(count)?;
    let mut from = 0;
    while from < messages {
        let to = messages.min(from + SLICE);
        let (first, last) = (i64::try_from(from + 1)?, i64::try_from(to)?);
        database.execute(insert, (room, first, last, count, CONTENT))?;
        from = to;
    }
    let rooms = "UPDATE rooms SET last_seq = ?2 WHERE slug = ?1";
    database.execute(rooms, (room, i64::try_from(messages)?))?;
    Ok(())
}

/// Those who speak in a room, and messages from a number to a number that they said in turn, a millisecond apart.
type Statements = (&'static str, &'static str);

const STOA: Statements = (
    "INSERT INTO temp.people SELECT user_id FROM room_members WHERE room_id = (SELECT id FROM rooms WHERE slug = ?1)",
    "WITH RECURSIVE numbers (seq) AS (SELECT ?2 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < ?3)
     INSERT INTO messages (id, room_id, seq, sender_id, kind, content, reaction_count, mention_count, version, created_at)
     SELECT unhex(printf('%012x7%s8%015x', 1700000000000 + seq, substr(hex(room.id), -3), seq)),
            room.id, seq, person.id, 'text', ?5, 0, 0, 1, (1700000000000 + seq) * 1000
     FROM numbers
     JOIN rooms room ON room.slug = ?1
     JOIN temp.people person ON person.rowid = 1 + seq % ?4",
);

const PEER: Statements = (
    "INSERT INTO temp.people SELECT user_id FROM members WHERE room_id = (SELECT id FROM rooms WHERE slug = ?1)",
    "WITH RECURSIVE numbers (seq) AS (SELECT ?2 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < ?3)
     INSERT INTO messages (id, room_id, seq, sender_id, content, created_at)
     SELECT lower(printf('%s-%012x', substr(room.id, 1, 23), seq)), room.id, seq, person.id, ?5, 1700000000000 + seq
     FROM numbers
     JOIN rooms room ON room.slug = ?1
     JOIN temp.people person ON person.rowid = 1 + seq % ?4",
);

/// What a page costs at each place.
async fn pages(
    stage: &Stage<'_>,
    room: &str,
    messages: u64,
    table: &mut Column<'_>,
) -> Result<Vec<Cost>, Failure> {
    let server = stage.contender.start().await?;
    let reader = stage.contender.people.first().map(AsRef::as_ref);
    let mut costs = Vec::new();
    for (place, share) in PLACES {
        let before = 1 + messages * share / 100;
        let path = format!("/api/messages?room={room}&limit=50&before={before}");
        let page = request("GET", &path, reader, None);
        let cost = drive(&server, CONNECTIONS, stage.time, page).await?;
        table.add(format!("{place} page of 50 among {messages} messages"), cost, "≤ 60 µs");
        costs.push(cost);
    }
    Ok(costs)
}
