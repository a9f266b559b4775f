//! Pages of pictures of every shape, made from data that comes in two halves.

use super::{samples, shapes};
use crate::cpu::CpuExecutor;
use crate::data_bin::{DataBinId, PrecinctId};
use crate::executor::Coefficients;
use crate::geometry::Rect;
use crate::runner::Serial;
use crate::source::IndexedFile;
use crate::tiles::making::{BlockCache, PageMaker, PageRequest, PreparedPage};
use crate::tiles::{PageLayout, Pyramid};
use crate::{DataBinCache, DataBins, DecodeRequest, Decoder, Image, Limits, TexelFormat};
use proptest::prelude::*;
use std::sync::{Arc, RwLock};

const FORMAT: TexelFormat = TexelFormat::R16;

fn texels(page: &PreparedPage) -> Vec<u8> {
    CpuExecutor::new(Arc::new(Serial)).page(&page.plan, Coefficients::Blocks(&page.coefficients), FORMAT)
}

/// Texels of `outer`, with those of `inner` in their place.
fn replaced(mut texels: Vec<u8>, outer: Rect, part: &[u8], inner: Rect) -> Vec<u8> {
    let length = 2 * inner.width() as usize;
    for (row, from) in part.chunks_exact(length).enumerate() {
        let y = (inner.y0 - outer.y0) as usize + row;
        let start = 2 * (y * outer.width() as usize + (inner.x0 - outer.x0) as usize);
        texels[start..start + length].copy_from_slice(from);
    }
    texels
}

/// All bins, and of each how much comes first.
fn bins(
    file: &IndexedFile,
    share: &mut impl FnMut(usize) -> usize,
) -> Vec<(DataBinId, Vec<u8>, bool, usize)> {
    let header = file.header();
    let counts = (header.size.components.len() as u32, header.tile_count());
    let mut ids = vec![DataBinId::Metadata(0), DataBinId::MainHeader];
    for tile in 0..counts.1 {
        ids.push(DataBinId::TileHeader(tile));
        for (component, geometry) in (0..).zip(&file.tile(tile).unwrap().components) {
            let number = |precinct| PrecinctId { tile, component, precinct }.in_class_id(counts.0, counts.1);
            ids.extend(
                (0..geometry.precincts).map(|precinct| DataBinId::Precinct(number(precinct).unwrap())),
            );
        }
    }
    let read = |id| {
        let bin = file.bin(0, id).unwrap().unwrap();
        let first =
            if matches!(id, DataBinId::Precinct(_)) { share(bin.bytes.len()) } else { bin.bytes.len() };
        (id, bin.bytes.to_vec(), bin.complete, first)
    };
    ids.into_iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    #[test]
    fn pages_are_parts_of_the_whole_and_what_is_made_again_makes_them_so(
        shape in shapes(), seed in any::<u64>(), reduce in 0u32..4, component in 0u32..4,
        windows in prop::collection::vec((0u32..60, 0u32..60, 1u32..40, 1u32..40), 1..5),
    ) {
        let component = component % shape.components.len() as u32;
        let bytes = shape.write(&samples(&shape, seed));
        let file = IndexedFile::open(bytes, &Limits::trusted()).unwrap();
        let mut state = seed | 1;
        let mut share = |length: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Nothing, all, or something.
            match state >> 62 { 0 => 0, 1 => length, _ => (state >> 33) as usize % (length + 1) }
        };
        let bins = bins(&file, &mut share);
        let cache = Arc::new(RwLock::new(DataBinCache::new()));
        for (id, bytes, complete, first) in &bins {
            cache.write().unwrap().insert(0, *id, 0, &bytes[..*first], *complete && *first == bytes.len());
        }
        let image = Image::open_stream(cache.clone()).unwrap().image().unwrap();
        let request = DecodeRequest::new().components(vec![component]).format(FORMAT);
        let Ok(pyramid) = Pyramid::new(&image, &request, PageLayout::new(128, 4).unwrap()) else { return Ok(()) };
        let reduce = reduce.min(pyramid.coarsest());
        let level = pyramid.level(reduce);
        let page = |texels: Rect| PageRequest {
            request: request.clone().reduce(reduce).region(pyramid.region(reduce, texels)),
            ..PageRequest::default()
        };
        let windows: Vec<Rect> = windows
            .into_iter()
            .map(|(x, y, width, height)| {
                let (x, y) = (level.x0 + x % level.width(), level.y0 + y % level.height());
                Rect::new(x, y, x + width, y + height).intersect(level)
            })
            .collect();
        let maker = PageMaker::new(image.clone(), 0, Arc::new(BlockCache::new(1 << 30)));
        let requests: Vec<PageRequest> = windows.iter().map(|&window| page(window)).collect();
        let reference = |request: &PageRequest| Decoder::cpu().render(&image, &request.request).unwrap().0.bytes;
        let prepared = maker.prepare(&requests, &Serial);
        let mut shown = Vec::new();
        for (page, request) in prepared.into_iter().zip(&requests) {
            let page = page.unwrap();
            let made = texels(&page);
            prop_assert!(made == reference(request), "{:?}, {:?}, {:?}", shape, seed, request);
            shown.push((made, page.parts));
        }
        for (id, bytes, complete, _) in &bins {
            cache.write().unwrap().insert(0, *id, 0, bytes, *complete);
        }
        for ((window, request), (made, mut parts)) in windows.iter().zip(&requests).zip(shown) {
            let stale = maker.stale(request, &mut parts).unwrap();
            let made = match stale {
                Some(rect) => {
                    let part = maker.prepare(&[page(rect)], &Serial).remove(0).unwrap();
                    parts = parts.merged(&part.parts);
                    replaced(made, *window, &texels(&part), rect)
                }
                None => made,
            };
            prop_assert!(made == reference(request), "{:?}, {:?}, {:?}, {:?}", shape, seed, request, stale);
            prop_assert!(parts.is_complete());
        }
    }
}
