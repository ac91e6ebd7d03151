//! Making pictures smaller.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::DynamicImage;

use crate::PictureError;

/// The whole picture, as large as it fits into the box; never larger than it is.
pub(crate) fn inside(image: DynamicImage, width: u32, height: u32) -> Result<DynamicImage, PictureError> {
    let (width, height) = fitting((image.width(), image.height()), (width, height));
    resized(image, width, height, ResizeOptions::new())
}

/// The middle of the picture, so that it fills the box, larger than it is if need be.
pub(crate) fn cover(image: DynamicImage, width: u32, height: u32) -> Result<DynamicImage, PictureError> {
    resized(image, width, height, ResizeOptions::new().fit_into_destination(None))
}

/// The size in which something fits into a box without growing.
pub(crate) fn fitting(size: (u32, u32), into: (u32, u32)) -> (u32, u32) {
    let (width, height) = size;
    if width <= into.0 && height <= into.1 {
        return size;
    }
    // Which side is the one that decides: width / into.0 against height / into.1.
    if u64::from(width) * u64::from(into.1) >= u64::from(height) * u64::from(into.0) {
        (into.0, shortened(height, into.0, width))
    } else {
        (shortened(width, into.1, height), into.1)
    }
}

/// `side * numerator / denominator`, rounded, at least 1. The fraction is at most 1.
fn shortened(side: u32, numerator: u32, denominator: u32) -> u32 {
    let (numerator, denominator) = (u64::from(numerator), u64::from(denominator.max(1)));
    let length = (u64::from(side) * numerator * 2 + denominator) / (denominator * 2);
    u32::try_from(length).unwrap_or(side).max(1)
}

fn resized(
    image: DynamicImage,
    width: u32,
    height: u32,
    options: ResizeOptions,
) -> Result<DynamicImage, PictureError> {
    if (image.width(), image.height()) == (width, height) {
        return Ok(image);
    }
    let options = options.resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    let mut smaller = DynamicImage::new(width, height, image.color());
    Resizer::new().resize(&image, &mut smaller, &options).map_err(PictureError::encoding)?;
    Ok(smaller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_keeps_its_size_and_all_else_its_proportions() {
        assert_eq!(fitting((1200, 10), (1200, 1200)), (1200, 10));
        assert_eq!(fitting((4000, 3000), (1200, 1200)), (1200, 900));
        assert_eq!(fitting((3000, 4000), (1200, 1200)), (900, 1200));
        assert_eq!(fitting((4000, 3000), (400, 100)), (133, 100));
        assert_eq!(fitting((20_000, 1), (1200, 1200)), (1200, 1), "no side vanishes");
        assert_eq!(fitting((1, 20_000), (100, 1200)), (1, 1200));
    }
}
