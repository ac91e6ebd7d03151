//! Colours as they are meant to be seen: from a picture's own profile to sRGB.

use std::sync::Arc;

use image::{DynamicImage, RgbImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

/// The way from the colours of an RGB profile to sRGB.
pub(crate) struct ToSrgb {
    rgb: Arc<Transform8BitExecutor>,
    rgba: Arc<Transform8BitExecutor>,
}

impl ToSrgb {
    /// None if the profile is damaged, or not of RGB: such a picture is taken for sRGB, as browsers do.
    pub(crate) fn from_profile(profile: &[u8]) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(profile).ok()?;
        if profile.color_space != DataColorSpace::Rgb {
            return None;
        }
        let srgb = ColorProfile::new_srgb();
        let way =
            |layout| profile.create_transform_8bit(layout, &srgb, layout, TransformOptions::default()).ok();
        Some(Self { rgb: way(Layout::Rgb)?, rgba: way(Layout::Rgba)? })
    }

    /// The picture in sRGB. Grey ones have no colours to convert.
    pub(crate) fn convert(&self, image: DynamicImage) -> DynamicImage {
        match image {
            DynamicImage::ImageRgb8(image) => {
                let (width, height) = image.dimensions();
                let converted = converted(&self.rgb, image.into_raw());
                RgbImage::from_raw(width, height, converted).unwrap_or_default().into()
            }
            DynamicImage::ImageRgba8(image) => {
                let (width, height) = image.dimensions();
                let converted = converted(&self.rgba, image.into_raw());
                RgbaImage::from_raw(width, height, converted).unwrap_or_default().into()
            }
            grey => grey,
        }
    }
}

/// The pixels as they are if they cannot be converted; they are as many as before either way.
fn converted(way: &Arc<Transform8BitExecutor>, pixels: Vec<u8>) -> Vec<u8> {
    let mut converted = vec![0; pixels.len()];
    match way.transform(&pixels, &mut converted) {
        Ok(()) => converted,
        Err(_) => pixels,
    }
}
