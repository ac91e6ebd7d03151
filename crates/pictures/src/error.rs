//! Why a picture is not taken.

use std::io;

use image::{ImageError, error::LimitErrorKind};

/// Why a picture is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Wider, higher or larger than the bounds.
    #[error("the picture is too large: {width}×{height}")]
    TooManyPixels {
        /// As its header says.
        width: u32,
        /// As its header says.
        height: u32,
    },
    /// More frames than the bounds, or more pixels in all frames together.
    #[error("the animation is too long")]
    TooManyFrames,
    /// Decoding it would take more memory than the bounds.
    #[error("the picture needs too much memory")]
    TooMuchMemory,
    /// Truncated, damaged, or not of its kind.
    #[error("the picture is damaged: {0}")]
    Malformed(String),
    /// Whole, perhaps, but of a sort that is not understood.
    #[error("the picture is of an unsupported sort: {0}")]
    Unsupported(String),
    /// It could not be read from where it lies.
    #[error("the picture could not be read")]
    Reading(#[source] io::Error),
    /// What was decoded could not be written again: a fault of ours.
    #[error("the picture could not be encoded: {0}")]
    Encoding(String),
}

impl PictureError {
    /// A stable word for it, to be told to clients; none if it is no fault of the picture.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::TooManyPixels { .. } | Self::TooMuchMemory => Some("PICTURE_TOO_LARGE"),
            Self::TooManyFrames => Some("PICTURE_TOO_MANY_FRAMES"),
            Self::Malformed(_) => Some("PICTURE_DAMAGED"),
            Self::Unsupported(_) => Some("PICTURE_UNSUPPORTED"),
            Self::Reading(_) | Self::Encoding(_) => None,
        }
    }

    /// An end that came too soon is the picture's fault, anything else the disk's.
    pub(crate) fn reading(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::Malformed(error.to_string())
            }
            _ => Self::Reading(error),
        }
    }

    pub(crate) fn malformed(error: impl std::fmt::Display) -> Self {
        Self::Malformed(error.to_string())
    }

    pub(crate) fn encoding(error: impl std::fmt::Debug) -> Self {
        Self::Encoding(format!("{error:?}"))
    }

    pub(crate) fn decoding(error: ImageError) -> Self {
        match error {
            ImageError::IoError(error) => Self::reading(error),
            ImageError::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => {
                Self::TooMuchMemory
            }
            ImageError::Unsupported(error) => Self::Unsupported(error.to_string()),
            other => Self::malformed(other),
        }
    }
}
