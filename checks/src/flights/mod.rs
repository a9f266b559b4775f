//! A flight over a picture of 100 gigapixels, as a table of what it took; it fails where a goal is missed.

mod goals;

use crate::ALLOCATOR;
use goals::Goals;
use std::time::{Duration, Instant};
use wavetile_checks::flight::{Camera, Flight, FlightOptions, Script};
use wavetile_checks::link::LinkOptions;
use wavetile_engine::Size;
#[cfg(feature = "gpu")]
use wavetile_engine::{error::DeviceError, gpu::Context};
use wavetile_testing::mosaic::Shape;
use wavetile_testing::random::Random;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds of the flight, on its own clock
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Hours of the flight, in place of seconds
    #[arg(long)]
    hours: Option<u64>,
    /// Another seed is another flight
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Mbit/s of the link
    #[arg(long, default_value_t = 20)]
    rate: u64,
    /// Milliseconds there and back
    #[arg(long, default_value_t = 40)]
    round_trip: u64,
    /// MiB of the atlas
    #[arg(long, default_value_t = 128)]
    device: u64,
    /// MiB of compressed data-bins
    #[arg(long, default_value_t = 256)]
    compressed: u64,
    /// MiB of decoded blocks
    #[arg(long, default_value_t = 128)]
    blocks: u64,
    /// Make and keep pages on a device
    #[cfg(feature = "gpu")]
    #[arg(long)]
    gpu: bool,
    /// Per cent of the bytes that come and are never drawn, at most
    #[arg(long, default_value_t = 5.0)]
    unseen: f64,
    /// Frames a second
    #[arg(long, default_value_t = 20)]
    frames: u32,
    /// Moments at which the atlas is lost, with its device
    #[arg(long, default_value_t = 4)]
    losses: u32,
}

/// Whether all goals were met.
///
/// # Errors
/// The picture cannot be opened.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, String> {
    let options = FlightOptions {
        link: LinkOptions {
            latency: Duration::from_millis(arguments.round_trip) / 2,
            bytes_per_second: arguments.rate * 1_000_000 / 8,
            ..LinkOptions::default()
        },
        frame: Duration::from_secs(1) / arguments.frames.max(1),
        device_bytes: arguments.device << 20,
        compressed_bytes: arguments.compressed << 20,
        block_bytes: arguments.blocks << 20,
        ..FlightOptions::default()
    };
    let Some(place) = Place::of(arguments)? else { return Ok(true) };
    // What is made once for the process is not a leak.
    fly(
        &place,
        FlightOptions { shape: Shape::SMALL, ..options },
        Duration::from_secs(2),
        arguments.seed,
        (0, 1.0),
        &mut Goals::default(),
    )?;
    let memory = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let length = arguments
        .hours
        .map_or(Duration::from_secs(arguments.seconds), |hours| Duration::from_secs(3600 * hours));
    let started = Instant::now();
    let mut goals = Goals::default();
    fly(&place, options, length, arguments.seed, (arguments.losses, arguments.unseen / 100.0), &mut goals)?;
    let most = ALLOCATOR.peak_usage().saturating_sub(memory);
    let left = ALLOCATOR.current_usage().saturating_sub(memory);
    goals.note("memory of the process, most at a time", format_args!("{}", mib(most as u64)));
    goals.at_most("memory left when all is closed", left as u64, 1 << 20, "bytes");
    goals.note(
        "seconds flown, and taken",
        format_args!("{}, {}", length.as_secs(), started.elapsed().as_secs()),
    );
    print!("{goals}");
    Ok(goals.are_met())
}

fn fly(
    place: &Place,
    options: FlightOptions,
    length: Duration,
    seed: u64,
    (losses, most_unseen): (u32, f64),
    goals: &mut Goals,
) -> Result<(), String> {
    let told = |error: wavetile_engine::Error| error.to_string();
    let Shape { width, height, .. } = options.shape;
    let mut script = Script::new(seed, Size::new(width, height), options.viewport);
    let mut random = Random::new(seed ^ 0x1055);
    let mut flight = place.open(options).map_err(told)?;
    let frames = (length.as_nanos() / options.frame.as_nanos().max(1)) as u64;
    // In each part of the flight one.
    let part = frames / u64::from(losses + 1);
    let moments: Vec<u64> =
        (1..=u64::from(losses)).map(|loss| loss * part - u64::from(random.below(part as u32 / 2))).collect();
    let mut pages = Pages::default();
    for frame in 1..=frames {
        let camera = script.advance(options.frame);
        flight.frame(&camera).map_err(told)?;
        if moments.contains(&frame) {
            pages.lose(&mut flight, &camera).map_err(told)?;
        }
    }
    let camera = script.camera();
    pages.settled(&mut flight, &camera).map_err(told)?;
    let (counts, totals) = (flight.counts(), flight.report().totals);
    let (fetched, shown) = flight.fetched_and_shown();
    let (sent, requests) = flight.traffic();

    goals.note(
        "frames",
        format_args!("{}, of which {} before the first picture", counts.frames, counts.blank_frames),
    );
    goals.note("first picture", format_args!("{:?}", counts.first_picture));
    goals.at_most("frames with holes (T4)", counts.frames_with_holes, 0, "frames");
    goals.at_most("bytes of the atlas (T4)", counts.most_device_bytes, options.device_bytes, "bytes");
    goals.at_most("bytes of data-bins (T4)", counts.most_compressed_bytes, options.compressed_bytes, "bytes");
    goals.at_most("bytes of decoded blocks (T4)", counts.most_block_bytes, options.block_bytes, "bytes");
    goals.note("frames coarser than the screen", format_args!("{}", counts.coarser_frames));
    goals.note(
        "pages",
        format_args!(
            "{} made, {} refined, {} evicted, {} dropped",
            totals.pages_made, totals.pages_refined, totals.evicted, totals.dropped
        ),
    );
    goals.note(
        "code-blocks",
        format_args!(
            "{} decoded, {} resumed, {} reused",
            totals.blocks_decoded, totals.blocks_resumed, totals.blocks_reused
        ),
    );
    goals.note("texels written", format_args!("{}", totals.texels));
    goals.note("traffic", format_args!("{sent} bytes in {requests} responses"));
    let unseen = fetched.saturating_sub(shown) as f64 / fetched.max(1) as f64;
    goals.share("bytes fetched and never shown (T8)", unseen, most_unseen);
    goals.at_most("settled pages unlike the reference (T5)", pages.wrong, 0, "pages");
    goals.at_least("settled pages compared (T5)", pages.compared, 1, "pages");
    goals.at_most("atlases lost (T6): pages not as before", pages.changed, 0, "pages");
    goals.at_most("atlases lost (T6): bytes of data-bins from the network", pages.bytes, 0, "bytes");
    goals.at_least("atlases lost (T6)", pages.lost, u64::from(losses), "atlases");
    goals.at_most("views that never settled", pages.unsettled, 0, "views");

    let remains = flight.close().map_err(told)?;
    goals.at_most("pages left (T4)", remains.pages, 0, "pages");
    goals.at_most("bytes of decoded blocks left (T4)", remains.block_bytes, 0, "bytes");
    goals.at_most("holders of the data-bins left (T4)", remains.bins, 0, "holders");
    goals.at_most("sessions left at the server (T4)", remains.sessions, 0, "sessions");
    Ok(())
}

/// Where pages are made and kept.
enum Place {
    Host,
    #[cfg(feature = "gpu")]
    Device(Box<Context>),
}

impl Place {
    /// `None`, which is said, if there is no device.
    fn of(arguments: &Arguments) -> Result<Option<Self>, String> {
        #[cfg(feature = "gpu")]
        if arguments.gpu {
            return match Context::request_blocking() {
                Ok(context) => Ok(Some(Self::Device(Box::new(context)))),
                Err(DeviceError::NoAdapter { reason }) => {
                    wavetile_testing::skip_adapter(reason);
                    Ok(None)
                }
                Err(error) => Err(error.to_string()),
            };
        }
        let _ = arguments;
        Ok(Some(Self::Host))
    }

    fn open(&self, options: FlightOptions) -> wavetile_engine::Result<Flight> {
        match self {
            Self::Host => Flight::open(options),
            #[cfg(feature = "gpu")]
            Self::Device(context) => Flight::open_on(options, context),
        }
    }
}

/// What was found of pages.
#[derive(Default)]
struct Pages {
    compared: u64,
    wrong: u64,
    lost: u64,
    changed: u64,
    bytes: u64,
    unsettled: u64,
}

/// Frames after which a view that does not change is settled.
const MOST_FRAMES: u64 = 3000;

impl Pages {
    /// The view settles, and is compared with the reference.
    fn settled(&mut self, flight: &mut Flight, camera: &Camera) -> wavetile_engine::Result<Vec<Vec<u8>>> {
        self.unsettled += u64::from(!flight.settle(camera, MOST_FRAMES)?);
        let pages = flight.visible_texels(camera);
        for (page, texels) in &pages {
            self.compared += 1;
            self.wrong += u64::from(flight.reference(camera, *page)? != *texels);
        }
        Ok(pages.into_iter().map(|(_, texels)| texels).collect())
    }

    /// The atlas is lost, and made again.
    fn lose(&mut self, flight: &mut Flight, camera: &Camera) -> wavetile_engine::Result<()> {
        let before = self.settled(flight, camera)?;
        let (bytes, _) = flight.fetched_and_shown();
        flight.lose_atlas()?;
        self.lost += 1;
        self.unsettled += u64::from(!flight.settle(camera, MOST_FRAMES)?);
        let after: Vec<Vec<u8>> =
            flight.visible_texels(camera).into_iter().map(|(_, texels)| texels).collect();
        let same = before.iter().zip(&after).filter(|(before, after)| before == after).count();
        self.changed += (before.len().max(after.len()) - same) as u64;
        self.bytes += flight.fetched_and_shown().0 - bytes;
        Ok(())
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}
