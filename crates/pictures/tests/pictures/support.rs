//! Pictures to be prepared, and looking at what became of them.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use stoa_pictures::{Bounds, Picture, PictureError, PictureKind, Prepared, prepare};

/// Made by sharp (libvips) from one picture of four quarters: red, green, blue and white; `located` ones have EXIF with an
/// artist `SECRET-ARTIST` and a place.
pub(crate) mod fixtures {
    pub(crate) const CMYK_JPEG: &[u8] = include_bytes!("fixtures/cmyk.jpg");
    pub(crate) const P3_JPEG: &[u8] = include_bytes!("fixtures/display-p3.jpg");
    pub(crate) const P3_PNG: &[u8] = include_bytes!("fixtures/display-p3.png");
    pub(crate) const LOCATED_AVIF: &[u8] = include_bytes!("fixtures/located.avif");
    pub(crate) const LOCATED_JPEG: &[u8] = include_bytes!("fixtures/located.jpg");
    pub(crate) const LOCATED_PNG: &[u8] = include_bytes!("fixtures/located.png");
    pub(crate) const LOCATED_WEBP: &[u8] = include_bytes!("fixtures/located.webp");
    pub(crate) const PROGRESSIVE_JPEG: &[u8] = include_bytes!("fixtures/progressive.jpg");
}

pub(crate) const RED: [u8; 3] = [230, 20, 20];
pub(crate) const GREEN: [u8; 3] = [20, 200, 20];
pub(crate) const BLUE: [u8; 3] = [20, 20, 230];
pub(crate) const WHITE: [u8; 3] = [240, 240, 240];

/// Red and green above blue and white.
pub(crate) fn quarters(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        })
    })
    .into()
}

pub(crate) fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn jpeg(image: &DynamicImage) -> Vec<u8> {
    encoded(image, ImageFormat::Jpeg)
}

pub(crate) fn png(image: &DynamicImage) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}

/// Without loss.
pub(crate) fn webp(image: &DynamicImage) -> Vec<u8> {
    let (colours, pixels) = match image {
        DynamicImage::ImageRgba8(image) => (image_webp::ColorType::Rgba8, image.as_raw()),
        DynamicImage::ImageRgb8(image) => (image_webp::ColorType::Rgb8, image.as_raw()),
        other => panic!("pixels of {:?}", other.color()),
    };
    let mut bytes = Vec::new();
    image_webp::WebPEncoder::new(&mut bytes).encode(pixels, image.width(), image.height(), colours).unwrap();
    bytes
}

/// A chunk of a PNG, with its checksum.
pub(crate) fn png_chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = u32::MAX;
    for byte in name.iter().chain(content) {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    let length = u32::try_from(content.len()).unwrap();
    [&length.to_be_bytes(), &name, content, &(!sum).to_be_bytes()].concat()
}

/// The file with more chunks behind the first.
pub(crate) fn png_with(png: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
    const BEHIND_HEADER: usize = 8 + 25;
    [&png[..BEHIND_HEADER], &chunks.concat(), &png[BEHIND_HEADER..]].concat()
}

pub(crate) fn prepared(bytes: &[u8]) -> Result<Prepared, PictureError> {
    prepared_within(bytes, &Bounds::default())
}

pub(crate) fn prepared_within(bytes: &[u8], bounds: &Bounds) -> Result<Prepared, PictureError> {
    let kind = PictureKind::of(bytes).expect("a picture of a known kind");
    prepare(bytes, kind, bounds)
}

pub(crate) fn code(outcome: Result<Prepared, PictureError>) -> &'static str {
    match outcome {
        Ok(prepared) => panic!("it was taken, at {}×{}", prepared.main.width, prepared.main.height),
        Err(error) => error.code().unwrap_or_else(|| panic!("no fault of the picture: {error}")),
    }
}

/// The pixels, and whether they are as many as is said.
pub(crate) fn pixels(picture: &Picture) -> RgbaImage {
    let opened = image_webp::WebPDecoder::new(Cursor::new(&picture.bytes));
    let image = match opened {
        Ok(mut decoder) => {
            let mut buffer = vec![0; decoder.output_buffer_size().unwrap()];
            decoder.read_image(&mut buffer).unwrap();
            let (width, height) = decoder.dimensions();
            if decoder.has_alpha() {
                RgbaImage::from_raw(width, height, buffer).unwrap()
            } else {
                DynamicImage::from(RgbImage::from_raw(width, height, buffer).unwrap()).into_rgba8()
            }
        }
        Err(_) => image::load_from_memory(&picture.bytes).unwrap().into_rgba8(),
    };
    assert_eq!(image.dimensions(), (picture.width, picture.height));
    image
}

/// Whether a pixel, given by parts of the sides, has about that colour.
pub(crate) fn assert_colour(image: &RgbaImage, (across, down): (f32, f32), colour: [u8; 3]) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small numbers"
    )]
    let place = |part: f32, side: u32| (part * side as f32) as u32;
    let pixel = image.get_pixel(place(across, image.width()), place(down, image.height()));
    let far = pixel.0.iter().zip(colour).any(|(is, should)| is.abs_diff(should) > 14);
    assert!(!far, "{pixel:?} is not {colour:?}");
}

/// Whether the quarters have these colours, row by row.
pub(crate) fn assert_quarters(image: &RgbaImage, colours: [[u8; 3]; 4]) {
    let places = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
    for (place, colour) in places.into_iter().zip(colours) {
        assert_colour(image, place, colour);
    }
}

pub(crate) fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}
