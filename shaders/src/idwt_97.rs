//! The irreversible 9/7 inverse wavelet transform of one level (T.800 F.3.8.2).

use crate::idwt::{Columns, Kernel, extend};
use crate::shared::shared;

shared! {
    /// "alpha" of Table F.4.
    pub(crate) const ALPHA: f32 = -1.586_134_342_059_924;
    /// "beta" of Table F.4.
    pub(crate) const BETA: f32 = -0.052_980_118_572_961;
    /// "gamma" of Table F.4.
    pub(crate) const GAMMA: f32 = 0.882_911_075_530_934;
    /// "delta" of Table F.4.
    pub(crate) const DELTA: f32 = 0.443_506_852_043_971;
    /// "K" of Table F.4: scales low-pass samples.
    pub(crate) const K: f32 = 1.230_174_104_914_001;
    /// `1 / K`: scales high-pass samples.
    pub(crate) const INVERSE_K: f32 = 0.812_893_066_115_961;
}

/// The filter of 9/7, on `f32`.
pub(crate) struct Irreversible97;

/// One lifting step, not fused: the same roundings as the shader's.
#[inline(always)]
fn lift(sample: f32, factor: f32, before: f32, after: f32) -> f32 {
    sample - factor * (before + after)
}

/// One lifting step of all `samples`; sample `i` lies between `others[i]` and `others[i + 1]`.
#[inline(always)]
fn lift_all(samples: &mut [f32], factor: f32, others: &[f32]) {
    for ((sample, &before), &after) in samples.iter_mut().zip(others).zip(&others[1..]) {
        *sample = lift(*sample, factor, before, after);
    }
}

impl Kernel for Irreversible97 {
    type Sample = f32;
    const LAG: i64 = 1;

    fn horizontal(
        low: &[f32],
        high: &[f32],
        columns: Columns,
        low_temp: &mut [f32],
        high_temp: &mut [f32],
        out: &mut [f32],
    ) {
        let Columns { x0, x1, first, pairs } = columns;
        // low_temp starts at pair first - 1, high_temp at pair first - 2.
        let low_temp = &mut low_temp[..pairs + 3];
        let high_temp = &mut high_temp[..pairs + 4];
        extend(low, (x0, x1), 0, first - 1, low_temp, |sample| sample * K);
        extend(high, (x0, x1), 1, first - 2, high_temp, |sample| sample * INVERSE_K);
        lift_all(low_temp, DELTA, high_temp);
        lift_all(&mut high_temp[1..pairs + 3], GAMMA, low_temp);
        lift_all(&mut low_temp[1..pairs + 2], BETA, &high_temp[1..]);
        let (low, high) = (&low_temp[1..pairs + 2], &high_temp[2..pairs + 2]);
        let highs = high.iter().zip(low.iter().zip(&low[1..]));
        for (out, (&high, (&before, &after))) in out.chunks_exact_mut(2).zip(highs) {
            out[0] = before;
            out[1] = lift(high, ALPHA, before, after);
        }
    }

    fn vertical(
        low: &[f32],
        [before, after]: [&[f32]; 2],
        [low_1, high_1, low_2]: [&mut [f32]; 3],
        out_odd: &mut [f32],
        out_even: &mut [f32],
    ) {
        // low_1, high_1 and low_2 hold the previous pair's rows after the first, second and third step.
        let inputs = low.iter().zip(before.iter().zip(after));
        let outputs = out_odd.iter_mut().zip(out_even.iter_mut());
        let states = low_1.iter_mut().zip(high_1.iter_mut().zip(low_2.iter_mut()));
        for (((&low, (&before, &after)), (out_odd, out_even)), (low_1, (high_1, low_2))) in
            inputs.zip(outputs).zip(states)
        {
            let before = before * INVERSE_K;
            let low = lift(low * K, DELTA, before, after * INVERSE_K);
            let high = lift(before, GAMMA, *low_1, low);
            let even = lift(*low_1, BETA, *high_1, high);
            *out_odd = lift(*high_1, ALPHA, *low_2, even);
            *out_even = even;
            (*low_1, *high_1, *low_2) = (low, high, even);
        }
    }

    fn halve(sample: f32) -> f32 {
        sample * 0.5
    }
}
