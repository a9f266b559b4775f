//! What of the output a code-block can change: the reach of the filters, the other way round.

use super::output_grid::OutputGrid;
use super::reach::{input_window, wanted_resolution};
use super::{BlockKey, PlanRequest};
use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::geometry::Rect;

/// The smallest rectangle of the output grid outside of which nothing depends on a code-block, whatever the request's
/// region. Empty if there is no such block, or if the request needs none of its resolution.
pub(crate) fn influence(header: &MainHeader, request: &PlanRequest, tile: &Tile, key: BlockKey) -> Rect {
    let component = u32::from(key.component);
    let samples = samples_influenced(tile, key, request.reduce).unwrap_or_default();
    if samples.is_empty() || header.size.components.len() as u32 <= component {
        return Rect::default();
    }
    let grid = OutputGrid::new(header, &request.components, request.reduce);
    if request.widen { grid.texels_of(header, component, samples) } else { samples }
}

/// The samples of the tile-component that depend on a block, at the request's reduction.
fn samples_influenced(tile: &Tile, key: BlockKey, reduce: u32) -> Option<Rect> {
    let component = tile.components.get(usize::from(key.component))?;
    let transform = tile.parameters.components.get(usize::from(key.component))?.coding.transform;
    let first = usize::from(key.resolution);
    let finest = wanted_resolution(component, reduce)?;
    let sub_band = component.resolutions.get(first)?.bands.get(usize::from(key.band))?;
    let span = |at: u32, exponent: u8| {
        let edge = |at: u64| u32::try_from(at << exponent).unwrap_or(u32::MAX);
        (edge(at.into()), edge(u64::from(at) + 1))
    };
    let (x0, x1) = span(key.column, sub_band.code_block_width_exponent);
    let (y0, y1) = span(key.row, sub_band.code_block_height_exponent);
    let mut samples = Rect::new(x0, y0, x1, y1).intersect(sub_band.rect);
    let mut high = sub_band.orientation.high_pass();
    // The coarsest resolution is its band.
    for resolution in component.resolutions.get(first.max(1)..=finest).unwrap_or_default() {
        if samples.is_empty() {
            break;
        }
        samples = input_window(interleaved(samples, high), resolution.rect, transform);
        high = (false, false);
    }
    (first <= finest).then_some(samples)
}

/// Where the samples of a sub-band lie among those of the others.
fn interleaved(band: Rect, (high_x, high_y): (bool, bool)) -> Rect {
    let span = |from: u32, to: u32, high: bool| {
        let place = |at: u32| at.saturating_mul(2).saturating_add(u32::from(high));
        (place(from), place(to - 1).saturating_add(1))
    };
    let ((x0, x1), (y0, y1)) = (span(band.x0, band.x1, high_x), span(band.y0, band.y1, high_y));
    Rect::new(x0, y0, x1, y1)
}

impl OutputGrid {
    /// The texels that samples of a component colour, when it is widened: the inverse of [`Self::plane`].
    fn texels_of(self, header: &MainHeader, component: u32, samples: Rect) -> Rect {
        let size = header.size.components[component as usize];
        let (dx, dy) = (u32::from(size.dx), u32::from(size.dy));
        let whole = header.size.image.ceil_div(dx, dy).ceil_shift(self.reduce);
        let more = u64::from(!header.registrations.is_empty());
        let span = |(from, to): (u32, u32), (first, end): (u32, u32), step: u32, d: u32| {
            // Of the sample before a texel, and of the next, it is made.
            let before = u64::from(from).saturating_sub(u64::from(step != d) + more);
            let start = (before * u64::from(d)).div_ceil(step.into());
            let stop = ((u64::from(to) + more) * u64::from(d)).div_ceil(step.into());
            let clamp = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
            // The outermost samples stand in for those outside.
            (if from <= first { 0 } else { clamp(start) }, if to >= end { u32::MAX } else { clamp(stop) })
        };
        let (x0, x1) = span((samples.x0, samples.x1), (whole.x0, whole.x1), self.dx, dx);
        let (y0, y1) = span((samples.y0, samples.y1), (whole.y0, whole.y1), self.dy, dy);
        Rect::new(x0, y0, x1, y1)
    }
}
