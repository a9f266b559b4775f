//! Files that end early: a picture of what is there, and a report that says so.

use crate::{Decoder, indexed, open};
use std::path::Path;
use wavetile_engine::low_level::codestream::header::Progression;
use wavetile_engine::{DecodeRequest, Report};
use wavetile_testing::compare::{difference, pairs};
use wavetile_testing::shared;

/// Where a file is cut: everywhere if it is short, else in 200 places.
fn cuts(length: usize) -> Vec<usize> {
    let step = if length < 4000 { 1 } else { length.div_ceil(200) };
    (0..length).step_by(step).collect()
}

/// Sum of squared differences.
fn error(got: &[Vec<i32>], whole: &[Vec<i32>]) -> f64 {
    let squares =
        |(got, whole): (&Vec<i32>, &Vec<i32>)| difference(got, whole).unwrap().mean_square * got.len() as f64;
    pairs(got, whole).map(squares).sum()
}

/// Decodes every truncation of a file; gives how many gave a picture.
fn check(path: &Path) -> usize {
    let name = path.display();
    let decoder = Decoder::cpu();
    let bytes = std::fs::read(path).unwrap();
    let decode = |length: usize| -> Option<(Vec<Vec<i32>>, Report)> {
        // Only headers that are cut are an error.
        let image = open(bytes[..length].to_vec()).ok()?;
        let request = DecodeRequest::default();
        let (components, report) = decoder
            .components(&image, &request)
            .unwrap_or_else(|error| panic!("{name} cut to {length} bytes: {error}"));
        Some((components.into_iter().map(|component| component.samples).collect(), report))
    };
    let (whole, report) = decode(bytes.len()).unwrap();
    assert!(report.is_complete(), "{name}: {report:?}");
    let (file, image) = indexed(bytes.clone()).unwrap();
    let headers = (file.container().codestreams[0].start + file.header().length) as usize;
    let style = image.header().tile_parameters.style;
    let layered = style.layers > 1
        && image.header().tile_count() == 1
        && matches!(style.progression, Progression::Lrcp | Progression::Rlcp);

    let (mut pictures, mut completeness, mut least) = (0, 0.0, f64::INFINITY);
    for length in cuts(bytes.len()) {
        let Some((samples, report)) = decode(length) else {
            // One byte of the marker that ends them is not enough.
            assert!(length < headers + 2, "{name}: {length} bytes are an error, headers take {headers}");
            continue;
        };
        pictures += 1;
        let now = report.completeness();
        assert!(now >= completeness, "{name} cut to {length} bytes: {now} after {completeness}");
        completeness = now;
        // The last bytes may be EOC, without which all packets are there.
        assert!(now < 1.0 || length + 2 >= bytes.len() || samples == whole, "{name} cut to {length} bytes");
        let now = error(&samples, &whole);
        if layered {
            // A code-block's next passes may move single coefficients the wrong way, hence the margin.
            assert!(now <= least * 1.02 + 1.0, "{name} cut to {length} bytes: error {now} after {least}");
        }
        least = least.min(now);
    }
    pictures
}

#[test]
fn every_truncation_is_a_picture_or_a_broken_header() {
    let Some(testdata) = shared("testdata") else { return };
    let files = [
        ("files/gray-64x64-multilayer-53.j2k", 3800),
        ("files/gray-64x64-tp-layers-53.j2k", 3000),
        ("files/gray-64x48-tp-interleaved-53.j2k", 1300),
        ("files/gray-33x29-off35-t17-prec16-pcrl-l3-53.j2k", 900),
        ("files/byte_tlm_plt.jp2", 500),
        ("files/relax.jp2", 150),
        ("files/c1_mono.j2c", 150),
        ("files/g1_colr.j2c", 150),
        ("files/g4_colr.j2c", 150),
        ("conformance/part4/p0_01.j2k", 150),
        ("conformance/part4/p0_02.j2k", 150),
        ("conformance/part4/p1_05.j2k", 120),
        ("conformance/part4/p1_06.j2k", 2000),
    ];
    for (name, least) in files {
        let pictures = check(&testdata.join(name));
        assert!(pictures >= least, "{name}: only {pictures} pictures");
    }
}

#[test]
fn a_tenth_of_a_file_is_a_picture() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../program/assets/mandelbrot.jp2");
    let bytes = std::fs::read(path).unwrap();
    let image = open(bytes[..bytes.len() / 10].to_vec()).unwrap();
    let (components, report) = Decoder::cpu().components(&image, &DecodeRequest::default()).unwrap();
    assert!(report.is_picture() && !report.is_complete(), "{report:?}");
    assert!(0.0 < report.completeness() && report.completeness() < 1.0);
    let samples = &components[0].samples;
    assert!(samples.iter().any(|sample| sample != &samples[0]), "the picture is flat");
}
