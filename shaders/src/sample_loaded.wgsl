// An atlas that the device does not filter: of 16-bit integers, or of 32-bit floats.
//
// Bindings: 3 virtual_atlas: texture_2d_array of u32 or f32, not filterable. 4 is not there.

@group(VIRTUAL_GROUP) @binding(3) var virtual_atlas: texture_2d_array<VIRTUAL_CHANNEL>;

// A full channel.
const VIRTUAL_FULL: f32 = 65535.0;

// A slot between four texels, from 0 to 1. corner: its first texel in the atlas. Texel i of it covers i to i + 1.
fn virtual_point(layer: u32, corner: vec2<u32>, position: vec2<f32>) -> vec4<f32> {
    let at = position - 0.5;
    let first = floor(at);
    let part = at - first;
    let last = vec2(virtual_frame.side + 2u * virtual_frame.border - 1u);
    let low = corner + min(vec2<u32>(max(first, vec2(0.0))), last);
    let high = corner + min(vec2<u32>(max(first + 1.0, vec2(0.0))), last);
    let upper_left = vec4<f32>(textureLoad(virtual_atlas, low, layer, 0));
    let upper_right = vec4<f32>(textureLoad(virtual_atlas, vec2(high.x, low.y), layer, 0));
    let lower_left = vec4<f32>(textureLoad(virtual_atlas, vec2(low.x, high.y), layer, 0));
    let lower_right = vec4<f32>(textureLoad(virtual_atlas, high, layer, 0));
    let upper = mix(upper_left, upper_right, part.x);
    let lower = mix(lower_left, lower_right, part.x);
    return mix(upper, lower, part.y) / VIRTUAL_FULL;
}
