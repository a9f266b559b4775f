//! A row of the conformance table: what was decoded, and how far each executor is from the reference.

use std::fmt;
use wavetile_testing::compare::Difference;

/// What a row compares.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// File, from the folder of its group.
    pub(super) file: String,
    /// What of it: component, reduction, region, layers.
    pub(super) what: String,
    /// What is allowed.
    pub(super) bound: Bound,
    /// On the CPU.
    pub(super) cpu: Outcome,
    /// On the GPU.
    pub(super) gpu: Outcome,
}

/// How far a decode may be from its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) peak: f64,
    pub(super) mean_square: f64,
}

impl Bound {
    /// No difference at all.
    pub(super) const EXACT: Self = Self { peak: 0.0, mean_square: 0.0 };

    pub(super) fn peak(peak: f64) -> Self {
        Self { peak, mean_square: f64::INFINITY }
    }

    fn allows(self, found: Difference) -> bool {
        found.peak <= self.peak && found.mean_square <= self.mean_square
    }
}

/// How one executor did.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Within the bound.
    Passed(Difference),
    /// Not within it, or not decoded: why.
    Failed(String),
    /// Not compared: why.
    NotCompared(String),
}

impl Outcome {
    /// Judges a difference, or the reason why there is none.
    pub(super) fn of(found: Result<Difference, String>, bound: Bound) -> Self {
        match found {
            Ok(found) if bound.allows(found) => Self::Passed(found),
            Ok(found) => Self::Failed(format!("peak {}, mean square {:.4}", found.peak, found.mean_square)),
            Err(reason) => Self::Failed(reason),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(Difference { peak: 0.0, .. }) => f.write_str("exact"),
            Self::Passed(found) => write!(f, "{}, {:.4}", found.peak, found.mean_square),
            Self::Failed(reason) => write!(f, "**failed**: {reason}"),
            Self::NotCompared(reason) => write!(f, "not compared: {reason}"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::EXACT => f.write_str("exact"),
            Self { peak, mean_square } if mean_square.is_finite() => write!(f, "{peak}, {mean_square}"),
            Self { peak, .. } => write!(f, "{peak}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_count() {
        let found = |peak, mean_square| Ok(Difference { peak, mean_square });
        let bound = Bound { peak: 2.0, mean_square: 0.5 };
        assert!(matches!(Outcome::of(found(2.0, 0.5), bound), Outcome::Passed(_)));
        assert!(matches!(Outcome::of(found(3.0, 0.5), bound), Outcome::Failed(_)));
        assert!(matches!(Outcome::of(found(1.0, 0.6), bound), Outcome::Failed(_)));
        assert!(matches!(Outcome::of(found(1.0, 0.1), Bound::EXACT), Outcome::Failed(_)));
        assert!(matches!(Outcome::of(Err("no".into()), bound), Outcome::Failed(_)));
    }
}
