// What a feedback pass writes: the page that a pixel wants, for a target of the format Rg32Uint, cleared to zeros.
//
// Joined after virtual_frame.wgsl.

// uv, ddx and ddy: as of sample_virtual. Of a pass that is smaller than the screen, the derivatives are those of the screen:
// dpdx(uv) by the pass's width over the screen's.
fn feedback_virtual(picture: u32, uv: vec2<f32>, ddx: vec2<f32>, ddy: vec2<f32>) -> vec2<u32> {
    if (!virtual_present(picture)) {
        return vec2(0u);
    }
    let size = virtual_size(picture);
    return feedback_virtual_at(picture, vec2(0u), uv * size, ddx * size, ddy * size);
}

// The same at base + offset full-size pixels from the picture's upper left corner.
// Bits 0 to 23 of the first word are the page's column, 24 to 31 the lower bits of the picture; bits 0 to 23 of the second are
// the row, 24 and 25 the upper bits of the picture, 26 to 30 the reduction, and bit 31 is set.
fn feedback_virtual_at(
    picture: u32,
    base: vec2<u32>,
    offset: vec2<f32>,
    ddx: vec2<f32>,
    ddy: vec2<f32>,
) -> vec2<u32> {
    if (!virtual_present(picture) || picture > VIRTUAL_MOST_PICTURE) {
        return vec2(0u);
    }
    let reduce = virtual_reduce(picture, ddx, ddy);
    let texel = virtual_texel(picture, virtual_place(picture, base, offset), reduce);
    let page = texel.at >> vec2(countTrailingZeros(virtual_frame.side));
    if (!texel.exists || any(page > vec2(VIRTUAL_MOST_PAGE))) {
        return vec2(0u);
    }
    return page
        | vec2((picture & 0xffu) << 24u, ((picture >> 8u) << 24u) | (reduce << 26u) | 0x80000000u);
}
