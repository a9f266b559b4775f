//! The example `embed`, without a window: a globe with a picture that comes from a server, against the same globe drawn pixel by
//! pixel from a decode of the whole picture.
#![cfg(all(feature = "blocking", feature = "gpu", feature = "http1"))]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../examples/embed.rs"]
mod embed;

use std::f64::consts::{FRAC_PI_8, PI, TAU};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use wavetile::engine::error::DeviceError;
use wavetile::engine::gpu::Context;
use wavetile::engine::source::IndexedFile;
use wavetile::engine::{DecodeRequest, Decoder, Image, Limits};
use wavetile::transport::client::{ClientConfig, ConnectOptions, Session};
use wavetile::transport::jpip::{MemoryCatalogue, ServedPicture, ServerOptions};
use wavetile::transport::road::RoadKind;
use wavetile::transport::server::{RoadsConfig, Server};
use wavetile_testing::skip_adapter;

#[test]
fn a_globe_shows_the_picture_from_all_sides() {
    if let Err(DeviceError::NoAdapter { reason }) = Context::request_blocking() {
        return skip_adapter(reason);
    }
    let bytes = std::fs::read("program/assets/mandelbrot.jp2").unwrap();
    let picture: Arc<dyn ServedPicture> =
        Arc::new(IndexedFile::open(bytes.clone(), &Limits::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let session = runtime.block_on(async {
        let catalogue = MemoryCatalogue::new([("a.jp2".to_owned(), picture)]);
        let roads =
            RoadsConfig::default().http1(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).http3(None);
        let server = Server::bind(catalogue, &roads, ServerOptions::default()).unwrap();
        let address = server.http1_addr().unwrap();
        tokio::spawn(server.run(std::future::pending()));
        let connect = ConnectOptions::default().road(RoadKind::Http1.into());
        let config = ClientConfig::default().connect(connect);
        Session::open(&format!("jpip://{address}/a.jp2"), config).await.unwrap()
    });
    let image = runtime.block_on(session.image()).unwrap();
    let frames = embed::frames(&session, &image, 2).unwrap();

    // A pixel of the screen shows at least five by eleven pixels of the picture, about as many as nine texels of 1/4.
    let reduce = 2;
    let (whole, _) =
        Decoder::cpu().render(&Image::open(bytes).unwrap(), &DecodeRequest::new().reduce(reduce)).unwrap();
    let (mut compared, mut off) = (0, 0);
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!(frame.len(), 640 * 400 * 4);
        for y in 0..400 {
            for x in 0..640 {
                let drawn = &frame[(y * 640 + x) * 4..][..3];
                let Some([u, v]) = place(x, y, number as f64 * TAU / 8.0) else { continue };
                // The mean of the texels around, as far apart as the picture's pixels are on the screen.
                let mut sum = [0.0; 3];
                for (dx, dy) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))) {
                    let size = [f64::from(whole.size.width), f64::from(whole.size.height)];
                    let column = ((u * size[0]) as i64 + dx).rem_euclid(size[0] as i64) as usize;
                    let row = ((v * size[1]) as i64 + dy).clamp(0, size[1] as i64 - 1) as usize;
                    let texel = &whole.bytes[(row * whole.size.width as usize + column) * 4..][..3];
                    sum.iter_mut().zip(texel).for_each(|(sum, &value)| *sum += f64::from(value) / 9.0);
                }
                compared += 1;
                off += usize::from(sum.iter().zip(drawn).any(|(a, &b)| (a - f64::from(b)).abs() > 40.0));
            }
        }
    }
    assert!(compared > 2 * 50_000, "{compared}");
    assert!(off * 50 < compared, "{off} of {compared} pixels show something else");
}

/// The place in the picture that a pixel shows, of those well inside the globe's outline.
fn place(x: usize, y: usize, turned: f64) -> Option<[f64; 2]> {
    let (scale, distance) = (1.0 / FRAC_PI_8.tan(), embed::DISTANCE);
    let across = scale * 400.0 / 640.0;
    let ray = [((x as f64 + 0.5) / 320.0 - 1.0) / across, (1.0 - (y as f64 + 0.5) / 200.0) / scale, -1.0];
    // The eye is at (0, 0, distance), the globe around the origin.
    let (a, b) = (ray.iter().map(|c| c * c).sum::<f64>(), -distance);
    let root = b * b - a * (distance * distance - 1.0);
    // Not too near the outline: there a pixel shows much of the picture.
    if root < 0.3 * a {
        return None;
    }
    let along = (-b - root.sqrt()) / a;
    let at = [along * ray[0], along * ray[1], distance + along * ray[2]];
    let around = at[0].atan2(at[2]) - turned;
    Some([(around / TAU).rem_euclid(1.0), at[1].clamp(-1.0, 1.0).acos() / PI])
}
