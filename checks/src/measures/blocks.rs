//! Which code-blocks pages are made of, by geometry alone.

use std::collections::HashSet;
use std::sync::Arc;
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::low_level::plan::reach::{
    band_window, component_window, resolution_windows, wanted_resolution,
};
use wavetile_engine::tiles::{PageId, Pyramid};
use wavetile_engine::{Image, Rect, Result};

/// Component, resolution, sub-band, column, row.
pub(super) type Block = (u32, u32, u8, u32, u32);

/// The code-blocks of a picture in one tile.
pub(super) struct Blocks {
    header: MainHeader,
    tile: Arc<Tile>,
}

impl Blocks {
    pub(super) fn of(image: &Image) -> Result<Self> {
        Ok(Self { header: image.header().clone(), tile: image.tile(0)?.tile })
    }

    /// Adds those that a page needs, its border included.
    pub(super) fn add(&self, pyramid: &Pyramid, page: PageId, blocks: &mut HashSet<Block>) {
        let (border, inside) = (pyramid.layout().border(), pyramid.texels(page));
        let wide = Rect::new(
            inside.x0.saturating_sub(border),
            inside.y0.saturating_sub(border),
            inside.x1 + border,
            inside.y1 + border,
        );
        let region = pyramid.region(page.reduce, wide.intersect(pyramid.level(page.reduce)));
        for (number, component) in (0..).zip(&self.tile.components) {
            let size = self.header.size.components[number as usize];
            let output = component_window(component, region, size.dx, size.dy, page.reduce);
            let Some(finest) = wanted_resolution(component, page.reduce) else { continue };
            let transform = self.tile.parameters.components[number as usize].coding.transform;
            let windows = resolution_windows(component, transform, output, finest);
            for (level, (window, resolution)) in (0..).zip(windows.iter().zip(&component.resolutions)) {
                for (index, band) in (0..).zip(&resolution.bands) {
                    let (high_x, high_y) = band.orientation.high_pass();
                    let samples =
                        if level == 0 { window.input } else { band_window(window.input, high_x, high_y) };
                    if samples.is_empty() {
                        continue;
                    }
                    let (x, y) = (band.code_block_width_exponent, band.code_block_height_exponent);
                    let rows = samples.y0 >> y..=(samples.y1 - 1) >> y;
                    let columns = samples.x0 >> x..=(samples.x1 - 1) >> x;
                    blocks.extend(rows.flat_map(|row| {
                        columns.clone().map(move |column| (number, level, index, column, row))
                    }));
                }
            }
        }
    }
}
