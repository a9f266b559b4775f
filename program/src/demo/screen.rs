//! What a window without a display shows: a picture of its pages, drawn as shaders draw it.

use crate::console::Failure;
use std::path::Path;
use wavetile_engine::tiles::{HostAtlas, PictureId, PlanarView};
use wavetile_engine::{DecodeRequest, Rect, Size};

/// A window onto a picture, of which each pixel is exactly a texel of a level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// The texel under the upper left pixel, in pixels of full size.
    pub(super) corner: [u32; 2],
    /// Resolution levels that are discarded.
    pub(super) reduce: u32,
    /// Pixels.
    pub(super) size: Size,
}

impl Screen {
    /// As tiles are told of it.
    pub(super) fn view(&self, picture: PictureId) -> PlanarView {
        let scale = f64::from(1u32 << self.reduce);
        // The centre of a texel is that of its first pixel of full size.
        let [left, top] = self.corner.map(|first| f64::from(first) + 0.5 - scale / 2.0);
        let (width, height) = (f64::from(self.size.width) * scale, f64::from(self.size.height) * scale);
        PlanarView { picture, pixels: [left, top, left + width, top + height], viewport: self.size }
    }

    /// What a decoder would be asked for, for the same pixels.
    pub(super) fn request(&self) -> DecodeRequest {
        let [left, top] = self.corner;
        let (width, height) = (self.size.width << self.reduce, self.size.height << self.reduce);
        DecodeRequest::new().reduce(self.reduce).region(Rect::new(left, top, left + width, top + height))
    }

    /// Rows of red, green, blue and opacity.
    pub(super) fn draw(&self, atlas: &HostAtlas, picture: PictureId) -> Vec<u8> {
        let (scene, step) = (atlas.scene(), (1u32 << self.reduce) as f32);
        let [left, top] = self.corner;
        let mut bytes = Vec::new();
        for y in 0..self.size.height {
            for x in 0..self.size.width {
                let pixel = [left + (x << self.reduce), top + (y << self.reduce)];
                let colour = scene.sample_at(picture.number(), pixel, [0.5; 2], [step, 0.0], [0.0, step]);
                bytes.extend(colour.map(|channel| (channel * 255.0).round() as u8));
            }
        }
        bytes
    }

    /// Saves what was drawn as a PNG file.
    pub(super) fn save(&self, drawn: &[u8], path: &Path) -> Result<(), Failure> {
        let colour = image::ExtendedColorType::Rgba8;
        Ok(image::save_buffer(path, drawn, self.size.width, self.size.height, colour)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use wavetile_engine::tiles::{PictureOptions, Tiles, TilesOptions};
    use wavetile_engine::{Decoder, Image};

    #[test]
    fn pixels_are_texels_of_the_level() {
        let sample = Image::open(crate::demo::SAMPLE).unwrap();
        let mut tiles = Tiles::new(&Decoder::cpu(), TilesOptions::new());
        let picture = tiles.add(&sample, PictureOptions::default(), None).unwrap();
        let screen = Screen { corner: [800, 2400], reduce: 3, size: Size::new(64, 32) };
        let view = screen.view(picture);
        assert_eq!(view.pixels, [796.5, 2396.5, 1308.5, 2652.5]);
        // Each pixel's centre is a texel's, so the outer texels are seen whole, and no neighbour is missed.
        let texels = tiles.pyramid(picture).unwrap().texels_under(3, view.pixels);
        assert!(texels.x0 <= 100 && texels.x1 >= 164 && texels.y0 <= 300 && texels.y1 >= 332, "{texels:?}");
    }
}
