//! An import on its way: its body is read, cut and written at the same time, each a step ahead of the next, so it takes
//! the memory of a few slices however long it is. It goes on when nobody waits for its answer any more; it ends when its
//! body does.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use stoa_http::linger;
use stoa_kernel::{Actor, Refusal, RefusalKind};
use stoa_platform::database::{DatabaseError, Tx};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{
    Format, Slice,
    slice::{Piece, cut},
};
use crate::{
    Catalogue,
    import_products::{ImportReport, ImportState},
};

/// Pieces of a body that may wait to be cut, and slices that may wait to be written.
const PIECES: usize = 4;
const SLICES: usize = 1;
/// How long a body may say nothing.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a slice is tried while the database cannot serve, and the first pause between.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// An import that has begun.
pub(crate) struct Import {
    catalogue: Catalogue,
    actor: Actor,
    report: ImportReport,
    pump: Pump,
    slices: mpsc::Receiver<Slice>,
    _place: OwnedSemaphorePermit,
}

/// Where progress goes: after each slice, and at the end.
pub(crate) type Progress = mpsc::Sender<ImportReport>;

impl Import {
    /// Reads as much of a body as shows that it can be imported, and opens its record.
    pub(crate) async fn begin(
        catalogue: &Catalogue,
        actor: &Actor,
        format: Format,
        body: Body,
    ) -> Result<Self, Refusal> {
        let place = catalogue.place_for_import();
        let (pieces, received) = mpsc::channel(PIECES);
        let (written, slices) = mpsc::channel(SLICES);
        let (begun, mut beginning) = oneshot::channel();
        let mut pump = Pump { body, pieces: Some(pieces), left: catalogue.0.settings.import_limit };
        let Some(place) = place else {
            pump.linger().await;
            let detail = "Another import is running on this server. Wait until it is over.";
            return Err(Refusal::conflict("IMPORT_IN_PROGRESS", detail));
        };
        let currency = catalogue.currency();
        tokio::task::spawn_blocking(move || cut((format, currency), received, begun, &written));
        let begun = loop {
            tokio::select! {
                biased;
                begun = &mut beginning => break begun.unwrap_or_else(|_| Err(incomplete())),
                end = pump.step(), if pump.is_open() => match end {
                    None | Some(End::Whole) => {}
                    Some(End::TooLarge) => break Err(catalogue.import_too_large()),
                    Some(_) => break Err(incomplete()),
                },
            }
        };
        if let Err(refusal) = begun {
            pump.linger().await;
            return Err(refusal);
        }
        let report = catalogue.open_import(actor, format).await?;
        Ok(Self { catalogue: catalogue.clone(), actor: actor.clone(), report, pump, slices, _place: place })
    }

    /// Writes all that comes, and closes the record.
    pub(crate) async fn run(self, progress: Progress) {
        let Self { catalogue, actor, mut report, mut pump, mut slices, _place } = self;
        let pumping = async {
            let end = pump.run().await;
            // The cutter sees by this that nothing more comes.
            pump.pieces = None;
            end
        };
        let writing = async {
            while let Some(slice) = slices.recv().await {
                if let Err(error) = write(&catalogue, &actor, &mut report, slice).await {
                    // That ends the cutting, and so the reading.
                    slices.close();
                    return Err(error);
                }
                // Whoever reads too slowly misses a line, and gets the last one.
                let _ = progress.try_send(report.clone());
            }
            Ok(())
        };
        let (end, written) = tokio::join!(pumping, writing);
        let (state, reason) = match (written, end) {
            (Err(error), _) => {
                tracing::error!(import.id = %report.id, %error, "an import cannot be written");
                (ImportState::Failed, Some("The database could not be reached. Try the rest again."))
            }
            (Ok(()), End::Whole) => (ImportState::Completed, None),
            (Ok(()), End::TooLarge) => {
                (ImportState::Failed, Some("It is larger than an import may be (STOA_IMPORT_LIMIT)."))
            }
            (Ok(()), End::Silent) => (ImportState::Interrupted, Some("Nothing came for a minute.")),
            (Ok(()), End::CutOff) => (ImportState::Interrupted, Some("The body ended early.")),
        };
        if let Err(error) = catalogue.close_import(&mut report, state, reason).await {
            tracing::error!(import.id = %report.id, %error, "the record of an import cannot be closed");
        }
        tracing::info!(
            import.id = %report.id, state = report.state.name(), report.lines, report.created, report.updated,
            report.failed, "imported products"
        );
        // The client may be gone; the record tells the same.
        let _ = progress.send(report).await;
    }
}

/// Writes a slice. One that may be there already, because the connection was lost at the wrong moment, is written again
/// only if it is not.
async fn write(
    catalogue: &Catalogue,
    actor: &Actor,
    report: &mut ImportReport,
    slice: Slice,
) -> Result<(), DatabaseError> {
    let slice = std::sync::Arc::new(slice);
    let (id, mut pause) = (report.id, FIRST_PAUSE);
    for attempt in 1..=ATTEMPTS {
        let (shop, occasion, lines) =
            (catalogue.clone(), catalogue.occasion(actor), std::sync::Arc::clone(&slice));
        let work = move |tx: &mut Tx<'_>| shop.import_slice(tx, &occasion, id, &lines);
        match catalogue.0.database.write(work).await {
            Ok(now) => {
                *report = now;
                return Ok(());
            }
            Err(error) if error.is_engine_failure() && attempt < ATTEMPTS => {
                tracing::warn!(import.id = %id, %error, "a slice of an import could not be written; trying again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn incomplete() -> Refusal {
    Refusal::malformed("INCOMPLETE_BODY", "The body of the request ended early.")
}

/// How the reading of a body ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Whole,
    CutOff,
    Silent,
    TooLarge,
}

/// Moves a body's bytes to the cutter.
struct Pump {
    body: Body,
    pieces: Option<mpsc::Sender<Piece>>,
    left: u64,
}

impl Pump {
    const fn is_open(&self) -> bool {
        self.pieces.is_some()
    }

    async fn run(&mut self) -> End {
        loop {
            if !self.is_open() {
                return End::Whole;
            }
            if let Some(end) = self.step().await {
                return end;
            }
        }
    }

    /// Moves one piece. Losing the race against another future loses no bytes: a piece that was read is sent first thing.
    async fn step(&mut self) -> Option<End> {
        let Some(pieces) = &self.pieces else { return Some(End::Whole) };
        // Room first, so that nothing is awaited between reading a piece and handing it on.
        let Ok(room) = pieces.reserve().await else {
            // The cutter has given up: whoever writes tells why.
            self.pieces = None;
            return Some(End::CutOff);
        };
        let Ok(frame) = tokio::time::timeout(PATIENCE, self.body.frame()).await else {
            return Some(End::Silent);
        };
        match frame {
            Some(Ok(frame)) => {
                let Ok(bytes) = frame.into_data() else { return None };
                let size = bytes.len() as u64;
                if size > self.left {
                    return Some(End::TooLarge);
                }
                self.left -= size;
                room.send(Piece::Bytes(bytes));
                None
            }
            Some(Err(_)) => Some(End::CutOff),
            None => {
                room.send(Piece::End);
                self.pieces = None;
                Some(End::Whole)
            }
        }
    }

    /// Gives up on the body, so that the refusal arrives.
    async fn linger(&mut self) {
        self.pieces = None;
        linger(std::mem::take(&mut self.body).into_data_stream()).await;
    }
}

impl Catalogue {
    /// 413 for an import beyond the limit.
    pub(crate) fn import_too_large(&self) -> Refusal {
        let refusal =
            Refusal::new(RefusalKind::TooLarge, "BODY_TOO_LARGE", "The body of the request is too large.");
        refusal.with_fact("limit", self.0.settings.import_limit)
    }

    /// The refusal of a body that says itself that it is too large, after some of it was read so that it arrives.
    pub(crate) async fn refuse_large_import(&self, body: Body) -> Refusal {
        linger(body.into_data_stream()).await;
        self.import_too_large()
    }
}
