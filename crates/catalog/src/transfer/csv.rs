//! CSV (RFC 4180), record by record, in bounded memory.

use csv_core::{ReadRecordResult, Reader};

use super::{COLUMNS, LONGEST_LINE, cells};

/// The most cells of a record.
const MOST_CELLS: usize = 64;

/// One record's cells.
pub(super) struct Records {
    reader: Reader,
    cells: Vec<u8>,
    ends: [usize; MOST_CELLS],
    /// What the record under way has come to: bytes of `read`, of `cells`, and cells.
    read: usize,
    written: usize,
    count: usize,
}

/// What the next bytes hold.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// A record that ends after so many bytes.
    Record(usize),
    /// Not the end of a record.
    More,
    /// A record that is too long, or has too many cells.
    TooLong,
    /// The end.
    End,
}

impl Records {
    pub(super) fn new() -> Self {
        Self {
            reader: Reader::new(),
            cells: vec![0; LONGEST_LINE],
            ends: [0; MOST_CELLS],
            read: 0,
            written: 0,
            count: 0,
        }
    }

    /// Reads on in a record that begins with `bytes`, which are the same as before and more. `last` when no more follow.
    pub(super) fn read(&mut self, bytes: &[u8], last: bool) -> Next {
        loop {
            let rest = bytes.get(self.read..).unwrap_or_default();
            if rest.is_empty() && !last {
                return if self.read > LONGEST_LINE { self.given_up() } else { Next::More };
            }
            let (cells, ends) = (self.cells.get_mut(self.written..), self.ends.get_mut(self.count..));
            let (Some(cells), Some(ends)) = (cells, ends) else { return self.given_up() };
            let (result, read, written, count) = self.reader.read_record(rest, cells, ends);
            self.read += read;
            self.written += written;
            self.count += count;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return self.given_up(),
                ReadRecordResult::Record => {
                    let read = std::mem::take(&mut self.read);
                    self.written = 0;
                    return Next::Record(read);
                }
                ReadRecordResult::End => return Next::End,
            }
        }
    }

    fn given_up(&mut self) -> Next {
        self.give_up();
        Next::TooLong
    }

    /// Forgets the record that was just read, or is under way.
    pub(super) fn give_up(&mut self) {
        self.reader.reset();
        (self.read, self.written, self.count) = (0, 0, 0);
    }

    /// The cells of the record that was just read, `None` for one that is not UTF-8; forgets them.
    pub(super) fn take_cells(&mut self) -> Option<Vec<String>> {
        let count = std::mem::take(&mut self.count);
        let mut from = 0;
        let mut cells = Vec::with_capacity(count);
        for end in self.ends.iter().take(count) {
            let cell = self.cells.get(from..*end).unwrap_or_default();
            cells.push(std::str::from_utf8(cell).ok()?.to_owned());
            from = *end;
        }
        Some(cells)
    }
}

/// Writes a record, each cell guarded against spreadsheets that take it for a formula.
pub(super) fn write_record(out: &mut Vec<u8>, cells: &[&str]) {
    for (number, cell) in cells.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_cell(out, &cells::guarded(cell));
    }
    out.extend_from_slice(b"\r\n");
}

fn write_cell(out: &mut Vec<u8>, cell: &str) {
    let needs_quotes = cell.contains(['"', ',', '\r', '\n']);
    if !needs_quotes {
        out.extend_from_slice(cell.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in cell.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// The header of an export.
pub(super) fn write_header(out: &mut Vec<u8>) {
    write_record(out, &COLUMNS);
}
