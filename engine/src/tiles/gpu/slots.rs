//! Where slots lie in the layers of an atlas.

use crate::gpu::TexelFormat;

/// Slots in rows, rows in layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotGrid {
    /// Texels of a slot a side.
    pub(crate) side: u32,
    /// Slots in a row.
    pub(crate) across: u32,
    /// Rows in a layer.
    pub(crate) down: u32,
    pub(crate) layers: u32,
}

impl SlotGrid {
    /// As many slots as there can be, but no more than `most`; few layers rather than many, but two at least: OpenGL has it that
    /// one layer is no array, and that squares in sixes are cubes. `None` if there is none.
    pub(crate) fn new(side: u32, most: u32, limits: &wgpu::Limits) -> Option<Self> {
        let longest = limits.max_texture_dimension_2d / side.max(1);
        let mut best: Option<Self> = None;
        for layers in 2..=limits.max_texture_array_layers {
            let layer = most / layers;
            if layer == 0 || best.is_some_and(|best| best.slots() >= layers.saturating_mul(layer)) {
                break;
            }
            for across in 1..=longest.min(layer) {
                let down = (layer / across).min(longest);
                let is_cube = across == down && layers.is_multiple_of(6);
                let grid = Self { side, across, down, layers };
                if !is_cube && best.is_none_or(|best| grid.rank() > best.rank()) {
                    best = Some(grid);
                }
            }
        }
        best
    }

    /// Better grids have more slots; of those that have as many, those that are nearer to a square.
    const fn rank(&self) -> (u32, std::cmp::Reverse<u32>) {
        (self.slots(), std::cmp::Reverse(self.across.abs_diff(self.down)))
    }

    pub(crate) const fn slots(&self) -> u32 {
        self.across * self.down * self.layers
    }

    pub(crate) const fn slots_layer(&self) -> u32 {
        self.across * self.down
    }

    /// Bytes of the texels of all slots.
    pub(crate) const fn bytes(&self, format: TexelFormat) -> u64 {
        self.slots() as u64 * slot_bytes(self.side, format)
    }

    /// Texel of a slot's upper left corner, and its layer.
    pub(crate) const fn origin(&self, slot: u32) -> wgpu::Origin3d {
        let (layer, place) = (slot / self.slots_layer(), slot % self.slots_layer());
        wgpu::Origin3d { x: place % self.across * self.side, y: place / self.across * self.side, z: layer }
    }

    pub(crate) const fn extent(&self) -> wgpu::Extent3d {
        wgpu::Extent3d {
            width: self.across * self.side,
            height: self.down * self.side,
            depth_or_array_layers: self.layers,
        }
    }
}

/// Bytes of the texels of a slot.
pub(crate) const fn slot_bytes(side: u32, format: TexelFormat) -> u64 {
    side as u64 * side as u64 * format.bytes() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_grid_wastes_little_and_keeps_within_the_limits() {
        let limits = wgpu::Limits::default();
        for most in [2, 3, 15, 16, 17, 100, 470, 961, 962, 5000, 100_000] {
            let grid = SlotGrid::new(264, most, &limits).unwrap();
            assert!(grid.slots() <= most, "{most}: {grid:?}");
            assert!(grid.slots() * 20 >= most * 19 || most < 20, "{most}: {grid:?}");
            let extent = grid.extent();
            assert!(extent.width <= limits.max_texture_dimension_2d);
            assert!(extent.height <= limits.max_texture_dimension_2d);
            assert!((2..=limits.max_texture_array_layers).contains(&extent.depth_or_array_layers));
            assert!(extent.width != extent.height || !extent.depth_or_array_layers.is_multiple_of(6));
        }
        assert_eq!(SlotGrid::new(264, 1, &limits), None);
        assert_eq!(SlotGrid::new(10_000, 5, &limits), None);
        let most = SlotGrid::new(264, u32::MAX, &limits).unwrap();
        assert_eq!((most.across, most.down, most.layers), (31, 31, 256));
    }

    #[test]
    fn slots_do_not_overlap() {
        let grid = SlotGrid { side: 136, across: 3, down: 4, layers: 2 };
        let origins: HashSet<_> = (0..grid.slots())
            .map(|slot| grid.origin(slot))
            .map(|origin| (origin.x, origin.y, origin.z))
            .collect();
        assert_eq!(origins.len(), 24);
        let extent = grid.extent();
        for (x, y, z) in origins {
            assert!(x % 136 == 0 && y % 136 == 0);
            assert!(x + 136 <= extent.width && y + 136 <= extent.height && z < 2);
        }
        assert_eq!(grid.bytes(TexelFormat::Rgba8), 24 * 136 * 136 * 4);
    }
}
