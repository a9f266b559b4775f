// The columns of a level in a dispatch of their own: vertical synthesis of the plane that separable_rows.wgsl made.
// Joined with the lifting of shaders/src/idwt_53.wgsl and idwt_97.wgsl, whose `vertical` it calls.
//
// A workgroup makes COLUMNS x ROWS samples. Dispatch shape: (ceil(width / COLUMNS), ceil(height / ROWS), 1).

struct Level {
    width: u32,
    height: u32,
    bands: vec4<u32>,
    between: u32,
    out: u32,
    irreversible: u32,
}

@group(0) @binding(0) var<uniform> level: Level;
@group(0) @binding(1) var<storage, read_write> arena: array<u32>;

const APRON_53: u32 = 2u;
const APRON_97: u32 = 4u;
const COLUMNS: u32 = 32u;
const ROWS: u32 = 96u;
const RUN_X: u32 = 8u;
const RUN_Y: u32 = 12u;
const INPUT_ROW: u32 = 1u;
const MIDDLE_ROW: u32 = COLUMNS + 1u;

// Only the horizontal synthesis, which is not called, reads it.
var<workgroup> input: array<u32, 1>;
var<workgroup> middle: array<u32, MIDDLE_ROW * (ROWS + 2u * APRON_97)>;

fn mirror(at: i32, length: u32) -> u32 {
    let distance = u32(abs(at));
    if (distance < length) {
        return distance;
    }
    return 2u * (length - 1u) - min(distance, 2u * (length - 1u));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let irreversible = level.irreversible != 0u;
    let apron = select(APRON_53, APRON_97, irreversible);
    let x0 = id.x * COLUMNS;
    let y0 = id.y * ROWS;
    for (var i = invocation; i < COLUMNS * (ROWS + 2u * apron); i += 256u) {
        let local_y = i / COLUMNS;
        let local_x = i % COLUMNS;
        let y = mirror(i32(y0 + local_y) - i32(apron), level.height);
        let x = min(x0 + local_x, level.width - 1u);
        middle[local_y * MIDDLE_ROW + local_x] = arena[level.between + y * level.width + x];
    }
    workgroupBarrier();
    let x = invocation % COLUMNS;
    let first = invocation / COLUMNS * RUN_Y;
    if (x0 + x >= level.width || y0 + first >= level.height) {
        return;
    }
    let end = min(RUN_Y, level.height - y0 - first);
    let out = level.out + (y0 + first) * level.width + x0 + x;
    if (irreversible) {
        vertical_97(x, first, 0u, end, out, level.width);
    } else {
        vertical_53(x, first, 0u, end, out, level.width);
    }
}
