//! WebP, animated or not.

use std::io::Cursor;

use image::{DynamicImage, RgbImage, RgbaImage, metadata::Orientation};
use image_webp::{LoopCount, WebPDecoder};

use super::{Animation, Decoded, Finish, Frame, Still};
use crate::{Bounds, PictureError, bounds::area, riff};

/// Planes and their conversion, the canvas, and what is given out.
const BYTES_PER_PIXEL: u64 = 3 * 4;
/// Profiles and EXIF are smaller than this, or not looked at.
const LARGEST_METADATA: usize = 4 * 1024 * 1024;

type Decoder<'a> = WebPDecoder<Cursor<&'a [u8]>>;

pub(super) fn decode<'a>(source: &'a [u8], bounds: &Bounds) -> Result<Decoded<'a>, PictureError> {
    let mut decoder = opened(source, bounds)?;
    if !decoder.is_animated() {
        return Ok(Decoded::Still(read_first(decoder)?));
    }
    let (width, height) = decoder.dimensions();
    let count = decoder.num_frames();
    bounds.check_frames(count, area(width, height).saturating_mul(u64::from(count)))?;
    let times = match decoder.loop_count() {
        LoopCount::Forever => None,
        LoopCount::Times(times) => Some(u32::from(times.get())),
    };
    let finish = finish(&mut decoder);
    let frames = (0..count).map(move |_| next_frame(&mut decoder));
    Ok(Decoded::Animation(Animation { width, height, count, times, frames: Box::new(frames), finish }))
}

pub(super) fn decode_first(source: &[u8], bounds: &Bounds) -> Result<Still, PictureError> {
    read_first(opened(source, bounds)?)
}

fn opened<'a>(source: &'a [u8], bounds: &Bounds) -> Result<Decoder<'a>, PictureError> {
    let largest = largest_bitstream(source);
    let mut decoder = WebPDecoder::new(Cursor::new(source)).map_err(decoding)?;
    let (width, height) = decoder.dimensions();
    for (width, height) in [(width, height), largest] {
        bounds.check_size(width, height)?;
        bounds.check_memory(area(width, height) * BYTES_PER_PIXEL)?;
    }
    decoder.set_memory_limit(LARGEST_METADATA);
    Ok(decoder)
}

fn read_first(mut decoder: Decoder<'_>) -> Result<Still, PictureError> {
    let finish = finish(&mut decoder);
    let mut pixels = blank(&decoder);
    decoder.read_image(&mut pixels).map_err(decoding)?;
    Ok(Still { image: image(&decoder, pixels)?, finish })
}

fn next_frame(decoder: &mut Decoder<'_>) -> Result<Frame, PictureError> {
    let mut pixels = blank(decoder);
    let milliseconds = decoder.read_frame(&mut pixels).map_err(decoding)?;
    Ok(Frame { image: image(decoder, pixels)?, milliseconds })
}

fn blank(decoder: &Decoder<'_>) -> Vec<u8> {
    vec![0; decoder.output_buffer_size().unwrap_or_default()]
}

fn image(decoder: &Decoder<'_>, pixels: Vec<u8>) -> Result<DynamicImage, PictureError> {
    let (width, height) = decoder.dimensions();
    let image = if decoder.has_alpha() {
        RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
    };
    image.ok_or_else(|| PictureError::Malformed("its pixels are not as many as it says".into()))
}

/// Metadata that is damaged is as good as none.
fn finish(decoder: &mut Decoder<'_>) -> Finish {
    let exif = decoder.exif_metadata().ok().flatten();
    let orientation = exif.and_then(|exif| Orientation::from_exif_chunk(&exif));
    let profile = decoder.icc_profile().ok().flatten();
    Finish::new(orientation.unwrap_or(Orientation::NoTransforms), profile)
}

fn decoding(error: image_webp::DecodingError) -> PictureError {
    use image_webp::DecodingError as E;
    match error {
        E::IoError(error) => PictureError::reading(error),
        E::UnsupportedFeature(what) => PictureError::Unsupported(what),
        E::MemoryLimitExceeded => PictureError::TooMuchMemory,
        other => PictureError::malformed(other),
    }
}

/// The largest sides of any lossy bitstream in the file: the decoder makes room for what a bitstream says of itself
/// before it compares that with the size of the picture.
fn largest_bitstream(source: &[u8]) -> (u32, u32) {
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    riff::chunks(source)
        .filter(|(name, _)| name == b"VP8 ")
        .filter_map(|(_, content)| source.get(content.start..)?.first_chunk::<BITSTREAM_START>())
        .map(|[.., w1, w2, h1, h2]| (side(*w1, *w2), side(*h1, *h2)))
        .fold((1, 1), |largest, size| (largest.0.max(size.0), largest.1.max(size.1)))
}

/// Of a lossy bitstream: its tag, its start code, and the sides.
const BITSTREAM_START: usize = 10;
