//! The three coding passes of a bit-plane (T.800 Annex D).
//!
//! A block is scanned in stripes of four rows, column by column. One `u64` of flags belongs to each
//! stripe column and holds all that the contexts of its four coefficients depend on.

use super::bypass::RawBits;
use super::context::{self, SIGN, SIGN_INVERTED, ZeroCoding};
use super::mq::{Contexts, Decoder};

// Flags of a stripe column. Significance of six rows (the stripe's four, one above, one below) by three
// columns (left, own, right) lies in bits 0 to 17, row by row; the signs, 1 is negative, in the same order
// from `SIGNS`. The bits of a row's 3x3 neighbourhood are thus bits 0 to 8 after a shift by 3 * row, and
// the row's own bit is `OWN << 3 * row`.
const OWN: u64 = 1 << 4;
const OWN_ROWS: u64 = OWN | OWN << 3 | OWN << 6 | OWN << 9;
const ALL_ROWS: u64 = OWN_ROWS | OWN >> 3 | OWN << 12;
const NEIGHBOURHOOD: u64 = 0x1EF;
const SIGNIFICANCE: u64 = 0x3_FFFF;
const SIGNS: u32 = 32;
/// Distance from a row's own bit to its "coded in this plane's significance propagation pass" bit.
const VISITED: u32 = 18;
const VISITED_ROWS: u64 = OWN_ROWS << VISITED;
/// Distance from a row's own bit to its "refined before" bit.
const REFINED: u32 = 48;

/// Columns of the widest code-block (T.800 Table A.18).
pub(super) const MAX_WIDTH: usize = 1024;

/// Coefficients and flags of one code-block.
#[derive(Default)]
pub(super) struct Planes {
    width: usize,
    height: usize,
    /// Row by row, whole stripes of them: magnitudes in half units, sign in bit 31.
    pub(super) coefficients: Vec<u32>,
    /// For each stripe and column; a border of one stripe and one column on each side.
    flags: Vec<u64>,
}

impl Clone for Planes {
    fn clone(&self) -> Self {
        let Self { width, height, coefficients, flags } = self;
        Self { width: *width, height: *height, coefficients: coefficients.clone(), flags: flags.clone() }
    }

    /// Keeps its allocations.
    fn clone_from(&mut self, other: &Self) {
        (self.width, self.height) = (other.width, other.height);
        self.coefficients.clone_from(&other.coefficients);
        self.flags.clone_from(&other.flags);
    }
}

/// What the passes need to know of the block.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) zero_coding: &'static ZeroCoding,
    pub(super) vertically_causal: bool,
}

/// Where significance and sign decisions come from.
trait Decisions {
    fn significance(&mut self, label: u8) -> u32;
    /// `entry`: of [`SIGN`]. 1 is negative.
    fn sign(&mut self, entry: u8) -> u32;
}

struct Arithmetic<'a, 'b> {
    decoder: Decoder<'a>,
    contexts: &'b mut Contexts,
}

impl Decisions for Arithmetic<'_, '_> {
    #[inline(always)]
    fn significance(&mut self, label: u8) -> u32 {
        self.decoder.decode(self.contexts, label)
    }

    #[inline(always)]
    fn sign(&mut self, entry: u8) -> u32 {
        self.decoder.decode(self.contexts, entry & !SIGN_INVERTED) ^ u32::from(entry / SIGN_INVERTED)
    }
}

impl Arithmetic<'_, '_> {
    #[inline(always)]
    fn likely(&mut self, label: u8) -> u32 {
        self.decoder.decode_likely(self.contexts, label)
    }
}

struct Raw<'a>(RawBits<'a>);

impl Decisions for Raw<'_> {
    #[inline(always)]
    fn significance(&mut self, _label: u8) -> u32 {
        self.0.bit()
    }

    #[inline(always)]
    fn sign(&mut self, _entry: u8) -> u32 {
        self.0.bit()
    }
}

/// One stripe: flags with a border column on each side, and coefficients.
struct Stripe<'a> {
    above: &'a mut [u64],
    current: &'a mut [u64],
    below: &'a mut [u64],
    /// Its four rows.
    coefficients: [&'a mut [u32]; 4],
    /// The own bits of the rows that exist.
    rows: u64,
}

impl<'a> Stripe<'a> {
    /// Takes a stripe's flags with those of the stripes around it. States how the lengths hang together, so
    /// that no index needs a check in the loops.
    #[inline(always)]
    fn new(flags: [&'a mut [u64]; 3], coefficients: &'a mut [u32], rows: u64) -> Self {
        let [above, current, below] = flags;
        let columns = current.len().saturating_sub(2).min(MAX_WIDTH);
        let (above, below) = (&mut above[..columns + 2], &mut below[..columns + 2]);
        Self {
            above,
            current: &mut current[..columns + 2],
            below,
            coefficients: rows_of(coefficients, columns),
            rows,
        }
    }
}

/// The four rows of a stripe.
#[inline(always)]
fn rows_of(stripe: &mut [u32], width: usize) -> [&mut [u32]; 4] {
    let (upper, lower) = stripe.split_at_mut(2 * width);
    let ((a, b), (c, d)) = (upper.split_at_mut(width), lower.split_at_mut(width));
    [a, b, c, &mut d[..width]]
}

impl Planes {
    /// Forgets everything and takes the size of another block.
    pub(super) fn clear(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        let stripes = height.div_ceil(4);
        self.coefficients.clear();
        self.coefficients.resize(4 * stripes * width, 0);
        self.flags.clear();
        self.flags.resize((stripes + 2) * (width + 2), 0);
    }

    /// Bytes of the coefficients and flags.
    pub(super) fn held_bytes(&self) -> usize {
        self.coefficients.capacity() * size_of::<u32>() + self.flags.capacity() * size_of::<u64>()
    }

    #[inline(always)]
    fn for_each_stripe(&mut self, mut visit: impl FnMut(Stripe<'_>)) {
        let stride = self.width + 2;
        let stripes = self.coefficients.chunks_exact_mut(4 * self.width);
        for (index, coefficients) in stripes.enumerate() {
            let (above, rest) = self.flags[index * stride..].split_at_mut(stride);
            let (current, rest) = rest.split_at_mut(stride);
            let below = &mut rest[..stride];
            let rows = match self.height - 4 * index {
                1 => OWN,
                2 => OWN | OWN << 3,
                3 => OWN | OWN << 3 | OWN << 6,
                _ => OWN_ROWS,
            };
            visit(Stripe::new([above, current, below], coefficients, rows));
        }
    }

    /// Significance propagation pass (T.800 D.3.1) of the plane whose unit is `2 << plane` half units.
    #[inline(never)]
    pub(super) fn propagate_significance(
        &mut self,
        rules: Rules,
        plane: u32,
        decoder: &mut Decoder<'_>,
        contexts: &mut Contexts,
    ) {
        let mut decisions = Arithmetic { decoder: *decoder, contexts };
        self.for_each_stripe(|stripe| propagate_significance(stripe, rules, plane, &mut decisions));
        *decoder = decisions.decoder;
    }

    /// The same from a bypass segment.
    #[inline(never)]
    pub(super) fn propagate_significance_raw(&mut self, rules: Rules, plane: u32, bits: &mut RawBits<'_>) {
        let mut decisions = Raw(*bits);
        self.for_each_stripe(|stripe| propagate_significance(stripe, rules, plane, &mut decisions));
        *bits = decisions.0;
    }

    /// Magnitude refinement pass (T.800 D.3.3).
    #[inline(never)]
    pub(super) fn refine_magnitudes(
        &mut self,
        plane: u32,
        decoder: &mut Decoder<'_>,
        contexts: &mut Contexts,
    ) {
        let mut registers = *decoder;
        self.for_each_stripe(|stripe| {
            refine_magnitudes(stripe, plane, |flags, own| {
                let neighbours = u8::from(flags >> (own - 4) & NEIGHBOURHOOD != 0);
                let first = context::REFINEMENT + neighbours;
                let refined = flags >> (own + REFINED) & 1 != 0;
                registers.decode(contexts, if refined { context::REFINEMENT + 2 } else { first })
            });
        });
        *decoder = registers;
    }

    /// The same from a bypass segment.
    #[inline(never)]
    pub(super) fn refine_magnitudes_raw(&mut self, plane: u32, bits: &mut RawBits<'_>) {
        let mut registers = *bits;
        self.for_each_stripe(|stripe| refine_magnitudes(stripe, plane, |_, _| registers.bit()));
        *bits = registers;
    }

    /// Cleanup pass (T.800 D.3.4).
    #[inline(never)]
    pub(super) fn clean_up(
        &mut self,
        rules: Rules,
        plane: u32,
        decoder: &mut Decoder<'_>,
        contexts: &mut Contexts,
    ) {
        let mut decisions = Arithmetic { decoder: *decoder, contexts };
        self.for_each_stripe(|stripe| clean_up(stripe, rules, plane, &mut decisions));
        *decoder = decisions.decoder;
    }

    /// Takes back what was decoded in the plane: every coefficient is as it was before.
    pub(super) fn forget_plane(&mut self, plane: u32) {
        let half = 2 << plane;
        for coefficient in &mut self.coefficients {
            let magnitude = *coefficient & i32::MAX as u32;
            *coefficient = if magnitude < 2 * half { 0 } else { *coefficient & !(2 * half - 1) | half };
        }
    }
}

/// The decoded coefficient of `row` (its own bit is `4 + 3 * row`) in column `x`: sets its value and the
/// flags of all that see it.
#[inline(always)]
fn become_significant(
    stripe: &mut Stripe<'_>,
    rules: Rules,
    plane: u32,
    x: usize,
    row: u32,
    flags: &mut u64,
    negative: u32,
) {
    stripe.coefficients[(row & 3) as usize][x] = 3 << plane | negative << 31;
    let mark = 1 | u64::from(negative) << SIGNS;
    *flags |= mark << (3 * row + 4);
    stripe.current[x] |= mark << (3 * row + 5);
    stripe.current[x + 2] |= mark << (3 * row + 3);
    if row == 0 && !rules.vertically_causal {
        stripe.above[x] |= mark << 17;
        stripe.above[x + 1] |= mark << 16;
        stripe.above[x + 2] |= mark << 15;
    }
    if row == 3 {
        stripe.below[x] |= mark << 2;
        stripe.below[x + 1] |= mark << 1;
        stripe.below[x + 2] |= mark;
    }
}

/// The entry of [`SIGN`] for `row`.
#[inline(always)]
fn sign_entry(flags: u64, row: u32) -> u8 {
    let significance = flags >> (3 * row) & 0xAA;
    let signs = flags >> (3 * row + SIGNS + 1) & 0x55;
    SIGN[(significance | signs) as usize]
}

/// Runs a block for each row of a stripe, with the row a constant.
macro_rules! for_each_row {
    (|$row:ident| $body:block) => {{
        for_each_row!(@ $row, 0, $body);
        for_each_row!(@ $row, 1, $body);
        for_each_row!(@ $row, 2, $body);
        for_each_row!(@ $row, 3, $body);
    }};
    (@ $row:ident, $value:literal, $body:block) => {{
        let $row: u32 = $value;
        $body
    }};
}

#[inline(always)]
fn propagate_significance(mut stripe: Stripe<'_>, rules: Rules, plane: u32, decisions: &mut impl Decisions) {
    for x in 0..stripe.current.len() - 2 {
        let mut flags = stripe.current[x + 1];
        if flags & SIGNIFICANCE == 0 {
            continue;
        }
        flags &= !VISITED_ROWS;
        let row_any = (flags | flags >> 1 | flags << 1) & ALL_ROWS;
        let mut candidates = (row_any | row_any >> 3 | row_any << 3) & !flags & stripe.rows;
        for_each_row!(|row| {
            if candidates & OWN << (3 * row) != 0 {
                let label = rules.zero_coding[(flags >> (3 * row) & 0x1FF) as usize];
                if decisions.significance(label) != 0 {
                    let negative = decisions.sign(sign_entry(flags, row));
                    become_significant(&mut stripe, rules, plane, x, row, &mut flags, negative);
                    candidates |= OWN << (3 * row + 3) & !flags & stripe.rows;
                }
            }
        });
        stripe.current[x + 1] = flags | candidates << VISITED;
    }
}

#[inline(always)]
fn refine_magnitudes(stripe: Stripe<'_>, plane: u32, mut decide: impl FnMut(u64, u32) -> u32) {
    for x in 0..stripe.current.len() - 2 {
        let flags = &mut stripe.current[x + 1];
        let candidates = *flags & !(*flags >> VISITED) & stripe.rows;
        if candidates == 0 {
            continue;
        }
        for_each_row!(|row| {
            let own = 3 * row + 4;
            if candidates >> own & 1 != 0 {
                let bit = decide(*flags, own);
                let coefficient = &mut stripe.coefficients[row as usize][x];
                *coefficient = (*coefficient - (1 << plane)) + (bit << (plane + 1));
            }
        });
        *flags |= candidates << REFINED;
    }
}

#[inline(always)]
fn clean_up(mut stripe: Stripe<'_>, rules: Rules, plane: u32, decisions: &mut Arithmetic<'_, '_>) {
    let whole = stripe.rows == OWN_ROWS;
    for x in 0..stripe.current.len() - 2 {
        let mut flags = stripe.current[x + 1];
        let mut left = !(flags | flags >> VISITED) & stripe.rows;
        if flags & (SIGNIFICANCE | VISITED_ROWS) == 0 && whole {
            if decisions.likely(context::RUN_LENGTH) == 0 {
                continue;
            }
            let high = decisions.significance(context::UNIFORM);
            let row = high << 1 | decisions.significance(context::UNIFORM);
            let negative = decisions.sign(sign_entry(flags, row));
            become_significant(&mut stripe, rules, plane, x, row, &mut flags, negative);
            left &= !(2 * (OWN << (3 * row)) - 1);
        } else if left == 0 {
            continue;
        }
        for_each_row!(|row| {
            if left & OWN << (3 * row) != 0 {
                let label = rules.zero_coding[(flags >> (3 * row) & 0x1FF) as usize];
                if decisions.significance(label) != 0 {
                    let negative = decisions.sign(sign_entry(flags, row));
                    become_significant(&mut stripe, rules, plane, x, row, &mut flags, negative);
                }
            }
        });
        stripe.current[x + 1] = flags;
    }
}
