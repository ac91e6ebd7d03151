//! AVIF, which is checked and cleaned and not decoded.

use stoa_pictures::Bounds;

use crate::support::{code, contains, fixtures::LOCATED_AVIF, prepared, prepared_within};

#[test]
fn it_is_kept_as_it_is_but_for_its_metadata() {
    assert!(contains(LOCATED_AVIF, "SECRET-ARTIST"), "the input has what is to go");
    let prepared = prepared(LOCATED_AVIF).unwrap();
    let main = prepared.main;
    assert_eq!((main.width, main.height, main.content_type), (64, 48, "image/avif"));
    assert!(prepared.thumbnail.is_none());
    assert!(!contains(&main.bytes, "SECRET-ARTIST"));
    assert_eq!(main.bytes.len(), LOCATED_AVIF.len());
    let changed: Vec<usize> =
        (0..main.bytes.len()).filter(|at| main.bytes[*at] != LOCATED_AVIF[*at]).collect();
    let from = changed.first().unwrap();
    assert!(changed.last().unwrap() - from < 300, "nothing else has changed");
    assert!(main.bytes[*from..=*changed.last().unwrap()].iter().all(|byte| *byte == 0));
}

#[test]
fn what_lies_beside_the_picture_is_cleared_too() {
    let beside = |name: &[u8; 4]| [LOCATED_AVIF, &[0, 0, 0, 22], name, b"SECRET-PLACE.."].concat();
    for name in [b"uuid", b"free", b"skip", b"what"] {
        let source = beside(name);
        assert!(contains(&source, "SECRET-PLACE"));
        assert!(!contains(&prepared(&source).unwrap().main.bytes, "SECRET-PLACE"));
    }
    assert_eq!(code(prepared(&beside(b"moov"))), "PICTURE_UNSUPPORTED");
}

#[test]
fn its_size_is_bounded_by_what_it_says() {
    let bounds = Bounds { side: 63, ..Bounds::default() };
    assert_eq!(code(prepared_within(LOCATED_AVIF, &bounds)), "PICTURE_TOO_LARGE");
    let mut huge = LOCATED_AVIF.to_vec();
    let size = huge.windows(4).position(|window| window == b"ispe").unwrap() + 8;
    huge[size..size + 4].copy_from_slice(&100_000_u32.to_be_bytes());
    assert_eq!(code(prepared(&huge)), "PICTURE_TOO_LARGE");
}
