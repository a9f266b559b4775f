// Inverse component transform, DC level shift and clamping (T.800 Annex G).
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

const TRANSFORM_MASK: u32 = 0xffu;
const RCT: u32 = 1u;
const ICT: u32 = 2u;
const FLOAT_0: u32 = 0x100u;

// Rounds half to even and saturates; what is not a number becomes 0.
fn to_integer(value: f32) -> i32 {
    let word = bitcast<u32>(value);
    if ((word & 0x7fffffffu) > 0x7f800000u) {
        return 0;
    }
    if (value >= 2147483648.0) {
        return 0x7fffffff;
    }
    return i32(max(round(value), -2147483648.0));
}

fn integer(word: u32, float: bool) -> i32 {
    if (float) {
        return to_integer(bitcast<f32>(word));
    }
    return bitcast<i32>(word);
}

@compute @workgroup_size(256)
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
        var value: vec3<i32>;
        if ((flags & TRANSFORM_MASK) == RCT) {
            let coded = bitcast<vec3<i32>>(word);
            let green = coded.x - ((coded.y + coded.z) >> 2u);
            value = vec3(coded.z + green, green, coded.y + green);
        } else if ((flags & TRANSFORM_MASK) == ICT) {
            let coded = bitcast<vec3<f32>>(word);
            value = vec3(
                to_integer(coded.x + 1.402 * coded.z),
                to_integer(coded.x - 0.344136 * coded.y - 0.714136 * coded.z),
                to_integer(coded.x + 1.772 * coded.y),
            );
        } else {
            for (var c = 0u; c < planes; c++) {
                value[c] = integer(word[c], (flags & (FLOAT_0 << c)) != 0u);
            }
        }
        for (var c = 0u; c < planes; c++) {
            // Clamped before the shift, which then cannot overflow.
            let shift = jobs[found].shift[c];
            let sample = clamp(value[c], jobs[found].low[c] - shift, jobs[found].high[c] - shift) + shift;
            arena[jobs[found].target_[c] + y * jobs[found].target_row[c] + x] = bitcast<u32>(sample);
        }
    }
}
