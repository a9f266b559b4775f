//! The demo without a display: overview, zoom, pan, frame by frame; a picture of each and a table.

use super::screen::Screen;
use crate::console::Failure;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use wavetile_engine::tiles::{
    FrameBudget, FrameReport, HostAtlas, PictureId, PictureOptions, TileTotals, Tiles, TilesOptions, View,
};
use wavetile_engine::{Decoder, Image, Size};
use wavetile_transport::client::Session;
use wavetile_transport::jpip::{Event, Progress};

/// What is looked at, one after another.
const STEPS: [(&str, Screen); 4] = [
    ("overview", Screen { corner: [0, 0], reduce: 3, size: Size::new(1024, 1024) }),
    ("zoom-4x", Screen { corner: [2800, 2600], reduce: 1, size: Size::new(1024, 768) }),
    ("zoom-8x", Screen { corner: [3360, 3072], reduce: 0, size: Size::new(1024, 768) }),
    ("pan", Screen { corner: [3616, 3072], reduce: 0, size: Size::new(1024, 768) }),
];
/// Bytes of pages that are kept.
const ATLAS_BYTES: u64 = 64 << 20;
/// From a frame to the next one at most, while there is something to wait for.
const FRAME: Duration = Duration::from_millis(16);

/// What one step took.
struct Row {
    name: &'static str,
    size: Size,
    transfer: [Progress; 2],
    first: Duration,
    settled: Duration,
    totals: [TileTotals; 2],
    report: FrameReport,
    /// Of the packets that a decode of what is seen would need, those that are there.
    complete: f64,
}

pub(super) fn run(runtime: &Runtime, session: Session, image: &Image) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("wavetile-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    let decoder = Decoder::cpu();
    // Pictures are saved as soon as they are there: nothing fades.
    let options = TilesOptions::new().fade(Duration::ZERO).wake(Arc::new(move || wake.notify_one()));
    let mut tiles = Tiles::new(&decoder, options);
    let atlas = HostAtlas::new(&mut tiles, ATLAS_BYTES);
    let source = Arc::new(session.tile_source(image));
    let picture = tiles.add(image, PictureOptions::default(), Some(source))?;
    tiles.start()?;
    let image = image.clone();
    let mut window = Window { decoder, image, session, tiles, atlas, picture, woken, start: Instant::now() };
    let mut rows = Vec::new();
    for (number, (name, screen)) in STEPS.iter().enumerate() {
        let stem = folder.join(format!("{}-{name}", number + 1));
        rows.push(runtime.block_on(window.step(name, screen, &stem))?);
    }
    drop(window.tiles);
    runtime.block_on(window.session.close());
    println!("decoded on: {}", window.decoder.backend_name());
    print_table(&rows);
    println!("pictures: {}", folder.display());
    Ok(())
}

/// A window, but for the display.
struct Window {
    decoder: Decoder,
    image: Image,
    session: Session,
    tiles: Tiles,
    atlas: HostAtlas,
    picture: PictureId,
    /// There is something new to draw.
    woken: Arc<Notify>,
    start: Instant,
}

impl Window {
    /// Shows one view until nothing more is to come: saves the first frame without a hole, and the last one.
    async fn step(&mut self, name: &'static str, screen: &Screen, stem: &Path) -> Result<Row, Failure> {
        let views = [View::Planar(screen.view(self.picture))];
        let (transfer, totals) = (self.session.progress(), self.tiles.report().totals);
        let start = Instant::now();
        let mut first = None;
        loop {
            self.tiles.update(&views, self.start.elapsed());
            self.atlas.poll(&mut self.tiles, FrameBudget::default());
            let report = *self.tiles.report();
            if first.is_none() && report.visible > 0 && report.holes == 0 {
                // Drawn later: without a device that takes its time.
                first = Some((start.elapsed(), self.atlas.clone()));
            }
            if let Some(error) = self.tiles.error(self.picture) {
                return Err(error.to_string().into());
            }
            if report.settled {
                let settled = start.elapsed();
                let (first, atlas) = first.unwrap_or_else(|| (settled, self.atlas.clone()));
                for (atlas, ending) in [(&atlas, "first.png"), (&self.atlas, "png")] {
                    screen.save(&screen.draw(atlas, self.picture), &stem.with_extension(ending))?;
                }
                let prepared = self.decoder.prepare(&self.image, &screen.request())?;
                return Ok(Row {
                    name,
                    size: screen.size,
                    transfer: [transfer, self.session.progress()],
                    first,
                    settled,
                    totals: [totals, report.totals],
                    report,
                    complete: prepared.report().completeness(),
                });
            }
            self.next_frame().await?;
        }
    }

    /// Waits until there is something to draw, but not for long.
    async fn next_frame(&mut self) -> Result<(), Failure> {
        let mut next = std::pin::pin!(tokio::time::sleep(FRAME));
        loop {
            tokio::select! {
                () = self.woken.notified() => return Ok(()),
                () = &mut next => return Ok(()),
                event = self.session.next_event() => match event {
                    Some(Event::Failed(error) | Event::Interrupted(error)) => return Err(error.into()),
                    Some(_) => {}
                    None => return Err("the connection is closed".into()),
                },
            }
        }
    }
}

fn print_table(rows: &[Row]) {
    println!(
        "{:<10} {:>12} {:>12} {:>10} {:>10} {:>12} {:>8} {:>8} {:>6} {:>9} {:>9}",
        "view",
        "pixels",
        "bytes",
        "duplicate",
        "first, ms",
        "settled, ms",
        "decoded",
        "reused",
        "made",
        "resident",
        "complete"
    );
    for row in rows {
        let ([before, after], [old, new]) = (&row.transfer, &row.totals);
        println!(
            "{:<10} {:>12} {:>12} {:>10} {:>10} {:>12} {:>8} {:>8} {:>6} {:>9} {:>8.0}%",
            row.name,
            format!("{} x {}", row.size.width, row.size.height),
            after.received - before.received,
            after.duplicate - before.duplicate,
            row.first.as_millis(),
            row.settled.as_millis(),
            new.blocks_decoded - old.blocks_decoded,
            new.blocks_reused - old.blocks_reused,
            new.pages_made - old.pages_made,
            format!("{}/{}", row.report.resident, row.report.visible),
            100.0 * row.complete
        );
    }
    println!(
        "decoded, reused: code-blocks; made: pages; resident: of the pages that are seen; complete: packets"
    );
}
