//! The records of imports.

use std::collections::HashMap;

use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Currency, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row, Tx, Value, in_list},
    params,
};
use uuid::Uuid;

use super::products;
use crate::{
    import_products::{ImportId, ImportReport, ImportState},
    product::Product,
};

/// Ids to a statement.
const IDS: usize = 512;

pub(crate) fn insert(tx: &mut Tx<'_>, report: &ImportReport) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO catalog_imports (id, format, state, reason, slices, lines, created, updated, unchanged, failed,
                                      errors, started_by, started_at, updated_at, finished_at)
         VALUES ($1, $2, $3, NULL, 0, 0, 0, 0, 0, 0, '[]', $4, $5, $5, NULL)",
        params![report.id, &report.format, report.state.name(), &report.started_by, report.started_at],
    )?;
    Ok(())
}

/// Takes the right to write slice `number`; false when it was written before. Nobody else has it before this transaction
/// ends.
pub(crate) fn claim_slice(tx: &mut Tx<'_>, id: ImportId, number: i64) -> Result<bool, DatabaseError> {
    let sql = "UPDATE catalog_imports SET slices = slices + 1 WHERE id = $1 AND slices = $2";
    Ok(tx.execute(sql, params![id, number])? == 1)
}

pub(crate) fn update(tx: &mut Tx<'_>, report: &ImportReport) -> Result<(), DatabaseError> {
    let errors = serde_json::to_string(&report.errors).map_err(|error| {
        DatabaseError::Defect(format!("the errors of an import cannot be written: {error}"))
    })?;
    tx.execute(
        "UPDATE catalog_imports SET state = $2, reason = $3, lines = $4, created = $5, updated = $6, unchanged = $7,
                failed = $8, errors = $9, updated_at = $10, finished_at = $11
         WHERE id = $1",
        params![
            report.id,
            report.state.name(),
            report.reason.as_deref(),
            report.lines,
            report.created,
            report.updated,
            report.unchanged,
            report.failed,
            errors,
            report.updated_at,
            report.finished_at
        ],
    )?;
    Ok(())
}

pub(crate) fn find(
    connection: &mut Connection<'_>,
    id: ImportId,
) -> Result<Option<ImportReport>, DatabaseError> {
    connection.find(
        "SELECT id, format, state, reason, lines, created, updated, unchanged, failed, errors, started_by, started_at,
                updated_at, finished_at
         FROM catalog_imports WHERE id = $1",
        params![id],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<ImportReport, DatabaseError> {
    Ok(ImportReport {
        id: row.read()?,
        format: row.read()?,
        state: row.parse(ImportState::of_name)?,
        reason: row.read()?,
        lines: row.read()?,
        created: row.read()?,
        updated: row.read()?,
        unchanged: row.read()?,
        failed: row.read()?,
        errors: row.parse(|text| serde_json::from_str(text).ok())?,
        started_by: row.read()?,
        started_at: row.read()?,
        updated_at: row.read()?,
        finished_at: row.read()?,
    })
}

/// Forgets the records of imports that began before a time.
pub(crate) fn forget_before(tx: &mut Tx<'_>, oldest: Timestamp) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM catalog_imports WHERE started_at < $1", params![oldest])?;
    Ok(())
}

/// The products of these ids; nobody else changes them before this transaction ends. In the order of their ids, so that no
/// two writers wait for each other in a circle.
pub(crate) fn products_for_change(
    tx: &mut Tx<'_>,
    ids: &[ProductId],
    currency: Currency,
) -> Result<Vec<Product>, DatabaseError> {
    let mut ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    ids.sort_unstable();
    let lock = if tx.engine() == Engine::Postgres { "FOR UPDATE" } else { "" };
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let mut values = Vec::new();
        let (columns, names) =
            (products::COLUMNS, in_list(&mut values, ids.iter().map(|id| Value::from(*id))));
        let sql = format!("SELECT {columns} FROM products WHERE id IN ({names}) ORDER BY id {lock}");
        found.extend(products::query(tx, &sql, &values, currency)?);
    }
    Ok(found)
}

/// The last versions that movements tell of, of products that may be gone.
pub(crate) fn last_versions(tx: &mut Tx<'_>, ids: &[ProductId]) -> Result<HashMap<Uuid, i64>, DatabaseError> {
    let mut versions = HashMap::new();
    for ids in ids.chunks(IDS) {
        let mut values = Vec::new();
        let names = in_list(&mut values, ids.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "SELECT product_id, MAX(version) FROM stock_movements WHERE product_id IN ({names}) GROUP BY product_id"
        );
        versions.extend(tx.query(&sql, &values, |row| Ok((row.read::<Uuid>()?, row.read::<i64>()?)))?);
    }
    Ok(versions)
}

/// Products after an id, in the order of ids.
pub(crate) fn products_after(
    connection: &mut Connection<'_>,
    after: Option<ProductId>,
    most: u32,
    currency: Currency,
) -> Result<Vec<Product>, DatabaseError> {
    let columns = products::COLUMNS;
    let after = after.map_or(Uuid::nil(), |id| id.uuid());
    let sql = format!("SELECT {columns} FROM products WHERE id > $1 ORDER BY id LIMIT $2");
    products::query(connection, &sql, params![after, most], currency)
}
