// Colour conversion, a part of packing: colour channels as numbers from 0 to 1 become sRGB.
//
// Uses jobs[job].colour and the tables that the packing shader binds. Curves hold f32, the lattice two words a
// point: red low and green high, then blue, 16 bits each.

struct ColourParameters {
    steps: u32,
    curves: u32,
    curve_length: u32,
    encoding: u32,
    encoding_length: u32,
    lattice: u32,
    lattice_side: u32,
    lattice_dimensions: u32,
    affine: array<vec4<f32>, 3>,
    matrix: array<vec4<f32>, 3>,
}

fn takes(step: u32) -> bool {
    return (jobs[job].colour.steps & step) != 0u;
}

// The value at x, limited to 0..=1, between entries linearly.
fn curve(first: u32, length: u32, x: f32) -> f32 {
    let position = clamp(x, 0.0, 1.0) * f32(length - 1u);
    let left = min(u32(position), length - 2u);
    let start = bitcast<f32>(tables[first + left]);
    let end = bitcast<f32>(tables[first + left + 1u]);
    return start + (end - start) * (position - f32(left));
}

// The colour at a place between the points of the lattice, linearly in each dimension.
fn lattice_colour(place: vec4<f32>) -> vec3<f32> {
    let side = jobs[job].colour.lattice_side;
    let dimensions = jobs[job].colour.lattice_dimensions;
    var corners = 0u;
    var fractions = vec4<f32>();
    var strides = vec4<u32>();
    var stride = 1u;
    for (var d = dimensions; d > 0u; d--) {
        let position = clamp(place[d - 1u], 0.0, 1.0) * f32(side - 1u);
        let left = min(u32(position), side - 2u);
        fractions[d - 1u] = position - f32(left);
        strides[d - 1u] = stride;
        corners += left * stride;
        stride *= side;
    }
    var colour = vec3<f32>();
    for (var corner = 0u; corner < (1u << dimensions); corner++) {
        var point = corners;
        var weight = 1.0;
        for (var d = 0u; d < dimensions; d++) {
            if ((corner >> d) & 1u) == 1u {
                point += strides[d];
                weight *= fractions[d];
            } else {
                weight *= 1.0 - fractions[d];
            }
        }
        let at = jobs[job].colour.lattice + 2u * point;
        let value = vec3(tables[at] & 0xffffu, tables[at] >> 16u, tables[at + 1u] & 0xffffu);
        colour += weight * vec3<f32>(value);
    }
    return colour / 65535.0;
}

// One colour; black is only read.
fn convert(channels: vec3<f32>, opacity: f32, black: f32) -> vec3<f32> {
    var colour = channels;
    if (takes(PREMULTIPLIED)) {
        colour = min(colour * select(0.0, 1.0 / opacity, opacity > 0.0), vec3(1.0));
    }
    if (takes(AFFINE)) {
        let value = vec4(colour, 1.0);
        colour = vec3(
            dot(jobs[job].colour.affine[0], value),
            dot(jobs[job].colour.affine[1], value),
            dot(jobs[job].colour.affine[2], value),
        );
    }
    if (takes(BLACK)) {
        colour *= 1.0 - black;
    }
    if (takes(CURVES)) {
        let first = jobs[job].colour.curves;
        let length = jobs[job].colour.curve_length;
        colour = vec3(
            curve(first, length, colour.x),
            curve(first + length, length, colour.y),
            curve(first + 2u * length, length, colour.z),
        );
    }
    if (takes(MATRIX)) {
        let value = vec4(colour, 1.0);
        let first = jobs[job].colour.encoding;
        let length = jobs[job].colour.encoding_length;
        colour = vec3(
            curve(first, length, dot(jobs[job].colour.matrix[0], value)),
            curve(first, length, dot(jobs[job].colour.matrix[1], value)),
            curve(first, length, dot(jobs[job].colour.matrix[2], value)),
        );
    }
    if (takes(LATTICE)) {
        colour = lattice_colour(vec4(colour, black));
    }
    colour = clamp(colour, vec3(0.0), vec3(1.0));
    if (takes(PREMULTIPLIED)) {
        colour *= opacity;
    }
    return colour;
}

