//! Products in bulk: import and export as CSV and as JSON lines.
//!
//! Both run in bounded memory. An import is cut into slices of lines, each one transaction that writes products, stock
//! movements, events and the search as single writes do, and the import's own record with them. So whatever ends an
//! import, what came in is whole slices, and its record says how many.

mod cells;
mod csv;
mod export;
mod import;
mod line;
mod lines;
mod slice;
mod variants;

pub(crate) use export::Export;
pub(crate) use import::Import;
pub(crate) use line::{BadLine, Checked};
pub(crate) use slice::{MOST_TOLD, Slice};
pub(crate) use variants::{Listed, ListedVariant};

/// How products are written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Csv,
    JsonLines,
}

impl Format {
    /// The word for it in queries and records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "ndjson",
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    /// The format of a media type, whatever its parameters.
    pub(crate) fn of_media_type(given: &str) -> Option<Self> {
        let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/csv" => Some(Self::Csv),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::JsonLines),
            _ => None,
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Csv, Self::JsonLines].into_iter().find(|format| format.name() == name)
    }
}

/// The columns of CSV, the fields of JSON lines, in the order they are written.
pub(crate) const COLUMNS: [&str; 11] = [
    "id",
    "name",
    "description",
    "price",
    "compareAtPrice",
    "stock",
    "category",
    "status",
    "images",
    "specifications",
    "variants",
];
/// The longest line, in bytes: room for a product with everything as long as it may be, its variants too.
pub(crate) const LONGEST_LINE: usize = 4 * 1024 * 1024;
