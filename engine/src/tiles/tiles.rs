//! The host's handle: what is looked at goes in, what is in the atlas comes out.

use super::mailbox::{Mailbox, Orders, Standing};
use super::making::{BlockCache, PageMaker};
use super::options::TilesOptions;
use super::page::{PageKey, PictureId};
use super::picture::{PictureOptions, TilePicture};
use super::pyramid::Pyramid;
use super::report::FrameReport;
use super::residency::Residency;
use super::selection::{Pyramids, Selector};
use super::source::{TileSource, Wake};
use super::view::View;
use super::workshop::Workshop;
use crate::decoder::Decoder;
use crate::error::{Error, RequestError, Result};
use crate::image::Image;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Pictures as virtual textures: says which of their pages are wanted, and keeps those that are in an atlas.
///
/// Each frame, [`update`](Self::update) takes what is looked at; then the atlas, a [`HostAtlas`](super::HostAtlas) or on a
/// device a [`VirtualTexture`](super::VirtualTexture), takes the pages that are made. They are made by a thread of the tiles'
/// own ([`start`](Self::start)), or whenever the host calls [`work`](Self::work).
pub struct Tiles {
    pub(super) options: TilesOptions,
    pub(super) decoder: Decoder,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) workshop: Arc<Workshop>,
    pub(super) blocks: Arc<BlockCache>,
    pub(super) started: bool,
    pub(super) pictures: Pictures,
    pub(super) next_picture: u32,
    pub(super) residency: Residency,
    pub(super) selector: Selector,
    pub(super) frame: u64,
    pub(super) now: Duration,
    pub(super) views: Vec<View>,
    pub(super) views_changed: Duration,
    /// What was ordered last.
    pub(super) ordered: Orders,
    pub(super) order_again: bool,
    pub(super) gone: Vec<PageKey>,
    pub(super) standing: Standing,
    pub(super) missing_since: HashMap<PageKey, Duration>,
    pub(super) errors: HashMap<PictureId, Error>,
    pub(super) replaced: Vec<PictureId>,
    pub(super) table_changed: bool,
    pub(super) report: FrameReport,
}

pub(super) struct Entry {
    pub(super) tile: Arc<TilePicture>,
    pub(super) options: PictureOptions,
    pub(super) image: Image,
}

#[derive(Default)]
pub(super) struct Pictures(pub(super) BTreeMap<PictureId, Entry>);

impl Pyramids for Pictures {
    fn pyramid(&self, picture: PictureId) -> Option<&Pyramid> {
        self.0.get(&picture).map(|entry| &entry.tile.pyramid)
    }
}

impl fmt::Debug for Tiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tiles")
            .field("options", &self.options)
            .field("pictures", &self.pictures.0.len())
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl Tiles {
    /// No picture yet, and no atlas. `decoder` decodes: on its threads, and what follows the entropy decoding where it does.
    #[must_use]
    pub fn new(decoder: &Decoder, options: TilesOptions) -> Self {
        let mailbox = Arc::new(Mailbox::new(options.wake.clone()));
        let workshop = Arc::new(Workshop::new(Arc::clone(&mailbox), decoder.runner().clone()));
        Self {
            blocks: Arc::new(BlockCache::new(options.block_bytes)),
            options,
            decoder: decoder.clone(),
            mailbox,
            workshop,
            started: false,
            pictures: Pictures::default(),
            next_picture: 0,
            residency: Residency::default(),
            selector: Selector::default(),
            frame: 0,
            now: Duration::ZERO,
            views: Vec::new(),
            views_changed: Duration::ZERO,
            ordered: Orders::default(),
            order_again: false,
            gone: Vec::new(),
            standing: Standing::default(),
            missing_since: HashMap::new(),
            errors: HashMap::new(),
            replaced: Vec::new(),
            table_changed: true,
            report: FrameReport::default(),
        }
    }

    /// How it works.
    #[must_use]
    pub const fn options(&self) -> &TilesOptions {
        &self.options
    }

    /// What decodes.
    #[must_use]
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Makes pages on a thread of its own from now on, until this is dropped. Without it, [`work`](Self::work) does.
    ///
    /// # Errors
    /// The system gives no thread.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn start(&mut self) -> Result<()> {
        if !self.started {
            let workshop = Arc::clone(&self.workshop);
            std::thread::Builder::new().name("wavetile tiles".to_owned()).spawn(move || workshop.run())?;
            self.started = true;
        }
        Ok(())
    }

    /// Makes a few pages on this thread and the decoder's. False: there was nothing to do, or the atlas has not taken what was
    /// made before. For hosts that bring their own threads, and for tests that want the same each time.
    pub fn work(&self) -> bool {
        self.workshop.work()
    }

    /// Adds a picture. `source` is asked for the data of `image` as it is wanted; pictures that are all there need none.
    /// A file with several codestreams is several pictures: pictures that are added one after another have numbers one after
    /// another, so shaders take them as the layers of an array.
    ///
    /// # Errors
    /// A picture that cannot be rendered, or components that it does not have; [`RequestError::Unmet`] for more than
    /// [`Self::MOST_PICTURES`] at a time.
    pub fn add(
        &mut self,
        image: &Image,
        options: PictureOptions,
        source: Option<Arc<dyn TileSource>>,
    ) -> Result<PictureId> {
        if self.pictures.0.len() >= Self::MOST_PICTURES {
            let reason = format!("more than {} pictures at a time", Self::MOST_PICTURES);
            return Err(RequestError::Unmet(reason).into());
        }
        let id = PictureId(self.next_picture);
        let tile = self.picture(image, id, &options, source.clone(), 0, None)?;
        if let Some(source) = source {
            let mailbox = Arc::downgrade(&self.mailbox);
            let wake: Wake = Arc::new(move || {
                if let Some(mailbox) = mailbox.upgrade() {
                    mailbox.poke();
                }
            });
            source.wake_by(wake);
        }
        self.next_picture = (0..).find(|&n| n > id.0 || !self.has(n)).unwrap_or(id.0 + 1);
        self.pictures.0.insert(id, Entry { tile, options, image: image.clone() });
        self.next_picture = (0..).find(|&n| !self.has(n)).unwrap_or(0);
        self.order_again = true;
        self.table_changed = true;
        Ok(id)
    }

    /// Pictures at a time at most: shaders tell no more apart.
    pub const MOST_PICTURES: usize = 1024;

    fn has(&self, number: u32) -> bool {
        self.pictures.0.contains_key(&PictureId(number))
    }

    fn picture(
        &self,
        image: &Image,
        id: PictureId,
        options: &PictureOptions,
        source: Option<Arc<dyn TileSource>>,
        edition: u64,
        maker: Option<Arc<PageMaker>>,
    ) -> Result<Arc<TilePicture>> {
        let request = options.request.clone().format(self.options.format).region(None).reduce(0);
        let pyramid = Pyramid::new(image, &request, self.options.layout)?;
        if pyramid.level(0).is_empty() {
            return Err(RequestError::NoPixels { region: image.area(), reduce: 0 }.into());
        }
        let maker =
            maker.unwrap_or_else(|| Arc::new(PageMaker::new(image.clone(), id.0, Arc::clone(&self.blocks))));
        Ok(Arc::new(TilePicture { request, pyramid, maker, source, edition }))
    }

    /// Takes a picture out: its pages and decoded blocks go. Its number may be another's then.
    pub fn remove(&mut self, picture: PictureId) {
        if let Some(entry) = self.pictures.0.remove(&picture) {
            entry.tile.maker.forget();
            self.drop_pages(picture);
            self.errors.remove(&picture);
            self.next_picture = (0..).find(|&n| !self.has(n)).unwrap_or(0);
        }
    }

    pub(super) fn drop_pages(&mut self, picture: PictureId) {
        let pages = self.residency.iter().map(|(key, _)| key).filter(|key| key.picture == picture);
        self.gone.extend(pages);
        self.residency.remove_picture(picture);
        self.missing_since.retain(|key, _| key.picture != picture);
        self.order_again = true;
        self.table_changed = true;
    }

    /// Draws a picture with other colours; nothing is decoded or made again.
    ///
    /// # Errors
    /// [`RequestError::Unmet`] if there is no such picture.
    pub fn set_shading(
        &mut self,
        picture: PictureId,
        change: impl FnOnce(&mut PictureOptions),
    ) -> Result<()> {
        let entry = self.pictures.0.get_mut(&picture).ok_or_else(no_such_picture)?;
        let before = entry.options.clone();
        change(&mut entry.options);
        let wanted = std::mem::replace(&mut entry.options.request, before.request.clone());
        self.table_changed = true;
        if wanted == before.request { Ok(()) } else { self.set_request(picture, wanted) }
    }

    /// Draws other components of a picture, or fewer layers: its pages are made again, from blocks that are decoded already where
    /// they are the same.
    ///
    /// # Errors
    /// As [`add`](Self::add); and [`RequestError::Unmet`] if there is no such picture.
    pub fn set_request(&mut self, picture: PictureId, request: crate::DecodeRequest) -> Result<()> {
        let entry = self.pictures.0.get(&picture).ok_or_else(no_such_picture)?;
        let options = PictureOptions { request, ..entry.options.clone() };
        let (old, image) = (Arc::clone(&entry.tile), entry.image.clone());
        let maker = Some(Arc::clone(&old.maker));
        let tile = self.picture(&image, picture, &options, old.source.clone(), old.edition + 1, maker)?;
        if tile.pyramid != old.pyramid {
            self.drop_pages(picture);
        }
        self.pictures.0.insert(picture, Entry { tile, options, image });
        self.order_again = true;
        self.table_changed = true;
        Ok(())
    }

    /// How a picture is drawn.
    #[must_use]
    pub fn picture_options(&self, picture: PictureId) -> Option<&PictureOptions> {
        self.pictures.0.get(&picture).map(|entry| &entry.options)
    }

    /// The levels and pages of a picture.
    #[must_use]
    pub fn pyramid(&self, picture: PictureId) -> Option<&Pyramid> {
        self.pictures.pyramid(picture)
    }

    /// Bytes of decoded blocks that are kept from now on.
    pub fn set_block_bytes(&mut self, bytes: u64) {
        self.options.block_bytes = bytes;
        self.blocks.set_budget(bytes);
    }

    /// What went wrong with a picture last: its pages are not made, or not with all that has come.
    #[must_use]
    pub fn error(&self, picture: PictureId) -> Option<&Error> {
        self.errors.get(&picture)
    }

    /// Pictures that have become others where they come from. Their pages are gone: open them anew, and
    /// [`remove`](Self::remove) these.
    pub fn take_replaced(&mut self) -> Vec<PictureId> {
        std::mem::take(&mut self.replaced)
    }

    /// What the last frame found.
    #[must_use]
    pub const fn report(&self) -> &FrameReport {
        &self.report
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        self.mailbox.stop();
        for entry in self.pictures.0.values() {
            if let Some(source) = &entry.tile.source {
                source.want(&[]);
            }
        }
    }
}

fn no_such_picture() -> Error {
    RequestError::Unmet("there is no such picture among the tiles".to_owned()).into()
}
