//! How the engines go about what is asked often: by an index, in its order, and no further than a page needs. So a page
//! costs with ten million messages what it does with a thousand.

use stoa_contracts::chat::RoomId;
use stoa_platform::{
    database::{
        Connection, Database, DatabaseError, Engine, Migration, Value, placeholders, rows_of_few_lengths,
        tuples,
    },
    each_engine, params,
};
use uuid::Uuid;

use super::{
    members, messages,
    messages::Span,
    rooms,
    texts::{self, Scope},
};

const TABLES: &[Migration] = &[
    stoa_platform::MIGRATIONS[0],
    stoa_platform::MIGRATIONS[1],
    stoa_platform::MIGRATIONS[4],
    crate::MIGRATIONS[0],
];

/// Rooms, and as many messages and members in each.
const ROOMS: u128 = 40;
const EACH: i64 = 500;

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(kind << 64 | number)
}

/// Enough of everything that an engine would rather not read all of it.
async fn crowded(database: &Database) {
    let filled: Result<(), DatabaseError> = database
        .write(|tx| {
            for number in 0..ROOMS {
                let (room, slug) = (id(1, number), format!("room-{number}"));
                tx.execute(
                    "INSERT INTO rooms (id, slug, name, kind, everybody, slow_mode, last_seq, member_count, version,
                         active_at, created_at, updated_at)
                     VALUES ($1, $2, $2, 'public', FALSE, 0, $3, $3, 1, 1, 1, 1)",
                    params![room, slug, EACH],
                )?;
                let each: Vec<i64> = (1..=EACH).collect();
                for some in rows_of_few_lengths(&each) {
                    let rows = some.iter().flat_map(|seq| {
                        let seq_in_all = number * 1_000 + u128::from(seq.unsigned_abs());
                        let (message, user) = (id(2, seq_in_all), id(3, seq.unsigned_abs().into()));
                        params![message, room, *seq, user, "text", "Hello", 0_i64, 0_i64, 1_i64, 1_i64].to_vec()
                    });
                    let into = "INSERT INTO messages (id, room_id, seq, sender_id, kind, content, reaction_count, \
                                mention_count, version, created_at) VALUES";
                    tx.execute(&format!("{into} {}", tuples(some.len(), 10)), &rows.collect::<Vec<_>>())?;
                    let rows = some.iter().flat_map(|seq| {
                        params![room, id(3, seq.unsigned_abs().into()), "member", *seq, *seq].to_vec()
                    });
                    let into = "INSERT INTO room_members (room_id, user_id, role, joined_at, read_seq) VALUES";
                    tx.execute(&format!("{into} {}", tuples(some.len(), 5)), &rows.collect::<Vec<_>>())?;
                }
            }
            let known = crate::room::Room::opened(
                id(1, 0).into(),
                stoa_contracts::chat::RoomKind::Public,
                String::new(),
                stoa_kernel::Timestamp::from_seconds(0),
            );
            let words: Vec<_> = (0..2_000).map(|doc| [format!("word{}", doc % 500)].into_iter().collect()).collect();
            let entry = |(doc, words)| texts::Entry { doc, room: &known, words };
            let entries: Vec<_> = (1..).zip(&words).map(entry).collect();
            texts::insert(tx, &entries)?;
            tx.batch("ANALYZE")
        })
        .await;
    filled.unwrap();
}

/// How an engine would go about a statement.
fn plan(c: &mut Connection<'_>, sql: &str, values: &[Value<'_>]) -> Result<String, DatabaseError> {
    let lines: Vec<String> = match c.engine() {
        Engine::Sqlite => c.query(&format!("EXPLAIN QUERY PLAN {sql}"), values, |row| {
            let _: (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
            row.read()
        })?,
        Engine::Postgres => c.query(&format!("EXPLAIN {sql}"), values, |row| row.read())?,
    };
    Ok(lines.join("\n"))
}

/// What is asked, with what, and whether its order is that of an index.
type Asked = (&'static str, String, Vec<Value<'static>>, bool);

fn asked_often(engine: Engine) -> Vec<Asked> {
    let room: RoomId = id(1, 7).into();
    let span = |newest_first, pinned| Span { room, after: 0, before: i64::MAX, newest_first, pinned };
    let of_room = || vec![room.into(), 0_i64.into(), i64::MAX.into(), 51_u32.into()];
    let expression = texts::expression(engine, &["word7".to_owned()], &Scope::Room(room));
    let page = |values: [Value<'static>; 2]| [values.to_vec(), vec![21_u32.into(), 0_u32.into()]].concat();
    vec![
        ("the newest", messages::walk_sql(span(true, false)), of_room(), true),
        ("what came after", messages::walk_sql(span(false, false)), of_room(), true),
        ("pinned ones", messages::walk_sql(span(true, true)), of_room(), true),
        (
            "a thread",
            messages::thread_sql(),
            vec![id(2, 7).into(), 0_i64.into(), 21_u32.into()],
            // Its first message and the answers are put together.
            false,
        ),
        (
            "the newest of rooms",
            messages::newest_sql(&placeholders(1, 4)),
            (0..4).map(|number| id(1, number).into()).collect(),
            false,
        ),
        (
            "readers",
            members::readers_sql(2),
            vec![1_001_u32.into(), room.into(), 450_i64.into(), id(1, 8).into(), 450_i64.into()],
            true,
        ),
        (
            "members",
            members::list_sql(false),
            vec![room.into(), 0_i64.into(), Uuid::nil().into(), 21_u32.into(), 0_u32.into()],
            true,
        ),
        (
            "rooms of somebody",
            rooms::of_member_sql(),
            vec![id(3, 7).into(), i64::MAX.into(), Uuid::max().into(), 21_u32.into(), 0_u32.into()],
            // Somebody is in a bounded number of rooms, whose order changes with every message.
            false,
        ),
        // PostgreSQL rather sorts as few rooms as there are here.
        ("rooms to join", rooms::to_join_sql(), page([id(3, 7).into(), "".into()]), engine == Engine::Sqlite),
        (
            "what is found",
            texts::search_sql(engine),
            page([expression.into(), i64::MAX.into()]),
            engine == Engine::Sqlite,
        ),
    ]
}

each_engine! { TABLES;
    async fn pages_are_read_by_an_index_and_in_its_order(db: TestDatabase) {
        let database = db.open();
        crowded(&database).await;
        let look = |c: &mut Connection<'_>| {
            let mut wrong = Vec::new();
            for (what, sql, values, in_order) in asked_often(c.engine()) {
                let plan = plan(c, &sql, &values)?;
                let walks = plan.lines().any(|line| {
                    let line = line.trim_start_matches([' ', '-', '>']);
                    let table = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
                    table.is_some_and(|table| ["m", "b", "r"].contains(&table))
                        || line.starts_with("Seq Scan on messages")
                        || line.starts_with("Seq Scan on room_members")
                });
                let sorts = plan.contains("TEMP B-TREE") || plan.contains("Sort Key");
                if walks || (in_order && sorts) {
                    wrong.push(format!("{what}:\n{plan}"));
                }
            }
            Ok::<_, DatabaseError>(wrong)
        };
        let wrong = database.read(look).await.unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}
