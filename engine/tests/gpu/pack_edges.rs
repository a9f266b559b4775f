//! Packing with edges that are repeated around the cell, as pages of a virtual texture need them.

use crate::rig::executor;
use wavetile_engine::gpu::{Context, TexelFormat};
use wavetile_engine::wgpu::{self, util::DeviceExt};
use wavetile_shaders::dispatch::{Dispatch, Job};
use wavetile_shaders::pack::{self, PackChannel, PackParameters};
use wavetile_shaders::wgsl;
use wavetile_testing::compare::assert_same;
use wavetile_testing::random::Random;

fn pipeline(device: &wgpu::Device) -> wgpu::ComputePipeline {
    let source = wgpu::ShaderSource::Wgsl(wgsl::PACK.into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    })
}

/// Runs the shader as it is, and gives `words` words of texels that were all ones before.
fn packed(
    context: &Context,
    pipeline: &wgpu::ComputePipeline,
    p: &PackParameters,
    arena: &[u32],
    words: u32,
) -> Vec<u32> {
    let (device, queue) = (context.device(), context.queue());
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_SRC;
    let buffer = |words: &[u32]| {
        let contents = bytemuck::cast_slice(words);
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents, usage })
    };
    let texels = vec![u32::MAX; words as usize];
    let workgroups = p.workgroups() as u32;
    let dispatch = Dispatch { job_count: 1, workgroup_count: workgroups, padding: [0; 2] };
    let buffers = [
        buffer(bytemuck::cast_slice(&[dispatch])),
        buffer(bytemuck::cast_slice(&[*p])),
        buffer(&[0]),
        buffer(arena),
        buffer(&texels),
    ];
    let entries: Vec<_> = (0..)
        .zip(&buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
        .collect();
    let layout = &pipeline.get_bind_group_layout(0);
    let group =
        device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries });
    let readback = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffers[4].size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(pipeline);
    pass.set_bind_group(0, &group, &[]);
    pass.dispatch_workgroups(workgroups, 1, 1);
    drop(pass);
    encoder.copy_buffer_to_buffer(&buffers[4], 0, &readback, 0, readback.size());
    queue.submit([encoder.finish()]);
    readback.map_async(wgpu::MapMode::Read, .., Result::unwrap);
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    bytemuck::pod_collect_to_vec(&readback.get_mapped_range(..).unwrap())
}

#[test]
fn repeated_edges_are_those_of_the_twin_in_every_layout() {
    let Some(executor) = executor() else { return };
    let context = executor.context();
    let pipeline = pipeline(context.device());
    let mut random = Random::new(3);
    // Grey at full size, and opacity at half.
    let arena: Vec<u32> = (0..200).map(|_| random.below(1 << 12)).collect();
    let channel = |plane, width, height, denominator| PackChannel {
        plane,
        row: width,
        x0: 40 / denominator,
        y0: 6 / denominator,
        width,
        height,
        x_numerator: 1,
        x_denominator: denominator,
        y_numerator: 1,
        y_denominator: denominator,
        high: 4095,
        table: PackChannel::NO_TABLE,
        ..PackChannel::default()
    };
    let absent = PackChannel { plane: PackChannel::OPAQUE, ..channel(0, 1, 1, 1) };
    for &format in TexelFormat::ALL {
        for [left, top, right, bottom] in
            [[0, 0, 0, 0], [3, 0, 0, 0], [0, 2, 0, 1], [4, 4, 9, 30], [1, 1, 2, 2]]
        {
            for width in [1, 2, 13] {
                for opacity in [absent, channel(100, 7, 5, 1), channel(100, 7, 4, 2)] {
                    let p = PackParameters {
                        x0: 40,
                        y0: 6,
                        width: left + width + right,
                        height: top + 5 + bottom,
                        row: 80,
                        format: format.pack_format(),
                        left,
                        top,
                        right,
                        bottom,
                        channels: [channel(0, 13, 7, 1), absent, absent, opacity, absent],
                        ..PackParameters::default()
                    };
                    assert!(p.width * format.bytes() <= 4 * p.row);
                    let found = packed(context, &pipeline, &p, &arena, p.row * p.height);
                    let mut expected = vec![u32::MAX; found.len()];
                    pack::run(&p, &[], &arena, &mut expected);
                    let name = format_args!("{format:?} {left} {top} {right} {bottom} {width}");
                    if format == TexelFormat::R32Float {
                        // The device divides less exactly.
                        let near = |found: u32, expected: u32| found.abs_diff(expected) <= 4;
                        assert!(found.iter().zip(&expected).all(|(&a, &b)| near(a, b)), "{name}");
                    } else if opacity.x_denominator == 1 || format.channels() == 1 {
                        assert_same(name, &found, &expected);
                    } else {
                        // Between samples, a value may be rounded to its neighbour.
                        let channel = (format.bytes() / format.channels()) as usize;
                        let value = |bytes: &[u8]| {
                            bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
                        };
                        let values = |words: &[u32]| {
                            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                            bytes.chunks(channel).map(value).collect::<Vec<_>>()
                        };
                        let pairs = values(&found).into_iter().zip(values(&expected));
                        assert!(pairs.into_iter().all(|(a, b)| a.abs_diff(b) <= 1), "{name}");
                    }
                }
            }
        }
    }
}
