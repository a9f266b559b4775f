//! The order in which a response delivers a view-window: metadata, main header, tile headers, then the
//! packets, layer by layer and within a layer coarse resolutions first. Worked out while it is sent:
//! nothing here grows with the window.

use super::served_picture::ServedPicture;
use crate::jpip::wire::cache_model::{BinSelector, CacheModel};
use crate::jpip::wire::fields::NumberRange;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::low_level::plan::reach::{
    GridWindow, component_window, covered_tiles, resolution_windows, wanted_resolution,
};

/// The next thing to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// All of a header, metadata-bin or tile.
    Whole(DataBinId),
    /// All packets of a precinct.
    Precinct(PrecinctId),
    /// Packet `layer` of a precinct, which follows on those of all lower layers. `layers` is the number
    /// that its tile has.
    Packet { precinct: PrecinctId, layer: u16, layers: u16 },
}

/// Walks through what a window needs.
pub(super) struct Selection {
    picture: Arc<dyn ServedPicture>,
    window: Option<(GridWindow, u16)>,
    /// Whole tiles instead of their headers and packets.
    whole_tiles: bool,
    /// Metadata-bins that are wanted besides bin 0.
    boxes: std::vec::IntoIter<u64>,
    stage: Stage,
}

enum Stage {
    Listed(Box<dyn Iterator<Item = Item> + Send>),
    /// `begun`: bin 0 was named. `only`: nothing follows.
    Metadata {
        begun: bool,
        only: bool,
    },
    MainHeader,
    TileHeaders(Tiles),
    Packets(Pass),
    Done,
}

type Tiles = Box<dyn Iterator<Item = u32> + Send>;

/// One layer of one resolution.
struct Pass {
    layer: u16,
    resolution: u32,
    tiles: Tiles,
    precincts: Option<TilePrecincts>,
    /// Bounds over all tiles, known after the first pass.
    most_layers: u16,
    most_resolutions: u32,
}

impl Selection {
    /// Nothing but the metadata: bin 0 and `boxes`.
    pub(super) fn metadata(picture: Arc<dyn ServedPicture>, boxes: Vec<u64>) -> Self {
        Self { boxes: boxes.into_iter(), ..Self::at(picture, Stage::Metadata { begun: false, only: true }) }
    }

    fn at(picture: Arc<dyn ServedPicture>, stage: Stage) -> Self {
        Self { picture, window: None, whole_tiles: false, boxes: Vec::new().into_iter(), stage }
    }

    /// The data-bins of codestream `number` that `need` names, in its order; `asked`: the request is about that
    /// codestream.
    pub(super) fn listed(
        picture: Arc<dyn ServedPicture>,
        need: &CacheModel,
        number: u32,
        asked: bool,
    ) -> Self {
        let header = picture.header();
        let (components, tiles) = (header.size.components.len() as u32, header.tile_count());
        // They are those of the file.
        let boxes = if number == 0 { picture.metadata_kinds().len() as u64 } else { 0 };
        let about = need.statements.iter().filter(move |one| one.is_about(number.into(), asked));
        let bins: Vec<BinSelector> = about.map(|statement| statement.bins.clone()).collect();
        let items = bins.into_iter().flat_map(move |bins| -> Box<dyn Iterator<Item = Item> + Send> {
            let clipped = move |range: NumberRange| {
                let last = range.to.unwrap_or(u64::MAX).min(u64::from(tiles) - 1);
                (range.from..=last).map(|tile| tile as u32)
            };
            match bins {
                BinSelector::MainHeader => Box::new(std::iter::once(Item::Whole(DataBinId::MainHeader))),
                BinSelector::TileHeaders(range) => {
                    Box::new(clipped(range).map(|tile| Item::Whole(DataBinId::TileHeader(tile))))
                }
                BinSelector::Tiles(range) => {
                    Box::new(clipped(range).map(|tile| Item::Whole(DataBinId::Tile(tile))))
                }
                BinSelector::Metadata(range) => {
                    let last = range.to.unwrap_or(u64::MAX).min(boxes);
                    Box::new((range.from..=last).map(|bin| Item::Whole(DataBinId::Metadata(bin))))
                }
                BinSelector::Precincts(range) => {
                    let ids = range.from..=range.to.unwrap_or(u64::MAX);
                    Box::new(ids.map_while(move |id| {
                        PrecinctId::from_in_class_id(id, components, tiles).map(Item::Precinct)
                    }))
                }
                // They were made explicit before.
                BinSelector::Implicit(_) | BinSelector::TileParts(..) => Box::new(std::iter::empty()),
            }
        });
        Self::at(picture, Stage::Listed(Box::new(items)))
    }

    /// What `window` needs, up to a number of layers; `None` = headers only. `metadata`: begin with
    /// metadata-bin 0 and those.
    pub(super) fn new(
        picture: Arc<dyn ServedPicture>,
        window: Option<(GridWindow, u16)>,
        metadata: Option<Vec<u64>>,
    ) -> Self {
        match metadata {
            Some(boxes) => {
                let stage = Stage::Metadata { begun: false, only: false };
                Self { window, stage, ..Self::metadata(picture, boxes) }
            }
            None => Self { window, ..Self::at(picture, Stage::MainHeader) },
        }
    }

    /// Whole tiles instead of their headers and packets.
    pub(super) fn of_whole_tiles(self) -> Self {
        Self { whole_tiles: true, ..self }
    }

    /// The next item; `None` when everything was named.
    pub(super) fn next(&mut self) -> Option<Item> {
        loop {
            match &mut self.stage {
                Stage::Listed(items) => match items.next() {
                    Some(item) => return Some(item),
                    None => self.stage = Stage::Done,
                },
                Stage::Metadata { begun: begun @ false, .. } => {
                    *begun = true;
                    return Some(Item::Whole(DataBinId::Metadata(0)));
                }
                Stage::Metadata { only, .. } => match self.boxes.next() {
                    Some(bin) => return Some(Item::Whole(DataBinId::Metadata(bin))),
                    None => self.stage = if *only { Stage::Done } else { Stage::MainHeader },
                },
                Stage::MainHeader => {
                    self.stage = match self.tiles() {
                        Some(tiles) => Stage::TileHeaders(tiles),
                        None => Stage::Done,
                    };
                    return Some(Item::Whole(DataBinId::MainHeader));
                }
                Stage::TileHeaders(tiles) => match tiles.next() {
                    Some(tile) if self.whole_tiles => return Some(Item::Whole(DataBinId::Tile(tile))),
                    Some(tile) => return Some(Item::Whole(DataBinId::TileHeader(tile))),
                    None if self.whole_tiles => self.stage = Stage::Done,
                    None => {
                        self.stage = match self.tiles() {
                            Some(tiles) => Stage::Packets(Pass::first(tiles)),
                            None => Stage::Done,
                        }
                    }
                },
                Stage::Packets(pass) => {
                    if let Some(item) = pass.next_in_tile() {
                        return Some(item);
                    }
                    self.go_on();
                }
                Stage::Done => return None,
            }
        }
    }

    /// To the next tile, resolution or layer.
    fn go_on(&mut self) {
        let (Stage::Packets(pass), Some((window, layers))) = (&mut self.stage, &self.window) else { return };
        if let Some(index) = pass.tiles.next() {
            match self.picture.tile(index) {
                Ok(tile) => pass.enter(self.picture.as_ref(), window, &tile),
                Err(error) => tracing::warn!(tile = index, %error, "a tile cannot be served"),
            }
            return;
        }
        pass.resolution += 1;
        if pass.resolution >= pass.most_resolutions {
            pass.resolution = 0;
            pass.layer += 1;
        }
        if pass.layer >= pass.most_layers.min(*layers) {
            self.stage = Stage::Done;
        } else if let Some(tiles) = tiles(self.picture.as_ref(), window) {
            pass.tiles = tiles;
        }
    }

    fn tiles(&self) -> Option<Tiles> {
        tiles(self.picture.as_ref(), &self.window.as_ref()?.0)
    }
}

fn tiles(picture: &dyn ServedPicture, window: &GridWindow) -> Option<Tiles> {
    let region = window.region.intersect(picture.header().size.image);
    if region.is_empty() { None } else { Some(Box::new(covered_tiles(picture.header(), region))) }
}

impl Pass {
    fn first(tiles: Tiles) -> Self {
        Self { layer: 0, resolution: 0, tiles, precincts: None, most_layers: 0, most_resolutions: 0 }
    }

    fn next_in_tile(&mut self) -> Option<Item> {
        let precincts = self.precincts.as_mut()?;
        let next = precincts.next();
        if next.is_none() {
            self.precincts = None;
        }
        next
    }

    fn enter(&mut self, picture: &dyn ServedPicture, window: &GridWindow, tile: &Tile) {
        let layers = tile.parameters.style.layers;
        self.most_layers = self.most_layers.max(layers);
        let resolutions =
            tile.components.iter().filter_map(|component| wanted_resolution(component, window.reduce));
        let resolutions = resolutions.max().map_or(0, |finest| finest as u32 + 1);
        self.most_resolutions = self.most_resolutions.max(resolutions);
        if self.layer < layers {
            self.precincts = Some(TilePrecincts::new(picture, window, tile, self.resolution, self.layer));
        }
    }
}

/// The precincts of one resolution of one tile, by position; components take turns.
struct TilePrecincts {
    tile: u32,
    layer: u16,
    layers: u16,
    components: Vec<ComponentPrecincts>,
    /// (precinct, index in `components`), the lowest first.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

struct ComponentPrecincts {
    component: u32,
    /// In the tile-component's own count.
    precincts: Box<dyn Iterator<Item = u64> + Send>,
}

impl TilePrecincts {
    fn new(
        picture: &dyn ServedPicture,
        window: &GridWindow,
        tile: &Tile,
        resolution: u32,
        layer: u16,
    ) -> Self {
        let mut found = Self {
            tile: tile.index,
            layer,
            layers: tile.parameters.style.layers,
            components: Vec::new(),
            next: BinaryHeap::new(),
        };
        let sizes = &picture.header().size.components;
        let parameters = &tile.parameters.components;
        for (index, ((component, size), parameters)) in
            tile.components.iter().zip(sizes).zip(parameters).enumerate()
        {
            let wanted = window.components.as_ref().is_none_or(|wanted| wanted.contains(&(index as u32)));
            let finest = wanted_resolution(component, window.reduce);
            let Some(finest) = finest.filter(|&finest| wanted && resolution as usize <= finest) else {
                continue;
            };
            let output = component_window(component, window.region, size.dx, size.dy, window.reduce);
            if output.is_empty() {
                continue;
            }
            let windows = resolution_windows(component, parameters.coding.transform, output, finest);
            let level = &component.resolutions[resolution as usize];
            let first = level.first_precinct;
            let precincts = level.precincts_meeting(windows[resolution as usize].input);
            found.components.push(ComponentPrecincts {
                component: index as u32,
                precincts: Box::new(precincts.map(move |precinct| first + u64::from(precinct))),
            });
            found.advance(found.components.len() - 1);
        }
        found
    }

    fn advance(&mut self, index: usize) {
        if let Some(precinct) = self.components[index].precincts.next() {
            self.next.push(Reverse((precinct, index)));
        }
    }

    fn next(&mut self) -> Option<Item> {
        let Reverse((precinct, index)) = self.next.pop()?;
        self.advance(index);
        let component = self.components[index].component;
        let precinct = PrecinctId { tile: self.tile, component, precinct };
        Some(Item::Packet { precinct, layer: self.layer, layers: self.layers })
    }
}
