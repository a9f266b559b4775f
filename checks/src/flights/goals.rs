//! A table of what was found, and of what it was to be.

use std::fmt;

/// Rows, and how many of them missed their goal.
#[derive(Default)]
pub(crate) struct Goals {
    rows: Vec<String>,
    missed: usize,
}

impl Goals {
    /// Something that has no goal.
    pub(crate) fn note(&mut self, what: &str, found: impl fmt::Display) {
        self.rows.push(format!("       {what}: {found}"));
    }

    /// A count that is not to be more than `most`.
    pub(crate) fn at_most(&mut self, what: &str, found: u64, most: u64, unit: &str) {
        self.row(found <= most, format_args!("{what}: {found} {unit}, at most {most}"));
    }

    /// A count that is not to be less than `least`.
    pub(crate) fn at_least(&mut self, what: &str, found: u64, least: u64, unit: &str) {
        self.row(found >= least, format_args!("{what}: {found} {unit}, at least {least}"));
    }

    /// A share that is not to be more than `most`.
    pub(crate) fn share(&mut self, what: &str, found: f64, most: f64) {
        self.row(
            found <= most,
            format_args!("{what}: {:.1} %, at most {:.1} %", found * 100.0, most * 100.0),
        );
    }

    fn row(&mut self, met: bool, text: fmt::Arguments<'_>) {
        self.missed += usize::from(!met);
        self.rows.push(format!("{} {text}", if met { "ok    " } else { "MISSED" }));
    }

    /// Whether no goal was missed.
    pub(crate) const fn are_met(&self) -> bool {
        self.missed == 0
    }
}

impl fmt::Display for Goals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.iter().try_for_each(|row| writeln!(formatter, "{row}"))?;
        match self.missed {
            0 => writeln!(formatter, "passed"),
            missed => writeln!(formatter, "{missed} goals missed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_is_missed_is_seen() {
        let mut goals = Goals::default();
        goals.at_most("a", 3, 3, "things");
        goals.at_least("b", 3, 3, "things");
        goals.share("c", 0.05, 0.05);
        goals.note("d", 7);
        assert!(goals.are_met());
        goals.at_most("a", 4, 3, "things");
        goals.at_least("b", 2, 3, "things");
        goals.share("c", f64::NAN, 0.05);
        assert!(!goals.are_met());
        assert!(goals.to_string().ends_with("3 goals missed\n"), "{goals}");
    }
}
