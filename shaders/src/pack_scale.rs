//! Samples of any depth to channels of texels: integers scaled exactly, and numbers from 0 to 1.

use crate::component_transform::round_small;

/// `round(value * top / high)`, halves up, for values that are first clamped to `high`.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    top: u32,
    high: u32,
    /// `ceil(2^48 / high)`. For `high` and `top` below 2^16 the numerator is below 2^32, so its product
    /// with this fits 64 bits, and errs by less than `2^48 / high`: the quotient is exact.
    reciprocal: u64,
}

impl Scale {
    pub(crate) fn new(high: u32, top: u32) -> Self {
        let high = high.max(1);
        Self { top, high, reciprocal: (1_u64 << 48).div_ceil(high.into()) }
    }

    pub(crate) fn apply(&self, values: &mut [u32]) {
        let Self { top, high, reciprocal } = *self;
        if high == top {
            values.iter_mut().for_each(|value| *value = (*value).min(high));
        } else if high <= 0xFFFF {
            for value in values {
                let numerator = (*value).min(high) * top + high / 2;
                *value = ((u64::from(numerator) * reciprocal) >> 48) as u32;
            }
        } else {
            let (high, top) = (u64::from(high), u64::from(top));
            for value in values {
                *value = ((u64::from(*value).min(high) * top + high / 2) / high) as u32;
            }
        }
    }
}

/// Values to numbers from 0 to 1; 1 is `high`.
pub(crate) fn to_numbers(high: u32, values: &[u32], numbers: &mut [f32]) {
    let high = high.max(1);
    let scale = 1.0 / high as f32;
    for (number, value) in numbers.iter_mut().zip(values) {
        *number = (*value).min(high) as f32 * scale;
    }
}

/// Values to numbers from 0 to 1; `high` is 1 exactly.
pub(crate) fn to_quotients(high: u32, values: &[u32], numbers: &mut [f32]) {
    let high = high.max(1);
    for (number, value) in numbers.iter_mut().zip(values) {
        *number = (*value).min(high) as f32 / high as f32;
    }
}

/// Numbers from 0 to 1 to values from 0 to `top`, below 2^16.
pub(crate) fn from_numbers(top: u32, numbers: &[f32], values: &mut [u32]) {
    let top = top as f32;
    for (value, number) in values.iter_mut().zip(numbers) {
        *value = round_small(number * top) as u32;
    }
}
