//! What shaders sample through the bind group, against the twin in host memory.

use crate::device_rig::{DeviceRig, Making, decoder};
use crate::rig::{Rig, mandelbrot, window};
use wavetile_engine::tiles::{PictureOptions, TilesOptions};
use wavetile_engine::{Size, TexelFormat, wgpu};

/// Points across and down.
const POINTS: u32 = 48;

/// Samples a grid of points of picture 0 around `uv`, `step` apart, at reduction `reduce` and by derivatives.
fn sample(rig: &DeviceRig, uv: [f32; 2], step: f32, reduce: u32) -> Vec<[f32; 4]> {
    let device = rig.context.device();
    let text = rig.texture.shader(0)
        + &format!(
            "@group(1) @binding(0) var<storage, read_write> colours: array<vec4<f32>>;
            @compute @workgroup_size(8, 8)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                let step = f32({step});
                let uv = vec2(f32({}), f32({})) + step * vec2<f32>(id.xy);
                let at = 2u * (id.y * {POINTS}u + id.x);
                colours[at] = sample_virtual_level(0u, uv, {reduce}u);
                colours[at + 1u] = sample_virtual(0u, uv, vec2(step, 0.0), vec2(0.0, step));
            }}",
            uv[0], uv[1]
        );
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let storage = wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only: false },
        has_dynamic_offset: false,
        min_binding_size: None,
    };
    let entry = wgpu::BindGroupLayoutEntry {
        binding: 0,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: storage,
        count: None,
    };
    let own =
        device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &[entry] });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        bind_group_layouts: &[Some(rig.texture.bind_group_layout()), Some(&own)],
        ..Default::default()
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&layout),
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });
    let bytes = u64::from(POINTS * POINTS) * 32;
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    };
    let colours = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
    let readback = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &own,
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: colours.as_entire_binding() }],
    });
    let mut encoder = rig.encoder();
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, rig.texture.bind_group(), &[]);
    pass.set_bind_group(1, &group, &[]);
    pass.dispatch_workgroups(POINTS / 8, POINTS / 8, 1);
    drop(pass);
    encoder.copy_buffer_to_buffer(&colours, 0, &readback, 0, bytes);
    rig.context.queue().submit([encoder.finish()]);
    readback.map_async(wgpu::MapMode::Read, .., Result::unwrap);
    rig.wait();
    let view = readback.get_mapped_range(..).unwrap();
    bytemuck::pod_collect_to_vec(&view)
}

#[test]
fn shaders_draw_what_the_twin_does() {
    let Some(decoder) = decoder() else { return };
    let image = mandelbrot();
    for format in [TexelFormat::Rgba8, TexelFormat::R16] {
        let options = TilesOptions::new().format(format).fade(std::time::Duration::ZERO);
        let mut rig = DeviceRig::new(&decoder, Making::OnDevice, options.clone(), 64 << 20);
        let mut host = Rig::new(options, 64 << 20);
        // The second picture is resident, too, and not mixed up.
        let pictures = [0, 1].map(|_| rig.tiles.add(&image, PictureOptions::default(), None).unwrap());
        let same = [0, 1].map(|_| host.tiles.add(&image, PictureOptions::default(), None).unwrap());
        assert_eq!(pictures, same);
        let [first, second] = pictures;
        let size = Size::new(600, 500);
        let views = [window(first, 1000.0, 2000.0, 1.0, size), window(second, 5000.0, 500.0, 1.0, size)];
        rig.settle(&views);
        host.settle(&views);
        rig.frame(&views);
        host.frame(&views);
        let scene = host.atlas.scene();
        for (uv, step, reduce) in [([0.13, 0.25], 0.0002, 0), ([0.1, 0.2], 0.003, 3)] {
            let drawn = sample(&rig, uv, step, reduce);
            for (number, pair) in drawn.chunks_exact(2).enumerate() {
                let (x, y) = (number as u32 % POINTS, number as u32 / POINTS);
                let at = [uv[0] + step * x as f32, uv[1] + step * y as f32];
                let expected =
                    [scene.sample_level(0, at, reduce), scene.sample(0, at, [step, 0.0], [0.0, step])];
                for (drawn, expected) in pair.iter().zip(expected) {
                    let worst = drawn.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    // A level is 1/255; filters of devices have 8 bits of their own.
                    assert!(worst < 2.5 / 255.0, "{format:?} {at:?}: {drawn:?}, not {expected:?}");
                }
            }
        }
    }
}
