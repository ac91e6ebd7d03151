//! Files to send.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A picture with something on it, of which every part is another.
pub(crate) fn picture(width: u32, height: u32) -> DynamicImage {
    let colour = |x: u32, y: u32| {
        let part = |at: u32, of: u32| u8::try_from(at * 255 / of.max(1)).unwrap();
        Rgb([part(x, width), part(y, height), part(x ^ y, width.max(height) * 2)])
    };
    RgbImage::from_fn(width, height, colour).into()
}

pub(crate) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(&picture(width, height), ImageFormat::Png)
}

pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encoded(&picture(width, height), ImageFormat::Jpeg)
}

pub(crate) const PDF: &[u8] = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n";

/// The beginning of a program for Windows.
pub(crate) const PROGRAM: &[u8] =
    b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0This program cannot be run";

/// A Word document that would unpack to a gigabyte: what is in it is never looked at.
pub(crate) fn document() -> Vec<u8> {
    archive(&["[Content_Types].xml", "_rels/.rels", "word/document.xml"], 1 << 30)
}

/// A zip archive with these entries, each said to be so long once it is unpacked.
pub(crate) fn archive(names: &[&str], unpacked: u32) -> Vec<u8> {
    let (mut bytes, mut contents) = (Vec::new(), Vec::new());
    let short = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
    let long = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    for name in names {
        let sizes = [long(0), unpacked.to_le_bytes()].concat();
        let at = long(bytes.len());
        let common =
            [[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0].as_slice(), &sizes, &short(name.len())].concat();
        bytes.extend([b"PK\x03\x04".as_slice(), &common, &[0, 0], name.as_bytes()].concat());
        contents.extend([b"PK\x01\x02\x14\0".as_slice(), &common, &[0; 12], &at, name.as_bytes()].concat());
    }
    let (at, length) = (long(bytes.len()), long(contents.len()));
    bytes.extend(contents);
    let count = short(names.len());
    bytes.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &length, &at, &[0, 0]].concat());
    bytes
}

/// A picture that says it has 40,000 × 40,000 pixels, in some bytes.
pub(crate) fn huge_png() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind.as_slice(), data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [length.as_slice(), &body, &crc(&body).to_be_bytes()].concat()
    };
    let side = 40_000_u32.to_be_bytes();
    let header = [side.as_slice(), &side, &[8, 2, 0, 0, 0]].concat();
    let data = [[0x78, 0x9c].as_slice(), vec![0; 50_000].as_slice()].concat();
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunk(b"IHDR", &header), &chunk(b"IDAT", &data), &chunk(b"IEND", b"")]
        .concat()
}

/// The check of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}

/// An animation of 100,000 frames of a pixel each.
pub(crate) fn long_gif() -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for _ in 0..100_000 {
        bytes.extend(b"\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
    }
    bytes.push(b';');
    bytes
}
