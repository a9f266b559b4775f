// The irreversible 9/7 inverse wavelet transform of one level (T.800 F.3.8.2), on f32.
// Bindings and dispatch shape: idwt.wgsl. Roundings are those of idwt_97.rs, unless the driver fuses a product
// with a sum.

alias Sample = f32;
// Even number of samples that covers the filter's reach (4).
const APRON: u32 = 4u;

// Table F.4.
const ALPHA: f32 = -1.586134342059924;
const BETA: f32 = -0.052980118572961;
const GAMMA: f32 = 0.882911075530934;
const DELTA: f32 = 0.443506852043971;
const K: f32 = 1.230174104914001;
const INVERSE_K: f32 = 0.812893066115961;

fn scale(sample: Sample, high: u32, length: i32) -> Sample {
    return select(sample * select(K, INVERSE_K, high == 1u), sample, length == 1);
}

fn scale_column(sample: Sample, high: u32, length: i32) -> Sample {
    return scale(sample, high, length);
}

fn scale_row(sample: Sample, high: u32, length: i32) -> Sample {
    return scale(sample, high, length);
}

// F.3.6: the only sample of its row or column.
fn alone(sample: Sample, at: u32) -> Sample {
    return select(sample, sample * 0.5, (at & 1u) == 1u);
}

fn lift(sample: Sample, factor: f32, before: Sample, after: Sample) -> Sample {
    return sample - factor * (before + after);
}

// The last results of each lifting step, as the synthesis goes along a row or column.
struct Lifting {
    high_input: Sample,
    low_1: Sample,
    high_1: Sample,
    low_2: Sample,
    // Finished: the even sample one pair behind the input, and the odd one before it.
    odd: Sample,
    even: Sample,
}

// Takes the pair's low-pass and high-pass sample.
fn advance(state: Lifting, low_input: Sample, high_input: Sample) -> Lifting {
    var next: Lifting;
    next.high_input = high_input;
    next.low_1 = lift(low_input, DELTA, state.high_input, high_input);
    next.high_1 = lift(state.high_input, GAMMA, state.low_1, next.low_1);
    next.even = lift(state.low_1, BETA, state.high_1, next.high_1);
    next.odd = lift(state.high_1, ALPHA, state.low_2, next.even);
    next.low_2 = next.even;
    return next;
}

// Columns first..first + RUN_X of row y. The first three pairs only fill the pipeline.
fn horizontal(y: u32, first: u32, height: i32) {
    let read = y * INPUT_ROW + first;
    let write = y * MIDDLE_ROW + first;
    var state: Lifting;
    state.high_input = input[read + 1u];
    for (var i = 2u; i < RUN_X + 2u * APRON; i += 2u) {
        state = advance(state, input[read + i], input[read + i + 1u]);
        if (i >= APRON + 4u) {
            middle[write + i - APRON - 3u] = scale_row(state.odd, y & 1u, height);
        }
        if (i >= APRON + 2u && i < RUN_X + APRON + 2u) {
            middle[write + i - APRON - 2u] = scale_row(state.even, y & 1u, height);
        }
    }
}

// Rows first..first + RUN_Y of column x; the rows begin..end of the run go to arena word out and on.
fn vertical(x: u32, first: u32, begin: u32, end: u32, out: u32, out_row: u32) {
    let read = first * MIDDLE_ROW + x;
    var state: Lifting;
    state.high_input = middle[read + MIDDLE_ROW];
    for (var i = 2u; i < RUN_Y + 2u * APRON; i += 2u) {
        state = advance(state, middle[read + i * MIDDLE_ROW], middle[read + (i + 1u) * MIDDLE_ROW]);
        // The row of the finished even sample; wraps, and is then not inside begin..end, while the pipeline fills.
        let row = i - APRON - 2u;
        if (row - 1u >= begin && row - 1u < end) {
            arena[out + (row - 1u) * out_row] = state.odd;
        }
        if (row >= begin && row < end) {
            arena[out + row * out_row] = state.even;
        }
    }
}
