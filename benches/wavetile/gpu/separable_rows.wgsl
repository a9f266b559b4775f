// The rows of a level in a dispatch of their own: horizontal synthesis of the interleaved bands into a plane in the
// arena. Joined with the lifting of shaders/src/idwt_53.wgsl and idwt_97.wgsl, whose `horizontal` it calls.
//
// A workgroup makes SEGMENT columns of ROWS rows. Dispatch shape: (ceil(width / SEGMENT), ceil(height / ROWS), 1).

struct Level {
    width: u32,
    height: u32,
    // Arena words of LL, HL, LH and HH; of the plane between the passes; of the result.
    bands: vec4<u32>,
    between: u32,
    out: u32,
    irreversible: u32,
}

@group(0) @binding(0) var<uniform> level: Level;
@group(0) @binding(1) var<storage, read_write> arena: array<u32>;

const APRON_53: u32 = 2u;
const APRON_97: u32 = 4u;
const SEGMENT: u32 = 480u;
const ROWS: u32 = 4u;
const RUN_X: u32 = 8u;
const RUN_Y: u32 = 4u;
const INPUT_ROW: u32 = SEGMENT + 2u * APRON_97 + 1u;
const MIDDLE_ROW: u32 = SEGMENT + 1u;

var<workgroup> input: array<u32, INPUT_ROW * ROWS>;
var<workgroup> middle: array<u32, MIDDLE_ROW * ROWS>;

fn mirror(at: i32, length: u32) -> u32 {
    let distance = u32(abs(at));
    if (distance < length) {
        return distance;
    }
    return min(2u * (length - 1u) - distance, length - 1u);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let irreversible = level.irreversible != 0u;
    let apron = select(APRON_53, APRON_97, irreversible);
    let reach = SEGMENT + 2u * apron;
    let x0 = id.x * SEGMENT;
    let y0 = id.y * ROWS;
    for (var i = invocation; i < reach * ROWS; i += 256u) {
        let local_y = i / reach;
        let local_x = i - local_y * reach;
        let x = mirror(i32(x0 + local_x) - i32(apron), level.width);
        let y = min(y0 + local_y, level.height - 1u);
        let high_x = x & 1u;
        let columns = select((level.width + 1u) / 2u, level.width / 2u, high_x == 1u);
        var word = arena[level.bands[2u * (y & 1u) + high_x] + y / 2u * columns + x / 2u];
        if (irreversible) {
            word = scale_97(word, local_x & 1u, i32(level.width));
        }
        input[local_y * INPUT_ROW + local_x] = word;
    }
    workgroupBarrier();
    if (invocation < SEGMENT / RUN_X * ROWS) {
        let y = invocation % ROWS;
        let first = invocation / ROWS * RUN_X;
        if (irreversible) {
            horizontal_97(y, first, i32(level.height));
        } else {
            horizontal_53(y, first);
        }
    }
    workgroupBarrier();
    for (var i = invocation; i < SEGMENT * ROWS; i += 256u) {
        let y = i / SEGMENT;
        let x = i - y * SEGMENT;
        if (x0 + x < level.width && y0 + y < level.height) {
            arena[level.between + (y0 + y) * level.width + x0 + x] = middle[y * MIDDLE_ROW + x];
        }
    }
}
