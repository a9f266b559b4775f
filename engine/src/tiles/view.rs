//! What is looked at.

use super::page::{PageKey, PictureId};
use crate::geometry::Size;

/// A look at pictures. Each frame tells all that there are.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum View {
    /// A window on a picture that lies flat.
    Planar(PlanarView),
    /// A picture, or a part of it, on a rectangle in space.
    Surface(SurfaceView),
    /// Pages that a [feedback pass](super::PageFeedback) found to be visible, or that are known to be by other means.
    Pages(Vec<PageKey>),
}

/// A window on a picture that lies flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanarView {
    /// Which picture.
    pub picture: PictureId,
    /// What the window shows, in pixels of full size from the picture's top left corner: left, top, right, bottom. It may reach
    /// beyond the picture.
    pub pixels: [f64; 4],
    /// The window in pixels of the screen. A window of no width or height shows nothing.
    pub viewport: Size,
}

/// A picture, or a part of it, on a rectangle in space. A curved surface is many of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurfaceView {
    /// Which picture.
    pub picture: PictureId,
    /// The part of it that lies on the rectangle, in pixels of full size from the picture's top left corner: left, top, right,
    /// bottom.
    pub pixels: [f64; 4],
    /// From there to clip space, column by column: it takes `(x, y, 0, 1)` with `x` and `y` from 0 to 1 across the rectangle and
    /// down. As WebGPU has it, what is seen has `-w <= x, y <= w` and `0 <= z <= w`.
    pub matrix: [[f64; 4]; 4],
    /// The viewport in pixels of the screen.
    pub viewport: Size,
}

impl View {
    /// The picture it shows, if it is one.
    pub(crate) const fn picture(&self) -> Option<PictureId> {
        match self {
            Self::Planar(view) => Some(view.picture),
            Self::Surface(view) => Some(view.picture),
            Self::Pages(_) => None,
        }
    }
}

/// Where a point of a surface appears, and how large things are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Projected {
    /// In clip space.
    pub(crate) clip: [f64; 4],
    /// Pixels of full size that a pixel of the screen covers, where it sees most sharply; not less than a quarter of what it
    /// covers across. Infinite behind the eye.
    pub(crate) footprint: f64,
}

impl SurfaceView {
    /// Of a point in pixels of the picture.
    pub(crate) fn project(&self, pixel: [f64; 2]) -> Projected {
        let [left, top, right, bottom] = self.pixels;
        let (width, height) = (right - left, bottom - top);
        let (x, y) = ((pixel[0] - left) / width, (pixel[1] - top) / height);
        let m = &self.matrix;
        let clip: [f64; 4] = std::array::from_fn(|row| m[0][row] * x + m[1][row] * y + m[3][row]);
        let w = clip[3];
        if w.is_nan() || w <= 0.0 {
            return Projected { clip, footprint: f64::INFINITY };
        }
        // The Jacobian of screen pixels by pixels of the picture.
        let screen = [f64::from(self.viewport.width) / 2.0, f64::from(self.viewport.height) / 2.0];
        let by = |column: usize, row: usize, length: f64| {
            (m[column][row] * w - clip[row] * m[column][3]) / (w * w) * screen[row] / length
        };
        let (a, b, c, d) = (by(0, 0, width), by(1, 0, height), by(0, 1, width), by(1, 1, height));
        // Its singular values.
        let (sum, determinant) = (a * a + b * b + c * c + d * d, a * d - b * c);
        let root = (sum * sum - 4.0 * determinant * determinant).max(0.0).sqrt();
        let most = f64::midpoint(sum, root).sqrt();
        let least = determinant.abs() / most;
        Projected { clip, footprint: (1.0 / most).max(1.0 / (MOST_ANISOTROPY * least)) }
    }
}

/// Samplers filter up to so many texels along a pixel for each across it.
const MOST_ANISOTROPY: f64 = 4.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture's pixels on the screen, `scale` screen pixels each, seen from the front.
    fn flat(scale: [f64; 2]) -> SurfaceView {
        let (x, y) = (scale[0] * 1000.0 / 400.0, scale[1] * 1000.0 / 300.0);
        SurfaceView {
            picture: PictureId(0),
            pixels: [0.0, 0.0, 1000.0, 1000.0],
            matrix: [[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0; 4], [0.0, 0.0, 0.5, 1.0]],
            viewport: Size::new(800, 600),
        }
    }

    #[test]
    fn footprints_are_pixels_of_the_picture_a_pixel_of_the_screen() {
        let footprint = |scale| flat(scale).project([100.0, 100.0]).footprint;
        assert!((footprint([1.0, 1.0]) - 1.0).abs() < 1e-9);
        assert!((footprint([0.25, 0.25]) - 4.0).abs() < 1e-9);
        assert!((footprint([1.0, 0.5]) - 1.0).abs() < 1e-9, "the sharper axis counts");
        assert!((footprint([1.0, 0.05]) - 5.0).abs() < 1e-9, "but no more than four to one");
    }

    #[test]
    fn what_is_behind_the_eye_has_no_size() {
        let mut view = flat([1.0, 1.0]);
        view.matrix[3][3] = -1.0;
        assert!(view.project([1.0, 1.0]).footprint.is_infinite());
    }
}
