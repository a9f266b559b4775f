//! What is tried: one file, untouched, cut or changed.

use super::mutation;
use super::numbers::Numbers;
use super::suite::{Suite, SuiteFile};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// One hostile input. Its text is its name: what `--case` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    /// The file, below `testdata`.
    pub(crate) file: String,
    /// For [`Kind::Cut`] the length, for the changed ones the number of the change.
    pub(crate) number: u64,
}

/// What is done to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing.
    Whole,
    /// Only its first bytes are kept.
    Cut,
    /// Some of its bytes are changed.
    Flip,
    /// It is sent as a JPP-stream, some bytes of which are changed.
    Stream,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Whole, Self::Cut, Self::Flip, Self::Stream];

    /// As it stands in the name of a case.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Cut => "cut",
            Self::Flip => "flip",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}@{}", self.kind.name(), self.file, self.number)
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a case, such as cut:conformance/part4/p0_01.j2k@1234");
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(wrong)?;
        let (file, number) = rest.rsplit_once('@').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        Ok(Self { kind, file: file.to_owned(), number })
    }
}

/// The bytes of a case.
pub(crate) enum Input {
    /// Of a file.
    File(Vec<u8>),
    /// Of the messages of a server.
    Stream(Vec<u8>),
}

impl Case {
    /// Makes the bytes. `seed` is that of the whole run.
    ///
    /// # Errors
    /// The file is not there.
    pub(crate) fn input(&self, suite: &mut Suite, seed: u64) -> Result<Input, String> {
        let whole = suite.bytes(&self.file)?;
        let mut numbers = Numbers::new(seed, self.number);
        Ok(match self.kind {
            Kind::Whole => Input::File(whole.to_vec()),
            Kind::Cut => Input::File(whole[..whole.len().min(self.number as usize)].to_vec()),
            Kind::Flip => Input::File(mutation::change(&whole, &mut numbers)),
            Kind::Stream => Input::Stream(mutation::change_stream(&whole, &mut numbers)),
        })
    }
}

/// How many cases there are of each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The longest file of which every truncation is tried, in bytes.
    pub(crate) every_cut_up_to: u64,
    /// Random cuts of each longer file.
    pub(crate) cuts: u64,
    /// Changed files.
    pub(crate) flips: u64,
    /// Changed JPP-streams.
    pub(crate) streams: u64,
}

impl Extent {
    /// What decides.
    pub(crate) const FULL: Self =
        Self { every_cut_up_to: 1 << 16, cuts: 200, flips: 100_000, streams: 5_000 };
    /// What is tried with each change: all files as they are, and some of the rest.
    pub(crate) const QUICK: Self = Self { every_cut_up_to: 300, cuts: 8, flips: 1500, streams: 150 };
}

/// All cases of a run, those of one file and kind together, cuts in ascending order; those of short files first, which
/// show most in little time.
pub(crate) fn all(files: &[SuiteFile], extent: Extent, seed: u64) -> Vec<Vec<Case>> {
    let mut batches: Vec<Vec<Case>> = Vec::new();
    let mut add = |kind, file: &SuiteFile, numbers: Vec<u64>| {
        let case = |&number: &u64| Case { kind, file: file.name.clone(), number };
        batches.extend(numbers.chunks(BATCH).map(|numbers| numbers.iter().map(case).collect()));
    };
    for file in files {
        add(Kind::Whole, file, vec![0]);
    }
    for (index, file) in files.iter().enumerate().filter(|(_, file)| file.is_conformance()) {
        if file.length <= extent.every_cut_up_to {
            add(Kind::Cut, file, (0..file.length).collect());
        } else {
            let mut numbers = Numbers::new(seed, !(index as u64));
            let mut cuts: Vec<u64> = (0..extent.cuts).map(|_| numbers.below(file.length)).collect();
            cuts.sort_unstable();
            add(Kind::Cut, file, cuts);
        }
    }
    let sound: Vec<&SuiteFile> = files.iter().filter(|file| !file.is_malformed()).collect();
    for (kind, count) in [(Kind::Flip, extent.flips), (Kind::Stream, extent.streams)] {
        let mut changes = vec![Vec::new(); sound.len()];
        for number in 0..count {
            changes[choose(&sound, kind, &mut Numbers::new(!seed, number))].push(number);
        }
        for (file, numbers) in sound.iter().zip(changes) {
            add(kind, file, numbers);
        }
    }
    let lengths: HashMap<&str, u64> = files.iter().map(|file| (&*file.name, file.length)).collect();
    batches.sort_by_key(|batch| batch.first().map(|case| lengths[&*case.file]));
    batches
}

/// A file at random. Long ones are a sixteenth as likely as the others: their time is spent better on many short
/// ones, in which each byte counts.
fn choose(files: &[&SuiteFile], kind: Kind, numbers: &mut Numbers) -> usize {
    loop {
        let index = numbers.below(files.len() as u64) as usize;
        let long = files[index].length > 1 << 16;
        if !long || (kind == Kind::Flip && numbers.below(16) == 0) {
            return index;
        }
    }
}

/// Cases that go to a worker at a time.
const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_case_is_found_again_by_its_name() {
        let files: Vec<SuiteFile> =
            [("conformance/a.j2k", 5000), ("conformance/b@1.j2k", 1 << 20), ("files/c.jp2", 9)]
                .map(|(name, length)| SuiteFile { name: name.into(), length })
                .into();
        let batches = all(&files, Extent::QUICK, 3);
        for case in batches.iter().flatten() {
            assert_eq!(case.to_string().parse::<Case>().unwrap(), *case);
        }
        let count = |kind| batches.iter().flatten().filter(|case| case.kind == kind).count() as u64;
        assert_eq!(count(Kind::Whole), 3);
        assert_eq!(count(Kind::Cut), 2 * Extent::QUICK.cuts);
        assert_eq!(count(Kind::Flip), Extent::QUICK.flips);
        assert_eq!(count(Kind::Stream), Extent::QUICK.streams);
        assert!(batches.iter().all(|batch| batch.len() <= BATCH));
        for wrong in ["", "cut", "cut:a", "cut:a@b", "bend:a@1"] {
            assert!(wrong.parse::<Case>().is_err(), "{wrong}");
        }
    }
}
