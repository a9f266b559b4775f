//! JPIP view-windows (T.808 C.4): which part of a picture, at which size and quality, as plain values;
//! and where such a window lies on the reference grid.

use crate::geometry::{Rect, Size, ceil_shift, floor_shift};

/// Which resolution level serves a frame size that no level has (the third part of `fsiz`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// The largest level that is nowhere larger than the frame; the smallest level if all are.
    #[default]
    Down,
    /// The smallest level that is nowhere smaller than the frame; the largest level if all are.
    Up,
    /// The level whose area is nearest to the frame's; the larger of two.
    Closest,
}

/// What a client wants to see.
///
/// ```
/// use wavetile_engine::view_window::ViewWindow;
/// use wavetile_engine::{Rect, Size};
///
/// // The right half of a picture of 1000 x 700, in a frame of a quarter of its size.
/// let mut half = ViewWindow::whole(Size::new(250, 175));
/// (half.offset, half.region) = ((125, 0), Size::new(125, 175));
/// let found = half.resolve_on(Rect::new(0, 0, 1000, 700), 3, 5);
/// assert_eq!((found.reduce, found.grid_region), (2, Rect::new(500, 0, 1000, 700)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewWindow {
    /// Size of the whole picture at the wanted resolution ("fsiz").
    pub frame_size: Size,
    /// Which level serves if none has that size.
    pub rounding: Rounding,
    /// Upper left corner of the region in the frame ("roff").
    pub offset: (u32, u32),
    /// Size of the region in the frame ("rsiz"); what sticks out of the frame is cut off.
    pub region: Size,
    /// Number of quality layers that are wanted ("layers"); `None` = all.
    pub layers: Option<u16>,
    /// Components that are wanted ("comps"); `None` = all.
    pub components: Option<Vec<u32>>,
}

/// A view-window at a resolution level that the picture has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedWindow {
    /// Highest resolution levels left out.
    pub reduce: u32,
    /// Size of the whole picture at that level.
    pub frame_size: Size,
    /// The region at that level, counted from the frame's upper left corner; may be empty.
    pub region: Rect,
    /// The same on the reference grid; may be empty.
    pub grid_region: Rect,
    /// Components that are wanted and exist, in order; `None` = all.
    pub components: Option<Vec<u32>>,
}

impl ViewWindow {
    /// The whole picture in a frame of `frame_size`, rounded down, with all layers and components.
    #[must_use]
    pub const fn whole(frame_size: Size) -> Self {
        Self {
            frame_size,
            rounding: Rounding::Down,
            offset: (0, 0),
            region: frame_size,
            layers: None,
            components: None,
        }
    }

    /// Where the window lies in a picture of an area on the reference grid and a number of components, whose resolution
    /// can be halved `levels` times.
    #[must_use]
    pub fn resolve_on(&self, image: Rect, components: u32, levels: u32) -> ResolvedWindow {
        let reduce = self.choose_level(image, levels);
        let frame_size = frame_size(image, reduce);
        let region = self.region_in(frame_size);
        let components = self.components.as_ref().map(|wanted| {
            let mut known: Vec<u32> = wanted.iter().copied().filter(|&index| index < components).collect();
            known.sort_unstable();
            known.dedup();
            known
        });
        let grid_region = to_grid(region, image, reduce);
        ResolvedWindow { reduce, frame_size, region, grid_region, components }
    }

    fn choose_level(&self, image: Rect, levels: u32) -> u32 {
        let wanted = self.frame_size;
        let fits = |inner: Size, outer: Size| inner.width <= outer.width && inner.height <= outer.height;
        match self.rounding {
            Rounding::Down => {
                (0..=levels).find(|&level| fits(frame_size(image, level), wanted)).unwrap_or(levels)
            }
            Rounding::Up => {
                (0..=levels).rev().find(|&level| fits(wanted, frame_size(image, level))).unwrap_or(0)
            }
            Rounding::Closest => (0..=levels)
                .min_by_key(|&level| frame_size(image, level).area().abs_diff(wanted.area()))
                .unwrap_or(0),
        }
    }

    /// The region scaled to a frame of `actual` size: upper left rounded down, lower right up, then cut
    /// to the frame.
    fn region_in(&self, actual: Size) -> Rect {
        let (x0, x1) = scale(self.offset.0, self.region.width, self.frame_size.width, actual.width);
        let (y0, y1) = scale(self.offset.1, self.region.height, self.frame_size.height, actual.height);
        let region = Rect::new(x0, y0, x1, y1);
        if region.is_empty() { Rect::default() } else { region }
    }
}

/// The samples of the reduced frame, counted from its upper left corner, that hold all grid points of
/// `region`; at least one.
pub(crate) fn in_frame(region: Rect, image: Rect, reduce: u32, frame: Size) -> Rect {
    let span = |start: u32, end: u32, origin: u32, length: u32| {
        let origin = ceil_shift(origin, reduce);
        let start = floor_shift(start, reduce).saturating_sub(origin).min(length.saturating_sub(1));
        let end = ceil_shift(end, reduce).saturating_sub(origin).min(length);
        (start, end.max(start.saturating_add(1)))
    };
    let (x0, x1) = span(region.x0, region.x1, image.x0, frame.width);
    let (y0, y1) = span(region.y0, region.y1, image.y0, frame.height);
    Rect { x0, y0, x1, y1 }
}

/// Size of the whole picture with `reduce` resolution levels left out. `image`: its area on the reference grid.
#[must_use]
pub fn frame_size(image: Rect, reduce: u32) -> Size {
    image.ceil_shift(reduce).size()
}

fn scale(offset: u32, length: u32, frame: u32, actual: u32) -> (u32, u32) {
    if frame == 0 || length == 0 || offset >= frame {
        return (0, 0);
    }
    let (frame, actual) = (u64::from(frame), u64::from(actual));
    let end = (u64::from(offset) + u64::from(length)).min(frame);
    let low = u64::from(offset) * actual / frame;
    let high = (end * actual).div_ceil(frame);
    (low as u32, high as u32)
}

/// From a region of the reduced frame to the reference grid: the grid points whose samples it holds.
fn to_grid(region: Rect, image: Rect, reduce: u32) -> Rect {
    if region.is_empty() {
        return Rect::new(image.x0, image.y0, image.x0, image.y0);
    }
    let edge = |edge: u32, start: u32| {
        let absolute = u64::from(edge) + u64::from(ceil_shift(start, reduce));
        u32::try_from(absolute << reduce.min(32)).unwrap_or(u32::MAX)
    };
    Rect {
        x0: edge(region.x0, image.x0),
        y0: edge(region.y0, image.y0),
        x1: edge(region.x1, image.x0),
        y1: edge(region.y1, image.y0),
    }
    .intersect(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn level(width: u32, height: u32, rounding: Rounding) -> u32 {
        let window = ViewWindow { rounding, ..ViewWindow::whole(Size::new(width, height)) };
        window.resolve_on(Rect::new(0, 0, 1000, 700), 3, 4).reduce
    }

    #[test]
    fn rounding_down_takes_the_largest_level_that_fits() {
        assert_eq!(level(1000, 700, Rounding::Down), 0);
        assert_eq!(level(5000, 5000, Rounding::Down), 0);
        assert_eq!(level(999, 700, Rounding::Down), 1);
        assert_eq!(level(500, 350, Rounding::Down), 1);
        assert_eq!(level(500, 349, Rounding::Down), 2);
        assert_eq!(level(1, 1, Rounding::Down), 4, "even the smallest level is larger");
    }

    #[test]
    fn rounding_up_takes_the_smallest_level_that_covers() {
        assert_eq!(level(1001, 1, Rounding::Up), 0);
        assert_eq!(level(501, 1, Rounding::Up), 0);
        assert_eq!(level(500, 350, Rounding::Up), 1);
        assert_eq!(level(1, 1, Rounding::Up), 4);
    }

    #[test]
    fn closest_compares_areas() {
        assert_eq!(level(300, 210, Rounding::Closest), 2);
        assert_eq!(level(450, 330, Rounding::Closest), 1);
        assert_eq!(level(64, 64, Rounding::Closest), 4);
    }

    #[test]
    fn regions_scale_outwards_and_are_cut_to_the_frame() {
        let image = Rect::new(0, 0, 1000, 700);
        let mut window = ViewWindow::whole(Size::new(300, 210));
        window.offset = (100, 100);
        window.region = Size::new(100, 100);
        let found = window.resolve_on(image, 3, 4);
        assert_eq!((found.reduce, found.frame_size), (2, Size::new(250, 175)));
        // 100 * 250 / 300 = 83.3, 200 * 250 / 300 = 166.7; 100 * 175 / 210 = 83.3, 200 * 175 / 210 = 166.7
        assert_eq!(found.region, Rect::new(83, 83, 167, 167));
        assert_eq!(found.grid_region, Rect::new(332, 332, 668, 668));
        window.region = Size::new(u32::MAX, u32::MAX);
        assert_eq!(window.resolve_on(image, 3, 4).region, Rect::new(83, 83, 250, 175));
        window.offset = (300, 0);
        let outside = window.resolve_on(image, 3, 4);
        assert!(outside.region.is_empty() && outside.grid_region.is_empty());
    }

    #[test]
    fn the_grid_region_gives_the_frame_region_back_for_any_image_offset() {
        let image = Rect::new(5, 1003, 1_000, 4_294_967_295);
        for reduce in 0..=6 {
            let frame = frame_size(image, reduce);
            let window = ViewWindow {
                offset: (3, 7),
                region: Size::new(5, frame.height - 7),
                ..ViewWindow::whole(frame)
            };
            let found = window.resolve_on(image, 3, 6);
            assert_eq!(found.reduce, reduce);
            let reduced = found.grid_region.ceil_shift(reduce);
            let start = image.ceil_shift(reduce);
            assert_eq!(reduced.x0 - start.x0, 3);
            assert_eq!(reduced.y0 - start.y0, 7);
            assert_eq!(reduced.size(), Size::new(5, frame.height - 7));
        }
    }

    #[test]
    fn unknown_components_are_dropped_and_a_frame_without_area_is_empty() {
        let image = Rect::new(0, 0, 8, 8);
        let mut window = ViewWindow::whole(Size::new(8, 8));
        window.components = Some(vec![2, 9, 0, 2]);
        assert_eq!(window.resolve_on(image, 3, 0).components, Some(vec![0, 2]));
        window.frame_size = Size::new(0, 8);
        assert!(window.resolve_on(image, 3, 0).grid_region.is_empty());
    }

    #[test]
    fn regions_in_a_frame_hold_every_sample_of_the_region() {
        let image = Rect::new(23, 5, 230, 177);
        for reduce in 0..5 {
            let level = image.ceil_shift(reduce);
            for region in
                [image, Rect::new(24, 6, 25, 7), Rect::new(100, 5, 163, 90), Rect::new(229, 176, 230, 177)]
            {
                let frame = in_frame(region, image, reduce, level.size());
                let wanted = region.ceil_shift(reduce);
                let found = Rect {
                    x0: frame.x0 + level.x0,
                    y0: frame.y0 + level.y0,
                    x1: frame.x1 + level.x0,
                    y1: frame.y1 + level.y0,
                };
                assert!(found.contains(wanted), "{reduce}: {found:?} {wanted:?}");
                assert!(level.contains(found) && !found.is_empty(), "{reduce}: {found:?} {level:?}");
            }
        }
    }
}
