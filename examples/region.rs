//! Decodes a window of a large picture at full size, and counts what that took.
//!
//! ```sh
//! cargo run --release --example region -- program/assets/mandelbrot.jp2 3360,3072,1024,768
//! ```
//!
//! Only the code-blocks that the wavelet filters need for the window are decoded.

use std::error::Error;
use std::time::Instant;
use wavetile::engine::byte_source::FileSource;
use wavetile::engine::plan::ResolutionCoverage;
use wavetile::engine::source::IndexedFile;
use wavetile::engine::{DecodeRequest, Decoder, Image, Limits, Rect};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(window)) = (arguments.next(), arguments.next()) else {
        return Err("usage: region IN.jp2 X,Y,WIDTH,HEIGHT".into());
    };
    let numbers = window.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    let &[x, y, width, height] = &numbers[..] else { return Err("a window is four numbers".into()) };
    let region = Rect::new(x, y, x.saturating_add(width), y.saturating_add(height));

    let limits = Limits::default();
    let file = IndexedFile::open(FileSource::open(input)?, &limits)?;
    let image = Image::open(&file, &limits)?.ok_or("the file ends before its headers do")?;
    let request = DecodeRequest { region: Some(region), ..DecodeRequest::default() };

    let decoder = Decoder::cpu();
    let start = Instant::now();
    let (components, report) = decoder.components(&image, &file, &request)?;
    println!("decoded in {:.1?} on {}", start.elapsed(), decoder.backend_name());
    for component in &components {
        let samples = &component.samples;
        let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / samples.len() as f64;
        println!(
            "component {}: columns {}..{}, rows {}..{}, {} to {}, mean {mean:.1}",
            component.index,
            component.rect.x0,
            component.rect.x1,
            component.rect.y0,
            component.rect.y1,
            samples.iter().min().unwrap_or(&0),
            samples.iter().max().unwrap_or(&0),
        );
    }
    let coverage = &report.coverage;
    println!("code-blocks needed: {}, of them not empty: {}", coverage.blocks_needed, coverage.blocks_coded);
    println!("compressed bytes:   {} of {}", coverage.compressed_bytes, image_bytes(&file));
    for (resolution, ResolutionCoverage { present, needed, .. }) in coverage.resolutions.iter().enumerate() {
        println!("resolution {resolution}: {present} of {needed} packets were there");
    }
    Ok(())
}

/// Length of the first codestream.
fn image_bytes(file: &IndexedFile) -> u64 {
    file.container().codestreams.first().map_or(0, |range| range.end - range.start)
}
