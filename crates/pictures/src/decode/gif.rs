//! GIF, animated or not.

use std::io::Cursor;

use image::{
    AnimationDecoder, ImageDecoder,
    codecs::gif::GifDecoder,
    metadata::{LoopCount, Orientation},
};

use super::{Animation, Decoded, Finish, Frame, Still, read};
use crate::{Bounds, PictureError, bounds::area};

/// Canvas, the frame before, and the frame itself, at four bytes a pixel.
const BYTES_PER_PIXEL: u64 = 3 * 4;

pub(super) fn decode<'a>(source: &'a [u8], bounds: &Bounds) -> Result<Decoded<'a>, PictureError> {
    let count = checked_frames(source, bounds)?;
    let mut decoder = GifDecoder::new(Cursor::new(source)).map_err(PictureError::decoding)?;
    if count == 1 {
        return Ok(Decoded::Still(read(decoder, bounds)?));
    }
    let (width, height) = decoder.dimensions();
    let profile = decoder.icc_profile().map_err(PictureError::decoding)?;
    let times = match decoder.loop_count() {
        LoopCount::Infinite => None,
        LoopCount::Finite(times) => Some(times.get()),
    };
    let frames = decoder.into_frames().map(|frame| {
        let frame = frame.map_err(PictureError::decoding)?;
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let milliseconds = numerator / denominator.max(1);
        Ok(Frame { image: frame.into_buffer().into(), milliseconds })
    });
    let finish = Finish::new(Orientation::NoTransforms, profile);
    Ok(Decoded::Animation(Animation { width, height, count, times, frames: Box::new(frames), finish }))
}

pub(super) fn decode_first(source: &[u8], bounds: &Bounds) -> Result<Still, PictureError> {
    checked_frames(source, bounds)?;
    read(GifDecoder::new(Cursor::new(source)).map_err(PictureError::decoding)?, bounds)
}

/// Counts the frames without decoding any, and stops at the first that is too much. Frames may be larger than the
/// canvas, so theirs are pixels too.
fn checked_frames(source: &[u8], bounds: &Bounds) -> Result<u32, PictureError> {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut reader = options.read_info(source).map_err(PictureError::malformed)?;
    let canvas = (u32::from(reader.width()), u32::from(reader.height()));
    bounds.check_size(canvas.0, canvas.1)?;
    bounds.check_memory(area(canvas.0, canvas.1) * BYTES_PER_PIXEL)?;
    let (mut frames, mut pixels) = (0, 0);
    while let Some(frame) = reader.next_frame_info().map_err(PictureError::malformed)? {
        let (width, height) = (u32::from(frame.width), u32::from(frame.height));
        bounds.check_size(width, height)?;
        bounds.check_memory((area(canvas.0, canvas.1) + area(width, height)) * BYTES_PER_PIXEL)?;
        frames += 1;
        pixels += area(canvas.0, canvas.1).max(area(width, height));
        bounds.check_frames(frames, pixels)?;
    }
    if frames == 0 {
        return Err(PictureError::Malformed("it has no frame".into()));
    }
    Ok(frames)
}
