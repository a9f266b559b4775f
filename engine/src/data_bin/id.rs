//! Names of data-bins (T.808 A.2 and A.3).

/// One data-bin of a codestream, or of the file for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataBinId {
    /// The main header: SOC up to, not including, the first SOT; without pointer marker segments.
    MainHeader,
    /// The marker segments of all tile-part headers of a tile, without SOT and SOD.
    TileHeader(u32),
    /// The packets of one precinct, all layers one after another; see [`PrecinctId`] for the number.
    Precinct(u64),
    /// All tile-parts of a tile (JPT-streams).
    Tile(u32),
    /// Boxes of the file; number 0 is the root.
    Metadata(u64),
}

/// One precinct of one tile-component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrecinctId {
    /// Tile index ("t").
    pub tile: u32,
    /// Component index ("c").
    pub component: u32,
    /// Precincts of all lower resolutions of the tile-component, plus the raster index in the
    /// precinct's own resolution ("s").
    pub precinct: u64,
}

impl PrecinctId {
    /// The in-class number `t + (c + s * C) * T` of a codestream with `components` components and
    /// `tiles` tiles; `None` if the precinct does not exist there or the number needs more than 64 bits.
    #[must_use]
    pub fn in_class_id(self, components: u32, tiles: u32) -> Option<u64> {
        if self.tile >= tiles || self.component >= components {
            return None;
        }
        let within = self.precinct.checked_mul(components.into())?.checked_add(self.component.into())?;
        within.checked_mul(tiles.into())?.checked_add(self.tile.into())
    }

    /// The precinct that an in-class number names; `None` if a count is 0.
    #[must_use]
    pub fn from_in_class_id(id: u64, components: u32, tiles: u32) -> Option<Self> {
        if components == 0 || tiles == 0 {
            return None;
        }
        let (within, tile) = (id / u64::from(tiles), id % u64::from(tiles));
        let (precinct, component) = (within / u64::from(components), within % u64::from(components));
        // Remainders of a division by a u32 fit.
        Some(Self { tile: tile as u32, component: component as u32, precinct })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn in_class_numbers_follow_the_formula_and_come_back() {
        let id = PrecinctId { tile: 3, component: 2, precinct: 7 };
        assert_eq!(id.in_class_id(4, 12), Some(3 + (2 + 7 * 4) * 12));
        for number in [0, 1, 12, 47, 48, 1000, u64::MAX] {
            let id = PrecinctId::from_in_class_id(number, 4, 12).unwrap();
            assert_eq!(id.in_class_id(4, 12), Some(number));
        }
    }

    #[test]
    fn numbers_that_do_not_exist_are_refused() {
        assert_eq!(PrecinctId { tile: 12, component: 0, precinct: 0 }.in_class_id(4, 12), None);
        assert_eq!(PrecinctId { tile: 0, component: 4, precinct: 0 }.in_class_id(4, 12), None);
        assert_eq!(PrecinctId { tile: 0, component: 0, precinct: u64::MAX }.in_class_id(4, 12), None);
        assert_eq!(PrecinctId::from_in_class_id(5, 0, 1), None);
    }
}
