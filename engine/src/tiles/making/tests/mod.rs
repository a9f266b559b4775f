//! Pages against decodes of the whole.
#![allow(clippy::unwrap_used)]

mod arrival;
mod budget;
mod pages;

use super::{BlockCache, PageMaker, PageRequest, PreparedPage};
use crate::cpu::CpuExecutor;
use crate::data_bin::{DataBinId, PrecinctId};
use crate::executor::Coefficients;
use crate::geometry::Rect;
use crate::runner::{ParallelRunner, Serial, default_runner};
use crate::source::IndexedFile;
use crate::tiles::{PageLayout, Pyramid, Repeat};
use crate::{
    DataBinCache, DataBins, DecodeRequest, Decoder, Image, ImageOptions, Limits, Report, TexelFormat,
};
use std::path::Path;
use std::sync::{Arc, RwLock};
use wavetile_testing::shared;

/// Both block coders and wavelets, layers, tiles, precincts, offsets, sub-sampling, every style of code-block.
const FILES: [&str; 16] = [
    "files/gray-64x64-multilayer-53.j2k",
    "files/gray-33x29-off35-t17-prec16-pcrl-l3-53.j2k",
    "files/gray-33x29-off31-97.j2k",
    "files/gray-64x48-tp-interleaved-53.j2k",
    "files/gray-64x64-tp-layers-53.j2k",
    "files/gray-40x40-mode63-53.j2k",
    "files/gray-40x40-bypass-97.j2k",
    "files/gray-40x40-termall-53.j2k",
    "files/gray-40x40-multiprecinct-53.j2k",
    "files/rgb-48x48-cprl-sub3-mp-53.j2k",
    "files/byte_one_poc.j2k",
    "files/pal-32x24.jp2",
    "files/ht_tiles_offsets_rev.j2c",
    "files/ht_gray64_d3_irv_multiblock.j2c",
    "conformance/part4/p1_06.j2k",
    "conformance/part15/ds0_ht_09_b11.j2k",
];

/// The example of the repository, and those of the test data that are there.
fn files() -> Vec<(String, Vec<u8>)> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    let mut files = vec![("gradient.jp2".to_owned(), std::fs::read(example).unwrap())];
    if let Some(testdata) = shared("testdata") {
        files.extend(FILES.map(|name| (name.to_owned(), std::fs::read(testdata.join(name)).unwrap())));
    }
    files
}

fn open(bytes: Vec<u8>) -> Image {
    ImageOptions::new().open(bytes).unwrap()
}

/// A picture, and what makes its pages.
struct Rig {
    image: Image,
    pyramid: Pyramid,
    cache: Arc<BlockCache>,
    maker: PageMaker,
    runner: Arc<dyn ParallelRunner>,
}

/// A rectangle of texels of a reduction.
#[derive(Clone, Copy, Debug)]
struct Window {
    reduce: u32,
    texels: Rect,
}

const FORMAT: TexelFormat = TexelFormat::Rgba16;

impl Rig {
    fn new(image: Image, budget: u64) -> Self {
        let layout = PageLayout::new(128, 4).unwrap();
        let pyramid = Pyramid::new(&image, &DecodeRequest::new(), layout).unwrap();
        let cache = Arc::new(BlockCache::new(budget));
        let maker = PageMaker::new(image.clone(), 7, cache.clone());
        Self { image, pyramid, cache, maker, runner: default_runner() }
    }

    fn request(&self, window: Window) -> PageRequest {
        let Window { reduce, texels } = window;
        let region = self.pyramid.region(reduce, texels);
        let request = DecodeRequest::new().reduce(reduce).region(region).format(FORMAT);
        PageRequest { request, repeat: Repeat::default() }
    }

    fn prepare(&self, windows: &[Window]) -> Vec<PreparedPage> {
        let requests: Vec<PageRequest> = windows.iter().map(|&window| self.request(window)).collect();
        let pages = self.maker.prepare(&requests, &*self.runner);
        let pages: Vec<PreparedPage> = pages.into_iter().map(Result::unwrap).collect();
        for (page, window) in pages.iter().zip(windows) {
            assert_eq!(page.plan.window, window.texels);
            assert_eq!(page.plan.cells.len(), 1);
            assert_eq!(page.coefficients.len() as u64, page.decoded + page.reused + page.resumed);
        }
        pages
    }

    /// What the decoder makes of it.
    fn reference(&self, window: Window) -> (Vec<u8>, Report) {
        let (picture, report) = Decoder::cpu().render(&self.image, &self.request(window).request).unwrap();
        assert_eq!(picture.size, window.texels.size());
        (picture.bytes, report)
    }

    /// Windows of `side` texels, with `border` more on each side, that cover a level.
    fn cover(&self, reduce: u32, side: u32, border: u32) -> Vec<Window> {
        let level = self.pyramid.level(reduce);
        let starts = |from: u32, to: u32| (from / side..to.div_ceil(side)).map(move |at| at * side);
        let window = |x: u32, y: u32| Window {
            reduce,
            texels: Rect::new(x, y, x + side, y + side).intersect(level).dilate(border, level),
        };
        let rows = starts(level.y0, level.y1);
        rows.flat_map(|y| starts(level.x0, level.x1).map(move |x| window(x, y))).collect()
    }
}

fn texels(page: &PreparedPage) -> Vec<u8> {
    let executor = CpuExecutor::new(Arc::new(Serial));
    executor.page(&page.plan, Coefficients::Blocks(&page.coefficients), FORMAT)
}

/// The part `inner` of texels of `outer`.
fn crop(bytes: &[u8], outer: Rect, inner: Rect) -> Vec<u8> {
    let texel = FORMAT.bytes() as usize;
    let stride = outer.width() as usize * texel;
    let (left, top) = ((inner.x0 - outer.x0) as usize * texel, (inner.y0 - outer.y0) as usize);
    let row = |row: usize| &bytes[(top + row) * stride + left..][..inner.width() as usize * texel];
    (0..inner.height() as usize).flat_map(row).copied().collect()
}

/// Puts a part into texels of `outer`.
fn paste(bytes: &mut [u8], outer: Rect, part: &[u8], inner: Rect) {
    let texel = FORMAT.bytes() as usize;
    let (stride, length) = (outer.width() as usize * texel, inner.width() as usize * texel);
    let (left, top) = ((inner.x0 - outer.x0) as usize * texel, (inner.y0 - outer.y0) as usize);
    for (row, from) in part.chunks_exact(length).enumerate() {
        bytes[(top + row) * stride + left..][..length].copy_from_slice(from);
    }
}

/// A bin: its name, its bytes, and whether they are all.
type Bin = (DataBinId, Vec<u8>, bool);

/// All data-bins of a file's first codestream, and a picture whose bins are still to come.
fn bins(bytes: Vec<u8>) -> (Vec<Bin>, Arc<RwLock<DataBinCache>>) {
    let file = IndexedFile::open(bytes, &Limits::default()).unwrap();
    let header = file.header();
    let mut ids = vec![DataBinId::Metadata(0), DataBinId::MainHeader];
    for tile in 0..header.tile_count() {
        ids.push(DataBinId::TileHeader(tile));
        for (component, geometry) in (0..).zip(&file.tile(tile).unwrap().components) {
            let id = |precinct| PrecinctId { tile, component, precinct };
            let counts = (header.size.components.len() as u32, header.tile_count());
            let number = |precinct| id(precinct).in_class_id(counts.0, counts.1).unwrap();
            ids.extend((0..geometry.precincts).map(|precinct| DataBinId::Precinct(number(precinct))));
        }
    }
    let read = |id| {
        let bin = file.bin(0, id).unwrap().unwrap();
        (id, bin.bytes.to_vec(), bin.complete)
    };
    (ids.into_iter().map(read).collect(), Arc::default())
}

fn insert(cache: &RwLock<DataBinCache>, (id, bytes, complete): &Bin, range: std::ops::Range<usize>) {
    let last = *complete && range.end == bytes.len();
    cache.write().unwrap().insert(0, *id, range.start as u64, &bytes[range], last);
}

/// The picture, once its headers have come.
fn open_stream(cache: &Arc<RwLock<DataBinCache>>) -> Image {
    Image::open_stream(cache.clone()).unwrap().image().unwrap()
}

fn is_header(id: DataBinId) -> bool {
    matches!(id, DataBinId::Metadata(_) | DataBinId::MainHeader)
}
