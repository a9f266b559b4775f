//! What settled pages and frames are to be: made of the picture as the server has it, by a decoder that knows no tiles.

use super::{Camera, Flight};
use crate::mosaic_picture::MosaicPicture;
use std::sync::Arc;
use wavetile_engine::error::ContainerError;
use wavetile_engine::tiles::PageId;
use wavetile_engine::{DecodeRequest, Decoder, Image, Rect, Result};

impl Flight {
    /// Of the texels of a slot, those that filtering reads for what the camera sees: beyond them, data may be missing.
    pub(super) fn visible_part(&self, camera: &Camera, page: PageId, texels: &[u8]) -> Vec<u8> {
        let Some(pyramid) = self.tiles.pyramid(self.id) else { return Vec::new() };
        let seen = pyramid.texels_under(page.reduce, camera.pixels(self.options.viewport));
        let level = pyramid.level(page.reduce);
        let (side, border) = (i64::from(pyramid.layout().side()), i64::from(pyramid.layout().border()));
        let slot = (side + 2 * border) as usize;
        // Which texel of the level is at a place of the slot: at its edges, the outermost.
        let texel = |page: u32, at: usize, first: u32, end: u32| {
            (i64::from(page) * side - border + at as i64).clamp(first.into(), i64::from(end) - 1) as u32
        };
        let columns: Vec<usize> = (0..slot)
            .filter(|&x| (seen.x0..seen.x1).contains(&texel(page.x, x, level.x0, level.x1)))
            .collect();
        let rows = (0..slot).filter(|&y| (seen.y0..seen.y1).contains(&texel(page.y, y, level.y0, level.y1)));
        let mut part = Vec::new();
        for y in rows {
            for x in &columns {
                let at = 4 * (y * slot + x);
                part.extend_from_slice(texels.get(at..at + 4).unwrap_or_default());
            }
        }
        part
    }

    /// What [`Self::visible_texels`] has of a page is to be: decoded from the picture as the server has it, its edges repeated.
    ///
    /// # Errors
    /// It cannot be decoded.
    pub fn reference(&self, camera: &Camera, page: PageId) -> Result<Vec<u8>> {
        Ok(self.visible_part(camera, page, &reference_page(&self.picture, page)?))
    }

    /// How far a frame, drawn from host memory, is from its reference: pixels of the screen drawn from the atlas as shaders do, every `step`-th each way,
    /// against four texels of the decoded picture each. The zoom must be a whole number, so that a pixel is a texel wide. The
    /// largest difference, 255 being white from black, and the pixels compared.
    ///
    /// # Errors
    /// The picture cannot be decoded.
    pub fn frame_difference(&self, camera: &Camera, step: u32) -> Result<(f64, u64)> {
        let reduce = self.reduce(camera);
        let Some(pyramid) = self.tiles.pyramid(self.id) else { return Ok((0.0, 0)) };
        let [left, top, right, bottom] = camera.pixels(self.options.viewport);
        let texels = pyramid.texels_under(reduce, [left, top, right, bottom]);
        let request = DecodeRequest::new().region(pyramid.region(reduce, texels)).reduce(reduce);
        let image = open(&self.picture)?;
        let (decoded, _) = Decoder::cpu().render(&image, &request)?;
        let (columns, rows) = (f64::from(texels.width()), f64::from(texels.height()));
        let texel = |x: f64, y: f64, channel: usize| {
            let (x, y) = (x.clamp(0.0, columns - 1.0) as usize, y.clamp(0.0, rows - 1.0) as usize);
            f64::from(decoded.bytes[4 * (y * texels.width() as usize + x) + channel])
        };
        let scale = camera.zoom.exp2();
        let Some(scene) = self.atlas.in_host_memory().map(|atlas| atlas.scene()) else { return Ok((0.0, 0)) };
        let (mut most, mut compared) = (0.0_f64, 0);
        for row in (0..self.options.viewport.height).step_by(step as usize) {
            for column in (0..self.options.viewport.width).step_by(step as usize) {
                let (x, y) = (left + (f64::from(column) + 0.5) * scale, top + (f64::from(row) + 0.5) * scale);
                if x < 0.0
                    || y < 0.0
                    || x >= f64::from(self.options.shape.width)
                    || y >= f64::from(self.options.shape.height)
                {
                    continue;
                }
                let base = [x as u32, y as u32];
                let offset = [x.fract() as f32, y.fract() as f32];
                let step = scale as f32;
                let drawn = scene.sample_at(self.id.number(), base, offset, [step, 0.0], [0.0, step]);
                // Texel i of reduction d has its centre at i * 2^d + 1/2.
                let place = |at: f64, first: u32| (at - 0.5) / f64::from(1u32 << reduce) - f64::from(first);
                let (u, v) = (place(x, texels.x0), place(y, texels.y0));
                for (channel, drawn) in drawn.iter().enumerate().take(3) {
                    let line = |v: f64| {
                        let (low, high) = (texel(u.floor(), v, channel), texel(u.floor() + 1.0, v, channel));
                        low + (high - low) * (u - u.floor())
                    };
                    let (upper, lower) = (line(v.floor()), line(v.floor() + 1.0));
                    let wanted = upper + (lower - upper) * (v - v.floor());
                    most = most.max((f64::from(*drawn) * 255.0 - wanted).abs());
                }
                compared += 1;
            }
        }
        Ok((most, compared))
    }
}

fn open(picture: &Arc<MosaicPicture>) -> Result<Image> {
    let image = Image::open_stream(picture.clone())?.image();
    Ok(image.ok_or(ContainerError::MissingBox { kind: "jp2c" })?)
}

/// A page of 256 texels with a border of 4 as a decoder makes it of the whole picture.
///
/// # Errors
/// It cannot be decoded.
pub fn reference_page(picture: &Arc<MosaicPicture>, page: PageId) -> Result<Vec<u8>> {
    const SIDE: i64 = 256;
    const BORDER: i64 = 4;
    let image = open(picture)?;
    let level = image.area().ceil_shift(page.reduce);
    let span = |at: u32, end: u32| {
        let start = i64::from(at) * SIDE - BORDER;
        (start, start.max(0) as u32, (start + SIDE + 2 * BORDER).min(end.into()) as u32)
    };
    let ((left, x0, x1), (top, y0, y1)) = (span(page.x, level.x1), span(page.y, level.y1));
    let edge = |at: u32| u32::try_from(u64::from(at) << page.reduce).unwrap_or(u32::MAX);
    let region = Rect::new(edge(x0), edge(y0), edge(x1), edge(y1)).intersect(image.area());
    let request = DecodeRequest::new().region(region).reduce(page.reduce);
    let (decoded, _) = Decoder::cpu().render(&image, &request)?;
    let slot = SIDE + 2 * BORDER;
    let place = |from: i64, at: i64, first: u32, end: u32| {
        (from + at).clamp(first.into(), i64::from(end) - 1) as usize - first as usize
    };
    let stride = (x1 - x0) as usize * 4;
    let mut texels = Vec::with_capacity((slot * slot * 4) as usize);
    for y in 0..slot {
        let row = place(top, y, y0, y1) * stride;
        for x in 0..slot {
            let at = row + 4 * place(left, x, x0, x1);
            texels.extend_from_slice(&decoded.bytes[at..at + 4]);
        }
    }
    Ok(texels)
}
