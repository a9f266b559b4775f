//! Decodes a window of a large picture at full size, and counts what that took.
//!
//! ```sh
//! cargo run --release --example region -- program/assets/mandelbrot.jp2 3360,3072,1024,768
//! ```
//!
//! Only the code-blocks that the wavelet filters need for the window are decoded.

use std::error::Error;
use std::time::Instant;
use wavetile::engine::ResolutionCoverage;
use wavetile::engine::{DecodeRequest, Decoder, Image, Rect};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(window)) = (arguments.next(), arguments.next()) else {
        return Err("usage: region IN.jp2 X,Y,WIDTH,HEIGHT".into());
    };
    let numbers = window.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    let &[x, y, width, height] = &numbers[..] else { return Err("a window is four numbers".into()) };
    let region = Rect::new(x, y, x.saturating_add(width), y.saturating_add(height));

    let image = Image::open_file(&input)?;
    let request = DecodeRequest::new().region(region);

    let decoder = Decoder::cpu();
    let start = Instant::now();
    let (components, report) = decoder.components(&image, &request)?;
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
    let file = std::fs::metadata(&input)?.len();
    println!("compressed bytes:   {} of a file of {file}", coverage.compressed_bytes);
    for (resolution, ResolutionCoverage { present, needed, .. }) in coverage.resolutions.iter().enumerate() {
        println!("resolution {resolution}: {present} of {needed} packets were there");
    }
    Ok(())
}
