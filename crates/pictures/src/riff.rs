//! The chunks that a WebP file is made of.

use std::ops::Range;

const RIFF_HEADER: usize = 12;
const CHUNK_HEADER: usize = 8;
/// What stands in an animation's frame before the chunks of its picture.
const FRAME_HEADER: usize = 16;

/// Names and places of all chunks, those of an animation's frames after their frame. A place may end behind the file.
pub(crate) fn chunks(file: &[u8]) -> impl Iterator<Item = ([u8; 4], Range<usize>)> {
    let mut position = RIFF_HEADER;
    std::iter::from_fn(move || {
        let [name @ .., s1, s2, s3, s4] = *file.get(position..)?.first_chunk::<CHUNK_HEADER>()?;
        let size = u32::from_le_bytes([s1, s2, s3, s4]) as usize;
        let content = position + CHUNK_HEADER;
        // Chunks begin at even places.
        let skipped = if &name == b"ANMF" { FRAME_HEADER } else { size.saturating_add(size % 2) };
        position = content.saturating_add(skipped);
        Some((name, content..content.saturating_add(size)))
    })
}
