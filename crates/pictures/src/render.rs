//! A rendition of a picture.

use image::{DynamicImage, Rgba, RgbaImage, imageops};

use crate::{Bounds, Fit, Format, Picture, PictureError, PictureKind, Rendition, decode, encode, scale};

/// Makes a rendition of a stored picture; of an animation, of its first frame.
pub fn render(source: &[u8], rendition: &Rendition, bounds: &Bounds) -> Result<Picture, PictureError> {
    let kind = PictureKind::of(source)
        .ok_or_else(|| PictureError::Unsupported("it is of no sort that is known".into()))?;
    let still = decode::decode_first(source, kind, bounds)?;
    let image = fitted(still.finish.apply(still.image), rendition)?;
    match rendition.format {
        Format::Webp => encode::webp(&image),
        Format::Jpeg => encode::jpeg(&image),
        Format::Png => encode::png(&image),
    }
}

fn fitted(image: DynamicImage, rendition: &Rendition) -> Result<DynamicImage, PictureError> {
    match (rendition.fit, rendition.width, rendition.height) {
        (Fit::Cover, Some(width), Some(height)) => scale::cover(image, width, height),
        (Fit::Contain, Some(width), Some(height)) => {
            Ok(bordered(scale::inside(image, width, height)?, width, height))
        }
        (_, width, height) => scale::inside(image, width.unwrap_or(u32::MAX), height.unwrap_or(u32::MAX)),
    }
}

/// In the middle of a transparent box.
fn bordered(image: DynamicImage, width: u32, height: u32) -> DynamicImage {
    let mut framed = RgbaImage::from_pixel(width, height, Rgba([255, 255, 255, 0]));
    let middle = |outer: u32, inner: u32| i64::from(outer.saturating_sub(inner) / 2);
    let (left, top) = (middle(width, image.width()), middle(height, image.height()));
    imageops::replace(&mut framed, &image.into_rgba8(), left, top);
    framed.into()
}
