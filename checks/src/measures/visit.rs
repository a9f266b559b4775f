//! A picture over a link: when there is something to see, and when a view at full size is all there (T7).

use crate::flight::{Camera, Flight, FlightOptions};
use std::time::Duration;
use wavetile_engine::Result;

/// A part of the visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// How long it took.
    pub took: Duration,
    /// Bytes of responses that came in it.
    pub bytes: u64,
    /// Requests sent in it.
    pub requests: u64,
    /// A round trip, and the bytes at the rate of the link.
    pub least: Duration,
}

impl Leg {
    /// How much longer it took than it had to.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.took.as_secs_f64() / self.least.as_secs_f64()
    }
}

/// How a visit went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// From the first request to the first picture.
    pub first: Leg,
    /// From then, when the camera jumps to a view at full size, until that is settled.
    pub settled: Leg,
}

/// Opens the picture, and looks at the middle of it at full size as soon as there is a picture.
///
/// # Errors
/// The picture cannot be opened or drawn.
pub fn visit(options: FlightOptions) -> Result<Visit> {
    let mut flight = Flight::open(options)?;
    let (width, height) = (f64::from(options.shape.width), f64::from(options.shape.height));
    let whole =
        (width / f64::from(options.viewport.width)).max(height / f64::from(options.viewport.height)).log2();
    let mut camera = Camera { centre: [width / 2.0, height / 2.0], zoom: whole };
    let leg = |flight: &Flight, start: Duration, (bytes, requests): (u64, u64)| {
        let (all_bytes, all_requests) = flight.traffic();
        let bytes = all_bytes - bytes;
        let rate = Duration::from_secs(1).mul_f64(bytes as f64 / options.link.bytes_per_second as f64);
        let least = 2 * options.link.latency + rate;
        Leg { took: flight.now() - start, bytes, requests: all_requests - requests, least }
    };
    while flight.counts().first_picture.is_none() && flight.counts().frames < 100_000 {
        flight.frame(&camera)?;
    }
    let first = leg(&flight, Duration::ZERO, (0, 0));
    let (start, before) = (flight.now(), flight.traffic());
    camera.zoom = 0.0;
    flight.settle(&camera, 100_000)?;
    Ok(Visit { first, settled: leg(&flight, start, before) })
}
