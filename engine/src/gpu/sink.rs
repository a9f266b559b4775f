//! Where finished cells go: a texture, or host memory as texels or as component planes.

use super::buffers::Buffers;
use super::texture::TextureTarget;
use crate::error::DeviceError;
use crate::executor::TexelRows;
use crate::geometry::Rect;
use crate::plan::{Cell, PlaneWindow, TexelFormat};

/// Takes the results of cells, one after another.
pub(super) trait Sink {
    /// The layout that cells are packed in, if they are.
    fn format(&self) -> Option<TexelFormat>;

    /// Bytes of a cell that are read back.
    fn readback_bytes(&self, cell: &Cell) -> Result<u64, DeviceError>;

    /// Adds commands after the cell's steps. `readback`: a buffer and the place of the cell in it.
    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        buffers: &Buffers,
        cell: &Cell,
        readback: Option<(&wgpu::Buffer, u64)>,
    ) -> Result<(), DeviceError>;

    /// Takes what was read back of a cell, if anything is.
    fn take(&mut self, cell: &Cell, bytes: &[u8]);
}

/// Where a cell lies in the window.
fn place(cell: &Cell, window: Rect) -> Result<(u32, u32), DeviceError> {
    if !window.contains(cell.rect) {
        let reason = format!("the plan's cell {:?} is outside its window {window:?}", cell.rect);
        return Err(DeviceError::Refused { reason });
    }
    Ok((cell.rect.x0.saturating_sub(window.x0), cell.rect.y0.saturating_sub(window.y0)))
}

/// Copies texels into a texture.
pub(super) struct TextureSink<'a> {
    pub(super) window: Rect,
    pub(super) format: TexelFormat,
    pub(super) target: TextureTarget<'a>,
}

impl Sink for TextureSink<'_> {
    fn format(&self) -> Option<TexelFormat> {
        Some(self.format)
    }

    fn readback_bytes(&self, _: &Cell) -> Result<u64, DeviceError> {
        Ok(0)
    }

    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        buffers: &Buffers,
        cell: &Cell,
        _: Option<(&wgpu::Buffer, u64)>,
    ) -> Result<(), DeviceError> {
        let (x, y) = place(cell, self.window)?;
        let size = cell.rect.size();
        if size.area() == 0 {
            return Ok(());
        }
        let row_bytes = self.format.padded_row_bytes(size.width);
        let bytes_per_row = u32::try_from(row_bytes)
            .map_err(|_| DeviceError::Refused { reason: format!("a cell has {} columns", size.width) })?;
        let origin = self.target.origin;
        // Inside the texture: the target was checked for the whole window.
        let target = self.target.at(origin.x + x, origin.y + y);
        target.copy(encoder, &buffers.texels, 0, bytes_per_row, size);
        Ok(())
    }

    fn take(&mut self, _: &Cell, _: &[u8]) {}
}

/// Copies texels into rows in host memory.
pub(super) struct TexelSink<'a> {
    pub(super) window: Rect,
    pub(super) format: TexelFormat,
    pub(super) rows: TexelRows<'a>,
}

impl Sink for TexelSink<'_> {
    fn format(&self) -> Option<TexelFormat> {
        Some(self.format)
    }

    fn readback_bytes(&self, cell: &Cell) -> Result<u64, DeviceError> {
        place(cell, self.window)?;
        Ok(self.format.padded_row_bytes(cell.rect.width()) * u64::from(cell.rect.height()))
    }

    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        buffers: &Buffers,
        cell: &Cell,
        readback: Option<(&wgpu::Buffer, u64)>,
    ) -> Result<(), DeviceError> {
        let bytes = self.readback_bytes(cell)?;
        if let Some((buffer, offset)) = readback.filter(|_| bytes > 0) {
            encoder.copy_buffer_to_buffer(&buffers.texels, 0, buffer, offset, bytes);
        }
        Ok(())
    }

    fn take(&mut self, cell: &Cell, bytes: &[u8]) {
        let Self { window, format, rows } = self;
        let texel = format.bytes() as usize;
        let row = cell.rect.width() as usize * texel;
        let stride = format.padded_row_bytes(cell.rect.width()) as usize;
        if row == 0 {
            return;
        }
        let x = (cell.rect.x0 - window.x0) as usize * texel;
        let y = (cell.rect.y0 - window.y0) as usize;
        let rows = rows.bytes[y * rows.stride..].chunks_mut(rows.stride);
        for (to, from) in rows.zip(bytes.chunks(stride)) {
            to[x..x + row].copy_from_slice(&from[..row]);
        }
    }
}

/// Hands component planes to the caller.
pub(super) struct PlaneSink<'a> {
    pub(super) take: &'a mut (dyn FnMut(&Cell, &PlaneWindow, &[i32]) + Send),
}

/// Words from a plane's first sample to its last.
fn span(plane: &PlaneWindow) -> u64 {
    match (plane.rect.width(), plane.rect.height()) {
        (0, _) | (_, 0) => 0,
        (width, height) => u64::from(height - 1) * u64::from(plane.row) + u64::from(width),
    }
}

impl Sink for PlaneSink<'_> {
    fn format(&self) -> Option<TexelFormat> {
        None
    }

    fn readback_bytes(&self, cell: &Cell) -> Result<u64, DeviceError> {
        for plane in &cell.planes {
            let end = u64::from(plane.offset) + span(plane);
            if end > cell.arena_words.into() || plane.row < plane.rect.width() {
                let reason = format!("the plan's {plane:?} is not inside its arena");
                return Err(DeviceError::Refused { reason });
            }
        }
        Ok(4 * cell.planes.iter().map(span).sum::<u64>())
    }

    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        buffers: &Buffers,
        cell: &Cell,
        readback: Option<(&wgpu::Buffer, u64)>,
    ) -> Result<(), DeviceError> {
        let Some((buffer, mut at)) = readback else { return Ok(()) };
        for plane in &cell.planes {
            let length = 4 * span(plane);
            let offset = 4 * u64::from(plane.offset);
            encoder.copy_buffer_to_buffer(&buffers.arena, offset, buffer, at, length);
            at += length;
        }
        Ok(())
    }

    fn take(&mut self, cell: &Cell, bytes: &[u8]) {
        let mut words: &[i32] = bytemuck::cast_slice(bytes);
        for plane in &cell.planes {
            let (samples, rest) = words.split_at(span(plane) as usize);
            words = rest;
            let width = plane.rect.width();
            if plane.row == width || samples.is_empty() {
                (self.take)(cell, plane, samples);
            } else {
                let rows = samples.chunks(plane.row as usize);
                let samples: Vec<_> = rows.flat_map(|row| &row[..width as usize]).copied().collect();
                (self.take)(cell, plane, &samples);
            }
        }
    }
}
