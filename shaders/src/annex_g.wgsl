// Inverse component transform, DC level shift and clamping of one sample of up to three planes (T.800 Annex G): what
// component_transform.wgsl and pack.wgsl share.

const TRANSFORM_MASK: u32 = 0xffu;

// Rounds half to even and saturates; what is not a number becomes 0.
fn to_integer(value: f32) -> i32 {
    let word = bitcast<u32>(value);
    if ((word & 0x7fffffffu) > 0x7f800000u) {
        return 0;
    }
    if (value >= 2147483648.0) {
        return 0x7fffffff;
    }
    return i32(max(round(value), -2147483648.0));
}

fn integer(word: u32, float: bool) -> i32 {
    if (float) {
        return to_integer(bitcast<f32>(word));
    }
    return bitcast<i32>(word);
}

// Undoes the transform that `flags` tell; flags are those of ComponentTransformJob.
fn transformed(flags: u32, word: vec3<u32>) -> vec3<i32> {
    if ((flags & TRANSFORM_MASK) == RCT) {
        let coded = bitcast<vec3<i32>>(word);
        let green = coded.x - ((coded.y + coded.z) >> 2u);
        return vec3(coded.z + green, green, coded.y + green);
    }
    if ((flags & TRANSFORM_MASK) == ICT) {
        let coded = bitcast<vec3<f32>>(word);
        return vec3(
            to_integer(coded.x + 1.402 * coded.z),
            to_integer(coded.x - 0.344136 * coded.y - 0.714136 * coded.z),
            to_integer(coded.x + 1.772 * coded.y),
        );
    }
    return vec3(
        integer(word.x, (flags & FLOAT_0) != 0u),
        integer(word.y, (flags & (FLOAT_0 << 1u)) != 0u),
        integer(word.z, (flags & (FLOAT_0 << 2u)) != 0u),
    );
}

// Clamps before the shift, which then cannot overflow.
fn shifted(value: i32, shift: i32, low: i32, high: i32) -> i32 {
    return clamp(value, low - shift, high - shift) + shift;
}
