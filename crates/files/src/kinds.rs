//! The kinds of files that are taken, and how each is named.

use stoa_pictures::PictureKind;

/// A kind of file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A photograph.
    Jpeg,
    /// A picture without loss.
    Png,
    /// A picture that may move.
    Gif,
    /// A picture of either sort.
    Webp,
    /// A picture, coded as films are.
    Avif,
    /// A document as it is printed.
    Pdf,
    /// A text document of old.
    Doc,
    /// A text document.
    Docx,
    /// A table of old.
    Xls,
    /// A table.
    Xlsx,
    /// Plain text.
    Txt,
    /// A film.
    Mp4,
    /// A film.
    Webm,
}

/// What kinds have in common, as lists of what is in a room tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sort {
    /// Pictures.
    Image,
    /// Films.
    Video,
    /// All else.
    Document,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Image, Self::Video, Self::Document];

    /// Its name outside.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Document => "document",
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Jpeg,
        Self::Png,
        Self::Gif,
        Self::Webp,
        Self::Avif,
        Self::Pdf,
        Self::Doc,
        Self::Docx,
        Self::Xls,
        Self::Xlsx,
        Self::Txt,
        Self::Mp4,
        Self::Webm,
    ];
    /// What the first surface takes.
    pub const OF_V0: [Self; 6] = [Self::Jpeg, Self::Png, Self::Gif, Self::Pdf, Self::Doc, Self::Docx];

    /// Its name: the ending of a file of this kind.
    pub const fn name(self) -> &'static str {
        self.endings().0
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The usual ending of its files, and others.
    const fn endings(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Jpeg => ("jpg", &["jpeg", "jpe", "jfif"]),
            Self::Png => ("png", &[]),
            Self::Gif => ("gif", &[]),
            Self::Webp => ("webp", &[]),
            Self::Avif => ("avif", &[]),
            Self::Pdf => ("pdf", &[]),
            Self::Doc => ("doc", &["dot"]),
            Self::Docx => ("docx", &[]),
            Self::Xls => ("xls", &["xlt"]),
            Self::Xlsx => ("xlsx", &[]),
            Self::Txt => ("txt", &["text", "log", "md"]),
            Self::Mp4 => ("mp4", &["m4v"]),
            Self::Webm => ("webm", &[]),
        }
    }

    /// Whether its files may end so.
    pub(crate) fn may_end_in(self, ending: &str) -> bool {
        let (usual, others) = self.endings();
        usual == ending || others.contains(&ending)
    }

    /// What it is served as.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Pdf => "application/pdf",
            Self::Doc => "application/msword",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xls => "application/vnd.ms-excel",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Txt => "text/plain; charset=utf-8",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
        }
    }

    /// Whether whoever sends it may call it by this media type, given without parameters and in lower case.
    pub(crate) fn may_be_called(self, media_type: &str) -> bool {
        // Programs that do not know a file say that it is bytes.
        let says_nothing = matches!(media_type, "application/octet-stream" | "binary/octet-stream");
        let own = self.content_type().split(';').next().unwrap_or_default();
        says_nothing
            || media_type == own
            || match self {
                Self::Jpeg => matches!(media_type, "image/jpg" | "image/pjpeg"),
                Self::Png => media_type == "image/x-png",
                Self::Pdf => media_type == "application/x-pdf",
                Self::Doc | Self::Xls => media_type == "application/x-ole-storage",
                Self::Docx | Self::Xlsx => media_type == "application/zip",
                Self::Txt => media_type == "text/markdown",
                Self::Mp4 => matches!(media_type, "video/x-m4v" | "audio/mp4"),
                Self::Webm => media_type == "audio/webm",
                Self::Gif | Self::Webp | Self::Avif => false,
            }
    }

    /// What it is shown among.
    pub const fn sort(self) -> Sort {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::Webp | Self::Avif => Sort::Image,
            Self::Mp4 | Self::Webm => Sort::Video,
            Self::Pdf | Self::Doc | Self::Docx | Self::Xls | Self::Xlsx | Self::Txt => Sort::Document,
        }
    }

    /// Which sort of picture it is, if it is one.
    pub(crate) const fn picture(self) -> Option<PictureKind> {
        match self {
            Self::Jpeg => Some(PictureKind::Jpeg),
            Self::Png => Some(PictureKind::Png),
            Self::Gif => Some(PictureKind::Gif),
            Self::Webp => Some(PictureKind::Webp),
            Self::Avif => Some(PictureKind::Avif),
            _ => None,
        }
    }

    /// Whether a browser may show it where it stands; all else is offered to be saved.
    pub(crate) const fn is_shown(self) -> bool {
        matches!(self.sort(), Sort::Image | Sort::Video) || matches!(self, Self::Txt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_names_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
            assert!(kind.may_end_in(kind.name()) && kind.may_be_called("application/octet-stream"));
            let others = Kind::ALL.into_iter().filter(|other| other.may_end_in(kind.name()));
            assert_eq!(others.count(), 1, "{kind:?}");
        }
        assert!(!Kind::Png.may_be_called("image/jpeg") && !Kind::Png.may_end_in("exe"));
        assert!(Kind::Jpeg.may_be_called("image/jpg") && Kind::Jpeg.may_end_in("jpeg"));
    }

    #[test]
    fn nothing_that_could_run_in_a_browser_is_shown() {
        let shown: Vec<_> =
            Kind::ALL.into_iter().filter(|kind| kind.is_shown()).map(Kind::content_type).collect();
        assert!(shown.iter().all(|kind| {
            kind.starts_with("image/") && !kind.contains("svg")
                || kind.starts_with("video/")
                || kind.starts_with("text/plain")
        }));
    }
}
