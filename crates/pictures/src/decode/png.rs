//! PNG. Of an animated one, the picture it holds for programs that know no animation.

use std::io::Cursor;

use image::{Limits, codecs::png::PngDecoder};

use super::{Still, read};
use crate::{Bounds, PictureError};

/// Signature, and the chunk that must come first: its length, its name, width and height.
const HEADER: usize = 8 + 8 + 8;

pub(super) fn decode(source: &[u8], bounds: &Bounds) -> Result<Still, PictureError> {
    let Some([.., w1, w2, w3, w4, h1, h2, h3, h4]) = source.first_chunk::<HEADER>().copied() else {
        return Err(PictureError::Malformed("it ends in its header".into()));
    };
    bounds.check_size(u32::from_be_bytes([w1, w2, w3, w4]), u32::from_be_bytes([h1, h2, h3, h4]))?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bounds.memory);
    read(PngDecoder::with_limits(Cursor::new(source), limits).map_err(PictureError::decoding)?, bounds)
}
