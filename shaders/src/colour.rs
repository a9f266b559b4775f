//! Colour conversion, a part of packing: colour channels as numbers from 0 to 1 become sRGB.
//!
//! All colour spaces take the same steps, of which each uses some: an affine map (YCC to RGB, inks to light),
//! black ink, curves and a matrix to linear light followed by the curve of sRGB (restricted ICC profiles,
//! CIELab), or a lattice of colours found beforehand (profiles of any other kind).

use crate::component_transform::limit;
use crate::shared::shared;
use bytemuck::{Pod, Zeroable};

/// How colours become sRGB. Table positions count words from the start of the tables.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct ColourParameters {
    /// The steps to take, of the constants of this type; they are taken in the order of their values.
    /// Without any, channels are what they say.
    pub steps: u32,
    /// First entry of the first of three curves, which follow each other (`f32`).
    pub curves: u32,
    /// Entries of each curve, for arguments spread evenly from 0 to 1; at least 2.
    pub curve_length: u32,
    /// First entry of the curve that comes after the matrix.
    pub encoding: u32,
    /// Its entries, at least 2.
    pub encoding_length: u32,
    /// First point of the lattice. A point is two words of 16-bit values: red low and green high, then blue.
    pub lattice: u32,
    /// Points along each dimension of the lattice, at least 2. The last channel moves fastest.
    pub lattice_side: u32,
    /// Dimensions of the lattice: 3, or 4 with black as the last.
    pub lattice_dimensions: u32,
    /// Rows for red, green, blue: factors of the three channels, and a constant.
    pub affine: [[f32; 4]; 3],
    /// Likewise, applied after the curves.
    pub matrix: [[f32; 4]; 3],
}

impl ColourParameters {
    shared! {
        /// Colours have been multiplied by the opacity: they are divided by it first and multiplied by it last.
        pub const PREMULTIPLIED: u32 = 1;
        /// `affine` is applied.
        pub const AFFINE: u32 = 2;
        /// Colours are multiplied by one less black.
        pub const BLACK: u32 = 4;
        /// `curves` are applied, one to each channel.
        pub const CURVES: u32 = 8;
        /// `matrix` and then `encoding` are applied.
        pub const MATRIX: u32 = 16;
        /// The colour is looked up in the lattice.
        pub const LATTICE: u32 = 32;
    }

    const fn takes(&self, step: u32) -> bool {
        self.steps & step != 0
    }
}

/// Colours to convert, channel by channel; all channels have as many.
pub struct Colours<'a> {
    /// The three colour channels; they become sRGB from 0 to 1.
    pub channels: [&'a mut [f32]; 3],
    /// From 0 to 1.
    pub opacity: &'a [f32],
    /// Black ink, from 0 to 1.
    pub black: &'a [f32],
}

impl Colours<'_> {
    /// Replaces each colour by what `change` makes of it, its opacity and its black.
    #[inline(always)]
    fn change(&mut self, change: impl Fn([f32; 3], f32, f32) -> [f32; 3]) {
        let [red, green, blue] = &mut self.channels;
        let colours = red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut());
        for (((red, green), blue), (&opacity, &black)) in colours.zip(self.opacity.iter().zip(self.black)) {
            [*red, *green, *blue] = change([*red, *green, *blue], opacity, black);
        }
    }
}

/// Converts colours in place.
///
/// # Panics
/// If a table is not inside `tables`.
pub fn run(p: &ColourParameters, tables: &[u32], mut colours: Colours<'_>) {
    if p.takes(ColourParameters::PREMULTIPLIED) {
        colours.change(|colour, opacity, _| {
            let whole = if opacity > 0.0 { 1.0 / opacity } else { 0.0 };
            colour.map(|value| limit(value * whole, 0.0, 1.0))
        });
    }
    if p.takes(ColourParameters::AFFINE) {
        colours.change(|colour, _, _| affine(&p.affine, colour));
    }
    if p.takes(ColourParameters::BLACK) {
        colours.change(|colour, _, black| colour.map(|value| value * (1.0 - black)));
    }
    if p.takes(ColourParameters::CURVES) {
        let length = p.curve_length as usize;
        let curves = [0, 1, 2].map(|c| &tables[p.curves as usize + c * length..][..length]);
        colours.change(|[red, green, blue], _, _| {
            [curve(curves[0], red), curve(curves[1], green), curve(curves[2], blue)]
        });
    }
    if p.takes(ColourParameters::MATRIX) {
        let encoding = &tables[p.encoding as usize..][..p.encoding_length as usize];
        colours.change(|colour, _, _| affine(&p.matrix, colour).map(|value| curve(encoding, value)));
    }
    if p.takes(ColourParameters::LATTICE) {
        colours.change(|[red, green, blue], _, black| lattice(p, tables, [red, green, blue, black]));
    }
    colours.change(|colour, _, _| colour.map(|value| limit(value, 0.0, 1.0)));
    if p.takes(ColourParameters::PREMULTIPLIED) {
        colours.change(|colour, opacity, _| colour.map(|value| value * opacity));
    }
}

fn affine(rows: &[[f32; 4]; 3], [red, green, blue]: [f32; 3]) -> [f32; 3] {
    rows.map(|[r, g, b, constant]| r * red + g * green + b * blue + constant)
}

/// The value at `x`, limited to 0..=1, between entries linearly.
fn curve(entries: &[u32], x: f32) -> f32 {
    let last = entries.len() - 1;
    let position = limit(x, 0.0, 1.0) * last as f32;
    let left = (position as usize).min(last - 1);
    let (from, to) = (f32::from_bits(entries[left]), f32::from_bits(entries[left + 1]));
    from + (to - from) * (position - left as f32)
}

/// The colour at a place between the points of the lattice, linearly in each dimension.
fn lattice(p: &ColourParameters, tables: &[u32], place: [f32; 4]) -> [f32; 3] {
    let side = p.lattice_side as usize;
    let dimensions = p.lattice_dimensions as usize;
    let (mut corners, mut fractions, mut strides) = (0, [0.0; 4], [0; 4]);
    for d in 0..dimensions {
        let position = limit(place[d], 0.0, 1.0) * (side - 1) as f32;
        let left = (position as usize).min(side - 2);
        fractions[d] = position - left as f32;
        corners = corners * side + left;
        strides[d] = side.pow((dimensions - 1 - d) as u32);
    }
    let mut colour = [0.0; 3];
    for corner in 0..1_usize << dimensions {
        let (mut point, mut weight) = (corners, 1.0);
        for d in 0..dimensions {
            if corner >> d & 1 == 1 {
                point += strides[d];
                weight *= fractions[d];
            } else {
                weight *= 1.0 - fractions[d];
            }
        }
        let at = p.lattice as usize + 2 * point;
        let (first, second) = (tables[at], tables[at + 1]);
        for (sum, value) in colour.iter_mut().zip([first & 0xFFFF, first >> 16, second & 0xFFFF]) {
            *sum += weight * value as f32;
        }
    }
    colour.map(|value| value / 65_535.0)
}
