// Dequantisation (T.800 E.1): code-block coefficients into the windows of their sub-bands.
//
// Bindings: 0 and 2 see dispatch.wgsl. 1 jobs: array<DequantiseJob>. 3 coefficients: array<u32>, the blocks of
// the cell one after another. 4 arena: array<u32>, i32 or the bits of f32.
// Dispatch shape: ceil(width * height / WORKGROUP_SAMPLES) workgroups for each job.

// `target` is a reserved word.
struct DequantiseJob {
    source: u32,
    source_row: u32,
    source_x: u32,
    source_y: u32,
    width: u32,
    height: u32,
    target_: u32,
    target_row: u32,
    flags: u32,
    step: f32,
    padding: array<u32, 2>,
}

@group(0) @binding(1) var<storage, read> jobs: array<DequantiseJob>;
@group(0) @binding(3) var<storage, read> coefficients: array<u32>;
@group(0) @binding(4) var<storage, read_write> arena: array<u32>;

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
    let first = (workgroup - starts[found]) * WORKGROUP_SAMPLES;
    let last = min(first + WORKGROUP_SAMPLES, job.width * job.height);
    for (var i = first + invocation; i < last; i += WORKGROUP_SIZE) {
        let y = i / job.width;
        let x = i - y * job.width;
        let row = job.source + (job.source_y + y) * job.source_row;
        let source_x = job.source_x + x;
        var value: i32;
        if ((job.flags & PACKED_16) != 0u) {
            value = extractBits(bitcast<i32>(coefficients[row + source_x / 2u]), 16u * (source_x & 1u), 16u);
        } else {
            value = bitcast<i32>(coefficients[row + source_x]);
        }
        var word = bitcast<u32>(value);
        if ((job.flags & IRREVERSIBLE) != 0u) {
            word = bitcast<u32>(f32(value) * job.step);
        }
        arena[job.target_ + y * job.target_row + x] = word;
    }
}
