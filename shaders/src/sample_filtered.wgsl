// An atlas that the device filters.
//
// Bindings: 3 virtual_atlas: texture_2d_array<f32>. 4 virtual_sampler: filtering; no anisotropy and no mip level is used.

@group(VIRTUAL_GROUP) @binding(3) var virtual_atlas: texture_2d_array<f32>;
@group(VIRTUAL_GROUP) @binding(4) var virtual_sampler: sampler;

// The atlas between four texels. Texel i covers i to i + 1.
fn virtual_point(layer: u32, position: vec2<f32>) -> vec4<f32> {
    let size = vec2<f32>(textureDimensions(virtual_atlas));
    return textureSampleLevel(virtual_atlas, virtual_sampler, position / size, layer, 0.0);
}
