//! Decodes a JPEG 2000 file to a PNG file, on the GPU if there is one.
//!
//! ```sh
//! cargo run --release --example decode_to_png -- program/assets/mandelbrot.jp2 out.png 3
//! ```
//!
//! The last argument is how many resolution levels to leave out: each halves the size.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use wavetile::engine::{Backend, DecodeRequest, Decoder, Image, Picture, TexelFormat};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("usage: decode_to_png IN.jp2 OUT.png [LEVELS]".into());
    };
    let reduce = arguments.next().map_or(Ok(0), |levels| levels.parse())?;

    let image = Image::open_file(input)?;
    // 8 bits a channel are enough for many pictures, but not for all.
    let deep = image.rendering()?.depth() > 8;
    let format = if deep { TexelFormat::Rgba16 } else { TexelFormat::Rgba8 };
    let request = DecodeRequest::new().reduce(reduce).format(format);

    let decoder = Decoder::new(Backend::Auto)?;
    let (picture, report) = decoder.render(&image, &request)?;
    println!(
        "{} x {} pixels on {}: {} code-blocks, {:.1} % of the packets were there",
        picture.size.width,
        picture.size.height,
        decoder.backend_name(),
        report.coverage.blocks_coded,
        100.0 * report.completeness(),
    );
    write_png(&output, picture)
}

fn write_png(path: &str, mut picture: Picture) -> Result<(), Box<dyn Error>> {
    let mut encoder =
        png::Encoder::new(BufWriter::new(File::create(path)?), picture.size.width, picture.size.height);
    encoder.set_color(png::ColorType::Rgba);
    if picture.format == TexelFormat::Rgba16 {
        encoder.set_depth(png::BitDepth::Sixteen);
        // Texels are little-endian, PNG is big-endian.
        picture.bytes.chunks_exact_mut(2).for_each(|sample| sample.swap(0, 1));
    }
    encoder.write_header()?.write_image_data(&picture.bytes)?;
    Ok(())
}
