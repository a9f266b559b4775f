//! The JP2 family files of the shared test data, against facts taken from them by hand.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

use wavetile_engine::Result;
use wavetile_engine::boxes::{
    BitDepth, ChannelDefinition, ChannelKind, ColourMethod, ComponentMapping, Container, ContainerKind,
    EnumeratedColourSpace,
};
use wavetile_testing::shared;

fn read(bytes: &[u8]) -> Result<Container> {
    Container::read(&bytes.to_vec())
}

#[test]
fn known_files_give_known_facts() {
    let Some(testdata) = shared("testdata") else { return };
    let open = |name: &str| read(&std::fs::read(testdata.join(name)).unwrap()).unwrap();
    let colours = |associations: [u16; 3]| -> Vec<ChannelDefinition> {
        (0..)
            .zip(associations)
            .map(|(channel, association)| ChannelDefinition {
                channel,
                kind: ChannelKind::Colour,
                association,
            })
            .collect()
    };
    let enumerated = |space| ColourMethod::Enumerated(space);
    let bits = |depth| BitDepth { depth, signed: false };

    let file = open("conformance/jp2/file1.jp2");
    assert_eq!((file.kind, file.codestreams.as_slice()), (ContainerKind::Jp2, &[1277..650_678][..]));
    let boxes: Vec<_> = file.boxes.iter().map(|found| (found.name(), found.offset, found.length)).collect();
    let expected = [
        ("jP  ", 0, 12),
        ("ftyp", 12, 24),
        ("xml ", 36, 439),
        ("jp2h", 475, 45),
        ("xml ", 520, 749),
        ("jp2c", 1269, 649_409),
    ];
    assert_eq!(boxes, expected.map(|(name, offset, length)| (name.to_owned(), offset, length)));
    let header = file.headers.image_header.unwrap();
    assert_eq!((header.width, header.height, header.components), (768, 512, 3));
    assert_eq!((header.bits, file.headers.colour.len()), (Some(bits(8)), 1));
    assert_eq!(file.headers.colour[0].method, enumerated(EnumeratedColourSpace::SRGB));

    let file = open("conformance/jp2/file2.jp2");
    assert_eq!(file.headers.colour[0].method, enumerated(EnumeratedColourSpace::SYCC));
    assert_eq!(file.headers.channel_definitions, Some(colours([3, 2, 1])));

    let file = open("conformance/jp2/file5.jp2");
    assert_eq!((file.kind, file.brand), (ContainerKind::Jpx, Some(*b"jpx ")));
    assert_eq!(file.headers.colour[0].icc_colour_space(), Some(*b"RGB "));
    assert!(
        matches!(&file.headers.colour[0].method, ColourMethod::RestrictedIcc(profile) if profile.len() == 546)
    );
    assert_eq!(file.headers.colour[1].describe(), "ROMM-RGB");

    let file = open("conformance/jp2/file9.jp2");
    let palette = file.headers.palette.unwrap();
    assert_eq!((palette.entries, palette.columns), (256, vec![bits(8); 3]));
    let mapping = |column| ComponentMapping { component: 0, palette_column: Some(column) };
    assert_eq!(file.headers.component_mapping, Some(vec![mapping(0), mapping(1), mapping(2)]));

    let file = open("files/3_13bit_and_1bit.jp2");
    assert_eq!(file.headers.image_header.unwrap().bits, None);
    assert_eq!(file.headers.bits_per_component, Some(vec![bits(13), bits(13), bits(13), bits(1)]));
    assert_eq!(file.headers.channel_definitions.unwrap()[3].kind, ChannelKind::Opacity);

    let file = open("files/issue412.jp2");
    assert_eq!(file.headers.channel_definitions, Some(colours([2, 3, 1])));
    assert_eq!(file.headers.resolution.capture.unwrap().vertical, 2835.0);

    let file = open("files/heliov.jpx");
    assert_eq!(file.codestreams, [911..314_177, 314_266..340_867, 340_948..1_389_492]);
    let file = open("files/byte.jph");
    assert_eq!(file.kind, ContainerKind::Jph);
}

#[test]
fn sound_files_give_no_warning() {
    let Some(testdata) = shared("testdata") else { return };
    let mut seen = 0;
    for directory in ["conformance/jp2", "files", "jpx"] {
        for entry in std::fs::read_dir(testdata.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let bare = matches!(ending, "j2k" | "j2c" | "jhc");
            if !bare && !matches!(ending, "jp2" | "jpx" | "jph") {
                continue;
            }
            let container = read(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(container.kind == ContainerKind::Codestream, bare, "{}", path.display());
            assert_eq!(container.warnings, [""; 0], "{}", path.display());
            assert_eq!(container.headers.image_header.is_some(), !bare, "{}", path.display());
            assert!(container.headers.defects.is_empty() && !container.codestreams.is_empty());
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} files");
}

#[test]
fn malformed_files_give_a_codestream_or_an_error_that_names_the_trouble() {
    let Some(testdata) = shared("testdata") else { return };
    let mut damaged = 0;
    for entry in std::fs::read_dir(testdata.join("malformed")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        // Every cut of the boxes as well.
        let cuts = bytes.len().min(1500);
        for length in (0..cuts).step_by(7).chain([bytes.len()]) {
            match read(&bytes[..length]) {
                Ok(container) => {
                    for range in &container.codestreams {
                        assert!(range.start <= range.end && range.end <= length as u64);
                    }
                    assert!(!container.codestreams.is_empty());
                    damaged += usize::from(!container.warnings.is_empty());
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    assert!(damaged > 0);
}
