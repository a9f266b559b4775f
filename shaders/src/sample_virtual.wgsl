// Sampling a virtual texture: a picture of any size, of which some pages are resident in an atlas.
//
// Joined after virtual_frame.wgsl, and before sample_filtered.wgsl or sample_integers.wgsl.
//
// Bindings: 2 virtual_pages: array<VirtualPage>, a hash table of virtual_frame.table_mask + 1 entries. 3 virtual_atlas and
// 4 virtual_sampler: see there.
//
// For hosts: sample_virtual, sample_virtual_level; with exact positions sample_virtual_at, sample_virtual_level_at; and what
// was drawn from, resident_virtual_at. None needs uniform control flow.

struct VirtualPage {
    x: u32,
    y: u32,
    tag: u32,
    slot: u32,
    since: u32,
    padding: array<u32, 3>,
}

@group(VIRTUAL_GROUP) @binding(2) var<storage, read> virtual_pages: array<VirtualPage>;

// The colour of a picture. uv: from 0 to 1; beyond, the edge repeats. ddx, ddy: how uv changes from a pixel of the screen to
// the next one (dpdx(uv), dpdy(uv)). Red, green, blue, opacity from 0 to 1; zeros where nothing is resident.
fn sample_virtual(picture: u32, uv: vec2<f32>, ddx: vec2<f32>, ddy: vec2<f32>) -> vec4<f32> {
    if (!virtual_present(picture)) {
        return vec4(0.0);
    }
    let size = virtual_size(picture);
    return sample_virtual_at(picture, vec2(0u), uv * size, ddx * size, ddy * size);
}

// The same at base + offset full-size pixels from the picture's upper left corner. ddx, ddy: full-size pixels. Exact for
// pictures of any size as long as offset is small: with 24 bits of uv, a picture of 2^20 pixels magnified 64 times moves in
// steps of four pixels of the screen.
fn sample_virtual_at(
    picture: u32,
    base: vec2<u32>,
    offset: vec2<f32>,
    ddx: vec2<f32>,
    ddy: vec2<f32>,
) -> vec4<f32> {
    if (!virtual_present(picture)) {
        return vec4(0.0);
    }
    let place = virtual_place(picture, base, offset);
    let longest = max(length(ddx), length(ddy));
    let finest = virtual_clamped(picture, 0u);
    let magnified = 2.0 * longest < f32(1u << finest);
    let nearest = magnified && (virtual_pictures[picture].flags & VIRTUAL_NEAREST) != 0u;
    return virtual_sample(picture, place, virtual_reduce(picture, ddx, ddy), ddx, ddy, nearest);
}

// The same from a given reduction, or the next coarser one that is resident, between its four texels.
fn sample_virtual_level(picture: u32, uv: vec2<f32>, reduce: u32) -> vec4<f32> {
    if (!virtual_present(picture)) {
        return vec4(0.0);
    }
    return sample_virtual_level_at(picture, vec2(0u), uv * virtual_size(picture), reduce);
}

fn sample_virtual_level_at(picture: u32, base: vec2<u32>, offset: vec2<f32>, reduce: u32) -> vec4<f32> {
    if (!virtual_present(picture)) {
        return vec4(0.0);
    }
    let place = virtual_place(picture, base, offset);
    return virtual_sample(picture, place, virtual_clamped(picture, reduce), vec2(0.0), vec2(0.0), false);
}

// The reduction that sample_virtual_at draws from, VIRTUAL_NONE if nothing is resident. While a page fades in, its own.
fn resident_virtual_at(
    picture: u32,
    base: vec2<u32>,
    offset: vec2<f32>,
    ddx: vec2<f32>,
    ddy: vec2<f32>,
) -> u32 {
    if (!virtual_present(picture)) {
        return VIRTUAL_NONE;
    }
    let place = virtual_place(picture, base, offset);
    let levels = virtual_clamped(picture, VIRTUAL_MOST_REDUCE);
    for (var reduce = virtual_reduce(picture, ddx, ddy); reduce <= levels; reduce++) {
        let texel = virtual_texel(picture, place, reduce);
        if (texel.exists && virtual_find(picture, reduce, texel.at) != VIRTUAL_NONE) {
            return reduce;
        }
    }
    return VIRTUAL_NONE;
}

// The entry of the page with a texel, VIRTUAL_NONE if it is not resident.
fn virtual_find(picture: u32, reduce: u32, texel: vec2<u32>) -> u32 {
    let page = texel >> vec2(countTrailingZeros(virtual_frame.side));
    let tag = 1u + reduce + VIRTUAL_TAG_REDUCTIONS * picture;
    var hash = page.x * 0x9e3779b1u;
    hash = ((hash ^ (hash >> 15u)) + page.y) * 0x85ebca77u;
    hash = ((hash ^ (hash >> 13u)) + tag) * 0xc2b2ae3du;
    hash = hash ^ (hash >> 16u);
    for (var step = 0u; step < VIRTUAL_PROBES; step++) {
        let place = (hash + step) & virtual_frame.table_mask;
        let there = virtual_pages[place].tag;
        if (there == 0u) {
            break;
        }
        if (there == tag && virtual_pages[place].x == page.x && virtual_pages[place].y == page.y) {
            return place;
        }
    }
    return VIRTUAL_NONE;
}

// The colour at a place: of the finest page from a reduction on that is resident. While it fades in, the next ones show
// through.
fn virtual_sample(
    picture: u32,
    place: VirtualPlace,
    wanted: u32,
    ddx: vec2<f32>,
    ddy: vec2<f32>,
    nearest: bool,
) -> vec4<f32> {
    let finest = virtual_clamped(picture, 0u);
    let levels = virtual_clamped(picture, VIRTUAL_MOST_REDUCE);
    var sum = vec4(0.0);
    var last = vec4(0.0);
    // What shows through so far.
    var rest = 1.0;
    var found = false;
    for (var reduce = wanted; reduce <= levels; reduce++) {
        let texel = virtual_texel(picture, place, reduce);
        if (!texel.exists) {
            continue;
        }
        let entry = virtual_find(picture, reduce, texel.at);
        if (entry == VIRTUAL_NONE) {
            continue;
        }
        var part = texel.part;
        if (nearest && reduce == finest) {
            part = floor(part + 0.5);
        }
        let scale = 1.0 / f32(1u << reduce);
        let inside = vec2<f32>(texel.at & vec2(virtual_frame.side - 1u));
        last = virtual_footprint(virtual_pages[entry].slot, inside + part, ddx * scale, ddy * scale);
        found = true;
        let age = virtual_frame.now_ms - virtual_pages[entry].since;
        if (age >= virtual_frame.fade_ms) {
            break;
        }
        let weight = f32(age) / f32(virtual_frame.fade_ms);
        sum += rest * weight * last;
        rest *= 1.0 - weight;
    }
    if (!found) {
        return vec4(0.0);
    }
    sum += rest * last;
    let shaded = virtual_pictures[picture].shading.matrix * sum + virtual_pictures[picture].shading.offset;
    return clamp(shaded, vec4(0.0), vec4(1.0));
}

// The mean of what a pixel of the screen covers of a page. position: texels from the centre of the page's first one. dx, dy:
// texels from a pixel of the screen to the next one. The points that are averaged lie so that the outer ones are a texel
// less apart than the pixel is wide: at one texel a pixel they are one, and texels come out as they are.
fn virtual_footprint(slot: u32, position: vec2<f32>, dx: vec2<f32>, dy: vec2<f32>) -> vec4<f32> {
    let border = f32(virtual_frame.border);
    let edge = virtual_frame.side + 2u * virtual_frame.border;
    let layer = slot / virtual_frame.slots_layer;
    let within = slot - layer * virtual_frame.slots_layer;
    let row = within / virtual_frame.slots_across;
    let column = within - row * virtual_frame.slots_across;
    let corner = vec2(column, row) * edge;
    let centre = border + 0.5 + position;
    let across = virtual_reach(dx);
    let along = virtual_reach(dy);
    // Nothing is read outside the slot.
    let half = 0.5 * (abs(across) + abs(along));
    let most = max(half.x, half.y);
    let room = select(1.0, (border - 1.0) / most, most > border - 1.0);
    let columns = virtual_points(length(across) * room);
    let rows = virtual_points(length(along) * room);
    if (columns * rows == 1u) {
        return virtual_point(layer, corner, centre);
    }
    let x_step = across * (room / f32(max(columns, 2u) - 1u));
    let y_step = along * (room / f32(max(rows, 2u) - 1u));
    let start = centre - 0.5 * (f32(columns - 1u) * x_step + f32(rows - 1u) * y_step);
    var sum = vec4(0.0);
    for (var y = 0u; y < rows; y++) {
        for (var x = 0u; x < columns; x++) {
            sum += virtual_point(layer, corner, start + f32(x) * x_step + f32(y) * y_step);
        }
    }
    return sum / f32(columns * rows);
}

// From the first to the last of the points that are averaged along a step of the screen.
fn virtual_reach(step: vec2<f32>) -> vec2<f32> {
    let texels = length(step);
    return step * (max(texels - 1.0, 0.0) / max(texels, 1.0));
}

// How many points there are along so many texels: at most a texel apart, as far as VIRTUAL_MOST_POINTS go.
fn virtual_points(reach: f32) -> u32 {
    return min(1u + u32(ceil(max(reach - VIRTUAL_SMALL, 0.0))), VIRTUAL_MOST_POINTS);
}
