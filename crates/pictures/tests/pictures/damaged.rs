//! Damaged pictures and odd queries: whatever comes, it is taken or refused, and what is taken is sound.

use proptest::strategy::Strategy;
use stoa_pictures::{Bounds, PictureError, PictureKind, Rendition, prepare, render};
use stoa_testing_fuzz::{Cases, damaged, values};

use crate::support::{fixtures, png, quarters, webp};

const CASES: Cases = Cases { short: 1_500, long: 300_000 };
/// Small, so that the time goes into cases and not into pixels.
const BOUNDS: Bounds = Bounds { pixels: 200_000, side: 2_000, frames: 20, memory: 8 * 1024 * 1024 };

fn seeds() -> Vec<Vec<u8>> {
    let small = quarters(24, 16);
    let animation = include_bytes!("fixtures/animation.gif").to_vec();
    let animated_webp = prepare(&animation[..], PictureKind::Gif, &BOUNDS).unwrap().main.bytes;
    let mut seeds = vec![png(&small), webp(&small), animation, animated_webp];
    seeds.extend(
        [
            fixtures::CMYK_JPEG,
            fixtures::P3_JPEG,
            fixtures::P3_PNG,
            fixtures::LOCATED_AVIF,
            fixtures::LOCATED_JPEG,
            fixtures::LOCATED_PNG,
            fixtures::LOCATED_WEBP,
            fixtures::PROGRESSIVE_JPEG,
        ]
        .map(<[u8]>::to_vec),
    );
    seeds
}

fn is_ours(error: &PictureError) -> bool {
    error.code().is_none()
}

#[test]
fn a_damaged_picture_is_taken_or_refused() {
    let seeds = seeds();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    damaged(CASES, &seeds, |input| {
        let Some(kind) = PictureKind::of(input) else { return };
        match prepare(input, kind, &BOUNDS) {
            Ok(prepared) => {
                let main = prepared.main;
                assert!(main.width >= 1 && main.height >= 1);
                assert!(main.width <= BOUNDS.side && main.height <= BOUNDS.side);
                assert!(PictureKind::of(&main.bytes).is_some());
                assert_eq!(prepared.thumbnail.is_none(), kind == PictureKind::Avif);
            }
            Err(error) => assert!(!is_ours(&error), "{error}"),
        }
    });
}

#[test]
fn a_damaged_picture_has_a_rendition_or_none() {
    let seeds = seeds();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let rendition = Rendition::parse([("w", "64"), ("h", "64"), ("format", "png")]).unwrap().unwrap();
    damaged(CASES, &seeds, |input| match render(input, &rendition, &BOUNDS) {
        Ok(picture) => assert_eq!((picture.width, picture.height), (64, 64)),
        Err(error) => assert!(!is_ours(&error), "{error}"),
    });
}

#[test]
fn any_query_is_a_rendition_or_refused_and_keys_are_plain() {
    let words = [
        "w", "h", "fit", "format", "64", "200", "1200", "0", "cover", "contain", "inside", "webp", "jpeg",
        "png",
    ];
    let word = proptest::prop_oneof![
        4 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ];
    let queries = proptest::collection::vec((word.clone(), word), 0..5);
    values(Cases { short: 5_000, long: 2_000_000 }, queries, |query| {
        let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let Ok(Some(rendition)) = Rendition::parse(pairs) else { return };
        let key = rendition.key();
        assert!(
            key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'),
            "{key}"
        );
        let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(Rendition::parse(pairs), Ok(Some(rendition)), "the same again");
    });
}
