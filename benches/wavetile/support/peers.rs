//! Other decoders on the same bytes, each on one thread.

use super::Picture;
use wavetile::engine::{Component, Rect};

/// OpenJPEG, from bytes to samples.
pub(crate) fn openjpeg(picture: &Picture) -> jpeg2k::Image {
    let area = picture.request.region.map(|Rect { x0, y0, x1, y1 }| jpeg2k::DecodeArea::new(x0, y0, x1, y1));
    let parameters = jpeg2k::DecodeParameters::new().reduce(picture.request.reduce).decode_area(area);
    jpeg2k::Image::from_bytes_with(&picture.bytes, parameters).expect("OpenJPEG decodes it")
}

/// hayro-jpeg2000, from bytes to samples, which `take` gets. It knows no regions.
pub(crate) fn hayro<T>(picture: &Picture, take: impl FnOnce(&[hayro_jpeg2000::ComponentData]) -> T) -> T {
    let (_, image) = picture.open();
    let size = image.rendered_size(&picture.request).expect("it was planned before");
    let settings = hayro_jpeg2000::DecodeSettings {
        target_resolution: (picture.request.reduce > 0).then_some((size.width, size.height)),
        ..hayro_jpeg2000::DecodeSettings::default()
    };
    let image = hayro_jpeg2000::Image::new(&picture.bytes, &settings).expect("hayro-jpeg2000 reads it");
    let mut context = hayro_jpeg2000::DecoderContext::default();
    let decoded = image.decode(&mut context).expect("hayro-jpeg2000 decodes it");
    take(decoded.components())
}

/// Makes sure that a peer did the same work: its samples are ours, but for the rounding of the 9/7 wavelet.
pub(crate) fn agree(peer: &str, picture: &Picture, ours: &[Component], theirs: &[Vec<i32>]) {
    assert_eq!(ours.len(), theirs.len(), "{peer}: components of {}", picture.name);
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.samples.len(), theirs.len(), "{peer}: samples of {}", picture.name);
        let sum: u64 = ours.samples.iter().zip(theirs).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = sum as f64 / theirs.len() as f64;
        assert!(mean < 0.5, "{peer}: {} differs from ours by {mean:.3} on average", picture.name);
    }
}
