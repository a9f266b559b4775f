//! One level of the inverse wavelet transform of one tile-component (T.800 F.3): what both kernels take.

use crate::idwt_53::Reversible53;
use crate::idwt_97::Irreversible97;
use crate::shared::shared;
use bytemuck::{Pod, Zeroable};

/// The four sub-band windows of one level and the window they give.
///
/// `x0..x1`, `y0..y1` is the input window on the grid of the resolution that is made: absolute
/// coordinates, since their parity tells low-pass from high-pass. Of a low band it takes the columns
/// `ceil(x0/2)..ceil(x1/2)`, of a high band `floor(x0/2)..floor(x1/2)`, and rows alike; each band
/// window is stored without gaps between its rows. An edge of the input window is either an edge of the
/// resolution itself, or as far from the outermost output sample as the filter reaches from there: 1
/// from an even and 2 from an odd coordinate with 5/3, 3 and 4 with 9/7. So symmetric extension at the
/// edges of the input window never changes an output sample where the resolution goes on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct IdwtJob {
    /// First column of the input window.
    pub x0: u32,
    /// First row of the input window.
    pub y0: u32,
    /// One past the last column of the input window.
    pub x1: u32,
    /// One past the last row of the input window.
    pub y1: u32,
    /// First column of the output window; inside the input window, as are the other three.
    pub out_x0: u32,
    /// First row of the output window.
    pub out_y0: u32,
    /// One past the last column of the output window.
    pub out_x1: u32,
    /// One past the last row of the output window.
    pub out_y1: u32,
    /// Arena word of the LL window.
    pub ll: u32,
    /// Arena word of the HL (horizontally high-pass) window.
    pub hl: u32,
    /// Arena word of the LH (vertically high-pass) window.
    pub lh: u32,
    /// Arena word of the HH window.
    pub hh: u32,
    /// Arena word of the first output sample.
    pub out: u32,
    /// Words in an output row.
    pub out_row: u32,
    /// [`Self::IRREVERSIBLE`] or 0.
    pub flags: u32,
    /// Zero.
    pub padding: u32,
}

impl IdwtJob {
    shared! {
        /// 9/7 on `f32`; otherwise 5/3 on `i32`.
        pub const IRREVERSIBLE: u32 = 1;
        /// Columns and rows of samples that one workgroup makes.
        pub const TILE: u32 = 32;
    }

    /// The wavelet is 9/7.
    #[must_use]
    pub const fn is_irreversible(&self) -> bool {
        self.flags & Self::IRREVERSIBLE != 0
    }

    /// Whether the output window is inside the input window and nowhere reversed.
    #[must_use]
    pub const fn is_consistent(&self) -> bool {
        self.x0 <= self.out_x0
            && self.out_x0 <= self.out_x1
            && self.out_x1 <= self.x1
            && self.y0 <= self.out_y0
            && self.out_y0 <= self.out_y1
            && self.out_y1 <= self.y1
    }
}

/// Makes the job's output window from its four band windows. 5/3 arithmetic wraps, so that damaged data gives the
/// same samples on every executor.
///
/// A job whose windows are reversed or not inside one another does nothing.
///
/// # Panics
/// If a window of the job is not inside `arena`.
pub fn run(job: &IdwtJob, arena: &mut [u32], scratch: &mut Scratch) {
    if job.is_irreversible() {
        run_kernel::<Irreversible97>(job, arena, scratch);
    } else {
        run_kernel::<Reversible53>(job, arena, scratch);
    }
}

/// Memory that the CPU twins keep between jobs; one for each thread.
#[derive(Debug, Default)]
pub struct Scratch {
    words: Vec<u32>,
}

/// Output columns done at a time: all rows in flight stay in the first-level cache.
const STRIP: u32 = 512;
/// Rows kept after horizontal synthesis: a power of two that covers the filter's reach on one side.
const RING: usize = 8;
/// Rows of intermediate lifting results, at most.
const STATES: usize = 3;
/// Samples of a scratch row beyond the strip itself.
const HALO: usize = 8;

/// The columns that one call of [`Kernel::horizontal`] makes: `pairs` pairs from column `2 * first`.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    pub(crate) x0: i64,
    pub(crate) x1: i64,
    pub(crate) first: i64,
    pub(crate) pairs: usize,
}

/// A filter: one-dimensional synthesis of a row, and one step of vertical synthesis down the rows.
pub(crate) trait Kernel {
    /// What a plane holds.
    type Sample: bytemuck::Pod;
    /// [`Self::vertical`] writes even rows this many pairs behind its input.
    const LAG: i64;

    /// 1D_SR of a row: `out` gets `2 * columns.pairs` interleaved samples. `low_temp` and `high_temp`
    /// hold at least `columns.pairs + 4` samples.
    fn horizontal(
        low: &[Self::Sample],
        high: &[Self::Sample],
        columns: Columns,
        low_temp: &mut [Self::Sample],
        high_temp: &mut [Self::Sample],
        out: &mut [Self::Sample],
    );

    /// Takes low-pass row `n` and the high-pass rows before and after it; gives the finished even row
    /// `2 * (n - LAG)` and the odd row before that. All slices are equally long.
    fn vertical(
        even: &[Self::Sample],
        odd: [&[Self::Sample]; 2],
        state: [&mut [Self::Sample]; STATES],
        out_odd: &mut [Self::Sample],
        out_even: &mut [Self::Sample],
    );

    /// F.3.6: a lone sample at an odd position.
    fn halve(sample: Self::Sample) -> Self::Sample;
}

/// Whole-sample symmetric extension (F.3.7): the position inside `begin..end` that stands for `at`.
pub(crate) fn mirror(at: i64, begin: i64, end: i64) -> i64 {
    let period = 2 * (end - begin - 1);
    if period <= 0 {
        return begin;
    }
    let offset = (at - begin).rem_euclid(period);
    begin + offset.min(period - offset)
}

/// Fills `out` with the band samples at interleaved columns `2 * (from + i) + odd`, extended beyond
/// `x0..x1`, each mapped by `map`.
pub(crate) fn extend<S: Copy>(
    band: &[S],
    (x0, x1): (i64, i64),
    odd: i64,
    from: i64,
    out: &mut [S],
    map: impl Fn(S) -> S,
) {
    // The band's first sample is at column 2 * begin + odd.
    let begin = (x0 + 1 - odd) >> 1;
    let count = out.len() as i64;
    let inside = (begin - from).clamp(0, count)..(begin + band.len() as i64 - from).clamp(0, count);
    for i in (0..inside.start).chain(inside.end..count) {
        let column = mirror(2 * (from + i) + odd, x0, x1);
        out[i as usize] = map(band[((column - odd) / 2 - begin) as usize]);
    }
    if inside.start < inside.end {
        let first = (from + inside.start - begin) as usize;
        let out = &mut out[inside.start as usize..inside.end as usize];
        let band = &band[first..first + out.len()];
        for (out, &sample) in out.iter_mut().zip(band) {
            *out = map(sample);
        }
    }
}

/// 2D_SR (F.3.2) of the job's output window: horizontal, then vertical synthesis.
fn run_kernel<K: Kernel>(job: &IdwtJob, arena: &mut [u32], scratch: &mut Scratch) {
    if !job.is_consistent() || job.out_x0 == job.out_x1 || job.out_y0 == job.out_y1 {
        return;
    }
    let arena: &mut [K::Sample] = bytemuck::cast_slice_mut(arena);
    let row_length = STRIP as usize + HALO;
    scratch.words.resize(row_length * (RING + STATES + 4), 0);
    let scratch: &mut [K::Sample] = bytemuck::cast_slice_mut(&mut scratch.words);
    let mut first = job.out_x0;
    while first < job.out_x1 {
        let last = first.saturating_add(STRIP).min(job.out_x1);
        let mut strip = Strip::<K>::new(job, first, last, scratch);
        if job.y1 - job.y0 == 1 {
            strip.single_row(job, arena)
        } else {
            strip.all_rows(job, arena)
        }
        first = last;
    }
}

/// The work on one strip of output columns.
struct Strip<'a, K: Kernel> {
    columns: Columns,
    /// Wanted samples inside a scratch row.
    wanted: std::ops::Range<usize>,
    /// Words from the start of an output row.
    out_offset: usize,
    row_length: usize,
    ring: &'a mut [K::Sample],
    held: [i64; RING],
    state: &'a mut [K::Sample],
    temp: &'a mut [K::Sample],
    unwanted: &'a mut [K::Sample],
}

impl<'a, K: Kernel> Strip<'a, K> {
    fn new(job: &IdwtJob, first: u32, last: u32, scratch: &'a mut [K::Sample]) -> Self {
        let pair = first / 2;
        let row_length = scratch.len() / (RING + STATES + 4);
        let (ring, rest) = scratch.split_at_mut(RING * row_length);
        let (state, rest) = rest.split_at_mut(STATES * row_length);
        let (temp, unwanted) = rest.split_at_mut(2 * row_length);
        let skipped = (first - 2 * pair) as usize;
        Self {
            columns: Columns {
                x0: job.x0.into(),
                x1: job.x1.into(),
                first: pair.into(),
                pairs: ((last - 1) / 2 - pair + 1) as usize,
            },
            wanted: skipped..skipped + (last - first) as usize,
            out_offset: (first - job.out_x0) as usize,
            row_length,
            ring,
            held: [-1; RING],
            state,
            temp,
            unwanted,
        }
    }

    /// Makes row `y` of the horizontal synthesis, unless it is held, and says where it starts.
    fn row(&mut self, job: &IdwtJob, y: i64, arena: &[K::Sample]) -> usize {
        let slot = y as usize % RING;
        let start = slot * self.row_length;
        if self.held[slot] == y {
            return start;
        }
        let low_columns = (job.x1.div_ceil(2) - job.x0.div_ceil(2)) as usize;
        let high_columns = (job.x1 / 2 - job.x0 / 2) as usize;
        let (low, high, row) = if y & 1 == 0 {
            (job.ll, job.hl, y as u32 / 2 - job.y0.div_ceil(2))
        } else {
            (job.lh, job.hh, y as u32 / 2 - job.y0 / 2)
        };
        let (low, high, row) = (low as usize, high as usize, row as usize);
        let low = &arena[low + row * low_columns..][..low_columns];
        let high = &arena[high + row * high_columns..][..high_columns];
        let out = &mut self.ring[start..start + 2 * self.columns.pairs];
        let (low_temp, high_temp) = self.temp.split_at_mut(self.row_length);
        if low_columns + high_columns > 1 {
            K::horizontal(low, high, self.columns, low_temp, high_temp, out);
        } else {
            out.fill(low.first().copied().unwrap_or_else(|| K::halve(high[0])));
        }
        self.held[slot] = y;
        start
    }

    fn single_row(&mut self, job: &IdwtJob, arena: &mut [K::Sample]) {
        let start = self.row(job, job.y0.into(), arena);
        let row = &self.ring[start..][self.wanted.clone()];
        let out = &mut arena[job.out as usize + self.out_offset..][..row.len()];
        out.copy_from_slice(row);
        if job.y0 & 1 == 1 {
            out.iter_mut().for_each(|sample| *sample = K::halve(*sample));
        }
    }

    fn all_rows(&mut self, job: &IdwtJob, arena: &mut [K::Sample]) {
        let (y0, y1) = (i64::from(job.y0), i64::from(job.y1));
        let (out_y0, out_y1) = (i64::from(job.out_y0), i64::from(job.out_y1));
        let width = self.wanted.len();
        for n in (out_y0 >> 1) - K::LAG..=(out_y1 >> 1) + K::LAG {
            let rows = [2 * n - 1, 2 * n, 2 * n + 1];
            let starts = rows.map(|y| self.row(job, mirror(y, y0, y1), arena));
            let [before, even, after] = starts.map(|start| &self.ring[start..][self.wanted.clone()]);
            let (state_0, rest) = self.state.split_at_mut(self.row_length);
            let (state_1, state_2) = rest.split_at_mut(self.row_length);
            let state = [&mut state_0[..width], &mut state_1[..width], &mut state_2[..width]];
            let (spare_odd, spare_even) = self.unwanted.split_at_mut(self.row_length);

            let even_y = 2 * (n - K::LAG);
            let odd_y = even_y - 1;
            let at =
                |y: i64| job.out as usize + (y - out_y0) as usize * job.out_row as usize + self.out_offset;
            let (out_odd, out_even) =
                match ((out_y0..out_y1).contains(&odd_y), (out_y0..out_y1).contains(&even_y)) {
                    (true, true) => {
                        let (odd, even) = arena.split_at_mut(at(even_y));
                        (&mut odd[at(odd_y)..], even)
                    }
                    (true, false) => (&mut arena[at(odd_y)..], spare_even),
                    (false, true) => (spare_odd, &mut arena[at(even_y)..]),
                    (false, false) => (spare_odd, spare_even),
                };
            K::vertical(even, [before, after], state, &mut out_odd[..width], &mut out_even[..width]);
        }
    }
}
