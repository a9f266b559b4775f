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
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) started: bool,
    pub(super) pictures: Pictures,
    /// Pictures that were added so far.
    pub(super) added: u32,
    /// Pictures that were added, and choices of what to draw of them.
    pub(super) editions: u64,
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
            #[cfg(not(target_arch = "wasm32"))]
            started: false,
            pictures: Pictures::default(),
            added: 0,
            editions: 0,
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
        let first = self.free_numbers(1)?;
        self.add_as(PictureId(first), image, options, source)
    }

    /// Adds pictures whose numbers follow one another, the codestreams of a file or slices: shaders take them as the layers of an
    /// array, the first one's number plus that of the layer.
    ///
    /// # Errors
    /// As [`add`](Self::add); then none is added.
    pub fn add_layers(
        &mut self,
        layers: &[(Image, Option<Arc<dyn TileSource>>)],
        options: &PictureOptions,
    ) -> Result<Vec<PictureId>> {
        let first = self.free_numbers(layers.len())?;
        let mut added = Vec::with_capacity(layers.len());
        for (number, (image, source)) in (first..).zip(layers) {
            match self.add_as(PictureId(number), image, options.clone(), source.clone()) {
                Ok(picture) => added.push(picture),
                Err(error) => {
                    added.into_iter().for_each(|picture| self.remove(picture));
                    return Err(error);
                }
            }
        }
        Ok(added)
    }

    /// Pictures at a time at most, and their numbers: shaders tell no more apart.
    pub const MOST_PICTURES: usize = 1024;

    /// The first of so many numbers one after another that no picture has.
    fn free_numbers(&self, count: usize) -> Result<u32> {
        let mut first = 0;
        for taken in self.pictures.0.keys() {
            if (taken.0 - first) as usize >= count {
                break;
            }
            first = taken.0 + 1;
        }
        if first as usize + count > Self::MOST_PICTURES {
            let reason = format!("more than {} pictures at a time", Self::MOST_PICTURES);
            return Err(RequestError::Unmet(reason).into());
        }
        Ok(first)
    }

    fn add_as(
        &mut self,
        id: PictureId,
        image: &Image,
        options: PictureOptions,
        source: Option<Arc<dyn TileSource>>,
    ) -> Result<PictureId> {
        let serial = self.added;
        let maker = PageMaker::new(image.clone(), serial, Arc::clone(&self.blocks));
        let tile = self.picture(image, &options, source.clone(), serial, Arc::new(maker))?;
        self.added = self.added.wrapping_add(1);
        if let Some(source) = source {
            let bell = Arc::downgrade(self.mailbox.bell());
            let wake: Wake = Arc::new(move || {
                if let Some(bell) = bell.upgrade() {
                    bell.ring();
                }
            });
            source.wake_by(wake);
        }
        self.pictures.0.insert(id, Entry { tile, options, image: image.clone() });
        self.order_again = true;
        self.table_changed = true;
        Ok(id)
    }

    fn picture(
        &mut self,
        image: &Image,
        options: &PictureOptions,
        source: Option<Arc<dyn TileSource>>,
        serial: u32,
        maker: Arc<PageMaker>,
    ) -> Result<Arc<TilePicture>> {
        let request = options.request.clone().format(self.options.format).region(None).reduce(0);
        let pyramid = Pyramid::new(image, &request, self.options.layout)?;
        if pyramid.level(0).is_empty() {
            return Err(RequestError::NoPixels { region: image.area(), reduce: 0 }.into());
        }
        self.editions += 1;
        Ok(Arc::new(TilePicture { request, pyramid, maker, source, serial, edition: self.editions }))
    }

    /// Takes a picture out: its pages and decoded blocks go. Its number may be another's then.
    pub fn remove(&mut self, picture: PictureId) {
        if let Some(entry) = self.pictures.0.remove(&picture) {
            entry.tile.maker.forget();
            self.drop_pages(picture);
            self.errors.remove(&picture);
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

    /// Draws a picture in another way. With other shading nothing is made again. With other components or layers its pages are,
    /// from blocks that are decoded already where they are the same; until then the old ones are shown.
    ///
    /// # Errors
    /// As [`add`](Self::add); and [`RequestError::Unmet`] if there is no such picture. It is drawn as before then.
    pub fn set_options(&mut self, picture: PictureId, options: PictureOptions) -> Result<()> {
        let entry = self.pictures.0.get(&picture).ok_or_else(no_such_picture)?;
        self.table_changed = true;
        let (mut tile, image) = (Arc::clone(&entry.tile), entry.image.clone());
        if options.request != entry.options.request {
            let (source, maker) = (tile.source.clone(), Arc::clone(&tile.maker));
            let new = self.picture(&image, &options, source, tile.serial, maker)?;
            if new.pyramid == tile.pyramid {
                self.gone.extend(self.residency.remove_unwanted(picture, self.frame));
            } else {
                self.drop_pages(picture);
            }
            tile = new;
            self.order_again = true;
        }
        self.pictures.0.insert(picture, Entry { tile, options, image });
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
        self.mailbox.bell().stop();
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
