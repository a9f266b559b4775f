// Packing: component samples to texels (palette, up-sampling, colour conversion, depth).
//
// Joined with annex_g.wgsl, which finishes samples that the component transform was not run on, and colour.wgsl,
// which converts colours.
//
// Bindings: 0 parameters: PackParameters. 1 tables: array<u32>, the palette columns and the tables of the colour
// conversion (never empty). 2 arena: array<u32>. 3 texels: array<u32>, parameters.row words for each of parameters.height rows.
// Dispatch shape: (x, y, 1) with x * y >= ceil(units / 256), where a unit is a texel or, with R16, two.

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
    padding: u32,
    colour: ColourParameters,
    channels: array<PackChannel, 5>,
    finishes: array<PackFinish, 5>,
}

@group(0) @binding(0) var<uniform> parameters: PackParameters;
@group(0) @binding(1) var<storage, read> tables: array<u32>;
@group(0) @binding(2) var<storage, read> arena: array<u32>;
@group(0) @binding(3) var<storage, read_write> texels: array<u32>;

// Whether channels may lie on other grids than the output's, and colours may be converted: a pipeline for pictures that
// need neither is spared the code.
override INTERPOLATES: bool = true;
override CONVERTS: bool = true;

// The planes' samples that were transformed last, and the word of the first: three channels ask for the same.
var<private> held_at: u32 = 0xffffffffu;
var<private> held: vec3<i32>;

// Undoes the component transform of channel c at a word counted from the first of its planes.
fn finished(c: u32, at: u32) -> i32 {
    let flags = parameters.finishes[c].flags;
    let slot = parameters.finishes[c].slot;
    let first = parameters.finishes[c].planes.x + at;
    if (first != held_at) {
        var word = vec3(arena[first], 0u, 0u);
        if ((flags & TRANSFORM_MASK) != 0u) {
            word.y = arena[parameters.finishes[c].planes.y + at];
            word.z = arena[parameters.finishes[c].planes.z + at];
        }
        held = transformed(flags, word);
        held_at = first;
    }
    return shifted(held[slot], parameters.finishes[c].shift, parameters.finishes[c].low, parameters.finishes[c].high);
}

// Whether the output's grid is not channel c's.
fn interpolates(c: u32) -> bool {
    return INTERPOLATES
        && (parameters.channels[c].x_numerator != parameters.channels[c].x_denominator
            || parameters.channels[c].y_numerator != parameters.channels[c].y_denominator
            || parameters.channels[c].x_offset != 0.0
            || parameters.channels[c].y_offset != 0.0);
}

// Channel c's value at a column and row of its plane, through the palette if there is one: 0..=high.
fn value_at(c: u32, column: u32, row: u32) -> u32 {
    let at = row * parameters.channels[c].row + column;
    var sample: i32;
    if (parameters.finishes[c].flags == 0u) {
        sample = bitcast<i32>(arena[parameters.channels[c].plane + at]);
    } else {
        sample = finished(c, at);
    }
    // Samples are clamped to their depth, so the wrapped difference is the value.
    var value = bitcast<u32>(sample - parameters.channels[c].low);
    if (parameters.channels[c].table != NO_TABLE) {
        value = tables[parameters.channels[c].table + min(value, parameters.channels[c].table_length - 1u)];
    }
    return min(value, parameters.channels[c].high);
}

// The channel's value at the output sample (x, y) where both have one grid.
fn look_up(c: u32, x: u32, y: u32) -> u32 {
    let x0 = parameters.channels[c].x0;
    let y0 = parameters.channels[c].y0;
    let column = min(max(x, x0) - x0, parameters.channels[c].width - 1u);
    let row = min(max(y, y0) - y0, parameters.channels[c].height - 1u);
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
    let weight = select(part - step, 0.0, parameters.up_sampling == REPEATED);
    let left = bitcast<i32>(whole - first) + i32(step);
    let last = i32(length) - 1;
    return Between(u32(clamp(left, 0, last)), u32(clamp(left + 1, 0, last)), weight);
}

// Channel c of the output sample between the samples around it, from 0 to 1.
fn interpolated(c: u32, x: u32, y: u32) -> f32 {
    let column = between(x, parameters.channels[c].x_numerator, parameters.channels[c].x_denominator,
        parameters.channels[c].x_offset, parameters.channels[c].x0, parameters.channels[c].width);
    let row = between(y, parameters.channels[c].y_numerator, parameters.channels[c].y_denominator,
        parameters.channels[c].y_offset, parameters.channels[c].y0, parameters.channels[c].height);
    let upper_left = f32(value_at(c, column.left, row.left));
    let upper_right = f32(value_at(c, column.right, row.left));
    let lower_left = f32(value_at(c, column.left, row.right));
    let lower_right = f32(value_at(c, column.right, row.right));
    let at_left = upper_left + (lower_left - upper_left) * row.weight;
    let at_right = upper_right + (lower_right - upper_right) * row.weight;
    return (at_left + (at_right - at_left) * column.weight) * (1.0 / f32(parameters.channels[c].high));
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

// Channel c of the output sample, scaled to 0..=top.
fn channel(c: u32, x: u32, y: u32, top: u32) -> u32 {
    if (interpolates(c)) {
        return u32(round(interpolated(c, x, y) * f32(top)));
    }
    return scale(look_up(c, x, y), parameters.channels[c].high, top);
}

// Channel c of the output sample as a number from 0 to 1.
fn number(c: u32, x: u32, y: u32) -> f32 {
    if (interpolates(c)) {
        return interpolated(c, x, y);
    }
    return f32(look_up(c, x, y)) * (1.0 / f32(parameters.channels[c].high));
}

// Whether channel c is there.
fn has(c: u32) -> bool {
    return parameters.channels[c].plane != OPAQUE;
}

// Red, green, blue, opacity of the output sample (x, y): 0..=top.
fn texel(x: u32, y: u32, top: u32) -> vec4<u32> {
    var opacity = top;
    if (has(OPACITY_CHANNEL)) {
        opacity = channel(OPACITY_CHANNEL, x, y, top);
    }
    if (CONVERTS && parameters.colour.steps != 0u) {
        var colour = vec3(number(0u, x, y));
        for (var c = 1u; c < 3u; c++) {
            if (has(c)) {
                colour[c] = number(c, x, y);
            }
        }
        var black = 0.0;
        if (has(BLACK_CHANNEL)) {
            black = number(BLACK_CHANNEL, x, y);
        }
        let full = f32(top);
        return vec4(vec3<u32>(round(convert(colour, f32(opacity) / full, black) * full)), opacity);
    }
    var value = vec4(channel(0u, x, y, top));
    for (var c = 1u; c < 3u; c++) {
        if (has(c)) {
            value[c] = channel(c, x, y, top);
        }
    }
    value.w = opacity;
    return value;
}

// The first channel of what texel() gives.
fn first(x: u32, y: u32, top: u32) -> u32 {
    if (CONVERTS && parameters.colour.steps != 0u) {
        return texel(x, y, top).x;
    }
    return channel(0u, x, y, top);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let unit = (id.y * count.x + id.x) * 256u + invocation;
    var units_wide = parameters.width;
    if (parameters.format == R16) {
        units_wide = (parameters.width + 1u) / 2u;
    }
    let row = unit / units_wide;
    let column = unit - row * units_wide;
    if (row >= parameters.height) {
        return;
    }
    let x = parameters.x0 + column;
    let y = parameters.y0 + row;
    let out = row * parameters.row;
    if (parameters.format == RGBA8) {
        let value = texel(x, y, 255u);
        texels[out + column] = value.x | (value.y << 8u) | (value.z << 16u) | (value.w << 24u);
    } else if (parameters.format == R16) {
        let left = parameters.x0 + 2u * column;
        var word = first(left, y, 65535u);
        if (2u * column + 1u < parameters.width) {
            word |= first(left + 1u, y, 65535u) << 16u;
        }
        texels[out + column] = word;
    } else {
        let value = texel(x, y, 65535u);
        texels[out + 2u * column] = value.x | (value.y << 16u);
        texels[out + 2u * column + 1u] = value.z | (value.w << 16u);
    }
}
