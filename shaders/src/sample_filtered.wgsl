// An atlas that the device filters.
//
// Bindings: 3 virtual_atlas: texture_2d_array<f32>. 4 virtual_sampler: filtering; no anisotropy and no mip level is used.

@group(VIRTUAL_GROUP) @binding(3) var virtual_atlas: texture_2d_array<f32>;
@group(VIRTUAL_GROUP) @binding(4) var virtual_sampler: sampler;

// A slot between four texels. corner: its first texel in the atlas. Texel i of it covers i to i + 1.
fn virtual_point(layer: u32, corner: vec2<u32>, position: vec2<f32>) -> vec4<f32> {
    let uv = (vec2<f32>(corner) + position) / vec2<f32>(textureDimensions(virtual_atlas));
    return textureSampleLevel(virtual_atlas, virtual_sampler, uv, layer, 0.0);
}
