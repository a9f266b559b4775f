//! The code-blocks that a mosaic is laid of.

use crate::codestream::{Contexts, EncodedBlock};
use crate::random::Random;
use std::sync::OnceLock;

/// The code-blocks, each encoded when it is first needed.
#[derive(Debug)]
pub(super) struct Stones {
    seed: u64,
    /// By kind of context and number.
    details: [[OnceLock<EncodedBlock>; DETAILS]; 3],
    /// Of the coarsest resolution, which is smooth from block to block.
    grounds: [OnceLock<EncodedBlock>; GROUNDS],
}

/// Code-blocks of details for each kind of context.
pub(super) const DETAILS: usize = 24;
/// Smooth code-blocks.
pub(super) const GROUNDS: usize = 18;
/// Side of a code-block.
const SIDE: usize = 64;

impl Stones {
    pub(super) fn new(seed: u64) -> Self {
        let none = || std::array::from_fn(|_| OnceLock::new());
        Self { seed, details: [none(), none(), none()], grounds: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// Detail `number`, of seven bit-planes.
    pub(super) fn detail(&self, contexts: Contexts, number: usize) -> &EncodedBlock {
        self.details[contexts as usize][number].get_or_init(|| {
            let seed = self.seed << 8 ^ (number * 3 + contexts as usize) as u64;
            EncodedBlock::new(SIDE, contexts, &detail(&mut Random::new(seed)))
        })
    }

    /// A smooth block, of at most seven bit-planes.
    pub(super) fn ground(&self, number: usize) -> &EncodedBlock {
        self.grounds[number].get_or_init(|| {
            let mut random = Random::new(self.seed << 8 ^ 0xFF00 ^ number as u64);
            EncodedBlock::new(SIDE, Contexts::Vertical, &ground(&mut random))
        })
    }
}

/// Waves that end at 0 at all edges, so that blocks fit together.
fn ground(random: &mut Random) -> Vec<i32> {
    let waves: Vec<(f32, f32, f32)> = (0..3)
        .map(|_| ((1 + random.below(3)) as f32, (1 + random.below(3)) as f32, 40.0 + random.float(30.0)))
        .collect();
    let sine = |times: f32, at: usize| (times * std::f32::consts::PI * (at as f32 + 0.5) / SIDE as f32).sin();
    let value = |x, y| waves.iter().map(|(u, v, size)| size * sine(*u, x) * sine(*v, y)).sum::<f32>();
    places().map(|(x, y)| value(x, y).clamp(-127.0, 127.0) as i32).collect()
}

/// Discs, lines or grains: most coefficients are 0, and large ones lie along edges.
fn detail(random: &mut Random) -> Vec<i32> {
    let at = |random: &mut Random| random.below(SIDE as u32) as f32;
    let (x0, y0, size) = (at(random), at(random), 8.0 + random.below(20) as f32);
    let (dx, dy) = (random.float(1.0), random.float(1.0));
    let kind = random.below(3);
    // How far a place is from the nearest edge.
    let distance = |x: f32, y: f32| match kind {
        0 => ((x - x0).hypot(y - y0) - size).abs(),
        1 => ((x - x0) * dx + (y - y0) * dy).abs() / dx.hypot(dy).max(0.1),
        _ => 4.0,
    };
    let mut coefficients: Vec<i32> = places()
        .map(|(x, y)| {
            let size = 90.0 * (-distance(x as f32, y as f32)).exp() + 1.2;
            // The product of three is mostly small, and now and then large.
            let value = size * random.float(1.0) * random.float(1.3) * random.float(1.3);
            value.clamp(-127.0, 127.0) as i32
        })
        .collect();
    // All have seven bit-planes.
    coefficients[random.below((SIDE * SIDE) as u32) as usize] = 100;
    coefficients
}

fn places() -> impl Iterator<Item = (usize, usize)> {
    (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)))
}
