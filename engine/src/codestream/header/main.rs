//! The main header (T.800 A.2, Figure A.3).

use super::overrides::Overrides;
use super::pointer::{TilePartLength, concatenate_by_index, read_tlm};
use super::size::{read_size, tile_grid, tile_rect};
use super::{CodeBlockStyle, ImageSize, TileParameters};
use crate::codestream::marker::{self, MarkerError, MarkerSegment, MarkerSegments};
use crate::codestream::reader::Reader;
use crate::error::{CodestreamError, Result};
use crate::geometry::Rect;
use crate::limits::Limits;
use crate::view_window::{ResolvedWindow, ViewWindow};

/// Everything the main header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainHeader {
    /// Image, tiles and components (SIZ).
    pub size: ImageSize,
    /// The parameters of a tile whose own header overrides nothing.
    pub tile_parameters: TileParameters,
    /// Comments (COM) in file order.
    pub comments: Vec<Comment>,
    /// Component registration (CRG): horizontal and vertical offset of each component in units of 1/65536
    /// of its sub-sampling. Empty without CRG.
    pub registrations: Vec<(u16, u16)>,
    /// Extended capabilities (CAP), if given.
    pub capabilities: Option<Capabilities>,
    /// Tile-part lengths (TLM) in index order; `None` without TLM, and if it is malformed.
    pub tile_part_lengths: Option<Vec<TilePartLength>>,
    /// The PLM marker segments (T.800 A.7.2) joined in index order, indices taken off: for each tile-part of the
    /// codestream Nplm (one byte) and Nplm bytes of packet lengths. `None` without PLM, and if an index is
    /// missing.
    pub packet_lengths: Option<Vec<u8>>,
    /// The PPM marker segments (T.800 A.7.4) joined in index order, indices taken off: for each tile-part of the
    /// codestream Nppm (four bytes) and Nppm bytes of packet headers. `None` without PPM.
    pub packed_headers: Option<Vec<u8>>,
    /// Bytes from SOC up to, not including, the first SOT, or to the end of what was read.
    pub length: u64,
    overrides: Overrides,
    extensions: Vec<u16>,
}

/// A comment (COM, T.800 A.9.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// What the data is ("Rcom"): 0 binary, 1 Latin text.
    pub registration: u16,
    /// The comment.
    pub data: Vec<u8>,
}

/// Extended capabilities (CAP, T.800 A.5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// One bit for each part of the standard, part 1 in the most significant bit ("Pcap").
    pub parts: u32,
    /// One number for each bit set, lowest part first ("Ccap").
    pub details: Vec<u16>,
}

impl Capabilities {
    /// What the codestream says about the high-throughput block coder (T.814), if it needs it.
    #[must_use]
    pub fn high_throughput(&self) -> Option<u16> {
        const PART_15: u32 = 1 << (32 - 15);
        let index = (self.parts & !(PART_15 | (PART_15 - 1))).count_ones() as usize;
        (self.parts & PART_15 != 0).then(|| self.details.get(index).copied()).flatten()
    }
}

/// Bytes from SOC up to the first SOT; `None` if `bytes`, the start of a codestream, end before it.
///
/// # Errors
/// [`CodestreamError`] if they cannot be a main header.
pub fn main_header_length(bytes: &[u8]) -> Result<Option<u64>, CodestreamError> {
    let mut segments = MarkerSegments::new(bytes, 0);
    loop {
        match segments.read() {
            Ok(Some(segment)) if segment.marker == marker::SOT => return Ok(Some(segment.offset)),
            Ok(Some(segment)) if ends_wrongly(segment.marker) => return Err(misplaced(&segment)),
            Ok(Some(_)) => {}
            Err(MarkerError::CutOff { marker: marker::SOT, offset }) => return Ok(Some(offset)),
            Ok(None) | Err(MarkerError::CutOff { .. }) => return Ok(None),
            Err(MarkerError::Bad(error)) => return Err(error),
        }
    }
}

impl ViewWindow {
    /// Where the window lies in the picture that `header` describes. The levels to choose from are
    /// those that every component has by the main header.
    #[must_use]
    pub fn resolve(&self, header: &MainHeader) -> ResolvedWindow {
        let components = header.size.components.len() as u32;
        self.resolve_on(header.size.image, components, header.levels())
    }
}

impl MainHeader {
    /// Resolution levels that can be discarded: the fewest of any component. A tile may have fewer.
    #[must_use]
    pub fn levels(&self) -> u32 {
        let components = &self.tile_parameters.components;
        components.iter().map(|component| u32::from(component.coding.levels)).min().unwrap_or(0)
    }

    /// Reads a main header. `bytes` begins with SOC and holds at least everything up to the first SOT; a
    /// main-header data-bin, which ends there, will do.
    ///
    /// # Errors
    /// [`CodestreamError`] if it is not a sound main header; [`LimitError`](crate::error::LimitError) if the
    /// picture is larger than `limits` allow.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self> {
        if bytes.get(..4) != Some(&[0xFF, 0x4F, 0xFF, 0x51]) {
            let found = bytes[..bytes.len().min(4)].to_vec();
            return Err(CodestreamError::NotACodestream { found }.into());
        }
        let mut segments = MarkerSegments::new(bytes, 0);
        let mut found = Found::default();
        let mut size = None;
        while let Some(segment) = until_sot(&mut segments)? {
            match (segment.marker, &size) {
                (marker::SIZ, None) => size = Some(read_size(&segment, limits)?),
                (marker::SOC, None) => {}
                (marker, _) if ends_wrongly(marker) => return Err(misplaced(&segment).into()),
                (_, Some(size)) => found.read(segment, size.components.len())?,
                (_, None) => return Err(misplaced(&segment).into()),
            }
        }
        let size = size.ok_or_else(|| CodestreamError::MissingMarkerSegment {
            header: "main header".into(),
            marker: "SIZ",
        })?;
        let tile_parameters = Overrides::default().resolve(&found.overrides, size.components.len())?;
        Ok(Self {
            size,
            tile_parameters,
            tile_part_lengths: read_tlm(&found.tlm),
            packet_lengths: concatenate_by_index(&found.plm),
            packed_headers: found.packed_headers()?,
            comments: found.comments,
            registrations: found.registrations,
            capabilities: found.capabilities,
            length: segments.offset(),
            overrides: found.overrides,
            extensions: found.extensions,
        })
    }

    /// Tiles in a row and in a column (T.800 B-5).
    #[must_use]
    pub const fn tile_grid(&self) -> (u32, u32) {
        tile_grid(&self.size)
    }

    /// Number of tiles, 1 to 65 535.
    #[must_use]
    pub const fn tile_count(&self) -> u32 {
        let (columns, rows) = self.tile_grid();
        columns * rows
    }

    /// The part of the image area in a tile, on the reference grid; empty if there is no such tile.
    #[must_use]
    pub fn tile_rect(&self, tile: u32) -> Rect {
        tile_rect(&self.size, tile)
    }

    /// The parameters in force in a tile. `tile_header` is the tile-header data-bin: the marker segments of
    /// all the tile's tile-parts, one after another, without SOT and SOD (which are tolerated).
    ///
    /// # Errors
    /// [`CodestreamError`] if a marker segment is broken; its offset counts from the start of `tile_header`.
    pub fn tile_parameters(&self, tile: u32, tile_header: &[u8]) -> Result<TileParameters> {
        let component_count = self.size.components.len();
        if tile >= self.tile_count() {
            let reason = format!("there are only {} tiles", self.tile_count());
            return Err(CodestreamError::BadTilePart { offset: 0, tile, part: 0, reason }.into());
        }
        let mut overrides = Overrides::default();
        let skipped = foreign_sot_length(tile_header);
        let mut segments = MarkerSegments::new(&tile_header[skipped..], skipped as u64);
        while let Some(segment) = segments.read().map_err(CodestreamError::from)? {
            if segment.marker == marker::SOD && segments.rest().first() != Some(&0xFF) {
                break;
            }
            overrides.read(&segment, component_count)?;
        }
        if overrides == Overrides::default() {
            return Ok(self.tile_parameters.clone());
        }
        overrides.resolve(&self.overrides, component_count)
    }

    /// Whether the picture can be decoded, as far as the main header tells.
    ///
    /// # Errors
    /// [`CodestreamError::Unsupported`] naming a part of the standard that is not supported.
    pub fn check_decodable(&self) -> Result<(), CodestreamError> {
        if let Some(marker) = self.extensions.first() {
            let feature =
                format!("{} marker segment (T.801)", extension_name(*marker).unwrap_or("extension"));
            return Err(CodestreamError::Unsupported { feature });
        }
        self.tile_parameters.check_decodable()
    }
}

impl TileParameters {
    /// Whether a tile with these parameters can be decoded.
    ///
    /// # Errors
    /// [`CodestreamError::Unsupported`] naming a part of the standard that is not supported.
    pub fn check_decodable(&self) -> Result<(), CodestreamError> {
        let mut styles = (0..).zip(self.components.iter().map(|component| component.coding.code_block_style));
        styles.try_for_each(|(index, style): (u32, CodeBlockStyle)| style.check_decodable(index))
    }
}

impl CodeBlockStyle {
    /// Whether code-blocks can be decoded; `component` is named in the error.
    pub(in crate::codestream) fn check_decodable(self, component: u32) -> Result<(), CodestreamError> {
        if self.has(Self::MIXED) && !self.has(Self::HIGH_THROUGHPUT) {
            let feature = format!("code-block style {:#04x} in component {component}", self.0);
            return Err(CodestreamError::Unsupported { feature });
        }
        Ok(())
    }
}

/// What is gathered while the segments after SIZ pass by.
#[derive(Default)]
struct Found<'a> {
    overrides: Overrides,
    comments: Vec<Comment>,
    registrations: Vec<(u16, u16)>,
    capabilities: Option<Capabilities>,
    extensions: Vec<u16>,
    tlm: Vec<MarkerSegment<'a>>,
    plm: Vec<&'a [u8]>,
    ppm: Vec<MarkerSegment<'a>>,
}

impl<'a> Found<'a> {
    fn read(&mut self, segment: MarkerSegment<'a>, component_count: usize) -> Result<()> {
        match segment.marker {
            marker::TLM => self.tlm.push(segment),
            marker::PLM => self.plm.push(segment.payload),
            marker::PPM => self.ppm.push(segment),
            marker::CAP => self.capabilities = Some(read_cap(&segment)?),
            marker::COM => {
                let mut reader = Reader::new(segment.payload);
                let registration = reader.u16().ok_or_else(|| segment.error("too short"))?;
                self.comments.push(Comment { registration, data: reader.rest().to_vec() });
            }
            marker::CRG => {
                let pairs = segment.payload.as_chunks::<4>().0.iter();
                self.registrations = pairs
                    .map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
                    .take(component_count)
                    .collect();
            }
            marker if extension_name(marker).is_some() => self.extensions.push(marker),
            _ => self.overrides.read(&segment, component_count)?,
        }
        Ok(())
    }

    fn packed_headers(&self) -> Result<Option<Vec<u8>>> {
        let Some(first) = self.ppm.first() else { return Ok(None) };
        let payloads: Vec<_> = self.ppm.iter().map(|segment| segment.payload).collect();
        let joined = concatenate_by_index(&payloads);
        Ok(Some(joined.ok_or_else(|| first.error("an index Zppm is missing or repeated"))?))
    }
}

fn read_cap(segment: &MarkerSegment<'_>) -> Result<Capabilities> {
    let mut reader = Reader::new(segment.payload);
    let parts = reader.u32().ok_or_else(|| segment.error("too short"))?;
    let details = std::iter::from_fn(|| reader.u16()).take(parts.count_ones() as usize).collect();
    Ok(Capabilities { parts, details })
}

/// The next segment of the main header; `None`, and nothing consumed, at SOT and at the end.
fn until_sot<'a>(segments: &mut MarkerSegments<'a>) -> Result<Option<MarkerSegment<'a>>, CodestreamError> {
    if segments.rest().starts_with(&marker::SOT.to_be_bytes()) {
        return Ok(None);
    }
    Ok(segments.read()?)
}

const fn ends_wrongly(marker: u16) -> bool {
    matches!(marker, marker::SOD | marker::EOC)
}

fn misplaced(segment: &MarkerSegment<'_>) -> CodestreamError {
    segment.error("it does not belong here in the main header")
}

/// Length of `00 0a` and a SOT payload, which one server puts in front of the tile header.
fn foreign_sot_length(tile_header: &[u8]) -> usize {
    if tile_header.starts_with(&[0, 10]) { tile_header.len().min(10) } else { 0 }
}

/// Marker segments of T.801 that change what the samples are.
const fn extension_name(marker: u16) -> Option<&'static str> {
    Some(match marker {
        0xFF70 => "DCO",
        0xFF71 => "VMS",
        0xFF72 => "DFS",
        0xFF73 => "ADS",
        0xFF74 => "MCT",
        0xFF75 => "MCC",
        0xFF76 => "NLT",
        0xFF77 => "MCO",
        0xFF78 => "CBD",
        0xFF79 => "ATK",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{cod, parse, qcd, segment, soc_siz};
    use super::super::{Progression, ProgressionChange, QuantisationStyle, WaveletTransform};
    use super::*;
    use crate::codestream::tile::Tile;
    use crate::error::Error;

    const IMAGE: Rect = Rect::new(0, 0, 100, 80);

    fn two_components() -> Vec<u8> {
        soc_siz(IMAGE, Rect::new(0, 0, 64, 64), &[(7, 1, 1), (0x87, 2, 2)])
    }

    #[test]
    fn a_component_of_a_tile_takes_the_nearest_setting() {
        let coc = |component, levels| segment(marker::COC, &[component, 0, levels, 4, 4, 0, 1]);
        let qcc = |component, exponent: u8| segment(marker::QCC, &[component, 0x20, exponent << 3]);
        let header = parse(&[
            two_components(),
            cod(0, 1, 5, (6, 6), 0, &[]),
            qcd(5),
            coc(1, 4),
            qcc(1, 3),
            segment(marker::RGN, &[1, 0, 9]),
        ]);
        let levels = |parameters: &TileParameters| {
            parameters.components.iter().map(|component| component.coding.levels).collect::<Vec<_>>()
        };
        let first_exponents = |parameters: &TileParameters| {
            let first = |component: &super::super::ComponentParameters| component.quantisation.steps[0].0;
            parameters.components.iter().map(first).collect::<Vec<_>>()
        };
        assert_eq!(levels(&header.tile_parameters), [5, 4]);
        assert_eq!(first_exponents(&header.tile_parameters), [8, 3]);
        assert_eq!(header.tile_parameters.components[1].roi_shift, 9);

        let tile = |parts: &[Vec<u8>]| header.tile_parameters(3, &parts.concat()).unwrap();
        // A tile's COD and QCD beat the main header's COC and QCC.
        let parameters = tile(&[cod(2, 7, 2, (5, 5), 0, &[]), segment(marker::QCD, &[0x40, 6 << 3])]);
        assert_eq!((levels(&parameters), first_exponents(&parameters)), (vec![2, 2], vec![6, 6]));
        assert_eq!((parameters.style.layers, parameters.style.sop), (7, true));
        // ... and a tile's COC and QCC beat those.
        let parameters = tile(&[qcc(0, 1), coc(0, 1), cod(0, 1, 2, (6, 6), 0, &[]), coc(1, 3)]);
        assert_eq!((levels(&parameters), first_exponents(&parameters)), (vec![1, 3], vec![1, 3]));
        assert_eq!(levels(&tile(&[coc(0, 1)])), [1, 4]);
    }

    #[test]
    fn progression_changes_append_and_a_tile_replaces_those_of_the_main_header() {
        let poc = |payload: &[u8]| segment(marker::POC, payload);
        let start = [two_components(), cod(0, 3, 5, (6, 6), 0, &[]), qcd(5)].concat();
        let header = parse(&[start, poc(&[0, 0, 0, 1, 3, 0, 4]), poc(&[1, 1, 0, 2, 6, 2, 2])]);
        let ends = |parameters: &TileParameters| {
            parameters.progression_changes.iter().map(|change| change.layer_end).collect::<Vec<_>>()
        };
        assert_eq!(ends(&header.tile_parameters), [1, 2]);
        assert_eq!(
            header.tile_parameters.progression_changes[0],
            ProgressionChange {
                resolution_start: 0,
                component_start: 0,
                layer_end: 1,
                resolution_end: 3,
                component_end: 16_384,
                progression: Progression::Cprl
            }
        );
        let tile = [poc(&[0, 0, 0, 7, 3, 2, 0]), poc(&[0, 0, 0, 8, 3, 2, 1])].concat();
        assert_eq!(ends(&header.tile_parameters(0, &tile).unwrap()), [7, 8]);
        assert!(header.tile_parameters(0, &poc(&[0, 0, 0, 7, 3, 2])).is_err());
    }

    #[test]
    fn sot_and_sod_around_a_tile_header_are_tolerated() {
        let header = parse(&[two_components(), cod(0, 1, 5, (6, 6), 0, &[]), qcd(5)]);
        let tile_cod = cod(0, 9, 5, (6, 6), 0, &[]);
        for (before, after) in [
            (&[][..], &[0xFF, 0x93][..]),
            (&[0, 10, 0, 0, 0, 0, 0, 0, 0, 1], &[0xFF, 0x93]),
            (&[0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1], &[0xFF, 0x93]),
            (&[], &[0xFF, 0x93, 0xFF, 0x64, 0, 4, 0, 1]),
        ] {
            let bytes = [before, &tile_cod, after].concat();
            assert_eq!(header.tile_parameters(0, &bytes).unwrap().style.layers, 9);
        }
        assert!(header.tile_parameters(4, &[]).is_err());
    }

    #[test]
    fn component_indices_are_two_bytes_from_257_components_on() {
        let siz = soc_siz(IMAGE, IMAGE, &[(7, 1, 1); 257]);
        let coc = segment(marker::COC, &[1, 0, 0, 2, 4, 4, 0, 1]);
        let qcc = segment(marker::QCC, &[0, 255, 0x21, 0x48, 0x01]);
        let header = parse(&[siz, cod(0, 1, 5, (6, 6), 0, &[]), qcd(5), coc, qcc]);
        assert_eq!(header.tile_parameters.components[256].coding.levels, 2);
        let quantisation = &header.tile_parameters.components[255].quantisation;
        assert_eq!(
            (quantisation.style, &quantisation.steps[..]),
            (QuantisationStyle::Derived, &[(9, 1)][..])
        );
    }

    #[test]
    fn derived_steps_follow_the_levels() {
        let siz = soc_siz(IMAGE, IMAGE, &[(7, 1, 1)]);
        // 9/7, two levels; exponent 9 and mantissa 1024 for LL.
        let cod = segment(marker::COD, &[0, 2, 0, 1, 0, 2, 4, 4, 0, 0]);
        let header = parse(&[siz, cod, segment(marker::QCD, &[0x41, 0x4C, 0x00])]);
        assert_eq!(header.tile_parameters.components[0].coding.transform, WaveletTransform::Irreversible97);
        let tile = Tile::new(&header, 0, header.tile_parameters.clone()).unwrap();
        let bands = tile.components[0].resolutions.iter().flat_map(|resolution| &resolution.bands);
        let found: Vec<_> = bands.map(|band| (band.bit_planes, band.step)).collect();
        let (one, two) = (10, 9);
        assert_eq!(
            found,
            [(one, 0.75), (one, 1.5), (one, 1.5), (one, 3.0), (two, 3.0), (two, 3.0), (two, 6.0)]
        );
    }

    #[test]
    fn capabilities_tell_of_high_throughput_and_reserved_styles_are_refused() {
        let cap = segment(marker::CAP, &[0, 2, 0, 0, 0, 0x26]);
        let header = parse(&[two_components(), cap, cod(0, 1, 5, (6, 6), 0x40, &[]), qcd(5)]);
        assert_eq!(header.capabilities.as_ref().unwrap().high_throughput(), Some(0x26));
        assert!(header.check_decodable().is_ok());
        let header = parse(&[two_components(), cod(0, 1, 5, (6, 6), 0x80, &[]), qcd(5)]);
        let error = header.check_decodable().unwrap_err().to_string();
        assert!(error.contains("style 0x80 in component 0"), "{error}");
    }

    #[test]
    fn every_cut_of_a_header_is_an_error_or_short_and_never_a_panic() {
        let whole = [
            two_components(),
            cod(0, 1, 5, (6, 6), 0, &[]),
            qcd(5),
            segment(marker::COM, b"\0\x01hello"),
            segment(marker::CRG, &[0, 1, 0, 2, 0, 3, 0, 4]),
            segment(marker::PPM, &[0, 0, 0, 0, 1, 0x80]),
            segment(0xFF6F, &[1, 2, 3]),
            vec![0xFF, 0x90, 0, 10],
        ]
        .concat();
        let length = whole.len() as u64 - 4;
        for cut in 0..whole.len() {
            let found = main_header_length(&whole[..cut]).unwrap();
            assert_eq!(found, (cut as u64 >= length + 2).then_some(length), "{cut}");
            if let Ok(header) = MainHeader::parse(&whole[..cut], &Limits::default()) {
                assert_eq!(header.length, length.min(cut as u64));
            }
        }
        let header = parse(&[whole]);
        assert_eq!(header.comments, [Comment { registration: 1, data: b"hello".to_vec() }]);
        assert_eq!(header.registrations, [(1, 2), (3, 4)]);
        assert_eq!(header.packed_headers.as_deref(), Some(&[0, 0, 0, 1, 0x80][..]));
        assert_eq!(header.length, length);
    }

    #[test]
    fn claims_are_checked_against_the_limits_and_the_standard() {
        let strict = |siz: Vec<u8>| {
            let bytes = [siz, cod(0, 1, 5, (6, 6), 0, &[]), qcd(5)].concat();
            MainHeader::parse(&bytes, &Limits::strict())
        };
        let large = Rect::new(0, 0, 1 << 15, 1 << 10);
        assert!(matches!(strict(soc_siz(large, large, &[(7, 1, 1)])), Err(Error::Limit(_))));
        assert!(matches!(strict(soc_siz(IMAGE, IMAGE, &[(7, 1, 1); 65])), Err(Error::Limit(_))));
        let small = Rect::new(0, 0, 1, 1);
        assert!(matches!(strict(soc_siz(IMAGE, small, &[(7, 1, 1)])), Err(Error::Limit(_))));
        let wrong = [
            soc_siz(Rect::default(), IMAGE, &[(7, 1, 1)]),
            soc_siz(IMAGE, Rect::default(), &[(7, 1, 1)]),
            soc_siz(IMAGE, Rect::new(1, 0, 50, 50), &[(7, 1, 1)]),
            soc_siz(Rect::new(50, 0, 100, 80), Rect::new(0, 0, 50, 80), &[(7, 1, 1)]),
            soc_siz(IMAGE, IMAGE, &[(38, 1, 1)]),
            soc_siz(IMAGE, IMAGE, &[(7, 0, 1)]),
            soc_siz(IMAGE, IMAGE, &[]),
        ];
        for siz in wrong {
            assert!(matches!(
                strict(siz),
                Err(Error::Codestream(CodestreamError::BadMarkerSegment { marker: "SIZ", .. }))
            ));
        }
        assert!(strict(soc_siz(IMAGE, IMAGE, &[(7, 1, 1)])).is_ok());
    }
}
