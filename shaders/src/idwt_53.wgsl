// The reversible 5/3 part of idwt.wgsl (T.800 F.3.8.1), on i32 that wrap.

// F-5: undoes the update of a low-pass sample.
fn even_53(low: i32, before: i32, after: i32) -> i32 {
    return low - ((before + after + 2) >> 2u);
}

// F-6: undoes the prediction of a high-pass sample.
fn odd_53(high: i32, before: i32, after: i32) -> i32 {
    return high + ((before + after) >> 1u);
}

fn input_53(at: u32) -> i32 {
    return bitcast<i32>(input[at]);
}

fn middle_53(at: u32) -> i32 {
    return bitcast<i32>(middle[at]);
}

// Columns first..first + RUN_X of row y.
fn horizontal_53(y: u32, first: u32) {
    let read = y * INPUT_ROW + first + APRON_53;
    let write = y * MIDDLE_ROW + first;
    var high = input_53(read - 1u);
    var high_after = input_53(read + 1u);
    var before = even_53(input_53(read), high, high_after);
    for (var i = 0u; i < RUN_X; i += 2u) {
        high = high_after;
        high_after = input_53(read + i + 3u);
        let after = even_53(input_53(read + i + 2u), high, high_after);
        middle[write + i] = bitcast<u32>(before);
        middle[write + i + 1u] = bitcast<u32>(odd_53(high, before, after));
        before = after;
    }
}

// Rows first..first + RUN_Y of column x; the rows begin..end of the run go to arena word out and on.
fn vertical_53(x: u32, first: u32, begin: u32, end: u32, out: u32, out_row: u32) {
    let read = (first + APRON_53) * MIDDLE_ROW + x;
    var high = middle_53(read - MIDDLE_ROW);
    var high_after = middle_53(read + MIDDLE_ROW);
    var before = even_53(middle_53(read), high, high_after);
    for (var i = 0u; i < RUN_Y; i += 2u) {
        high = high_after;
        high_after = middle_53(read + (i + 3u) * MIDDLE_ROW);
        let after = even_53(middle_53(read + (i + 2u) * MIDDLE_ROW), high, high_after);
        if (i >= begin && i < end) {
            arena[out + i * out_row] = bitcast<u32>(before);
        }
        if (i + 1u >= begin && i + 1u < end) {
            arena[out + (i + 1u) * out_row] = bitcast<u32>(odd_53(high, before, after));
        }
        before = after;
    }
}
