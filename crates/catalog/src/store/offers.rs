//! Offers, and counting their uses.

use std::fmt::Write as _;

use stoa_contracts::catalog::OfferId;
use stoa_kernel::{Currency, Id, Page, PageRequest, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row, Tx, Value, placeholders},
    params,
};

use super::roll::{Filter, Roll, RollPlace};
use crate::{
    offer::{MOST_AUTOMATIC, Offer, Target, Worth},
    product::folded,
};

const COLUMNS: &str = "id, name, code, kind, value, target_kind, target_id, starts_at, ends_at, max_uses, uses, \
                       active, version, created_at, updated_at";

/// Applies by itself at the time `$1`; begins with what its index is limited to.
const RUNNING: &str = "active AND code_folded IS NULL AND (starts_at IS NULL OR starts_at <= $1)
    AND (ends_at IS NULL OR ends_at > $1) AND (max_uses IS NULL OR uses < max_uses)";

/// An offer from the [`COLUMNS`] of a row.
fn read(row: &Row<'_>, currency: Currency) -> Result<Offer, DatabaseError> {
    let (id, name, code) = (row.read()?, row.read()?, row.read()?);
    let (kind, value) = (row.read::<String>()?, row.read()?);
    let (target_kind, target_id) = (row.read::<String>()?, row.read()?);
    let unknown = |what: &str| DatabaseError::Decode(format!("{what} of an offer is not a known value"));
    let worth = Worth::read(&kind, value, currency).ok_or_else(|| unknown(&kind))?;
    Ok(Offer {
        id,
        name,
        code,
        kind: worth.kind(),
        worth,
        target: Target::read(&target_kind, target_id).ok_or_else(|| unknown(&target_kind))?,
        starts_at: row.read()?,
        ends_at: row.read()?,
        max_uses: row.read()?,
        uses: row.read()?,
        active: row.read()?,
        version: row.read()?,
        created_at: row.read()?,
        updated_at: row.read()?,
    })
}

pub(crate) fn find(
    connection: &mut Connection<'_>,
    id: OfferId,
    currency: Currency,
) -> Result<Option<Offer>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM offers WHERE id = $1");
    connection.find(&sql, params![id], |row| read(row, currency))
}

/// As [`find`], and nobody else changes it before this transaction ends.
pub(crate) fn find_for_change(
    tx: &mut Tx<'_>,
    id: OfferId,
    currency: Currency,
) -> Result<Option<Offer>, DatabaseError> {
    let lock = if tx.engine() == Engine::Postgres { " FOR UPDATE" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM offers WHERE id = $1{lock}");
    tx.find(&sql, params![id], |row| read(row, currency))
}

/// A page of offers: of all, or of those that apply by themselves at a time.
pub(crate) fn page(
    connection: &mut Connection<'_>,
    running_at: Option<Timestamp>,
    (roll, request): (Roll, &PageRequest),
    currency: Currency,
) -> Result<Page<Offer>, DatabaseError> {
    let running = |at| Filter { condition: RUNNING.into(), values: vec![Value::from(at)] };
    let filter = running_at.map(running).unwrap_or_default();
    let read = |connection: &mut Connection<'_>, sql: &str, values: &[Value<'_>]| {
        connection.query(sql, values, |row| read(row, currency))
    };
    roll.page(connection, (COLUMNS, "offers"), &filter, request, read, |offer| RollPlace {
        id: offer.id.uuid().into(),
        name: offer.name.clone(),
        created_at: offer.created_at,
    })
}

/// Offers that apply by themselves at a time: those for the cart, for categories, and for these products and packages;
/// oldest first. One look into an index when there are none.
pub(crate) fn automatic(
    connection: &mut Connection<'_>,
    at: Timestamp,
    targets: &[Id<()>],
    currency: Currency,
) -> Result<Vec<Offer>, DatabaseError> {
    let (sql, values) = automatic_statement(at, targets);
    let mut found = connection.query(&sql, &values, |row| read(row, currency))?;
    found.sort_unstable_by_key(|offer| offer.id);
    Ok(found)
}

fn automatic_statement(at: Timestamp, targets: &[Id<()>]) -> (String, Vec<Value<'static>>) {
    let mut sql =
        format!("SELECT {COLUMNS} FROM offers WHERE target_kind IN ('cart', 'category') AND {RUNNING}");
    let mut values = vec![Value::from(at)];
    if !targets.is_empty() {
        values.extend(targets.iter().map(|id| Value::from(*id)));
        let _ = write!(
            sql,
            " UNION ALL SELECT {COLUMNS} FROM offers
             WHERE target_kind IN ('product', 'package') AND target_id IN ({}) AND {RUNNING}",
            placeholders(2, targets.len())
        );
    }
    (sql, values)
}

/// How the embedded engine would find those offers, step by step.
#[cfg(test)]
pub(super) fn explain_automatic(
    connection: &mut Connection<'_>,
    at: Timestamp,
    targets: &[Id<()>],
) -> Result<Vec<String>, DatabaseError> {
    let (sql, values) = automatic_statement(at, targets);
    connection.query(&format!("EXPLAIN QUERY PLAN {sql}"), &values, |row| {
        let _: (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
        row.read()
    })
}

/// The offers of these folded codes, in whatever state they are.
pub(crate) fn with_codes(
    connection: &mut Connection<'_>,
    codes: &[String],
    currency: Currency,
) -> Result<Vec<Offer>, DatabaseError> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let list = placeholders(1, codes.len());
    let values: Vec<Value<'_>> = codes.iter().map(Value::from).collect();
    let sql = format!("SELECT {COLUMNS} FROM offers WHERE code_folded IN ({list})");
    connection.query(&sql, &values, |row| read(row, currency))
}

/// Whether as many offers apply by themselves as can.
pub(crate) fn automatic_are_full(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    let sql = "SELECT COUNT(*) FROM offers WHERE active AND code_folded IS NULL";
    let count: Option<i64> = connection.find(sql, &[], |row| row.read())?;
    Ok(count.is_some_and(|count| count >= MOST_AUTOMATIC))
}

pub(crate) fn insert(tx: &mut Tx<'_>, offer: &Offer) -> Result<(), DatabaseError> {
    let target = offer.target.shown();
    tx.execute(
        "INSERT INTO offers (id, name, name_folded, code, code_folded, kind, value, target_kind, target_id, starts_at,
                             ends_at, max_uses, uses, active, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        params![
            offer.id,
            &offer.name,
            folded(&offer.name),
            offer.code.as_deref(),
            offer.code.as_deref().map(folded),
            offer.kind.name(),
            offer.worth.stored(),
            target.name(),
            target.id,
            offer.starts_at,
            offer.ends_at,
            offer.max_uses,
            offer.uses,
            offer.active,
            offer.version,
            offer.created_at,
            offer.updated_at
        ],
    )?;
    Ok(())
}

/// Writes an offer that was found for change; its uses are counted elsewhere.
pub(crate) fn update(tx: &mut Tx<'_>, offer: &Offer) -> Result<(), DatabaseError> {
    let target = offer.target.shown();
    tx.execute(
        "UPDATE offers SET name = $2, name_folded = $3, code = $4, code_folded = $5, kind = $6, value = $7,
                target_kind = $8, target_id = $9, starts_at = $10, ends_at = $11, max_uses = $12, active = $13,
                version = $14, updated_at = $15
         WHERE id = $1",
        params![
            offer.id,
            &offer.name,
            folded(&offer.name),
            offer.code.as_deref(),
            offer.code.as_deref().map(folded),
            offer.kind.name(),
            offer.worth.stored(),
            target.name(),
            target.id,
            offer.starts_at,
            offer.ends_at,
            offer.max_uses,
            offer.active,
            offer.version,
            offer.updated_at
        ],
    )?;
    Ok(())
}

/// Deletes an offer; answers its last version.
pub(crate) fn delete(tx: &mut Tx<'_>, id: OfferId) -> Result<Option<i64>, DatabaseError> {
    tx.find("DELETE FROM offers WHERE id = $1 RETURNING version", params![id], |row| row.read())
}

/// Counts a use, if the offer can be used at that time; answers version and uses afterwards.
pub(crate) fn take_use(
    tx: &mut Tx<'_>,
    at: Timestamp,
    id: OfferId,
) -> Result<Option<(i64, i64)>, DatabaseError> {
    tx.find(
        "UPDATE offers SET uses = uses + 1, version = version + 1
         WHERE id = $1 AND active AND (starts_at IS NULL OR starts_at <= $2) AND (ends_at IS NULL OR ends_at > $2)
           AND (max_uses IS NULL OR uses < max_uses)
         RETURNING version, uses",
        params![id, at],
        |row| Ok((row.read()?, row.read()?)),
    )
}

/// Takes a use back; answers version and uses afterwards.
pub(crate) fn return_use(tx: &mut Tx<'_>, id: OfferId) -> Result<Option<(i64, i64)>, DatabaseError> {
    tx.find(
        "UPDATE offers SET uses = uses - 1, version = version + 1 WHERE id = $1 AND uses > 0
         RETURNING version, uses",
        params![id],
        |row| Ok((row.read()?, row.read()?)),
    )
}

/// When offers without a code next begin or end after a time: until then the list of those that run stays as it is.
pub(crate) fn next_turn(
    connection: &mut Connection<'_>,
    after: Timestamp,
) -> Result<Option<Timestamp>, DatabaseError> {
    let turns = connection.find(
        "SELECT MIN(CASE WHEN starts_at > $1 THEN starts_at END), MIN(CASE WHEN ends_at > $1 THEN ends_at END)
         FROM offers WHERE active AND code_folded IS NULL",
        params![after],
        |row| Ok([row.read::<Option<Timestamp>>()?, row.read()?]),
    )?;
    Ok(turns.into_iter().flatten().flatten().min())
}
