//! Packing: component samples to texels (palette, up-sampling, colour conversion, depth).

use crate::colour::{self, ColourParameters, Colours};
use crate::component_transform::{self, CHUNK, ComponentTransformJob, Finish};
use crate::pack_scale::{Scale, from_numbers, to_numbers, to_quotients};
use crate::shared::shared;
use crate::texels;
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
    /// Output columns, those included that repeat an edge.
    pub width: u32,
    /// Output rows, those included that repeat an edge.
    pub height: u32,
    /// Words in an output row (the GPU executor pads rows to 256 bytes).
    pub row: u32,
    /// [`Self::RGBA8`] or another.
    pub format: u32,
    /// [`Self::LINEAR`] or [`Self::REPEATED`].
    pub up_sampling: u32,
    /// Word of the first texel. The CPU twin counts from there.
    pub out: u32,
    /// First workgroup of the dispatch that works on this; the CPU twin does not need it.
    pub start: u32,
    /// Columns of the output before column `x0`, which repeat it.
    pub left: u32,
    /// Rows of the output above row `y0`, which repeat it.
    pub top: u32,
    /// Columns at the output's right end, which repeat the one before them.
    pub right: u32,
    /// Rows at the output's lower end, which repeat the one above them.
    pub bottom: u32,
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
        /// A byte a texel (four texels a word, the leftmost one low): channel 0, scaled to 0..=255.
        pub const R8: u32 = 3;
        /// Half a word a texel: channel 0 low, and high channel 1, or the opacity if that is not there; scaled to 0..=255.
        pub const RG8: u32 = 4;
        /// One word a texel: channel 0 low, and high channel 1, or the opacity if that is not there; scaled to 0..=65535.
        pub const RG16: u32 = 5;
        /// As [`Self::R16`], the nearest 16-bit float: 1 is the largest sample.
        pub const R16F: u32 = 6;
        /// As [`Self::RGBA16`], the nearest 16-bit floats: 1 is the largest sample.
        pub const RGBA16F: u32 = 7;
        /// One word a texel: channel 0 as a 32-bit float, 1 is the largest sample.
        pub const R32F: u32 = 8;
        /// Formats are below this.
        pub const FORMATS: u32 = 9;
        /// Values between samples lie on the line through them.
        pub const LINEAR: u32 = 0;
        /// Values between samples are those of the sample to the left and above.
        pub const REPEATED: u32 = 1;
        /// The channel of `channels` that holds the opacity.
        pub const OPACITY_CHANNEL: usize = 3;
        /// The channel of `channels` that holds black ink.
        pub const BLACK_CHANNEL: usize = 4;
    }

    /// Columns and rows of the output that repeat no edge; `None` if there are none, and so nothing to repeat either.
    #[must_use]
    pub fn cell_size(&self) -> Option<(u32, u32)> {
        let columns = self.width.checked_sub(self.left)?.checked_sub(self.right)?;
        let rows = self.height.checked_sub(self.top)?.checked_sub(self.bottom)?;
        (columns > 0 && rows > 0).then_some((columns, rows))
    }

    /// With so many columns and rows more on each side, which repeat the edge there; `None` beyond 32 bits.
    #[must_use]
    pub fn repeating(&self, left: u32, top: u32, right: u32, bottom: u32) -> Option<Self> {
        Some(Self {
            width: self.width.checked_add(left)?.checked_add(right)?,
            height: self.height.checked_add(top)?.checked_add(bottom)?,
            left: self.left.checked_add(left)?,
            top: self.top.checked_add(top)?,
            right: self.right.checked_add(right)?,
            bottom: self.bottom.checked_add(bottom)?,
            ..*self
        })
    }

    /// The channel of `channels` that is the second of two.
    fn second(&self) -> usize {
        if self.channels[1].plane == PackChannel::OPAQUE { Self::OPACITY_CHANNEL } else { 1 }
    }

    /// All channels lie on the output's grid, and no colour is converted.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let mut channels = self.channels.iter().filter(|channel| channel.plane != PackChannel::OPAQUE);
        self.colour.steps == 0 && !channels.any(PackChannel::interpolates)
    }
}

/// Texels of a row are worked on in chunks of whole words: four 8-bit texels share one.
const _: () = assert!(CHUNK.is_multiple_of(4));

/// Packs the cell into `texels`: `row` words for each of `height` rows. Floats are quotients of 32-bit floats, then rounded to
/// nearest, halves to even: a GPU's, whose division is less exact, may differ in the last bit.
///
/// # Panics
/// If a channel's plane is not inside `arena`, or `texels` is too short.
pub fn run(parameters: &PackParameters, tables: &[u32], arena: &[u32], texels: &mut [u32]) {
    let PackParameters { left, top, right, .. } = *parameters;
    let Some((width, height)) = parameters.cell_size() else { return };
    if (width, height) == (parameters.width, parameters.height) {
        return run_cell(parameters, tables, arena, texels);
    }
    let bytes = texels::bytes(parameters.format) as usize;
    let cell_bytes = width as usize * bytes;
    let row = cell_bytes.div_ceil(4);
    let mut cell = vec![0; row * height as usize];
    let inner = PackParameters { width, height, row: row as u32, ..*parameters };
    run_cell(&inner, tables, arena, &mut cell);
    let mut bytes_of_row = Vec::new();
    for out in 0..parameters.height as usize {
        let from = out.saturating_sub(top as usize).min(height as usize - 1);
        let words = &cell[from * row..][..row];
        let inner: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take(cell_bytes).collect();
        bytes_of_row.clear();
        (0..left).for_each(|_| bytes_of_row.extend_from_slice(&inner[..bytes]));
        bytes_of_row.extend_from_slice(&inner);
        (0..right).for_each(|_| bytes_of_row.extend_from_slice(&inner[cell_bytes - bytes..]));
        bytes_of_row.resize(bytes_of_row.len().next_multiple_of(4), 0);
        let out = &mut texels[out * parameters.row as usize..][..bytes_of_row.len() / 4];
        for (out, bytes) in out.iter_mut().zip(bytes_of_row.chunks_exact(4)) {
            *out = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        }
    }
}

/// The same without repeating edges.
fn run_cell(parameters: &PackParameters, tables: &[u32], arena: &[u32], texels: &mut [u32]) {
    let format = parameters.format;
    let (top, float) = (texels::top(format), texels::is_float(format));
    let converts = parameters.colour.steps != 0;
    let used = if texels::has_one_channel(format) && !converts { 1 } else { 4 };
    let repeats = parameters.up_sampling == PackParameters::REPEATED;
    let scales = parameters.channels.map(|channel| Scale::new(channel.high, top));
    let second = parameters.second();
    let mut values = [[top; CHUNK]; 4];
    let mut numbers = [[0.0; CHUNK]; 5];
    numbers[PackParameters::OPACITY_CHANNEL] = [1.0; CHUNK];
    let width = parameters.width as usize;
    for row in 0..parameters.height {
        let y = parameters.y0 + row;
        let out = row as usize * parameters.row as usize;
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
                    if !float && (!converts || !is_colour) {
                        from_numbers(top, numbers, values);
                    }
                } else {
                    channel.look_up(finish, arena, tables, x, y, values);
                    if converts && is_colour {
                        to_numbers(channel.high, values, numbers);
                    } else if float {
                        to_quotients(channel.high, values, numbers);
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
                if !float {
                    to_numbers(top, &values[opacity][..length], &mut numbers[opacity][..length]);
                }
                let [red, green, blue, opacity, black] =
                    numbers.each_mut().map(|numbers| &mut numbers[..length]);
                let colours = Colours { channels: [red, green, blue], opacity, black };
                colour::run(&parameters.colour, tables, colours);
                if !float {
                    for (values, numbers) in values.iter_mut().zip(&numbers[..3]) {
                        from_numbers(top, &numbers[..length], &mut values[..length]);
                    }
                }
            }
            let bytes = texels::bytes(format) as usize;
            let words = &mut texels[out + column * bytes / 4..][..(length * bytes).div_ceil(4)];
            if float {
                let [red, green, blue, opacity, _] = numbers.each_ref().map(|numbers| &numbers[..length]);
                texels::write_floats(format, [red, green, blue, opacity], words);
            } else {
                let values = values.each_ref().map(|values| &values[..length]);
                texels::write(format, values, second, words);
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
