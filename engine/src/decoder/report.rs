//! What a decode did.

use crate::executor::Statistics;
use crate::plan::Coverage;

/// What a decode did and how much of the picture it had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What was needed and what was there.
    pub coverage: Coverage,
    /// Code-blocks whose data is damaged; they were decoded up to the damage.
    pub damaged_blocks: u64,
    /// Bytes of coefficients that entropy decoding produced.
    pub coefficient_bytes: u64,
    /// Parts that the output was cut into.
    pub cells: u64,
    /// GPU dispatches; 0 on the CPU.
    pub dispatches: u64,
    /// GPU submissions; 0 on the CPU, and where the host submits.
    pub submissions: u64,
    /// Bytes uploaded to the GPU; 0 on the CPU.
    pub uploaded_bytes: u64,
}

impl Report {
    /// Every packet that the request needs was there, and neither packet nor code-block was broken.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.damaged_blocks == 0
            && self.coverage.damage.is_none()
            && self.coverage.resolutions.iter().all(|level| level.present == level.needed)
    }

    /// The whole window shows something: the coarsest resolution has no holes.
    #[must_use]
    pub const fn is_picture(&self) -> bool {
        self.coverage.holes == 0
    }

    /// Share of the needed packets that were there, 0.0 to 1.0.
    #[must_use]
    pub fn completeness(&self) -> f64 {
        let (present, needed) = self
            .coverage
            .resolutions
            .iter()
            .fold((0, 0), |(present, needed), level| (present + level.present, needed + level.needed));
        if needed == 0 { 1.0 } else { present as f64 / needed as f64 }
    }

    /// With what the passes cost.
    pub(super) fn with(&self, statistics: Statistics) -> Self {
        let Statistics { cells, dispatches, submissions, uploaded_bytes } = statistics;
        Self { cells, dispatches, submissions, uploaded_bytes, ..self.clone() }
    }
}
