//! The reversible 5/3 inverse wavelet transform of one level (T.800 F.3.8.1).

use crate::idwt::{Columns, Kernel, extend};

/// The filter of 5/3, on `i32` that wraps.
pub(crate) struct Reversible53;

/// F-5: undoes the update of a low-pass sample.
#[inline(always)]
fn even(low: i32, before: i32, after: i32) -> i32 {
    low.wrapping_sub(before.wrapping_add(after).wrapping_add(2) >> 2)
}

/// F-6: undoes the prediction of a high-pass sample.
#[inline(always)]
fn odd(high: i32, before: i32, after: i32) -> i32 {
    high.wrapping_add(before.wrapping_add(after) >> 1)
}

/// The last lifting step of a row together with 2D_INTERLEAVE: pairs of `low[i]` and
/// `odd(high[i], low[i], low[i + 1])`. `low` is one longer than `high`, `out` twice as long as that.
#[inline(always)]
fn interleave(low: &[i32], high: &[i32], out: &mut [i32]) {
    // Four pairs at a time by hand: the compiler would otherwise vectorise only two (of integers).
    let (out, out_rest) = out.as_chunks_mut::<8>();
    let (highs, high_rest) = high.as_chunks::<4>();
    let (low_rest, next_rest) = (&low[4 * highs.len()..], &low[4 * highs.len() + 1..]);
    let lows = low.as_chunks::<4>().0.iter().zip(low[1..].as_chunks::<4>().0);
    for (out, (high, (low, next))) in out.iter_mut().zip(highs.iter().zip(lows)) {
        let o: [i32; 4] = std::array::from_fn(|i| odd(high[i], low[i], next[i]));
        *out = [low[0], o[0], low[1], o[1], low[2], o[2], low[3], o[3]];
    }
    let rest = high_rest.iter().zip(low_rest.iter().zip(next_rest));
    for (out, (&high, (&low, &next))) in out_rest.as_chunks_mut::<2>().0.iter_mut().zip(rest) {
        *out = [low, odd(high, low, next)];
    }
}

impl Kernel for Reversible53 {
    type Sample = i32;
    const LAG: i64 = 0;

    fn horizontal(
        low: &[i32],
        high: &[i32],
        columns: Columns,
        low_temp: &mut [i32],
        high_temp: &mut [i32],
        out: &mut [i32],
    ) {
        let Columns { x0, x1, first, pairs } = columns;
        let low_temp = &mut low_temp[..pairs + 1];
        let high_temp = &mut high_temp[..pairs + 2];
        extend(low, (x0, x1), 0, first, low_temp, |sample| sample);
        extend(high, (x0, x1), 1, first - 1, high_temp, |sample| sample);
        for ((low, &before), &after) in low_temp.iter_mut().zip(&high_temp[..]).zip(&high_temp[1..]) {
            *low = even(*low, before, after);
        }
        interleave(low_temp, &high_temp[1..=pairs], out);
    }

    fn vertical(
        low: &[i32],
        [before, after]: [&[i32]; 2],
        [last_even, _, _]: [&mut [i32]; 3],
        out_odd: &mut [i32],
        out_even: &mut [i32],
    ) {
        let inputs = low.iter().zip(before.iter().zip(after));
        let outputs = out_odd.iter_mut().zip(out_even.iter_mut());
        for (((&low, (&before, &after)), (out_odd, out_even)), last_even) in
            inputs.zip(outputs).zip(last_even.iter_mut())
        {
            let this_even = even(low, before, after);
            *out_odd = odd(before, *last_even, this_even);
            *out_even = this_even;
            *last_even = this_even;
        }
    }

    fn halve(sample: i32) -> i32 {
        sample >> 1
    }
}
