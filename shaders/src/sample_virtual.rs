//! Sampling a virtual texture: a picture of any size, of which some pages are resident in an atlas. The twin draws from host
//! memory what the shader draws, for reference frames without a GPU.

use crate::page_table::{self, PageEntry};
use crate::shared::shared;
use crate::virtual_frame::{Along, VirtualFrame, VirtualPicture, length, side_shift};

shared! {
    prefix "VIRTUAL_";
    /// Instead of a place or a reduction: there is none.
    pub const NONE: u32 = 0xFFFF_FFFF;
    /// What a pixel of the screen covers is averaged over at most so many points, in each of two directions.
    pub const MOST_POINTS: u32 = 8;
    /// Texels that points may lie further apart than one, so that rounding does not make two of one.
    pub(crate) const SMALL: f32 = 0.05;
}

/// The texels of an atlas.
pub trait TexelAtlas {
    /// A texel as a texture of its format gives it to a shader: channels from 0 to 1, those that it lacks 0, opacity 1; of
    /// sRGB formats, linear values. `x`, `y`: from the slot's upper left corner, border included; below
    /// `side + 2 * border`. [`crate::texels::unpack`] reads texels of all formats.
    fn texel(&self, slot: u32, x: u32, y: u32) -> [f32; 4];
}

impl<F: Fn(u32, u32, u32) -> [f32; 4]> TexelAtlas for F {
    fn texel(&self, slot: u32, x: u32, y: u32) -> [f32; 4] {
        self(slot, x, y)
    }
}

/// What is bound in a frame, in host memory.
#[derive(Debug)]
pub struct VirtualScene<'a, A: ?Sized> {
    /// What all pictures share.
    pub frame: VirtualFrame,
    /// The pictures; more than `frame.picture_count` are not there.
    pub pictures: &'a [VirtualPicture],
    /// The page table, `frame.table_mask + 1` entries.
    pub table: &'a [PageEntry],
    /// The atlas.
    pub atlas: &'a A,
}

impl<A: TexelAtlas + ?Sized> VirtualScene<'_, A> {
    /// The colour of a picture: red, green, blue, opacity from 0 to 1, zeros where nothing is resident. `uv`: from 0 to 1;
    /// beyond, the edge repeats. `ddx`, `ddy`: how `uv` changes from a pixel of the screen to the next one.
    #[must_use]
    pub fn sample(&self, picture: u32, uv: [f32; 2], ddx: [f32; 2], ddy: [f32; 2]) -> [f32; 4] {
        let Some(there) = self.picture(picture) else { return [0.0; 4] };
        let scaled = |[x, y]: [f32; 2]| [x * there.width as f32, y * there.height as f32];
        self.sample_at(picture, [0; 2], scaled(uv), scaled(ddx), scaled(ddy))
    }

    /// The same at `base + offset` full-size pixels from the picture's upper left corner. `ddx`, `ddy`: full-size pixels.
    #[must_use]
    pub fn sample_at(
        &self,
        picture: u32,
        base: [u32; 2],
        offset: [f32; 2],
        ddx: [f32; 2],
        ddy: [f32; 2],
    ) -> [f32; 4] {
        let Some(there) = self.picture(picture) else { return [0.0; 4] };
        let longest = length(ddx).max(length(ddy));
        let magnified = 2.0 * longest < (1_u32 << there.clamped(0)) as f32;
        let nearest = magnified && there.flags & VirtualPicture::NEAREST != 0;
        let place = there.place(base, offset);
        self.colour(picture, there, place, there.reduce(ddx, ddy), [ddx, ddy], nearest)
    }

    /// The same from a given reduction, or the next coarser one that is resident, between its four texels.
    #[must_use]
    pub fn sample_level(&self, picture: u32, uv: [f32; 2], reduce: u32) -> [f32; 4] {
        let Some(there) = self.picture(picture) else { return [0.0; 4] };
        let offset = [uv[0] * there.width as f32, uv[1] * there.height as f32];
        self.sample_level_at(picture, [0; 2], offset, reduce)
    }

    /// The same at `base + offset` full-size pixels from the picture's upper left corner.
    #[must_use]
    pub fn sample_level_at(&self, picture: u32, base: [u32; 2], offset: [f32; 2], reduce: u32) -> [f32; 4] {
        let Some(there) = self.picture(picture) else { return [0.0; 4] };
        let place = there.place(base, offset);
        self.colour(picture, there, place, there.clamped(reduce), [[0.0; 2]; 2], false)
    }

    /// The reduction that [`Self::sample_at`] draws from, while a page fades in its own; `None` if nothing is resident.
    #[must_use]
    pub fn resident_at(
        &self,
        picture: u32,
        base: [u32; 2],
        offset: [f32; 2],
        ddx: [f32; 2],
        ddy: [f32; 2],
    ) -> Option<u32> {
        let there = self.picture(picture)?;
        let place = there.place(base, offset);
        (there.reduce(ddx, ddy)..=there.clamped(VirtualPicture::MOST_REDUCE)).find(|&reduce| {
            let texel = there.texel(place, reduce);
            texel.is_some_and(|(at, _)| self.page(picture, reduce, at).is_some())
        })
    }

    fn picture(&self, picture: u32) -> Option<&VirtualPicture> {
        let there = self.pictures.get(picture as usize)?;
        (picture < self.frame.picture_count && there.is_present()).then_some(there)
    }

    /// The entry of the page with a texel.
    fn page(&self, picture: u32, reduce: u32, [x, y]: [u32; 2]) -> Option<&PageEntry> {
        let shift = side_shift(self.frame.side);
        page_table::find(self.table, x >> shift, y >> shift, PageEntry::tag(picture, reduce))
    }

    /// The colour at a place: of the finest page from `wanted` on that is resident. While it fades in, the next ones show
    /// through.
    fn colour(
        &self,
        picture: u32,
        there: &VirtualPicture,
        place: [Along; 2],
        wanted: u32,
        steps: [[f32; 2]; 2],
        nearest: bool,
    ) -> [f32; 4] {
        let finest = there.clamped(0);
        let (mut sum, mut last) = ([0.0; 4], None);
        // What shows through so far.
        let mut rest = 1.0;
        for reduce in wanted..=there.clamped(VirtualPicture::MOST_REDUCE) {
            let Some((at, mut part)) = there.texel(place, reduce) else { continue };
            let Some(entry) = self.page(picture, reduce, at) else { continue };
            if nearest && reduce == finest {
                part = part.map(|part| (part + 0.5).floor());
            }
            let scale = 1.0 / (1_u32 << reduce) as f32;
            let inside = at.map(|at| (at & self.frame.side.wrapping_sub(1)) as f32);
            let position = add(inside, part);
            let texel = self.footprint(entry.slot, position, steps.map(|step| times(step, scale)));
            last = Some(texel);
            let age = self.frame.now_ms.wrapping_sub(entry.since);
            if age >= self.frame.fade_ms {
                break;
            }
            let weight = age as f32 / self.frame.fade_ms as f32;
            sum = std::array::from_fn(|channel| sum[channel] + rest * weight * texel[channel]);
            rest *= 1.0 - weight;
        }
        let Some(last) = last else { return [0.0; 4] };
        there.shading.apply(std::array::from_fn(|channel| sum[channel] + rest * last[channel]))
    }

    /// The mean of what a pixel of the screen covers of a page. `position`: texels from the centre of the page's first one.
    /// `dx`, `dy`: texels from a pixel of the screen to the next one. The points that are averaged lie so that the outer ones
    /// are a texel less apart than the pixel is wide: at one texel a pixel they are one, and texels come out as they are.
    fn footprint(&self, slot: u32, position: [f32; 2], [dx, dy]: [[f32; 2]; 2]) -> [f32; 4] {
        let border = self.frame.border as f32;
        let centre = position.map(|position| border + 0.5 + position);
        let (across, along) = (reach(dx), reach(dy));
        // Nothing is read outside the slot.
        let half = [0, 1].map(|axis| 0.5 * (across[axis].abs() + along[axis].abs()));
        let most = half[0].max(half[1]);
        let room = if most > border - 1.0 { (border - 1.0) / most } else { 1.0 };
        let (columns, rows) = (points(length(across) * room), points(length(along) * room));
        if columns * rows == 1 {
            return self.point(slot, centre);
        }
        let x_step = times(across, room / (columns.max(2) - 1) as f32);
        let y_step = times(along, room / (rows.max(2) - 1) as f32);
        let whole = add(times(x_step, (columns - 1) as f32), times(y_step, (rows - 1) as f32));
        let start = add(centre, times(whole, -0.5));
        let mut sum = [0.0; 4];
        for y in 0..rows {
            for x in 0..columns {
                let at = add(add(start, times(x_step, x as f32)), times(y_step, y as f32));
                let texel = self.point(slot, at);
                sum.iter_mut().zip(texel).for_each(|(sum, value)| *sum += value);
            }
        }
        sum.map(|sum| sum / (columns * rows) as f32)
    }

    /// The slot between four texels. Texel `i` covers `i` to `i + 1`.
    fn point(&self, slot: u32, position: [f32; 2]) -> [f32; 4] {
        let first = position.map(|position| (position - 0.5).floor());
        let part = [0, 1].map(|axis| position[axis] - 0.5 - first[axis]);
        let last = (self.frame.side + 2 * self.frame.border).saturating_sub(1);
        let low = first.map(|first| (first as u32).min(last));
        let high = first.map(|first| ((first + 1.0) as u32).min(last));
        let texel = |x, y| self.atlas.texel(slot, x, y);
        let upper = mixed(texel(low[0], low[1]), texel(high[0], low[1]), part[0]);
        let lower = mixed(texel(low[0], high[1]), texel(high[0], high[1]), part[0]);
        mixed(upper, lower, part[1])
    }
}

/// From the first to the last of the points that are averaged along a step of the screen.
fn reach(step: [f32; 2]) -> [f32; 2] {
    let texels = length(step);
    times(step, (texels - 1.0).max(0.0) / texels.max(1.0))
}

/// How many points there are along so many texels: at most a texel apart, as far as [`MOST_POINTS`] go.
fn points(reach: f32) -> u32 {
    let more = (reach - SMALL).max(0.0).ceil() as u32;
    more.saturating_add(1).min(MOST_POINTS)
}

fn add(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

fn times(a: [f32; 2], factor: f32) -> [f32; 2] {
    a.map(|value| value * factor)
}

fn mixed(from: [f32; 4], to: [f32; 4], part: f32) -> [f32; 4] {
    std::array::from_fn(|channel| from[channel] * (1.0 - part) + to[channel] * part)
}
