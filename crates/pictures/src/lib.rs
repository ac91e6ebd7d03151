//! Pictures that strangers send, made safe and small.
//!
//! [`prepare`] decodes a picture within [`Bounds`] that are checked against its headers before anything is allocated,
//! turns it the way it was taken, converts its colours to sRGB, leaves everything else that the file said behind (EXIF, GPS, XMP,
//! profiles, comments), and writes it as WebP of at most 1200×1200 with a thumbnail of 200×200. [`render`] makes other sizes
//! and formats of a prepared picture, of those that [`Rendition`] allows.
//!
//! - Animated GIF and WebP stay animated; a long animation becomes smaller in size, so that its work is bounded. Of
//!   an animated PNG the still picture that it holds for programs without animation is taken.
//! - AVIF is checked and kept as it is, but for its metadata, which is overwritten: its pixels are not decoded,
//!   so it has neither thumbnail nor renditions.
//! - CMYK is converted without its profile, as browsers of old did; profiles of RGB pictures are applied.
//!
//! All of it keeps a processor busy: call it on threads that are for that.

mod animation;
mod avif;
mod bounds;
mod colour;
mod decode;
mod encode;
mod error;
mod kind;
mod prepare;
mod render;
mod rendition;
mod riff;
mod scale;

pub use self::{
    bounds::Bounds,
    error::PictureError,
    kind::PictureKind,
    prepare::{Picture, Prepared, prepare},
    render::render,
    rendition::{Fit, Format, Rendition, RenditionError},
};
