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

    /// What the window shows of `image`, in pixels of the picture from its upper left corner: left, top, right, bottom.
    /// `pixels`: the picture's; on the grid they may be apart.
    #[must_use]
    pub(crate) fn shown(&self, image: Rect, pixels: Size) -> [f64; 4] {
        let [across, down] = spacing(image, pixels);
        let (x0, y0) = self.grid_at((0.0, 0.0));
        let (x1, y1) = self.grid_at((f64::from(self.viewport.width), f64::from(self.viewport.height)));
        let (left, top) = (f64::from(image.x0), f64::from(image.y0));
        [(x0 - left) / across, (y0 - top) / down, (x1 - left) / across, (y1 - top) / down]
    }
}

/// Grid units from a pixel of the picture to the next one, across and down.
fn spacing(image: Rect, pixels: Size) -> [f64; 2] {
    let apart = |units: u32, pixels: u32| (f64::from(units) / f64::from(pixels.max(1))).round().max(1.0);
    [apart(image.width(), pixels.width), apart(image.height(), pixels.height)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Rect = Rect::new(100, 50, 8292, 8242);
    const PIXELS: Size = Size::new(8192, 8192);
    const VIEWPORT: Size = Size::new(1024, 768);

    fn close(one: [f64; 4], other: [f64; 4]) {
        let difference = one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(difference < 1e-6, "{one:?} instead of {other:?}");
    }

    #[test]
    fn the_whole_picture_fits_at_first() {
        let camera = Camera::fit(IMAGE, VIEWPORT);
        let margin = 8192.0 * (1024.0 / 768.0 - 1.0) / 2.0;
        close(camera.shown(IMAGE, PIXELS), [-margin, 0.0, 8192.0 + margin, 8192.0]);
    }

    #[test]
    fn pixels_of_the_screen_are_pixels_of_the_picture_at_full_size() {
        let mut camera = Camera::fit(IMAGE, VIEWPORT);
        camera.zoom(camera.scale, (512.0, 384.0), IMAGE);
        close(camera.shown(IMAGE, PIXELS), [3584.0, 3712.0, 4608.0, 4480.0]);
        camera.pan((-100.0, 28.0), IMAGE);
        close(camera.shown(IMAGE, PIXELS), [3684.0, 3684.0, 4708.0, 4452.0]);
    }

    #[test]
    fn pixels_that_lie_apart_on_the_grid_keep_their_shape() {
        // Each pixel has two units across; the picture begins between two of them.
        let image = Rect::new(101, 50, 8293, 4146);
        let camera = Camera::fit(image, VIEWPORT);
        let shown = camera.shown(image, Size::new(4096, 4096));
        close(shown, [0.0, -1024.0, 4096.0, 5120.0]);
        assert_eq!(spacing(image, Size::new(4097, 4096)), [2.0, 1.0]);
        assert_eq!(spacing(Rect::new(7, 7, 8, 8), Size::new(1, 1)), [1.0, 1.0]);
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let mut camera = Camera::fit(IMAGE, VIEWPORT);
        let pointer = (300.0, 200.0);
        let before = camera.grid_at(pointer);
        camera.zoom(8.0, pointer, IMAGE);
        let after = camera.grid_at(pointer);
        assert!((before.0 - after.0).abs() < 1e-6 && (before.1 - after.1).abs() < 1e-6);
    }

    #[test]
    fn zoom_and_pan_stay_within_reach_of_the_picture() {
        let mut camera = Camera::fit(IMAGE, VIEWPORT);
        camera.zoom(1e9, (0.0, 0.0), IMAGE);
        assert!((camera.scale - 1.0 / 64.0).abs() < 1e-12);
        camera.pan((1e12, 1e12), IMAGE);
        close(camera.shown(IMAGE, PIXELS), [-8.0, -6.0, 8.0, 6.0]);
    }
}
