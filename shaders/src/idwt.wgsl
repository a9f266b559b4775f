// One level of the inverse wavelet transform (T.800 F.3), of jobs with either wavelet. What the wavelets differ in is
// in idwt_53.wgsl (integers that wrap) and idwt_97.wgsl (f32, bit-cast); samples are kept as words.
//
// A workgroup makes TILE x TILE samples of one job's output. It loads the interleaved sub-band samples of the
// tile and of an apron around it, extended symmetrically at the edges of the input window (F.3.7), does the
// horizontal synthesis into a second array, and the vertical synthesis from there into the arena.
//
// Bindings: 0 and 2 see dispatch.wgsl. 1 jobs: array<IdwtJob>. 3 arena: array<u32>.
// Dispatch shape: one workgroup for each tile; tiles start at the even coordinates at or before the first sample
// of the output window, and run in rows.

struct IdwtJob {
    x0: u32,
    y0: u32,
    x1: u32,
    y1: u32,
    out_x0: u32,
    out_y0: u32,
    out_x1: u32,
    out_y1: u32,
    ll: u32,
    hl: u32,
    lh: u32,
    hh: u32,
    out: u32,
    out_row: u32,
    flags: u32,
    padding: u32,
}

// Which wavelets the jobs use: a pipeline for one of them is spared the other's code.
override WITH_53: bool = true;
override WITH_97: bool = true;

@group(0) @binding(1) var<storage, read> jobs: array<IdwtJob>;
@group(0) @binding(3) var<storage, read_write> arena: array<u32>;

// Even numbers of samples that cover the filters' reaches.
const APRON_53: u32 = 2u;
const APRON_97: u32 = 4u;
// Tile and apron, at most.
const REACH: u32 = TILE + 2u * APRON_97;
// Row lengths are odd, so that the samples of a column lie in different memory banks.
const INPUT_ROW: u32 = REACH + 1u;
const MIDDLE_ROW: u32 = TILE + 1u;
// Samples of a row that one invocation makes, and of a column.
const RUN_X: u32 = 8u;
const RUN_Y: u32 = 4u;

// Sub-band samples, interleaved.
var<workgroup> input: array<u32, INPUT_ROW * REACH>;
// The same rows after horizontal synthesis, without the apron's columns.
var<workgroup> middle: array<u32, MIDDLE_ROW * REACH>;

// F.3.7, counted from the first of `length` samples. The remainder is taken of unsigned values: not all backends
// give the one of negative values that WGSL asks for.
fn mirror(at: i32, length: i32) -> u32 {
    let distance = u32(abs(at));
    if (distance < u32(length)) {
        return distance;
    }
    if (length == 1) {
        return 0u;
    }
    let period = 2u * u32(length - 1);
    let offset = distance % period;
    return min(offset, period - offset);
}

// Samples of the low band among the interleaved ones in begin..end.
fn low_count(begin: u32, end: u32) -> u32 {
    return (end / 2u + (end & 1u)) - (begin / 2u + (begin & 1u));
}

// The sub-band sample at (x, y), counted from the first sample of the input window.
fn interleaved(job: IdwtJob, x: u32, y: u32) -> u32 {
    let from_even_x = x + (job.x0 & 1u);
    let from_even_y = y + (job.y0 & 1u);
    let high_x = from_even_x & 1u;
    let high_y = from_even_y & 1u;
    let low_width = low_count(job.x0, job.x1);
    let width = select(low_width, job.x1 - job.x0 - low_width, high_x == 1u);
    let column = from_even_x / 2u - select(job.x0 & 1u, 0u, high_x == 1u);
    let row = from_even_y / 2u - select(job.y0 & 1u, 0u, high_y == 1u);
    let band = select(
        select(job.ll, job.hl, high_x == 1u),
        select(job.lh, job.hh, high_x == 1u),
        high_y == 1u,
    );
    return arena[band + row * width + column];
}

// F.3.6: the only sample of its row or column.
fn alone(word: u32, at: u32, irreversible: bool) -> u32 {
    if ((at & 1u) == 0u) {
        return word;
    }
    if (irreversible) {
        return bitcast<u32>(bitcast<f32>(word) * 0.5);
    }
    return bitcast<u32>(bitcast<i32>(word) >> 1u);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let workgroup = id.y * count.x + id.x;
    if (workgroup >= dispatch.workgroup_count) {
        return;
    }
    let found = find_job(workgroup);
    let job = jobs[found];
    let irreversible = WITH_97 && (!WITH_53 || (job.flags & IRREVERSIBLE) != 0u);
    let apron = select(APRON_53, APRON_97, irreversible);
    let reach = TILE + 2u * apron;
    let tile = workgroup - starts[found];
    let begin = vec2(job.out_x0 & ~1u, job.out_y0 & ~1u);
    let tiles_wide = (job.out_x1 - begin.x + TILE - 1u) / TILE;
    let origin = begin + TILE * vec2(tile % tiles_wide, tile / tiles_wide);

    // Differences wrap: coordinates may use all 32 bits, windows are small.
    let length = vec2<i32>(vec2(job.x1 - job.x0, job.y1 - job.y0));
    let corner = bitcast<vec2<i32>>(origin - vec2(job.x0, job.y0)) - i32(apron);
    for (var i = invocation; i < reach * reach; i += 256u) {
        let y = i / reach;
        let x = i - y * reach;
        var word = interleaved(job, mirror(corner.x + i32(x), length.x), mirror(corner.y + i32(y), length.y));
        if (irreversible) {
            word = scale_97(word, x & 1u, length.x);
        }
        input[y * INPUT_ROW + x] = word;
    }
    workgroupBarrier();

    const RUNS: u32 = TILE / RUN_X;
    for (var i = invocation; i < RUNS * reach; i += 256u) {
        let y = i % reach;
        let first = i / reach * RUN_X;
        if (length.x == 1) {
            for (var x = first; x < first + RUN_X; x++) {
                var word = alone(input[y * INPUT_ROW + x], job.x0, irreversible);
                if (irreversible) {
                    word = scale_97(word, y & 1u, length.y);
                }
                middle[y * MIDDLE_ROW + x] = word;
            }
        } else if (irreversible) {
            horizontal_97(y, first, length.y);
        } else {
            horizontal_53(y, first);
        }
    }
    workgroupBarrier();

    // The invocation's run of rows, counted from the first tile; of it, the rows run_begin..run_end are wanted.
    let tile_first = origin - begin;
    let x = invocation % TILE;
    let first = invocation / TILE * RUN_Y;
    let column = tile_first.x + x;
    let row = tile_first.y + first;
    let skipped = vec2(job.out_x0, job.out_y0) - begin;
    if (column < skipped.x || column >= job.out_x1 - begin.x || row >= job.out_y1 - begin.y) {
        return;
    }
    let run_begin = max(row, skipped.y) - row;
    let run_end = min(RUN_Y, job.out_y1 - begin.y - row);
    let out = job.out + column - skipped.x + (row - skipped.y) * job.out_row;
    if (length.y == 1) {
        arena[out + run_begin * job.out_row] = alone(middle[(first + apron) * MIDDLE_ROW + x], job.y0, irreversible);
    } else if (irreversible) {
        vertical_97(x, first, run_begin, run_end, out, job.out_row);
    } else {
        vertical_53(x, first, run_begin, run_end, out, job.out_row);
    }
}
