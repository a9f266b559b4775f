//! A camera so fast that pages come at a given rate (T3).

use crate::flight::Camera;
use crate::mosaic_picture::MosaicPicture;
use std::sync::Arc;
use std::time::Duration;
use wavetile_engine::error::ContainerError;
use wavetile_engine::tiles::{
    FrameBudget, HostAtlas, PictureId, PictureOptions, PlanarView, Tiles, TilesOptions, View,
};
use wavetile_engine::{Decoder, Image, Result, Size};
use wavetile_testing::mosaic::Shape;

/// Frames of a view that moves on by some pages each, of a picture that is all there.
pub struct Arrival {
    tiles: Tiles,
    atlas: HostAtlas,
    picture: PictureId,
    camera: Camera,
    frame: u32,
    step: f64,
    viewport: Size,
}

/// Frames a second.
const RATE: u32 = 60;

impl Arrival {
    /// So many pages a second come into view.
    ///
    /// # Errors
    /// The picture cannot be opened or drawn.
    pub fn new(pages: u32) -> Result<Self> {
        let image =
            Image::open_stream(Arc::new(MosaicPicture::new(Shape { components: 1, ..Shape::VAST })?))?
                .image();
        let image = image.ok_or(ContainerError::MissingBox { kind: "jp2c" })?;
        let mut tiles = Tiles::new(&Decoder::cpu(), TilesOptions::new());
        let atlas = HostAtlas::new(&mut tiles, 128 << 20);
        let picture = tiles.add(&image, PictureOptions::default(), None)?;
        let viewport = Size::new(1920, 1080);
        let camera = Camera { centre: [2000.0, 2000.0], zoom: 0.0 };
        let rows = viewport.height.div_ceil(256);
        let step = f64::from(pages) * 256.0 / f64::from(rows * RATE);
        Ok(Self { tiles, atlas, picture, camera, frame: 0, step, viewport })
    }

    /// What the host's thread does in a frame: to be timed. Returns the pages written.
    pub fn frame(&mut self) -> usize {
        let views = [View::Planar(PlanarView {
            picture: self.picture,
            pixels: self.camera.pixels(self.viewport),
            viewport: self.viewport,
        })];
        self.tiles.update(&views, Duration::from_secs(1) / RATE * self.frame);
        self.atlas.poll(&mut self.tiles, FrameBudget::pages(8))
    }

    /// What other threads do meanwhile, and the camera.
    pub fn work(&mut self) {
        while self.tiles.work() {}
        self.frame += 1;
        self.camera.centre[0] += self.step;
        if self.camera.centre[0] > 260_000.0 {
            self.camera.centre = [2000.0, self.camera.centre[1] + 2048.0];
        }
    }
}
