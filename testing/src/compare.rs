//! How far results are apart. Lengths are compared first: an empty result agrees with an empty one alone.

use std::fmt::{Debug, Display};

/// How far samples are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// The largest absolute difference of two samples; NaN if one was not a number.
    pub peak: f64,
    /// The mean of the squared differences.
    pub mean_square: f64,
}

/// How far `got` is from `wanted`.
///
/// # Errors
/// They are not of one length.
pub fn difference<T: Copy + Into<f64>>(got: &[T], wanted: &[T]) -> Result<Difference, String> {
    if got.len() != wanted.len() {
        return Err(format!("{} samples instead of {}", got.len(), wanted.len()));
    }
    let (mut peak, mut sum) = (0.0_f64, 0.0);
    for (&got, &wanted) in got.iter().zip(wanted) {
        let apart = (got.into() - wanted.into()).abs();
        // `max` would pass over what is not a number.
        peak = if apart.is_nan() || apart > peak { apart } else { peak };
        sum += apart * apart;
    }
    Ok(Difference { peak, mean_square: sum / got.len().max(1) as f64 })
}

/// Asserts that no sample of `got` is further than `bound` from that of `wanted`; gives the largest difference.
///
/// # Panics
/// If one is, or the lengths are not the same.
#[track_caller]
pub fn assert_near<T: Copy + Into<f64>>(name: impl Display, got: &[T], wanted: &[T], bound: f64) -> f64 {
    let found = difference(got, wanted).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(found.peak <= bound, "{name}: {found:?}, allowed {bound}");
    found.peak
}

/// Asserts that both are the same, and tells the first place where they are not: `assert_eq!` would print all.
///
/// # Panics
/// If anything differs, or the lengths are not the same.
#[track_caller]
pub fn assert_same<T: PartialEq + Debug>(name: impl Display, got: &[T], wanted: &[T]) {
    assert_eq!(got.len(), wanted.len(), "{name}: length");
    let differ = |&at: &usize| got[at] != wanted[at];
    if let Some(at) = (0..got.len()).find(differ) {
        let count = (at..got.len()).filter(differ).count();
        panic!(
            "{name}: {count} of {} differ, first at {at}: {:?}, wanted {:?}",
            got.len(),
            got[at],
            wanted[at]
        );
    }
}

/// Two lists as pairs.
///
/// # Panics
/// If they are not of one length, where `zip` would end with the shorter.
#[track_caller]
pub fn pairs<A, B>(
    one: impl IntoIterator<Item = A, IntoIter: ExactSizeIterator>,
    other: impl IntoIterator<Item = B, IntoIter: ExactSizeIterator>,
) -> impl ExactSizeIterator<Item = (A, B)> {
    let (one, other) = (one.into_iter(), other.into_iter());
    assert_eq!(one.len(), other.len(), "lists of different lengths");
    one.zip(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: [i32; 6] = [0, 1, 2, 3, 4, 5];

    #[test]
    fn one_wrong_sample_is_seen() {
        assert_eq!(difference(&WANTED, &WANTED), Ok(Difference::default()));
        let mut wrong = WANTED;
        wrong[4] -= 3;
        assert_eq!(difference(&wrong, &WANTED), Ok(Difference { peak: 3.0, mean_square: 1.5 }));
        assert_eq!(difference(&WANTED, &wrong), difference(&wrong, &WANTED));
        assert_eq!(assert_near("near", &wrong, &WANTED, 3.0), 3.0);
        // The whole range of samples.
        assert_eq!(difference(&[i32::MIN], &[i32::MAX]).map(|found| found.peak), Ok(4_294_967_295.0));
    }

    #[test]
    fn other_lengths_are_no_agreement() {
        for (got, wanted) in
            [(&WANTED[..], &WANTED[..5]), (&WANTED[1..], &WANTED), (&[], &WANTED), (&WANTED, &[])]
        {
            assert!(difference(got, wanted).is_err(), "{got:?} {wanted:?}");
        }
        assert_eq!(difference::<i32>(&[], &[]), Ok(Difference::default()));
    }

    #[test]
    fn what_is_not_a_number_agrees_with_nothing() {
        let found = difference(&[f32::NAN, 1.0], &[1.0, 1.0]).map(|found| found.peak.is_nan());
        assert_eq!(found, Ok(true));
    }

    #[test]
    #[should_panic(expected = "alarm: Difference { peak: 3.0, mean_square: 1.5 }, allowed 2")]
    fn near_is_not_further_than_allowed() {
        assert_near("alarm", &[0, 1, 2, 3, 1, 5], &WANTED, 2.0);
    }

    #[test]
    #[should_panic(expected = "alarm: Difference { peak: NaN")]
    fn near_is_no_place_for_what_is_not_a_number() {
        assert_near("alarm", &[f32::NAN, 1.0], &[1.0, 1.0], f64::INFINITY);
    }

    #[test]
    #[should_panic(expected = "alarm: 0 samples instead of 6")]
    fn nothing_is_not_near_something() {
        assert_near("alarm", &[], &WANTED, f64::INFINITY);
    }

    #[test]
    #[should_panic(expected = "alarm: 2 of 3 differ, first at 1: 4, wanted 2")]
    fn the_first_difference_is_named() {
        assert_same("alarm", &[1, 4, 5], &[1, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "alarm: length")]
    fn nothing_is_not_the_same_as_something() {
        assert_same("alarm", &[], &WANTED);
    }

    #[test]
    #[should_panic(expected = "lists of different lengths")]
    fn nothing_pairs_with_nothing_alone() {
        assert_eq!(pairs([1, 2], [3, 4]).collect::<Vec<_>>(), [(1, 3), (2, 4)]);
        let _ = pairs(&WANTED, &[0; 0]);
    }
}
