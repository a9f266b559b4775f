//! Where finished cells go: texels or component planes in host memory.

use super::strips::{Extent, Strips};
use crate::executor::TexelRows;
use crate::picture::Component;
use crate::plan::{Cell, Plan, TexelFormat};
use wavetile_shaders::pack::{self, PackParameters};

/// Packs each cell, and copies its texels into `rows`.
pub(super) fn texels<'a>(
    plan: &'a Plan,
    format: TexelFormat,
    rows: TexelRows<'a>,
) -> impl Fn(usize, &Cell, &mut [u32]) + Sync + 'a {
    let texel = format.bytes() as usize;
    let extents: Vec<Extent> =
        plan.cells.iter().map(|cell| Extent::new(cell.rect, plan.window, texel)).collect();
    let strips = Strips::new(rows.bytes, rows.stride, &extents);
    move |index, cell, arena| {
        let row = (cell.rect.width() as usize * texel).div_ceil(4) as u32;
        let mut texels = vec![0u32; row as usize * cell.rect.height() as usize];
        pack::run(&PackParameters { row, ..cell.pack }, &plan.tables, arena, &mut texels);
        // Words hold their texels in little-endian order on every host.
        texels.iter_mut().for_each(|word| *word = word.to_le());
        strips.fill(index, bytemuck::cast_slice(&texels).chunks(4 * row as usize));
    }
}

/// The texels of one cell with its repeated edges, rows without gaps.
pub(super) fn page(plan: &Plan, cell: &Cell, format: TexelFormat, arena: &[u32]) -> Vec<u8> {
    let (width, height) = (cell.pack.width, cell.pack.height);
    let row_bytes = width as usize * format.bytes() as usize;
    let row = row_bytes.div_ceil(4);
    let mut words = vec![0u32; row * height as usize];
    let pack = PackParameters { row: row as u32, format: format.pack_format(), ..cell.pack };
    pack::run(&pack, &plan.tables, arena, &mut words);
    // Words hold their texels in little-endian order on every host.
    words.iter_mut().for_each(|word| *word = word.to_le());
    let bytes: &[u8] = bytemuck::cast_slice(&words);
    if row_bytes == 4 * row {
        return bytes.to_vec();
    }
    bytes.chunks(4 * row.max(1)).flat_map(|row| &row[..row_bytes]).copied().collect()
}

/// Copies each cell's planes into the components that are wanted, which may name one twice.
pub(super) fn components<'a>(
    plan: &Plan,
    components: &'a mut [Component],
) -> impl Fn(usize, &Cell, &mut [u32]) + Sync + 'a {
    let strips: Vec<(u32, Strips<'a, i32>)> = components
        .iter_mut()
        .map(|component| {
            let (wanted, whole) = (component.index, component.rect);
            let extent = |cell: &Cell| {
                let plane = cell.planes.iter().find(|plane| plane.component == wanted);
                plane.map_or(Extent::default(), |plane| Extent::new(plane.rect, whole, 1))
            };
            let extents: Vec<Extent> = plan.cells.iter().map(extent).collect();
            (wanted, Strips::new(&mut component.samples, whole.width() as usize, &extents))
        })
        .collect();
    move |index, cell, arena| {
        for (wanted, strips) in &strips {
            if let Some(plane) = cell.planes.iter().find(|plane| plane.component == *wanted) {
                let samples: &[i32] = bytemuck::cast_slice(&arena[plane.offset as usize..]);
                strips.fill(index, samples.chunks(plane.row as usize));
            }
        }
    }
}
