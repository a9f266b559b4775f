// Packing: component samples to texels (palette, up-sampling, colour conversion, depth).
//
// Joined with annex_g.wgsl, which finishes samples that the component transform was not run on, and colour.wgsl,
// which converts colours.
//
// Bindings: 0 dispatch: Dispatch. 1 jobs: array<PackParameters>. 2 tables: array<u32>, the palette columns and the tables of
// the colour conversion (never empty). 3 arena: array<u32>. 4 texels: array<u32>, row words for each of height rows of a job.
// More than four storage buffers are not to be had everywhere, so jobs say themselves where they start.
// Dispatch shape: ceil(units / WORKGROUP_SIZE) workgroups for each job, where a unit is a texel or, of smaller ones, those of a
// word.

struct PackChannel {
    plane: u32,
    row: u32,
    x0: u32,
    y0: u32,
    width: u32,
    height: u32,
    x_numerator: u32,
    x_denominator: u32,
    y_numerator: u32,
    y_denominator: u32,
    low: i32,
    high: u32,
    table: u32,
    table_length: u32,
    x_offset: f32,
    y_offset: f32,
}

struct PackFinish {
    planes: vec3<u32>,
    flags: u32,
    slot: u32,
    shift: i32,
    low: i32,
    high: i32,
}

struct PackParameters {
    x0: u32,
    y0: u32,
    width: u32,
    height: u32,
    row: u32,
    format: u32,
    up_sampling: u32,
    out: u32,
    start: u32,
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
    padding: array<u32, 3>,
    colour: ColourParameters,
    channels: array<PackChannel, 5>,
    finishes: array<PackFinish, 5>,
}

struct Dispatch {
    job_count: u32,
    workgroup_count: u32,
    padding: vec2<u32>,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> jobs: array<PackParameters>;
@group(0) @binding(2) var<storage, read> tables: array<u32>;
@group(0) @binding(3) var<storage, read> arena: array<u32>;
@group(0) @binding(4) var<storage, read_write> texels: array<u32>;

// The workgroup's.
var<private> job: u32;

// The last job that starts at or before the workgroup: jobs without workgroups are never found.
fn find_job(workgroup: u32) -> u32 {
    var found = 0u;
    var end = dispatch.job_count;
    while (end - found > 1u) {
        let middle = found + (end - found) / 2u;
        if (jobs[middle].start <= workgroup) {
            found = middle;
        } else {
            end = middle;
        }
    }
    return found;
}

// Whether channels may lie on other grids than the output's, and colours may be converted: a pipeline for pictures that
// need neither is spared the code.
override INTERPOLATES: bool = true;
override CONVERTS: bool = true;

// The planes' samples that were transformed last, and the word of the first: three channels ask for the same.
var<private> held_at: u32 = 0xffffffffu;
var<private> held: vec3<i32>;

// Undoes the component transform of channel c at a word counted from the first of its planes.
fn finished(c: u32, at: u32) -> i32 {
    let flags = jobs[job].finishes[c].flags;
    let slot = jobs[job].finishes[c].slot;
    let first = jobs[job].finishes[c].planes.x + at;
    if (first != held_at) {
        var word = vec3(arena[first], 0u, 0u);
        if ((flags & TRANSFORM_MASK) != 0u) {
            word.y = arena[jobs[job].finishes[c].planes.y + at];
            word.z = arena[jobs[job].finishes[c].planes.z + at];
        }
        held = transformed(flags, word);
        held_at = first;
    }
    return shifted(held[slot], jobs[job].finishes[c].shift, jobs[job].finishes[c].low, jobs[job].finishes[c].high);
}

// Whether the output's grid is not channel c's.
fn interpolates(c: u32) -> bool {
    return INTERPOLATES
        && (jobs[job].channels[c].x_numerator != jobs[job].channels[c].x_denominator
            || jobs[job].channels[c].y_numerator != jobs[job].channels[c].y_denominator
            || jobs[job].channels[c].x_offset != 0.0
            || jobs[job].channels[c].y_offset != 0.0);
}

// Channel c's value at a column and row of its plane, through the palette if there is one: 0..=high.
fn value_at(c: u32, column: u32, row: u32) -> u32 {
    let at = row * jobs[job].channels[c].row + column;
    var sample: i32;
    if (jobs[job].finishes[c].flags == 0u) {
        sample = bitcast<i32>(arena[jobs[job].channels[c].plane + at]);
    } else {
        sample = finished(c, at);
    }
    // Samples are clamped to their depth, so the wrapped difference is the value.
    var value = bitcast<u32>(sample - jobs[job].channels[c].low);
    if (jobs[job].channels[c].table != NO_TABLE) {
        value = tables[jobs[job].channels[c].table + min(value, jobs[job].channels[c].table_length - 1u)];
    }
    return min(value, jobs[job].channels[c].high);
}

// The channel's value at the output sample (x, y) where both have one grid.
fn look_up(c: u32, x: u32, y: u32) -> u32 {
    let x0 = jobs[job].channels[c].x0;
    let y0 = jobs[job].channels[c].y0;
    let column = min(max(x, x0) - x0, jobs[job].channels[c].width - 1u);
    let row = min(max(y, y0) - y0, jobs[job].channels[c].height - 1u);
    return value_at(c, column, row);
}

// A place between two samples.
struct Between {
    left: u32,
    right: u32,
    weight: f32,
}

// at * numerator / denominator + offset, counted from sample first and limited to a plane of this length.
fn between(at: u32, numerator: u32, denominator: u32, offset: f32, first: u32, length: u32) -> Between {
    // Without overflow as long as the result has none.
    let quotient = at / denominator;
    let product = (at - quotient * denominator) * numerator;
    let whole = quotient * numerator + product / denominator;
    let part = f32(product % denominator) / f32(denominator) + offset;
    let step = floor(part);
    let weight = select(part - step, 0.0, jobs[job].up_sampling == REPEATED);
    let left = bitcast<i32>(whole - first) + i32(step);
    let last = i32(length) - 1;
    return Between(u32(clamp(left, 0, last)), u32(clamp(left + 1, 0, last)), weight);
}

// Channel c of the output sample between the samples around it, from 0 to 1.
fn interpolated(c: u32, x: u32, y: u32) -> f32 {
    let column = between(x, jobs[job].channels[c].x_numerator, jobs[job].channels[c].x_denominator,
        jobs[job].channels[c].x_offset, jobs[job].channels[c].x0, jobs[job].channels[c].width);
    let row = between(y, jobs[job].channels[c].y_numerator, jobs[job].channels[c].y_denominator,
        jobs[job].channels[c].y_offset, jobs[job].channels[c].y0, jobs[job].channels[c].height);
    let upper_left = f32(value_at(c, column.left, row.left));
    let upper_right = f32(value_at(c, column.right, row.left));
    let lower_left = f32(value_at(c, column.left, row.right));
    let lower_right = f32(value_at(c, column.right, row.right));
    let at_left = upper_left + (lower_left - upper_left) * row.weight;
    let at_right = upper_right + (lower_right - upper_right) * row.weight;
    return (at_left + (at_right - at_left) * column.weight) * (1.0 / f32(jobs[job].channels[c].high));
}

// round(value * top / high), for value <= high and top < 65536: exact.
fn scale(value: u32, high: u32, top: u32) -> u32 {
    if (high <= 0xffffu) {
        return (value * top + high / 2u) / high;
    }
    // The 48-bit numerator in two words, then long division.
    let low_product = (value & 0xffffu) * top;
    let high_product = (value >> 16u) * top + (low_product >> 16u);
    let product = (high_product << 16u) | (low_product & 0xffffu);
    let numerator = product + high / 2u;
    var remainder = (high_product >> 16u) + select(0u, 1u, numerator < product);
    var quotient = 0u;
    for (var bit = 32u; bit > 0u; bit--) {
        let carry = remainder >> 31u;
        remainder = (remainder << 1u) | ((numerator >> (bit - 1u)) & 1u);
        quotient = quotient << 1u;
        if (carry == 1u || remainder >= high) {
            remainder -= high;
            quotient |= 1u;
        }
    }
    return quotient;
}

// Whether channel c is there.
fn has(c: u32) -> bool {
    return jobs[job].channels[c].plane != OPAQUE;
}

// Whether colours are converted.
fn converts() -> bool {
    return CONVERTS && jobs[job].colour.steps != 0u;
}

// Channel c of the output sample, scaled to 0..=top, or the bits of a float: the largest sample is 1 exactly.
fn channel(c: u32, x: u32, y: u32, top: u32, floats: bool) -> u32 {
    if (interpolates(c)) {
        let number = interpolated(c, x, y);
        return select(u32(round(number * f32(top))), bitcast<u32>(number), floats);
    }
    let value = look_up(c, x, y);
    let high = jobs[job].channels[c].high;
    if (floats) {
        return bitcast<u32>(select(f32(value) / f32(high), 1.0, value == high));
    }
    return scale(value, high, top);
}

// Channel c of the output sample as a number from 0 to 1.
fn number(c: u32, x: u32, y: u32) -> f32 {
    if (interpolates(c)) {
        return interpolated(c, x, y);
    }
    return f32(look_up(c, x, y)) * (1.0 / f32(jobs[job].channels[c].high));
}

// The converted colour of the output sample.
fn converted(x: u32, y: u32, opacity: f32) -> vec3<f32> {
    // Red, green, blue, black.
    var ink = vec4(0.0);
    for (var i = 0u; i < 4u; i++) {
        let c = select(i, BLACK_CHANNEL, i == 3u);
        if (has(c)) {
            ink[i] = number(c, x, y);
        } else if (i < 3u) {
            ink[i] = ink.x;
        }
    }
    return convert(ink.xyz, opacity, ink.w);
}

// Red, green, blue, opacity of the output sample (x, y): 0..=top, or the bits of floats from 0 to 1. Where they are not
// converted, of more channels than the format has the first alone.
fn texel(x: u32, y: u32, top: u32, floats: bool, one: bool) -> vec4<u32> {
    var value = vec4(0u, 0u, 0u, select(top, bitcast<u32>(1.0), floats));
    let count = select(4u, 1u, one && !converts());
    for (var c = select(0u, OPACITY_CHANNEL, converts()); c < count; c++) {
        if (has(c)) {
            value[c] = channel(c, x, y, top, floats);
        } else if (c < OPACITY_CHANNEL) {
            value[c] = value.x;
        }
    }
    if (converts()) {
        let full = f32(top);
        let opacity = select(f32(value.w) / full, bitcast<f32>(value.w), floats);
        let colour = converted(x, y, opacity);
        return vec4(select(vec3<u32>(round(colour * full)), bitcast<vec3<u32>>(colour), floats), value.w);
    }
    return value;
}

// The bits of the nearest 16-bit float, halves to even, of those of a float from 0 to 1.
fn half_bits(bits: u32) -> u32 {
    if (bits < LEAST_NORMAL) {
        return u32(round(bitcast<f32>(bits) * HALF_STEPS));
    }
    return (bits - REBIAS + 0xfffu + ((bits >> 13u) & 1u)) >> 13u;
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
    job = find_job(workgroup);
    let unit = (workgroup - jobs[job].start) * WORKGROUP_SIZE + invocation;
    let columns = jobs[job].width;
    let format = jobs[job].format;
    let one = format == R8 || format == R16 || format == R16F || format == R32F;
    let floats = format == R16F || format == RGBA16F || format == R32F;
    let top = select(65535u, 255u, format == R8 || format == RG8 || format == RGBA8);
    var together = 1u;
    if (format == R8) {
        together = 4u;
    } else if (format == RG8 || format == R16 || format == R16F) {
        together = 2u;
    }
    let units_wide = (columns + together - 1u) / together;
    let row = unit / units_wide;
    let column = (unit - row * units_wide) * together;
    if (row >= jobs[job].height) {
        return;
    }
    // The columns and rows of the cell; beyond, its edge is repeated.
    let left = jobs[job].left;
    let top_row = jobs[job].top;
    let last_column = columns - left - jobs[job].right - 1u;
    let last_row = jobs[job].height - top_row - jobs[job].bottom - 1u;
    let y = jobs[job].y0 + min(max(row, top_row) - top_row, last_row);
    let out = jobs[job].out + row * jobs[job].row;
    let end = min(column + together, columns);
    var word = 0u;
    for (var at = column; at < end; at++) {
        let x = jobs[job].x0 + min(max(at, left) - left, last_column);
        var value = texel(x, y, top, floats, one);
        if (floats && format != R32F) {
            value = vec4(half_bits(value.x), half_bits(value.y), half_bits(value.z), half_bits(value.w));
        }
        let shift = (at - column) * (32u / together);
        let second = select(value.w, value.y, has(1u));
        switch (format) {
            case RGBA8: {
                word = value.x | (value.y << 8u) | (value.z << 16u) | (value.w << 24u);
            }
            case RG8: {
                word |= (value.x | (second << 8u)) << shift;
            }
            case RG16: {
                word = value.x | (second << 16u);
            }
            case RGBA16, RGBA16F: {
                texels[out + 2u * column] = value.x | (value.y << 16u);
                word = value.z | (value.w << 16u);
            }
            default: {
                word |= value.x << shift;
            }
        }
    }
    if (format == RGBA16 || format == RGBA16F) {
        texels[out + 2u * column + 1u] = word;
    } else {
        texels[out + column / together] = word;
    }
}
