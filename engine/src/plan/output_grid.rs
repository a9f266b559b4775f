//! The grid that the output lies on.

use crate::codestream::header::MainHeader;
use crate::geometry::Rect;

/// What a decode of `components` gives on the output grid: the reference grid divided by their finest
/// sub-sampling and by `2^reduce`.
#[must_use]
pub fn output_rect(header: &MainHeader, components: &[u32], region: Rect, reduce: u32) -> Rect {
    OutputGrid::new(header, components, reduce).rect(region)
}

/// Reference grid over output grid, in full size: columns and rows.
#[must_use]
pub fn output_spacing(header: &MainHeader, components: &[u32]) -> (u32, u32) {
    let grid = OutputGrid::new(header, components, 0);
    (grid.dx, grid.dy)
}

/// The output grid: reference grid divided by the finest sub-sampling of the components, and by
/// `2^reduce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutputGrid {
    pub(super) dx: u32,
    pub(super) dy: u32,
    pub(super) reduce: u32,
}

impl OutputGrid {
    pub(super) fn new(header: &MainHeader, components: &[u32], reduce: u32) -> Self {
        let used = || components.iter().map(|&c| header.size.components[c as usize]);
        Self {
            dx: used().map(|c| u32::from(c.dx)).min().unwrap_or(1),
            dy: used().map(|c| u32::from(c.dy)).min().unwrap_or(1),
            reduce,
        }
    }

    pub(super) fn rect(self, region: Rect) -> Rect {
        region.ceil_div(self.dx, self.dy).ceil_shift(self.reduce)
    }

    /// The samples of a component that `region` (reference grid) needs, on the component's reduced grid.
    pub(super) fn plane(self, header: &MainHeader, component: u32, region: Rect, widen: bool) -> Rect {
        let size = header.size.components[component as usize];
        let (dx, dy) = (u32::from(size.dx), u32::from(size.dy));
        let whole = header.size.image.ceil_div(dx, dy).ceil_shift(self.reduce);
        let mut plane = region.ceil_div(dx, dy).ceil_shift(self.reduce);
        if widen {
            let output = self.rect(region);
            // Between which samples an output column or row lies, and with registrations one more on each side.
            let more = u32::from(!header.registrations.is_empty());
            let around = |from: u32, to: u32, step: u32, d: u32| {
                let floor = |x: u32| (u64::from(x) * u64::from(step) / u64::from(d)) as u32;
                let next = u32::from(step != d) + more;
                (floor(from).saturating_sub(more), floor(to.saturating_sub(1)).saturating_add(1 + next))
            };
            let (x0, x1) = around(output.x0, output.x1, self.dx, dx);
            let (y0, y1) = around(output.y0, output.y1, self.dy, dy);
            plane = Rect::new(plane.x0.min(x0), plane.y0.min(y0), plane.x1.max(x1), plane.y1.max(y1));
            // A last column or row may have no sample of its own: the nearest stands in.
            plane.x0 = plane.x0.min(whole.x1.saturating_sub(1)).max(whole.x0);
            plane.y0 = plane.y0.min(whole.y1.saturating_sub(1)).max(whole.y0);
        }
        plane.intersect(whole)
    }
}
