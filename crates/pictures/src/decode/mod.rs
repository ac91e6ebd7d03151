//! From files to pixels, within bounds.

mod gif;
mod jpeg;
mod png;
mod webp;

use image::{DynamicImage, ImageDecoder, metadata::Orientation};

use crate::{Bounds, PictureError, PictureKind, colour::ToSrgb};

/// What a file holds.
pub(crate) enum Decoded<'a> {
    Still(Still),
    Animation(Animation<'a>),
}

/// One picture, as it lies in the file.
pub(crate) struct Still {
    pub(crate) image: DynamicImage,
    pub(crate) finish: Finish,
}

/// Several pictures, decoded as they are asked for.
pub(crate) struct Animation<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) count: u32,
    /// How often it is shown; none: for ever.
    pub(crate) times: Option<u32>,
    pub(crate) frames: Box<dyn Iterator<Item = Result<Frame, PictureError>> + 'a>,
    pub(crate) finish: Finish,
}

pub(crate) struct Frame {
    pub(crate) image: DynamicImage,
    pub(crate) milliseconds: u32,
}

/// What is still to be done to a picture, at best when it is small.
pub(crate) struct Finish {
    orientation: Orientation,
    colours: Option<ToSrgb>,
}

impl Finish {
    fn new(orientation: Orientation, profile: Option<Vec<u8>>) -> Self {
        Self { orientation, colours: profile.and_then(|profile| ToSrgb::from_profile(&profile)) }
    }

    /// Upright, in sRGB, with eight bits to a channel.
    pub(crate) fn apply(&self, image: DynamicImage) -> DynamicImage {
        let mut image = if image.color().has_alpha() {
            DynamicImage::from(image.into_rgba8())
        } else {
            DynamicImage::from(image.into_rgb8())
        };
        image.apply_orientation(self.orientation);
        match &self.colours {
            Some(colours) => colours.convert(image),
            None => image,
        }
    }
}

/// Decodes a picture with all its frames.
pub(crate) fn decode<'a>(
    source: &'a [u8],
    kind: PictureKind,
    bounds: &Bounds,
) -> Result<Decoded<'a>, PictureError> {
    match kind {
        PictureKind::Jpeg => Ok(Decoded::Still(jpeg::decode(source, bounds)?)),
        PictureKind::Png => Ok(Decoded::Still(png::decode(source, bounds)?)),
        PictureKind::Gif => gif::decode(source, bounds),
        PictureKind::Webp => webp::decode(source, bounds),
        PictureKind::Avif => Err(undecodable()),
    }
}

/// Decodes a picture; of an animation, its first frame.
pub(crate) fn decode_first(source: &[u8], kind: PictureKind, bounds: &Bounds) -> Result<Still, PictureError> {
    match kind {
        PictureKind::Jpeg => jpeg::decode(source, bounds),
        PictureKind::Png => png::decode(source, bounds),
        PictureKind::Gif => gif::decode_first(source, bounds),
        PictureKind::Webp => webp::decode_first(source, bounds),
        PictureKind::Avif => Err(undecodable()),
    }
}

fn undecodable() -> PictureError {
    PictureError::Unsupported("AVIF is not decoded".into())
}

/// Reads the pixels of a decoder that has read its headers.
fn read<D: ImageDecoder>(mut decoder: D, bounds: &Bounds) -> Result<Still, PictureError> {
    let (width, height) = decoder.dimensions();
    bounds.check_size(width, height)?;
    bounds.check_memory(decoder.total_bytes())?;
    let orientation = decoder.orientation().map_err(PictureError::decoding)?;
    let profile = decoder.icc_profile().map_err(PictureError::decoding)?;
    let image = DynamicImage::from_decoder(decoder).map_err(PictureError::decoding)?;
    Ok(Still { image, finish: Finish::new(orientation, profile) })
}
