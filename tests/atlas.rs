//! The example `atlas` draws what the CPU makes of its windows.
#![cfg(all(feature = "blocking", feature = "gpu"))]
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../examples/atlas.rs"]
mod atlas;

use wavetile::engine::error::DeviceError;
use wavetile::engine::gpu::Context;
use wavetile::engine::{Decoder, Image};
use wavetile_testing::compare::assert_near;
use wavetile_testing::skip_adapter;

#[test]
fn four_windows_are_in_the_atlas() {
    let context = match Context::request_blocking() {
        Ok(context) => context,
        Err(DeviceError::NoAdapter { reason }) => return skip_adapter(reason),
        Err(error) => panic!("{error}"),
    };
    let image = Image::open_file("program/assets/mandelbrot.jp2").unwrap();
    let focus = (3872, 3456);
    let texture = atlas::draw(context.device(), context.queue(), &image, focus).unwrap();
    let texels = atlas::read(context.device(), context.queue(), &texture).unwrap();
    let mut wanted = vec![0; texels.len()];
    let stride = texture.width() as usize * 4;
    for (place, window) in atlas::windows(focus).iter().enumerate() {
        let start = place / 2 * (wanted.len() / 2) + place % 2 * (stride / 2);
        let report = Decoder::cpu().decode_into(&image, window, &mut wanted[start..], stride).unwrap();
        assert!(report.is_complete() && report.coverage.blocks_coded > 0);
    }
    // The picture is a 9/7 one: a GPU may round otherwise.
    assert_near("the atlas", &texels, &wanted, 1.0);
    let first = wanted[..4].to_vec();
    assert!(
        wanted.chunks_exact(4).filter(|texel| **texel != *first).count() > wanted.len() / 8,
        "it is empty"
    );
}
