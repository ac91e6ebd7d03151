//! AVIF: checked, and rid of its metadata, without decoding it.
//!
//! To decode it would take a decoder of AV1, and there is none in Rust alone that is small and kept well. Its size is in its
//! headers, and what it says of where and by whom it was taken is in items of their own, which are overwritten.

mod boxes;
mod items;

use boxes::{Part, parts};
use items::{Item, items, only};

use crate::{Bounds, Picture, PictureError, PictureKind};

/// The picture with zeros where its metadata was.
pub(crate) fn cleaned(mut file: Vec<u8>, bounds: &Bounds) -> Result<Picture, PictureError> {
    let description = Description::read(&file)?;
    for (width, height) in &description.sizes {
        bounds.check_size(*width, *height)?;
    }
    let (width, height) = description.size;
    bounds.check_size(width, height)?;
    for place in description.to_clear {
        // Where it lies was checked when it was found.
        file.get_mut(place).unwrap_or_default().fill(0);
    }
    Ok(Picture { bytes: file, width, height, content_type: PictureKind::Avif.content_type() })
}

struct Description {
    /// Of the picture, as it is shown.
    size: (u32, u32),
    /// Of all pictures that it is made of.
    sizes: Vec<(u32, u32)>,
    to_clear: Vec<std::ops::Range<usize>>,
}

impl Description {
    fn read(file: &[u8]) -> Result<Self, PictureError> {
        let top = parts(file, 0..file.len()).ok_or_else(|| malformed("its boxes do not fit together"))?;
        if top.iter().any(|part| &part.name == b"moov") {
            return Err(PictureError::Unsupported("an animated AVIF".into()));
        }
        let meta = only(&top, *b"meta").ok_or_else(|| malformed("it describes no picture"))?;
        let meta = meta.parts(file, 4).ok_or_else(|| malformed("its description is cut off"))?;
        let items = items(file, &meta).ok_or_else(|| malformed("its items are not understood"))?;
        if items.iter().flat_map(|item| &item.extents).any(|extent| extent.end > file.len()) {
            return Err(malformed("it is cut off"));
        }
        let (size, sizes) =
            sizes(file, &meta, &items).ok_or_else(|| malformed("it does not say its size"))?;
        Ok(Self { size, sizes, to_clear: metadata(&top, &meta, &items) })
    }
}

/// Items that are no pictures, and boxes that nobody needs in order to show it.
fn metadata(top: &[Part], meta: &[Part], items: &[Item]) -> Vec<std::ops::Range<usize>> {
    let items = items.iter().filter(|item| !item.is_picture()).flat_map(|item| item.extents.clone());
    let top = top.iter().filter(|part| !matches!(&part.name, b"ftyp" | b"meta" | b"mdat"));
    let meta = meta.iter().filter(|part| matches!(&part.name, b"uuid" | b"free" | b"skip"));
    items.chain(top.chain(meta).map(|part| part.content.clone())).collect()
}

type Size = (u32, u32);

/// The size of the picture that is meant, turned as it is to be shown, and the sizes of all.
fn sizes(file: &[u8], meta: &[Part], items: &[Item]) -> Option<(Size, Vec<Size>)> {
    let properties = only(meta, *b"iprp")?.parts(file, 0)?;
    let container = only(&properties, *b"ipco")?.parts(file, 0)?;
    let sizes = container.iter().filter_map(|part| size(file, part)).collect();
    let mut primary = only(meta, *b"pitm")?.reader(file);
    let id = if primary.version_and_flags()?.0 == 0 { u32::from(primary.u16()?) } else { primary.u32()? };
    items.iter().find(|item| item.id == id && item.is_picture())?;
    let own: Vec<&Part> = associated(file, &properties, id)?
        .into_iter()
        .filter_map(|index| container.get(index.checked_sub(1)?))
        .collect();
    let (width, height) = own.iter().find_map(|part| size(file, part))?;
    let turned = own
        .iter()
        .any(|part| &part.name == b"irot" && part.reader(file).u8().is_some_and(|angle| angle & 1 == 1));
    Some((if turned { (height, width) } else { (width, height) }, sizes))
}

fn size(file: &[u8], part: &Part) -> Option<Size> {
    if &part.name != b"ispe" {
        return None;
    }
    let mut reader = part.reader(file);
    reader.version_and_flags()?;
    Some((reader.u32()?, reader.u32()?))
}

/// The numbers of the properties that an item has, counted from one.
fn associated(file: &[u8], properties: &[Part], wanted: u32) -> Option<Vec<usize>> {
    let mut list = only(properties, *b"ipma")?.reader(file);
    let (version, flags) = list.version_and_flags()?;
    for _ in 0..list.u32()? {
        let id = if version == 0 { u32::from(list.u16()?) } else { list.u32()? };
        let count = list.u8()?;
        // The highest bit says whether the property is essential.
        let numbers = (0..count).map(|_| {
            if flags & 1 == 1 {
                Some(usize::from(list.u16()? & 0x7fff))
            } else {
                Some(usize::from(list.u8()? & 0x7f))
            }
        });
        let numbers: Vec<usize> = numbers.collect::<Option<_>>()?;
        if id == wanted {
            return Some(numbers);
        }
    }
    None
}

fn malformed(what: &str) -> PictureError {
    PictureError::Malformed(what.into())
}
