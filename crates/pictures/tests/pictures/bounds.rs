//! Pictures that are too much, refused before they cost anything.

use image::{DynamicImage, ImageFormat};
use stoa_pictures::Bounds;

use crate::support::{
    code, encoded, fixtures, jpeg, png, png_chunk, prepared, prepared_within, quarters, webp,
};

fn png_of(width: u32, height: u32, depth: u8, colours: u8) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colours, 0, 0, 0]].concat();
    let data = png_chunk(*b"IDAT", &vec![0; 50_000]);
    [&b"\x89PNG\r\n\x1a\n"[..], &png_chunk(*b"IHDR", &header), &data, &png_chunk(*b"IEND", &[])].concat()
}

/// The first JPEG's header with another size in it.
fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
    let mut file = jpeg(&quarters(16, 16));
    let frame = file.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

fn gif_of(canvas: (u16, u16), frame: (u16, u16), frames: usize) -> Vec<u8> {
    let size = |(width, height): (u16, u16)| [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut file = [&b"GIF89a"[..], &size(canvas), &[0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
    let one = [&[0x2c, 0, 0, 0, 0][..], &size(frame), &[0, 2, 2, 0x44, 0x01, 0]].concat();
    file.extend(one.repeat(frames));
    file.push(0x3b);
    file
}

#[test]
fn a_small_file_with_a_huge_picture_is_refused_by_its_header() {
    assert_eq!(code(prepared(&png_of(40_000, 40_000, 1, 0))), "PICTURE_TOO_LARGE");
    assert_eq!(code(prepared(&png_of(u32::MAX / 2, 1, 8, 6))), "PICTURE_TOO_LARGE");
    assert_eq!(code(prepared(&jpeg_of(65_000, 65_000))), "PICTURE_TOO_LARGE");
    assert_eq!(code(prepared(&gif_of((65_000, 65_000), (1, 1), 1))), "PICTURE_TOO_LARGE");
    assert_eq!(code(prepared(&gif_of((1, 1), (65_000, 65_000), 1))), "PICTURE_TOO_LARGE");
}

#[test]
fn a_picture_without_pixels_is_none() {
    assert_eq!(code(prepared(&png_of(0, 7, 8, 2))), "PICTURE_DAMAGED");
    assert_eq!(code(prepared(&jpeg_of(0, 16))), "PICTURE_DAMAGED");
    assert_eq!(code(prepared(&jpeg_of(16, 0))), "PICTURE_DAMAGED");
    assert_eq!(code(prepared(&gif_of((0, 0), (1, 1), 1))), "PICTURE_DAMAGED");
    assert_eq!(code(prepared(&gif_of((1, 1), (1, 1), 0))), "PICTURE_DAMAGED");
}

#[test]
fn side_pixels_and_memory_are_bounds_of_their_own() {
    let picture = png(&quarters(100, 50));
    let bounds = Bounds::default();
    assert!(prepared_within(&picture, &Bounds { side: 100, pixels: 5_000, ..bounds }).is_ok());
    assert_eq!(code(prepared_within(&picture, &Bounds { side: 99, ..bounds })), "PICTURE_TOO_LARGE");
    assert_eq!(code(prepared_within(&picture, &Bounds { pixels: 4_999, ..bounds })), "PICTURE_TOO_LARGE");
    assert_eq!(code(prepared_within(&picture, &Bounds { memory: 14_000, ..bounds })), "PICTURE_TOO_LARGE");
    let deep = png(&DynamicImage::from(quarters(100, 50).into_rgb16()));
    assert_eq!(code(prepared_within(&deep, &Bounds { memory: 20_000, ..bounds })), "PICTURE_TOO_LARGE");
}

#[test]
fn a_progressive_jpeg_needs_more_memory_than_another() {
    let bounds = Bounds { memory: 64 * 48 * 3 * 2, ..Bounds::default() };
    assert!(prepared_within(&jpeg(&quarters(64, 48)), &bounds).is_ok());
    assert_eq!(code(prepared_within(fixtures::PROGRESSIVE_JPEG, &bounds)), "PICTURE_TOO_LARGE");
}

#[test]
fn a_jpeg_of_a_hundred_passes_is_refused() {
    let file = fixtures::PROGRESSIVE_JPEG;
    let last = file.windows(2).rposition(|window| window == [0xff, 0xda]).unwrap();
    let (before, last) = file[..file.len() - 2].split_at(last);
    let passes = |count| [before, &last.repeat(count), &[0xff, 0xd9]].concat();
    assert_eq!(code(prepared(&passes(101))), "PICTURE_DAMAGED");
}

#[test]
fn a_hundred_thousand_frames_are_refused_by_counting() {
    assert_eq!(code(prepared(&gif_of((1, 1), (1, 1), 100_000))), "PICTURE_TOO_MANY_FRAMES");
    let bounds = Bounds { frames: 3, ..Bounds::default() };
    assert!(prepared_within(&gif_of((1, 1), (1, 1), 3), &bounds).is_ok());
    assert_eq!(code(prepared_within(&gif_of((1, 1), (1, 1), 4), &bounds)), "PICTURE_TOO_MANY_FRAMES");
}

#[test]
fn all_frames_together_are_bounded_too() {
    let bounds = Bounds { pixels: 10_000, ..Bounds::default() };
    // Four hundred frames of a hundred pixels, the most that is taken, and one more.
    assert!(prepared_within(&gif_of((10, 10), (1, 1), 400), &bounds).is_ok());
    assert_eq!(code(prepared_within(&gif_of((10, 10), (1, 1), 401), &bounds)), "PICTURE_TOO_MANY_FRAMES");
    assert_eq!(code(prepared_within(&gif_of((1, 1), (10, 10), 401), &bounds)), "PICTURE_TOO_MANY_FRAMES");
}

/// Its outer header says one pixel, the bitstream within 16,383×16,383.
#[test]
fn a_webp_that_is_larger_within_than_without_is_refused() {
    let bitstream = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0];
    let chunk = |name: &[u8], content: &[u8]| {
        [name, &u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat()
    };
    let chunks = [chunk(b"VP8X", &[0; 10]), chunk(b"VP8 ", &bitstream)].concat();
    let file = chunk(b"RIFF", &[b"WEBP", &chunks[..]].concat());
    assert_eq!(code(prepared(&file)), "PICTURE_TOO_LARGE");
}

#[test]
fn what_ends_too_soon_is_refused_wherever_it_ends() {
    let image = quarters(24, 16);
    let gif = encoded(&DynamicImage::from(image.to_rgba8()), ImageFormat::Gif);
    let webp = webp(&image);
    for file in
        [&jpeg(&image)[..], &png(&image), &gif, &webp, fixtures::PROGRESSIVE_JPEG, fixtures::LOCATED_AVIF]
    {
        assert!(prepared(file).is_ok());
        // The last bytes may be checksums and end marks that say nothing about the picture.
        for length in 12..file.len() - 24 {
            assert_eq!(code(prepared(&file[..length])), "PICTURE_DAMAGED", "{length} of {}", file.len());
        }
    }
}
