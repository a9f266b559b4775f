//! Packing: component samples to texels (palette, up-sampling, colour conversion, depth).

use bytemuck::{Pod, Zeroable};

/// Where one channel of the output comes from.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PackChannel {
    /// Arena word of the plane's first sample, or [`Self::OPAQUE`].
    pub plane: u32,
    /// Words in a row of the plane.
    pub row: u32,
    /// Column of the plane's first sample, on the component's grid.
    pub x0: u32,
    /// Row of the plane's first sample, on the component's grid.
    pub y0: u32,
    /// Columns of the plane; look-ups are clamped to them.
    pub width: u32,
    /// Rows of the plane.
    pub height: u32,
    /// Output column `x` reads component column `floor(x * x_numerator / x_denominator)`.
    pub x_numerator: u32,
    /// See `x_numerator`; at least 1.
    pub x_denominator: u32,
    /// Output row `y` reads component row `floor(y * y_numerator / y_denominator)`.
    pub y_numerator: u32,
    /// See `y_numerator`; at least 1.
    pub y_denominator: u32,
    /// Subtracted from the sample, so that the smallest is 0.
    pub low: i32,
    /// Largest value after that: `2^depth - 1` of the component or, with a palette, of its column.
    pub high: u32,
    /// First entry of the palette column in the tables, or [`Self::NO_TABLE`].
    pub table: u32,
    /// Entries of the palette column; indices are clamped to them.
    pub table_length: u32,
    /// Zero.
    pub padding: [u32; 2],
}

impl PackChannel {
    /// As `plane`: the channel is not there; alpha is full, colour repeats channel 0.
    pub const OPAQUE: u32 = u32::MAX;
    /// As `table`: samples are used as they are.
    pub const NO_TABLE: u32 = u32::MAX;
}

/// How one cell is packed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PackParameters {
    /// First output column of the cell, on the output grid.
    pub x0: u32,
    /// First output row of the cell.
    pub y0: u32,
    /// Output columns.
    pub width: u32,
    /// Output rows.
    pub height: u32,
    /// Words in an output row (the GPU executor pads rows to 256 bytes).
    pub row: u32,
    /// [`Self::RGBA8`], [`Self::R16`] or [`Self::RGBA16`].
    pub format: u32,
    /// [`Self::COLOUR_AS_IS`] or [`Self::COLOUR_SYCC`].
    pub colour: u32,
    /// Zero.
    pub padding: u32,
    /// Red or grey, green, blue, alpha.
    pub channels: [PackChannel; 4],
}

impl PackParameters {
    /// One word a texel, red in the low byte; samples scaled to 0..=255, rounded to nearest.
    pub const RGBA8: u32 = 0;
    /// Half a word a texel (two texels a word, the left one low): channel 0, scaled to 0..=65535.
    pub const R16: u32 = 1;
    /// Two words a texel: red low, green high; blue low, alpha high; scaled to 0..=65535.
    pub const RGBA16: u32 = 2;
    /// Channels are what they say.
    pub const COLOUR_AS_IS: u32 = 0;
    /// Channels 0 to 2 are sYCC (IEC 61966-2-1 Amd.1), converted to sRGB.
    pub const COLOUR_SYCC: u32 = 1;
}

/// Packs the cell into `texels`: `row` words for each of `height` rows.
///
/// # Panics
/// If a channel's plane is not inside `arena`, or `texels` is too short.
pub fn run(parameters: &PackParameters, tables: &[u32], arena: &[u32], texels: &mut [u32]) {
    for row in 0..parameters.height {
        let y = parameters.y0 + row;
        let out = &mut texels[(row * parameters.row) as usize..];
        for column in 0..parameters.width {
            let x = parameters.x0 + column;
            let at = column as usize;
            match parameters.format {
                PackParameters::RGBA8 => {
                    let [red, green, blue, alpha] = texel(parameters, tables, arena, x, y, 255);
                    out[at] = red | green << 8 | blue << 16 | alpha << 24;
                }
                PackParameters::R16 => {
                    let value = channel(&parameters.channels[0], tables, arena, x, y, 65535);
                    if at.is_multiple_of(2) { out[at / 2] = value } else { out[at / 2] |= value << 16 }
                }
                _ => {
                    let [red, green, blue, alpha] = texel(parameters, tables, arena, x, y, 65535);
                    out[2 * at] = red | green << 16;
                    out[2 * at + 1] = blue | alpha << 16;
                }
            }
        }
    }
}

fn texel(parameters: &PackParameters, tables: &[u32], arena: &[u32], x: u32, y: u32, top: u32) -> [u32; 4] {
    let first = channel(&parameters.channels[0], tables, arena, x, y, top);
    let mut value = [first, first, first, top];
    for (value, from) in value.iter_mut().zip(&parameters.channels).skip(1) {
        if from.plane != PackChannel::OPAQUE {
            *value = channel(from, tables, arena, x, y, top);
        }
    }
    if parameters.colour == PackParameters::COLOUR_SYCC {
        let middle = top.div_ceil(2) as f32;
        let luma = value[0] as f32;
        let (blue, red) = (value[1] as f32 - middle, value[2] as f32 - middle);
        let rgb = [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue];
        for (value, rgb) in value.iter_mut().zip(rgb) {
            *value = rgb.round_ties_even().clamp(0.0, top as f32) as u32;
        }
    }
    value
}

fn channel(channel: &PackChannel, tables: &[u32], arena: &[u32], x: u32, y: u32, top: u32) -> u32 {
    let resample = |at: u32, n: u32, d: u32| (u64::from(at) * u64::from(n) / u64::from(d)) as u32;
    let column = resample(x, channel.x_numerator, channel.x_denominator).max(channel.x0) - channel.x0;
    let row = resample(y, channel.y_numerator, channel.y_denominator).max(channel.y0) - channel.y0;
    let at = row.min(channel.height - 1) * channel.row + column.min(channel.width - 1);
    let mut value = (arena[(channel.plane + at) as usize] as i32).wrapping_sub(channel.low) as u32;
    if channel.table != PackChannel::NO_TABLE {
        value = tables[(channel.table + value.min(channel.table_length - 1)) as usize];
    }
    let high = u64::from(channel.high);
    ((u64::from(value.min(channel.high)) * u64::from(top) + high / 2) / high) as u32
}
