//! Which tiles and precincts a window needs: the same answer for the decoder and for the JPIP server.

use super::support::{band_window, input_window};
use crate::codestream::header::{MainHeader, WaveletTransform};
use crate::codestream::tile::Tile;
use crate::codestream::tile_component::TileComponent;
use crate::data_bin::PrecinctId;
use crate::geometry::Rect;

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
