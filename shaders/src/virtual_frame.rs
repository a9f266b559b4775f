//! What `sample_virtual` and `feedback_virtual` are bound to, and where a position lies in a picture's reductions.
//!
//! Texels are placed by their centres. Texel `i` of a reduction `d` lies at the centre of the full-size pixel `i * 2^d` of the
//! output grid, since a wavelet's low band keeps the samples at even coordinates. So between the pixel centres `X` (pixel `j`
//! has its own at `X = j`), a position lies at `z = X / 2^d` between the texels `floor(z)` and `floor(z) + 1`. It is drawn
//! from the page that has texel `floor(z)`; the page of the next reduction is then the parent. (A thousandth of a pixel before
//! texel `floor(z) + 1`, it is drawn from the page of that.)

use crate::shading::Shading;
use crate::shared::shared;
use bytemuck::{Pod, Zeroable};

/// What all pictures share in a frame: a uniform buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct VirtualFrame {
    /// The host's clock in milliseconds. It may wrap around.
    pub now_ms: u32,
    /// Milliseconds in which a page that came replaces what was drawn before; 0: at once.
    pub fade_ms: u32,
    /// Texels of a page a side: a power of two.
    pub side: u32,
    /// Texels that a slot has more on each side, at least 1: the page's neighbours.
    pub border: u32,
    /// Slots in a row of the atlas, at least 1. A slot has `side + 2 * border` texels a side.
    pub slots_across: u32,
    /// Slots in a layer of the atlas, row by row, at least 1; then those of the next layer follow.
    pub slots_layer: u32,
    /// Entries of the page table, less 1.
    pub table_mask: u32,
    /// Pictures that are bound.
    pub picture_count: u32,
}

/// One picture: an element of a storage buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct VirtualPicture {
    /// First column at full size, on the output grid.
    pub x0: u32,
    /// First row at full size.
    pub y0: u32,
    /// Columns at full size.
    pub width: u32,
    /// Rows at full size.
    pub height: u32,
    /// The coarsest reduction that is looked up, at most 31.
    pub levels: u32,
    /// [`Self::PRESENT`] and [`Self::NEAREST`], together.
    pub flags: u32,
    /// The finest reduction that is looked up, at most `levels`.
    pub finest: u32,
    /// Zero.
    pub padding: u32,
    /// From texels to colours.
    pub shading: Shading,
}

impl VirtualPicture {
    shared! {
        prefix "VIRTUAL_";
        /// Among `flags`: there is a picture. Without, it is drawn as nothing.
        pub const PRESENT: u32 = 1;
        /// Among `flags`: where a texel of the finest reduction covers more than two pixels of the screen, it is drawn as a
        /// square.
        pub const NEAREST: u32 = 2;
        /// The reductions that shaders can tell: 0 to this.
        pub const MOST_REDUCE: u32 = 31;
    }
}

shared! {
    prefix "VIRTUAL_";
    /// How many times longer than wide the part of a picture may be that a pixel of the screen shows, before it is drawn
    /// from a coarser reduction than its width asks for.
    pub const ANISOTROPY: f32 = 4.0;
    /// Makes up for derivatives that come out a little less than they are.
    pub const TOLERANCE: f32 = 1.001;
    /// A position so little before a pixel's centre, in pixels, is drawn from the page of that pixel: rounding does not tell
    /// which page is drawn where a pixel of the screen lies upon one of the picture.
    pub(crate) const ALMOST: f32 = 0.0009765625;
    /// Beyond this, a position counts as far away.
    pub(crate) const FAR: f32 = 4294967040.0;
}

/// A position in a picture, along one axis: a pixel at full size, and the part of the way to the next one: 0 to 1, less
/// [`ALMOST`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Along {
    pub(crate) pixel: u32,
    pub(crate) part: f32,
}

impl Along {
    /// `base + offset` full-size pixels from the first pixel's edge, between pixel centres, inside `length` pixels.
    pub(crate) fn new(base: u32, offset: f32, length: u32) -> Self {
        let last = length.wrapping_sub(1);
        let at = offset - 0.5;
        let step = (at + ALMOST).floor();
        let far = step.abs().min(FAR) as u32;
        if step < 0.0 {
            if far > base {
                return Self { pixel: 0, part: 0.0 };
            }
            if base - far >= last {
                return Self { pixel: last, part: 0.0 };
            }
            return Self { pixel: base - far, part: at - step };
        }
        if base >= last || far >= last - base {
            return Self { pixel: last, part: 0.0 };
        }
        Self { pixel: base + far, part: at - step }
    }

    /// The texel of a reduction before the position, and the part of the way to the next one. `first`, `length`: the
    /// picture's pixels on the output grid. `None`: the reduction has no texel.
    pub(crate) fn texel(self, first: u32, length: u32, reduce: u32) -> Option<(u32, f32)> {
        let (begin, end) = texels(first, length, reduce);
        let pixel = first.wrapping_add(self.pixel);
        let at = pixel >> reduce;
        if begin >= end {
            return None;
        }
        if at < begin {
            return Some((begin, 0.0));
        }
        if at >= end - 1 {
            return Some((end - 1, 0.0));
        }
        let rest = pixel & ((1 << reduce) - 1);
        Some((at, (rest as f32 + self.part) / (1_u32 << reduce) as f32))
    }
}

/// The texels of a reduction (at most 31) along one axis, of `length` pixels from `first` on the output grid: the first, and
/// that after the last.
#[must_use]
pub const fn texels(first: u32, length: u32, reduce: u32) -> (u32, u32) {
    let end = first.wrapping_add(length);
    (rounded_up(first, reduce), rounded_up(end, reduce))
}

/// `value / 2^reduce`, rounded up.
const fn rounded_up(value: u32, reduce: u32) -> u32 {
    let mask = (1 << reduce) - 1;
    (value >> reduce) + if value & mask == 0 { 0 } else { 1 }
}

/// The page of a reduction that is drawn at a place: its column from the place's, or its row likewise. `pixel`: pixels at
/// full size from the picture's first edge, along one axis of a picture of `length` pixels from `first` on the output grid.
/// `None`: the reduction has no texel.
#[must_use]
pub fn page(pixel: u32, part: f32, first: u32, length: u32, reduce: u32, side: u32) -> Option<u32> {
    let (texel, _) =
        Along::new(pixel, part, length).texel(first, length, reduce.min(VirtualPicture::MOST_REDUCE))?;
    Some(texel >> side_shift(side))
}

/// The logarithm of a page's side.
pub(crate) fn side_shift(side: u32) -> u32 {
    side.trailing_zeros().min(31)
}

/// The reduction that is wanted where a step to the right on the screen moves by `ddx` full-size pixels in the picture, and
/// one down by `ddy`: not limited to those that there are, below 0 where the picture is magnified.
///
/// A texel of it covers at most one pixel of the screen along the shorter of the two, and more than half of one; or a quarter
/// of the longer, if that is more.
#[must_use]
pub fn wanted_reduce(ddx: [f32; 2], ddy: [f32; 2]) -> i32 {
    let (x, y) = (length(ddx), length(ddy));
    let footprint = x.min(y).max(x.max(y) / ANISOTROPY) * TOLERANCE;
    // The exponent is the logarithm rounded down.
    (footprint.to_bits() >> 23) as i32 - 127
}

impl VirtualPicture {
    /// [`wanted_reduce`], limited to what is looked up of this picture.
    #[must_use]
    pub fn reduce(&self, ddx: [f32; 2], ddy: [f32; 2]) -> u32 {
        self.clamped(wanted_reduce(ddx, ddy).max(0) as u32)
    }

    /// A reduction, limited to those that are looked up.
    pub(crate) fn clamped(&self, reduce: u32) -> u32 {
        let most = self.levels.min(Self::MOST_REDUCE);
        reduce.max(self.finest).min(most)
    }

    /// Whether the picture is drawn at all.
    pub(crate) fn is_present(&self) -> bool {
        self.flags & Self::PRESENT != 0 && self.width > 0 && self.height > 0
    }

    /// The position `base + offset`, in full-size pixels from the upper left corner.
    pub(crate) fn place(&self, base: [u32; 2], offset: [f32; 2]) -> [Along; 2] {
        [Along::new(base[0], offset[0], self.width), Along::new(base[1], offset[1], self.height)]
    }

    /// The texels of a reduction before a place, and the parts of the way to the next ones.
    pub(crate) fn texel(&self, place: [Along; 2], reduce: u32) -> Option<([u32; 2], [f32; 2])> {
        let (x, x_part) = place[0].texel(self.x0, self.width, reduce)?;
        let (y, y_part) = place[1].texel(self.y0, self.height, reduce)?;
        Some(([x, y], [x_part, y_part]))
    }
}

pub(crate) fn length([x, y]: [f32; 2]) -> f32 {
    (x * x + y * y).sqrt()
}
