//! The cells of a plan that one submission runs, one after another.

use super::buffers::{Pool, Tables};
use super::context::Context;
use super::filling::{CellWords, failed, fill};
use super::group::Group;
use super::pipelines::Pipelines;
use super::sink::Sink;
use crate::error::DeviceError;
use crate::executor::{Coefficients, Statistics};
use crate::geometry::Size;
use crate::plan::{Cell, Plan};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// As many cells of a plan, in order, as fit the buffers of one submission; at least one.
pub(super) struct Batch<'a> {
    context: &'a Context,
    cells: Vec<BatchCell<'a>>,
    tables: Tables,
    /// Bytes of the coefficients of all cells.
    coefficients: u64,
    /// Bytes that are read back.
    pub(super) readback: u64,
    /// Bytes of the largest arena.
    arena: u64,
    /// Bytes of the texels of the largest cell.
    texels: u64,
}

/// One cell of a batch, a group of its own.
struct BatchCell<'a> {
    index: usize,
    words: CellWords<'a>,
    group: Group,
    /// Its results in the read-back.
    readback: Range<u64>,
}

impl<'a> Batch<'a> {
    /// Takes cells from number `first` on.
    pub(super) fn new(
        context: &'a Context,
        plan: &'a Plan,
        coefficients: Coefficients<'a>,
        first: usize,
        sink: &dyn Sink,
    ) -> Result<Self, DeviceError> {
        let alignment = context.binding_alignment();
        let tables = Tables::new(alignment);
        let cells = Vec::new();
        let mut batch = Self { context, cells, tables, coefficients: 0, readback: 0, arena: 0, texels: 0 };
        let most = context.buffer_bytes();
        for (index, cell) in plan.cells.iter().enumerate().skip(first) {
            if sink.format().is_some() {
                check_packing(cell)?;
            }
            let before = batch.tables.mark();
            let group = Group::new(&mut batch.tables, &[(plan, cell)], batch.coefficients, sink.format())?;
            let readback = batch.readback..batch.readback + sink.readback_bytes(cell)?;
            let end = group.coefficients.end;
            let upload = end.saturating_add(alignment).saturating_add(batch.tables.bytes.len() as u64);
            if !batch.cells.is_empty() && (upload > most || readback.end > most) {
                batch.tables.reset(before);
                break;
            }
            batch.coefficients = end.checked_next_multiple_of(alignment).unwrap_or(end);
            batch.readback = readback.end;
            batch.arena = batch.arena.max(group.arena);
            batch.texels = batch.texels.max(group.texels);
            let words = CellWords { plan, cell, coefficients };
            batch.cells.push(BatchCell { index, words, group, readback });
        }
        Ok(batch)
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Number and part of the read-back of each cell.
    pub(super) fn parts(&self) -> Vec<(usize, Range<u64>)> {
        self.cells.iter().map(|cell| (cell.index, cell.readback.clone())).collect()
    }

    /// Uploads coefficients and tables, and records all steps. `readback` holds [`Self::readback`] bytes.
    pub(super) fn record(
        &self,
        pipelines: &Pipelines,
        pool: &Mutex<Pool>,
        encoder: &mut wgpu::CommandEncoder,
        sink: &dyn Sink,
        readback: Option<&wgpu::Buffer>,
    ) -> Result<Statistics, DeviceError> {
        let upload = self.coefficients + self.tables.bytes.len() as u64;
        let mut chosen = pool.lock().unwrap_or_else(PoisonError::into_inner);
        let buffers = chosen.buffers(self.context, self.arena, upload, self.texels)?;
        drop(chosen);
        if let Some(size) = wgpu::BufferSize::new(upload) {
            self.upload(encoder, &buffers.upload, size)?;
        }
        let mut statistics =
            Statistics { cells: self.cells.len() as u64, uploaded_bytes: upload, ..Default::default() };
        for BatchCell { words, group, readback: part, .. } in &self.cells {
            group.record(self.context, pipelines, encoder, &buffers, self.coefficients)?;
            statistics.dispatches += group.dispatches();
            let place = readback.map(|buffer| (buffer, part.start));
            sink.record(encoder, &buffers, words.cell, place)?;
        }
        Ok(statistics)
    }

    /// By a command: what other threads upload into the same buffer does not come between, and commands can be submitted
    /// whenever the host likes.
    fn upload(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        to: &wgpu::Buffer,
        size: wgpu::BufferSize,
    ) -> Result<(), DeviceError> {
        let from = self.context.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("upload"),
            size: size.get(),
            usage: wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        let mut view = from.get_mapped_range_mut(..).map_err(|error| failed(&error.to_string()))?;
        let cells = self
            .cells
            .iter()
            .flat_map(|cell| cell.group.cells.iter().map(|place| (place.coefficients.clone(), cell.words)));
        fill(view.slice(..), cells, self.coefficients, &self.tables.bytes)?;
        drop(view);
        from.unmap();
        encoder.copy_buffer_to_buffer(&from, 0, to, 0, size.get());
        Ok(())
    }
}

/// A cell is packed as it is.
fn check_packing(cell: &Cell) -> Result<(), DeviceError> {
    let (packed, size) = (Size::new(cell.pack.width, cell.pack.height), cell.rect.size());
    if packed == size {
        return Ok(());
    }
    Err(DeviceError::Refused { reason: format!("the plan packs {packed:?} for a cell of {size:?}") })
}
