//! Cutting an import into slices, each to be one transaction.

use std::collections::HashSet;

use bytes::Bytes;
use stoa_kernel::{Currency, Refusal};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{
    Format,
    line::{BadLine, Checked},
    lines::Lines,
};

/// The most lines of a slice: its transaction holds up other writes for some hundredths of a second.
const MOST_LINES: u64 = 2_000;
/// A slice of long lines ends earlier.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// The most flaws of a line that are told.
const MOST_ERRORS: usize = 20;
/// The most bad lines that are told in full.
pub(crate) const MOST_TOLD: usize = 100;

/// Some lines in a row.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    /// Its place among the others, from 0.
    pub(crate) number: i64,
    /// All lines, the bad ones too.
    pub(crate) lines: i64,
    /// Good ones, with their numbers.
    pub(crate) good: Vec<(u64, Checked)>,
    /// How many are bad.
    pub(crate) failed: i64,
    /// The first of them.
    pub(crate) bad: Vec<BadLine>,
}

impl Slice {
    /// Notes a bad line.
    pub(crate) fn refuse(&mut self, mut bad: BadLine) {
        self.failed += 1;
        bad.errors.truncate(MOST_ERRORS);
        if self.bad.len() < MOST_TOLD {
            self.bad.push(bad);
        }
    }
}

/// A piece of the body, on its way to being cut.
pub(super) enum Piece {
    Bytes(Bytes),
    /// Nothing follows. A body that is cut off never gets here, and its last, unfinished slice is dropped.
    End,
}

/// Cuts what comes in; blocks, so it runs on a thread of its own. First tells whether the import can be read at all.
pub(super) fn cut(
    (format, currency): (Format, Currency),
    mut pieces: mpsc::Receiver<Piece>,
    begun: oneshot::Sender<Result<(), Refusal>>,
    slices: &mpsc::Sender<Slice>,
) {
    let mut lines = Lines::new(format);
    let mut begun = Some(begun);
    let mut cutter = Cutter::default();
    let mut ended = false;
    while !ended && let Some(piece) = pieces.blocking_recv() {
        let size = match &piece {
            Piece::Bytes(bytes) => {
                lines.feed(bytes);
                bytes.len()
            }
            Piece::End => {
                lines.end();
                ended = true;
                0
            }
        };
        if begun.is_some() {
            match lines.begin() {
                Ok(false) => continue,
                Ok(true) => tell(&mut begun, Ok(())),
                Err(refusal) => return tell(&mut begun, Err(refusal)),
            }
        }
        while let Some((line, given)) = lines.next() {
            let checked = given.and_then(|given| given.checked(currency));
            if !cutter.add(line, checked, slices) {
                return;
            }
        }
        cutter.bytes += size;
    }
    if ended {
        // Whoever writes has gone away if this fails; there is nobody to tell.
        let _ = cutter.hand_over(slices);
    }
}

fn tell(begun: &mut Option<oneshot::Sender<Result<(), Refusal>>>, how: Result<(), Refusal>) {
    if let Some(begun) = begun.take() {
        // The request may be gone; then the body ends, and with it this.
        let _ = begun.send(how);
    }
}

#[derive(Default)]
struct Cutter {
    slice: Slice,
    ids: HashSet<Uuid>,
    bytes: usize,
}

impl Cutter {
    /// Adds a line; false when nobody takes slices any more.
    fn add(
        &mut self,
        line: u64,
        checked: Result<Checked, Vec<stoa_kernel::FieldError>>,
        slices: &mpsc::Sender<Slice>,
    ) -> bool {
        let id = checked.as_ref().ok().and_then(|checked| checked.id).map(|id| id.uuid());
        // Each product once in a slice, so that the second line about it finds what the first one made.
        let again = id.is_some_and(|id| !self.ids.insert(id));
        if again
            || self.slice.lines >= i64::try_from(MOST_LINES).unwrap_or(i64::MAX)
            || self.bytes > MOST_BYTES
        {
            if !self.hand_over(slices) {
                return false;
            }
            self.ids.extend(id);
        }
        self.slice.lines += 1;
        match checked {
            Ok(checked) => self.slice.good.push((line, checked)),
            Err(errors) => self.slice.refuse(BadLine { line, errors }),
        }
        true
    }

    fn hand_over(&mut self, slices: &mpsc::Sender<Slice>) -> bool {
        if self.slice.lines == 0 {
            return true;
        }
        let next = Slice { number: self.slice.number + 1, ..Slice::default() };
        self.ids.clear();
        self.bytes = 0;
        slices.blocking_send(std::mem::replace(&mut self.slice, next)).is_ok()
    }
}
