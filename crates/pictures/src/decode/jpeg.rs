//! JPEG, baseline or progressive.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;

use super::{Still, read};
use crate::{Bounds, PictureError};

pub(super) fn decode(source: &[u8], bounds: &Bounds, _wanted: u32) -> Result<Still, PictureError> {
    read(JpegDecoder::new(Cursor::new(source)).map_err(PictureError::decoding)?, bounds)
}
