//! What becomes of the name that whoever sends a file gives it.
//!
//! It is shown to others and offered when the file is saved, and never used as a path: files are kept under their ids. What
//! could mislead is taken out rather than refused, because few people choose the names of their files with care: folders
//! before the name, control characters, and the marks that turn the direction of writing (`photo<RLO>gnp.exe` looks like
//! `photoexe.png`). A name that holds U+0000 was made to deceive and is refused, as it is everywhere else; so is one of
//! more than 4,096 bytes. What is left is cut to 255 bytes, its ending kept.

use stoa_kernel::Flaw;

/// Names longer than this are refused.
const LONGEST_GIVEN: usize = 4_096;
/// The longest name that is kept, in bytes: what file systems take.
const LONGEST_KEPT: usize = 255;
/// The longest ending that counts as one, its dot included.
const LONGEST_ENDING: usize = 16;

/// A name fit to be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FileName(String);

impl FileName {
    /// Reads a name as it was given.
    pub(crate) fn parse(given: &str) -> Result<Self, Flaw> {
        if given.contains('\0') {
            return Err(Flaw::new("NUL_CHARACTER", "A name must not contain U+0000."));
        }
        if given.len() > LONGEST_GIVEN {
            return Err(Flaw::new("TOO_LONG", "A name has at most 4,096 bytes."));
        }
        let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
        let plain: String = last.chars().filter(|one| !is_misleading(*one)).collect();
        let plain = plain.trim().trim_end_matches('.').trim_start_matches('.').trim();
        Ok(Self(shortened(plain)))
    }

    /// The name, which may be empty.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind its last dot, in lower case, if it is an ending.
    pub(crate) fn ending(&self) -> Option<String> {
        let (before, ending) = self.0.rsplit_once('.')?;
        let plain = ending.len() < LONGEST_ENDING && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && !before.is_empty() && !ending.is_empty()).then(|| ending.to_ascii_lowercase())
    }

    /// The name, or `file` with this ending when nothing was left of what was given.
    pub(crate) fn or_file(self, ending: &str) -> String {
        if self.0.is_empty() { format!("file.{ending}") } else { self.0 }
    }
}

/// Characters that are not seen, or turn the order of those that are.
fn is_misleading(one: char) -> bool {
    one.is_control()
        || matches!(one,
            '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}' | '\u{2028}' | '\u{2029}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}')
}

fn shortened(name: &str) -> String {
    if name.len() <= LONGEST_KEPT {
        return name.to_owned();
    }
    let ending = match name.rsplit_once('.') {
        Some((_, ending)) if ending.len() < LONGEST_ENDING => format!(".{ending}"),
        _ => String::new(),
    };
    let stem = name.strip_suffix(ending.as_str()).unwrap_or(name);
    let mut room = LONGEST_KEPT - ending.len();
    while !stem.is_char_boundary(room) {
        room -= 1;
    }
    let (kept, _) = stem.split_at(room);
    format!("{}{ending}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(given: &str) -> String {
        FileName::parse(given).unwrap().0
    }

    #[test]
    fn folders_and_what_misleads_are_taken_out() {
        for (given, shown) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd.txt", "passwd.txt"),
            ("C:\\Users\\ann\\report.pdf", "report.pdf"),
            ("..", ""),
            (" .hidden ", "hidden"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("a\u{200f}b\u{feff}.txt", "ab.txt"),
            ("line\r\nbreak\t.txt", "linebreak.txt"),
            ("Übung – 名前.pdf", "Übung – 名前.pdf"),
            ("family👩‍👩‍👧.jpg", "family👩‍👩‍👧.jpg"),
        ] {
            assert_eq!(kept(given), shown, "{given:?}");
        }
    }

    #[test]
    fn long_names_are_cut_and_keep_their_ending() {
        let cut = kept(&format!("{}.pdf", "ä".repeat(300)));
        assert!(cut.len() <= 255 && cut.ends_with("ä.pdf"));
        assert_eq!(kept(&"x".repeat(4_096)).len(), 255);
        assert_eq!(FileName::parse(&"x".repeat(4_097)).unwrap_err().code, "TOO_LONG");
        assert_eq!(FileName::parse("a\0.png").unwrap_err().code, "NUL_CHARACTER");
    }

    #[test]
    fn endings_are_plain_and_stand_behind_something() {
        let ending = |name: &str| FileName::parse(name).unwrap().ending();
        assert_eq!(ending("a.JPG").as_deref(), Some("jpg"));
        assert_eq!(ending("archive.tar.gz").as_deref(), Some("gz"));
        for none in ["README", ".png", "a.", "a.b c", "a.abcdefghijklmnopq"] {
            assert_eq!(ending(none), None, "{none}");
        }
        assert_eq!(FileName::parse("..").unwrap().or_file("png"), "file.png");
    }
}
