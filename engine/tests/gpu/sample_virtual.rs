//! `sample_virtual` and `feedback_virtual` on the device against their twins, on atlases of noise.

use crate::rig::executor;
use crate::texture;
use bytemuck::{Pod, Zeroable};
use wavetile_engine::gpu::{Context, TexelFormat};
use wavetile_engine::wgpu::{self, util::DeviceExt};
use wavetile_shaders::feedback_virtual::WantedPage;
use wavetile_shaders::page_table::{self, PageEntry};
use wavetile_shaders::sample_virtual::{self, TexelAtlas, VirtualScene};
use wavetile_shaders::shading::Shading;
use wavetile_shaders::virtual_frame::{VirtualFrame, VirtualPicture};
use wavetile_shaders::{texels, wgsl};
use wavetile_testing::random::Random;

const SIDE: u32 = 32;
const BORDER: u32 = 4;
const EDGE: u32 = SIDE + 2 * BORDER;
/// Slots in a row and a column of a layer, and layers.
const SLOTS: [u32; 3] = [3, 4, 2];

/// An atlas of noise and a table of some of the pages of two pictures.
struct World {
    format: TexelFormat,
    frame: VirtualFrame,
    pictures: Vec<VirtualPicture>,
    table: Vec<PageEntry>,
    /// Layers of rows without gaps.
    bytes: Vec<u8>,
}

impl World {
    fn new(format: TexelFormat, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let shading = match format.channels() {
            1 if format.atlas_texels() == wgsl::AtlasTexels::Filtered => Shading::grey(),
            1 => Shading::grey().window(20.0, 230.0, 8, false),
            2 => Shading::grey_and_opacity(),
            _ => Shading::identity(),
        };
        let present = VirtualPicture {
            x0: 5,
            y0: 63,
            width: 150,
            height: 111,
            levels: 3,
            flags: VirtualPicture::PRESENT,
            shading,
            ..VirtualPicture::default()
        };
        let nearest = VirtualPicture { flags: VirtualPicture::PRESENT | VirtualPicture::NEAREST, ..present };
        let shading = Shading::channels([0, 0, 0]);
        let high =
            VirtualPicture { x0: 0xFFFF_FF00, y0: 0, width: 255, height: 40, finest: 1, shading, ..nearest };
        let pictures = vec![present, VirtualPicture::default(), nearest, high];
        let slots = SLOTS.iter().product();
        let table_length = page_table::length_for(slots);
        let mut table = vec![PageEntry::default(); table_length as usize];
        for slot in 0..slots {
            let picture = [0, 2, 3][random.below(3) as usize];
            let reduce = random.below(4);
            let there = &pictures[picture as usize];
            let page = |first: u32, length: u32, random: &mut Random| {
                let first = first >> reduce;
                (first + random.below((length >> reduce) + 1)) / SIDE
            };
            let (x, y) =
                (page(there.x0, there.width, &mut random), page(there.y0, there.height, &mut random));
            let since = random.below(400);
            let tag = PageEntry::tag(picture, reduce);
            page_table::insert(&mut table, PageEntry { x, y, tag, slot, since, padding: [0; 3] }).unwrap();
        }
        let frame = VirtualFrame {
            now_ms: 400,
            fade_ms: 250,
            side: SIDE,
            border: BORDER,
            slots_across: SLOTS[0],
            slots_layer: SLOTS[0] * SLOTS[1],
            table_mask: table_length - 1,
            picture_count: pictures.len() as u32,
        };
        let texels = slots * EDGE * EDGE;
        let bytes = (0..texels * format.channels())
            .flat_map(|_| channel(format, random.below(1 << 16) as u16))
            .collect();
        Self { format, frame, pictures, table, bytes }
    }

    fn scene(&self) -> VirtualScene<'_, Self> {
        VirtualScene { frame: self.frame, pictures: &self.pictures, table: &self.table, atlas: self }
    }
}

/// The bytes of a channel from a quarter to three quarters: devices place a point between texels to an 8th bit, so that it
/// is a 512th of what texels differ by off.
fn channel(format: TexelFormat, value: u16) -> Vec<u8> {
    let value = 16_384 + value / 2;
    match format {
        TexelFormat::R32Float => (f32::from(value) / 65_535.0).to_le_bytes().to_vec(),
        // Bits of numbers from a quarter up.
        TexelFormat::R16Float | TexelFormat::Rgba16Float => (0x3400 + value % 0x600).to_le_bytes().to_vec(),
        _ if format.bytes() == format.channels() => vec![(value >> 8) as u8],
        _ => value.to_le_bytes().to_vec(),
    }
}

impl TexelAtlas for World {
    fn texel(&self, slot: u32, x: u32, y: u32) -> [f32; 4] {
        let [across, down, _] = SLOTS;
        let (layer, within) = (slot / (across * down), slot % (across * down));
        let (x, y) = (within % across * EDGE + x, within / across * EDGE + y);
        let at = ((layer * down * EDGE + y) * across * EDGE + x) * self.format.bytes();
        texels::unpack(self.format.pack_format(), false, &self.bytes[at as usize..])
    }
}

/// What is asked of the shader, one an invocation.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Query {
    picture: u32,
    /// 0: uv and derivatives. 1: exact position. 2: uv and reduction. 3: exact position and reduction.
    kind: u32,
    reduce: u32,
    padding: u32,
    base: [u32; 2],
    offset: [f32; 2],
    ddx: [f32; 2],
    ddy: [f32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Answer {
    colour: [f32; 4],
    wanted: [u32; 2],
    resident: u32,
    padding: u32,
}

const ASK: &str = "
    struct Query {
        picture: u32,
        kind: u32,
        reduce: u32,
        padding: u32,
        base: vec2<u32>,
        offset: vec2<f32>,
        ddx: vec2<f32>,
        ddy: vec2<f32>,
    }
    struct Answer {
        colour: vec4<f32>,
        wanted: vec2<u32>,
        resident: u32,
        padding: u32,
    }
    @group(1) @binding(0) var<storage, read> queries: array<Query>;
    @group(1) @binding(1) var<storage, read_write> answers: array<Answer>;

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if (id.x >= arrayLength(&queries)) {
            return;
        }
        let q = queries[id.x];
        var answer: Answer;
        switch (q.kind) {
            case 0u: {
                answer.colour = sample_virtual(q.picture, q.offset, q.ddx, q.ddy);
                answer.wanted = feedback_virtual(q.picture, q.offset, q.ddx, q.ddy);
            }
            case 1u: {
                answer.colour = sample_virtual_at(q.picture, q.base, q.offset, q.ddx, q.ddy);
                answer.wanted = feedback_virtual_at(q.picture, q.base, q.offset, q.ddx, q.ddy);
            }
            case 2u: {
                answer.colour = sample_virtual_level(q.picture, q.offset, q.reduce);
            }
            default: {
                answer.colour = sample_virtual_level_at(q.picture, q.base, q.offset, q.reduce);
            }
        }
        answer.resident = resident_virtual_at(q.picture, q.base, q.offset, q.ddx, q.ddy);
        answers[id.x] = answer;
    }";

fn queries(count: usize, seed: u64) -> Vec<Query> {
    let mut random = Random::new(seed);
    let mut unit = move || random.below(1 << 20) as f32 / (1 << 20) as f32;
    let mut query = || {
        let kind = (unit() * 4.0) as u32;
        // From a zoom of 16 to a sixteenth, turned, up to eight times as long as wide.
        let (size, long, turn) = ((unit() * 8.0 - 4.0).exp2(), (unit() * 3.0).exp2(), unit() * 6.0);
        let (sine, cosine) = turn.sin_cos();
        let steps = [[size * cosine, size * sine], [-size * long * sine, size * long * cosine]];
        let uv = [unit() * 1.2 - 0.1, unit() * 1.2 - 0.1];
        let scale = |step: [f32; 2]| if kind == 0 { [step[0] / 150.0, step[1] / 111.0] } else { step };
        Query {
            picture: (unit() * 5.0) as u32,
            kind,
            reduce: (unit() * 5.0) as u32,
            padding: 0,
            base: [(unit() * 260.0) as u32, (unit() * 120.0) as u32],
            offset: if kind.is_multiple_of(2) { uv } else { [unit() * 30.0 - 15.0, unit() * 30.0 - 15.0] },
            ddx: scale(steps[0]),
            ddy: scale(steps[1]),
        }
    };
    (0..count).map(|_| query()).collect()
}

fn expected(world: &World, q: &Query) -> Answer {
    let scene = world.scene();
    let mut wanted = None;
    let want = |base, offset: [f32; 2], ddx, ddy| {
        let there = world.pictures.get(q.picture as usize)?;
        WantedPage::at(q.picture, there, SIDE, base, offset, ddx, ddy)
    };
    let colour = match q.kind {
        0 => {
            if let Some(there) = world.pictures.get(q.picture as usize) {
                let size = [there.width as f32, there.height as f32];
                let scaled = |at: [f32; 2]| [at[0] * size[0], at[1] * size[1]];
                wanted = want([0; 2], scaled(q.offset), scaled(q.ddx), scaled(q.ddy));
            }
            scene.sample(q.picture, q.offset, q.ddx, q.ddy)
        }
        1 => {
            wanted = want(q.base, q.offset, q.ddx, q.ddy);
            scene.sample_at(q.picture, q.base, q.offset, q.ddx, q.ddy)
        }
        2 => scene.sample_level(q.picture, q.offset, q.reduce),
        _ => scene.sample_level_at(q.picture, q.base, q.offset, q.reduce),
    };
    let resident = scene.resident_at(q.picture, q.base, q.offset, q.ddx, q.ddy);
    let wanted = wanted.map_or([0; 2], |page| page.pack());
    Answer { colour, wanted, resident: resident.unwrap_or(sample_virtual::NONE), padding: 0 }
}

fn storage(device: &wgpu::Device, contents: &[u8]) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_SRC;
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents, usage })
}

/// The bind group of `sample_virtual`.
fn bind(context: &Context, world: &World, layout: &wgpu::BindGroupLayout) -> wgpu::BindGroup {
    let device = context.device();
    let descriptor = wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d {
            width: SLOTS[0] * EDGE,
            height: SLOTS[1] * EDGE,
            depth_or_array_layers: SLOTS[2],
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: world.format.texture_format(),
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    };
    let order = wgpu::util::TextureDataOrder::LayerMajor;
    let atlas = device.create_texture_with_data(context.queue(), &descriptor, order, &world.bytes);
    let view = atlas.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(wgpu::TextureViewDimension::D2Array),
        ..Default::default()
    });
    let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
        mag_filter: wgpu::FilterMode::Linear,
        min_filter: wgpu::FilterMode::Linear,
        ..Default::default()
    });
    let buffers = [
        storage(device, bytemuck::bytes_of(&world.frame)),
        storage(device, bytemuck::cast_slice(&world.pictures)),
        storage(device, bytemuck::cast_slice(&world.table)),
    ];
    let mut entries: Vec<_> = (0..)
        .zip(&buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
        .collect();
    entries.push(wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::TextureView(&view) });
    if world.format.atlas_texels() == wgsl::AtlasTexels::Filtered {
        entries.push(wgpu::BindGroupEntry { binding: 4, resource: wgpu::BindingResource::Sampler(&sampler) });
    }
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}

fn module(device: &wgpu::Device, text: String) -> wgpu::ShaderModule {
    let source = wgpu::ShaderSource::Wgsl(text.into());
    device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source })
}

/// The shader's answers.
fn ask(context: &Context, world: &World, queries: &[Query]) -> Vec<Answer> {
    let (device, queue) = (context.device(), context.queue());
    let text = wgsl::sample_virtual(0, world.format.atlas_texels()) + ASK;
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module(device, text),
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let world = bind(context, world, &pipeline.get_bind_group_layout(0));
    let asked = storage(device, bytemuck::cast_slice(queries));
    let answers = storage(device, &vec![0; queries.len() * size_of::<Answer>()]);
    let own = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(1),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: asked.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: answers.as_entire_binding() },
        ],
    });
    let readback = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: answers.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &world, &[]);
    pass.set_bind_group(1, &own, &[]);
    pass.dispatch_workgroups(queries.len().div_ceil(64) as u32, 1, 1);
    drop(pass);
    encoder.copy_buffer_to_buffer(&answers, 0, &readback, 0, answers.size());
    queue.submit([encoder.finish()]);
    readback.map_async(wgpu::MapMode::Read, .., Result::unwrap);
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    bytemuck::pod_collect_to_vec(&readback.get_mapped_range(..).unwrap())
}

/// Asks the device and the twin, and gives the largest difference of a channel, in steps of 255.
fn compare(format: TexelFormat, bound: f32) {
    let Some(executor) = executor() else { return };
    let world = World::new(format, 5);
    let queries = queries(6000, 6);
    let answers = ask(executor.context(), &world, &queries);
    let (mut worst, mut drawn, mut wanted) = (0.0_f32, 0, 0);
    for (query, answer) in queries.iter().zip(&answers) {
        let right = expected(&world, query);
        let name = format!(
            "{format:?} kind {} picture {} reduce {} base {:?} offset {:?} ddx {:?} ddy {:?}",
            query.kind, query.picture, query.reduce, query.base, query.offset, query.ddx, query.ddy
        );
        assert_eq!((answer.wanted, answer.resident), (right.wanted, right.resident), "{name}");
        for (found, expected) in answer.colour.iter().zip(right.colour) {
            let apart = (found - expected).abs() * 255.0;
            assert!(apart <= bound, "{name}: {:?} instead of {:?}", answer.colour, right.colour);
            worst = worst.max(apart);
        }
        drawn += u32::from(right.colour != [0.0; 4]);
        wanted += u32::from(right.wanted != [0; 2]);
    }
    println!("{format:?}: at most {worst:.3} of 255, {drawn} drawn, {wanted} wanted");
    assert!(drawn > 1500 && wanted > 1000, "{drawn}, {wanted}");
}

#[test]
fn the_device_filters_like_the_twin() {
    // Some devices round to 8 bits between rows and columns.
    for format in [TexelFormat::Rgba8, TexelFormat::R8, TexelFormat::Rg8] {
        compare(format, 1.5);
    }
    for format in [TexelFormat::R16Float, TexelFormat::Rgba16Float] {
        compare(format, 1.0);
    }
}

#[test]
fn texels_that_the_device_does_not_filter_come_out_the_same() {
    for format in [TexelFormat::R16, TexelFormat::Rg16, TexelFormat::Rgba16, TexelFormat::R32Float] {
        compare(format, 0.05);
    }
}

/// As a host draws: a triangle over the whole target, derivatives from the rasteriser.
#[test]
fn a_fragment_shader_draws_what_the_twin_draws() {
    const DRAW: &str = "
        struct Corner {
            @builtin(position) position: vec4<f32>,
            @location(0) uv: vec2<f32>,
        }
        @vertex
        fn corner(@builtin(vertex_index) index: u32) -> Corner {
            let at = vec2(f32((index & 1u) << 2u), f32((index & 2u) << 1u));
            return Corner(vec4(at - 1.0, 0.0, 1.0), vec2(at.x, 2.0 - at.y) * 0.5);
        }
        @fragment
        fn draw(in: Corner) -> @location(0) vec4<f32> {
            return sample_virtual(0u, in.uv, dpdx(in.uv), dpdy(in.uv));
        }";
    let Some(executor) = executor() else { return };
    let context = executor.context();
    let (device, world) = (context.device(), World::new(TexelFormat::Rgba8, 8));
    let module = module(device, DRAW.to_owned() + &wgsl::sample_virtual(2, wgsl::AtlasTexels::Filtered));
    let target = wgpu::TextureFormat::Rgba8Unorm;
    let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: None,
        layout: None,
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("corner"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        primitive: Default::default(),
        depth_stencil: None,
        multisample: Default::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("draw"),
            compilation_options: Default::default(),
            targets: &[Some(target.into())],
        }),
        multiview_mask: None,
        cache: None,
    });
    let group = bind(context, &world, &pipeline.get_bind_group_layout(2));
    for size in [[64_u32, 64], [150, 111], [31, 90]] {
        let image = device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: target,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = image.create_view(&Default::default());
        let mut encoder = device.create_command_encoder(&Default::default());
        let attachment = wgpu::RenderPassColorAttachment {
            view: &view,
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations {
                load: wgpu::LoadOp::Clear(wgpu::Color::RED),
                store: wgpu::StoreOp::Store,
            },
        };
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(attachment)],
            ..Default::default()
        });
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(2, &group, &[]);
        pass.draw(0..3, 0..1);
        drop(pass);
        context.queue().submit([encoder.finish()]);
        let drawn = texture::read(context, &image, 4);
        let scene = world.scene();
        let [width, height] = size.map(|size| size as f32);
        let (mut worst, mut covered) = (0.0_f32, 0);
        for (at, pixel) in (0..).zip(drawn.chunks(4)) {
            let (x, y) = (at % size[0], at / size[0]);
            let uv = [(x as f32 + 0.5) / width, (y as f32 + 0.5) / height];
            let colour = scene.sample(0, uv, [1.0 / width, 0.0], [0.0, 1.0 / height]);
            for (&found, expected) in pixel.iter().zip(colour) {
                worst = worst.max((f32::from(found) - expected * 255.0).abs());
            }
            covered += u32::from(colour != [0.0; 4]);
        }
        println!("{size:?}: at most {worst:.3} of 255, {covered} pixels covered");
        // The target rounds once more.
        assert!(worst <= 1.5 && covered > size[0] * size[1] / 4, "{size:?}: {worst}, {covered}");
    }
}
