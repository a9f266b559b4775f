//! One wavelet level on the GPU: the engine's kernel, which does rows and columns of a tile in workgroup memory, against
//! a dispatch for the rows and one for the columns.
//!
//! Bytes that a sample moves through the caches at least: fused 4 read and 4 written; separate 8 and 8. With the
//! aprons that workgroups load beyond their share, it reads 5.1 (5/3) or 6.2 (9/7) bytes fused, and 4.0 + 4.2 or
//! 4.1 + 4.3 in separate passes.

use crate::support::Bench;
use wavetile::engine::gpu::Context;
use wavetile::engine::wgpu;
use wavetile_shaders::dispatch::{self, Dispatch, Job};
use wavetile_shaders::idwt::IdwtJob;
use wavetile_shaders::wgsl;

/// Columns and rows of the level that is made.
const SIDE: u32 = 2048;

macro_rules! with_lifting {
    ($text:literal) => {
        concat!(
            include_str!($text),
            include_str!("../../../shaders/src/idwt_53.wgsl"),
            include_str!("../../../shaders/src/idwt_97.wgsl")
        )
    };
}

/// A pipeline, what it reads beside the arena, and its dispatch.
struct Step {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: (u32, u32),
}

/// The device and one arena: four bands, the plane between separate passes, and a result of each way.
struct Rig<'a> {
    context: &'a Context,
    arena: wgpu::Buffer,
}

impl<'a> Rig<'a> {
    const PLANE: u32 = SIDE * SIDE;
    const BETWEEN: u32 = Self::PLANE;
    const FUSED: u32 = 2 * Self::PLANE;
    const SEPARATE: u32 = 3 * Self::PLANE;

    fn new(context: &'a Context, irreversible: bool) -> Self {
        use wgpu::util::DeviceExt;
        let noise = |i: u32| (i.wrapping_mul(0x9E37_79B1) ^ (i >> 7)).wrapping_mul(0x85EB_CA77) >> 24;
        let sample = |i: u32| if irreversible { (noise(i) as f32).to_bits() } else { noise(i) };
        let words: Vec<u32> =
            (0..4 * Self::PLANE).map(|i| if i < Self::PLANE { sample(i) } else { 0 }).collect();
        let arena = context.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("arena"),
            contents: bytemuck::cast_slice(&words),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        });
        Self { context, arena }
    }

    fn step(
        &self,
        text: &str,
        constants: &[(&str, f64)],
        tables: &[(Vec<u32>, wgpu::BufferUsages)],
        workgroups: (u32, u32),
    ) -> Step {
        use wgpu::util::DeviceExt;
        let device = self.context.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                constants,
            },
            cache: None,
        });
        let tables: Vec<_> = tables
            .iter()
            .map(|(words, usage)| {
                let contents = bytemuck::cast_slice(words);
                let descriptor = wgpu::util::BufferInitDescriptor { label: None, contents, usage: *usage };
                device.create_buffer_init(&descriptor)
            })
            .collect();
        let entries: Vec<_> = (0..)
            .zip(tables.iter().chain([&self.arena]))
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let layout = &pipeline.get_bind_group_layout(0);
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
        let group = device.create_bind_group(&descriptor);
        Step { pipeline, group, workgroups }
    }

    /// The engine's kernel.
    fn fused(&self, irreversible: bool) -> Vec<Step> {
        let quarter = Self::PLANE / 4;
        let job = IdwtJob {
            x1: SIDE,
            y1: SIDE,
            out_x1: SIDE,
            out_y1: SIDE,
            hl: quarter,
            lh: 2 * quarter,
            hh: 3 * quarter,
            out: Self::FUSED,
            out_row: SIDE,
            flags: if irreversible { IdwtJob::IRREVERSIBLE } else { 0 },
            ..IdwtJob::default()
        };
        let workgroup_count = job.workgroups() as u32;
        let parameters = Dispatch { job_count: 1, workgroup_count, ..Dispatch::default() };
        let words = |bytes: &[u8]| bytemuck::pod_collect_to_vec(bytes);
        let tables = [
            (words(bytemuck::bytes_of(&parameters)), wgpu::BufferUsages::UNIFORM),
            (words(bytemuck::bytes_of(&job)), wgpu::BufferUsages::STORAGE),
            (vec![0], wgpu::BufferUsages::STORAGE),
        ];
        let unused = if irreversible { "WITH_53" } else { "WITH_97" };
        let workgroups = dispatch::grid(workgroup_count, 65_535).expect("a level has fewer");
        vec![self.step(wgsl::IDWT, &[(unused, 0.0)], &tables, workgroups)]
    }

    /// Rows, then columns.
    fn separate(&self, irreversible: bool) -> Vec<Step> {
        let quarter = Self::PLANE / 4;
        let level = vec![
            SIDE,
            SIDE,
            0,
            0,
            0,
            quarter,
            2 * quarter,
            3 * quarter,
            Self::BETWEEN,
            Self::SEPARATE,
            u32::from(irreversible),
            0,
        ];
        let tables = [(level, wgpu::BufferUsages::UNIFORM)];
        let rows = (SIDE.div_ceil(480), SIDE.div_ceil(4));
        let columns = (SIDE.div_ceil(32), SIDE.div_ceil(96));
        vec![
            self.step(with_lifting!("separable_rows.wgsl"), &[], &tables, rows),
            self.step(with_lifting!("separable_columns.wgsl"), &[], &tables, columns),
        ]
    }

    /// Runs the steps and waits.
    fn run(&self, steps: &[Step]) {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for step in steps {
            pass.set_pipeline(&step.pipeline);
            pass.set_bind_group(0, &step.group, &[]);
            pass.dispatch_workgroups(step.workgroups.0, step.workgroups.1, 1);
        }
        drop(pass);
        self.context.queue().submit([encoder.finish()]);
        self.wait();
    }

    fn wait(&self) {
        let device = self.context.device();
        device.poll(wgpu::PollType::wait_indefinitely()).expect("the device finishes it");
    }

    fn plane(&self, first: u32) -> Vec<u8> {
        let device = self.context.device();
        let size = u64::from(Self::PLANE) * 4;
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.arena, u64::from(first) * 4, &buffer, 0, size);
        self.context.queue().submit([encoder.finish()]);
        buffer.map_async(wgpu::MapMode::Read, .., |result| result.expect("it can be mapped"));
        self.wait();
        buffer.get_mapped_range(..).expect("it is mapped").to_vec()
    }
}

pub(super) fn run(bench: &mut Bench, context: &Context) {
    for (name, irreversible) in [("5/3", false), ("9/7", true)] {
        let rig = Rig::new(context, irreversible);
        let (fused, separate) = (rig.fused(irreversible), rig.separate(irreversible));
        rig.run(&fused);
        rig.run(&separate);
        assert!(rig.plane(Rig::FUSED) == rig.plane(Rig::SEPARATE), "{name}: both ways give the same samples");
        bench.ratio(
            &format!(
                "wavelet ({}), one {name} level of {SIDE} x {SIDE}, fused in workgroup memory against rows, then columns",
                context.adapter_info().name
            ),
            || rig.run(&fused),
            || rig.run(&separate),
        );
    }
}
