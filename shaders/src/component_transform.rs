//! Inverse component transform, DC level shift and clamping (T.800 Annex G).

use crate::shared::shared;
use bytemuck::{Pod, Zeroable};

/// One tile's share of one component, or of three that are transformed together.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ComponentTransformJob {
    /// Arena words of the first sample of each source plane; the first `count` are used.
    pub source: [u32; 4],
    /// Words in a row of each source plane.
    pub source_row: [u32; 4],
    /// Arena words of the first sample of each target plane, written as `i32`.
    pub target: [u32; 4],
    /// Words in a row of each target plane.
    pub target_row: [u32; 4],
    /// Added after the transform: `2^(depth-1)` for unsigned components, else 0.
    pub shift: [i32; 4],
    /// Smallest sample value of each component.
    pub low: [i32; 4],
    /// Largest sample value of each component.
    pub high: [i32; 4],
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 or 3.
    pub count: u32,
    /// One of [`Self::NONE`], [`Self::RCT`], [`Self::ICT`], with bit `c` of [`Self::FLOAT_0`]` << c` set
    /// where source plane `c` holds `f32`.
    pub flags: u32,
}

impl ComponentTransformJob {
    shared! {
        /// No component transform.
        pub const NONE: u32 = 0;
        /// Reversible component transform (G.2); all sources hold `i32`.
        pub const RCT: u32 = 1;
        /// Irreversible component transform (G.3); all sources hold `f32`.
        pub const ICT: u32 = 2;
        /// Source plane 0 holds `f32`; shifted left by `c` for plane `c`.
        pub const FLOAT_0: u32 = 0x100;
    }
}

/// Samples of a row that are worked on at a time.
pub(crate) const CHUNK: usize = 256;

/// Runs the job on planes of the arena. A target plane may be a source plane.
///
/// # Panics
/// If the job reaches outside `arena`, or `count` is more than 3.
pub fn run(job: &ComponentTransformJob, arena: &mut [u32]) {
    let mut chunks = [[0; CHUNK]; 3];
    let chunks = &mut chunks[..job.count as usize];
    let width = job.width as usize;
    let at = |first: u32, row: u32, y: usize, x: usize| first as usize + y * row as usize + x;
    for y in 0..job.height as usize {
        for x in (0..width).step_by(CHUNK) {
            let length = CHUNK.min(width - x);
            for (plane, chunk) in chunks.iter_mut().enumerate() {
                let start = at(job.source[plane], job.source_row[plane], y, x);
                chunk[..length].copy_from_slice(&arena[start..start + length]);
            }
            if let [first, second, third] = chunks {
                // Tiles may be very narrow.
                let [first, second, third] = [first, second, third].map(|chunk| &mut chunk[..length]);
                transform(job.flags & 0xFF, first, second, third);
            }
            for (plane, chunk) in chunks.iter_mut().enumerate() {
                finish(&Finish::of(job, plane), &mut chunk[..length]);
                let start = at(job.target[plane], job.target_row[plane], y, x);
                arena[start..start + length].copy_from_slice(&chunk[..length]);
            }
        }
    }
}

/// The inverse of RCT (G.2.2) or ICT (G.3.2), in place.
pub(crate) fn transform(kind: u32, first: &mut [u32], second: &mut [u32], third: &mut [u32]) {
    let samples = first.iter_mut().zip(second.iter_mut().zip(third.iter_mut()));
    match kind {
        ComponentTransformJob::RCT => {
            for (first, (second, third)) in samples {
                let (luma, blue, red) = (*first as i32, *second as i32, *third as i32);
                let green = luma.wrapping_sub(blue.wrapping_add(red) >> 2);
                *first = red.wrapping_add(green) as u32;
                *second = green as u32;
                *third = blue.wrapping_add(green) as u32;
            }
        }
        ComponentTransformJob::ICT => {
            for (first, (second, third)) in samples {
                let [luma, blue, red] = [*first, *second, *third].map(f32::from_bits);
                *first = (luma + 1.402 * red).to_bits();
                *second = (luma - 0.344_136 * blue - 0.714_136 * red).to_bits();
                *third = (luma + 1.772 * blue).to_bits();
            }
        }
        _ => {}
    }
}

/// What is done to a sample after the transform.
pub(crate) struct Finish {
    /// Samples are `f32`.
    pub(crate) float: bool,
    pub(crate) shift: i32,
    pub(crate) low: i32,
    pub(crate) high: i32,
}

impl Finish {
    fn of(job: &ComponentTransformJob, plane: usize) -> Self {
        let float = is_float(job.flags, plane);
        Self { float, shift: job.shift[plane], low: job.low[plane], high: job.high[plane] }
    }
}

/// Whether the samples of a plane are `f32` after the transform.
pub(crate) const fn is_float(flags: u32, plane: usize) -> bool {
    flags & 0xFF == ComponentTransformJob::ICT || flags & (ComponentTransformJob::FLOAT_0 << plane) != 0
}

/// To integers; level shift and clamping.
pub(crate) fn finish(&Finish { float, shift, low, high }: &Finish, samples: &mut [u32]) {
    // Clamped before the shift, which then cannot overflow.
    let low = low.wrapping_sub(shift);
    let high = high.wrapping_sub(shift);
    if !float {
        for sample in samples {
            *sample = (*sample as i32).clamp(low, high).wrapping_add(shift) as u32;
        }
    } else if -SMALL <= low && high <= SMALL {
        let (low, high) = (low as f32, high as f32);
        for sample in samples {
            let value = f32::from_bits(*sample);
            let value = if value.is_nan() { 0.0 } else { value };
            *sample = round_small(limit(value, low, high)).wrapping_add(shift) as u32;
        }
    } else {
        for sample in samples {
            let value = f32::from_bits(*sample).round_ties_even() as i32;
            *sample = value.clamp(low, high).wrapping_add(shift) as u32;
        }
    }
}

/// Largest magnitude that [`round_small`] takes.
pub(crate) const SMALL: i32 = 1 << 22;

/// To the nearest integer, halves to even, by letting the addition round: unlike the conversion it
/// vectorises on every processor.
#[inline(always)]
pub(crate) fn round_small(value: f32) -> i32 {
    const BIAS: f32 = 12_582_912.0; // 1.5 * 2^23: one unit in the last place is 1.
    (value + BIAS).to_bits().wrapping_sub(BIAS.to_bits()) as i32
}

/// `value.clamp(low, high)` in the form that is one instruction each.
#[inline(always)]
pub(crate) fn limit(value: f32, low: f32, high: f32) -> f32 {
    let value = if value > low { value } else { low };
    if value < high { value } else { high }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// Annex G for one sample of up to three planes, in the widest types.
    fn literal(job: &ComponentTransformJob, words: [u32; 3]) -> Vec<i32> {
        let int = words.map(|word| i64::from(word as i32));
        let float = words.map(f32::from_bits);
        let whole = |value: f32| if value.is_nan() { 0 } else { f64::from(value).round_ties_even() as i64 };
        let values = match job.flags & 0xFF {
            ComponentTransformJob::RCT => {
                // Planes of 32 bits wrap.
                let green = (int[0] as i32).wrapping_sub((int[1] as i32).wrapping_add(int[2] as i32) >> 2);
                [int[2] as i32, 0, int[1] as i32].map(|other| i64::from(other.wrapping_add(green)))
            }
            ComponentTransformJob::ICT => [
                whole(float[0] + 1.402 * float[2]),
                whole(float[0] - 0.344136 * float[1] - 0.714136 * float[2]),
                whole(float[0] + 1.772 * float[1]),
            ],
            _ => [0, 1, 2].map(|c: usize| {
                if job.flags & (ComponentTransformJob::FLOAT_0 << c) != 0 { whole(float[c]) } else { int[c] }
            }),
        };
        (0..job.count as usize)
            .map(|c| {
                let value = values[c].saturating_add(job.shift[c].into());
                value.clamp(job.low[c].into(), job.high[c].into()) as i32
            })
            .collect()
    }

    fn job(width: u32, flags: u32, count: u32, depth: u32, signed: bool) -> ComponentTransformJob {
        let half = 1_i32 << (depth - 1);
        let (shift, low, high) = if signed { (0, -half, half - 1) } else { (half, 0, half - 1 + half) };
        let height = 2;
        ComponentTransformJob {
            source: [1, 1 + (width + 3) * height, 1 + 2 * (width + 3) * height, 0],
            source_row: [width + 3; 4],
            // Plane 0 in place, the others behind.
            target: [1, 1 + 3 * (width + 3) * height, 1 + 4 * (width + 3) * height, 0],
            target_row: [width + 3; 4],
            shift: [shift; 4],
            low: [low; 4],
            high: [high; 4],
            width,
            height,
            count,
            flags,
        }
    }

    fn check(job: &ComponentTransformJob, words: &[u32]) {
        let plane = (job.source_row[0] * job.height) as usize;
        let before: Vec<u32> = words.iter().copied().cycle().take(1 + 5 * plane).collect();
        let mut after = before.clone();
        run(job, &mut after);
        let mut right = before.clone();
        for y in 0..job.height {
            for x in 0..job.width {
                let at = |first: [u32; 4], c: usize| (first[c] + y * job.source_row[c] + x) as usize;
                let sample = literal(job, [0, 1, 2].map(|c| before[at(job.source, c)]));
                for (c, value) in sample.into_iter().enumerate() {
                    right[at(job.target, c)] = value as u32;
                }
            }
        }
        assert_eq!(after, right, "{job:?}");
    }

    const FLAGS: [(u32, u32); 6] = [
        (ComponentTransformJob::NONE, 1),
        (ComponentTransformJob::FLOAT_0, 1),
        (ComponentTransformJob::RCT, 3),
        (ComponentTransformJob::ICT | 0x700, 3),
        (ComponentTransformJob::ICT, 3),
        (0x500, 3),
    ];

    #[test]
    fn halves_go_to_even_and_what_is_not_a_number_to_zero() {
        let values = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.499_999_97, f32::NAN, f32::INFINITY, -1e30, 127.5];
        let words = values.map(f32::to_bits);
        let mut arena: Vec<u32> = [0].into_iter().chain(words).collect();
        let mut signed = job(11, ComponentTransformJob::FLOAT_0, 1, 8, true);
        signed.height = 1;
        run(&signed, &mut arena);
        let made: Vec<i32> = arena[1..].iter().map(|&word| word as i32).collect();
        assert_eq!(made, [0, 2, 2, 0, -2, -2, 0, 0, 127, -128, 127]);
    }

    #[test]
    fn extremes_saturate_at_every_depth() {
        let integers = [i32::MIN, i32::MAX, 0, -1, 1, 1 << 30].map(|value| value as u32);
        let floats =
            [f32::MIN, f32::MAX, 0.0, f32::NEG_INFINITY, 2_147_483_648.0, 8_388_607.5].map(f32::to_bits);
        for (flags, count) in FLAGS {
            for depth in [1, 8, 22, 23, 24, 30] {
                for signed in [false, true] {
                    let job = job(300, flags, count, depth, signed);
                    check(&job, &integers);
                    check(&job, &floats);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_kind_equals_the_formula(
            samples in prop::collection::vec(-40_000.0_f32..40_000.0, 7..50),
            kind in 0..FLAGS.len(),
            width in 1_u32..600,
            depth in 1_u32..17,
            signed: bool,
        ) {
            let (flags, count) = FLAGS[kind];
            let job = job(width, flags, count, depth, signed);
            check(&job, &samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>());
            check(&job, &samples.iter().map(|&sample| sample as i32 as u32).collect::<Vec<_>>());
            // Exact halves.
            check(&job, &samples.iter().map(|sample| (sample.round() / 2.0).to_bits()).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "left")]
    fn one_wrong_sample_is_noticed() {
        let words = [5, 9, 200, 17];
        let mut wrong = job(10, ComponentTransformJob::RCT, 3, 8, false);
        let mut after: Vec<u32> = words.iter().copied().cycle().take(200).collect();
        let mut right = after.clone();
        run(&wrong, &mut right);
        wrong.shift[1] += 1;
        run(&wrong, &mut after);
        assert_eq!(after, right);
    }
}
