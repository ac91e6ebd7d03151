//! The table of the words that people are found by.

use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value},
    params,
};
use uuid::Uuid;

use super::users;
use crate::{
    account::User,
    search_users::{SearchText, words_of},
};

/// Every text of ours that begins like a word sorts before it and this character.
const LAST_CHARACTER: char = char::MAX;

/// Makes a new user findable.
pub(super) fn insert(tx: &mut Tx<'_>, user: &User) -> Result<(), DatabaseError> {
    let words: Vec<String> = words_of(&user.username, &user.name).into_iter().collect();
    if words.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (0..words.len()).map(|index| format!("(${}, $1)", index + 2)).collect();
    let mut values = vec![Value::from(user.id)];
    values.extend(words.into_iter().map(Value::from));
    let sql = format!("INSERT INTO user_words (word, user_id) VALUES {}", rows.join(", "));
    tx.execute(&sql, &values)?;
    Ok(())
}

/// Makes a user findable by the names they have now.
pub(super) fn replace(tx: &mut Tx<'_>, user: &User) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM user_words WHERE user_id = $1", params![user.id])?;
    insert(tx, user)
}

/// A user who was found, with the word by which, in whose order they are listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) word: String,
    pub(crate) user: User,
}

/// Where the page before ended.
pub(crate) type After = Option<(String, Uuid)>;

/// Those who have a word for each one asked for that begins with it, by the first word that does. Of
/// several words looks at `most` candidates, so that a common beginning beside a rare one costs no walk over everybody.
pub(crate) fn search(
    c: &mut Connection<'_>,
    asked: &SearchText,
    after: &After,
    (limit, offset): (u32, u32),
    most: u32,
) -> Result<Vec<Found>, DatabaseError> {
    let (matches, mut values) = matching(asked, after, most);
    values.extend([limit.into(), offset.into()]);
    let (limit, offset) = (values.len() - 1, values.len());
    let columns = users::COLUMNS.replace(", ", ", u.");
    c.query(
        &format!(
            "SELECT m.word, u.{columns} FROM ({matches}) AS m JOIN users u ON u.id = m.user_id
             ORDER BY m.word, m.user_id LIMIT ${limit} OFFSET ${offset}"
        ),
        &values,
        |row| Ok(Found { word: row.read()?, user: users::from_row(row)? }),
    )
}

/// How many there are among `most` candidates.
pub(crate) fn count(c: &mut Connection<'_>, asked: &SearchText, most: u32) -> Result<u32, DatabaseError> {
    let (matches, mut values) = matching(asked, &None, most);
    values.push(most.into());
    let sql =
        format!("SELECT COUNT(*) FROM (SELECT 1 FROM ({matches}) AS m LIMIT ${}) AS counted", values.len());
    let counted = c.find(&sql, &values, |row| row.read())?;
    Ok(counted.unwrap_or(0))
}

/// The query of those who match, once each, and the values it binds from `$1`.
fn matching<'a>(asked: &'a SearchText, after: &'a After, most: u32) -> (String, Vec<Value<'a>>) {
    let (first, others) = asked.rarest_first();
    // Never before the first that may match: PostgreSQL begins its walk here, whatever else bounds it.
    let after = after.as_ref().map(|(word, id)| (word.as_str(), *id));
    let (word, id) = after.filter(|(word, _)| *word >= first).unwrap_or((first, Uuid::nil()));
    let mut values = params![first, end_of(first), word, id].to_vec();
    let range = |c: &str| format!("{c}word >= $1 AND {c}word < $2 AND ({c}word, {c}user_id) > ($3, $4)");
    let candidates = if others.is_empty() {
        "user_words".to_owned()
    } else {
        values.push(most.into());
        let range = range("");
        format!("(SELECT word, user_id FROM user_words WHERE {range} ORDER BY word, user_id LIMIT $5)")
    };
    let mut terms = vec![
        format!("SELECT c.word, c.user_id FROM {candidates} AS c WHERE {}", range("c.")),
        "NOT EXISTS (SELECT 1 FROM user_words e
             WHERE e.user_id = c.user_id AND e.word >= $1 AND e.word < c.word)"
            .to_owned(),
    ];
    for other in others {
        values.extend([Value::from(other), Value::from(end_of(other))]);
        let (from, to) = (values.len() - 1, values.len());
        terms.push(format!(
            "EXISTS (SELECT 1 FROM user_words o
                 WHERE o.user_id = c.user_id AND o.word >= ${from} AND o.word < ${to})"
        ));
    }
    (terms.join(" AND "), values)
}

fn end_of(beginning: &str) -> String {
    format!("{beginning}{LAST_CHARACTER}")
}
