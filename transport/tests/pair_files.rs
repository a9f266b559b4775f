//! Client and server against each other with real files: what arrives must be the data-bins of the file.
#![allow(clippy::unwrap_used)]

mod common;

use common::link::{Link, LinkOptions};
use common::{NAME, server_of};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wavetile_engine::byte_source::FileSource;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, DataBins, PrecinctId};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::view_window::{ViewWindow, frame_size};
use wavetile_engine::{Limits, Size};
use wavetile_testing::shared;
use wavetile_transport::jpip::wire::fields::NumberRange;
use wavetile_transport::jpip::{ClientOptions, Event, ServerOptions, eor};

/// Every data-bin that the codestreams of a file can have, and metadata-bin 0.
fn ids(file: &IndexedFile) -> Vec<(u32, DataBinId)> {
    let mut ids = vec![(0, DataBinId::Metadata(0))];
    for number in 0..file.codestream_count() {
        let codestream = file.codestream(number).unwrap().unwrap();
        let header = codestream.header();
        let components = header.size.components.len() as u32;
        ids.push((number, DataBinId::MainHeader));
        for index in 0..header.tile_count() {
            ids.push((number, DataBinId::TileHeader(index)));
            let Ok(tile) = codestream.tile(index) else { continue };
            for (component, geometry) in tile.components.iter().enumerate() {
                ids.extend((0..geometry.precincts).map(|precinct| {
                    let id = PrecinctId { tile: index, component: component as u32, precinct };
                    let id = id.in_class_id(components, header.tile_count()).unwrap();
                    (number, DataBinId::Precinct(id))
                }));
            }
        }
    }
    ids
}

/// How many bins are complete; panics if one differs or is missing.
fn compare(cache: &DataBinCache, file: &IndexedFile, name: &str) -> usize {
    let mut complete = 0;
    for (codestream, id) in ids(file) {
        let Ok(Some(expected)) = file.bin(codestream, id) else { continue };
        match cache.bin(codestream, id).unwrap() {
            Some(found) => {
                assert_eq!(found.complete, expected.complete, "{name}: {id:?}");
                assert!(expected.bytes.starts_with(&found.bytes), "{name}: {id:?}");
                if expected.complete {
                    assert_eq!(found.bytes.len(), expected.bytes.len(), "{name}: {id:?}");
                    complete += 1;
                }
            }
            None => assert!(!expected.complete, "{name}: {id:?} is missing"),
        }
    }
    complete
}

/// Fetches all of a file, in three steps; panics if anything is missing, wrong or sent twice.
fn fetch(path: &Path, file: &Arc<IndexedFile>, client: ClientOptions, link: LinkOptions) -> usize {
    let name = path.display().to_string();
    let server = server_of(vec![(NAME, file.clone())], ServerOptions::default());
    let mut link = Link::with_server(server, client, link);
    // No codestream of the file is larger.
    let sizes = (0..file.codestream_count())
        .map(|number| frame_size(file.codestream(number).unwrap().unwrap().header().size.image, 0));
    let largest = sizes.reduce(|a, b| Size::new(a.width.max(b.width), a.height.max(b.height)));
    let whole = ViewWindow::whole(largest.unwrap());
    let small = ViewWindow { layers: Some(1), ..ViewWindow::whole(frame_size(file.header().size.image, 2)) };
    if file.codestream_count() > 1 {
        link.client.set_codestreams(vec![NumberRange::ALL]);
    }
    for window in [None, Some(small), Some(whole)] {
        link.client.set_window(window);
        link.run();
    }
    let last = link.events.last().unwrap();
    assert!(matches!(last, Event::WindowComplete { reason: Some(eor::IMAGE_DONE), .. }), "{name}: {last:?}");
    assert_eq!(link.client.progress().duplicate, 0, "{name}");
    let bins = link.client.bins();
    let bins = bins.read().unwrap();
    compare(&bins, file, &name)
}

fn open(path: &Path) -> wavetile_engine::Result<Arc<IndexedFile>> {
    Ok(Arc::new(IndexedFile::open(FileSource::open(path)?, &Limits::default())?))
}

fn fast(seed: u64) -> LinkOptions {
    LinkOptions { seed, chunk: 16 << 10, bytes_per_second: 1 << 40, ..LinkOptions::default() }
}

#[test]
fn small_files_arrive_whole_in_sessions_and_without_over_good_links_and_bad() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for name in ["tiles.jp2", "precincts.j2k", "poc.j2c", "plain.j2k"] {
        let path = data.join(name);
        let file = open(&path).unwrap();
        for sessions in [true, false] {
            let options = ClientOptions::new(NAME).sessions(sessions).attempts(50).length(Some(300));
            assert_eq!(fetch(&path, &file, options.clone(), fast(1)), ids(&file).len(), "{name}");
            for seed in 0..10 {
                let bad = LinkOptions { cuts: 50, losses: 20, chunk: 100, ..fast(seed) };
                assert_eq!(fetch(&path, &file, options.clone(), bad), ids(&file).len(), "{name}");
            }
        }
    }
}

/// Picture files below a directory.
fn pictures(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            found.extend(pictures(&path));
        } else if ["jp2", "j2k", "j2c", "jpc", "jpx", "jpf"].contains(&extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn malformed_files_are_served_as_far_as_they_go_and_responses_end() {
    let Some(malformed) = shared("testdata/malformed") else { return };
    let mut files = 0;
    for path in pictures(&malformed) {
        let Ok(file) = open(&path) else { continue };
        let server = server_of(vec![(NAME, file.clone())], ServerOptions::default());
        let mut link = Link::with_server(server, Link::session(), fast(1));
        let size = file.header().size.clone();
        // Headers may claim anything: a window of bounded size, at full resolution.
        let region = Size::new(size.image.width().min(2000), size.image.height().min(2000));
        link.client.set_window(Some(ViewWindow { region, ..ViewWindow::whole(frame_size(size.image, 0)) }));
        link.run();
        assert!(
            matches!(link.events.last(), Some(Event::WindowComplete { .. })),
            "{path:?}: {:?}",
            link.events
        );
        assert_eq!((link.client.progress().duplicate, link.client.progress().excess), (0, 0), "{path:?}");
        files += 1;
    }
    println!("{files} malformed files could be opened");
    assert!(files > 10, "only {files} malformed files could be opened");
}

#[test]
fn shared_files_arrive_whole() {
    let (mut files, mut bins) = (0, 0);
    for directory in
        ["interop", "testdata/conformance", "testdata/files", "testdata/jpx", "testdata/streaming"]
    {
        let Some(directory) = shared(directory) else { return };
        for path in pictures(&directory) {
            // Those that cannot be opened cannot be served.
            let Ok(file) = open(&path) else { continue };
            let options = ClientOptions::new(NAME).length(None);
            bins += fetch(&path, &file, options, fast(1));
            files += 1;
        }
    }
    println!("{files} files, {bins} complete data-bins");
    assert!(files > 100, "only {files} files could be served");
    assert!(bins > 10_000, "only {bins} data-bins arrived");
}
