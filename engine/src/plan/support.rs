//! Which samples of one wavelet level a window needs (the reach of the filters of T.800 F.3).

use crate::codestream::header::WaveletTransform;
use crate::geometry::{Rect, ceil_shift, floor_shift};

/// The input window of one level: all interleaved samples that `window` depends on, and no others.
///
/// `window` and the result lie on the grid of the resolution that is made, whose area is `bounds`.
/// An even sample depends on its odd neighbours, an odd one on what its even neighbours depend on;
/// 9/7 goes two lifting steps further.
#[must_use]
pub fn input_window(window: Rect, bounds: Rect, transform: WaveletTransform) -> Rect {
    if window.is_empty() {
        return Rect::new(window.x0, window.y0, window.x0, window.y0);
    }
    let (even, odd) = match transform {
        WaveletTransform::Reversible53 => (1, 2),
        WaveletTransform::Irreversible97 => (3, 4),
    };
    let reach = |sample: u32| if sample.is_multiple_of(2) { even } else { odd };
    Rect {
        x0: window.x0.saturating_sub(reach(window.x0)),
        y0: window.y0.saturating_sub(reach(window.y0)),
        x1: window.x1.saturating_add(reach(window.x1 - 1)),
        y1: window.y1.saturating_add(reach(window.y1 - 1)),
    }
    .intersect(bounds)
}

/// The part of a sub-band that interleaves into `input`: `high_x`, `high_y` tell its filters.
#[must_use]
pub fn band_window(input: Rect, high_x: bool, high_y: bool) -> Rect {
    let half = |high: bool, edge: u32| if high { floor_shift(edge, 1) } else { ceil_shift(edge, 1) };
    Rect {
        x0: half(high_x, input.x0),
        y0: half(high_y, input.y0),
        x1: half(high_x, input.x1),
        y1: half(high_y, input.y1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Samples that one sample depends on, by walking the lifting steps of F.3.8 backwards.
    fn literal_support(sample: i64, end: i64, steps: &[bool]) -> BTreeSet<i64> {
        let mut needed = BTreeSet::from([sample]);
        for &updates_odd in steps {
            for s in needed.clone() {
                if (s % 2 == 1) == updates_odd {
                    for mut n in [s - 1, s + 1] {
                        if n < 0 {
                            n = -n;
                        }
                        if n >= end {
                            n = 2 * (end - 1) - n;
                        }
                        needed.insert(n);
                    }
                }
            }
        }
        needed
    }

    #[test]
    fn the_input_window_is_exactly_what_the_lifting_steps_reach() {
        let end = 40u32;
        let bounds = Rect::new(0, 0, end, 1);
        for (transform, steps) in [
            (WaveletTransform::Reversible53, &[true, false][..]),
            (WaveletTransform::Irreversible97, &[true, false, true, false][..]),
        ] {
            for x0 in 0..end {
                for x1 in x0 + 1..=end {
                    let mut needed = BTreeSet::new();
                    for sample in x0..x1 {
                        needed.extend(literal_support(i64::from(sample), i64::from(end), steps));
                    }
                    let window = input_window(Rect::new(x0, 0, x1, 1), bounds, transform);
                    let got: BTreeSet<i64> = (i64::from(window.x0)..i64::from(window.x1)).collect();
                    assert_eq!(got, needed, "{transform:?} {x0}..{x1}");
                }
            }
        }
    }

    #[test]
    fn band_windows_partition_the_input_window() {
        for x0 in 0..6 {
            for x1 in x0..9 {
                let input = Rect::new(x0, x0, x1, x1);
                let area: u64 = [(false, false), (true, false), (false, true), (true, true)]
                    .iter()
                    .map(|&(hx, hy)| band_window(input, hx, hy).area())
                    .sum();
                assert_eq!(area, input.area());
            }
        }
    }
}
