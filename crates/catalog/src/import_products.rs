//! The record of an import of products: how far it has come, and how it ended.

use std::time::Duration;

use serde::Serialize;
use stoa_kernel::{Actor, Id, Refusal, Timestamp};
use stoa_platform::database::{Connection, DatabaseError, Tx};

use crate::{
    CatalogError, Catalogue,
    store::imports,
    transfer::{BadLine, Format},
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
}
