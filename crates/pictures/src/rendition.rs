//! Other sizes and formats of a picture, as they may be asked for in a query.

use std::fmt;

/// The widths and heights that may be asked for. They are few, so that what is kept of them is bounded.
const SIZES: [u32; 8] = [64, 100, 200, 320, 400, 640, 800, 1200];

/// How a picture is fitted into the box that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fit {
    /// Fills the box; what does not fit is cut off on both sides.
    Cover,
    /// Wholly in the box, with empty borders: transparent, or white in a JPEG.
    Contain,
    /// Wholly in the box and without borders, and never larger than it is.
    Inside,
}

/// In what format it is given out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// Small, and understood by every browser of today.
    Webp,
    /// For programs that know nothing newer. No transparency.
    Jpeg,
    /// Without loss.
    Png,
}

/// A size and format of a picture. Equal ones look the same and have one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rendition {
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) fit: Fit,
    pub(crate) format: Format,
}

/// Why a rendition is not made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct RenditionError {
    /// The parameter at fault.
    pub parameter: &'static str,
    /// What is wrong with it, for people.
    pub message: String,
}

impl Rendition {
    /// What a query asks for with `w`, `h`, `fit` and `format`; nothing if it has none of them. Other parameters are not
    /// looked at.
    pub fn parse<'a>(
        query: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Self>, RenditionError> {
        let (mut width, mut height, mut fit, mut format) = (None, None, None, None);
        for (name, value) in query {
            match name {
                "w" => put("w", &mut width, size("w", value)?)?,
                "h" => put("h", &mut height, size("h", value)?)?,
                "fit" => put("fit", &mut fit, Fit::parse(value)?)?,
                "format" => put("format", &mut format, Format::parse(value)?)?,
                _ => {}
            }
        }
        if let (None, None, None, None) = (width, height, fit, format) {
            return Ok(None);
        }
        let fit = match (width, height, fit) {
            // Without a box there is nothing to cut off and no border.
            (None, _, _) | (_, None, _) => Fit::Inside,
            (Some(_), Some(_), fit) => fit.unwrap_or(Fit::Cover),
        };
        Ok(Some(Self { width, height, fit, format: format.unwrap_or(Format::Webp) }))
    }

    /// A name for it, of letters, digits, `-` and `.`, that no other rendition has.
    pub fn key(&self) -> String {
        let side = |side: Option<u32>| side.map_or_else(|| "any".to_owned(), |side| side.to_string());
        format!("{}x{}-{}.{}", side(self.width), side(self.height), self.fit, self.format)
    }
}

fn put<T>(parameter: &'static str, place: &mut Option<T>, value: T) -> Result<(), RenditionError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(RenditionError { parameter, message: format!("`{parameter}` is given twice.") }),
    }
}

fn size(parameter: &'static str, value: &str) -> Result<u32, RenditionError> {
    // Digits alone: neither a sign nor leading zeros, so that one size is written in one way.
    SIZES.into_iter().find(|size| size.to_string() == value).ok_or_else(|| RenditionError {
        parameter,
        message: format!("`{parameter}` is one of {}.", SIZES.map(|size| size.to_string()).join(", ")),
    })
}

impl Fit {
    fn parse(value: &str) -> Result<Self, RenditionError> {
        [Self::Cover, Self::Contain, Self::Inside]
            .into_iter()
            .find(|fit| fit.to_string() == value)
            .ok_or_else(|| RenditionError {
                parameter: "fit",
                message: "`fit` is cover, contain or inside.".into(),
            })
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cover => "cover",
            Self::Contain => "contain",
            Self::Inside => "inside",
        })
    }
}

impl Format {
    fn parse(value: &str) -> Result<Self, RenditionError> {
        [Self::Webp, Self::Jpeg, Self::Png].into_iter().find(|format| format.to_string() == value).ok_or_else(
            || RenditionError { parameter: "format", message: "`format` is webp, jpeg or png.".into() },
        )
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webp => "webp",
            Self::Jpeg => "jpeg",
            Self::Png => "png",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &[(&str, &str)]) -> Result<Option<String>, &'static str> {
        Rendition::parse(query.iter().copied())
            .map(|rendition| rendition.map(|rendition| rendition.key()))
            .map_err(|error| error.parameter)
    }

    #[test]
    fn a_query_that_asks_for_nothing_gets_the_picture_itself() {
        assert_eq!(parsed(&[]), Ok(None));
        assert_eq!(parsed(&[("signature", "x"), ("width", "7")]), Ok(None));
    }

    #[test]
    fn what_is_not_said_is_filled_in() {
        let key = |query: &[(&str, &str)]| parsed(query).unwrap().unwrap();
        assert_eq!(key(&[("w", "400"), ("h", "200")]), "400x200-cover.webp");
        assert_eq!(key(&[("w", "400")]), "400xany-inside.webp");
        assert_eq!(key(&[("h", "64"), ("format", "png")]), "anyx64-inside.png");
        assert_eq!(key(&[("format", "jpeg")]), "anyxany-inside.jpeg");
        assert_eq!(key(&[("w", "64"), ("h", "64"), ("fit", "contain")]), "64x64-contain.webp");
    }

    #[test]
    fn what_looks_the_same_has_one_key() {
        assert_eq!(parsed(&[("w", "400"), ("fit", "cover")]), parsed(&[("w", "400"), ("format", "webp")]));
        assert_eq!(
            parsed(&[("h", "64"), ("w", "64")]),
            parsed(&[("w", "64"), ("h", "64"), ("fit", "cover")])
        );
    }

    #[test]
    fn only_some_sizes_fits_and_formats_are_made() {
        for size in ["", "0", "63", "65", "1201", "0064", "+64", "64 ", "64.0", "99999999999999999999", "-1"]
        {
            assert_eq!(parsed(&[("w", size)]), Err("w"), "{size:?}");
            assert_eq!(parsed(&[("h", size)]), Err("h"), "{size:?}");
        }
        for word in ["", "COVER", "fill"] {
            assert_eq!(parsed(&[("fit", word)]), Err("fit"), "{word:?}");
        }
        for word in ["", "gif", "avif", "WEBP", "../x"] {
            assert_eq!(parsed(&[("format", word)]), Err("format"), "{word:?}");
        }
        assert_eq!(parsed(&[("w", "64"), ("w", "64")]), Err("w"), "said twice");
    }
}
