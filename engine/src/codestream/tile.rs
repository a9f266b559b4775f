//! Tiles (T.800 B.3).

use super::header::{MainHeader, TileParameters};
use super::tile_component::TileComponent;
use crate::error::{CodestreamError, Result};
use crate::geometry::Rect;
use crate::limits::Limits;

/// The geometry of one tile. Costs one small record for each component and resolution level; precincts and
/// code-blocks are worked out when asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// Raster index in the tile grid.
    pub index: u32,
    /// The tile's part of the image area on the reference grid; never empty.
    pub rect: Rect,
    /// The parameters in force.
    pub parameters: TileParameters,
    /// One entry for each component of the picture.
    pub components: Vec<TileComponent>,
}

impl Tile {
    /// Works out the geometry of tile `index` under `parameters` (from [`MainHeader::tile_parameters`]).
    ///
    /// # Errors
    /// [`CodestreamError::BadTileParameters`] if they contradict each other: too few step sizes, precincts that
    /// cannot be split into sub-bands. [`LimitError`](crate::error::LimitError) beyond `2^32 - 1` precincts in
    /// a resolution. [`CodestreamError::BadTilePart`] if there is no such tile.
    pub fn new(header: &MainHeader, index: u32, parameters: TileParameters) -> Result<Self> {
        let rect = header.tile_rect(index);
        if rect.is_empty() {
            let reason = format!("there are only {} tiles", header.tile_count());
            return Err(CodestreamError::BadTilePart { offset: 0, tile: index, part: 0, reason }.into());
        }
        if parameters.components.len() != header.size.components.len() {
            let reason = "not the number of components that the picture has".into();
            return Err(CodestreamError::BadTileParameters { tile: index, component: 0, reason }.into());
        }
        let components = (header.size.components.iter().zip(&parameters.components))
            .enumerate()
            .map(|(component, (size, parameters))| {
                TileComponent::new(rect, *size, parameters).map_err(|error| error.at(index, component as u32))
            })
            .collect::<Result<_>>()?;
        Ok(Self { index, rect, parameters, components })
    }

    /// Resolution levels of all components.
    #[must_use]
    pub fn resolution_count(&self) -> u64 {
        self.components.iter().map(|component| component.resolutions.len() as u64).sum()
    }
}

impl TileParameters {
    /// Whether a tile with these parameters may be made.
    ///
    /// # Errors
    /// [`LimitError`](crate::error::LimitError) beyond [`Limits::max_resolutions_per_tile`].
    pub fn check_limits(&self, limits: &Limits) -> Result<()> {
        let levels = self.components.iter().map(|component| u64::from(component.coding.levels) + 1).sum();
        Ok(Limits::check("the resolution levels of a tile", levels, limits.max_resolutions_per_tile)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::codestream::code_block::Orientation;
    use crate::codestream::header::testing::{cod, parse, qcd, soc_siz};
    use crate::codestream::resolution::Resolution;
    use crate::error::Error;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// What the low- or high-pass filter keeps of `start..end`: `u` stands for sample `2u` or `2u + 1`.
    fn filtered((start, end): (u32, u32), high: bool) -> (u32, u32) {
        let kept: Vec<u32> = (0..end).filter(|u| (start..end).contains(&(2 * u + u32::from(high)))).collect();
        kept.first().map_or((0, 0), |first| (*first, kept[kept.len() - 1] + 1))
    }

    /// The range of a band after `level` decompositions, all but the last of them low-pass.
    fn band_range(mut range: (u32, u32), level: u32, high: bool) -> (u32, u32) {
        for step in 1..=level {
            range = filtered(range, high && step == level);
        }
        range
    }

    fn same(rect: Rect, x: (u32, u32), y: (u32, u32)) -> bool {
        let expected = Rect::new(x.0, y.0, x.1, y.1);
        rect == expected || (rect.is_empty() && expected.is_empty())
    }

    fn samples(rect: Rect) -> impl Iterator<Item = (u32, u32)> {
        (rect.y0..rect.y1).flat_map(move |y| (rect.x0..rect.x1).map(move |x| (x, y)))
    }

    fn check_precincts(resolution: &Resolution, window: Rect) {
        let (x, y) = (resolution.precinct_width_exponent, resolution.precinct_height_exponent);
        let cells: BTreeSet<_> = samples(resolution.rect).map(|(u, v)| (v >> y, u >> x)).collect();
        assert_eq!(resolution.precinct_count(), cells.len() as u64);
        let in_window = |(u, v): (u32, u32)| {
            let there = Rect::new(u, v, u + 1, v + 1);
            window.contains(there) && resolution.rect.contains(there)
        };
        let mut meeting = Vec::new();
        for (precinct, &(row, column)) in (0..).zip(&cells) {
            let mine: Vec<_> =
                samples(resolution.rect).filter(|(u, v)| (v >> y, u >> x) == (row, column)).collect();
            assert_eq!(samples(resolution.precinct_rect(precinct)).collect::<Vec<_>>(), mine);
            if mine.iter().any(|&sample| in_window(sample)) {
                meeting.push(precinct);
            }
            for (index, band) in resolution.bands.iter().enumerate() {
                let half = u8::from(band.orientation != Orientation::Ll);
                let of_precinct: Vec<_> = samples(band.rect)
                    .filter(|(u, v)| (v >> (y - half), u >> (x - half)) == (row, column))
                    .collect();
                let rect = resolution.precinct_band_rect(precinct, index);
                assert_eq!(samples(rect).collect::<Vec<_>>(), of_precinct);
                let grid = band.code_blocks(rect);
                let (bx, by) = (band.code_block_width_exponent, band.code_block_height_exponent);
                let blocks: BTreeSet<_> = samples(rect).map(|(u, v)| (v >> by, u >> bx)).collect();
                assert_eq!(grid.len(), blocks.len() as u64);
                for (block, &at) in (0..).zip(&blocks) {
                    let mine = samples(rect).filter(|(u, v)| (v >> by, u >> bx) == at);
                    assert!(samples(grid.rect(block)).eq(mine));
                }
            }
        }
        assert_eq!(resolution.precincts_meeting(window).collect::<Vec<_>>(), meeting);
        assert!(resolution.precinct_rect(cells.len() as u32).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
        #[test]
        fn geometry_is_what_the_definitions_enumerate(
            (x0, y0, width, height) in (0u32..40, 0u32..40, 1u32..40, 1u32..40),
            (tile_width, tile_height, back_x, back_y) in (1u32..50, 1u32..50, 0u32..20, 0u32..20),
            (dx, dy, levels) in (1u8..4, 1u8..4, 0u8..5),
            (ppx, ppy, xcb, ycb) in (1u8..7, 1u8..7, 2u8..5, 2u8..5),
            window in (0u32..50, 0u32..50, 0u32..30, 0u32..30),
        ) {
            let image = Rect::new(x0, y0, x0 + width, y0 + height);
            let (tile_x0, tile_y0) = (x0.saturating_sub(back_x.min(tile_width - 1)), y0.saturating_sub(back_y.min(tile_height - 1)));
            let tile = Rect::new(tile_x0, tile_y0, tile_x0 + tile_width, tile_y0 + tile_height);
            let mut precincts = vec![ppx | ppy << 4; usize::from(levels) + 1];
            precincts[0] = (ppx - 1) | (ppy - 1) << 4;
            let header = parse(&[
                soc_siz(image, tile, &[(7, dx, dy)]), cod(1, 1, levels, (xcb, ycb), 0, &precincts), qcd(levels),
            ]);
            let mut covered = 0;
            for index in 0..header.tile_count() {
                let tile = Tile::new(&header, index, header.tile_parameters(index, &[]).unwrap()).unwrap();
                covered += tile.rect.area();
                let component = &tile.components[0];
                let on_component = |start: u32, end: u32, step: u8| {
                    let kept: Vec<u32> =
                        (0..end).filter(|u| (start..end).contains(&(u * u32::from(step)))).collect();
                    kept.first().map_or((0, 0), |first| (*first, kept[kept.len() - 1] + 1))
                };
                let (x, y) = (
                    on_component(tile.rect.x0, tile.rect.x1, dx), on_component(tile.rect.y0, tile.rect.y1, dy),
                );
                prop_assert!(same(component.rect, x, y));
                if component.rect.is_empty() { continue; }
                let mut precincts = 0;
                for (r, resolution) in (0..).zip(&component.resolutions) {
                    prop_assert_eq!(resolution.first_precinct, precincts);
                    precincts += resolution.precinct_count();
                    let down = u32::from(levels) - r;
                    prop_assert!(same(resolution.rect, band_range(x, down, false), band_range(y, down, false)));
                    let level = if r == 0 { down } else { down + 1 };
                    for band in &resolution.bands {
                        let (high_x, high_y) = band.orientation.high_pass();
                        prop_assert!(same(band.rect, band_range(x, level, high_x), band_range(y, level, high_y)));
                    }
                    let (wx, wy, ww, wh) = window;
                    check_precincts(resolution, Rect::new(wx, wy, wx + ww, wy + wh));
                }
                prop_assert_eq!(component.precincts, precincts);
            }
            prop_assert_eq!(covered, image.area());
        }
    }

    #[test]
    fn coordinates_reach_the_end_of_32_bits() {
        let image = Rect::new(0, u32::MAX - 65_536, u32::MAX, u32::MAX);
        let header = parse(&[soc_siz(image, image, &[(7, 1, 1)]), cod(0, 1, 32, (6, 6), 0, &[]), qcd(32)]);
        let tile = Tile::new(&header, 0, header.tile_parameters.clone()).unwrap();
        let finest = &tile.components[0].resolutions[32];
        assert_eq!((finest.precincts_wide, finest.precincts_high), (1 << 17, 3));
        let last = finest.precinct_rect((3 << 17) - 1);
        assert_eq!(last, Rect::new(u32::MAX - 32_767, u32::MAX - 32_767, u32::MAX, u32::MAX));
        assert_eq!(finest.precincts_meeting(image).count(), 3 << 17);
        assert_eq!(tile.components[0].resolutions[0].rect, Rect::new(0, 1, 1, 1));
        assert_eq!(finest.bands[2].code_blocks(finest.precinct_band_rect((1 << 17) + 5, 2)).len(), 256 * 256);
    }

    #[test]
    fn more_precincts_than_can_be_numbered_are_refused() {
        let image = Rect::new(0, 0, u32::MAX, u32::MAX);
        let header = parse(&[soc_siz(image, image, &[(7, 1, 1)]), cod(0, 1, 0, (6, 6), 0, &[]), qcd(0)]);
        assert!(matches!(Tile::new(&header, 0, header.tile_parameters.clone()), Err(Error::Limit(_))));
    }

    #[test]
    fn parameters_that_contradict_each_other_are_errors() {
        let image = Rect::new(0, 0, 64, 64);
        let reason = |cod: Vec<u8>, qcd: Vec<u8>| {
            let header = parse(&[soc_siz(image, image, &[(7, 1, 1)]), cod, qcd]);
            match Tile::new(&header, 0, header.tile_parameters.clone()) {
                Err(Error::Codestream(CodestreamError::BadTileParameters { reason, .. })) => reason,
                other => panic!("{other:?}"),
            }
        };
        assert!(reason(cod(0, 1, 3, (6, 6), 0, &[]), qcd(2)).contains("7 step sizes for 10"));
        assert!(reason(cod(1, 1, 1, (6, 6), 0, &[0x00, 0x01]), qcd(1)).contains("resolution 1"));
    }
}
