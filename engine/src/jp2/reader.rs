//! Walks the boxes of a file or of metadata-bins and fills a [`Container`] (T.800 I.4 to I.7).

use super::boxes::{BoxBody, BoxHeader, BoxInfo, View, kind_name};
use super::{
    ChannelDefinition, ColourSpecification, ComponentMapping, Container, ContainerKind, GridResolution,
    ImageHeader, Palette, Placeholder, image_header,
};
use crate::error::{ContainerError, Result};
use crate::source::ByteSource;
use std::borrow::Cow;
use std::io;

impl Container {
    /// Boxes that are listed; a file may hold more, which are then only looked at.
    pub const MAX_BOXES: usize = 1 << 14;

    /// Reads the boxes of a file; the contents of codestreams and of unknown boxes are not read. A bare
    /// codestream is a container without boxes.
    /// # Errors
    /// [`ContainerError::UnknownFormat`] if the file is neither, [`ContainerError::MissingBox`] if no
    /// codestream can be found, and what reading it returns.
    pub fn read(source: &dyn ByteSource) -> Result<Self> {
        let len = source.len();
        let read_at = |offset: u64, buffer: &mut [u8]| source.read_at(offset, buffer);
        let view = View { len, read_at: &read_at };
        let start = view.bytes(0, 12)?;
        if start.starts_with(&SOC) {
            let mut container = Self::default();
            container.codestreams.push(0..len);
            return Ok(container);
        }
        let kind = start.get(4..8).unwrap_or_default();
        let like_jp2 = [*b"jP  ", *b"ftyp", *b"jp2h", *b"jp2c"].iter().any(|known| kind == known);
        if !like_jp2 {
            return Err(ContainerError::UnknownFormat { found: start }.into());
        }
        let mut reader = Reader::new(&|_| None);
        if start != SIGNATURE {
            reader.warn("the file does not start with the JPEG 2000 signature box");
        }
        reader.top_level(view)?;
        let mut container = reader.finish();
        if container.codestreams.is_empty() {
            match find_codestream(view)? {
                Some(at) => {
                    container
                        .warnings
                        .push(format!("no usable 'jp2c' box: taking the codestream found at byte {at}"));
                    container.codestreams.push(at..len);
                }
                None => return Err(ContainerError::MissingBox { kind: "jp2c" }.into()),
            }
        }
        Ok(container)
    }

    /// Reads the boxes of a picture that comes over JPIP. `bin(n)`: the bytes of metadata-bin `n`, as far
    /// as they have arrived. An empty metadata-bin 0 stands for a bare codestream; a box that has not
    /// arrived is missing. Nothing is an error: the codestream comes in data-bins of its own.
    #[must_use]
    pub fn from_metadata<'a>(bin: &'a dyn Fn(u64) -> Option<Cow<'a, [u8]>>) -> Self {
        let Some(bytes) = bin(0).filter(|bytes| !bytes.is_empty()) else {
            return Self::default();
        };
        let mut reader = Reader::new(bin);
        let read_at = |offset: u64, buffer: &mut [u8]| copy_from(&bytes, offset, buffer);
        let view = View { len: bytes.len() as u64, read_at: &read_at };
        if let Err(error) = reader.top_level(view) {
            reader.warn(error.to_string());
        }
        let mut container = reader.finish();
        // Ranges inside a metadata-bin are of no use: the codestream is in other bins.
        container.codestreams.clear();
        container
    }
}

/// SOC: every codestream starts with it.
const SOC: [u8; 2] = [0xff, 0x4f];
/// SOC and SIZ.
const SOC_SIZ: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
/// The JPEG 2000 Signature box (T.800 I.5.1).
const SIGNATURE: [u8; 12] = *b"\0\0\0\x0cjP  \r\n\x87\n";
/// Contents that are read; a larger box is listed and passed over.
const MAX_CONTENTS: u64 = 16 << 20;
/// Superboxes inside each other.
const MAX_DEPTH: u32 = 16;
/// Broken files are searched this far for a codestream.
const MAX_SEARCH: u64 = 64 << 20;
/// Warnings that are kept.
const MAX_WARNINGS: usize = 64;

struct Reader<'a> {
    container: Container,
    bin: &'a dyn Fn(u64) -> Option<Cow<'a, [u8]>>,
    boxes: usize,
    warnings_dropped: usize,
}

/// Where a box stands, as far as its meaning depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Jp2Header,
    Resolution,
    Elsewhere,
}

impl<'a> Reader<'a> {
    fn new(bin: &'a dyn Fn(u64) -> Option<Cow<'a, [u8]>>) -> Self {
        Self { container: Container::default(), bin, boxes: 0, warnings_dropped: 0 }
    }

    fn warn(&mut self, warning: impl Into<String>) {
        if self.container.warnings.len() < MAX_WARNINGS {
            self.container.warnings.push(warning.into());
        } else {
            self.warnings_dropped += 1;
        }
    }

    fn finish(mut self) -> Container {
        if self.warnings_dropped > 0 {
            self.container.warnings.push(format!("and {} more", self.warnings_dropped));
        }
        self.container.kind = kind_of(&self.container);
        self.container
    }

    fn top_level(&mut self, view: View<'_>) -> io::Result<()> {
        let boxes = self.boxes_in(view, 0, view.len, Place::Top, 0)?;
        self.container.boxes = boxes;
        Ok(())
    }

    /// The boxes from `start` to `end`. Stops with a warning where the chain breaks.
    fn boxes_in(
        &mut self,
        view: View<'_>,
        start: u64,
        end: u64,
        place: Place,
        depth: u32,
    ) -> io::Result<Vec<BoxInfo>> {
        let mut listed = Vec::new();
        let mut offset = start;
        while offset < end {
            let header = match BoxHeader::read(view, offset, end)? {
                Ok(header) => header,
                Err(error) => {
                    self.warn(error.to_string());
                    self.extend_last_codestream(place, offset, end);
                    break;
                }
            };
            let claimed = header.end.unwrap_or(end);
            let box_end = claimed.min(end);
            if claimed > end {
                self.warn(format!(
                    "'{}' box at byte {offset}: its end at byte {claimed} is beyond byte {end}, where \
                     what holds it ends",
                    kind_name(header.kind)
                ));
            }
            let children = self.one_box(view, header, box_end, place, depth)?;
            self.boxes += 1;
            if self.boxes <= Container::MAX_BOXES {
                listed.push(BoxInfo {
                    kind: header.kind,
                    offset,
                    header_length: header.header_length,
                    length: box_end - offset,
                    children,
                });
            }
            offset = box_end;
        }
        Ok(listed)
    }

    /// Where the chain of boxes breaks right after a codestream, the codestream's length was most
    /// likely wrong, and its end is marked in itself.
    fn extend_last_codestream(&mut self, place: Place, offset: u64, end: u64) {
        if place == Place::Top
            && let Some(last) = self.container.codestreams.last_mut()
            && last.end == offset
        {
            last.end = end;
        }
    }

    fn one_box(
        &mut self,
        view: View<'_>,
        header: BoxHeader,
        end: u64,
        place: Place,
        depth: u32,
    ) -> io::Result<Vec<BoxInfo>> {
        let contents = header.contents().min(end);
        if let Some(inside) = superbox(header.kind, place) {
            if inside == Place::Jp2Header && self.container.image_header.is_some() {
                self.warn(format!("'jp2h' box at byte {}: a second one is passed over", header.offset));
                return self.children(view, contents, end, Place::Elsewhere, depth);
            }
            return self.children(view, contents, end, inside, depth);
        }
        if header.kind == *b"jp2c" && place == Place::Top {
            self.container.codestreams.push(contents..end);
            return Ok(Vec::new());
        }
        if header.kind == Placeholder::KIND {
            return self.placeholder(view, header, end, place, depth);
        }
        if !is_read(header.kind, place) {
            return Ok(Vec::new());
        }
        if end - contents > MAX_CONTENTS {
            self.warn(format!(
                "'{}' box at byte {}: {} bytes are too many and were not read",
                kind_name(header.kind),
                header.offset,
                end - contents
            ));
            return Ok(Vec::new());
        }
        let bytes = view.bytes(contents, end - contents)?;
        let body = BoxBody::new(header.kind, header.offset, &bytes);
        if let Err(error) = self.contents(header.kind, body) {
            self.warn(error.to_string());
            if matches!(&header.kind, b"pclr" | b"cmap" | b"cdef") && self.container.defects.len() < 8 {
                self.container.defects.push(error);
            }
        }
        Ok(Vec::new())
    }

    fn children(
        &mut self,
        view: View<'_>,
        start: u64,
        end: u64,
        place: Place,
        depth: u32,
    ) -> io::Result<Vec<BoxInfo>> {
        if depth >= MAX_DEPTH {
            self.warn(format!("boxes at byte {start} lie more than {MAX_DEPTH} deep and are not listed"));
            return Ok(Vec::new());
        }
        self.boxes_in(view, start, end, place, depth + 1)
    }

    /// The contents of a placeholder's original, if they are in another bin, take its place.
    fn placeholder(
        &mut self,
        view: View<'_>,
        header: BoxHeader,
        end: u64,
        place: Place,
        depth: u32,
    ) -> io::Result<Vec<BoxInfo>> {
        let contents = header.contents().min(end);
        let bytes = view.bytes(contents, (end - contents).min(256))?;
        let found = match Placeholder::parse(BoxBody::new(header.kind, header.offset, &bytes)) {
            Ok(found) => found,
            Err(error) => {
                self.warn(error.to_string());
                return Ok(Vec::new());
            }
        };
        if self.container.placeholders.len() < Container::MAX_BOXES {
            self.container.placeholders.push(found);
        }
        let Some(bytes) = found.original_bin.filter(|&bin| bin != 0).and_then(self.bin) else {
            return Ok(Vec::new());
        };
        if depth >= MAX_DEPTH || self.boxes >= Container::MAX_BOXES {
            return Ok(Vec::new());
        }
        let len = bytes.len() as u64;
        let read_at = |offset: u64, buffer: &mut [u8]| copy_from(&bytes, offset, buffer);
        let original = BoxHeader { kind: found.kind, offset: 0, header_length: 0, end: Some(len) };
        self.one_box(View { len, read_at: &read_at }, original, len, place, depth + 1)
    }

    fn contents(&mut self, kind: [u8; 4], mut body: BoxBody<'_>) -> Result<(), ContainerError> {
        let container = &mut self.container;
        match &kind {
            b"ftyp" => {
                container.brand = Some(body.array()?);
                let _minor_version = body.u32()?;
                while body.rest().len() >= 4 && container.compatible.len() < 64 {
                    container.compatible.push(body.array()?);
                }
            }
            b"ihdr" => first(&mut container.image_header, &body, ImageHeader::parse)?,
            b"bpcc" => first(&mut container.bits_per_component, &body, |body| {
                image_header::parse_bits_per_component(&body)
            })?,
            b"colr" => {
                if container.colour.len() >= 64 {
                    return Err(body.error("more than 64 colour specifications"));
                }
                container.colour.push(ColourSpecification::parse(body)?);
            }
            b"pclr" => first(&mut container.palette, &body, Palette::parse)?,
            b"cmap" => first(&mut container.component_mapping, &body, ComponentMapping::parse_all)?,
            b"cdef" => first(&mut container.channel_definitions, &body, ChannelDefinition::parse_all)?,
            b"resc" => first(&mut container.resolution.capture, &body, GridResolution::parse)?,
            b"resd" => first(&mut container.resolution.display, &body, GridResolution::parse)?,
            _ => {}
        }
        Ok(())
    }
}

/// Fills `slot` unless it is filled: the first box of a kind counts.
fn first<T>(
    slot: &mut Option<T>,
    body: &BoxBody<'_>,
    parse: impl FnOnce(BoxBody<'_>) -> Result<T, ContainerError>,
) -> Result<(), ContainerError> {
    if slot.is_none() {
        *slot = Some(parse(body.again())?);
    }
    Ok(())
}

/// What the boxes inside a superbox are to be taken for; `None` if it is not a known superbox.
fn superbox(kind: [u8; 4], place: Place) -> Option<Place> {
    match (&kind, place) {
        (b"jp2h", Place::Top) => Some(Place::Jp2Header),
        (b"res ", Place::Jp2Header) => Some(Place::Resolution),
        // T.800 I.7.3 and T.801 Annex M.
        (
            b"jp2h" | b"res " | b"uinf" | b"asoc" | b"jpch" | b"jplh" | b"cgrp" | b"ftbl" | b"comp" | b"drep",
            _,
        ) => Some(Place::Elsewhere),
        _ => None,
    }
}

/// Whether the contents of a box in this place are read.
fn is_read(kind: [u8; 4], place: Place) -> bool {
    match place {
        Place::Top => kind == *b"ftyp",
        Place::Jp2Header => {
            matches!(&kind, b"ihdr" | b"bpcc" | b"colr" | b"pclr" | b"cmap" | b"cdef")
        }
        Place::Resolution => matches!(&kind, b"resc" | b"resd"),
        Place::Elsewhere => false,
    }
}

fn kind_of(container: &Container) -> ContainerKind {
    let by_name = |name: &[u8; 4]| match name {
        b"jp2 " => Some(ContainerKind::Jp2),
        b"jpx " | b"jpxb" => Some(ContainerKind::Jpx),
        b"jph " => Some(ContainerKind::Jph),
        _ => None,
    };
    let named = container.brand.iter().chain(&container.compatible).find_map(by_name);
    named.unwrap_or(ContainerKind::Jp2)
}

/// The first SOC followed by SIZ.
fn find_codestream(view: View<'_>) -> io::Result<Option<u64>> {
    const STEP: u64 = 64 << 10;
    let mut offset = 0;
    while offset < view.len.min(MAX_SEARCH) {
        // Three bytes of overlap: the markers may lie across the steps.
        let bytes = view.bytes(offset, STEP + 3)?;
        if let Some(at) = bytes.windows(4).position(|window| window == SOC_SIZ) {
            return Ok(Some(offset + at as u64));
        }
        offset += STEP;
    }
    Ok(None)
}

fn copy_from(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let from = usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..)?.get(..buffer.len()))
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    buffer.copy_from_slice(from);
    Ok(())
}
