//! Decodes pictures on the CPU or the GPU: entropy decoding, then the passes of a plan.

use crate::cpu::executor::CpuExecutor;
use crate::cpu::parts::{Parts, Place};
use crate::data_bin::DataBins;
use crate::entropy::decode_plan;
use crate::error::{MemoryError, Result};
use crate::geometry::{Rect, Size};
use crate::image::{DecodeRequest, Image};
#[cfg(feature = "gpu")]
use crate::plan::PlaneWindow;
use crate::plan::{Cell, CellSize, Coverage, Plan, Target, TexelFormat};
use crate::runner::{self, ParallelRunner};
use bytemuck::Zeroable;
use std::sync::Arc;
use wavetile_shaders::pack::{self, PackParameters};

#[cfg(feature = "gpu")]
use crate::error::DeviceError;
#[cfg(feature = "gpu")]
use crate::gpu::{Context, GpuExecutor, GpuStatistics};

/// Where the passes after entropy decoding run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The GPU if there is one, else the CPU. A graphics driver that computes on the CPU (llvmpipe,
    /// SwiftShader) does not count: the CPU executor is several times faster.
    #[default]
    Auto,
    /// The GPU; an error without an adapter.
    Gpu,
    /// The CPU.
    Cpu,
}

/// One decoded component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its index in the codestream.
    pub index: u32,
    /// The samples' place on the component's grid at the decoded reduction.
    pub rect: Rect,
    /// Bits of a sample.
    pub depth: u8,
    /// Samples are signed.
    pub signed: bool,
    /// `rect.area()` samples, row by row.
    pub samples: Vec<i32>,
}

/// A rendered picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns and rows.
    pub size: Size,
    /// Layout of `bytes`.
    pub format: TexelFormat,
    /// Rows without gaps.
    pub bytes: Vec<u8>,
}

/// What a decode did and how much of the picture it had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was needed and what was there.
    pub coverage: Coverage,
    /// Code-blocks whose data is damaged; they were decoded up to the damage.
    pub damaged_blocks: u64,
    /// Bytes of coefficients that entropy decoding produced.
    pub coefficient_bytes: u64,
    /// Parts that the output was cut into.
    pub cells: u64,
    /// GPU dispatches; 0 on the CPU.
    pub dispatches: u64,
    /// GPU submissions; 0 on the CPU.
    pub submissions: u64,
    /// Bytes uploaded to the GPU; 0 on the CPU.
    pub uploaded_bytes: u64,
}

impl Report {
    /// Every packet that the request needs was there, and neither packet nor code-block was broken.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.damaged_blocks == 0
            && self.coverage.damage.is_none()
            && self.coverage.resolutions.iter().all(|level| level.present == level.needed)
    }

    #[cfg(feature = "gpu")]
    fn add(&mut self, statistics: GpuStatistics) {
        self.dispatches += statistics.dispatches;
        self.submissions += statistics.submissions;
        self.uploaded_bytes += statistics.uploaded_bytes;
        self.cells += statistics.cells;
    }

    /// The whole window shows something: the coarsest resolution has no holes.
    #[must_use]
    pub const fn is_picture(&self) -> bool {
        self.coverage.holes == 0
    }

    /// Share of the needed packets that were there, 0.0 to 1.0.
    #[must_use]
    pub fn completeness(&self) -> f64 {
        let (present, needed) = self
            .coverage
            .resolutions
            .iter()
            .fold((0, 0), |(present, needed), level| (present + level.present, needed + level.needed));
        if needed == 0 { 1.0 } else { present as f64 / needed as f64 }
    }
}

/// Runs decodes. Cheap to keep, costly to make with a GPU (it builds all pipelines).
pub struct Decoder {
    #[cfg(feature = "gpu")]
    gpu: Option<GpuExecutor>,
    runner: Arc<dyn ParallelRunner>,
    notice: Option<String>,
}

impl Decoder {
    /// A decoder on `backend`, with all processors (feature `threads`) or one.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) for [`Backend::Gpu`] without a usable adapter.
    pub fn new(backend: Backend) -> Result<Self> {
        match backend {
            Backend::Cpu => Ok(Self::cpu()),
            Backend::Gpu => Self::own_gpu(),
            Backend::Auto => {
                let notice = match Self::own_gpu().map(|gpu| (gpu.software_adapter(), gpu)) {
                    Ok((None, gpu)) => return Ok(gpu),
                    Ok((Some(name), _)) => {
                        format!("decoding on the CPU: the only graphics adapter computes there too ({name})")
                    }
                    Err(error) => format!("decoding on the CPU: {error}"),
                };
                tracing::info!("{notice}");
                Ok(Self { notice: Some(notice), ..Self::cpu() })
            }
        }
    }

    /// A decoder on the CPU.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            #[cfg(feature = "gpu")]
            gpu: None,
            runner: runner::default_runner(),
            notice: None,
        }
    }

    /// A decoder on a device that the host brings.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the device refuses a pipeline.
    #[cfg(feature = "gpu")]
    pub fn with_gpu(context: Context) -> Result<Self> {
        Ok(Self { gpu: Some(GpuExecutor::new(&context)?), ..Self::cpu() })
    }

    #[cfg(feature = "gpu")]
    fn own_gpu() -> Result<Self> {
        Self::with_gpu(Context::request_blocking()?)
    }

    /// The name of an adapter that is none: a driver that computes on the CPU.
    fn software_adapter(&self) -> Option<String> {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            let info = gpu.context().adapter_info();
            return (info.device_type == wgpu::DeviceType::Cpu).then(|| info.name.clone());
        }
        None
    }

    #[cfg(not(feature = "gpu"))]
    fn own_gpu() -> Result<Self> {
        Err(crate::error::DeviceError::NotBuilt.into())
    }

    /// Runs on the host's own threads.
    #[must_use]
    pub fn with_runner(mut self, runner: Arc<dyn ParallelRunner>) -> Self {
        self.runner = runner;
        self
    }

    /// Why [`Backend::Auto`] did not take the GPU.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Where the passes run: "CPU", or the adapter's name.
    #[must_use]
    pub fn backend_name(&self) -> String {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            return gpu.adapter_name().to_owned();
        }
        "CPU".to_owned()
    }

    /// Decodes components (T.800 up to and including Annex G, clamped to each component's range).
    ///
    /// # Errors
    /// A request that the picture cannot meet, broken headers, unsupported data, a limit, or the device.
    /// Missing data and broken packets are not errors: the [`Report`] tells, and [`Coverage::damage`] names
    /// the first broken packet.
    pub fn components(
        &self,
        image: &Image,
        bins: &dyn DataBins,
        request: &DecodeRequest,
    ) -> Result<(Vec<Component>, Report)> {
        let (plan, coverage) = image.plan(bins, request, Target::Components, self.cell_size())?;
        let mut components = empty_components(image, request)?;
        let (staging, mut report) = self.entropy(&plan, coverage)?;
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            let statistics = gpu.read_planes(&plan, &staging, &mut |_, plane, samples| {
                for component in components.iter_mut().filter(|component| component.index == plane.component)
                {
                    store(component, plane, samples);
                }
            })?;
            report.add(statistics);
            return Ok((components, report));
        }
        let parts: Vec<_> = components.iter_mut().map(|component| parts(component, &plan.cells)).collect();
        CpuExecutor.run(&plan, &staging, &*self.runner, &|index, cell: &Cell, arena: &mut [u32]| {
            for (component, parts) in &parts {
                if let Some(plane) = cell.planes.iter().find(|plane| plane.component == *component) {
                    let samples: &[i32] = bytemuck::cast_slice(&arena[plane.offset as usize..]);
                    parts.fill(index, samples.chunks(plane.row as usize));
                }
            }
        });
        report.cells = plan.cells.len() as u64;
        Ok((components, report))
    }

    /// Decodes to a picture in host memory: palette, channel order, colour and up-sampling applied.
    ///
    /// # Errors
    /// As [`Self::components`]; also colour spaces that cannot be shown.
    pub fn render(
        &self,
        image: &Image,
        bins: &dyn DataBins,
        request: &DecodeRequest,
        format: TexelFormat,
    ) -> Result<(Picture, Report)> {
        let target = Target::Rendered(format.pack_format());
        let (plan, coverage) = image.plan(bins, request, target, self.cell_size())?;
        let size = plan.window.size();
        let (staging, mut report) = self.entropy(&plan, coverage)?;
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            let (bytes, statistics) = gpu.read_texels(&plan, &staging, format)?;
            report.add(statistics);
            return Ok((Picture { size, format, bytes }, report));
        }
        let row_bytes = size.width as usize * format.bytes() as usize;
        let mut bytes = zeroed(row_bytes * size.height as usize, "the picture")?;
        let texel = format.bytes() as usize;
        let places: Vec<Place> =
            plan.cells.iter().map(|cell| Place::new(cell.rect, plan.window, texel)).collect();
        let parts = Parts::new(&mut bytes, row_bytes, &places);
        CpuExecutor.run(&plan, &staging, &*self.runner, &|index, cell: &Cell, arena: &mut [u32]| {
            let cell_row = cell.rect.width() as usize * texel;
            let row = cell_row.div_ceil(4) as u32;
            let mut texels = vec![0u32; row as usize * cell.rect.height() as usize];
            pack::run(&PackParameters { row, ..cell.pack }, &plan.tables, arena, &mut texels);
            // Words hold their texels in little-endian order on every host.
            texels.iter_mut().for_each(|word| *word = word.to_le());
            parts.fill(index, bytemuck::cast_slice(&texels).chunks(4 * row as usize));
        });
        report.cells = plan.cells.len() as u64;
        Ok((Picture { size, format, bytes }, report))
    }

    /// Decodes to a texture on the decoder's device. Returns when all is submitted.
    ///
    /// # Errors
    /// As [`Self::render`]; [`Error::Device`](crate::Error::Device) if the decoder has no GPU, or the window is larger than a
    /// texture may be.
    #[cfg(feature = "gpu")]
    pub fn texture(
        &self,
        image: &Image,
        bins: &dyn DataBins,
        request: &DecodeRequest,
        format: TexelFormat,
    ) -> Result<(wgpu::Texture, Report)> {
        let gpu = self.gpu.as_ref().ok_or_else(|| DeviceError::NoAdapter {
            reason: "this decoder was made for the CPU".to_owned(),
        })?;
        let target = Target::Rendered(format.pack_format());
        let (plan, coverage) = image.plan(bins, request, target, self.cell_size())?;
        let (staging, mut report) = self.entropy(&plan, coverage)?;
        let (texture, statistics) = gpu.decode_to_texture(&plan, &staging, format)?;
        report.add(statistics);
        Ok((texture, report))
    }

    /// How large cells are: on the CPU small enough for the caches, on the GPU as large as its buffers.
    fn cell_size(&self) -> CellSize {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            return gpu.cell_size();
        }
        CellSize::CPU
    }

    /// Decodes all code-blocks of a plan into its staging words.
    fn entropy(&self, plan: &Plan, coverage: Coverage) -> Result<(Vec<u32>, Report)> {
        let words = plan.staging_words;
        let mut staging = zeroed(words, "the coefficients")?;
        let damaged_blocks = decode_plan(plan, &*self.runner, &mut staging);
        let report =
            Report { coverage, damaged_blocks, coefficient_bytes: words as u64 * 4, ..Report::default() };
        Ok((staging, report))
    }
}

/// An array of zeros, or an error where there is no memory for it. Pages are touched by who writes to them first:
/// by the workers, not here.
fn zeroed<T: Zeroable>(length: usize, what: &'static str) -> Result<Vec<T>> {
    let bytes = (length as u64).saturating_mul(size_of::<T>() as u64);
    Ok(bytemuck::allocation::try_zeroed_vec(length).map_err(|()| MemoryError { what, bytes })?)
}

/// Copies the samples of one cell's plane to where they belong.
#[cfg(feature = "gpu")]
fn store(component: &mut Component, plane: &PlaneWindow, samples: &[i32]) {
    let (from, to) = (plane.rect, component.rect);
    for (row, y) in samples.chunks_exact(from.width() as usize).zip(from.y0..) {
        let start = u64::from(y - to.y0) * u64::from(to.width()) + u64::from(from.x0 - to.x0);
        component.samples[start as usize..][..row.len()].copy_from_slice(row);
    }
}

/// A component's index, and its samples in parts for the cells.
fn parts<'a>(component: &'a mut Component, cells: &[Cell]) -> (u32, Parts<'a, i32>) {
    let (index, whole) = (component.index, component.rect);
    let place = |cell: &Cell| {
        let plane = cell.planes.iter().find(|plane| plane.component == index);
        plane.map_or(Place::default(), |plane| Place::new(plane.rect, whole, 1))
    };
    let places: Vec<Place> = cells.iter().map(place).collect();
    (index, Parts::new(&mut component.samples, whole.width() as usize, &places))
}

/// The outputs of a components decode, all samples 0.
fn empty_components(image: &Image, request: &DecodeRequest) -> Result<Vec<Component>> {
    image
        .component_rects(request)?
        .into_iter()
        .map(|(index, rect)| {
            let size = image.header().size.components[index as usize];
            let area = usize::try_from(rect.area()).unwrap_or(usize::MAX);
            let samples = zeroed(area, "the samples of a component")?;
            Ok(Component { index, rect, depth: size.depth, signed: size.signed, samples })
        })
        .collect()
}
