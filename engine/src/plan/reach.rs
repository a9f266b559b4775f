//! What a window depends on, filter support included (the reach of the filters of T.800 F.3): tiles, precincts and
//! samples of each wavelet level. The same answer for the decoder and for the JPIP server.

use crate::codestream::header::{MainHeader, WaveletTransform};
use crate::codestream::tile::Tile;
use crate::codestream::tile_component::TileComponent;
use crate::data_bin::PrecinctId;
use crate::geometry::{Rect, ceil_shift, floor_shift};

/// A window on the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridWindow {
    /// On the reference grid; what lies outside the image area is ignored.
    pub region: Rect,
    /// Resolution levels to discard, 0 = full size.
    pub reduce: u32,
    /// Components, in any order; `None` = all.
    pub components: Option<Vec<u32>>,
}

/// One precinct that a window needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoveredPrecinct {
    /// Its name in the data-bin world.
    pub id: PrecinctId,
    /// Component index.
    pub component: u32,
    /// Resolution level, 0 = coarsest.
    pub resolution: u32,
    /// Raster index inside the resolution.
    pub precinct: u32,
}

/// What one resolution of a tile-component contributes to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolutionWindow {
    /// The samples wanted of this resolution, on its grid.
    pub output: Rect,
    /// The interleaved sub-band samples that they depend on; equal to `output` at resolution 0.
    pub input: Rect,
}

/// Tiles that `region` (reference grid) meets, in raster order.
pub fn covered_tiles(header: &MainHeader, region: Rect) -> impl Iterator<Item = u32> + use<> {
    let size = &header.size;
    let region = region.intersect(size.image);
    let (wide, _) = header.tile_grid();
    let columns = tile_range(region.x0, region.x1, size.tile_x0, size.tile_width);
    let rows = tile_range(region.y0, region.y1, size.tile_y0, size.tile_height);
    rows.flat_map(move |row| columns.clone().map(move |column| row * wide + column))
}

fn tile_range(from: u32, to: u32, origin: u32, step: u32) -> std::ops::Range<u32> {
    if to <= from { 0..0 } else { (from - origin) / step..(to - 1 - origin) / step + 1 }
}

/// The samples of a tile-component that lie in a window, on the grid of the resolution that is left
/// when `reduce` levels are discarded. Empty if the tile-component has fewer levels.
#[must_use]
pub fn component_window(component: &TileComponent, region: Rect, dx: u8, dy: u8, reduce: u32) -> Rect {
    let Some(resolution) = wanted_resolution(component, reduce) else {
        return Rect::default();
    };
    region
        .ceil_div(u32::from(dx), u32::from(dy))
        .ceil_shift(reduce)
        .intersect(component.resolutions[resolution].rect)
}

/// Index of the finest resolution that is left when `reduce` levels are discarded.
#[must_use]
pub fn wanted_resolution(component: &TileComponent, reduce: u32) -> Option<usize> {
    (component.resolutions.len() - 1).checked_sub(reduce as usize)
}

/// The windows of all resolutions that `output` of resolution `finest` needs, coarsest first.
#[must_use]
pub fn resolution_windows(
    component: &TileComponent,
    transform: WaveletTransform,
    output: Rect,
    finest: usize,
) -> Vec<ResolutionWindow> {
    let mut windows = vec![ResolutionWindow { output, input: output }; finest + 1];
    let mut output = output;
    for index in (0..=finest).rev() {
        let input = if index == 0 {
            output
        } else {
            input_window(output, component.resolutions[index].rect, transform)
        };
        windows[index] = ResolutionWindow { output, input };
        output = band_window(input, false, false);
    }
    windows
}

/// Precincts of one tile that a window needs, filter support included, coarsest resolution first.
/// Components that have fewer than `reduce` levels add nothing.
#[must_use]
pub fn covered_precincts(header: &MainHeader, tile: &Tile, window: &GridWindow) -> Vec<CoveredPrecinct> {
    let mut covered = Vec::new();
    for (index, component) in tile.components.iter().enumerate() {
        let index = index as u32;
        if window.components.as_ref().is_some_and(|wanted| !wanted.contains(&index)) {
            continue;
        }
        let size = header.size.components[index as usize];
        let output = component_window(component, window.region, size.dx, size.dy, window.reduce);
        let Some(finest) = wanted_resolution(component, window.reduce) else { continue };
        if output.is_empty() {
            continue;
        }
        let transform = tile.parameters.components[index as usize].coding.transform;
        for (level, wanted) in resolution_windows(component, transform, output, finest).iter().enumerate() {
            let resolution = &component.resolutions[level];
            covered.extend(resolution.precincts_meeting(wanted.input).map(|precinct| CoveredPrecinct {
                id: PrecinctId {
                    tile: tile.index,
                    component: index,
                    precinct: resolution.first_precinct + u64::from(precinct),
                },
                component: index,
                resolution: level as u32,
                precinct,
            }));
        }
    }
    covered.sort_by_key(|precinct| precinct.resolution);
    covered
}

/// Windows of all resolutions of one tile-component; empty ones if `output` is.
pub(super) fn component_windows(
    tile: &Tile,
    component: u32,
    output: Rect,
    finest: usize,
) -> Vec<ResolutionWindow> {
    let transform = tile.parameters.components[component as usize].coding.transform;
    resolution_windows(&tile.components[component as usize], transform, output, finest)
}

/// The input window of one level: all interleaved samples that `window` depends on, and no others.
///
/// `window` and the result lie on the grid of the resolution that is made, whose area is `bounds`.
/// An even sample depends on its odd neighbours, an odd one on what its even neighbours depend on;
/// 9/7 goes two lifting steps further.
#[must_use]
pub fn input_window(window: Rect, bounds: Rect, transform: WaveletTransform) -> Rect {
    if window.is_empty() {
        return Rect::new(window.x0, window.y0, window.x0, window.y0);
    }
    let (even, odd) = match transform {
        WaveletTransform::Reversible53 => (1, 2),
        WaveletTransform::Irreversible97 => (3, 4),
    };
    let reach = |sample: u32| if sample.is_multiple_of(2) { even } else { odd };
    Rect {
        x0: window.x0.saturating_sub(reach(window.x0)),
        y0: window.y0.saturating_sub(reach(window.y0)),
        x1: window.x1.saturating_add(reach(window.x1 - 1)),
        y1: window.y1.saturating_add(reach(window.y1 - 1)),
    }
    .intersect(bounds)
}

/// The part of a sub-band that interleaves into `input`: `high_x`, `high_y` tell its filters.
#[must_use]
pub fn band_window(input: Rect, high_x: bool, high_y: bool) -> Rect {
    let half = |high: bool, edge: u32| if high { floor_shift(edge, 1) } else { ceil_shift(edge, 1) };
    Rect {
        x0: half(high_x, input.x0),
        y0: half(high_y, input.y0),
        x1: half(high_x, input.x1),
        y1: half(high_y, input.y1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Samples that one sample depends on, by walking the lifting steps of F.3.8 backwards.
    fn literal_support(sample: i64, end: i64, steps: &[bool]) -> BTreeSet<i64> {
        let mut needed = BTreeSet::from([sample]);
        for &updates_odd in steps {
            for s in needed.clone() {
                if (s % 2 == 1) == updates_odd {
                    for mut n in [s - 1, s + 1] {
                        if n < 0 {
                            n = -n;
                        }
                        if n >= end {
                            n = 2 * (end - 1) - n;
                        }
                        needed.insert(n);
                    }
                }
            }
        }
        needed
    }

    #[test]
    fn the_input_window_is_exactly_what_the_lifting_steps_reach() {
        let end = 40u32;
        let bounds = Rect::new(0, 0, end, 1);
        for (transform, steps) in [
            (WaveletTransform::Reversible53, &[true, false][..]),
            (WaveletTransform::Irreversible97, &[true, false, true, false][..]),
        ] {
            for x0 in 0..end {
                for x1 in x0 + 1..=end {
                    let mut needed = BTreeSet::new();
                    for sample in x0..x1 {
                        needed.extend(literal_support(i64::from(sample), i64::from(end), steps));
                    }
                    let window = input_window(Rect::new(x0, 0, x1, 1), bounds, transform);
                    let got: BTreeSet<i64> = (i64::from(window.x0)..i64::from(window.x1)).collect();
                    assert_eq!(got, needed, "{transform:?} {x0}..{x1}");
                }
            }
        }
    }

    #[test]
    fn band_windows_partition_the_input_window() {
        for x0 in 0..6 {
            for x1 in x0..9 {
                let input = Rect::new(x0, x0, x1, x1);
                let area: u64 = [(false, false), (true, false), (false, true), (true, true)]
                    .iter()
                    .map(|&(hx, hy)| band_window(input, hx, hy).area())
                    .sum();
                assert_eq!(area, input.area());
            }
        }
    }
}
