//! From the bytes of a body to the lines of an import, whatever pieces the bytes come in.
//!
//! A line that is too long is reported and left behind; reading goes on with the next line break. So a quote that is never
//! closed costs the line it stands in, not those that follow.

use stoa_kernel::{FieldError, Refusal};

use super::{
    COLUMNS, Format, LONGEST_LINE,
    csv::{Next, Records},
    line::{BadLine, Given},
};

/// What some programs put before text in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// Read bytes are dropped from the front when they come to so many.
const SLACK: usize = 256 * 1024;

pub(super) struct Lines {
    bytes: Vec<u8>,
    /// How many of the bytes were read.
    read: usize,
    /// The number of the line that the first unread byte stands in.
    line: u64,
    /// Whether the rest of a line that was too long is still to come.
    skipping: bool,
    last: bool,
    kind: Kind,
}

enum Kind {
    JsonLines,
    Csv { records: Box<Records>, columns: Vec<&'static str> },
}

impl Lines {
    pub(super) fn new(format: Format) -> Self {
        let kind = match format {
            Format::JsonLines => Kind::JsonLines,
            Format::Csv => Kind::Csv { records: Box::new(Records::new()), columns: Vec::new() },
        };
        Self { bytes: Vec::new(), read: 0, line: 1, skipping: false, last: false, kind }
    }

    /// Takes bytes in.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.read > SLACK {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Nothing follows any more.
    pub(super) fn end(&mut self) {
        self.last = true;
    }

    /// Reads what must come before the first line; false while it is not all there. Of CSV the header, by which every cell
    /// is known.
    pub(super) fn begin(&mut self) -> Result<bool, Refusal> {
        if self.bytes.len() < MARK.len() && !self.last {
            return Ok(false);
        }
        if self.bytes.starts_with(b"\xff\xfe") || self.bytes.starts_with(b"\xfe\xff") {
            return Err(malformed("The import is UTF-16. Send it as UTF-8."));
        }
        if self.read == 0 && self.bytes.starts_with(MARK) {
            self.read = MARK.len();
        }
        if matches!(self.kind, Kind::JsonLines) {
            return Ok(true);
        }
        match self.record() {
            Record::Cells(_, Some(header)) => {
                let named = columns(&header)?;
                if let Kind::Csv { columns, .. } = &mut self.kind {
                    *columns = named;
                }
                Ok(true)
            }
            Record::Cells(_, None) => Err(malformed("The header is not UTF-8.")),
            Record::TooLong(_) => Err(malformed("The header is too long.")),
            Record::End => {
                Err(malformed("The import is empty: it begins with a header that names its columns."))
            }
            Record::More => Ok(false),
        }
    }

    /// The next line, if it is all there: its number, and what it says or why it says nothing.
    pub(super) fn next(&mut self) -> Option<(u64, Result<Given, Vec<FieldError>>)> {
        match &self.kind {
            Kind::JsonLines => self.next_of_json(),
            Kind::Csv { .. } => self.next_of_csv(),
        }
    }

    fn next_of_json(&mut self) -> Option<(u64, Result<Given, Vec<FieldError>>)> {
        loop {
            let rest = self.bytes.get(self.read..).unwrap_or_default();
            let (length, step) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(length) => (length, length + 1),
                None if self.last && !rest.is_empty() => (rest.len(), rest.len()),
                None if rest.len() > LONGEST_LINE => {
                    let line = self.line;
                    let was_skipping = std::mem::replace(&mut self.skipping, true);
                    self.read = self.bytes.len();
                    if was_skipping {
                        return None;
                    }
                    return Some((line, Err(too_long(line))));
                }
                None => return None,
            };
            let line = self.line;
            let read = self.read;
            self.read += step;
            self.line += 1;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let text = self.bytes.get(read..read + length).unwrap_or_default();
            if text.len() > LONGEST_LINE {
                return Some((line, Err(too_long(line))));
            }
            if !text.trim_ascii().is_empty() {
                return Some((line, Given::of_json(text)));
            }
        }
    }

    fn next_of_csv(&mut self) -> Option<(u64, Result<Given, Vec<FieldError>>)> {
        match self.record() {
            Record::Cells(line, Some(cells)) => {
                let Kind::Csv { columns, .. } = &self.kind else { return None };
                if cells.len() != columns.len() {
                    let message = "The line has another number of cells than the header.";
                    return Some((line, Err(BadLine::whole(line, "WRONG_NUMBER_OF_CELLS", message).errors)));
                }
                let named = columns.iter().copied().zip(cells.iter().map(String::as_str));
                Some((line, Given::of_cells(named)))
            }
            Record::Cells(line, None) => {
                Some((line, Err(BadLine::whole(line, "NOT_UTF8", "The line is not UTF-8.").errors)))
            }
            Record::TooLong(line) => Some((line, Err(too_long(line)))),
            Record::More | Record::End => None,
        }
    }

    /// The next record of CSV.
    fn record(&mut self) -> Record {
        if self.skipping && !self.skip() {
            return Record::More;
        }
        let Kind::Csv { records, .. } = &mut self.kind else { return Record::End };
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        match records.read(rest, self.last) {
            Next::Record(length) if self.last && length == rest.len() && is_unclosed(rest) => {
                records.give_up();
                self.leave_line()
            }
            Next::Record(length) => {
                let text = rest.get(..length).unwrap_or_default();
                // A line break before the record belongs to the one before it, or to an empty line.
                let before = text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
                let begins = self.line + newlines(before);
                self.line += newlines(text.iter());
                self.read += length;
                Record::Cells(begins, records.take_cells())
            }
            Next::More => Record::More,
            Next::End => Record::End,
            Next::TooLong => self.leave_line(),
        }
    }

    /// Leaves the line behind that a record begins in.
    fn leave_line(&mut self) -> Record {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.line += newlines(rest.iter().take(blank));
        self.read += blank;
        self.skipping = true;
        let line = self.line;
        self.skip();
        Record::TooLong(line)
    }

    /// Leaves the rest of a line behind; false when it goes on in bytes that are still to come.
    fn skip(&mut self) -> bool {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.read += end + 1;
            self.line += 1;
            self.skipping = false;
        } else {
            self.read = self.bytes.len();
            self.skipping = !self.last;
        }
        !self.skipping
    }
}

enum Record {
    Cells(u64, Option<Vec<String>>),
    TooLong(u64),
    More,
    End,
}

/// Whether the last record holds lines that a quote took in which is never closed.
fn is_unclosed(record: &[u8]) -> bool {
    let is_open = record.iter().fold(false, |open, byte| open ^ (*byte == b'"'));
    is_open && record.trim_ascii().contains(&b'\n')
}

fn newlines<'b>(bytes: impl Iterator<Item = &'b u8>) -> u64 {
    bytes.filter(|byte| **byte == b'\n').count() as u64
}

fn too_long(line: u64) -> Vec<FieldError> {
    let message = "The line is longer than 4 MiB, or has a quote that is never closed.";
    BadLine::whole(line, "TOO_LONG", message).errors
}

fn malformed(message: &'static str) -> Refusal {
    Refusal::malformed("MALFORMED_IMPORT", message)
}

/// The columns that a header names: all of them known, none twice, and enough to find or make products.
fn columns(header: &[String]) -> Result<Vec<&'static str>, Refusal> {
    let mut errors = Vec::new();
    let mut named = Vec::new();
    for name in header {
        let name = name.trim();
        let short: String = name.chars().take(100).collect();
        match COLUMNS.into_iter().find(|column| *column == name) {
            None => errors.push(FieldError::new(short, "UNKNOWN", "There is no such column.")),
            Some(column) if named.contains(&column) => {
                errors.push(FieldError::new(column, "AMBIGUOUS", "The column is there twice."));
            }
            Some(column) => named.push(column),
        }
    }
    if !named.contains(&"id") {
        for column in ["name", "price", "category"].into_iter().filter(|column| !named.contains(column)) {
            errors.push(FieldError::new(
                column,
                "REQUIRED",
                "Without ids every line makes a product, which needs this.",
            ));
        }
    }
    if errors.is_empty() { Ok(named) } else { Err(Refusal::invalid(errors)) }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Currency;

    use super::*;

    /// What the lines say, fed in pieces of so many bytes: their names, or the codes of their errors.
    fn said(format: Format, bytes: &[u8], pieces: usize) -> Result<Vec<(u64, String)>, String> {
        let mut lines = Lines::new(format);
        let mut pieces = bytes.chunks(pieces.max(1));
        let usd = Currency::parse("USD").unwrap();
        let mut said = Vec::new();
        let mut begun = false;
        loop {
            let piece = pieces.next();
            match piece {
                Some(piece) => lines.feed(piece),
                None => lines.end(),
            }
            if !begun {
                begun = lines.begin().map_err(|refusal| {
                    let fields: Vec<_> =
                        refusal.fields.iter().map(|e| format!("{} {}", e.field, e.code)).collect();
                    if fields.is_empty() { refusal.code.to_owned() } else { fields.join(", ") }
                })?;
            }
            while begun && let Some((line, given)) = lines.next() {
                let told = given.and_then(|given| given.checked(usd)).map_or_else(
                    |errors| errors.iter().map(|error| error.code.to_string()).collect::<Vec<_>>().join(" "),
                    |checked| checked.changes.name.unwrap_or_default(),
                );
                said.push((line, told));
            }
            if piece.is_none() {
                return Ok(said);
            }
        }
    }

    fn both(format: Format, text: &str) -> Vec<(u64, String)> {
        let whole = said(format, text.as_bytes(), usize::MAX).unwrap();
        for pieces in [1, 2, 7, 64] {
            assert_eq!(said(format, text.as_bytes(), pieces).unwrap(), whole, "in pieces of {pieces}");
        }
        whole
    }

    fn of<const N: usize>(expected: [(u64, &str); N]) -> Vec<(u64, String)> {
        expected.into_iter().map(|(line, told)| (line, told.to_owned())).collect()
    }

    #[test]
    fn csv_is_read_in_whatever_pieces_it_comes() {
        let text = "\u{feff}name,price,category,description\r\nLamp,5,home,\"two\r\nlines, \"\"quoted\"\"\"\r\n\r\nBad,x,home,\r\nshort,1\r\n'=Sum,1.50,home,last";
        assert_eq!(
            both(Format::Csv, text),
            of([(2, "Lamp"), (5, "INVALID"), (6, "WRONG_NUMBER_OF_CELLS"), (7, "=Sum")])
        );
    }

    #[test]
    fn json_lines_are_read_in_whatever_pieces_they_come() {
        let text = "\u{feff}{\"name\":\"A\"}\n\n{\"name\":}\r\n  \n[]\n{\"name\":\"B\"}";
        assert_eq!(
            both(Format::JsonLines, text),
            of([(1, "A"), (3, "MALFORMED_JSON"), (5, "NOT_AN_OBJECT"), (6, "B")])
        );
        assert_eq!(both(Format::JsonLines, ""), []);
    }

    #[test]
    fn headers_are_held_to_their_columns() {
        let refused = |header: &str| said(Format::Csv, header.as_bytes(), usize::MAX).unwrap_err();
        assert_eq!(refused(""), "MALFORMED_IMPORT");
        assert_eq!(refused("name,price,category,name\n"), "name AMBIGUOUS");
        assert_eq!(refused("id,colour\n"), "colour UNKNOWN");
        assert_eq!(refused("name\n"), "price REQUIRED, category REQUIRED");
        assert_eq!(said(Format::Csv, b"\xff\xfen\0a\0", 99).unwrap_err(), "MALFORMED_IMPORT");
        assert_eq!(said(Format::Csv, b"\xffname,price\n", 99).unwrap_err(), "MALFORMED_IMPORT");
        assert_eq!(both(Format::Csv, "id,stock\n"), []);
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let long = "x".repeat(10_000_000);
        let csv =
            format!("name,price,category\nA,1,home\n{long},1,home\nB,1,home\n\"{long}\",1,home\nC,1,home\n");
        assert_eq!(
            said(Format::Csv, csv.as_bytes(), 60_000).unwrap(),
            of([(2, "A"), (3, "TOO_LONG"), (4, "B"), (5, "TOO_LONG"), (6, "C")])
        );
        let json = format!("{{\"name\":\"A\"}}\n{{\"name\":\"{long}\"}}\n{{\"name\":\"B\"}}\n");
        for pieces in [60_000, usize::MAX] {
            assert_eq!(
                said(Format::JsonLines, json.as_bytes(), pieces).unwrap(),
                of([(1, "A"), (2, "TOO_LONG"), (3, "B")])
            );
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_only_its_line() {
        let mut csv = "name,price,category\nA,1,home\n\"B,1,home\n".to_owned();
        let many: Vec<String> = (0..400_000).map(|number| format!("P{number},1,home\n")).collect();
        csv.push_str(&many.concat());
        let said = said(Format::Csv, csv.as_bytes(), 60_000).unwrap();
        assert_eq!(said.len(), 400_002);
        assert_eq!(said[..4], of([(2, "A"), (3, "TOO_LONG"), (4, "P0"), (5, "P1")]));
        assert_eq!(said[400_001], (400_003, "P399999".to_owned()));
    }

    #[test]
    fn a_quote_that_is_open_at_the_end_costs_only_its_line() {
        let csv = "name,price,category\nA,1,home\n\"B,1,home\nC,1,home\nD,1,home\n";
        assert_eq!(both(Format::Csv, csv), of([(2, "A"), (3, "TOO_LONG"), (4, "C"), (5, "D")]));
        assert_eq!(both(Format::Csv, "name,price,category\n\"B,1,home"), of([(2, "WRONG_NUMBER_OF_CELLS")]));
    }

    #[test]
    fn what_is_not_utf8_is_told() {
        let csv = b"name,price,category\nA,1,home\n\xff,1,home\nB,1,home\n";
        assert_eq!(said(Format::Csv, csv, 5).unwrap(), of([(2, "A"), (3, "NOT_UTF8"), (4, "B")]));
    }
}
