//! What commands write: their results to standard output, their complaints to standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// A line of the result.
pub(super) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Part of the result, as it is.
pub(super) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A complaint. When even that cannot be written, nobody is there to hear it.
pub(super) fn complain(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
