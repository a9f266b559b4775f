//! Where the viewer looks: a centre and a scale on the reference grid.

use wavetile_engine::{Rect, Size};

/// A view of the picture through a window of `viewport` screen pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Camera {
    /// Reference-grid point in the middle of the window.
    pub(crate) centre: (f64, f64),
    /// Grid units per screen pixel.
    pub(crate) scale: f64,
    /// Screen pixels.
    pub(crate) viewport: Size,
}

/// What to fetch and decode for a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// On the reference grid.
    pub(crate) region: Rect,
    /// Resolution levels to discard.
    pub(crate) reduce: u32,
}

/// Magnification at which zooming in ends: screen pixels per picture sample.
const MAX_MAGNIFICATION: f64 = 64.0;

impl Camera {
    /// The whole of `image` in the middle of the window.
    #[must_use]
    pub(crate) fn fit(image: Rect, viewport: Size) -> Self {
        let across = f64::from(image.width()) / f64::from(viewport.width.max(1));
        let down = f64::from(image.height()) / f64::from(viewport.height.max(1));
        let centre = (
            f64::from(image.x0) + f64::from(image.width()) / 2.0,
            f64::from(image.y0) + f64::from(image.height()) / 2.0,
        );
        Self { centre, scale: across.max(down), viewport }
    }

    /// The grid point under a screen point (pixels from the window's top left).
    #[must_use]
    pub(crate) fn grid_at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (
            self.centre.0 + (x - f64::from(self.viewport.width) / 2.0) * self.scale,
            self.centre.1 + (y - f64::from(self.viewport.height) / 2.0) * self.scale,
        )
    }

    /// The screen point over a grid point.
    #[must_use]
    pub(crate) fn screen_at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (
            (x - self.centre.0) / self.scale + f64::from(self.viewport.width) / 2.0,
            (y - self.centre.1) / self.scale + f64::from(self.viewport.height) / 2.0,
        )
    }

    /// Moves the picture with the pointer by `(dx, dy)` screen pixels.
    pub(crate) fn pan(&mut self, (dx, dy): (f64, f64), image: Rect) {
        self.centre.0 -= dx * self.scale;
        self.centre.1 -= dy * self.scale;
        self.keep_inside(image);
    }

    /// Magnifies by `factor` and keeps the grid point under `pointer` where it is.
    pub(crate) fn zoom(&mut self, factor: f64, pointer: (f64, f64), image: Rect) {
        let before = self.grid_at(pointer);
        let widest = Self::fit(image, self.viewport).scale * 2.0;
        self.scale = (self.scale / factor).clamp(1.0 / MAX_MAGNIFICATION, widest.max(1.0));
        let after = self.grid_at(pointer);
        self.centre.0 += before.0 - after.0;
        self.centre.1 += before.1 - after.1;
        self.keep_inside(image);
    }

    fn keep_inside(&mut self, image: Rect) {
        self.centre.0 = self.centre.0.clamp(f64::from(image.x0), f64::from(image.x1));
        self.centre.1 = self.centre.1.clamp(f64::from(image.y0), f64::from(image.y1));
    }

    /// The visible part of `image` at the coarsest level that still has a sample for each screen pixel,
    /// of at most `levels` discarded levels; `None` if nothing of it is visible.
    #[must_use]
    pub(crate) fn wanted(&self, image: Rect, levels: u32) -> Option<Wanted> {
        let (x0, y0) = self.grid_at((0.0, 0.0));
        let (x1, y1) = self.grid_at((f64::from(self.viewport.width), f64::from(self.viewport.height)));
        // `as` saturates at the ends of the grid.
        let visible = Rect::new(x0.floor() as u32, y0.floor() as u32, x1.ceil() as u32, y1.ceil() as u32);
        let region = visible.intersect(image);
        let reduce = (self.scale.max(1.0).log2().floor() as u32).min(levels);
        (!region.is_empty()).then_some(Wanted { region, reduce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Rect = Rect::new(100, 50, 8292, 8242);
    const VIEWPORT: Size = Size::new(1024, 768);

    #[test]
    fn the_whole_picture_fits_at_first() {
        let camera = Camera::fit(IMAGE, VIEWPORT);
        assert_eq!(camera.wanted(IMAGE, 7), Some(Wanted { region: IMAGE, reduce: 3 }));
        assert_eq!(camera.wanted(IMAGE, 2).map(|wanted| wanted.reduce), Some(2));
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let mut camera = Camera::fit(IMAGE, VIEWPORT);
        let pointer = (300.0, 200.0);
        let before = camera.grid_at(pointer);
        camera.zoom(8.0, pointer, IMAGE);
        let after = camera.grid_at(pointer);
        assert!((before.0 - after.0).abs() < 1e-6 && (before.1 - after.1).abs() < 1e-6);
        let back = camera.screen_at(after);
        assert!((back.0 - pointer.0).abs() < 1e-6 && (back.1 - pointer.1).abs() < 1e-6);
    }

    #[test]
    fn zoom_and_pan_stay_within_reach_of_the_picture() {
        let mut camera = Camera::fit(IMAGE, VIEWPORT);
        camera.zoom(1e9, (0.0, 0.0), IMAGE);
        assert!((camera.scale - 1.0 / 64.0).abs() < 1e-12);
        camera.pan((1e12, 1e12), IMAGE);
        let wanted = camera.wanted(IMAGE, 7).expect("the corner is visible");
        assert_eq!((wanted.region.x0, wanted.region.y0, wanted.reduce), (100, 50, 0));
    }
}
