// Inverse component transform, DC level shift and clamping (T.800 Annex G) of whole planes. Joined with annex_g.wgsl.
//
// Bindings: 0 and 2 see dispatch.wgsl. 1 jobs: array<ComponentTransformJob>. 3 arena: array<u32>: sources hold
// i32 or the bits of f32, targets i32.
// Dispatch shape: ceil(width * height / WORKGROUP_SAMPLES) workgroups for each job.

// `target` is a reserved word.
struct ComponentTransformJob {
    source: array<u32, 4>,
    source_row: array<u32, 4>,
    target_: array<u32, 4>,
    target_row: array<u32, 4>,
    shift: array<i32, 4>,
    low: array<i32, 4>,
    high: array<i32, 4>,
    width: u32,
    height: u32,
    count: u32,
    flags: u32,
}

@group(0) @binding(1) var<storage, read> jobs: array<ComponentTransformJob>;
@group(0) @binding(3) var<storage, read_write> arena: array<u32>;

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
    let first = (workgroup - starts[found]) * WORKGROUP_SAMPLES;
    let width = jobs[found].width;
    let last = min(first + WORKGROUP_SAMPLES, width * jobs[found].height);
    let planes = jobs[found].count;
    let flags = jobs[found].flags;
    for (var i = first + invocation; i < last; i += WORKGROUP_SIZE) {
        let y = i / width;
        let x = i - y * width;
        var word: vec3<u32>;
        for (var c = 0u; c < planes; c++) {
            word[c] = arena[jobs[found].source[c] + y * jobs[found].source_row[c] + x];
        }
        let value = transformed(flags, word);
        for (var c = 0u; c < planes; c++) {
            let sample =
                shifted(value[c], jobs[found].shift[c], jobs[found].low[c], jobs[found].high[c]);
            arena[jobs[found].target_[c] + y * jobs[found].target_row[c] + x] = bitcast<u32>(sample);
        }
    }
}
