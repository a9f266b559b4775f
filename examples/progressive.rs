//! Feeds a picture to the decoder bit by bit, as a slow connection would, and watches it get better.
//!
//! ```sh
//! cargo run --release --example progressive -- program/assets/mandelbrot.jp2 4
//! ```
//!
//! A real client fills the same kind of cache: see `wavetile::transport::client`.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use wavetile::engine::byte_source::FileSource;
use wavetile::engine::data_bin::DataBinId;
use wavetile::engine::low_level::plan::reach::{GridWindow, covered_precincts};
use wavetile::engine::source::IndexedFile;
use wavetile::engine::{
    Component, DataBinCache, DataBins, DecodeRequest, Decoder, Image, ImageOptions, Limits,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let input = arguments.next().ok_or("usage: progressive IN.jp2 [LEVELS]")?;
    let reduce = arguments.next().map_or(Ok(0), |levels| levels.parse())?;
    let file = Arc::new(IndexedFile::open(FileSource::open(input)?, &Limits::default())?);
    let request = DecodeRequest::new().reduce(reduce);
    let decoder = Decoder::cpu();

    // What a server sends first: boxes, main header, tile headers.
    let cache = Arc::new(RwLock::new(DataBinCache::new()));
    let insert = |id, bytes: &[u8], last| {
        // No thread panics while it holds the lock.
        cache.write().unwrap_or_else(PoisonError::into_inner).insert(0, id, 0, bytes, last);
    };
    let header = file.header();
    let headers = [DataBinId::Metadata(0), DataBinId::MainHeader];
    for id in headers.into_iter().chain((0..header.tile_count()).map(DataBinId::TileHeader)) {
        let bin = file.bin(0, id)?.ok_or("a header is missing")?;
        insert(id, &bin.bytes, bin.complete);
    }
    let image = Image::open_stream(cache.clone())?.image().ok_or("the file ends before its headers do")?;

    // The precincts that the request needs.
    let mut precincts = Vec::new();
    let window = GridWindow { region: image.area(), reduce, components: None };
    for tile in 0..header.tile_count() {
        for precinct in covered_precincts(header, &*file.tile(tile)?, &window) {
            let id = precinct.id.in_class_id(header.size.components.len() as u32, header.tile_count());
            precincts.push((DataBinId::Precinct(id.ok_or("no such precinct")?), precinct.id));
        }
    }

    let whole = ImageOptions::new().open_indexed(file.clone())?;
    let (finished, _) = decoder.components(&whole, &request)?;
    println!("layers      bytes  packets there  mean square error");
    for layers in 0..=usize::from(header.tile_parameters.style.layers) {
        for (id, precinct) in &precincts {
            let ends = file.packet_ends(*precinct)?;
            let Some(&end) = layers.checked_sub(1).and_then(|layer| ends.get(layer)) else { continue };
            // Bytes that are held already do no harm.
            insert(*id, &file.read_bin(*id, 0..end)?, layers == ends.len());
        }
        let (now, report) = decoder.components(&image, &request)?;
        let held = cache.read().unwrap_or_else(PoisonError::into_inner).bytes_held();
        let (bytes, share) = (held, 100.0 * report.completeness());
        println!("{layers:6} {bytes:10} {share:12.1} % {:18.2}", mean_square_error(&now, &finished));
    }
    Ok(())
}

fn mean_square_error(one: &[Component], other: &[Component]) -> f64 {
    let pairs = || one.iter().zip(other).flat_map(|(one, other)| one.samples.iter().zip(&other.samples));
    let sum: f64 = pairs().map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    sum / pairs().count() as f64
}
