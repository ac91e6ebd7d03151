//! JPEG, baseline or progressive.
//!
//! Its decoder (zune-jpeg, by way of image) takes damage with a shrug: it fills up what is missing with grey. So
//! the file is walked first, which also tells the size before anything is allocated, and how many scans there are: each goes
//! over all pixels, whatever few bytes it has.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;

use super::{Still, read};
use crate::{Bounds, PictureError, bounds::area};

/// The most ambitious encoders make a dozen.
const MOST_SCANS: u32 = 100;

pub(super) fn decode(source: &[u8], bounds: &Bounds) -> Result<Still, PictureError> {
    let outline = Outline::of(source).ok_or_else(|| malformed("it is cut off"))?;
    let (width, height) = outline.size.ok_or_else(|| malformed("it does not say its size"))?;
    bounds.check_size(width, height)?;
    if outline.scans > MOST_SCANS {
        return Err(malformed("it has too many scans"));
    }
    let per_pixel = if outline.progressive { DECODED + COEFFICIENTS } else { DECODED };
    bounds.check_memory(area(width, height) * per_pixel * u64::from(outline.components))?;
    read(JpegDecoder::new(Cursor::new(source)).map_err(PictureError::decoding)?, bounds)
}

/// Bytes for each pixel and component: what is decoded, and what is gathered before when it is progressive.
const DECODED: u64 = 1;
const COEFFICIENTS: u64 = 2;

fn malformed(what: &str) -> PictureError {
    PictureError::Malformed(what.into())
}

/// What the markers of a file say.
#[derive(Default, Debug, PartialEq, Eq)]
struct Outline {
    size: Option<(u32, u32)>,
    components: u8,
    progressive: bool,
    scans: u32,
}

impl Outline {
    /// Walks from marker to marker. None unless there is an end to it.
    fn of(source: &[u8]) -> Option<Self> {
        let mut outline = Self::default();
        let mut rest = source.strip_prefix(&[0xff, START])?;
        loop {
            let marker;
            (marker, rest) = next_marker(rest)?;
            match marker {
                END => return Some(outline),
                // These stand alone.
                0x01 | START | 0xd0..=0xd7 => {}
                _ => {
                    let segment;
                    (segment, rest) = segment_of(rest)?;
                    outline.note(marker, segment);
                }
            }
        }
    }

    fn note(&mut self, marker: u8, segment: &[u8]) {
        match (marker, segment) {
            // Frames of all kinds, but not the tables whose numbers lie among theirs.
            (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, [_, h1, h2, w1, w2, components, ..]) => {
                let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                // There is one frame; whatever a second one says counts too.
                let (width, height) = self.size.unwrap_or_default();
                self.size = Some((width.max(side(*w1, *w2)), height.max(side(*h1, *h2))));
                self.components = self.components.max(*components);
                self.progressive |= marker == PROGRESSIVE;
            }
            (SCAN, _) => self.scans += 1,
            _ => {}
        }
    }
}

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const PROGRESSIVE: u8 = 0xc2;

/// The next marker and what follows it. Within a scan a byte of ones is followed by zero, or it is a marker.
fn next_marker(source: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = source;
    loop {
        let at = rest.iter().position(|byte| *byte == 0xff)?;
        rest = rest.get(at + 1..)?;
        match rest.first()? {
            // Stuffing, or one of any number of bytes that may stand before a marker.
            0x00 | 0xff => {}
            marker => return Some((*marker, rest.get(1..)?)),
        }
    }
}

/// A segment without its length, and what follows it.
fn segment_of(source: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = source.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)).checked_sub(2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_needs_an_end() {
        assert_eq!(Outline::of(&[]), None);
        assert_eq!(Outline::of(&[0xff, START]), None);
        assert_eq!(Outline::of(&[0xff, START, 0xff, END]), Some(Outline::default()));
        assert_eq!(Outline::of(&[0xff, START, 0xff, SCAN, 0, 1, 0xff, END]), None, "a length holds itself");
    }

    #[test]
    fn scans_are_counted_and_stuffed_bytes_are_no_markers() {
        let scan = [0xff, SCAN, 0, 2, 7, 0xff, 0x00, 0xff, 0xd0, 7];
        let file = [&[0xff, START][..], &scan, &scan, &[0xff, 0xff, END]].concat();
        assert_eq!(Outline::of(&file).unwrap().scans, 2);
    }
}
