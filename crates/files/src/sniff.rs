//! What the bytes of a file say that it is. Names and headers are claims; only this is believed.
//!
//! The first bytes tell most kinds. The two sorts of office documents are containers: which they are stands in their table
//! of contents, which is read, while nothing in them is ever unpacked.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use crate::kinds::Kind;

/// How many bytes at the beginning are looked at.
pub(crate) const HEAD: usize = 4_096;
/// From so many bytes on the beginning says enough to refuse a file that is nothing we take.
pub(crate) const ENOUGH: usize = 512;
/// How far into a file markup is looked for that would make it a page as well.
const MARKUP_WITHIN: usize = 1_024;
/// The longest end of a zip archive, and the longest table of contents that is read.
const LONGEST_ZIP_END: u64 = 22 + 65_535;
const LONGEST_CONTENTS: u64 = 1024 * 1024;

/// What the beginning of a file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guess {
    /// What it is.
    Sure(Kind),
    /// A zip archive, which office documents are.
    Zip,
    /// A compound file, which those of old are.
    Compound,
    /// Text, unless something in the rest is not.
    Text,
    /// Nothing that is taken.
    Foreign,
}

impl Guess {
    /// What it may turn out to be.
    pub(crate) fn candidates(self) -> &'static [Kind] {
        match self {
            Self::Sure(Kind::Jpeg) => &[Kind::Jpeg],
            Self::Sure(Kind::Png) => &[Kind::Png],
            Self::Sure(Kind::Gif) => &[Kind::Gif],
            Self::Sure(Kind::Webp) => &[Kind::Webp],
            Self::Sure(Kind::Avif) => &[Kind::Avif],
            Self::Sure(Kind::Pdf) => &[Kind::Pdf],
            Self::Sure(Kind::Doc) => &[Kind::Doc],
            Self::Sure(Kind::Docx) => &[Kind::Docx],
            Self::Sure(Kind::Xls) => &[Kind::Xls],
            Self::Sure(Kind::Xlsx) => &[Kind::Xlsx],
            Self::Sure(Kind::Txt) | Self::Text => &[Kind::Txt],
            Self::Sure(Kind::Mp4) => &[Kind::Mp4],
            Self::Sure(Kind::Webm) => &[Kind::Webm],
            Self::Zip => &[Kind::Docx, Kind::Xlsx],
            Self::Compound => &[Kind::Doc, Kind::Xls],
            Self::Foreign => &[],
        }
    }
}

/// Reads the beginning of a file.
pub(crate) fn guess(head: &[u8]) -> Guess {
    if head.starts_with(b"PK\x03\x04") {
        return Guess::Zip;
    }
    if head.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return Guess::Compound;
    }
    if head.starts_with(b"%PDF-") {
        return if holds_markup(head) { Guess::Foreign } else { Guess::Sure(Kind::Pdf) };
    }
    match infer::get(head).map(|found| found.mime_type()) {
        Some("image/jpeg") => Guess::Sure(Kind::Jpeg),
        Some("image/png") => Guess::Sure(Kind::Png),
        Some("image/gif") => Guess::Sure(Kind::Gif),
        Some("image/webp") => Guess::Sure(Kind::Webp),
        Some("image/avif") => Guess::Sure(Kind::Avif),
        _ if is_mp4(head) => Guess::Sure(Kind::Mp4),
        _ if is_webm(head) => Guess::Sure(Kind::Webm),
        None if !holds_markup(head) && !head.starts_with(b"#!") && looks_like_text(head) => Guess::Text,
        _ => Guess::Foreign,
    }
}

/// Whether a browser that guesses might take it for a page.
fn holds_markup(head: &[u8]) -> bool {
    const SIGNS: [&[u8]; 8] =
        [b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<svg", b"<iframe", b"<?php"];
    let (head, _) = head.split_at(head.len().min(MARKUP_WITHIN));
    let head = head.to_ascii_lowercase();
    SIGNS.iter().any(|sign| head.windows(sign.len()).any(|window| window == *sign))
}

/// A film in the brands that browsers play.
fn is_mp4(head: &[u8]) -> bool {
    const BRANDS: [&[u8; 4]; 15] = [
        b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"mp4v", b"avc1", b"M4V ",
        b"M4VP", b"dash", b"MSNV", b"mmp4",
    ];
    head.get(4..8) == Some(b"ftyp") && BRANDS.iter().any(|brand| head.get(8..12) == Some(brand.as_slice()))
}

/// EBML whose document type is webm, and not the wider matroska.
fn is_webm(head: &[u8]) -> bool {
    let (head, _) = head.split_at(head.len().min(ENOUGH));
    let names_it = head.windows(7).any(|window| window == b"\x42\x82\x84webm");
    head.starts_with(b"\x1A\x45\xDF\xA3") && names_it
}

/// Whether the beginning is text in UTF-8; a character may be cut at its end.
fn looks_like_text(head: &[u8]) -> bool {
    let mut check = TextCheck::default();
    check.take(head);
    check.holds_so_far()
}

/// Whether bytes are text: UTF-8 without control characters but those of lines, however they are cut into pieces.
#[derive(Clone, Default, Debug)]
pub(crate) struct TextCheck {
    /// The beginning of a character whose rest is to come.
    cut: Vec<u8>,
    failed: bool,
}

impl TextCheck {
    /// Looks at the next piece.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        if self.cut.is_empty() {
            self.cut = self.check(bytes);
            return;
        }
        // Few bytes of the new piece complete the character that was cut.
        let mut joined = std::mem::take(&mut self.cut);
        let (few, rest) = bytes.split_at(bytes.len().min(4));
        joined.extend_from_slice(few);
        let cut = self.check(&joined);
        if rest.is_empty() {
            self.cut = cut;
        } else {
            let mut rest_of_it = cut;
            rest_of_it.extend_from_slice(rest);
            self.cut = self.check(&rest_of_it);
        }
    }

    /// Whether what was seen is text, unless it ends here within a character.
    pub(crate) fn holds_so_far(&self) -> bool {
        !self.failed
    }

    /// Whether it was text from beginning to end.
    pub(crate) fn held(&self) -> bool {
        !self.failed && self.cut.is_empty()
    }

    /// Checks all but a character that is cut at the end, and answers that.
    fn check(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (whole, cut) = match std::str::from_utf8(bytes) {
            Ok(_) => (bytes, &[][..]),
            Err(error) if error.error_len().is_none() => bytes.split_at(error.valid_up_to()),
            Err(_) => {
                self.failed = true;
                return Vec::new();
            }
        };
        let odd = |byte: &u8| {
            *byte == 0x7F || (*byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x1B))
        };
        self.failed |= whole.iter().any(odd);
        cut.to_vec()
    }
}

/// What a whole file is, of which the beginning said `guess`. Blocks.
pub(crate) fn settle(guess: Guess, is_text: bool, path: &Path) -> io::Result<Option<Kind>> {
    match guess {
        Guess::Sure(kind) => Ok(Some(kind)),
        Guess::Text => Ok(is_text.then_some(Kind::Txt)),
        Guess::Zip => zipped(&mut File::open(path)?),
        Guess::Compound => Ok(compound(File::open(path)?)),
        Guess::Foreign => Ok(None),
    }
}

/// Which office document a zip archive is, by the names in its table of contents.
fn zipped(file: &mut (impl Read + Seek)) -> io::Result<Option<Kind>> {
    let Some(contents) = table_of_contents(file)? else { return Ok(None) };
    let names = Names(&contents);
    let has = |wanted: &[u8]| Names(names.0).any(|name| name == wanted);
    if !has(b"[Content_Types].xml") {
        return Ok(None);
    }
    Ok(match (has(b"word/document.xml"), has(b"xl/workbook.xml")) {
        (true, false) => Some(Kind::Docx),
        (false, true) => Some(Kind::Xlsx),
        _ => None,
    })
}

/// The central directory of a zip archive, to which its end leads; nothing when there is none of bearable size.
fn table_of_contents(file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<u8>>> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(LONGEST_ZIP_END)))?;
    file.take(LONGEST_ZIP_END).read_to_end(&mut end)?;
    let Some(at) = end.windows(4).rposition(|window| window == b"PK\x05\x06") else { return Ok(None) };
    let number = |from: usize| {
        let bytes = end.get(at + from..at + from + 4)?;
        Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
    };
    let (Some(length), Some(offset)) = (number(12), number(16)) else { return Ok(None) };
    if length > LONGEST_CONTENTS || offset.saturating_add(length) > size {
        return Ok(None);
    }
    let mut contents = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(length).read_to_end(&mut contents)?;
    Ok(Some(contents))
}

/// The names in a central directory.
struct Names<'c>(&'c [u8]);

impl<'c> Iterator for Names<'c> {
    type Item = &'c [u8];

    fn next(&mut self) -> Option<&'c [u8]> {
        const FIXED: usize = 46;
        let (header, rest) = self.0.split_at_checked(FIXED)?;
        if !header.starts_with(b"PK\x01\x02") {
            return None;
        }
        let length = |from: usize| {
            let bytes = header.get(from..from + 2)?;
            Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
        };
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let (name, rest) = rest.split_at_checked(name)?;
        (_, self.0) = rest.split_at_checked(extra + comment)?;
        Some(name)
    }
}

/// Which office document a compound file is, by the streams it says it has.
fn compound(file: File) -> Option<Kind> {
    let contents = cfb::CompoundFile::open(file).ok()?;
    let is_text = contents.is_stream("/WordDocument");
    let is_table = contents.is_stream("/Workbook") || contents.is_stream("/Book");
    match (is_text, is_table) {
        (true, false) => Some(Kind::Doc),
        (false, true) => Some(Kind::Xls),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    #[test]
    fn beginnings_tell_what_files_are() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        for (head, kind) in [
            (png.as_slice(), Kind::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind::Jpeg),
            (b"GIF89a\x01\0", Kind::Gif),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Kind::Webp),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", Kind::Pdf),
            (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", Kind::Mp4),
            (b"\x1A\x45\xDF\xA3\x9f\x42\x86\x81\x01\x42\x82\x84webm", Kind::Webm),
            (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", Kind::Avif),
        ] {
            assert_eq!(guess(head), Guess::Sure(kind), "{kind:?}");
        }
        assert_eq!(guess(b"PK\x03\x04\x14\0"), Guess::Zip);
        assert_eq!(guess("Grüße,\n\tAnn".as_bytes()), Guess::Text);
        assert_eq!(guess(b""), Guess::Text);
    }

    #[test]
    fn what_is_two_things_or_none_of_ours_is_foreign() {
        for foreign in [
            b"MZ\x90\0\x03\0\0\0".as_slice(),
            b"\x7fELF\x02\x01\x01\0",
            b"%PDF-1.4\n<html><script>alert(1)</script>",
            b"%PDF-1.4\n<SVG onload=alert(1)>",
            b"  <!DOCTYPE html><title>Hello</title>",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"hello <script>alert(1)</script>",
            b"<?php phpinfo();",
            b"#!/bin/sh\nrm -rf /\n",
            b"\x1A\x45\xDF\xA3\x9f\x42\x82\x88matroska",
            b"\0\0\0\x18ftypqt  \0\0\0\0",
            b"text with \0 in it",
            b"\xff\xfe\xfd\xfc",
            b"Rar!\x1a\x07\0",
        ] {
            assert_eq!(guess(foreign), Guess::Foreign, "{:?}", String::from_utf8_lossy(foreign));
        }
    }

    #[test]
    fn text_is_text_however_it_is_cut() {
        let text = "Grüße 👋\r\n名前\tok\n".as_bytes();
        for size in 1..8 {
            let mut check = TextCheck::default();
            text.chunks(size).for_each(|piece| check.take(piece));
            assert!(check.held(), "in pieces of {size}");
        }
        let held = |bytes: &[u8]| {
            let mut check = TextCheck::default();
            bytes.chunks(3).for_each(|piece| check.take(piece));
            check.held()
        };
        assert!(!held(&text[..text.len() - 6]) || text.len() < 6);
        let mut torn = TextCheck::default();
        torn.take(b"a\xc3");
        torn.take(b"A\0bcdefg");
        assert!(!torn.held(), "what was wrong stays wrong");
        assert!(
            !held(b"long enough \x00 bytes")
                && !held(b"latin gr\xfc\xdfe")
                && !held("ä".as_bytes().split_last().unwrap().1)
        );
    }

    /// A zip archive with nothing in these entries.
    fn archive(names: &[&str]) -> Cursor<Vec<u8>> {
        let (mut bytes, mut contents) = (Vec::new(), Vec::new());
        for name in names {
            let length = u16::try_from(name.len()).unwrap().to_le_bytes();
            let at = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            bytes.extend([b"PK\x03\x04".as_slice(), &[0; 22], &length, &[0; 2], name.as_bytes()].concat());
            contents.extend(
                [b"PK\x01\x02".as_slice(), &[0; 24], &length, &[0; 12], &at, name.as_bytes()].concat(),
            );
        }
        let (at, length) = (u32::try_from(bytes.len()).unwrap(), u32::try_from(contents.len()).unwrap());
        bytes.extend(contents);
        bytes.write_all(b"PK\x05\x06\0\0\0\0\0\0\0\0").unwrap();
        bytes.write_all(&[length.to_le_bytes(), at.to_le_bytes()].concat()).unwrap();
        bytes.write_all(&[0, 0]).unwrap();
        Cursor::new(bytes)
    }

    #[test]
    fn office_documents_are_told_apart_by_their_contents() {
        let kind = |names: &[&str]| zipped(&mut archive(names)).unwrap();
        assert_eq!(kind(&["[Content_Types].xml", "_rels/.rels", "word/document.xml"]), Some(Kind::Docx));
        assert_eq!(kind(&["xl/workbook.xml", "[Content_Types].xml"]), Some(Kind::Xlsx));
        assert_eq!(kind(&["word/document.xml"]), None);
        assert_eq!(kind(&["[Content_Types].xml", "word/document.xml", "xl/workbook.xml"]), None);
        assert_eq!(kind(&["a.txt"]), None);
        assert_eq!(zipped(&mut Cursor::new(b"PK\x03\x04 and no end".to_vec())).unwrap(), None);
    }
}
