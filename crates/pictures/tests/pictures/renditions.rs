//! Other sizes and formats.

use image::{ImageFormat, Rgba, RgbaImage};
use stoa_pictures::{Bounds, Picture, PictureError, Rendition, render};

use crate::support::{
    BLUE, GREEN, RED, WHITE, assert_quarters, encoded, fixtures, jpeg, pixels, prepared, quarters,
};

fn rendered(source: &[u8], query: &[(&str, &str)]) -> Result<Picture, PictureError> {
    let rendition = Rendition::parse(query.iter().copied()).unwrap().unwrap();
    render(source, &rendition, &Bounds::default())
}

fn stored() -> Vec<u8> {
    prepared(&jpeg(&quarters(800, 400))).unwrap().main.bytes
}

#[test]
fn boxes_are_filled_bordered_or_fitted_into() {
    let size = |query: &[(&str, &str)]| {
        let picture = rendered(&stored(), query).unwrap();
        pixels(&picture).dimensions()
    };
    assert_eq!(size(&[("w", "400"), ("h", "400")]), (400, 400));
    assert_eq!(size(&[("w", "400"), ("h", "400"), ("fit", "contain")]), (400, 400));
    assert_eq!(size(&[("w", "400"), ("h", "400"), ("fit", "inside")]), (400, 200));
    assert_eq!(size(&[("w", "200")]), (200, 100));
    assert_eq!(size(&[("h", "200")]), (400, 200));
    assert_eq!(size(&[("w", "1200")]), (800, 400), "nothing grows that need not");
    assert_eq!(size(&[("w", "1200"), ("h", "1200")]), (1200, 1200), "but what has to fill a box does");
}

#[test]
fn the_middle_is_kept_and_borders_are_transparent() {
    let cover = rendered(&stored(), &[("w", "100"), ("h", "100")]).unwrap();
    assert_quarters(&pixels(&cover), [RED, GREEN, BLUE, WHITE]);
    let contained = pixels(&rendered(&stored(), &[("w", "100"), ("h", "100"), ("fit", "contain")]).unwrap());
    assert_eq!(contained.get_pixel(50, 5).0[3], 0);
    assert_eq!(contained.get_pixel(50, 50).0[3], 255);
}

#[test]
fn formats_are_what_was_asked_for_and_jpeg_is_on_white() {
    for (format, content_type) in [("webp", "image/webp"), ("jpeg", "image/jpeg"), ("png", "image/png")] {
        let picture = rendered(&stored(), &[("w", "100"), ("format", format)]).unwrap();
        assert_eq!(picture.content_type, content_type);
        assert_quarters(&pixels(&picture), [RED, GREEN, BLUE, WHITE]);
    }
    let clear = encoded(&RgbaImage::from_pixel(64, 64, Rgba([9, 9, 9, 0])).into(), ImageFormat::Png);
    let on_white = pixels(&rendered(&clear, &[("format", "jpeg")]).unwrap());
    assert_eq!(on_white.get_pixel(30, 30).0, [255; 4]);
}

#[test]
fn what_is_not_decoded_or_no_picture_has_no_renditions() {
    let refused = |source: &[u8]| rendered(source, &[("w", "64")]).unwrap_err().code();
    assert_eq!(refused(fixtures::LOCATED_AVIF), Some("PICTURE_UNSUPPORTED"));
    assert_eq!(refused(b"%PDF-1.7"), Some("PICTURE_UNSUPPORTED"));
    assert_eq!(refused(&stored()[..200]), Some("PICTURE_DAMAGED"));
}
