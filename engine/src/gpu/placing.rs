//! Jobs of cells that do not begin at the first word of what they share with others.

use wavetile_shaders::component_transform::ComponentTransformJob;
use wavetile_shaders::dequantise::DequantiseJob;
use wavetile_shaders::dispatch::Job;
use wavetile_shaders::idwt::IdwtJob;
use wavetile_shaders::pack::{PackChannel, PackParameters};

/// The first words of a cell in memory shared with other cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) coefficients: u32,
    pub(super) arena: u32,
    pub(super) tables: u32,
    pub(super) texels: u32,
}

/// A job that can be moved.
pub(super) trait Placed: Job {
    /// The same job for the cell at `at`. Offsets that the job does not use may wrap.
    fn placed(&self, at: Place) -> Self;
}

impl Placed for DequantiseJob {
    fn placed(&self, at: Place) -> Self {
        Self {
            source: self.source.wrapping_add(at.coefficients),
            target: self.target.wrapping_add(at.arena),
            ..*self
        }
    }
}

impl Placed for IdwtJob {
    fn placed(&self, at: Place) -> Self {
        let [ll, hl, lh, hh, out] =
            [self.ll, self.hl, self.lh, self.hh, self.out].map(|word| word.wrapping_add(at.arena));
        Self { ll, hl, lh, hh, out, ..*self }
    }
}

impl Placed for ComponentTransformJob {
    fn placed(&self, at: Place) -> Self {
        let moved = |words: [u32; 4]| words.map(|word| word.wrapping_add(at.arena));
        Self { source: moved(self.source), target: moved(self.target), ..*self }
    }
}

impl Placed for PackParameters {
    fn placed(&self, at: Place) -> Self {
        let mut moved = *self;
        moved.out = moved.out.wrapping_add(at.texels);
        for channel in &mut moved.channels {
            if channel.plane != PackChannel::OPAQUE {
                channel.plane = channel.plane.wrapping_add(at.arena);
            }
            if channel.table != PackChannel::NO_TABLE {
                channel.table = channel.table.wrapping_add(at.tables);
            }
        }
        for finish in &mut moved.finishes {
            finish.planes = finish.planes.map(|plane| plane.wrapping_add(at.arena));
        }
        for table in [&mut moved.colour.curves, &mut moved.colour.encoding, &mut moved.colour.lattice] {
            *table = table.wrapping_add(at.tables);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Place = Place { coefficients: 1, arena: 100, tables: 1000, texels: 10_000 };

    #[test]
    fn all_words_of_a_job_move_and_nothing_else() {
        let dequantise = DequantiseJob { source: 5, target: 7, width: 3, ..DequantiseJob::default() };
        assert_eq!(dequantise.placed(AT), DequantiseJob { source: 6, target: 107, ..dequantise });
        let idwt = IdwtJob { ll: 1, hl: 2, lh: 3, hh: 4, out: 5, out_row: 6, x1: 7, ..IdwtJob::default() };
        let placed = IdwtJob { ll: 101, hl: 102, lh: 103, hh: 104, out: 105, ..idwt };
        assert_eq!(idwt.placed(AT), placed);
        let transform = ComponentTransformJob {
            source: [1, 2, 3, 4],
            target: [5, 6, 7, 8],
            source_row: [9; 4],
            ..ComponentTransformJob::default()
        };
        let (source, target) = ([101, 102, 103, 104], [105, 106, 107, 108]);
        assert_eq!(transform.placed(AT), ComponentTransformJob { source, target, ..transform });
    }

    #[test]
    fn channels_that_are_not_there_stay_so() {
        let mut pack = PackParameters { x0: 1, row: 2, ..PackParameters::default() };
        pack.channels[0].table = PackChannel::NO_TABLE;
        pack.channels[1].table = 3;
        pack.channels[2].plane = PackChannel::OPAQUE;
        pack.finishes[1].planes = [4, 5, 6];
        let placed = pack.placed(AT);
        assert_eq!((placed.x0, placed.row, placed.out), (1, 2, 10_000));
        let channels = [0, 1, 2].map(|c| (placed.channels[c].plane, placed.channels[c].table));
        assert_eq!(channels, [(100, PackChannel::NO_TABLE), (100, 1003), (PackChannel::OPAQUE, 1000)]);
        assert_eq!(placed.finishes[1].planes, [104, 105, 106]);
        let colour = placed.colour;
        assert_eq!([colour.curves, colour.encoding, colour.lattice], [1000; 3]);
    }
}
