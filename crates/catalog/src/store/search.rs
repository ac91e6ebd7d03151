//! The search index: what is entered, and what is found.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
};

use stoa_contracts::catalog::ProductId;
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Tx, Value, placeholders, rows_of_few_lengths, tuples},
    params,
};
use uuid::Uuid;

use super::many::{self, Rows};
use crate::search::{
    Asked, Beginnings, Entry, Hints, Search, Tier, category_mark, grams, likeness, sorted_letters,
    status_mark, tolerance, variant_mark,
};

mod prices;

pub(super) use prices::{FROM_PRICES, place_of_product, places_of_prices, prices_are_entered};

/// Where prices are asked for, so many matches of a tier are looked at, in the order they are shown in. So is it on
/// PostgreSQL in any case, whose index knows no order: of more matches, these are the first it comes upon.
const MOST_LOOKED_AT: i64 = 10_000;
/// Words that are looked at for one that nobody knows, and those of them that are taken for it.
const MOST_CANDIDATES: u32 = 200;
const MOST_MEANT: usize = 5;
/// The length of a name stands above this many bits of an entry's number.
const LENGTH_SHIFT: u32 = 44;

/// Enters products. Nobody may have an entry of the same product; see [`renew`].
pub(crate) fn insert(tx: &mut Tx<'_>, entries: &[Entry]) -> Result<(), DatabaseError> {
    let numbers = numbers(tx, entries.len())?;
    insert_numbered(tx, numbers.into_iter().zip(entries).collect())
}

fn insert_numbered(tx: &mut Tx<'_>, mut numbered: Vec<(i64, &Entry)>) -> Result<(), DatabaseError> {
    for (number, entry) in &mut numbered {
        *number += i64::try_from(entry.length).unwrap_or(0) << LENGTH_SHIFT;
    }
    // The text index likes its rows in order.
    numbered.sort_unstable_by_key(|(doc, _)| *doc);
    match tx.engine() {
        Engine::Sqlite => insert_sqlite(tx, &numbered)?,
        Engine::Postgres => {
            for rows in rows_of_few_lengths(&numbered) {
                insert_postgres(tx, rows)?;
            }
        }
    }
    learn(tx, numbered.iter().flat_map(|(_, entry)| entry.vocabulary()).collect())
}

/// Numbers for so many entries, rising.
fn numbers(tx: &mut Tx<'_>, count: usize) -> Result<Vec<i64>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    match tx.engine() {
        Engine::Sqlite => {
            let sql = "UPDATE search_numbers SET next = next + $1 RETURNING next - $1";
            let first: Option<i64> = tx.find(sql, params![count], |row| row.read())?;
            let first =
                first.ok_or_else(|| DatabaseError::Decode("search_numbers has lost its row".into()))?;
            Ok((first..first + count).collect())
        }
        Engine::Postgres => {
            let sql = "SELECT nextval('search_numbers') FROM generate_series(1, CAST($1 AS BIGINT))";
            tx.query(sql, params![count], |row| row.read())
        }
    }
}

fn insert_sqlite(tx: &mut Tx<'_>, rows: &[(i64, &Entry)]) -> Result<(), DatabaseError> {
    const ENTRIES: Rows =
        Rows { table: "product_search (doc, product_id, status, category, words)", columns: 5, rest: "" };
    many::insert(tx, ENTRIES, rows, |(doc, entry), values| values.extend(columns(*doc, entry)))?;
    // One by one: before a statement of several rows the text index writes down all that it has gathered so far.
    for (doc, entry) in rows {
        let mut marks = format!("{} {}", status_mark(entry.status), category_mark(&entry.category));
        for word in &entry.variants {
            marks.push(' ');
            marks.push_str(&variant_mark(word));
        }
        tx.execute(
            "INSERT INTO product_texts (rowid, name, more, marks) VALUES ($1, $2, $3, $4)",
            params![*doc, spaced(&entry.name), spaced(&entry.more), marks],
        )?;
    }
    prices::insert(tx, rows)
}

fn insert_postgres(tx: &mut Tx<'_>, rows: &[(i64, &Entry)]) -> Result<(), DatabaseError> {
    let mut values: Vec<Value<'_>> = Vec::with_capacity(rows.len() * 6);
    for (doc, entry) in rows {
        values.extend(columns(*doc, entry));
        values.push(vector(entry).into());
    }
    let row = |row: usize| {
        let first = row * 6 + 1;
        format!("({}, CAST(CAST(${} AS TEXT) AS TSVECTOR))", placeholders(first, 5), first + 5)
    };
    let tuples: Vec<String> = (0..rows.len()).map(row).collect();
    let into = "INSERT INTO product_search (doc, product_id, status, category, words, texts) VALUES";
    tx.execute(&format!("{into} {}", tuples.join(", ")), &values)?;
    Ok(())
}

fn columns(doc: i64, entry: &Entry) -> [Value<'_>; 5] {
    [
        doc.into(),
        entry.product.into(),
        entry.status.name().into(),
        (&entry.category).into(),
        (&entry.words).into(),
    ]
}

fn spaced(words: &BTreeSet<String>) -> String {
    let mut text = String::with_capacity(words.len() * 8);
    for word in words {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// The entry as PostgreSQL writes a vector: `'oak':1A 'table':1A 'garden':1 '_s_active':1`.
fn vector(entry: &Entry) -> String {
    let mut text = String::with_capacity((entry.name.len() + entry.more.len()) * 12 + 40);
    let mut add = |word: &str, place: &str| {
        text.push('\'');
        text.push_str(word);
        text.push_str(place);
    };
    entry.name.iter().for_each(|word| add(word, "':1A "));
    entry.more.iter().for_each(|word| add(word, "':1 "));
    entry.variants.iter().for_each(|word| add(&variant_mark(word), "':1 "));
    add(&status_mark(entry.status), "':1 ");
    add(&category_mark(&entry.category), "':1");
    text
}

/// Enters a product anew where what it is found by has changed. It keeps its number, and so its place among its equals.
pub(crate) fn renew(tx: &mut Tx<'_>, before: &Entry, after: &Entry) -> Result<(), DatabaseError> {
    if before == after {
        return Ok(());
    }
    if (Entry { price: after.price, ..before.clone() }) == *after {
        return prices::renew(tx, before, after);
    }
    let number = match remove(tx, before)? {
        Some(doc) => number_of(doc),
        None => numbers(tx, 1)?.first().copied().unwrap_or_default(),
    };
    insert_numbered(tx, vec![(number, after)])
}

const fn number_of(doc: i64) -> i64 {
    doc & ((1 << LENGTH_SHIFT) - 1)
}

/// Takes a product out, which was entered so; answers its entry's number, if it had one.
pub(crate) fn remove(tx: &mut Tx<'_>, entry: &Entry) -> Result<Option<i64>, DatabaseError> {
    let sql = "DELETE FROM product_search WHERE product_id = $1 RETURNING doc";
    let doc: Option<i64> = tx.find(sql, params![entry.product], |row| row.read())?;
    if let (Engine::Sqlite, Some(doc)) = (tx.engine(), doc) {
        tx.execute("DELETE FROM product_texts WHERE rowid = $1", params![doc])?;
        prices::remove(tx, doc, entry)?;
    }
    Ok(doc)
}

/// Remembers words, so that others that look alike lead to them. In order, so that no two writers wait for each other in
/// a circle.
fn learn(tx: &mut Tx<'_>, words: BTreeSet<&str>) -> Result<(), DatabaseError> {
    const GRAMS: Rows = Rows {
        table: "search_grams (gram, letters, word)",
        columns: 3,
        rest: " ON CONFLICT (gram, letters, word) DO NOTHING",
    };
    let words: Vec<&str> = words.into_iter().collect();
    for words in rows_of_few_lengths(&words) {
        let values: Vec<Value<'_>> = words.iter().map(|word| Value::from(*word)).collect();
        let sql = format!(
            "INSERT INTO search_words (word) VALUES {} ON CONFLICT (word) DO NOTHING RETURNING word",
            tuples(words.len(), 1)
        );
        let learnt: Vec<String> = tx.query(&sql, &values, |row| row.read())?;
        let rows: Vec<(String, i64, &str)> = learnt.iter().flat_map(|word| groups(word)).collect();
        many::insert(tx, GRAMS, &rows, |(gram, letters, word), values| {
            values.extend([gram.into(), (*letters).into(), (*word).into()]);
        })?;
    }
    Ok(())
}

fn groups(word: &str) -> impl Iterator<Item = (String, i64, &str)> {
    let grams = grams(word).into_iter().chain([sorted_letters(word)]);
    grams.map(move |gram| (gram, letters(word), word))
}

fn letters(word: &str) -> i64 {
    i64::try_from(word.chars().count()).unwrap_or(i64::MAX)
}

/// The known words that somebody who typed this may have meant, of those with the fewest wrong letters.
pub(crate) fn meant_by(connection: &mut Connection<'_>, word: &str) -> Result<Vec<String>, DatabaseError> {
    let tolerance = tolerance(word);
    if tolerance == 0 {
        return Ok(Vec::new());
    }
    let mut candidates = sharing(connection, word, &[sorted_letters(word)], 0)?;
    let grams: Vec<String> = grams(word).into_iter().collect();
    candidates.extend(sharing(connection, word, &grams, i64::try_from(tolerance).unwrap_or(0))?);
    let mut near: Vec<(usize, String)> = candidates
        .into_iter()
        .filter(|known| known != word)
        .map(|known| (likeness(word, &known), known))
        .filter(|(distance, _)| *distance <= tolerance)
        .collect();
    near.sort_unstable();
    near.dedup();
    let least = near.first().map_or(0, |(distance, _)| *distance);
    Ok(near
        .into_iter()
        .take_while(|(distance, _)| *distance == least)
        .take(MOST_MEANT)
        .map(|(_, known)| known)
        .collect())
}

/// Known words of about the same length that share groups, those that share most first.
fn sharing(
    connection: &mut Connection<'_>,
    word: &str,
    grams: &[String],
    spread: i64,
) -> Result<Vec<String>, DatabaseError> {
    let letters = letters(word);
    let mut values = params![letters - spread, letters + spread, MOST_CANDIDATES].to_vec();
    values.extend(grams.iter().map(Value::from));
    let sql = format!(
        "SELECT word FROM search_grams WHERE gram IN ({}) AND letters BETWEEN $1 AND $2
         GROUP BY word ORDER BY COUNT(*) DESC, word LIMIT $3",
        placeholders(4, grams.len())
    );
    connection.query(&sql, &values, |row| row.read())
}

/// Products that are older than the index, `most` of them; each is to be settled with [`caught_up`].
pub(crate) fn backlog(tx: &mut Tx<'_>, most: u32) -> Result<Vec<ProductId>, DatabaseError> {
    let lock = if tx.engine() == Engine::Postgres { "FOR UPDATE" } else { "" };
    let sql = format!("SELECT product_id FROM search_backlog ORDER BY product_id LIMIT $1 {lock}");
    tx.query(&sql, params![most], |row| row.read())
}

/// Which of these have an entry, with its number.
pub(crate) fn entered(tx: &mut Tx<'_>, products: &[ProductId]) -> Result<HashMap<Uuid, i64>, DatabaseError> {
    let values: Vec<Value<'_>> = products.iter().map(|id| Value::from(*id)).collect();
    let names = placeholders(1, products.len());
    let sql = format!("SELECT product_id, doc FROM product_search WHERE product_id IN ({names})");
    Ok(tx.query(&sql, &values, |row| Ok((row.read()?, row.read()?)))?.into_iter().collect())
}

/// Enters products by price that are entered otherwise.
pub(crate) fn enter_prices(tx: &mut Tx<'_>, known: &[(i64, &Entry)]) -> Result<(), DatabaseError> {
    if tx.engine() == Engine::Sqlite { prices::insert(tx, known) } else { Ok(()) }
}

pub(crate) fn caught_up(tx: &mut Tx<'_>, products: &[ProductId]) -> Result<(), DatabaseError> {
    let values: Vec<Value<'_>> = products.iter().map(|id| Value::from(*id)).collect();
    let names = placeholders(1, products.len());
    tx.execute(&format!("DELETE FROM search_backlog WHERE product_id IN ({names})"), &values)?;
    Ok(())
}

/// Which words begin like those that are asked for, where an engine is helped by that.
pub(crate) fn beginnings(
    connection: &mut Connection<'_>,
    asked: &Asked,
) -> Result<Beginnings, DatabaseError> {
    let mut begun = Beginnings::default();
    if connection.engine() == Engine::Sqlite {
        for beginning in asked.open_words() {
            if let Some(words) = words_from(connection, beginning)? {
                begun.note(beginning, words);
            }
        }
    }
    Ok(begun)
}

/// The words that begin so; `None` when there are very many. One by one, because the table tells a word as often as it is
/// written.
fn words_from(
    connection: &mut Connection<'_>,
    beginning: &str,
) -> Result<Option<Vec<String>>, DatabaseError> {
    let sql = "SELECT term FROM product_terms WHERE term >= $1 LIMIT 1";
    let (mut words, mut from) = (Vec::new(), beginning.to_owned());
    while let Some(word) = connection.find(sql, params![&from], |row| row.read::<String>())? {
        if !word.starts_with(beginning) {
            break;
        }
        if words.len() == Beginnings::MOST {
            return Ok(None);
        }
        from = format!("{word}\u{1}");
        words.push(word);
    }
    Ok(Some(words))
}

/// A product that was found, and its place among the others of its tier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hit {
    pub(crate) product: ProductId,
    pub(crate) doc: i64,
    /// Its name as it is compared; only told where that is what is sorted by.
    pub(crate) words: String,
}

/// The product that has a variant of the SKU that is asked for, if it is among those that are searched.
pub(crate) fn of_sku(
    connection: &mut Connection<'_>,
    search: &Search,
) -> Result<Option<ProductId>, DatabaseError> {
    let Some(sku) = &search.asked.sku else { return Ok(None) };
    let mut statement = Statement::default();
    let mut conditions = format!("found.sku_folded = {}", statement.bind(sku));
    let statuses: Vec<String> = search.statuses.iter().map(|status| statement.bind(status.name())).collect();
    let _ = write!(conditions, " AND products.status IN ({})", statuses.join(", "));
    if let Some(category) = &search.category {
        let _ = write!(conditions, " AND products.category = {}", statement.bind(category));
    }
    let prices = statement.price_bounds(search);
    let sql = format!(
        "SELECT found.product_id FROM variants AS found JOIN products ON products.id = found.product_id{prices}
         WHERE {conditions}"
    );
    connection.find(&sql, &statement.values, |row| row.read())
}

/// Products whose names begin with the phrase, after a place, in the order of their names: an exact one comes first.
pub(crate) fn named(
    connection: &mut Connection<'_>,
    search: &Search,
    after: Option<(&str, i64)>,
    most: i64,
) -> Result<Vec<Hit>, DatabaseError> {
    let mut statement = Statement::default();
    let (from, beyond) = (statement.bind(&search.asked.phrase), statement.bind(search.asked.beyond()));
    let mut conditions = format!("words >= {from} AND words < {beyond}");
    if let Some((words, doc)) = after {
        let (words, doc) = (statement.bind(words), statement.bind(doc));
        let _ = write!(conditions, " AND (words, doc) > ({words}, {doc})");
    }
    if search.statuses.len() < crate::ProductStatus::ALL.len() {
        let statuses: Vec<String> =
            search.statuses.iter().map(|status| statement.bind(status.name())).collect();
        let _ = write!(conditions, " AND status IN ({})", statuses.join(", "));
    }
    if let Some(category) = &search.category {
        let _ = write!(conditions, " AND category = {}", statement.bind(category));
    }
    let prices = statement.prices(search);
    let looked_at = if search.has_prices() { MOST_LOOKED_AT } else { most };
    let (looked_at, most) = (statement.bind(looked_at), statement.bind(most));
    let sql = format!(
        "SELECT found.doc, found.product_id, found.words FROM
           (SELECT doc, product_id, words FROM product_search WHERE {conditions} ORDER BY words, doc LIMIT {looked_at})
           AS found {prices} ORDER BY found.words, found.doc LIMIT {most}"
    );
    connection.query(&sql, &statement.values, |row| {
        Ok(Hit { doc: row.read()?, product: row.read()?, words: row.read()? })
    })
}

/// Products of a tier after an entry's number, in the order of those numbers.
pub(crate) fn of_tier(
    connection: &mut Connection<'_>,
    search: &Search,
    (tier, hints): (Tier, &Hints<'_>),
    after: i64,
    most: i64,
) -> Result<Vec<Hit>, DatabaseError> {
    let engine = connection.engine();
    let mut statement = Statement::default();
    let asked = statement.bind(search.expression(engine, tier, hints));
    let after = statement.bind(after);
    // Names that begin with the phrase were shown before.
    let rest = if matches!(tier, Tier::Whole | Tier::Begun) {
        let (from, beyond) = (statement.bind(&search.asked.phrase), statement.bind(search.asked.beyond()));
        format!("AND NOT (entry.words >= {from} AND entry.words < {beyond})")
    } else {
        String::new()
    };
    let prices = statement.prices(search);
    let found = match engine {
        Engine::Sqlite => format!(
            "SELECT entry.doc AS doc, entry.product_id AS product_id
             FROM product_texts CROSS JOIN product_search AS entry ON entry.doc = product_texts.rowid
             WHERE product_texts MATCH {asked} AND product_texts.rowid > {after} {rest}
             ORDER BY product_texts.rowid"
        ),
        Engine::Postgres => format!(
            "SELECT entry.doc, entry.product_id FROM product_search AS entry
             WHERE entry.texts @@ CAST(CAST({asked} AS TEXT) AS TSQUERY) AND entry.doc > {after} {rest}"
        ),
    };
    let looked_at = if engine == Engine::Postgres || search.has_prices() { MOST_LOOKED_AT } else { most };
    let (looked_at, most) = (statement.bind(looked_at), statement.bind(most));
    let sql = format!(
        "SELECT found.doc, found.product_id FROM ({found} LIMIT {looked_at}) AS found {prices}
         ORDER BY found.doc LIMIT {most}"
    );
    connection.query(&sql, &statement.values, |row| {
        Ok(Hit { doc: row.read()?, product: row.read()?, words: String::new() })
    })
}

/// A statement in which the ids of products are found by the words of their names; see `pages`.
pub(super) fn ids_by_name(engine: Engine, [asked, patterns]: [&str; 2]) -> String {
    match engine {
        Engine::Sqlite => format!(
            "SELECT entry.product_id AS id
             FROM product_texts CROSS JOIN product_search AS entry ON entry.doc = product_texts.rowid
             WHERE product_texts MATCH {asked}{patterns}"
        ),
        Engine::Postgres => format!(
            "SELECT entry.product_id AS id FROM product_search AS entry
             WHERE entry.texts @@ CAST(CAST({asked} AS TEXT) AS TSQUERY){patterns}"
        ),
    }
}

#[derive(Default)]
struct Statement<'s> {
    values: Vec<Value<'s>>,
}

impl<'s> Statement<'s> {
    fn bind(&mut self, value: impl Into<Value<'s>>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// A join that leaves only products of the prices asked for.
    fn prices(&mut self, search: &Search) -> String {
        if search.has_prices() {
            format!("JOIN products ON products.id = found.product_id{}", self.price_bounds(search))
        } else {
            String::new()
        }
    }

    /// The conditions that prices put on a join of products.
    fn price_bounds(&mut self, search: &Search) -> String {
        let mut text = String::new();
        for (bound, sign) in [(search.min_price, ">="), (search.max_price, "<=")] {
            if let Some(price) = bound {
                let _ = write!(text, " AND products.price {sign} {}", self.bind(price));
            }
        }
        text
    }
}
