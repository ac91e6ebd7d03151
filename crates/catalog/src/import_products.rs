//! Importing products: a slice of lines in one transaction, and the record of the whole.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use stoa_contracts::catalog::{ProductCreated, ProductId};
use stoa_http::IfMatch;
use stoa_kernel::{Actor, FieldError, Id, Refusal, Timestamp};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events,
};
use uuid::Uuid;

use crate::{
    CatalogError, Catalogue,
    product::{NewProduct, Product},
    seed::{Making, insert_makings},
    stock::{Reason, tell_of_changes},
    store::imports,
    transfer::{BadLine, Format, Slice},
    update_product::ProductChanges,
};

/// A running import writes at least so often; one that has not has died with its server.
const PULSE: Duration = Duration::from_mins(3);
/// Records are kept so long.
const KEPT: Duration = Duration::from_hours(90 * 24);

/// Marker of import ids.
pub(crate) enum ImportRow {}
/// The id of an import.
pub(crate) type ImportId = Id<ImportRow>;

/// What became of an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImportState {
    /// On its way.
    Running,
    /// All lines were read, and all good ones are in.
    Completed,
    /// Its body ended early, or the server did: whole slices of lines are in.
    Interrupted,
    /// The server could not go on: whole slices of lines are in.
    Failed,
}

impl ImportState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Completed, Self::Interrupted, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// How far an import has come, or how it ended.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportReport {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub(crate) id: ImportId,
    // Its description is that of its type: beside an inlined schema one of its own would be a schema of its own.
    #[schema(inline)]
    pub(crate) state: ImportState,
    /// Why it did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) reason: Option<String>,
    /// `csv` or `ndjson`.
    pub(crate) format: String,
    /// Lines that were taken in, the bad ones too; empty lines and the header are none.
    pub(crate) lines: i64,
    /// Products that were made.
    pub(crate) created: i64,
    /// Products that were changed.
    pub(crate) updated: i64,
    /// Lines that said what was so already.
    pub(crate) unchanged: i64,
    /// Lines that were not imported.
    pub(crate) failed: i64,
    /// The first hundred of these, with what is wrong.
    #[schema(inline, max_items = 100)]
    pub(crate) errors: Vec<BadLine>,
    /// Who imported.
    pub(crate) started_by: String,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// When something came in last.
    pub(crate) updated_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) finished_at: Option<Timestamp>,
}

impl ImportReport {
    /// As it is to be told at `now`: a server that died tells nothing itself.
    fn seen_at(mut self, now: Timestamp) -> Self {
        if self.state == ImportState::Running && self.updated_at + PULSE < now {
            self.state = ImportState::Interrupted;
            self.reason = Some("The server that imported has ended.".into());
        }
        self
    }
}

impl Catalogue {
    /// Opens the record of an import.
    pub(crate) async fn open_import(&self, actor: &Actor, format: Format) -> Result<ImportReport, Refusal> {
        let occasion = self.occasion(actor);
        let report = ImportReport {
            id: occasion.id(),
            state: ImportState::Running,
            reason: None,
            format: format.name().into(),
            lines: 0,
            created: 0,
            updated: 0,
            unchanged: 0,
            failed: 0,
            errors: Vec::new(),
            started_by: occasion.actor.clone(),
            started_at: occasion.at,
            updated_at: occasion.at,
            finished_at: None,
        };
        let opened = report.clone();
        let oldest = occasion.at - KEPT;
        let open = move |tx: &mut Tx<'_>| {
            imports::forget_before(tx, oldest)?;
            imports::insert(tx, &opened)
        };
        self.0.database.write::<_, DatabaseError, _>(open).await?;
        Ok(report)
    }

    /// Closes the record of an import.
    pub(crate) async fn close_import(
        &self,
        report: &mut ImportReport,
        state: ImportState,
        reason: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let now = self.0.clock.now();
        (report.state, report.reason) = (state, reason.map(str::to_owned));
        (report.updated_at, report.finished_at) = (now, Some(now));
        let closed = report.clone();
        self.0.database.write(move |tx| imports::update(tx, &closed)).await
    }

    /// The record of an import.
    pub(crate) async fn import(&self, id: ImportId) -> Result<ImportReport, CatalogError> {
        let found =
            self.0.database.get(move |connection: &mut Connection<'_>| imports::find(connection, id)).await?;
        let report = found.ok_or(CatalogError::UnknownImport)?;
        Ok(report.seen_at(self.0.clock.now()))
    }

    /// Writes a slice of an import, unless it was written before; answers the record as it is then.
    pub(crate) fn import_slice(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: ImportId,
        slice: &Slice,
    ) -> Result<ImportReport, DatabaseError> {
        let is_next = imports::claim_slice(tx, id, slice.number)?;
        let found = imports::find(tx, id)?;
        let mut report =
            found.ok_or_else(|| DatabaseError::Defect(format!("the record of import {id} is gone")))?;
        if !is_next {
            return Ok(report);
        }
        let mut told = Slice { bad: slice.bad.clone(), failed: slice.failed, ..Slice::default() };
        let (makings, changes) = self.sorted(tx, slice, &mut told)?;
        make(tx, occasion, &makings)?;
        report.created += i64::try_from(makings.len()).unwrap_or(i64::MAX);
        let mut told_of_stock = Vec::new();
        for (line, id, changes) in changes {
            if changes == ProductChanges::default() {
                report.unchanged += 1;
                continue;
            }
            let any = IfMatch::default();
            match tx.savepoint(|tx| self.change_product(tx, occasion, (id, &any), &changes)) {
                Ok((_, change)) => {
                    report.updated += 1;
                    told_of_stock.extend(change);
                }
                Err(CatalogError::Database(error)) => return Err(error),
                Err(error) => told.refuse(refused(line, error)),
            }
        }
        tell_of_changes(tx, occasion, told_of_stock)?;
        report.lines += slice.lines;
        report.failed += told.failed;
        told.bad.sort_by_key(|bad| bad.line);
        report.errors.extend(told.bad);
        report.errors.truncate(crate::transfer::MOST_TOLD);
        report.updated_at = occasion.at;
        imports::update(tx, &report)?;
        self.forget_products(tx, []);
        Ok(report)
    }

    /// What the lines of a slice make, and what they change.
    fn sorted(&self, tx: &mut Tx<'_>, slice: &Slice, told: &mut Slice) -> Result<Sorted, DatabaseError> {
        let named: Vec<ProductId> = slice.good.iter().filter_map(|(_, checked)| checked.id).collect();
        let known: HashMap<Uuid, Product> = imports::products_for_change(tx, &named, self.currency())?
            .into_iter()
            .map(|product| (product.id.uuid(), product))
            .collect();
        let unknown: Vec<ProductId> =
            named.into_iter().filter(|id| !known.contains_key(&id.uuid())).collect();
        let versions = imports::last_versions(tx, &unknown)?;
        let (mut makings, mut changes) = (Vec::new(), Vec::new());
        for (line, checked) in &slice.good {
            let product = checked.id.and_then(|id| known.get(&id.uuid()));
            match (product, checked.new_product()) {
                (Some(product), _) => changes.push((*line, product.id, checked.differing(product))),
                (None, Ok(new)) => {
                    // A product that comes back after it was deleted goes on counting.
                    let last = checked.id.and_then(|id| versions.get(&id.uuid()));
                    makings.push((checked.id, last.map_or(1, |last| last + 1), new));
                }
                (None, Err(errors)) => told.refuse(BadLine { line: *line, errors }),
            }
        }
        Ok((makings, changes))
    }
}

fn make(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    makings: &[(Option<ProductId>, i64, NewProduct)],
) -> Result<(), DatabaseError> {
    // Each a microsecond younger than the one before, so that they are listed in their order.
    let ages = (0..).map(|age| occasion.at + Duration::from_micros(age));
    let makings: Vec<Making<'_>> = ages
        .zip(makings)
        .map(|(at, (id, version, new))| {
            let id = id.unwrap_or_else(|| Id::new(at, &occasion.random));
            Making { id, at, version: *version, new }
        })
        .collect();
    insert_makings(tx, occasion, &makings, Reason::Created)?;
    let told = makings.iter().map(|making| {
        let name = making.new.name.clone();
        (occasion, ProductCreated { product_id: making.id, version: making.version, name })
    });
    events::append_all(tx, &told.collect::<Vec<_>>())
}

/// What lines make, and what they change, each with its line.
type Sorted = (Vec<(Option<ProductId>, i64, NewProduct)>, Vec<(u64, ProductId, ProductChanges)>);

fn refused(line: u64, error: CatalogError) -> BadLine {
    let refusal = Refusal::from(error);
    if refusal.fields.is_empty() {
        return BadLine { line, errors: vec![FieldError::new("line", refusal.code, refusal.detail)] };
    }
    BadLine { line, errors: refusal.fields }
}
