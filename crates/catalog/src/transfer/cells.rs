//! Cells that a spreadsheet would take for formulas. They are written with an apostrophe before them, which spreadsheets
//! understand as "this is text", and read without it. A text that has apostrophes before such a sign already gets one
//! more, so that every text comes back as it was.

use std::borrow::Cow;

/// Signs that begin a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn is_dangerous(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(FORMULA)
}

/// The cell as it is written.
pub(super) fn guarded(cell: &str) -> Cow<'_, str> {
    if is_dangerous(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell as it was before it was [`guarded`].
pub(super) fn plain(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_dangerous(rest) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in ["=1+1", "'=1", "''@x", "'quoted'", "-5", "\tx", "\r", "Lamp", "", "'", "it's =x"] {
            let written = guarded(text);
            assert!(!written.starts_with(FORMULA), "{text:?}");
            assert_eq!(plain(&written), text);
        }
        assert_eq!(guarded("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(guarded("'quoted'"), "'quoted'");
    }
}
