//! From pixels to files.

use std::io::Cursor;

use image::{DynamicImage, ImageResult, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};
use webp::{AnimEncoder, AnimFrame, Encoder, PixelLayout, WebPConfig};

use crate::{Picture, PictureError, PictureKind, riff};

/// Of what is lossy, in percent.
const QUALITY: u8 = 85;
/// How hard the WebP encoder looks for a smaller file, of 0 to 6.
const EFFORT: i32 = 4;

/// A frame of an animation, and when it is to be shown.
pub(crate) struct TimedFrame {
    pub(crate) image: DynamicImage,
    /// Milliseconds after the first.
    pub(crate) at: i32,
}

/// As lossy WebP.
pub(crate) fn webp(image: &DynamicImage) -> Result<Picture, PictureError> {
    let (pixels, layout) = pixels(image)?;
    let encoder = Encoder::new(pixels, layout, image.width(), image.height());
    let bytes = encoder.encode_advanced(&config()?).map_err(PictureError::encoding)?;
    Ok(picture(image, bytes.to_vec(), PictureKind::Webp))
}

/// As animated lossy WebP, each loop of which takes so many milliseconds. All frames are as large as the first.
pub(crate) fn animated_webp(
    frames: &[TimedFrame],
    duration: u32,
    times: Option<u32>,
) -> Result<Picture, PictureError> {
    let first = &frames.first().ok_or_else(|| PictureError::Malformed("it has no frame".into()))?.image;
    let config = config()?;
    let mut encoder = AnimEncoder::new(first.width(), first.height(), &config);
    encoder.set_loop_count(times.map_or(0, |times| i32::try_from(times).unwrap_or(i32::MAX)));
    for TimedFrame { image, at } in frames {
        let (pixels, layout) = pixels(image)?;
        encoder.add_frame(AnimFrame::new(pixels, layout, image.width(), image.height(), *at, None));
    }
    let mut bytes = encoder.try_encode().map_err(PictureError::encoding)?.to_vec();
    let ended = end_at(&mut bytes, duration);
    ended.ok_or_else(|| PictureError::Encoding("a frame without its duration".into()))?;
    Ok(picture(first, bytes, PictureKind::Webp))
}

/// Gives the last frame what is left of a loop: the encoder is told when frames begin, not when the last one ends.
fn end_at(file: &mut [u8], duration: u32) -> Option<()> {
    let mut frames: Vec<_> = riff::chunks(file)
        .filter(|(name, _)| name == b"ANMF")
        .map(|(_, content)| content.start + DURATION..content.start + DURATION + 3)
        .collect();
    // A single frame is written as a still picture.
    let Some(last) = frames.pop() else { return Some(()) };
    let mut left = duration;
    for frame in frames {
        let [low, middle, high] = *file.get(frame)?.first_chunk()?;
        left = left.saturating_sub(u32::from_le_bytes([low, middle, high, 0]));
    }
    let [duration @ .., _] = left.min(LONGEST_FRAME).to_le_bytes();
    file.get_mut(last)?.copy_from_slice(&duration);
    Some(())
}

/// Where a frame says how many milliseconds it is shown, in three bytes.
const DURATION: usize = 12;
const LONGEST_FRAME: u32 = 0x00ff_ffff;

/// As JPEG, which has no transparency: on white.
pub(crate) fn jpeg(image: &DynamicImage) -> Result<Picture, PictureError> {
    let image = on_white(image);
    written(&image, PictureKind::Jpeg, |bytes| {
        image.write_with_encoder(JpegEncoder::new_with_quality(bytes, QUALITY))
    })
}

/// As PNG.
pub(crate) fn png(image: &DynamicImage) -> Result<Picture, PictureError> {
    written(image, PictureKind::Png, |bytes| image.write_with_encoder(PngEncoder::new(bytes)))
}

fn written(
    image: &DynamicImage,
    kind: PictureKind,
    write: impl FnOnce(&mut Cursor<Vec<u8>>) -> ImageResult<()>,
) -> Result<Picture, PictureError> {
    let mut bytes = Cursor::new(Vec::new());
    write(&mut bytes).map_err(PictureError::encoding)?;
    Ok(picture(image, bytes.into_inner(), kind))
}

fn picture(image: &DynamicImage, bytes: Vec<u8>, kind: PictureKind) -> Picture {
    Picture { bytes, width: image.width(), height: image.height(), content_type: kind.content_type() }
}

fn pixels(image: &DynamicImage) -> Result<(&[u8], PixelLayout), PictureError> {
    match image {
        DynamicImage::ImageRgb8(image) => Ok((image.as_raw(), PixelLayout::Rgb)),
        DynamicImage::ImageRgba8(image) => Ok((image.as_raw(), PixelLayout::Rgba)),
        other => Err(PictureError::Encoding(format!("pixels of {:?}", other.color()))),
    }
}

fn config() -> Result<WebPConfig, PictureError> {
    let mut config = WebPConfig::new().map_err(|()| PictureError::Encoding("no configuration".into()))?;
    config.quality = f32::from(QUALITY);
    config.method = EFFORT;
    Ok(config)
}

fn on_white(image: &DynamicImage) -> DynamicImage {
    let DynamicImage::ImageRgba8(image) = image else { return image.clone() };
    let mut opaque = image::RgbImage::new(image.width(), image.height());
    for (target, source) in opaque.pixels_mut().zip(image.pixels()) {
        let [r, g, b, alpha] = source.0;
        let blend = |channel: u8| {
            let (channel, alpha) = (u32::from(channel), u32::from(alpha));
            // At most 255, as a mean of two such.
            u8::try_from((channel * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
        };
        target.0 = [blend(r), blend(g), blend(b)];
    }
    opaque.into()
}
