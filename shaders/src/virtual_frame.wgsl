// What sample_virtual and feedback_virtual are bound to, and where a position lies in a picture's reductions.
//
// Every name begins with virtual, and the functions for hosts end with it: nothing clashes with the host's own.
//
// Bindings: 0 virtual_frame: VirtualFrame. 1 virtual_pictures: array<VirtualPicture>, virtual_frame.picture_count or more.

struct VirtualFrame {
    now_ms: u32,
    fade_ms: u32,
    side: u32,
    border: u32,
    slots_across: u32,
    slots_layer: u32,
    table_mask: u32,
    picture_count: u32,
}

struct VirtualShading {
    matrix: mat4x4<f32>,
    offset: vec4<f32>,
}

struct VirtualPicture {
    x0: u32,
    y0: u32,
    width: u32,
    height: u32,
    levels: u32,
    flags: u32,
    finest: u32,
    padding: u32,
    shading: VirtualShading,
}

@group(VIRTUAL_GROUP) @binding(0) var<uniform> virtual_frame: VirtualFrame;
@group(VIRTUAL_GROUP) @binding(1) var<storage, read> virtual_pictures: array<VirtualPicture>;

// A position in a picture: a pixel at full size from the upper left one, and the part of the way to the next one: 0 to 1,
// less VIRTUAL_ALMOST.
struct VirtualPlace {
    pixel: vec2<u32>,
    part: vec2<f32>,
}

// A texel of a reduction, on the output grid, and the part of the way to the next one.
struct VirtualTexel {
    at: vec2<u32>,
    part: vec2<f32>,
    exists: bool,
}

// Whether there is such a picture.
fn virtual_present(picture: u32) -> bool {
    return picture < virtual_frame.picture_count
        && (virtual_pictures[picture].flags & VIRTUAL_PRESENT) != 0u
        && virtual_pictures[picture].width > 0u
        && virtual_pictures[picture].height > 0u;
}

fn virtual_size(picture: u32) -> vec2<f32> {
    return vec2(f32(virtual_pictures[picture].width), f32(virtual_pictures[picture].height));
}

// base + offset full-size pixels from the first pixel's edge, between pixel centres, inside length pixels.
fn virtual_along(base: u32, offset: f32, length: u32, part: ptr<function, f32>) -> u32 {
    let last = length - 1u;
    let at = offset - 0.5;
    let step = floor(at + VIRTUAL_ALMOST);
    let far = u32(min(abs(step), VIRTUAL_FAR));
    *part = 0.0;
    if (step < 0.0) {
        if (far > base) {
            return 0u;
        }
        if (base - far >= last) {
            return last;
        }
        *part = at - step;
        return base - far;
    }
    if (base >= last || far >= last - base) {
        return last;
    }
    *part = at - step;
    return base + far;
}

fn virtual_place(picture: u32, base: vec2<u32>, offset: vec2<f32>) -> VirtualPlace {
    var x_part: f32;
    var y_part: f32;
    let x = virtual_along(base.x, offset.x, virtual_pictures[picture].width, &x_part);
    let y = virtual_along(base.y, offset.y, virtual_pictures[picture].height, &y_part);
    return VirtualPlace(vec2(x, y), vec2(x_part, y_part));
}

// The texel of a reduction before a place.
fn virtual_texel(picture: u32, place: VirtualPlace, reduce: u32) -> VirtualTexel {
    let first = vec2(virtual_pictures[picture].x0, virtual_pictures[picture].y0);
    let end = first + vec2(virtual_pictures[picture].width, virtual_pictures[picture].height);
    let mask = vec2((1u << reduce) - 1u);
    let shift = vec2(reduce);
    // Rounded up.
    let begin_texel = (first >> shift) + min(first & mask, vec2(1u));
    let end_texel = (end >> shift) + min(end & mask, vec2(1u));
    let pixel = first + place.pixel;
    let at = pixel >> shift;
    let part = (vec2<f32>(pixel & mask) + place.part) / f32(1u << reduce);
    let inside = (at >= begin_texel) & (at < end_texel - 1u);
    return VirtualTexel(
        clamp(at, begin_texel, max(end_texel, begin_texel + 1u) - 1u),
        select(vec2(0.0), part, inside),
        all(begin_texel < end_texel),
    );
}

// The reduction that is wanted where a step on the screen moves by ddx and ddy full-size pixels in the picture.
fn virtual_reduce(picture: u32, ddx: vec2<f32>, ddy: vec2<f32>) -> u32 {
    let x = length(ddx);
    let y = length(ddy);
    let footprint = max(min(x, y), max(x, y) / VIRTUAL_ANISOTROPY) * VIRTUAL_TOLERANCE;
    // The exponent is the logarithm rounded down.
    let reduce = bitcast<i32>(bitcast<u32>(footprint) >> 23u) - 127;
    return virtual_clamped(picture, u32(max(reduce, 0)));
}

// A reduction, limited to those that are looked up.
fn virtual_clamped(picture: u32, reduce: u32) -> u32 {
    let most = min(virtual_pictures[picture].levels, VIRTUAL_MOST_REDUCE);
    return min(max(reduce, virtual_pictures[picture].finest), most);
}
