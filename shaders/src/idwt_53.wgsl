// The reversible 5/3 inverse wavelet transform of one level (T.800 F.3.8.1), on i32 that wrap.
// Bindings and dispatch shape: idwt.wgsl.

alias Sample = i32;
// Even number of samples that covers the filter's reach (2).
const APRON: u32 = 2u;

// 5/3 bands are not scaled.
fn scale_column(sample: Sample, high: u32, length: i32) -> Sample {
    return sample;
}

fn scale_row(sample: Sample, high: u32, length: i32) -> Sample {
    return sample;
}

// F.3.6: the only sample of its row or column.
fn alone(sample: Sample, at: u32) -> Sample {
    return select(sample, sample >> 1u, (at & 1u) == 1u);
}

// F-5: undoes the update of a low-pass sample.
fn even(low: Sample, before: Sample, after: Sample) -> Sample {
    return low - ((before + after + 2) >> 2u);
}

// F-6: undoes the prediction of a high-pass sample.
fn odd(high: Sample, before: Sample, after: Sample) -> Sample {
    return high + ((before + after) >> 1u);
}

// Columns first..first + RUN_X of row y.
fn horizontal(y: u32, first: u32, height: i32) {
    let read = y * INPUT_ROW + first + APRON;
    let write = y * MIDDLE_ROW + first;
    var high = input[read - 1u];
    var high_after = input[read + 1u];
    var before = even(input[read], high, high_after);
    for (var i = 0u; i < RUN_X; i += 2u) {
        high = high_after;
        high_after = input[read + i + 3u];
        let after = even(input[read + i + 2u], high, high_after);
        middle[write + i] = before;
        middle[write + i + 1u] = odd(high, before, after);
        before = after;
    }
}

// Rows first..first + RUN_Y of column x; the rows begin..end of the run go to arena word out and on.
fn vertical(x: u32, first: u32, begin: u32, end: u32, out: u32, out_row: u32) {
    let read = (first + APRON) * MIDDLE_ROW + x;
    var high = middle[read - MIDDLE_ROW];
    var high_after = middle[read + MIDDLE_ROW];
    var before = even(middle[read], high, high_after);
    for (var i = 0u; i < RUN_Y; i += 2u) {
        high = high_after;
        high_after = middle[read + (i + 3u) * MIDDLE_ROW];
        let after = even(middle[read + (i + 2u) * MIDDLE_ROW], high, high_after);
        if (i >= begin && i < end) {
            arena[out + i * out_row] = before;
        }
        if (i + 1u >= begin && i + 1u < end) {
            arena[out + (i + 1u) * out_row] = odd(high, before, after);
        }
        before = after;
    }
}
