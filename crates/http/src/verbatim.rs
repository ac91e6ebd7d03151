//! Answers that leave as they are.

/// Marks an answer, as an extension of it, whose bytes are those that were asked for: whoever asks for a part of them, or
/// compares their checksum, must not be given them compressed.
#[derive(Clone, Copy, Debug)]
pub struct Verbatim;
