//! Other decoders on the same bytes, each on one thread.

use super::Picture;
use wavetile::engine::{Component, Rect};

/// OpenJPEG, from bytes to samples.
pub(crate) fn openjpeg(picture: &Picture) -> jpeg2k::Image {
    let area = picture.request.region.map(|Rect { x0, y0, x1, y1 }| jpeg2k::DecodeArea::new(x0, y0, x1, y1));
    let parameters = jpeg2k::DecodeParameters::new().reduce(picture.request.reduce).decode_area(area);
    jpeg2k::Image::from_bytes_with(&picture.bytes, parameters).expect("OpenJPEG decodes it")
}

/// openjph-core, from bytes to samples; or why it cannot.
pub(crate) fn openjph(picture: &Picture) -> Result<Vec<Vec<i32>>, String> {
    use openjph_core::codestream::Codestream;
    let mut file = openjph_core::file::MemInfile::new(&picture.bytes);
    let mut codestream = Codestream::new();
    codestream.read_headers(&mut file).map_err(|error| error.to_string())?;
    codestream.create(&mut file).map_err(|error| error.to_string())?;
    let image = picture.open();
    let rects = image.component_rects(&picture.request).expect("it was planned before");
    let mut components = vec![Vec::new(); rects.len()];
    let rows = rects.first().map_or(0, |(_, rect)| rect.height());
    for _ in 0..rows {
        for (index, component) in (0u32..).zip(&mut components) {
            component.extend(codestream.pull(index).ok_or("it gives too few rows")?);
        }
    }
    Ok(components)
}

/// hayro-jpeg2000, from bytes to samples, which `take` gets. It knows no regions.
pub(crate) fn hayro<T>(picture: &Picture, take: impl FnOnce(&[hayro_jpeg2000::ComponentData]) -> T) -> T {
    let image = picture.open();
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
    let mean = difference(ours, theirs);
    assert!(mean < 0.5, "{peer}: {} differs from ours by {mean:.3} on average", picture.name);
}

/// Mean difference of samples; infinite if there are not as many.
pub(crate) fn difference(ours: &[Component], theirs: &[Vec<i32>]) -> f64 {
    let lengths = ours.iter().map(|component| component.samples.len());
    if !lengths.eq(theirs.iter().map(Vec::len)) {
        return f64::INFINITY;
    }
    let pairs = ours.iter().zip(theirs).flat_map(|(ours, theirs)| ours.samples.iter().zip(theirs));
    let (sum, count) =
        pairs.fold((0u64, 0u32), |(sum, count), (a, b)| (sum + u64::from(a.abs_diff(*b)), count + 1));
    sum as f64 / f64::from(count.max(1))
}
