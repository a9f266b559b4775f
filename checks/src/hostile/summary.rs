//! What a run found, as a table and a list of failures.

use super::case::{Case, Kind};
use super::ordeal::Outcome;
use super::worker::{Deed, Verdict};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a case may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) memory: u64,
}

/// All deeds so far.
#[derive(Debug)]
pub(crate) struct Summary {
    bounds: Bounds,
    rows: BTreeMap<Kind, Row>,
    failures: Vec<String>,
}

#[derive(Debug, Default)]
struct Row {
    cases: u64,
    pictures: u64,
    same: u64,
    refused: u64,
    failures: u64,
    longest: (Duration, String),
    largest: (u64, String),
}

impl Summary {
    pub(crate) const fn new(bounds: Bounds) -> Self {
        Self { bounds, rows: BTreeMap::new(), failures: Vec::new() }
    }

    /// Takes note of a deed; what is wrong with it, if anything is.
    pub(crate) fn add(&mut self, case: &Case, deed: &Deed) -> Option<String> {
        let row = self.rows.entry(case.kind).or_default();
        row.cases += 1;
        match &deed.verdict {
            Verdict::Ended(Outcome::Picture) => row.pictures += 1,
            Verdict::Ended(Outcome::SamePlan) => row.same += 1,
            Verdict::Ended(Outcome::Refused(_)) => row.refused += 1,
            _ => {}
        }
        if deed.time > row.longest.0 {
            row.longest = (deed.time, case.to_string());
        }
        if deed.memory > row.largest.0 {
            row.largest = (deed.memory, case.to_string());
        }
        let wrong = wrong(deed, self.bounds)?;
        row.failures += 1;
        let failure = format!("{case}: {wrong}");
        self.failures.push(failure.clone());
        Some(failure)
    }

    pub(crate) fn cases(&self) -> u64 {
        self.rows.values().map(|row| row.cases).sum()
    }

    pub(crate) fn failures(&self) -> usize {
        self.failures.len()
    }
}

/// What is wrong with a deed.
fn wrong(deed: &Deed, bounds: Bounds) -> Option<String> {
    match &deed.verdict {
        Verdict::Panicked(words) => Some(format!("panicked: {words}")),
        Verdict::Died(how) => Some(format!("killed its process: {how}")),
        Verdict::Ended(Outcome::Disagreement(how)) => Some(format!("the executors disagree: {how}")),
        _ if deed.time > bounds.time => Some(format!("took {:.2} s", deed.time.as_secs_f64())),
        _ if deed.memory > bounds.memory => Some(format!("took {} MiB", deed.memory >> 20)),
        _ => None,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "| kind | cases | pictures | same plan as before | refused | failures | longest | most memory |"
        )?;
        writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
        for (kind, row) in &self.rows {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {:.3} s | {:.1} MiB |",
                kind.name(),
                row.cases,
                row.pictures,
                row.same,
                row.refused,
                row.failures,
                row.longest.0.as_secs_f64(),
                row.largest.0 as f64 / f64::from(1 << 20)
            )?;
        }
        for (kind, row) in &self.rows {
            let (longest, largest) = (&row.longest.1, &row.largest.1);
            writeln!(out, "{}: longest {longest}, most memory {largest}", kind.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_kind_of_failure_counts() {
        let bounds = Bounds { time: Duration::from_secs(1), memory: 100 };
        let mut summary = Summary::new(bounds);
        let case: Case = "cut:a@1".parse().unwrap();
        let sound = Deed { verdict: Verdict::Ended(Outcome::Picture), time: bounds.time, memory: 100 };
        assert_eq!(summary.add(&case, &sound), None);
        let bad = [
            Deed { time: Duration::from_millis(1001), ..sound.clone() },
            Deed { memory: 101, ..sound.clone() },
            Deed { verdict: Verdict::Panicked("p".into()), ..sound.clone() },
            Deed { verdict: Verdict::Died("d".into()), ..sound.clone() },
            Deed { verdict: Verdict::Ended(Outcome::Disagreement("g".into())), ..sound },
        ];
        for deed in &bad {
            assert!(summary.add(&case, deed).is_some(), "{deed:?}");
        }
        assert_eq!((summary.cases(), summary.failures()), (6, 5));
        assert!(summary.to_string().contains("| cut | 6 | 3 |"), "{summary}");
    }
}
