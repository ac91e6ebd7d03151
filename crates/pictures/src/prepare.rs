//! From an upload to what is kept and shown.

use std::io::Read;

use image::DynamicImage;

use crate::{Bounds, PictureError, PictureKind, animation, avif, decode, decode::Decoded, encode, scale};

/// The longest side of the main picture.
const MAIN: u32 = 1200;
/// The sides of the thumbnail.
const THUMBNAIL: u32 = 200;

/// A picture, encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Its media type.
    pub content_type: &'static str,
}

/// What becomes of an uploaded picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prepared {
    /// At most 1200×1200, upright, in sRGB, without metadata: WebP, or AVIF if it came as that.
    pub main: Picture,
    /// 200×200 of the middle, still. None of AVIF.
    pub thumbnail: Option<Picture>,
}

/// Decodes a picture within bounds and makes what is kept of it. The file itself counts against the memory.
pub fn prepare(source: impl Read, kind: PictureKind, bounds: &Bounds) -> Result<Prepared, PictureError> {
    let source = read(source, bounds)?;
    if kind == PictureKind::Avif {
        return Ok(Prepared { main: avif::cleaned(source, bounds)?, thumbnail: None });
    }
    match decode::decode(&source, kind, bounds)? {
        Decoded::Still(still) => {
            let main = still.finish.apply(scale::inside(still.image, MAIN, MAIN)?);
            Ok(Prepared { thumbnail: Some(thumbnail(main.clone())?), main: encode::webp(&main)? })
        }
        Decoded::Animation(animation) => animation::prepare(animation, MAIN, thumbnail),
    }
}

fn read(source: impl Read, bounds: &Bounds) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    source.take(bounds.memory.saturating_add(1)).read_to_end(&mut bytes).map_err(PictureError::reading)?;
    bounds.check_memory(bytes.len() as u64)?;
    Ok(bytes)
}

fn thumbnail(image: DynamicImage) -> Result<Picture, PictureError> {
    encode::webp(&scale::cover(image, THUMBNAIL, THUMBNAIL)?)
}
