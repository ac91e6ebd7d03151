//! The boxes that a file of the ISO family is made of.

use std::ops::Range;

/// Reads numbers from the front; none once there are too few bytes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self, bytes: usize) -> Option<u64> {
        if bytes > 8 {
            return None;
        }
        Some(self.bytes(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.number(1)?.try_into().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.number(2)?.try_into().ok()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.number(4)?.try_into().ok()
    }

    pub(super) fn name(&mut self) -> Option<[u8; 4]> {
        self.bytes(4)?.try_into().ok()
    }

    /// What a full box begins with.
    pub(super) fn version_and_flags(&mut self) -> Option<(u8, u32)> {
        Some((self.u8()?, self.number(3)?.try_into().ok()?))
    }
}

/// A box: its name, and where in the file its content lies.
pub(super) struct Part {
    pub(super) name: [u8; 4],
    pub(super) content: Range<usize>,
}

impl Part {
    pub(super) fn reader<'a>(&self, file: &'a [u8]) -> Reader<'a> {
        Reader(file.get(self.content.clone()).unwrap_or_default())
    }

    /// The boxes in it, behind its first bytes.
    pub(super) fn parts(&self, file: &[u8], behind: usize) -> Option<Vec<Part>> {
        parts(file, self.content.start.checked_add(behind)?..self.content.end)
    }
}

/// The boxes that lie there. None if they do not fill the place, or are beyond all measure.
pub(super) fn parts(file: &[u8], place: Range<usize>) -> Option<Vec<Part>> {
    /// A picture has some dozens.
    const MOST: usize = 10_000;
    let (mut parts, mut start) = (Vec::new(), place.start);
    while start < place.end {
        let mut reader = Reader(file.get(start..place.end)?);
        let (size, name) = (reader.u32()?, reader.name()?);
        let (header, size) = match size {
            0 => (8, place.end - start),
            1 => (16, usize::try_from(reader.number(8)?).ok()?),
            size => (8, usize::try_from(size).ok()?),
        };
        let end = start.checked_add(size)?;
        if size < header || end > place.end || parts.len() == MOST {
            return None;
        }
        parts.push(Part { name, content: start + header..end });
        start = end;
    }
    Some(parts)
}
