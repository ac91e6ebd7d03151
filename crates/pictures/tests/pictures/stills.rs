//! Pictures that are as they should be.

use image::{DynamicImage, ImageFormat, Luma, Rgba, RgbaImage};
use stoa_pictures::PictureKind;

use crate::support::{
    BLUE, GREEN, RED, WHITE, assert_colour, assert_quarters, contains, encoded, fixtures, jpeg, pixels, png,
    png_chunk, png_with, prepared, quarters, webp,
};

#[test]
fn a_large_picture_becomes_webp_of_the_agreed_size_with_a_square_thumbnail() {
    for (size, becomes) in [((1600, 800), (1200, 600)), ((900, 1800), (600, 1200))] {
        for bytes in [jpeg(&quarters(size.0, size.1)), png(&quarters(size.0, size.1))] {
            let prepared = prepared(&bytes).unwrap();
            assert_eq!((prepared.main.width, prepared.main.height), becomes);
            assert_eq!(prepared.main.content_type, "image/webp");
            assert_eq!(PictureKind::of(&prepared.main.bytes), Some(PictureKind::Webp));
            assert_quarters(&pixels(&prepared.main), [RED, GREEN, BLUE, WHITE]);
            let thumbnail = prepared.thumbnail.unwrap();
            assert_eq!((thumbnail.width, thumbnail.height), (200, 200));
            assert_eq!(thumbnail.content_type, "image/webp");
            assert_quarters(&pixels(&thumbnail), [RED, GREEN, BLUE, WHITE]);
        }
    }
}

#[test]
fn a_small_picture_keeps_its_size_and_its_thumbnail_shows_the_middle() {
    let prepared = prepared(&png(&quarters(60, 20))).unwrap();
    assert_eq!((prepared.main.width, prepared.main.height), (60, 20));
    let thumbnail = pixels(&prepared.thumbnail.unwrap());
    assert_eq!(thumbnail.dimensions(), (200, 200));
    assert_quarters(&thumbnail, [RED, GREEN, BLUE, WHITE]);
}

#[test]
fn a_picture_of_one_pixel_and_one_of_one_line_are_pictures_too() {
    assert_eq!(prepared(&png(&quarters(1, 1))).unwrap().main.width, 1);
    let line = prepared(&png(&quarters(5000, 1))).unwrap();
    assert_eq!((line.main.width, line.main.height), (1200, 1));
}

/// A JPEG with that orientation in its EXIF.
fn turned(orientation: u8) -> Vec<u8> {
    let file = jpeg(&quarters(64, 32));
    let tiff = [
        &b"MM\0*\0\0\0\x08"[..], // big endian, first directory at 8
        &[0, 1],                 // one entry:
        &[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0],
        &[0, 0, 0, 0],
    ]
    .concat();
    let segment = [b"Exif\0\0", &tiff[..]].concat();
    let length = u16::try_from(segment.len() + 2).unwrap().to_be_bytes();
    [&file[..2], &[0xff, 0xe1], &length, &segment, &file[2..]].concat()
}

#[test]
fn every_orientation_is_turned_upright() {
    let upright = [RED, GREEN, BLUE, WHITE];
    let expected = [
        (1, (64, 32), upright),
        (2, (64, 32), [GREEN, RED, WHITE, BLUE]),
        (3, (64, 32), [WHITE, BLUE, GREEN, RED]),
        (4, (64, 32), [BLUE, WHITE, RED, GREEN]),
        (5, (32, 64), [RED, BLUE, GREEN, WHITE]),
        (6, (32, 64), [BLUE, RED, WHITE, GREEN]),
        (7, (32, 64), [WHITE, GREEN, BLUE, RED]),
        (8, (32, 64), [GREEN, WHITE, RED, BLUE]),
        (0, (64, 32), upright),
        (9, (64, 32), upright),
    ];
    for (orientation, size, colours) in expected {
        let prepared = prepared(&turned(orientation)).unwrap();
        assert_eq!((prepared.main.width, prepared.main.height), size, "orientation {orientation}");
        assert_quarters(&pixels(&prepared.main), colours);
        assert_quarters(&pixels(&prepared.thumbnail.unwrap()), colours);
    }
}

#[test]
fn nothing_of_what_a_file_says_besides_its_pixels_is_kept() {
    let xmp = png_chunk(*b"tEXt", b"Author\0SECRET-ARTIST");
    let texts = png_with(fixtures::LOCATED_PNG, &[xmp]);
    for source in [fixtures::LOCATED_JPEG, fixtures::LOCATED_WEBP, &texts] {
        assert!(contains(source, "SECRET-ARTIST"), "the input has what is to go");
        let prepared = prepared(source).unwrap();
        for picture in [&prepared.main, prepared.thumbnail.as_ref().unwrap()] {
            assert!(!contains(&picture.bytes, "SECRET-ARTIST"));
            for chunk in ["EXIF", "XMP ", "ICCP", "Exif"] {
                assert!(!contains(&picture.bytes, chunk), "{chunk}");
            }
        }
        assert_quarters(&pixels(&prepared.main), [RED, GREEN, BLUE, WHITE]);
    }
}

#[test]
fn colours_of_a_profile_are_converted_and_the_profile_dropped() {
    for source in [fixtures::P3_PNG, fixtures::P3_JPEG] {
        let raw = image::load_from_memory(source).unwrap().into_rgb8();
        assert!(raw.get_pixel(2, 2).0[0].abs_diff(RED[0]) > 14, "the numbers in the file mean other colours");
        let prepared = prepared(source).unwrap();
        assert!(!contains(&prepared.main.bytes, "ICCP"));
        assert_quarters(&pixels(&prepared.main), [RED, GREEN, BLUE, WHITE]);
    }
}

#[test]
fn cmyk_and_progressive_jpegs_are_understood() {
    let prepared_cmyk = pixels(&prepared(fixtures::CMYK_JPEG).unwrap().main);
    // By plain arithmetic, as browsers show it without a profile.
    assert_colour(&prepared_cmyk, (0.25, 0.25), [252, 13, 0]);
    assert_quarters(&pixels(&prepared(fixtures::PROGRESSIVE_JPEG).unwrap().main), [RED, GREEN, BLUE, WHITE]);
}

#[test]
fn grey_deep_and_transparent_pictures_are_understood() {
    let grey = DynamicImage::from(quarters(40, 40).into_luma8());
    assert_colour(&pixels(&prepared(&png(&grey)).unwrap().main), (0.75, 0.75), WHITE);
    assert_colour(&pixels(&prepared(&jpeg(&grey)).unwrap().main), (0.75, 0.75), WHITE);
    let deep = DynamicImage::from(quarters(40, 40).into_rgb16());
    assert_quarters(&pixels(&prepared(&png(&deep)).unwrap().main), [RED, GREEN, BLUE, WHITE]);
    let deep_grey = image::ImageBuffer::<Luma<u16>, Vec<u16>>::from_pixel(9, 9, Luma([60_000]));
    assert_colour(&pixels(&prepared(&png(&deep_grey.into())).unwrap().main), (0.5, 0.5), [233; 3]);
    let see_through = RgbaImage::from_fn(40, 40, |x, _| Rgba([230, 20, 20, if x < 20 { 0 } else { 255 }]));
    let see_through = DynamicImage::from(see_through);
    for source in [png(&see_through), webp(&see_through), encoded(&see_through, ImageFormat::Gif)] {
        let seen = pixels(&prepared(&source).unwrap().main);
        assert_eq!(seen.get_pixel(5, 20).0[3], 0);
        assert_eq!(seen.get_pixel(35, 20).0[3], 255);
        assert_colour(&seen, (0.9, 0.5), RED);
    }
}

/// A palette of two colours, the second of which is transparent; one bit to a pixel.
#[test]
fn a_palette_with_transparency_is_understood() {
    let header = png_chunk(*b"IHDR", &[0, 0, 0, 8, 0, 0, 0, 1, 1, 3, 0, 0, 0]);
    let palette = png_chunk(*b"PLTE", &[230, 20, 20, 20, 20, 230]);
    let alpha = png_chunk(*b"tRNS", &[255, 0]);
    // One line, kept as it is: no filter, then four pixels of the first colour and four of the second.
    let line = [0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, 0x0f, 0x00, 0x11, 0x00, 0x10];
    let file = [
        &b"\x89PNG\r\n\x1a\n"[..],
        &header,
        &palette,
        &alpha,
        &png_chunk(*b"IDAT", &line),
        &png_chunk(*b"IEND", &[]),
    ]
    .concat();
    let seen = pixels(&prepared(&file).unwrap().main);
    assert_eq!(seen.dimensions(), (8, 1));
    assert_eq!((seen.get_pixel(0, 0).0[3], seen.get_pixel(7, 0).0[3]), (255, 0));
}
