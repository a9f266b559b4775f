//! A picture on a JPIP server.

use super::Failure;
use super::arguments::{Space, TransportArgument};
use super::progress::Progress;
use super::target::ConnectionArguments;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::runtime::Runtime;
use wavetile_engine::data_bin::{DataBinCache, DataBins};
use wavetile_engine::geometry::{ceil_shift, floor_shift};
use wavetile_engine::image::{DecodeRequest, Image};
use wavetile_engine::view_window::{Rounding, ViewWindow, frame_size};
use wavetile_engine::{Limits, Rect, Size};
use wavetile_transport::client::{Client, ClientConfig, ConnectOptions, FetchSummary, Transport};
use wavetile_transport::jpip::fields::NumberRange;
use wavetile_transport::jpip::metareq::MetadataRequest;
use wavetile_transport::tls::Trust;

/// Which boxes of a file are fetched along with its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boxes {
    /// Those that tell how to show the picture.
    Needed,
    /// All.
    All,
}

/// A connection to a server that has sent the headers of a picture.
pub(crate) struct Remote {
    runtime: Runtime,
    client: Client,
    image: Image,
    /// How the last response ended.
    end: Option<u8>,
}

impl Remote {
    pub(crate) fn connect(
        url: &str,
        arguments: &ConnectionArguments,
        codestream: u32,
        boxes: Boxes,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut config = ClientConfig { connect: connect_options(arguments), ..ClientConfig::default() };
        if boxes == Boxes::All {
            config.jpip.metadata = Some(MetadataRequest::parse("[*]")?);
        }
        config.jpip.codestreams = vec![NumberRange::one(codestream.into())];
        let (client, image, end) = runtime.block_on(async {
            let mut client = Client::connect(url, config).await?;
            let end = fetch(&mut client, None).await?.reason;
            let image = Image::open_codestream(&*read(&client.bins()), codestream, limits)?;
            let missing = || match codestream {
                0 => "the server has not sent the headers of the picture".to_owned(),
                _ => format!("the server has sent no codestream {codestream}: there may be fewer (from 0)"),
            };
            let image = image.ok_or_else(missing)?;
            Ok::<_, Failure>((client, image, end))
        })?;
        Ok(Self { runtime, client, image, end })
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// Fetches what `request` needs.
    pub(crate) fn fetch(&mut self, request: &DecodeRequest, space: Space) -> Result<(), Failure> {
        let window = view_window(&self.image, request, space)?;
        self.end = self.runtime.block_on(fetch(&mut self.client, Some(window)))?.reason;
        Ok(())
    }

    /// What everything so far took, and over which road.
    pub(crate) fn spent(&self) -> (FetchSummary, Transport) {
        (FetchSummary { reason: self.end, ..self.client.spent() }, self.client.transport())
    }

    /// Fetches what `request` needs, ends the session and calls `work` with it.
    pub(crate) fn with_data(
        mut self,
        request: &DecodeRequest,
        space: Space,
        work: impl FnOnce(&Image, &dyn DataBins) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.fetch(request, space)?;
        let bins = self.client.bins();
        self.runtime.block_on(self.client.close());
        work(&self.image, &*read(&bins))
    }

    /// The runtime that drives the client, and the client.
    #[cfg(feature = "viewer")]
    pub(crate) fn into_parts(self) -> (Runtime, Client) {
        (self.runtime, self.client)
    }

    /// Ends the session.
    pub(crate) fn close(self) {
        self.runtime.block_on(self.client.close());
    }
}

fn connect_options(arguments: &ConnectionArguments) -> ConnectOptions {
    let trust = match (&arguments.ca, arguments.fingerprint, arguments.insecure) {
        (Some(file), _, _) => Trust::Authorities(file.clone()),
        (None, Some(fingerprint), _) => Trust::Fingerprint(fingerprint),
        (None, None, true) => Trust::Insecure,
        (None, None, false) => Trust::WebPki,
    };
    let transport = match arguments.transport {
        None => Transport::Auto,
        Some(TransportArgument::H3) => Transport::Http3,
        Some(TransportArgument::Http) => Transport::Http1,
        Some(TransportArgument::Ws) => Transport::WebSocket,
        Some(TransportArgument::Wt) => Transport::WebTransport,
    };
    ConnectOptions { transport, trust, ..ConnectOptions::default() }
}

/// Fetches a window (`None`: headers) with a progress bar.
async fn fetch(client: &mut Client, window: Option<ViewWindow>) -> Result<FetchSummary, Failure> {
    let progress = Progress::bytes("receiving");
    let bins = client.bins();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut fetching = std::pin::pin!(client.fetch(window));
    loop {
        tokio::select! {
            result = &mut fetching => return Ok(result?),
            _ = ticks.tick() => progress.reach(read(&bins).bytes_held()),
        }
    }
}

fn read(bins: &RwLock<DataBinCache>) -> RwLockReadGuard<'_, DataBinCache> {
    bins.read().unwrap_or_else(PoisonError::into_inner)
}

/// The view-window of a rendered picture; `None`, which asks for the headers alone, if it cannot be
/// rendered.
pub(crate) fn rendered_window(image: &Image, request: &DecodeRequest) -> Option<ViewWindow> {
    view_window(image, request, Space::Rendered).ok()
}

/// The view-window that holds what `request` needs.
fn view_window(image: &Image, request: &DecodeRequest, space: Space) -> Result<ViewWindow, Failure> {
    let header = image.header();
    let region = request.region.unwrap_or(image.area()).intersect(image.area());
    let frame_size = frame_size(&header.size, request.reduce);
    let region = in_frame(region, image.area(), request.reduce, frame_size);
    let mut components = match (&request.components, space) {
        (Some(components), _) => Some(components.clone()),
        (None, Space::Rendered) => Some(image.rendering()?.components()),
        (None, Space::Components) => None,
    };
    if let Some(components) = &mut components {
        // The component transform takes its three components together.
        if header.tile_parameters.style.component_transform && components.iter().any(|&index| index < 3) {
            components.extend([0, 1, 2]);
        }
        components.sort_unstable();
        components.dedup();
        if components.len() == header.size.components.len() {
            components.clear();
        }
    }
    Ok(ViewWindow {
        frame_size,
        rounding: Rounding::Closest,
        offset: (region.x0, region.y0),
        region: region.size(),
        layers: request.layers,
        // Without a list, all.
        components: components.filter(|components| !components.is_empty()),
    })
}

/// The samples of the reduced frame, counted from its upper left corner, that hold all grid points of
/// `region`; at least one.
fn in_frame(region: Rect, image: Rect, reduce: u32, frame: Size) -> Rect {
    let span = |start: u32, end: u32, origin: u32, length: u32| {
        let origin = ceil_shift(origin, reduce);
        let start = floor_shift(start, reduce).saturating_sub(origin).min(length.saturating_sub(1));
        let end = ceil_shift(end, reduce).saturating_sub(origin).min(length);
        (start, end.max(start.saturating_add(1)))
    };
    let (x0, x1) = span(region.x0, region.x1, image.x0, frame.width);
    let (y0, y1) = span(region.y0, region.y1, image.y0, frame.height);
    Rect { x0, y0, x1, y1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_in_a_frame_hold_every_sample_of_the_region() {
        let image = Rect::new(23, 5, 230, 177);
        for reduce in 0..5 {
            let level = image.ceil_shift(reduce);
            for region in
                [image, Rect::new(24, 6, 25, 7), Rect::new(100, 5, 163, 90), Rect::new(229, 176, 230, 177)]
            {
                let frame = in_frame(region, image, reduce, level.size());
                let wanted = region.ceil_shift(reduce);
                let found = Rect {
                    x0: frame.x0 + level.x0,
                    y0: frame.y0 + level.y0,
                    x1: frame.x1 + level.x0,
                    y1: frame.y1 + level.y0,
                };
                assert!(found.contains(wanted), "{reduce}: {found:?} {wanted:?}");
                assert!(level.contains(found) && !found.is_empty(), "{reduce}: {found:?} {level:?}");
            }
        }
    }
}
