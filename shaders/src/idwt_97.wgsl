// The irreversible 9/7 part of idwt.wgsl (T.800 F.3.8.2), on f32. Roundings are those of idwt_97.rs, unless the
// driver fuses a product with a sum.

// Table F.4.

// The scaling of a low-pass or high-pass sample, unless it is alone.
fn scale_97(word: u32, high: u32, length: i32) -> u32 {
    let sample = bitcast<f32>(word);
    return bitcast<u32>(select(sample * select(K, INVERSE_K, high == 1u), sample, length == 1));
}

fn input_97(at: u32) -> f32 {
    return bitcast<f32>(input[at]);
}

fn middle_97(at: u32) -> f32 {
    return bitcast<f32>(middle[at]);
}

fn lift(sample: f32, factor: f32, before: f32, after: f32) -> f32 {
    return sample - factor * (before + after);
}

// The last results of each lifting step, as the synthesis goes along a row or column.
struct Lifting {
    high_input: f32,
    low_1: f32,
    high_1: f32,
    low_2: f32,
    // Finished: the even sample one pair behind the input, and the odd one before it.
    odd: f32,
    even: f32,
}

// Takes the pair's low-pass and high-pass sample.
fn advance(state: Lifting, low_input: f32, high_input: f32) -> Lifting {
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
fn horizontal_97(y: u32, first: u32, height: i32) {
    let read = y * INPUT_ROW + first;
    let write = y * MIDDLE_ROW + first;
    var state: Lifting;
    state.high_input = input_97(read + 1u);
    for (var i = 2u; i < RUN_X + 2u * APRON_97; i += 2u) {
        state = advance(state, input_97(read + i), input_97(read + i + 1u));
        if (i >= APRON_97 + 4u) {
            middle[write + i - APRON_97 - 3u] = scale_97(bitcast<u32>(state.odd), y & 1u, height);
        }
        if (i >= APRON_97 + 2u && i < RUN_X + APRON_97 + 2u) {
            middle[write + i - APRON_97 - 2u] = scale_97(bitcast<u32>(state.even), y & 1u, height);
        }
    }
}

// Rows first..first + RUN_Y of column x; the rows begin..end of the run go to arena word out and on.
fn vertical_97(x: u32, first: u32, begin: u32, end: u32, out: u32, out_row: u32) {
    let read = first * MIDDLE_ROW + x;
    var state: Lifting;
    state.high_input = middle_97(read + MIDDLE_ROW);
    for (var i = 2u; i < RUN_Y + 2u * APRON_97; i += 2u) {
        state = advance(state, middle_97(read + i * MIDDLE_ROW), middle_97(read + (i + 1u) * MIDDLE_ROW));
        // The row of the finished even sample; wraps, and is then not inside begin..end, while the pipeline fills.
        let row = i - APRON_97 - 2u;
        if (row - 1u >= begin && row - 1u < end) {
            arena[out + (row - 1u) * out_row] = bitcast<u32>(state.odd);
        }
        if (row >= begin && row < end) {
            arena[out + row * out_row] = bitcast<u32>(state.even);
        }
    }
}
