//! The boxes of a file, and of metadata-bins that refer to each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::borrow::Cow;
use wavetile_engine::Rect;
use wavetile_engine::boxes::Container;
use wavetile_engine::low_level::codestream::header::{ComponentSize, ImageSize};

fuzz_target!(|bytes: &[u8]| {
    // The first byte says how many components the codestream has, and how deep they are.
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let component = ComponentSize { depth: (first >> 3) + 1, signed: first & 4 != 0, dx: 1, dy: 1 };
    let size = ImageSize {
        capabilities: 0,
        image: Rect::new(0, 0, 50, 40),
        tile_x0: 0,
        tile_y0: 0,
        tile_width: 50,
        tile_height: 40,
        components: vec![component; usize::from(first & 3) + 1],
    };
    let look = |container: &Container| {
        if let Ok(rendering) = container.rendering(&size) {
            assert!(rendering.components().iter().all(|&index| (index as usize) < size.components.len()));
            let _ = rendering.tables();
        }
    };
    if let Ok(container) = Container::read(&bytes.to_vec()) {
        look(&container);
    }
    // Four bins: placeholders may name each other and themselves.
    let quarter = bytes.len().div_ceil(4).max(1);
    let bin = |number: u64| bytes.chunks(quarter).nth(usize::try_from(number).ok()?).map(Cow::Borrowed);
    look(&Container::from_metadata(&bin));
});
