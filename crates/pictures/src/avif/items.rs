//! What an AVIF file says of the items in it: which there are, where they lie, which is the picture.

use std::ops::Range;

use super::boxes::{Part, Reader};

/// An item, and the pieces of the file that it is made of.
pub(super) struct Item {
    pub(super) id: u32,
    pub(super) kind: [u8; 4],
    pub(super) extents: Vec<Range<usize>>,
}

impl Item {
    /// Whether it is a picture or made of pictures. All else is metadata.
    pub(super) fn is_picture(&self) -> bool {
        matches!(&self.kind, b"av01" | b"grid" | b"iden" | b"iovl" | b"tmap")
    }
}

/// All items of the `meta` box. None if something in it is not understood.
pub(super) fn items(file: &[u8], meta: &[Part]) -> Option<Vec<Item>> {
    let mut items = listed(file, only(meta, *b"iinf")?)?;
    let inside = meta.iter().find(|part| &part.name == b"idat");
    locate(only(meta, *b"iloc")?.reader(file), inside, &mut items)?;
    Some(items)
}

/// The one box of that name.
pub(super) fn only(parts: &[Part], name: [u8; 4]) -> Option<&Part> {
    let mut found = parts.iter().filter(|part| part.name == name);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn listed(file: &[u8], list: &Part) -> Option<Vec<Item>> {
    let (version, _) = list.reader(file).version_and_flags()?;
    let before = if version == 0 { 6 } else { 8 };
    let entries = list.parts(file, before)?;
    entries.iter().map(|entry| listed_item(entry.reader(file))).collect()
}

fn listed_item(mut entry: Reader<'_>) -> Option<Item> {
    let id = match entry.version_and_flags()?.0 {
        2 => u32::from(entry.u16()?),
        3 => entry.u32()?,
        _ => return None,
    };
    let _protection = entry.u16()?;
    Some(Item { id, kind: entry.name()?, extents: Vec::new() })
}

/// Fills in where the items lie.
fn locate(mut list: Reader<'_>, inside: Option<&Part>, items: &mut [Item]) -> Option<()> {
    let (version, _) = list.version_and_flags()?;
    let (sizes, more) = (list.u8()?, list.u8()?);
    let widths = Widths {
        offset: usize::from(sizes >> 4),
        length: usize::from(sizes & 15),
        base: usize::from(more >> 4),
        index: if version == 0 { 0 } else { usize::from(more & 15) },
    };
    let wide = version >= 2;
    let count = if wide { list.u32()? } else { u32::from(list.u16()?) };
    for _ in 0..count {
        let id = if wide { list.u32()? } else { u32::from(list.u16()?) };
        let method = if version == 0 { 0 } else { list.u16()? & 15 };
        let _file = list.u16()?;
        let space = match method {
            0 => 0..usize::MAX,
            1 => inside?.content.clone(),
            _ => return None,
        };
        let extents = extents(&mut list, &widths, &space)?;
        items.iter_mut().find(|item| item.id == id)?.extents = extents;
    }
    Some(())
}

/// How many bytes the numbers of the list have.
struct Widths {
    offset: usize,
    length: usize,
    base: usize,
    index: usize,
}

fn extents(list: &mut Reader<'_>, widths: &Widths, space: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let base = usize::try_from(list.number(widths.base)?).ok()?;
    let count = list.u16()?;
    let mut extents = Vec::new();
    for _ in 0..count {
        let _index = list.number(widths.index)?;
        let offset = usize::try_from(list.number(widths.offset)?).ok()?;
        let length = usize::try_from(list.number(widths.length)?).ok()?;
        let start = space.start.checked_add(base)?.checked_add(offset)?;
        let end = start.checked_add(length)?;
        // No length would mean: to the end of the file.
        if length == 0 || end > space.end {
            return None;
        }
        extents.push(start..end);
    }
    Some(extents)
}
