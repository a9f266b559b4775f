//! Inverse component transform, DC level shift and clamping (T.800 Annex G).

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
    /// No component transform.
    pub const NONE: u32 = 0;
    /// Reversible component transform (G.2); all sources hold `i32`.
    pub const RCT: u32 = 1;
    /// Irreversible component transform (G.3); all sources hold `f32`.
    pub const ICT: u32 = 2;
    /// Source plane 0 holds `f32`; shifted left by `c` for plane `c`.
    pub const FLOAT_0: u32 = 0x100;
}

/// Runs the job on planes of the arena.
///
/// # Panics
/// If the job reaches outside `arena`.
pub fn run(job: &ComponentTransformJob, arena: &mut [u32]) {
    let transform = job.flags & 0xFF;
    for row in 0..job.height {
        for column in 0..job.width {
            let read =
                |plane: usize| arena[(job.source[plane] + row * job.source_row[plane] + column) as usize];
            let mut write = [0i32; 3];
            match transform {
                ComponentTransformJob::RCT => {
                    let [luma, blue, red] = [read(0), read(1), read(2)].map(|word| word as i32);
                    let green = luma.wrapping_sub(blue.wrapping_add(red) >> 2);
                    write = [red.wrapping_add(green), green, blue.wrapping_add(green)];
                }
                ComponentTransformJob::ICT => {
                    let [luma, blue, red] = [read(0), read(1), read(2)].map(f32::from_bits);
                    write = [
                        round(luma + 1.402 * red),
                        round(luma - 0.344_136 * blue - 0.714_136 * red),
                        round(luma + 1.772 * blue),
                    ];
                }
                _ => {
                    for (plane, value) in write.iter_mut().enumerate().take(job.count as usize) {
                        let word = read(plane);
                        *value = if job.flags & (ComponentTransformJob::FLOAT_0 << plane) != 0 {
                            round(f32::from_bits(word))
                        } else {
                            word as i32
                        };
                    }
                }
            }
            for plane in 0..job.count as usize {
                let value = write[plane].saturating_add(job.shift[plane]);
                arena[(job.target[plane] + row * job.target_row[plane] + column) as usize] =
                    value.clamp(job.low[plane], job.high[plane]) as u32;
            }
        }
    }
}

/// To the nearest integer, halves to even; saturates.
fn round(value: f32) -> i32 {
    value.round_ties_even() as i32
}
