//! How much of a picture is too much.

use crate::PictureError;

/// What a picture may at most be. Everything here is checked against headers, before pixels are decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Width times height.
    pub pixels: u64,
    /// Width, and height.
    pub side: u32,
    /// Frames of an animation.
    pub frames: u32,
    /// Bytes that decoding may take.
    pub memory: u64,
}

/// Room for what the cameras of phones make, and for a decoder to need a quarter of a gigabyte.
impl Default for Bounds {
    fn default() -> Self {
        Self { pixels: 50_000_000, side: 20_000, frames: 500, memory: 256 * 1024 * 1024 }
    }
}

impl Bounds {
    /// How many times `pixels` all frames of an animation may have together.
    const ANIMATION: u64 = 4;

    /// Whether a picture of this size may be decoded.
    pub(crate) fn check_size(&self, width: u32, height: u32) -> Result<(), PictureError> {
        if width == 0 || height == 0 {
            return Err(PictureError::Malformed("it has no pixels".into()));
        }
        if width > self.side || height > self.side || area(width, height) > self.pixels {
            return Err(PictureError::TooManyPixels { width, height });
        }
        Ok(())
    }

    /// Whether so many bytes may be taken.
    pub(crate) fn check_memory(&self, bytes: u64) -> Result<(), PictureError> {
        if bytes > self.memory { Err(PictureError::TooMuchMemory) } else { Ok(()) }
    }

    /// Whether an animation of so many frames, with so many pixels together, may be decoded.
    pub(crate) fn check_frames(&self, frames: u32, pixels: u64) -> Result<(), PictureError> {
        if frames > self.frames || pixels > self.pixels.saturating_mul(Self::ANIMATION) {
            return Err(PictureError::TooManyFrames);
        }
        Ok(())
    }
}

pub(crate) fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}
