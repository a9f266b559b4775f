//! How the workgroups of one dispatch are shared among its jobs, and how many each job takes.

use crate::component_transform::ComponentTransformJob;
use crate::dequantise::DequantiseJob;
use crate::idwt::IdwtJob;
use crate::pack::PackParameters;
use crate::shared::shared;
use crate::texels;
use bytemuck::{Pod, Zeroable};

/// Parameters of a dispatch that runs jobs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Dispatch {
    /// Jobs, at least 1.
    pub job_count: u32,
    /// Workgroups of all jobs; more may be dispatched and do nothing.
    pub workgroup_count: u32,
    /// Zero.
    pub padding: [u32; 2],
}

shared! {
    /// Samples that one workgroup makes, in the kernels that work sample by sample.
    pub const WORKGROUP_SAMPLES: u32 = 1024;
    /// Invocations of a workgroup.
    pub const WORKGROUP_SIZE: u32 = 256;
}

/// A job that takes a number of workgroups.
pub trait Job: Pod {
    /// Workgroups of this job. 64 bits hold it for every job.
    fn workgroups(&self) -> u64;
}

impl Job for PackParameters {
    /// An invocation makes a texel or, of smaller ones, those of a word. None where there is no texel to repeat either.
    fn workgroups(&self) -> u64 {
        let Some(_) = self.cell_size() else { return 0 };
        let units_wide = self.width.div_ceil(texels::together(self.format));
        (u64::from(units_wide) * u64::from(self.height)).div_ceil(WORKGROUP_SIZE.into())
    }
}

fn sample_workgroups(width: u32, height: u32) -> u64 {
    (u64::from(width) * u64::from(height)).div_ceil(WORKGROUP_SAMPLES.into())
}

impl Job for DequantiseJob {
    fn workgroups(&self) -> u64 {
        sample_workgroups(self.width, self.height)
    }
}

impl Job for ComponentTransformJob {
    fn workgroups(&self) -> u64 {
        sample_workgroups(self.width, self.height)
    }
}

impl Job for IdwtJob {
    /// Tiles start at even coordinates, so that a position's parity is that of its coordinate.
    fn workgroups(&self) -> u64 {
        let tiles = |begin: u32, end: u32| {
            if begin < end { u64::from((end - (begin & !1)).div_ceil(Self::TILE)) } else { 0 }
        };
        tiles(self.out_x0, self.out_x1) * tiles(self.out_y0, self.out_y1)
    }
}

/// Width and height of a dispatch of at least `workgroups`, neither above `most`; `None` if there is none.
#[must_use]
pub fn grid(workgroups: u32, most: u32) -> Option<(u32, u32)> {
    let height = workgroups.div_ceil(most.max(1)).max(1);
    (height <= most).then(|| (workgroups.div_ceil(height), height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_covers_its_workgroups_and_wastes_less_than_a_row() {
        for workgroups in [1, 2, 65_535, 65_536, 65_537, 131_071, 10_000_019] {
            let (width, height) = grid(workgroups, 65_535).expect("fits");
            assert!(width <= 65_535 && height <= 65_535);
            assert!(width * height >= workgroups && width * height - workgroups < height);
        }
        assert_eq!(grid(10, 3), None);
    }

    #[test]
    fn wavelet_tiles_start_at_even_coordinates() {
        let job = |out_x0, out_x1| IdwtJob { out_x0, out_x1, out_y1: 1, ..IdwtJob::default() };
        assert_eq!(job(0, 32).workgroups(), 1);
        assert_eq!(job(0, 33).workgroups(), 2);
        assert_eq!(job(1, 33).workgroups(), 2);
        assert_eq!(job(31, 33).workgroups(), 1);
        assert_eq!(job(7, 7).workgroups(), 0);
        assert_eq!(job(u32::MAX - 33, u32::MAX).workgroups(), 2);
    }
}
