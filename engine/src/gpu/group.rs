//! Cells that lie side by side in one arena: each of their steps is one dispatch for all of them.

use super::buffers::{Buffers, JobTables, Starts, Tables};
use super::context::Context;
use super::fuse;
use super::pipelines::{Kernel, Pipelines};
use super::placing::{Place, Placed};
use crate::error::DeviceError;
use crate::geometry::Size;
use crate::plan::{Cell, Plan, TexelFormat};
use std::borrow::Cow;
use std::ops::Range;
use wavetile_shaders::dispatch::{self, Job};
use wavetile_shaders::pack::{PackFinish, PackParameters};

/// What is to be done for some cells. It does not refer to their plans any more.
#[derive(Debug)]
pub(super) struct Group {
    steps: Vec<Step>,
    /// Bytes of the arena that hold zeros before the first step.
    clear: Vec<Range<u64>>,
    /// Bytes of the coefficients of all cells, in the upload.
    pub(super) coefficients: Range<u64>,
    /// Bytes of the arena.
    pub(super) arena: u64,
    /// Bytes of the packed texels of all cells.
    pub(super) texels: u64,
    pub(super) cells: Vec<GroupCell>,
}

/// Where a cell of a group lies.
#[derive(Debug)]
pub(super) struct GroupCell {
    /// Bytes of its coefficients, in the upload.
    pub(super) coefficients: Range<u64>,
    /// Byte of its first texel.
    pub(super) texels: u64,
    /// Bytes in a row of its texels.
    pub(super) row_bytes: u32,
    /// Texels.
    pub(super) size: Size,
}

/// One dispatch.
#[derive(Debug)]
struct Step {
    kernel: Kernel,
    workgroups: u32,
    bindings: Vec<Binding>,
}

#[derive(Clone, Debug)]
enum Binding {
    /// Counted from the first table.
    Table(Range<u64>),
    Coefficients,
    Arena,
    Texels,
}

/// A cell on its way into a group.
struct Member<'a> {
    cell: &'a Cell,
    at: Place,
    /// How packing finishes its samples, if it does.
    finishes: Option<[PackFinish; 5]>,
    /// Words in a row of its texels.
    row: u32,
}

impl Group {
    /// Appends the jobs of `cells` to `tables`. Their coefficients lie in the upload from byte `coefficients` on, each cell's
    /// after those of the one before. Without a `format`, cells are not packed.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if a cell contradicts itself, or all of them exceed what 32 bits can count.
    pub(super) fn new(
        tables: &mut Tables,
        cells: &[(&Plan, &Cell)],
        coefficients: u64,
        format: Option<TexelFormat>,
    ) -> Result<Self, DeviceError> {
        let mut layout = Layout { coefficients, ..Layout::default() };
        let members: Vec<_> =
            cells.iter().map(|&(plan, cell)| layout.add(plan, cell, format)).collect::<Result<_, _>>()?;
        let mut steps = Steps { tables, steps: Vec::new() };

        let jobs = members.iter().flat_map(|member| member.placed(&member.cell.dequantise));
        steps.add(Kernel::Dequantise, jobs, &[Binding::Coefficients])?;
        // Those with fewer levels than others join later.
        let levels = cells.iter().map(|(_, cell)| cell.levels.len()).max().unwrap_or(0);
        for level in 0..levels {
            let of = |member: &Member<'_>| (level + member.cell.levels.len()).checked_sub(levels);
            let jobs = members.iter().flat_map(|member| {
                let jobs = of(member).and_then(|level| member.cell.levels.get(level));
                member.placed(jobs.map_or(&[], Vec::as_slice))
            });
            steps.add(Kernel::idwt(jobs.clone()), jobs, &[])?;
        }
        let unfinished = members.iter().filter(|member| member.finishes.is_none());
        let jobs = unfinished.flat_map(|member| member.placed(&member.cell.transform));
        steps.add(Kernel::ComponentTransform, jobs, &[])?;
        if let Some(format) = format {
            let words = if layout.palettes.words.is_empty() { &[0] } else { &*layout.palettes.words };
            let palettes = steps.tables.push_again(words);
            let jobs = members.iter().map(|member| member.packing(format)).collect();
            steps.add_packing(jobs, palettes)?;
        }
        let Steps { steps, .. } = steps;
        let Layout { arena, texels, clear, cells, coefficients: end, .. } = layout;
        Ok(Self {
            steps,
            clear: few(clear),
            coefficients: coefficients..end,
            arena: 4 * arena,
            texels: 4 * texels,
            cells,
        })
    }

    /// Dispatches that it takes.
    pub(super) fn dispatches(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Records all steps. Tables lie in the upload from byte `tables` on.
    pub(super) fn record(
        &self,
        context: &Context,
        pipelines: &Pipelines,
        encoder: &mut wgpu::CommandEncoder,
        buffers: &Buffers,
        tables: u64,
    ) -> Result<(), DeviceError> {
        for Range { start, end } in &self.clear {
            encoder.clear_buffer(&buffers.arena, *start, Some(end - start));
        }
        let device = context.device();
        let most = device.limits().max_compute_workgroups_per_dimension;
        let descriptor =
            wgpu::ComputePassDescriptor { label: Some("wavetile cells"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for step in &self.steps {
            let pipeline = pipelines.of(step.kernel);
            let entries: Vec<_> = (0..)
                .zip(&step.bindings)
                .map(|(binding, what)| wgpu::BindGroupEntry {
                    binding,
                    resource: self.resource(what, buffers, tables),
                })
                .collect();
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.layout,
                entries: &entries,
            });
            let (x, y) = dispatch::grid(step.workgroups, most).ok_or_else(|| DeviceError::Refused {
                reason: format!("one step takes {} workgroups", step.workgroups),
            })?;
            pass.set_pipeline(&pipeline.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(x, y, 1);
        }
        Ok(())
    }

    fn resource<'b>(
        &self,
        binding: &Binding,
        buffers: &'b Buffers,
        tables: u64,
    ) -> wgpu::BindingResource<'b> {
        let uploaded = |range: Range<u64>| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &buffers.upload,
                offset: range.start,
                size: wgpu::BufferSize::new(range.end - range.start),
            })
        };
        match binding {
            Binding::Table(range) => uploaded(tables + range.start..tables + range.end),
            Binding::Coefficients => uploaded(self.coefficients.clone()),
            Binding::Arena => buffers.arena.as_entire_binding(),
            Binding::Texels => buffers.texels.as_entire_binding(),
        }
    }
}

impl Member<'_> {
    /// Jobs of the cell where it lies in the group.
    fn placed<'j, J: Placed>(&self, jobs: &'j [J]) -> impl Iterator<Item = J> + Clone + use<'j, J> {
        let at = self.at;
        jobs.iter().map(move |job| job.placed(at))
    }

    fn packing(&self, format: TexelFormat) -> PackParameters {
        let pack = &self.cell.pack;
        let finishes = self.finishes.unwrap_or(pack.finishes);
        PackParameters { row: self.row, format: format.pack_format(), finishes, out: 0, ..*pack }
            .placed(self.at)
    }
}

/// The cells so far: words of the arena, of the texels and of the palettes, and bytes of the upload.
#[derive(Default)]
struct Layout<'a> {
    arena: u64,
    texels: u64,
    coefficients: u64,
    coefficient_words: u64,
    palettes: Palettes<'a>,
    clear: Vec<Range<u64>>,
    cells: Vec<GroupCell>,
}

impl<'a> Layout<'a> {
    fn add(
        &mut self,
        plan: &'a Plan,
        cell: &'a Cell,
        format: Option<TexelFormat>,
    ) -> Result<Member<'a>, DeviceError> {
        /// Rows of samples start where a device likes to read.
        const ALIGNMENT: u64 = 64;
        let too_large = |_| DeviceError::Refused { reason: "cells take more than 2^32 words".to_owned() };
        let size = match format {
            Some(_) => Size::new(cell.pack.width, cell.pack.height),
            None => Size::default(),
        };
        let row_bytes = format.map_or(0, |format| format.padded_row_bytes(size.width));
        let finishes = format.and_then(|_| fuse::finishes(cell));
        self.arena = self.arena.next_multiple_of(ALIGNMENT);
        let member = Member {
            cell,
            at: Place {
                coefficients: u32::try_from(self.coefficient_words).map_err(too_large)?,
                arena: u32::try_from(self.arena).map_err(too_large)?,
                tables: u32::try_from(self.palettes.place(&plan.tables)).map_err(too_large)?,
                texels: u32::try_from(self.texels).map_err(too_large)?,
            },
            finishes,
            row: u32::try_from(row_bytes / 4).map_err(too_large)?,
        };
        let bytes = |words: &Range<u32>| {
            4 * (self.arena + u64::from(words.start))..4 * (self.arena + u64::from(words.end))
        };
        self.clear.extend(cell.clear.iter().map(bytes));
        let end = cell.upload_words.checked_mul(4).and_then(|bytes| bytes.checked_add(self.coefficients));
        let end = end.ok_or_else(|| DeviceError::Refused {
            reason: format!("a cell takes {} words of coefficients", cell.upload_words),
        })?;
        self.cells.push(GroupCell {
            coefficients: self.coefficients..end,
            texels: 4 * self.texels,
            row_bytes: u32::try_from(row_bytes).map_err(too_large)?,
            size,
        });
        self.coefficients = end;
        self.coefficient_words += cell.upload_words;
        self.arena += u64::from(cell.arena_words);
        self.texels += row_bytes / 4 * u64::from(size.height);
        // The last words are counted, too.
        u32::try_from(self.arena).map_err(too_large)?;
        u32::try_from(self.texels).map_err(too_large)?;
        Ok(member)
    }
}

/// The tables of plans, each once.
#[derive(Default)]
struct Palettes<'a> {
    words: Cow<'a, [u32]>,
    known: Vec<(&'a [u32], usize)>,
}

impl<'a> Palettes<'a> {
    /// The first word of these tables.
    fn place(&mut self, tables: &'a [u32]) -> usize {
        if let Some(&(_, at)) = self.known.iter().find(|(known, _)| *known == tables) {
            return at;
        }
        let at = self.words.len();
        match at {
            0 => self.words = Cow::Borrowed(tables),
            _ => self.words.to_mut().extend_from_slice(tables),
        }
        self.known.push((tables, at));
        at
    }
}

/// Dispatches on their way into a group.
struct Steps<'a> {
    tables: &'a mut Tables,
    steps: Vec<Step>,
}

impl Steps<'_> {
    /// One dispatch for all `jobs`, unless they have nothing to do. `inputs` are bound after the tables.
    fn add<J: Job>(
        &mut self,
        kernel: Kernel,
        jobs: impl Iterator<Item = J> + Clone,
        inputs: &[Binding],
    ) -> Result<(), DeviceError> {
        if let Some(JobTables { dispatch, jobs, starts, workgroups }) = self.tables.push_jobs(jobs)? {
            let mut bindings = vec![Binding::Table(dispatch), Binding::Table(jobs), Binding::Table(starts)];
            bindings.extend(inputs.iter().cloned());
            bindings.push(Binding::Arena);
            self.steps.push(Step { kernel, workgroups, bindings });
        }
        Ok(())
    }

    /// One dispatch that packs all cells, unless there is nothing to pack.
    fn add_packing(
        &mut self,
        mut jobs: Vec<PackParameters>,
        palettes: Range<u64>,
    ) -> Result<(), DeviceError> {
        let mut starts = Starts::default();
        for job in &mut jobs {
            job.start = starts.next(job)?;
        }
        if let Some(dispatch) = starts.dispatch() {
            let workgroups = dispatch.workgroup_count;
            let [dispatch, packing] = [self.tables.push(&[dispatch]), self.tables.push(&jobs)];
            let tables = [dispatch, packing, palettes].map(Binding::Table);
            let bindings = tables.into_iter().chain([Binding::Arena, Binding::Texels]).collect();
            self.steps.push(Step { kernel: Kernel::pack(&jobs), workgroups, bindings });
        }
        Ok(())
    }
}

/// Each range is a command of its own: too many become one that holds them all. Ascending.
fn few(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    const MOST: usize = 64;
    if ranges.len() > MOST {
        let end = ranges.last().map_or(0, |range| range.end);
        ranges.truncate(1);
        ranges[0].end = end;
    }
    ranges
}
