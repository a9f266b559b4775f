//! What a server believes one client holds of one picture (the cache model of T.808 Annex B and C.8).

use super::held::{Held, HeldMap};
use super::islands::Islands;
use crate::jpip::wire::cache_model::{BinSelector, CacheModel, Extent};
use crate::jpip::wire::fields::NumberRange;
use std::ops::Range;
use wavetile_engine::data_bin::DataBinId;

/// The state of all data-bins of one codestream, and of the metadata if it is the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientModel {
    main_header: Held,
    tile_headers: HeldMap,
    precincts: HeldMap,
    metadata: HeldMap,
    tiles: HeldMap,
    islands: Islands,
}

impl ClientModel {
    /// How much of a data-bin the client holds.
    #[must_use]
    pub(super) fn held(&self, id: DataBinId) -> Held {
        match id {
            DataBinId::MainHeader => self.main_header,
            DataBinId::TileHeader(tile) => self.tile_headers.held(tile.into()),
            DataBinId::Precinct(id) => self.precincts.held(id),
            DataBinId::Metadata(id) => self.metadata.held(id),
            DataBinId::Tile(tile) => self.tiles.held(tile.into()),
        }
    }

    /// Bytes behind a gap that the client holds, the first of them that reach beyond `at`.
    #[must_use]
    pub(super) fn island(&self, id: DataBinId, at: u64) -> Option<Range<u64>> {
        self.islands.next(id, at)
    }

    /// Notes that bytes of a data-bin were handed out. `follow`: as many identifiers of precincts after
    /// it name none, and may be noted along.
    pub(super) fn note(&mut self, id: DataBinId, follow: u64, held: Held) {
        match id {
            DataBinId::MainHeader => self.main_header = held,
            DataBinId::TileHeader(tile) => self.tile_headers.update(tile.into(), tile.into(), |_| held),
            DataBinId::Precinct(id) => self.precincts.update(id, id.saturating_add(follow), |_| held),
            DataBinId::Metadata(id) => self.metadata.update(id, id, |_| held),
            DataBinId::Tile(tile) => self.tiles.update(tile.into(), tile.into(), |_| held),
        }
    }

    /// Applies what the client itself says about codestream `number`; `asked`: its request asks for that
    /// codestream. Statements that add are left out unless `additive`: those of a late request may be out of
    /// date.
    pub(super) fn apply(&mut self, model: &CacheModel, number: u32, asked: bool, additive: bool) {
        for statement in &model.statements {
            let about = match statement.bins {
                // The metadata is that of the file.
                BinSelector::Metadata(_) => number == 0,
                _ => statement.is_about(number.into(), asked),
            };
            if !about || !(additive || statement.subtract) {
                continue;
            }
            let (extent, subtract) = (statement.extent, statement.subtract);
            match (extent, statement.bins.one()) {
                _ if subtract => self.islands.remove(&statement.bins),
                (Extent::Between(from, to), Some(id)) => self.islands.insert(id, from..to),
                _ => (),
            }
            match &statement.bins {
                BinSelector::MainHeader => {
                    self.main_header = change(self.main_header, extent, subtract, false)
                }
                BinSelector::TileHeaders(range) => {
                    update(&mut self.tile_headers, *range, |held| change(held, extent, subtract, false));
                }
                BinSelector::Metadata(range) => {
                    update(&mut self.metadata, *range, |held| change(held, extent, subtract, false));
                }
                BinSelector::Precincts(range) => {
                    update(&mut self.precincts, *range, |held| change(held, extent, subtract, true));
                }
                // They were made explicit before: `CacheModel::explicit`.
                BinSelector::Implicit(_) | BinSelector::TileParts(..) => (),
                BinSelector::Tiles(range) => {
                    update(&mut self.tiles, *range, |held| change(held, extent, subtract, false));
                }
            }
        }
    }

    /// Forgets about half of its runs, the shortest; what lies behind gaps is forgotten as well.
    pub(super) fn forget_some(&mut self) {
        for map in [&mut self.tile_headers, &mut self.precincts, &mut self.metadata, &mut self.tiles] {
            map.forget_shortest();
        }
        self.islands = Islands::default();
    }

    /// Bytes of memory that the model takes.
    #[must_use]
    pub(super) fn memory(&self) -> usize {
        let maps = [&self.tile_headers, &self.precincts, &self.metadata, &self.tiles];
        maps.map(HeldMap::memory).iter().sum::<usize>() + self.islands.memory()
    }
}

fn update(map: &mut HeldMap, range: NumberRange, change: impl Fn(Held) -> Held) {
    map.update(range.from, range.to.unwrap_or(u64::MAX), change);
}

fn change(held: Held, extent: Extent, subtract: bool, has_layers: bool) -> Held {
    let said = match extent {
        Extent::Whole if subtract => Held::Nothing,
        Extent::Whole => Held::All,
        Extent::Bytes(bytes) => Held::Bytes(bytes),
        Extent::Layers(layers) if has_layers => Held::Layers(layers),
        Extent::Layers(_) | Extent::Between(..) => Held::Nothing,
    };
    if subtract { held.at_most(said) } else { held.at_least(said) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(texts: &[&str]) -> ClientModel {
        let mut model = ClientModel::default();
        for text in texts {
            model.apply(&CacheModel::parse(text).unwrap(), 0, true, true);
        }
        model
    }

    #[test]
    fn statements_take_effect_in_order() {
        let model = said(&["Hm,H*,M0:10,P0-9,P20:L2,-P3,-P4:7,P4:9"]);
        assert_eq!(model.held(DataBinId::MainHeader), Held::All);
        assert_eq!(model.held(DataBinId::TileHeader(77)), Held::All);
        assert_eq!(model.held(DataBinId::Metadata(0)), Held::Bytes(10));
        assert_eq!(model.held(DataBinId::Metadata(1)), Held::Nothing);
        assert_eq!(model.held(DataBinId::Precinct(2)), Held::All);
        assert_eq!(model.held(DataBinId::Precinct(3)), Held::Nothing);
        assert_eq!(model.held(DataBinId::Precinct(4)), Held::Bytes(9));
        assert_eq!(model.held(DataBinId::Precinct(20)), Held::Layers(2));
        assert_eq!(said(&["P*,Hm", "-P*,-Hm"]), ClientModel::default());
    }

    #[test]
    fn other_codestreams_are_left_alone() {
        assert_eq!(said(&["[1]P5,Hm"]), ClientModel::default());
        assert_eq!(said(&["T4-5,-T5"]).held(DataBinId::Tile(4)), Held::All);
        assert_eq!(said(&["T4-5,-T5"]).held(DataBinId::Tile(5)), Held::Nothing);
    }

    #[test]
    fn a_late_request_only_takes_away() {
        let mut model = said(&["P5"]);
        model.apply(&CacheModel::parse("P6,-P5").unwrap(), 0, true, false);
        assert_eq!(model, ClientModel::default());
    }

    #[test]
    fn each_codestream_takes_what_is_said_of_it_and_the_first_the_metadata() {
        let statements = CacheModel::parse("P1,[1]P2,M0").unwrap();
        let model = |number, asked| {
            let mut model = ClientModel::default();
            model.apply(&statements, number, asked, true);
            [DataBinId::Precinct(1), DataBinId::Precinct(2), DataBinId::Metadata(0)]
                .map(|id| model.held(id) == Held::All)
        };
        assert_eq!(model(0, true), [true, false, true]);
        assert_eq!(model(1, true), [true, true, false]);
        assert_eq!(model(1, false), [false, true, false]);
        assert_eq!(model(2, false), [false; 3]);
    }
}
