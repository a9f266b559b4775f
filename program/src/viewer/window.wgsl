// A window on a picture, pixel by pixel of the screen. Joined after sample_virtual, in group 1.
//
// Bindings: 0 window: Window.

struct Window {
    // A pixel of the picture near the window's upper left corner.
    base: vec2<u32>,
    // From there to that corner, in pixels of the picture.
    start: vec2<f32>,
    // Pixels of the picture from a pixel of the screen to the next one.
    step: vec2<f32>,
    // From the base to the picture's upper left and lower right corners.
    low: vec2<f32>,
    high: vec2<f32>,
    // The window's upper left corner on the screen.
    corner: vec2<f32>,
    picture: u32,
    padding: u32,
}

@group(0) @binding(0) var<uniform> window: Window;

@vertex
fn cover(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // A triangle around all of it.
    return vec4(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn draw(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let offset = window.start + (position.xy - window.corner) * window.step;
    if (any(offset < window.low) || any(offset >= window.high)) {
        return vec4(0.0);
    }
    let across = vec2(window.step.x, 0.0);
    let down = vec2(0.0, window.step.y);
    return sample_virtual_at(window.picture, window.base, offset, across, down);
}
