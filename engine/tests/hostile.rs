//! Broken and hostile input: an error or a picture, never a panic, and no more memory than is earned.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use wavetile_engine::{DecodeRequest, Decoder, ImageOptions, Limits, Rect, Result};
use wavetile_testing::random::Random;
use wavetile_testing::shared;

/// The most memory that this process has ever had resident (Linux only).
fn most_memory_in_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// Pixels beyond which only a corner is decoded: the limits allow more, but that takes its time.
const LARGE: u64 = 1 << 24;

/// Everything a program does with a file.
fn use_it(decoder: &Decoder, bytes: Vec<u8>, limits: &Limits) -> Result<()> {
    let image = ImageOptions::new().limits(limits.clone()).open(bytes)?;
    let area = image.area();
    let corner = Rect::new(area.x0, area.y0, area.x0.saturating_add(500), area.y0.saturating_add(500));
    let components = image.header().size.components.len() as u64;
    let request =
        DecodeRequest::new().region((area.area().saturating_mul(components) > LARGE).then_some(corner));
    let components = decoder.components(&image, &request).map(|_| ());
    let picture = decoder.render(&image, &request).map(|_| ());
    components.and(picture)
}

#[test]
fn malformed_files_do_no_harm() {
    let Some(testdata) = shared("testdata") else { return };
    let decoder = Decoder::cpu();
    let mut panics = Vec::new();
    let (mut files, mut pictures) = (0, 0);
    for entry in std::fs::read_dir(testdata.join("malformed")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "README.md" || name == "manifest.jsonl" {
            continue;
        }
        files += 1;
        for (level, limits) in [("strict", Limits::strict()), ("default", Limits::default())] {
            let bytes = std::fs::read(&path).unwrap();
            match catch_unwind(AssertUnwindSafe(|| use_it(&decoder, bytes, &limits))) {
                Ok(Ok(())) => pictures += 1,
                Ok(Err(_)) => {}
                Err(_) => panics.push(format!("{name} ({level})")),
            }
        }
        if let Some(most) = most_memory_in_mib() {
            assert!(most < 1024, "{name} (or a file before it) took {most} MiB");
        }
    }
    assert!(panics.is_empty(), "{}", panics.join("\n"));
    assert_eq!(files, 142);
    assert!(pictures > 20, "only {pictures} were shown at all");
}

#[test]
fn changed_bytes_do_no_harm() {
    let Some(testdata) = shared("testdata") else { return };
    let files = [
        "files/gray-33x29-off35-t17-prec16-pcrl-l3-53.j2k",
        "files/gray-40x40-mode63-53.j2k",
        "files/gray-64x48-tp-interleaved-53.j2k",
        "files/rgb-48x48-cprl-sub3-mp-53.j2k",
        "files/gray-33x29-off31-97.j2k",
        "files/byte_tlm_plt.jp2",
        "files/byte_one_poc.j2k",
        "files/pal-32x24.jp2",
        "files/issue458.jp2",
        "files/sycc_420_odd_origin_x_coord.jp2",
        "conformance/part4/p1_06.j2k",
        "conformance/part4/p1_07.j2k",
        "conformance/part4/p0_13.j2k",
        "conformance/part4/p0_02.j2k",
    ];
    let decoder = Decoder::cpu().with_runner(std::sync::Arc::new(wavetile_engine::runner::Serial));
    let mut random = Random::new(7);
    let mut pictures = 0;
    let mut panics = Vec::new();
    for name in files {
        let whole = std::fs::read(testdata.join(name)).unwrap();
        for round in 0..300 {
            let mut bytes = whole.clone();
            // Mostly in the headers, where each bit counts.
            let end = if round % 3 == 0 { bytes.len() } else { bytes.len().min(400) };
            let changes: Vec<(usize, u8)> = (0..1 + random.below(3))
                .map(|_| {
                    let value = [0, 1, 0x7F, 0x80, 0xFF, random.below(256) as u8][random.below(6) as usize];
                    (random.below(end as u32) as usize, value)
                })
                .collect();
            changes.iter().for_each(|&(at, value)| bytes[at] = value);
            match catch_unwind(AssertUnwindSafe(|| use_it(&decoder, bytes, &Limits::strict()))) {
                Ok(outcome) => pictures += usize::from(outcome.is_ok()),
                Err(_) => panics.push(format!("{name} {changes:02x?}")),
            }
        }
    }
    assert!(panics.is_empty(), "{}", panics.join("\n"));
    assert!(pictures > 100, "only {pictures} were shown");
}
