//! Order of the packets of a tile (T.800 B.12).
//!
//! The loops over positions of B.12.1.3 to B.12.1.5 are not run unit by unit. In a resolution the
//! precincts, taken row by row, have ascending positions on the reference grid, so the loops amount to
//! merging these sequences. Only precincts that exist are ever looked at.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::header::{ComponentSize, Progression, ProgressionChange};
use super::tile::Tile;

/// Names one packet of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId {
    /// Component index.
    pub component: u32,
    /// Resolution level, 0 = coarsest.
    pub resolution: u32,
    /// Raster index of the precinct in the resolution.
    pub precinct: u32,
    /// Quality layer.
    pub layer: u16,
}

/// The packets of a tile in the order in which they stand in the codestream.
///
/// Progression order changes that name packets again are followed as B.12.2 says: a packet stands only
/// once. Where changes do little but repeat others the iterator gives up, see
/// [`gave_up`](Packets::gave_up).
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    geometry: Geometry<'a>,
    order: PacketOrder,
}

impl<'a> Packets<'a> {
    /// All packets of `tile`; `components` as in the header of its codestream.
    #[must_use]
    pub fn new(tile: &'a Tile, components: &'a [ComponentSize]) -> Self {
        Self { geometry: Geometry { tile, components }, order: PacketOrder::new(tile) }
    }

    /// Whether the iterator ended because progression order changes repeat each other without end.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.order.patience == 0
    }
}

impl Iterator for Packets<'_> {
    type Item = PacketId;

    fn next(&mut self) -> Option<PacketId> {
        self.order.next(self.geometry.tile, self.geometry.components)
    }
}

/// How far the packets of a tile have been named: what [`Packets`] is made of, for those who keep the tile
/// elsewhere.
#[derive(Clone, Debug)]
pub(super) struct PacketOrder {
    volumes: Vec<ProgressionChange>,
    next_volume: usize,
    volume: Option<Volume>,
    sent: Option<HashMap<(u32, u32, u32), u16>>,
    /// How many more packets may be passed over because they stood before.
    patience: u64,
}

impl PacketOrder {
    pub(super) fn new(tile: &Tile) -> Self {
        let style = &tile.parameters.style;
        let mut volumes = tile.parameters.progression_changes.clone();
        if volumes.is_empty() {
            volumes.push(ProgressionChange {
                resolution_start: 0,
                component_start: 0,
                layer_end: style.layers,
                resolution_end: u8::MAX,
                component_end: u16::MAX,
                progression: style.progression,
            });
        }
        for volume in &mut volumes {
            volume.layer_end = volume.layer_end.min(style.layers);
        }
        let sent = (volumes.len() > 1).then(HashMap::new);
        Self { volumes, next_volume: 0, volume: None, sent, patience: PATIENCE }
    }

    /// The next packet; `tile` and `components` are the same in all calls.
    pub(super) fn next(&mut self, tile: &Tile, components: &[ComponentSize]) -> Option<PacketId> {
        let geometry = Geometry { tile, components };
        while self.patience > 0 {
            let packet = self.next_anywhere(geometry)?;
            let Some(sent) = &mut self.sent else { return Some(packet) };
            let layers = sent.entry((packet.component, packet.resolution, packet.precinct)).or_default();
            if *layers == packet.layer {
                *layers += 1;
                self.patience = self.patience.saturating_add(PATIENCE_PER_PACKET);
                return Some(packet);
            }
            self.patience -= 1;
        }
        None
    }

    fn next_anywhere(&mut self, geometry: Geometry<'_>) -> Option<PacketId> {
        loop {
            if let Some(packet) = self.volume.as_mut().and_then(|volume| volume.next(geometry)) {
                return Some(packet);
            }
            let change = self.volumes.get(self.next_volume)?;
            self.next_volume += 1;
            let volume = Volume::new(geometry.tile, change);
            if self.volumes.len() > 1 {
                self.patience = self.patience.saturating_sub(1 + volume.grids.len() as u64 / 16);
            }
            self.volume = Some(volume);
            if self.patience == 0 {
                return None;
            }
        }
    }
}

const PATIENCE: u64 = 1 << 16;
const PATIENCE_PER_PACKET: u64 = 64;

/// What the loops run over.
#[derive(Clone, Copy, Debug)]
struct Geometry<'a> {
    tile: &'a Tile,
    components: &'a [ComponentSize],
}

/// A resolution of a component that has precincts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    component: u32,
    resolution: u32,
    precincts: u32,
}

/// Position of a precinct on the reference grid, row first, then component and resolution.
type Turn = (u32, u32, u32, u32);

/// The packets of one progression order volume.
#[derive(Clone, Debug)]
struct Volume {
    progression: Progression,
    layers: u16,
    /// In the order of the loops outside the position, those inside a group by turns.
    grids: Vec<Grid>,
    /// Number of grids at the start of `grids` that are done.
    done: usize,
    layer: u16,
    precinct: u32,
    /// First grid of the resolution that is run through for each layer (RLCP).
    group: usize,
    /// Next precinct of each grid of the group that is merged.
    heap: BinaryHeap<Reverse<(Turn, u32)>>,
    /// The precinct whose layers are being named.
    current: Option<PacketId>,
}

impl Volume {
    fn new(tile: &Tile, change: &ProgressionChange) -> Self {
        let mut grids = Vec::new();
        let components = (0u32..).zip(&tile.components);
        for (component, geometry) in
            components.take(usize::from(change.component_end)).skip(usize::from(change.component_start))
        {
            let resolutions = (0u32..).zip(&geometry.resolutions);
            for (resolution, level) in resolutions
                .take(usize::from(change.resolution_end))
                .skip(usize::from(change.resolution_start))
            {
                // `Resolution` bounds the count to 32 bits.
                let precincts = level.precinct_count() as u32;
                if precincts > 0 && change.layer_end > 0 {
                    grids.push(Grid { component, resolution, precincts });
                }
            }
        }
        if change.progression != Progression::Cprl {
            grids.sort_by_key(|grid| (grid.resolution, grid.component));
        }
        Self {
            progression: change.progression,
            layers: change.layer_end,
            grids,
            done: 0,
            layer: 0,
            precinct: 0,
            group: 0,
            heap: BinaryHeap::new(),
            current: None,
        }
    }

    fn next(&mut self, geometry: Geometry<'_>) -> Option<PacketId> {
        match self.progression {
            Progression::Lrcp | Progression::Rlcp => self.next_by_layer(),
            Progression::Rpcl | Progression::Pcrl | Progression::Cprl => self.next_by_position(geometry),
        }
    }

    /// B.12.1.1 and B.12.1.2.
    fn next_by_layer(&mut self) -> Option<PacketId> {
        if self.layer >= self.layers {
            return None;
        }
        let grid = *self.grids.get(self.done)?;
        let packet = PacketId {
            component: grid.component,
            resolution: grid.resolution,
            precinct: self.precinct,
            layer: self.layer,
        };
        self.precinct += 1;
        if self.precinct == grid.precincts {
            self.precinct = 0;
            self.done += 1;
            let next = self.grids.get(self.done);
            let group_ends = match self.progression {
                Progression::Rlcp => next.is_none_or(|next| next.resolution != grid.resolution),
                _ => next.is_none(),
            };
            if group_ends {
                self.layer += 1;
                if self.layer < self.layers {
                    self.done = self.group;
                } else if self.progression == Progression::Rlcp {
                    self.layer = 0;
                    self.group = self.done;
                }
            }
        }
        Some(packet)
    }

    /// B.12.1.3 to B.12.1.5.
    fn next_by_position(&mut self, geometry: Geometry<'_>) -> Option<PacketId> {
        if let Some(packet) = &mut self.current {
            packet.layer += 1;
            if packet.layer < self.layers {
                return Some(*packet);
            }
        }
        if self.heap.is_empty() {
            self.next_group(geometry);
        }
        let Reverse(((_, _, major, minor), precinct)) = self.heap.pop()?;
        let (component, resolution) = self.component_and_resolution(major, minor);
        let grid = Grid { component, resolution, precincts: 0 };
        if let Some(turn) = self.turn(geometry, grid, precinct + 1) {
            self.heap.push(Reverse((turn, precinct + 1)));
        }
        self.current = Some(PacketId { component, resolution, precinct, layer: 0 });
        self.current
    }

    /// Starts the next turn of the loops outside the position.
    fn next_group(&mut self, geometry: Geometry<'_>) {
        let rest = &self.grids[self.done..];
        let Some(first) = rest.first() else { return };
        let length = match self.progression {
            Progression::Rpcl => rest.iter().take_while(|grid| grid.resolution == first.resolution).count(),
            Progression::Cprl => rest.iter().take_while(|grid| grid.component == first.component).count(),
            _ => rest.len(),
        };
        let turns =
            rest[..length].iter().filter_map(|&grid| Some(Reverse((self.turn(geometry, grid, 0)?, 0))));
        self.heap = turns.collect();
        self.done += length;
    }

    /// When a precinct has its turn; `None` past the last one.
    fn turn(&self, geometry: Geometry<'_>, grid: Grid, precinct: u32) -> Option<Turn> {
        let (y, x) = geometry.position(grid.component, grid.resolution, precinct)?;
        Some(match self.progression {
            Progression::Pcrl => (y, x, grid.component, grid.resolution),
            _ => (y, x, grid.resolution, grid.component),
        })
    }

    /// Undoes the order of [`turn`](Self::turn).
    fn component_and_resolution(&self, major: u32, minor: u32) -> (u32, u32) {
        if self.progression == Progression::Pcrl { (major, minor) } else { (minor, major) }
    }
}

impl Geometry<'_> {
    /// Where the loops over y and x meet a precinct, on the reference grid, row first; `None` if there is
    /// no such precinct. It is the precinct's upper left corner or, where that lies outside the tile, the
    /// tile's.
    fn position(&self, component: u32, resolution: u32, precinct: u32) -> Option<(u32, u32)> {
        let size = self.components.get(component as usize)?;
        let resolutions = &self.tile.components.get(component as usize)?.resolutions;
        let level = resolutions.get(resolution as usize)?;
        if u64::from(precinct) >= level.precinct_count() {
            return None;
        }
        let corner = level.precinct_rect(precinct);
        let shift = resolutions.len() as u32 - 1 - resolution;
        let edge = |start: u32, first: u32, exponent: u8, separation: u8, tile_start: u32| {
            // Only the first row and column may start off the multiples of the precinct size.
            if start == first && start & ((1 << exponent) - 1) != 0 {
                tile_start
            } else {
                // Inside the tile, so within 32 bits.
                ((u64::from(start) << shift) * u64::from(separation)) as u32
            }
        };
        Some((
            edge(corner.y0, level.rect.y0, level.precinct_height_exponent, size.dy, self.tile.rect.y0),
            edge(corner.x0, level.rect.x0, level.precinct_width_exponent, size.dx, self.tile.rect.x0),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::codestream::header::MainHeader;
    use crate::codestream::header::testing::{cod, parse, qcd, soc_siz};
    use crate::geometry::Rect;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The loops of B.12.1 as they are written there.
    fn literal(tile: &Tile, sizes: &[ComponentSize]) -> Vec<PacketId> {
        let style = &tile.parameters.style;
        let whole = ProgressionChange {
            resolution_start: 0,
            component_start: 0,
            layer_end: style.layers,
            resolution_end: 33,
            component_end: 16_384,
            progression: style.progression,
        };
        let changes = match &tile.parameters.progression_changes[..] {
            [] => &[whole][..],
            changes => changes,
        };
        let mut packets = Vec::new();
        let mut seen = BTreeSet::new();
        for change in changes {
            let layers = 0..change.layer_end.min(style.layers);
            let most = tile.components.iter().map(|c| c.resolutions.len() as u32).max().unwrap();
            let resolutions = u32::from(change.resolution_start)..most.min(change.resolution_end.into());
            let components = u32::from(change.component_start)
                ..(tile.components.len() as u32).min(change.component_end.into());
            let count = |c: u32, r: u32| {
                let level = tile.components[c as usize].resolutions.get(r as usize);
                level.map_or(0, |level| level.precinct_count() as u32)
            };
            let at = |c: u32, r: u32, y: u32, x: u32| -> Option<u32> {
                let component = &tile.components[c as usize];
                let level = component.resolutions.get(r as usize)?;
                if level.rect.is_empty() {
                    return None;
                }
                let n = component.resolutions.len() as u32 - 1 - r;
                let meets = |v: u32, t0: u32, tr0: u32, separation: u8, pp: u8| {
                    u64::from(v).is_multiple_of(u64::from(separation) << (u32::from(pp) + n))
                        || (v == t0 && !(u64::from(tr0) << n).is_multiple_of(1 << (u32::from(pp) + n)))
                };
                let (dx, dy) = (sizes[c as usize].dx, sizes[c as usize].dy);
                let (ppx, ppy) = (level.precinct_width_exponent, level.precinct_height_exponent);
                let index = |v: u32, tr0: u32, separation: u8, pp: u8| {
                    (v.div_ceil(u32::from(separation) << n) >> pp) - (tr0 >> pp)
                };
                (meets(y, tile.rect.y0, level.rect.y0, dy, ppy)
                    && meets(x, tile.rect.x0, level.rect.x0, dx, ppx))
                .then(|| {
                    index(x, level.rect.x0, dx, ppx) + level.precincts_wide * index(y, level.rect.y0, dy, ppy)
                })
            };
            let positions = || {
                (tile.rect.y0..tile.rect.y1).flat_map(|y| (tile.rect.x0..tile.rect.x1).map(move |x| (y, x)))
            };
            let mut send = |component: u32, resolution: u32, precinct: u32, layer: u16| {
                let packet = PacketId { component, resolution, precinct, layer };
                if seen.insert(packet) {
                    packets.push(packet);
                }
            };
            match change.progression {
                Progression::Lrcp => {
                    for l in layers {
                        for r in resolutions.clone() {
                            for c in components.clone() {
                                (0..count(c, r)).for_each(|k| send(c, r, k, l));
                            }
                        }
                    }
                }
                Progression::Rlcp => {
                    for r in resolutions {
                        for l in layers.clone() {
                            for c in components.clone() {
                                (0..count(c, r)).for_each(|k| send(c, r, k, l));
                            }
                        }
                    }
                }
                Progression::Rpcl => {
                    for r in resolutions {
                        for (y, x) in positions() {
                            for c in components.clone() {
                                if let Some(k) = at(c, r, y, x) {
                                    layers.clone().for_each(|l| send(c, r, k, l));
                                }
                            }
                        }
                    }
                }
                Progression::Pcrl => {
                    for (y, x) in positions() {
                        for c in components.clone() {
                            for r in resolutions.clone() {
                                if let Some(k) = at(c, r, y, x) {
                                    layers.clone().for_each(|l| send(c, r, k, l));
                                }
                            }
                        }
                    }
                }
                Progression::Cprl => {
                    for c in components {
                        for (y, x) in positions() {
                            for r in resolutions.clone() {
                                if let Some(k) = at(c, r, y, x) {
                                    layers.clone().for_each(|l| send(c, r, k, l));
                                }
                            }
                        }
                    }
                }
            }
        }
        packets
    }

    const ORDERS: [Progression; 5] =
        [Progression::Lrcp, Progression::Rlcp, Progression::Rpcl, Progression::Pcrl, Progression::Cprl];

    #[derive(Clone, Debug)]
    struct Shape {
        image: Rect,
        tile: Rect,
        components: Vec<(u8, u8, u8)>,
        precincts: Vec<Vec<(u8, u8)>>,
        layers: u16,
    }

    fn shape() -> impl Strategy<Value = Shape> {
        let corner = (0u32..20, 0u32..20, 1u32..45, 1u32..45);
        let tile = (1u32..50, 1u32..50, 0u32..9, 0u32..9);
        let component = (1u8..4, 1u8..4, prop::collection::vec((0u8..6, 0u8..6), 1..5));
        (corner, tile, prop::collection::vec(component, 1..4), 1u16..4).prop_map(
            |((x0, y0, width, height), (tile_width, tile_height, back_x, back_y), components, layers)| {
                let tile_x0 = x0.saturating_sub(back_x.min(tile_width - 1));
                let tile_y0 = y0.saturating_sub(back_y.min(tile_height - 1));
                Shape {
                    image: Rect::new(x0, y0, x0 + width, y0 + height),
                    tile: Rect::new(tile_x0, tile_y0, tile_x0 + tile_width, tile_y0 + tile_height),
                    components: components.iter().map(|&(dx, dy, _)| (7, dx, dy)).collect(),
                    precincts: components.into_iter().map(|(_, _, precincts)| precincts).collect(),
                    layers,
                }
            },
        )
    }

    fn change() -> impl Strategy<Value = ProgressionChange> {
        (0u8..4, 0u16..3, 0u16..5, 0u8..6, 0u16..4, 0usize..5).prop_map(|(rs, cs, le, re, ce, order)| {
            ProgressionChange {
                resolution_start: rs,
                component_start: cs,
                layer_end: le,
                resolution_end: re,
                component_end: ce,
                progression: ORDERS[order],
            }
        })
    }

    fn tiles(shape: &Shape) -> (MainHeader, Vec<Tile>) {
        let header = parse(&[
            soc_siz(shape.image, shape.tile, &shape.components),
            cod(0, shape.layers, 5, (2, 2), 0, &[]),
            qcd(5),
        ]);
        let mut parameters = header.tile_parameters.clone();
        for (component, precincts) in parameters.components.iter_mut().zip(&shape.precincts) {
            component.coding.levels = precincts.len() as u8 - 1;
            component.coding.precinct_exponents = precincts.clone();
            for (w, h) in component.coding.precinct_exponents.iter_mut().skip(1) {
                (*w, *h) = ((*w).max(1), (*h).max(1));
            }
        }
        let tiles =
            (0..header.tile_count()).map(|t| Tile::new(&header, t, parameters.clone()).unwrap()).collect();
        (header, tiles)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]
        #[test]
        fn the_order_is_that_of_the_loops(shape in shape(), changes in prop::collection::vec(change(), 0..5)) {
            let (header, mut tiles) = tiles(&shape);
            let sizes = &header.size.components;
            for tile in &mut tiles {
                for order in ORDERS {
                    tile.parameters.style.progression = order;
                    let packets: Vec<_> = Packets::new(tile, sizes).collect();
                    prop_assert_eq!(&packets, &literal(tile, sizes), "{:?}", order);
                    let precincts: u64 = tile.components.iter().map(|c| c.precincts).sum();
                    prop_assert_eq!(packets.len() as u64, precincts * u64::from(shape.layers));
                }
                tile.parameters.progression_changes = changes.clone();
                let packets: Vec<_> = Packets::new(tile, sizes).collect();
                prop_assert_eq!(&packets, &literal(tile, sizes));
            }
        }
    }

    #[test]
    fn enormous_pictures_start_at_once() {
        let image = Rect::new(0, 0, u32::MAX, 1 << 29);
        let header = parse(&[
            soc_siz(image, image, &[(7, 1, 1), (7, 255, 255)]),
            cod(0, 65_535, 32, (6, 6), 0, &[]),
            qcd(32),
        ]);
        let mut tile = Tile::new(&header, 0, header.tile_parameters.clone()).unwrap();
        for order in ORDERS {
            tile.parameters.style.progression = order;
            let mut packets = Packets::new(&tile, &header.size.components);
            let first = packets.next().unwrap();
            assert_eq!((first.component, first.resolution, first.precinct, first.layer), (0, 0, 0, 0));
            assert_eq!(packets.by_ref().take(100_000).count(), 100_000);
        }
    }

    #[test]
    fn changes_that_only_repeat_are_given_up() {
        let image = Rect::new(0, 0, 1000, 1000);
        let header =
            parse(&[soc_siz(image, image, &[(7, 1, 1)]), cod(0, 1, 5, (2, 2), 0, &[0x22; 6]), qcd(5)]);
        let mut tile = Tile::new(&header, 0, header.tile_parameters.clone()).unwrap();
        let all = Packets::new(&tile, &header.size.components).count();
        let change = ProgressionChange {
            resolution_start: 0,
            component_start: 0,
            layer_end: 1,
            resolution_end: 33,
            component_end: 1,
            progression: Progression::Rpcl,
        };
        for (repeats, gives_up) in [(30, false), (20_000, true)] {
            tile.parameters.progression_changes = vec![change; repeats];
            let mut packets = Packets::new(&tile, &header.size.components);
            assert_eq!(packets.by_ref().count(), all);
            assert_eq!(packets.gave_up(), gives_up);
        }
    }
}
