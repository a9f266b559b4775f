//! A flight: a camera that goes over a picture of any size, whose tiles come over a link, on a virtual clock and on one thread.
//! What is counted is the same in each run.

mod atlas;
mod reference;
mod script;
mod shown;
mod source;

pub use atlas::Atlas;
pub use reference::reference_page;
pub use script::{Camera, Script};
pub use shown::Shown;
pub use source::LinkSource;

use crate::link::{Link, LinkOptions};
use crate::mosaic_picture::MosaicPicture;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use wavetile_engine::data_bin::{DataBinCache, DataBinId};
use wavetile_engine::error::ContainerError;
use wavetile_engine::tiles::{
    FrameReport, PageId, PageKey, PictureId, PictureOptions, PlanarView, Tiles, TilesOptions, View,
};
use wavetile_engine::{Decoder, Image, Limits, Rect, Result, Size};
use wavetile_testing::mosaic::Shape;
use wavetile_transport::jpip::ClientOptions;

/// What a flight has to go with.
#[derive(Clone, Copy, Debug)]
pub struct FlightOptions {
    /// The picture.
    pub shape: Shape,
    /// The link.
    pub link: LinkOptions,
    /// The screen.
    pub viewport: Size,
    /// From one frame to the next.
    pub frame: Duration,
    /// Bytes of the atlas.
    pub device_bytes: u64,
    /// Bytes of compressed data-bins.
    pub compressed_bytes: u64,
    /// Bytes of decoded blocks.
    pub block_bytes: u64,
}

impl Default for FlightOptions {
    /// 103 gigapixels over 20 Mbit/s and 40 ms, 1280 x 720 at 20 frames a second, 128 MiB of device memory, 256 MiB compressed,
    /// 128 MiB of blocks.
    fn default() -> Self {
        Self {
            shape: Shape::VAST,
            link: LinkOptions::default(),
            viewport: Size::new(1280, 720),
            frame: Duration::from_millis(50),
            device_bytes: 128 << 20,
            compressed_bytes: 256 << 20,
            block_bytes: 128 << 20,
        }
    }
}

/// Counts of a flight so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlightCounts {
    /// Frames.
    pub frames: u64,
    /// Frames before the first of an atlas in which something stood in for all that was visible.
    pub blank_frames: u64,
    /// Other frames with a visible page that nothing stood in for.
    pub frames_with_holes: u64,
    /// Such pages, over all these frames.
    pub holes: u64,
    /// The most bytes of the atlas at a time.
    pub most_device_bytes: u64,
    /// The most bytes of data-bins in memory at a time, bookkeeping included.
    pub most_compressed_bytes: u64,
    /// The most bytes of decoded blocks at a time.
    pub most_block_bytes: u64,
    /// Frames whose views were coarser than the screen, since their pages did not fit.
    pub coarser_frames: u64,
    /// When the first picture was there.
    pub first_picture: Option<Duration>,
}

/// A client, its tiles and their atlas.
pub struct Flight {
    options: FlightOptions,
    picture: Arc<MosaicPicture>,
    link: Arc<Mutex<Link>>,
    bins: Arc<RwLock<DataBinCache>>,
    image: Image,
    tiles: Tiles,
    atlas: Atlas,
    id: PictureId,
    now: Duration,
    counts: FlightCounts,
    shown: Shown,
    /// The atlas is new, and has had nothing for all that is visible.
    is_blank: bool,
    /// Bytes of bins dropped so far.
    evicted: u64,
}

impl Flight {
    /// Opens the picture over the link: its headers, and what the client takes with them. Pages are made and kept in host memory.
    ///
    /// # Errors
    /// The picture cannot be opened or drawn.
    pub fn open(options: FlightOptions) -> Result<Self> {
        Self::open_with(options, &Decoder::cpu(), |tiles| Ok(Atlas::host(tiles, options.device_bytes)))
    }

    /// The same with pages that are made and kept on a device.
    ///
    /// # Errors
    /// The picture cannot be opened or drawn, or the device has not the memory.
    #[cfg(feature = "gpu")]
    pub fn open_on(options: FlightOptions, context: &wavetile_engine::gpu::Context) -> Result<Self> {
        let decoder = Decoder::with_gpu(context.clone())?;
        Self::open_with(options, &decoder, |tiles| {
            Atlas::device(context.clone(), tiles, options.device_bytes)
        })
    }

    fn open_with(
        options: FlightOptions,
        decoder: &Decoder,
        atlas: impl FnOnce(&mut Tiles) -> Result<Atlas>,
    ) -> Result<Self> {
        let picture = Arc::new(MosaicPicture::new(options.shape)?);
        let client = ClientOptions::new("").overview(Some(OVERVIEW));
        let mut link = Link::with_client(picture.clone(), options.link, client);
        link.client().set_memory(Some(options.compressed_bytes));
        let mut opened = None;
        while opened.is_none() && link.step() {
            opened = link.client().image(&Limits::default())?;
        }
        let image = opened.ok_or(ContainerError::MissingBox { kind: "jp2c" })?;
        let (now, bins) = (link.now(), link.client().bins());
        let link = Arc::new(Mutex::new(link));
        let source = LinkSource::new(link.clone(), bins.clone(), image.clone());
        let tiles_options = TilesOptions::new().block_bytes(options.block_bytes).fade(Duration::ZERO);
        let mut tiles = Tiles::new(decoder, tiles_options);
        let atlas = atlas(&mut tiles)?;
        let id = tiles.add(&image, PictureOptions::default(), Some(Arc::new(source)))?;
        let (counts, shown) = (FlightCounts::default(), Shown::new(&image)?);
        Ok(Self {
            options,
            picture,
            link,
            bins,
            image,
            tiles,
            atlas,
            id,
            now,
            counts,
            shown,
            is_blank: true,
            evicted: 0,
        })
    }

    /// The next frame, of what the camera sees.
    ///
    /// # Errors
    /// The device is lost.
    pub fn frame(&mut self, camera: &Camera) -> Result<()> {
        self.now += self.options.frame;
        self.with_link(|link, now| link.run_until(now));
        let pixels = camera.pixels(self.options.viewport);
        let view = PlanarView { picture: self.id, pixels, viewport: self.options.viewport };
        self.tiles.update(&[View::Planar(view)], self.now);
        self.atlas.poll(&mut self.tiles)?;
        while self.tiles.work() {
            self.atlas.poll(&mut self.tiles)?;
        }
        self.count(camera);
        Ok(())
    }

    /// Frames of what the camera sees until nothing more is to come of it, or `most` are over; whether it settled.
    ///
    /// # Errors
    /// The device is lost.
    pub fn settle(&mut self, camera: &Camera, most: u64) -> Result<bool> {
        for _ in 0..most {
            self.frame(camera)?;
            if self.report().settled {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count(&mut self, camera: &Camera) {
        let report = *self.tiles.report();
        let evicted = self.with_link(|link, _| link.client().progress().evicted);
        let counts = &mut self.counts;
        counts.frames += 1;
        self.is_blank &= report.visible == 0 || report.holes > 0;
        if self.is_blank {
            counts.blank_frames += 1;
        } else {
            counts.first_picture = counts.first_picture.or(Some(self.now));
            counts.holes += report.holes as u64;
            counts.frames_with_holes += u64::from(report.holes > 0);
        }
        counts.coarser_frames += u64::from(report.coarser > 0);
        counts.most_device_bytes = counts.most_device_bytes.max(self.atlas.most_bytes());
        counts.most_block_bytes = counts.most_block_bytes.max(report.totals.most_block_bytes);
        let bins = self.bins.read().unwrap_or_else(PoisonError::into_inner);
        counts.most_compressed_bytes = counts.most_compressed_bytes.max(bins.memory());
        if self.evicted != evicted {
            self.evicted = evicted;
            self.shown.note_dropped(&bins);
        }
        let whole = self.image.area();
        let [x0, y0, x1, y1] = camera.pixels(self.options.viewport);
        // `as` saturates.
        let region = Rect::new(x0 as u32, y0 as u32, x1.ceil() as u32, y1.ceil() as u32).intersect(whole);
        self.shown.see(&bins, region, camera.reduce().min(self.image.levels()));
    }

    fn with_link<T>(&self, look: impl FnOnce(&mut Link, Duration) -> T) -> T {
        look(&mut self.link.lock().unwrap_or_else(PoisonError::into_inner), self.now)
    }

    /// What it has to go with.
    #[must_use]
    pub const fn options(&self) -> &FlightOptions {
        &self.options
    }

    /// The picture as the server has it.
    #[must_use]
    pub const fn picture(&self) -> &Arc<MosaicPicture> {
        &self.picture
    }

    /// The time, from the first request on.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Counts so far.
    #[must_use]
    pub const fn counts(&self) -> FlightCounts {
        self.counts
    }

    /// What the last frame found.
    #[must_use]
    pub const fn report(&self) -> &FrameReport {
        self.tiles.report()
    }

    /// Bytes of responses, messages and all, and requests so far.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        self.with_link(|link, _| (link.bytes_sent(), link.requests()))
    }

    /// Bytes of data-bins that came so far, those that came again counted again; and how many of them were on the screen.
    #[must_use]
    pub fn fetched_and_shown(&self) -> (u64, u64) {
        let progress = self.with_link(|link, _| link.client().progress());
        (progress.new + progress.duplicate + progress.dropped, self.shown.bytes())
    }

    /// The atlas goes, with its device if it has one, and another takes its place.
    ///
    /// # Errors
    /// There is no other device.
    pub fn lose_atlas(&mut self) -> Result<()> {
        self.is_blank = true;
        self.atlas.lose(&mut self.tiles)
    }

    /// The pages that the camera sees at its level and that are in the atlas: of each the texels that filtering reads there.
    #[must_use]
    pub fn visible_texels(&self, camera: &Camera) -> Vec<(PageId, Vec<u8>)> {
        let pages = self.visible_pages(camera).into_iter();
        let texels = |page| {
            let texels = self.atlas.page(PageKey { picture: self.id, page })?;
            Some((page, self.visible_part(camera, page, &texels)))
        };
        pages.filter_map(texels).collect()
    }

    /// Pages that the camera sees at its level.
    #[must_use]
    pub fn visible_pages(&self, camera: &Camera) -> Vec<PageId> {
        let (Some(pyramid), reduce) = (self.tiles.pyramid(self.id), self.reduce(camera)) else {
            return Vec::new();
        };
        let texels = pyramid.texels_under(reduce, camera.pixels(self.options.viewport));
        let Some((columns, rows)) = pyramid.pages(reduce, texels) else { return Vec::new() };
        rows.flat_map(|y| columns.clone().map(move |x| PageId { reduce, x, y })).collect()
    }

    fn reduce(&self, camera: &Camera) -> u32 {
        camera.reduce().min(self.image.levels())
    }

    /// Takes the picture out and ends the session. What is left must be nothing.
    ///
    /// # Errors
    /// The device is lost.
    pub fn close(mut self) -> Result<Remains> {
        self.tiles.remove(self.id);
        for _ in 0..2 {
            self.tiles.update(&[], self.now);
            self.atlas.poll(&mut self.tiles)?;
            while self.tiles.work() {}
        }
        let report = *self.tiles.report();
        let sessions = self.with_link(|link, _| {
            link.client().close();
            link.run();
            link.sessions() as u64
        });
        let bins = Arc::downgrade(&self.bins);
        drop(self);
        let pages = report.used as u64;
        Ok(Remains {
            pages,
            block_bytes: report.totals.block_bytes,
            bins: bins.strong_count() as u64,
            sessions,
        })
    }
}

/// What is left of a flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Pages in the atlas.
    pub pages: u64,
    /// Bytes of decoded blocks.
    pub block_bytes: u64,
    /// Who still holds the data-bins.
    pub bins: u64,
    /// Sessions at the server.
    pub sessions: u64,
}

/// What comes along with the headers.
const OVERVIEW: Size = Size::new(256, 256);

/// Bins that every view needs.
pub(crate) const HEADERS: [DataBinId; 3] =
    [DataBinId::MainHeader, DataBinId::TileHeader(0), DataBinId::Metadata(0)];
