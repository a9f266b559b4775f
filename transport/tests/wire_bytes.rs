//! How many bytes a session costs beyond those that it cannot do without: an overview, a zoom and twenty pans.
//!
//! *Ideal* are the bytes of the packets of every precinct that has a code-block which the wavelet transform of some
//! window needs; found from the geometry alone, block by block. *Wire* is everything that the server sends: bodies,
//! with their headers and metadata, and the heads of the responses as HTTP/1.1 would write them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NAME, PEER, server_of};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wavetile_engine::byte_source::FileSource;
use wavetile_engine::data_bin::PrecinctId;
use wavetile_engine::low_level::plan::reach::band_window;
use wavetile_engine::low_level::plan::reach::{
    GridWindow, component_window, covered_tiles, resolution_windows, wanted_resolution,
};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::view_window::{ViewWindow, frame_size};
use wavetile_engine::{Limits, Size};
use wavetile_testing::shared;
use wavetile_transport::jpip::{Client, ClientOptions, Ending, Event, ServerOptions};

/// Precincts of `file` that have a code-block which `window` needs.
fn needed(file: &IndexedFile, window: &GridWindow) -> BTreeSet<PrecinctId> {
    let header = file.header();
    let mut needed = BTreeSet::new();
    for index in covered_tiles(header, window.region) {
        let tile = file.tile(index).unwrap();
        for (number, component) in tile.components.iter().enumerate() {
            let size = header.size.components[number];
            let output = component_window(component, window.region, size.dx, size.dy, window.reduce);
            let Some(finest) = wanted_resolution(component, window.reduce).filter(|_| !output.is_empty())
            else {
                continue;
            };
            let transform = tile.parameters.components[number].coding.transform;
            for (level, wanted) in resolution_windows(component, transform, output, finest).iter().enumerate()
            {
                let resolution = &component.resolutions[level];
                for precinct in 0..resolution.precincts_wide * resolution.precincts_high {
                    let meets = resolution.bands.iter().enumerate().any(|(index, band)| {
                        let (high_x, high_y) = band.orientation.high_pass();
                        let wanted = match level {
                            0 => wanted.input,
                            _ => band_window(wanted.input, high_x, high_y),
                        };
                        // The blocks of a precinct cover its part of the sub-band without a gap.
                        !resolution.precinct_band_rect(precinct, index).intersect(wanted).is_empty()
                    });
                    if meets {
                        let precinct = resolution.first_precinct + u64::from(precinct);
                        needed.insert(PrecinctId { tile: index, component: number as u32, precinct });
                    }
                }
            }
        }
    }
    needed
}

/// An overview, a zoom to full size and twenty pans there, for a screen of `screen` samples.
fn script(picture: Size, screen: Size, overview: u32) -> Vec<(u32, ViewWindow)> {
    let frame =
        |reduce: u32| Size::new(picture.width.div_ceil(1 << reduce), picture.height.div_ceil(1 << reduce));
    let mut script = vec![(overview, ViewWindow::whole(frame(overview)))];
    for reduce in (0..overview).rev() {
        let frame = frame(reduce);
        let region = Size::new(screen.width.min(frame.width), screen.height.min(frame.height));
        let offset = ((frame.width - region.width) / 2, (frame.height - region.height) / 2);
        script.push((reduce, ViewWindow { offset, region, ..ViewWindow::whole(frame) }));
    }
    let (mut x, mut y) = script[script.len() - 1].1.offset;
    for pan in 0..20_u32 {
        let step = screen.width / 5;
        (x, y) = match pan / 5 {
            0 => (x + step, y),
            1 => (x, y + step),
            2 => (x.saturating_sub(step), y.saturating_sub(step / 2)),
            _ => (x.saturating_sub(step), y),
        };
        let at = (x.min(picture.width - screen.width), y.min(picture.height - screen.height));
        (x, y) = at;
        script.push((0, ViewWindow { offset: at, region: screen, ..ViewWindow::whole(picture) }));
    }
    script
}

/// Bytes on the wire and ideal bytes of a session; every window is waited for.
fn session(path: &Path, screen: Size, overview: u32) -> (u64, u64) {
    let file = Arc::new(IndexedFile::open(FileSource::open(path).unwrap(), &Limits::default()).unwrap());
    let mut server = server_of(vec![(NAME, file.clone())], ServerOptions::default());
    let mut client = Client::new(ClientOptions::new(NAME));
    let (mut wire, mut wanted) = (0, BTreeSet::new());
    for (reduce, window) in script(frame_size(file.header().size.image, 0), screen, overview) {
        let resolved = window.resolve(file.header());
        assert_eq!(resolved.reduce, reduce);
        wanted.extend(needed(&file, &GridWindow { region: resolved.grid_region, reduce, components: None }));
        client.set_window(Some(window));
        while let Some(request) = client.poll_request(Duration::ZERO) {
            let (path, query) = request.path_and_query.split_once('?').unwrap();
            let mut reply = server.handle_request(PEER, path, query, Duration::ZERO);
            let headers: Vec<_> =
                reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            wire += "HTTP/1.1 200 OK\r\n\r\n".len();
            wire +=
                headers.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len()).sum::<usize>();
            client.handle_head(request.id, reply.status, &headers);
            while let Some(bytes) = reply.body.poll_chunk(16 << 10) {
                wire += bytes.len();
                client.handle_body(request.id, &bytes);
            }
            client.handle_end(request.id, Ending::Complete);
        }
        let done = std::iter::from_fn(|| client.poll_event())
            .any(|event| matches!(event, Event::WindowComplete { .. }));
        assert!(done, "the window was not completed");
    }
    assert_eq!(client.progress().duplicate, 0);
    let ideal =
        wanted.into_iter().map(|precinct| file.packet_ends(precinct).unwrap().last().copied().unwrap_or(0));
    (wire as u64, ideal.sum())
}

#[test]
fn a_session_costs_at_most_eight_percent_more_than_its_packets() {
    let Some(path) = shared("interop/one3.jp2") else { return };
    let (wire, ideal) = session(&path, Size::new(256, 192), 2);
    println!("one3.jp2: {wire} bytes on the wire, {ideal} ideal: {:.4}", wire as f64 / ideal as f64);
    assert!(wire * 100 <= ideal * 108, "{wire} bytes for {ideal}");
    assert!(wire >= ideal, "{wire} bytes cannot hold {ideal}");
}
