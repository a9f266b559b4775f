//! Packing: component samples to texels (palette, up-sampling, colour conversion, depth).

use crate::colour::{self, ColourParameters, Colours};
use crate::component_transform::{self, CHUNK, ComponentTransformJob, Finish, round_small};
use crate::shared::shared;
use bytemuck::{Pod, Zeroable};

/// Where one channel of the output comes from.
///
/// Output column `x` lies at component column `x * x_numerator / x_denominator + x_offset`, rows likewise. Where the
/// grids are not the same, a value between samples is made of the four around it, linearly, or is that before it
/// ([`PackParameters::up_sampling`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
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
    /// Component columns for each output column, over `x_denominator`.
    pub x_numerator: u32,
    /// At least 1.
    pub x_denominator: u32,
    /// Component rows for each output row, over `y_denominator`.
    pub y_numerator: u32,
    /// At least 1.
    pub y_denominator: u32,
    /// Subtracted from the sample, so that the smallest is 0.
    pub low: i32,
    /// Largest value after that: `2^depth - 1` of the component or, with a palette, of its column.
    pub high: u32,
    /// First entry of the palette column in the tables, or [`Self::NO_TABLE`].
    pub table: u32,
    /// Entries of the palette column; indices are clamped to them.
    pub table_length: u32,
    /// Component columns that output column 0 lies to the right of component column 0, above -1 and below 1.
    pub x_offset: f32,
    /// Component rows that output row 0 lies below component row 0, above -1 and below 1.
    pub y_offset: f32,
}

impl PackChannel {
    shared! {
        /// As `plane`: the channel is not there; alpha is full, colour repeats channel 0.
        pub const OPAQUE: u32 = 0xFFFF_FFFF;
        /// As `table`: samples are used as they are.
        pub const NO_TABLE: u32 = 0xFFFF_FFFF;
    }
}

/// What the component transform left to do to the samples of one channel; the default is nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PackFinish {
    /// Arena words of the first samples of the planes that are transformed together, all with the rows of the
    /// channel's own; without a transform, the first is that.
    pub planes: [u32; 3],
    /// [`Self::PENDING`] with the flags of a [`ComponentTransformJob`], or 0: samples are finished.
    pub flags: u32,
    /// The channel's own plane among `planes`.
    pub slot: u32,
    /// As in [`ComponentTransformJob`].
    pub shift: i32,
    /// As in [`ComponentTransformJob`].
    pub low: i32,
    /// As in [`ComponentTransformJob`].
    pub high: i32,
}

impl PackFinish {
    shared! {
        /// Samples are as the wavelet transform left them.
        pub const PENDING: u32 = 0x1_0000;
    }
}

/// How one cell is packed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
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
    /// [`Self::LINEAR`] or [`Self::REPEATED`].
    pub up_sampling: u32,
    /// Word of the first texel. The CPU twin counts from there.
    pub out: u32,
    /// First workgroup of the dispatch that works on this; the CPU twin does not need it.
    pub start: u32,
    /// Zero.
    pub padding: [u32; 3],
    /// How the colour channels become sRGB.
    pub colour: ColourParameters,
    /// Red or grey, green, blue, opacity ([`Self::OPACITY_CHANNEL`]), and black ink ([`Self::BLACK_CHANNEL`]), which only the
    /// colour conversion reads.
    pub channels: [PackChannel; 5],
    /// What is left to do to the samples of each channel before they are packed.
    pub finishes: [PackFinish; 5],
}

impl PackParameters {
    shared! {
        /// One word a texel, red in the low byte; samples scaled to 0..=255, rounded to nearest.
        pub const RGBA8: u32 = 0;
        /// Half a word a texel (two texels a word, the left one low): channel 0, scaled to 0..=65535.
        pub const R16: u32 = 1;
        /// Two words a texel: red low, green high; blue low, alpha high; scaled to 0..=65535.
        pub const RGBA16: u32 = 2;
        /// Values between samples lie on the line through them.
        pub const LINEAR: u32 = 0;
        /// Values between samples are those of the sample to the left and above.
        pub const REPEATED: u32 = 1;
        /// The channel of `channels` that holds the opacity.
        pub const OPACITY_CHANNEL: usize = 3;
        /// The channel of `channels` that holds black ink.
        pub const BLACK_CHANNEL: usize = 4;
    }

    /// All channels lie on the output's grid, and no colour is converted.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let mut channels = self.channels.iter().filter(|channel| channel.plane != PackChannel::OPAQUE);
        self.colour.steps == 0 && !channels.any(PackChannel::interpolates)
    }
}

/// Texels of a row are worked on in chunks of an even length: two 16-bit texels share a word.
const _: () = assert!(CHUNK.is_multiple_of(2));

/// Packs the cell into `texels`: `row` words for each of `height` rows.
///
/// # Panics
/// If a channel's plane is not inside `arena`, or `texels` is too short.
pub fn run(parameters: &PackParameters, tables: &[u32], arena: &[u32], texels: &mut [u32]) {
    let format = parameters.format;
    let top = if format == PackParameters::RGBA8 { 255 } else { 65_535 };
    let converts = parameters.colour.steps != 0;
    let used = if format == PackParameters::R16 && !converts { 1 } else { 4 };
    let repeats = parameters.up_sampling == PackParameters::REPEATED;
    let scales = parameters.channels.map(|channel| Scale::new(channel.high, top));
    let mut values = [[top; CHUNK]; 4];
    let mut numbers = [[0.0; CHUNK]; 5];
    let width = parameters.width as usize;
    for row in 0..parameters.height {
        let y = parameters.y0 + row;
        let out = (row * parameters.row) as usize;
        for column in (0..width).step_by(CHUNK) {
            let length = CHUNK.min(width - column);
            let x = parameters.x0 + column as u32;
            for (c, channel) in parameters.channels[..used].iter().enumerate() {
                let finish = &parameters.finishes[c];
                if channel.plane == PackChannel::OPAQUE {
                    if c < 3 {
                        values[c] = values[0];
                        numbers[c] = numbers[0];
                    }
                    continue;
                }
                let (values, numbers) = (&mut values[c][..length], &mut numbers[c][..length]);
                let is_colour = c != PackParameters::OPACITY_CHANNEL;
                if channel.interpolates() {
                    channel.interpolate(finish, arena, tables, (x, y), repeats, numbers);
                    if !converts || !is_colour {
                        from_numbers(top, numbers, values);
                    }
                } else {
                    channel.look_up(finish, arena, tables, x, y, values);
                    if converts && is_colour {
                        to_numbers(channel.high, values, numbers);
                    } else {
                        scales[c].apply(values);
                    }
                }
            }
            if converts {
                let black = &parameters.channels[PackParameters::BLACK_CHANNEL];
                if black.plane != PackChannel::OPAQUE {
                    let finish = &parameters.finishes[PackParameters::BLACK_CHANNEL];
                    let numbers = &mut numbers[PackParameters::BLACK_CHANNEL][..length];
                    if black.interpolates() {
                        black.interpolate(finish, arena, tables, (x, y), repeats, numbers);
                    } else {
                        let ink = &mut [0; CHUNK][..length];
                        black.look_up(finish, arena, tables, x, y, ink);
                        to_numbers(black.high, ink, numbers);
                    }
                }
                let opacity = PackParameters::OPACITY_CHANNEL;
                to_numbers(top, &values[opacity][..length], &mut numbers[opacity][..length]);
                let [red, green, blue, opacity, black] =
                    numbers.each_mut().map(|numbers| &mut numbers[..length]);
                let colours = Colours { channels: [red, green, blue], opacity, black };
                colour::run(&parameters.colour, tables, colours);
                for (values, numbers) in values.iter_mut().zip(&numbers[..3]) {
                    from_numbers(top, &numbers[..length], &mut values[..length]);
                }
            }
            let [red, green, blue, alpha] = &values;
            match format {
                PackParameters::RGBA8 => {
                    let colours = red.iter().zip(green).zip(blue.iter().zip(alpha));
                    for (out, ((r, g), (b, a))) in texels[out + column..][..length].iter_mut().zip(colours) {
                        *out = r | g << 8 | b << 16 | a << 24;
                    }
                }
                PackParameters::R16 => {
                    let texels = &mut texels[out + column / 2..][..length.div_ceil(2)];
                    for (out, pair) in texels.iter_mut().zip(red[..length].chunks(2)) {
                        *out = pair[0] | pair.get(1).map_or(0, |right| right << 16);
                    }
                }
                _ => {
                    let texels = &mut texels[out + 2 * column..][..2 * length];
                    let colours = red.iter().zip(green).zip(blue.iter().zip(alpha));
                    for (out, ((r, g), (b, a))) in texels.chunks_exact_mut(2).zip(colours) {
                        out[0] = r | g << 16;
                        out[1] = b | a << 16;
                    }
                }
            }
        }
    }
}

impl PackChannel {
    /// The values at output columns from `x`, less the lowest one, through the palette if there is one.
    fn look_up(
        &self,
        finish: &PackFinish,
        arena: &[u32],
        tables: &[u32],
        x: u32,
        y: u32,
        values: &mut [u32],
    ) {
        let low = self.low as u32;
        if finish.flags == 0 {
            self.samples(self.plane, arena, x, y, values, |sample| sample.wrapping_sub(low));
        } else {
            self.unfinished(finish, arena, x, y, values);
            values.iter_mut().for_each(|value| *value = value.wrapping_sub(low));
        }
        if self.table != Self::NO_TABLE {
            self.index(tables, values);
        }
    }

    /// The samples at output columns from `x`, after the component transform of `finish`.
    fn unfinished(&self, finish: &PackFinish, arena: &[u32], x: u32, y: u32, values: &mut [u32]) {
        let kind = finish.flags & 0xFF;
        let mut planes = [[0; CHUNK]; 3];
        let count = if kind == ComponentTransformJob::NONE { 1 } else { 3 };
        for (samples, &plane) in planes.iter_mut().zip(&finish.planes[..count]) {
            self.samples(plane, arena, x, y, &mut samples[..values.len()], |sample| sample);
        }
        let [first, second, third] = &mut planes;
        component_transform::transform(kind, first, second, third);
        let slot = finish.slot as usize;
        values.copy_from_slice(&planes[slot][..values.len()]);
        let float = component_transform::is_float(finish.flags, slot);
        let PackFinish { shift, low, high, .. } = *finish;
        component_transform::finish(&Finish { float, shift, low, high }, values);
    }

    /// The sample at a word counted from the first of its plane, after the component transform of `finish`.
    fn finished(&self, finish: &PackFinish, arena: &[u32], at: usize) -> u32 {
        if finish.flags == 0 {
            return arena[self.plane as usize + at];
        }
        let kind = finish.flags & 0xFF;
        let count = if kind == ComponentTransformJob::NONE { 1 } else { 3 };
        let mut planes = [[0]; 3];
        for (sample, &plane) in planes.iter_mut().zip(&finish.planes[..count]) {
            *sample = [arena[plane as usize + at]];
        }
        let [first, second, third] = &mut planes;
        component_transform::transform(kind, first, second, third);
        let slot = finish.slot as usize;
        let float = component_transform::is_float(finish.flags, slot);
        let PackFinish { shift, low, high, .. } = *finish;
        component_transform::finish(&Finish { float, shift, low, high }, &mut planes[slot]);
        planes[slot][0]
    }

    /// Whether the output's grid is not the component's.
    pub(crate) fn interpolates(&self) -> bool {
        self.x_numerator != self.x_denominator
            || self.y_numerator != self.y_denominator
            || self.x_offset != 0.0
            || self.y_offset != 0.0
    }

    /// Values from 0 to 1 at output columns from `x`, between those of the samples around. An empty plane gives zeros.
    fn interpolate(
        &self,
        finish: &PackFinish,
        arena: &[u32],
        tables: &[u32],
        (x, y): (u32, u32),
        repeats: bool,
        numbers: &mut [f32],
    ) {
        let (Some(last_column), Some(last_row)) = (self.width.checked_sub(1), self.height.checked_sub(1))
        else {
            return numbers.fill(0.0);
        };
        let position = Position::new(y, self.y_numerator, self.y_denominator);
        let (up, down, weight_y) = position.between(self.y_denominator, self.y_offset, self.y0, last_row);
        let weight_y = if repeats { 0.0 } else { weight_y };
        let (upper, lower) = (up * self.row, down * self.row);
        let high = self.high.max(1);
        let scale = 1.0 / high as f32;
        let low = self.low as u32;
        let value = |at: u32| {
            let mut value = [self.finished(finish, arena, at as usize).wrapping_sub(low)];
            if self.table != Self::NO_TABLE {
                self.index(tables, &mut value);
            }
            value[0].min(high) as f32
        };
        let column = |at: u32| {
            let (from, to) = (value(upper + at), value(lower + at));
            from + (to - from) * weight_y
        };
        let mut position = Position::new(x, self.x_numerator, self.x_denominator);
        let step = Position::new(1, self.x_numerator, self.x_denominator);
        for number in numbers {
            let (left, right, weight_x) =
                position.between(self.x_denominator, self.x_offset, self.x0, last_column);
            let weight_x = if repeats { 0.0 } else { weight_x };
            let (from, to) = (column(left), column(right));
            *number = (from + (to - from) * weight_x) * scale;
            position.advance(&step, self.x_denominator);
        }
    }

    /// The samples of the plane from arena word `plane` at output columns from `x`, mapped by `map`. An empty plane
    /// gives zeros.
    #[inline(always)]
    fn samples(
        &self,
        plane: u32,
        arena: &[u32],
        x: u32,
        y: u32,
        values: &mut [u32],
        map: impl Fn(u32) -> u32,
    ) {
        let (Some(last_column), Some(last_row)) = (self.width.checked_sub(1), self.height.checked_sub(1))
        else {
            return values.fill(0);
        };
        let row = y.saturating_sub(self.y0).min(last_row);
        let plane = &arena[plane as usize + row as usize * self.row as usize..][..self.width as usize];
        // Columns before the first sample repeat it, those after the last one that.
        let before = (self.x0.saturating_sub(x) as usize).min(values.len());
        let (outer, values) = values.split_at_mut(before);
        outer.fill(map(plane[0]));
        let first = (x.saturating_sub(self.x0) as usize).min(plane.len());
        let inside = &plane[first..plane.len().min(first + values.len())];
        let (inner, beyond) = values.split_at_mut(inside.len());
        for (value, &sample) in inner.iter_mut().zip(inside) {
            *value = map(sample);
        }
        beyond.fill(map(plane[last_column as usize]));
    }

    /// Palette indices to the entries of the channel's column.
    fn index(&self, tables: &[u32], values: &mut [u32]) {
        let column = &tables[self.table as usize..][..self.table_length as usize];
        let last = column.len().saturating_sub(1);
        for value in values {
            *value = column.get((*value as usize).min(last)).copied().unwrap_or(0);
        }
    }
}

/// A place on a component's grid: samples, and a part of the distance to the next one over a denominator.
struct Position {
    whole: u64,
    rest: u64,
}

impl Position {
    /// `at * numerator / denominator`.
    fn new(at: u32, numerator: u32, denominator: u32) -> Self {
        let product = u64::from(at) * u64::from(numerator);
        Self { whole: product / u64::from(denominator), rest: product % u64::from(denominator) }
    }

    fn advance(&mut self, step: &Self, denominator: u32) {
        self.whole += step.whole;
        self.rest += step.rest;
        if self.rest >= denominator.into() {
            self.rest -= u64::from(denominator);
            self.whole += 1;
        }
    }

    /// The samples on both sides, counted from sample `first` and limited to `0..=last`, and the second's weight.
    fn between(&self, denominator: u32, offset: f32, first: u32, last: u32) -> (u32, u32, f32) {
        let part = self.rest as f32 / denominator as f32 + offset;
        // Rounded down: the part is above -1.
        let step = (part + 1.0) as i64 - 1;
        let left = self.whole as i64 + step - i64::from(first);
        let limit = |at: i64| at.clamp(0, last.into()) as u32;
        (limit(left), limit(left + 1), part - step as f32)
    }
}

/// `round(value * top / high)`, halves up, for values that are first clamped to `high`.
#[derive(Clone, Copy)]
struct Scale {
    top: u32,
    high: u32,
    /// `ceil(2^48 / high)`. For `high` and `top` below 2^16 the numerator is below 2^32, so its product
    /// with this fits 64 bits, and errs by less than `2^48 / high`: the quotient is exact.
    reciprocal: u64,
}

impl Scale {
    fn new(high: u32, top: u32) -> Self {
        let high = high.max(1);
        Self { top, high, reciprocal: (1_u64 << 48).div_ceil(high.into()) }
    }

    fn apply(&self, values: &mut [u32]) {
        let Self { top, high, reciprocal } = *self;
        if high == top {
            values.iter_mut().for_each(|value| *value = (*value).min(high));
        } else if high <= 0xFFFF {
            for value in values {
                let numerator = (*value).min(high) * top + high / 2;
                *value = ((u64::from(numerator) * reciprocal) >> 48) as u32;
            }
        } else {
            let (high, top) = (u64::from(high), u64::from(top));
            for value in values {
                *value = ((u64::from(*value).min(high) * top + high / 2) / high) as u32;
            }
        }
    }
}

/// Values to numbers from 0 to 1; 1 is `high`.
fn to_numbers(high: u32, values: &[u32], numbers: &mut [f32]) {
    let high = high.max(1);
    let scale = 1.0 / high as f32;
    for (number, value) in numbers.iter_mut().zip(values) {
        *number = (*value).min(high) as f32 * scale;
    }
}

/// Numbers from 0 to 1 to values from 0 to `top`, below 2^16.
fn from_numbers(top: u32, numbers: &[f32], values: &mut [u32]) {
    let top = top as f32;
    for (value, number) in values.iter_mut().zip(numbers) {
        *value = round_small(number * top) as u32;
    }
}
