//! Pictures that move.

use std::io::Cursor;

use image::{
    Delay, Frame, RgbaImage,
    codecs::gif::{GifEncoder, Repeat},
};
use image_webp::{LoopCount, WebPDecoder};
use stoa_pictures::Picture;

use crate::support::{BLUE, GREEN, RED, assert_colour, pixels, png, png_chunk, png_with, prepared, quarters};

fn gif(size: (u32, u32), frames: &[([u8; 3], u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for ([r, g, b], milliseconds) in frames {
        let image = RgbaImage::from_pixel(size.0, size.1, image::Rgba([*r, *g, *b, 255]));
        let delay = Delay::from_numer_denom_ms(*milliseconds, 1);
        encoder.encode_frame(Frame::from_parts(image, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    bytes
}

/// The colour of the middle and the milliseconds of each frame, and how often all are shown.
fn played(picture: &Picture) -> (Vec<(RgbaImage, u32)>, LoopCount) {
    let mut decoder = WebPDecoder::new(Cursor::new(&picture.bytes)).unwrap();
    assert!(decoder.is_animated());
    assert_eq!(decoder.dimensions(), (picture.width, picture.height));
    let frames = (0..decoder.num_frames()).map(|_| {
        let mut buffer = vec![0; decoder.output_buffer_size().unwrap()];
        let shown = decoder.read_frame(&mut buffer).unwrap();
        let image = if decoder.has_alpha() {
            RgbaImage::from_raw(picture.width, picture.height, buffer).unwrap()
        } else {
            let opaque = image::RgbImage::from_raw(picture.width, picture.height, buffer).unwrap();
            image::DynamicImage::from(opaque).into_rgba8()
        };
        (image, shown)
    });
    (frames.collect(), decoder.loop_count())
}

#[test]
fn an_animation_keeps_its_frames_and_their_times() {
    let source = gif((40, 30), &[(RED, 100), (GREEN, 300), (BLUE, 2000)]);
    let prepared = prepared(&source).unwrap();
    let (frames, loops) = played(&prepared.main);
    assert_eq!(loops, LoopCount::Forever);
    assert_eq!(frames.iter().map(|(_, shown)| *shown).collect::<Vec<_>>(), [100, 300, 2000]);
    for ((image, _), colour) in frames.iter().zip([RED, GREEN, BLUE]) {
        assert_colour(image, (0.5, 0.5), colour);
    }
    let thumbnail = pixels(&prepared.thumbnail.unwrap());
    assert_eq!(thumbnail.dimensions(), (200, 200));
    assert_colour(&thumbnail, (0.5, 0.5), RED);
}

#[test]
fn an_animated_webp_is_taken_as_one() {
    let animation = prepared(&gif((40, 30), &[(RED, 100), (GREEN, 300)])).unwrap().main;
    let again = prepared(&animation.bytes).unwrap().main;
    let (frames, _) = played(&again);
    assert_eq!(frames.iter().map(|(_, shown)| *shown).collect::<Vec<_>>(), [100, 300]);
}

#[test]
fn frames_that_last_no_time_last_a_tenth_of_a_second() {
    let (frames, _) = played(&prepared(&gif((8, 8), &[(RED, 0), (GREEN, 10)])).unwrap().main);
    assert_eq!(frames.iter().map(|(_, shown)| *shown).collect::<Vec<_>>(), [100, 100]);
}

#[test]
fn a_large_animation_fits_the_box_and_a_long_one_shrinks_until_its_work_is_bounded() {
    let large = prepared(&gif((1600, 400), &[(RED, 100), (GREEN, 100)])).unwrap().main;
    assert_eq!((large.width, large.height), (1200, 300));
    let frames: Vec<_> = (0..60).map(|n| (if n % 2 == 0 { RED } else { GREEN }, 100)).collect();
    let long = prepared(&gif((1000, 500), &frames)).unwrap().main;
    assert_eq!((long.width, long.height), (632, 316), "60 of these are twelve million pixels");
    assert_eq!(played(&long).0.len(), 60);
}

#[test]
fn a_gif_of_one_frame_is_a_still_picture() {
    let still = prepared(&gif((40, 30), &[(RED, 100)])).unwrap().main;
    assert!(!WebPDecoder::new(Cursor::new(&still.bytes)).unwrap().is_animated());
    assert_colour(&pixels(&still), (0.5, 0.5), RED);
}

#[test]
fn of_an_animated_png_the_still_picture_is_taken() {
    let control = png_chunk(*b"acTL", &[0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    let frame = png_chunk(*b"fcTL", &[[0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 30].as_slice(), &[0; 14]].concat());
    let animated = png_with(&png(&quarters(40, 30)), &[control, frame]);
    let still = prepared(&animated).unwrap().main;
    assert_colour(&pixels(&still), (0.25, 0.25), RED);
}
