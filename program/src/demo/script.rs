//! The demo without a display: overview, zoom, pan; a picture of each and a table.

use crate::console::Failure;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wavetile_engine::{Backend, DecodeRequest, Decoder, Image, Picture, Rect, Report};
use wavetile_transport::client::Session;
use wavetile_transport::jpip::Event;

/// What is looked at, one after another: name, region on the reference grid, discarded levels.
const STEPS: [(&str, Rect, u32); 4] = [
    ("overview", Rect::new(0, 0, 8192, 8192), 3),
    ("zoom-4x", Rect::new(2800, 2600, 4848, 4136), 1),
    ("zoom-8x", Rect::new(3360, 3072, 4384, 3840), 0),
    ("pan", Rect::new(3616, 3072, 4640, 3840), 0),
];

/// What one step took.
struct Row {
    name: &'static str,
    picture: String,
    received: u64,
    duplicate: u64,
    first: Duration,
    settled: Duration,
    report: Report,
}

pub(super) fn run(runtime: &Runtime, mut session: Session) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("wavetile-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let decoder = Decoder::new(Backend::Auto)?;
    if let Some(notice) = decoder.notice() {
        println!("{notice}");
    }
    let bins = session.bins();
    let image = runtime.block_on(async {
        session.fetch(None).await?;
        Image::open_stream(bins)?.image().ok_or_else(|| Failure::from("the headers did not arrive"))
    })?;
    let mut rows = Vec::new();
    for (number, &(name, region, reduce)) in STEPS.iter().enumerate() {
        let request = DecodeRequest::new().reduce(reduce).region(region);
        let stem = folder.join(format!("{}-{name}", number + 1));
        let row = runtime.block_on(step(&mut session, &decoder, &image, name, &request, &stem))?;
        rows.push(row);
    }
    runtime.block_on(session.close());
    print_table(&rows, &decoder);
    println!("pictures: {}", folder.display());
    Ok(())
}

/// Shows one view: saves the first picture that can be drawn, and the finished one.
async fn step(
    session: &mut Session,
    decoder: &Decoder,
    image: &Image,
    name: &'static str,
    request: &DecodeRequest,
    stem: &Path,
) -> Result<Row, Failure> {
    let before = session.progress();
    let start = Instant::now();
    let mut first = None;
    let window = session.set_window(image.rendered_window(request).ok());
    loop {
        let event = session.next_event().await.ok_or("the connection is closed")?;
        let complete = match event {
            Event::Failed(error) => return Err(error.into()),
            Event::WindowComplete { window: which, .. } => which == window,
            _ => false,
        };
        if first.is_some() && !complete {
            continue;
        }
        let (picture, report) = decoder.render(image, request)?;
        if first.is_none() && report.is_picture() {
            first = Some(start.elapsed());
            save(&picture, &stem.with_extension("first.png"))?;
        }
        if complete {
            let settled = start.elapsed();
            save(&picture, &stem.with_extension("png"))?;
            let after = session.progress();
            return Ok(Row {
                name,
                picture: format!("{} x {}", picture.size.width, picture.size.height),
                received: after.received - before.received,
                duplicate: after.duplicate - before.duplicate,
                first: first.unwrap_or(settled),
                settled,
                report,
            });
        }
    }
}

fn save(picture: &Picture, path: &Path) -> Result<(), Failure> {
    let colour = image::ExtendedColorType::Rgba8;
    Ok(image::save_buffer(path, &picture.bytes, picture.size.width, picture.size.height, colour)?)
}

fn print_table(rows: &[Row], decoder: &Decoder) {
    println!("decoded on: {}", decoder.backend_name());
    println!(
        "{:<10} {:>12} {:>12} {:>10} {:>12} {:>11} {:>8} {:>9}",
        "view", "pixels", "bytes", "duplicate", "first, ms", "settled, ms", "blocks", "complete"
    );
    for row in rows {
        println!(
            "{:<10} {:>12} {:>12} {:>10} {:>12} {:>11} {:>8} {:>8.0}%",
            row.name,
            row.picture,
            row.received,
            row.duplicate,
            row.first.as_millis(),
            row.settled.as_millis(),
            row.report.coverage.blocks_coded,
            row.report.completeness() * 100.0
        );
    }
}
