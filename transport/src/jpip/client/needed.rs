//! Which of the bins that a client holds its windows need.

use crate::jpip::wire::fields::NumberRange;
use std::collections::HashSet;
use wavetile_engine::Limits;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, DataBins, PrecinctId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::low_level::codestream::tile_component::TileComponent;
use wavetile_engine::low_level::plan::reach::{
    GridWindow, component_window, covered_tiles, resolution_windows, wanted_resolution,
};
use wavetile_engine::view_window::ViewWindow;

/// The bins of tiles and precincts that `windows` need, in their order, as far as `visit` wants to hear of them: it returns whether
/// to go on. Headers that are not there, or broken, name none.
pub(super) fn visit<'a>(
    bins: &DataBinCache,
    codestreams: &[NumberRange],
    windows: impl Iterator<Item = &'a ViewWindow>,
    mut visit: impl FnMut(u32, DataBinId) -> bool,
) {
    let mut known: Vec<u32> =
        bins.ids().filter(|(_, id)| *id == DataBinId::MainHeader).map(|(codestream, _)| codestream).collect();
    known.retain(|&number| codestreams.iter().any(|range| range.holds(number.into())));
    known.sort_unstable();
    let headers: Vec<(u32, MainHeader)> = known
        .into_iter()
        .filter_map(|number| {
            let bin = bins.bin(number, DataBinId::MainHeader).ok()??;
            // It only has to be read; what may be decoded is the decoder's to say.
            Some((number, MainHeader::parse(&bin.bytes, &Limits::default()).ok().filter(|_| bin.complete)?))
        })
        .collect();
    // Most windows in a row are of one tile.
    let mut last = None;
    let mut levels = 0;
    for window in windows {
        for (number, header) in &headers {
            let found = window.resolve(header);
            let grid =
                GridWindow { region: found.grid_region, reduce: found.reduce, components: found.components };
            for tile in covered_tiles(header, grid.region) {
                if !visit(*number, DataBinId::TileHeader(tile)) || !visit(*number, DataBinId::Tile(tile)) {
                    return;
                }
                if last.as_ref().is_none_or(|(of, known): &(u32, Tile)| (*of, known.index) != (*number, tile))
                {
                    last = geometry(bins, *number, header, tile).map(|tile| (*number, tile));
                    // Headers may claim any number of tiles of any number of components.
                    levels +=
                        last.iter().flat_map(|(_, tile)| &tile.components).map(levels_of).sum::<usize>();
                    if levels > MOST_LEVELS {
                        return;
                    }
                }
                let Some((_, tile)) = &last else { continue };
                if !of_tile(*number, header, tile, &grid, &mut visit) {
                    return;
                }
            }
        }
    }
}

fn levels_of(component: &TileComponent) -> usize {
    component.resolutions.len()
}

/// Where the precincts of a tile lie; `None` if its parameters make no sense.
fn geometry(bins: &DataBinCache, codestream: u32, header: &MainHeader, index: u32) -> Option<Tile> {
    let bin = bins.bin(codestream, DataBinId::TileHeader(index)).ok().flatten();
    let bytes: &[u8] = bin.as_ref().filter(|bin| bin.complete).map_or(&[], |bin| &bin.bytes);
    // Without its header, or with one that cannot be read, the main header stands in.
    let parameters = header.tile_parameters(index, bytes).or_else(|_| header.tile_parameters(index, &[]));
    Tile::new(header, index, parameters.ok()?).ok()
}

/// The precincts of `tile` that `window` needs, the coarsest first; whether to go on.
fn of_tile(
    codestream: u32,
    header: &MainHeader,
    tile: &Tile,
    window: &GridWindow,
    visit: &mut impl FnMut(u32, DataBinId) -> bool,
) -> bool {
    let (count, tiles) = (header.size.components.len() as u32, header.tile_count());
    let mut components = Vec::new();
    for (number, component) in tile.components.iter().enumerate() {
        let wanted = window.components.as_ref().is_none_or(|wanted| wanted.contains(&(number as u32)));
        let size = header.size.components[number];
        let output = component_window(component, window.region, size.dx, size.dy, window.reduce);
        if let Some(finest) =
            wanted_resolution(component, window.reduce).filter(|_| wanted && !output.is_empty())
        {
            let transform = tile.parameters.components[number].coding.transform;
            components.push((
                number as u32,
                component,
                resolution_windows(component, transform, output, finest),
            ));
        }
    }
    let deepest = components.iter().map(|(.., windows)| windows.len()).max().unwrap_or(0);
    for level in 0..deepest {
        for (component, geometry, windows) in &components {
            let Some(wanted) = windows.get(level) else { continue };
            let resolution = &geometry.resolutions[level];
            for precinct in resolution.precincts_meeting(wanted.input) {
                let precinct = resolution.first_precinct + u64::from(precinct);
                let id = PrecinctId { tile: tile.index, component: *component, precinct };
                if let Some(id) = id.in_class_id(count, tiles)
                    && !visit(codestream, DataBinId::Precinct(id))
                {
                    return false;
                }
            }
        }
    }
    true
}

/// The bins that are held and needed, and those that every window needs.
pub(super) fn held<'a>(
    bins: &DataBinCache,
    codestreams: &[NumberRange],
    windows: impl Iterator<Item = &'a ViewWindow>,
) -> HashSet<(u32, DataBinId)> {
    let mut needed = HashSet::new();
    let mut looked = 0;
    visit(bins, codestreams, windows, |codestream, id| {
        looked += 1;
        if bins.last_used(codestream, id).is_some() {
            needed.insert((codestream, id));
        }
        looked < MOST_LOOKED
    });
    let headers = |&(codestream, id): &(u32, DataBinId)| match id {
        DataBinId::MainHeader => codestreams.iter().any(|range| range.holds(codestream.into())),
        DataBinId::Metadata(number) => number == 0,
        _ => false,
    };
    needed.extend(bins.ids().filter(headers));
    needed
}

/// So many bins are looked at, those of urgent windows first: a window may have any number.
const MOST_LOOKED: usize = 1 << 21;
/// So many resolution levels of tile-components are worked out.
const MOST_LEVELS: usize = 1 << 22;
