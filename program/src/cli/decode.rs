//! `wavetile decode`: a picture, or a part of it, to a file.

use super::arguments::{BackendArgument, LimitsArgument, Space, UpSamplingArgument, WindowArguments};
use super::connection::ConnectionArguments;
use super::output::{Channel, OutputFormat, Raster, Samples};
use super::progress::Progress;
use super::remote::Boxes;
use super::target::Target;
use crate::console::{Failure, remark};
use std::path::PathBuf;
use wavetile_engine::rendering::Rendering;
use wavetile_engine::{
    Backend, Component, DecodeRequest, Decoder, Image, Picture, Report, Size, TexelFormat, UpSampling,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file, or jpip://HOST:PORT/NAME; or http, ws, and, always encrypted, jpips, https, wss
    target: Target,
    /// Where to; the ending chooses the format: .png .ppm .pgm .pgx .i32
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    window: WindowArguments,
    /// Where to decode
    #[arg(long, value_enum, default_value_t)]
    backend: BackendArgument,
    /// The picture, or the codestream's components before palette, colour conversion and up-sampling
    #[arg(long, value_enum, default_value_t)]
    space: Space,
    /// How sub-sampled chroma is brought to the size of the picture
    #[arg(long, value_enum, default_value_t)]
    up_sampling: UpSamplingArgument,
    /// What the picture may cost before it is refused
    #[arg(long, value_enum, default_value_t)]
    limits: LimitsArgument,
    #[command(flatten)]
    connection: ConnectionArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // Refuse what cannot be written before the work.
    let format = OutputFormat::of(&arguments.output)?;
    let request = arguments.window.request().up_sampling(match arguments.up_sampling {
        UpSamplingArgument::Linear => UpSampling::Linear,
        UpSamplingArgument::Repeated => UpSampling::Repeated,
    });
    let opened = arguments.target.open(
        &arguments.connection,
        arguments.window.codestream,
        Boxes::Needed,
        &arguments.limits.into(),
    )?;
    // What the headers rule out is refused before data is fetched or a GPU is looked for.
    match arguments.space {
        Space::Rendered => opened.image().rendered_size(&request).map(drop)?,
        Space::Components => opened.image().component_rects(&request).map(drop)?,
    }
    let decoder = Decoder::new(match arguments.backend {
        BackendArgument::Auto => Backend::Auto,
        BackendArgument::Cpu => Backend::Cpu,
        BackendArgument::Gpu => Backend::Gpu,
    })?;
    if let Some(notice) = decoder.notice() {
        remark(notice);
    }
    let image = opened.into_image(&request, arguments.space)?;
    for warning in &image.container().warnings {
        remark(warning);
    }
    match arguments.space {
        Space::Rendered => render(&decoder, &image, request, format, &arguments.output),
        Space::Components => components(&decoder, &image, &request, format, &arguments.output),
    }
}

fn render(
    decoder: &Decoder,
    image: &Image,
    request: DecodeRequest,
    format: OutputFormat,
    path: &std::path::Path,
) -> Result<(), Failure> {
    let rendering = match &request.components {
        Some(components) => Rendering::of_components(&image.header().size, components)?,
        None => image.rendering()?.clone(),
    };
    for note in &rendering.notes {
        remark(note);
    }
    let (picture, report) = {
        let _progress = Progress::spinner("decoding");
        decoder.render(image, &request.format(texel_format(&rendering)))?
    };
    tell(&report);
    write(format, path, &rendered_raster(&rendering, &picture))?;
    broken(report)
}

/// The smallest format that holds the picture.
fn texel_format(rendering: &Rendering) -> TexelFormat {
    match (rendering.depth(), rendering.colour.is_grey(), rendering.alpha) {
        (..=8, _, _) => TexelFormat::Rgba8,
        (_, true, None) => TexelFormat::R16,
        _ => TexelFormat::Rgba16,
    }
}

fn rendered_raster<'a>(rendering: &Rendering, picture: &'a Picture) -> Raster<'a> {
    let bytes = &picture.bytes[..];
    let channel = |start: usize| {
        let (depth, samples) = match picture.format {
            TexelFormat::R16 => (16, Samples::Words { bytes, start, step: 1 }),
            TexelFormat::Rgba16 => (16, Samples::Words { bytes, start, step: 4 }),
            _ => (8, Samples::Bytes { bytes, start, step: 4 }),
        };
        Channel { size: picture.size, depth, signed: false, samples }
    };
    let colours = if rendering.colour.is_grey() { 1 } else { 3 };
    let alpha = rendering.alpha.map(|_| 3);
    Raster { channels: (0..colours).chain(alpha).map(channel).collect(), alpha: alpha.is_some() }
}

fn components(
    decoder: &Decoder,
    image: &Image,
    request: &DecodeRequest,
    format: OutputFormat,
    path: &std::path::Path,
) -> Result<(), Failure> {
    let (components, report) = {
        let _progress = Progress::spinner("decoding");
        decoder.components(image, request)?
    };
    tell(&report);
    write(format, path, &component_raster(&components))?;
    broken(report)
}

fn component_raster(components: &[Component]) -> Raster<'_> {
    let channels = components
        .iter()
        .map(|component| Channel {
            size: Size::new(component.rect.width(), component.rect.height()),
            depth: component.depth,
            signed: component.signed,
            samples: Samples::I32(&component.samples),
        })
        .collect();
    Raster { channels, alpha: false }
}

fn write(format: OutputFormat, path: &std::path::Path, raster: &Raster<'_>) -> Result<(), Failure> {
    let rows = raster.channels.iter().map(|channel| u64::from(channel.size.height)).sum();
    let progress = Progress::rows("writing", rows);
    format.write(path, raster, &|rows| progress.advance(rows))?;
    Ok(())
}

/// A picture with broken packets is written as far as it goes, but it is a failure.
fn broken(report: Report) -> Result<(), Failure> {
    report.coverage.damage.map_or(Ok(()), |damage| Err(damage.into()))
}

/// Says what was missing or damaged.
fn tell(report: &Report) {
    if report.damaged_blocks > 0 {
        remark(&format!(
            "{} code-blocks are damaged and were decoded as far as possible",
            report.damaged_blocks
        ));
    }
    let share = report.completeness();
    if share < 1.0 {
        // Rounded down: an incomplete picture never shows as 100 %.
        let tenths = (share * 1000.0).floor() / 10.0;
        remark(&format!("the picture is incomplete: {tenths} % of its packets were there"));
    }
}
