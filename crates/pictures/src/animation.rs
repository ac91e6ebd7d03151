//! Pictures that move.

use image::DynamicImage;

use crate::{
    Picture, PictureError, Prepared,
    bounds::area,
    decode::Animation,
    encode::{self, TimedFrame},
    scale,
};

/// How many pixels all frames have together at most, once made smaller: about the work of a dozen still pictures.
const PIXELS: u64 = 12_000_000;
/// Browsers show a frame of less than this for a tenth of a second.
const SHORTEST: u32 = 20;
const INSTEAD_OF_SHORTER: u32 = 100;
/// Nobody waits longer for a frame, and no sum of them overflows.
const LONGEST: u32 = 60_000;

/// Keeps all frames, in a size that fits the box and the work that an animation may be.
pub(crate) fn prepare(
    animation: Animation<'_>,
    longest: u32,
    thumbnail: impl FnOnce(DynamicImage) -> Result<Picture, PictureError>,
) -> Result<Prepared, PictureError> {
    let (width, height) = size(&animation, longest);
    let (mut frames, mut now) = (Vec::new(), 0_u32);
    for frame in animation.frames {
        let frame = frame?;
        let image = animation.finish.apply(scale::inside(frame.image, width, height)?);
        frames.push(TimedFrame { image, at: i32::try_from(now).unwrap_or(i32::MAX) });
        let shown =
            if frame.milliseconds < SHORTEST { INSTEAD_OF_SHORTER } else { frame.milliseconds.min(LONGEST) };
        now = now.saturating_add(shown);
    }
    let main = encode::animated_webp(&frames, now, animation.times)?;
    let first = frames.into_iter().next().ok_or_else(|| PictureError::Malformed("it has no frame".into()))?;
    Ok(Prepared { main, thumbnail: Some(thumbnail(first.image)?) })
}

/// The size of the frames, in the canvas's own proportions.
fn size(animation: &Animation<'_>, longest: u32) -> (u32, u32) {
    let canvas = (animation.width, animation.height);
    let (width, height) = scale::fitting(canvas, (longest, longest));
    let pixels = area(width, height) * u64::from(animation.count);
    if pixels <= PIXELS {
        return (width, height);
    }
    // A side shrinks with the root of the area.
    let shrunk = |side: u32| {
        let side = (u64::from(side).pow(2) * PIXELS / pixels).isqrt();
        u32::try_from(side).unwrap_or(u32::MAX).max(1)
    };
    (shrunk(width), shrunk(height))
}
