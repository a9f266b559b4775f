//! Walks the boxes of a file or of metadata-bins and fills a [`Container`] (T.800 I.4 to I.7).

use super::box_header::{BoxBody, BoxHeader, BoxInfo, View, kind_name};
use super::{Container, ContainerKind, FragmentTable, HeaderSection, Metadata, Placeholder, metadata};
use crate::byte_source::ByteSource;
use crate::error::{ContainerError, Result};
use std::borrow::Cow;
use std::io;
use std::ops::Range;

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
        container.fragment_tables.clear();
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

/// Codestream and layer headers that are kept of each kind.
const MAX_SECTIONS: usize = 4096;

struct Reader<'a> {
    container: Container,
    /// Bytes of metadata that are kept.
    metadata_bytes: u64,
    bin: &'a dyn Fn(u64) -> Option<Cow<'a, [u8]>>,
    boxes: usize,
    warnings_dropped: usize,
}

/// Where a box stands, as far as its meaning depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    /// In a header: beside other header boxes, or in one of their superboxes.
    Header(Section),
    FragmentTable,
    Association,
    Elsewhere,
}

/// Which header: of the codestreams' and layers', the one that was met last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Defaults,
    Codestream,
    Layer,
}

impl<'a> Reader<'a> {
    fn new(bin: &'a dyn Fn(u64) -> Option<Cow<'a, [u8]>>) -> Self {
        Self { container: Container::default(), metadata_bytes: 0, bin, boxes: 0, warnings_dropped: 0 }
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
        // It is a layer that says it.
        self.container.headers.opacity = None;
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
        if header.kind == *b"asoc" {
            return self.association(view, contents, end, depth);
        }
        if let Some(inside) = superbox(header.kind, place) {
            let inside = self.enter(header, place, inside);
            return self.children(view, contents, end, inside, depth);
        }
        if header.kind == *b"jp2c" && place == Place::Top {
            self.container.codestreams.push(contents..end);
            return Ok(Vec::new());
        }
        if header.kind == Placeholder::KIND {
            return self.placeholder(view, header, end, place, depth);
        }
        if Metadata::is(header.kind) {
            self.metadata(view, header, contents..end, place)?;
            return Ok(Vec::new());
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
        if let Err(error) = self.contents(header, contents..end, place, body) {
            self.warn(error.to_string());
        }
        Ok(Vec::new())
    }

    /// Starts the header that a superbox stands for; gives the place of what is inside.
    fn enter(&mut self, header: BoxHeader, place: Place, inside: Place) -> Place {
        if place != Place::Top {
            return inside;
        }
        let sections = match inside {
            Place::Header(Section::Defaults) if self.container.headers.image_header.is_some() => {
                self.warn(format!("'jp2h' box at byte {}: a second one is passed over", header.offset));
                return Place::Elsewhere;
            }
            Place::Header(Section::Codestream) => &mut self.container.codestream_headers,
            Place::Header(Section::Layer) => &mut self.container.layer_headers,
            _ => return inside,
        };
        if sections.len() >= MAX_SECTIONS {
            self.warn(format!(
                "'{}' box at byte {}: only the first {MAX_SECTIONS} are read",
                kind_name(header.kind),
                header.offset
            ));
            return Place::Elsewhere;
        }
        sections.push(HeaderSection::default());
        inside
    }

    fn section(&mut self, section: Section) -> Option<&mut HeaderSection> {
        match section {
            Section::Defaults => Some(&mut self.container.headers),
            Section::Codestream => self.container.codestream_headers.last_mut(),
            Section::Layer => self.container.layer_headers.last_mut(),
        }
    }

    /// The metadata inside an association becomes one entry.
    fn association(&mut self, view: View<'_>, start: u64, end: u64, depth: u32) -> io::Result<Vec<BoxInfo>> {
        let before = std::mem::take(&mut self.container.metadata);
        let children = self.children(view, start, end, Place::Association, depth)?;
        let inside = std::mem::replace(&mut self.container.metadata, before);
        self.container.metadata.push(Metadata::Association(inside));
        Ok(children)
    }

    fn metadata(
        &mut self,
        view: View<'_>,
        header: BoxHeader,
        contents: Range<u64>,
        place: Place,
    ) -> io::Result<()> {
        let length = contents.end - contents.start;
        // What an entry itself takes, so that many small ones are bounded as well.
        let cost = length.saturating_add(std::mem::size_of::<Metadata>() as u64);
        let total = self.metadata_bytes.saturating_add(cost);
        if total > Metadata::MAX_BYTES {
            // Such entries are as few as the boxes that are listed.
            if self.boxes < Container::MAX_BOXES {
                let (kind, offset) = (header.kind, contents.start);
                self.container.metadata.push(Metadata::TooLong { kind, offset, length });
            }
            return Ok(());
        }
        self.metadata_bytes = total;
        let bytes = view.bytes(contents.start, length)?;
        if let (b"lbl ", Place::Header(section)) = (&header.kind, place) {
            if let Some(section) = self.section(section) {
                section.label = Some(metadata::text(&bytes));
            }
            return Ok(());
        }
        match Metadata::parse(header.kind, BoxBody::new(header.kind, header.offset, &bytes)) {
            Ok(found) => self.container.metadata.push(found),
            Err(error) => self.warn(error.to_string()),
        }
        Ok(())
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

    fn contents(
        &mut self,
        header: BoxHeader,
        contents: Range<u64>,
        place: Place,
        mut body: BoxBody<'_>,
    ) -> Result<(), ContainerError> {
        match (&header.kind, place) {
            (b"ftyp", _) => {
                self.container.brand = Some(body.array()?);
                let _minor_version = body.u32()?;
                while body.rest().len() >= 4 && self.container.compatible.len() < 64 {
                    self.container.compatible.push(body.array()?);
                }
            }
            (b"flst", _) => {
                let table = FragmentTable::parse(body)?;
                let number = self.container.codestreams.len() as u32;
                self.container.codestreams.push(contents);
                self.container.fragment_tables.insert(number, table);
            }
            (kind, Place::Header(section)) => {
                if let Some(section) = self.section(section) {
                    section.take(*kind, body)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// What the boxes inside a superbox are to be taken for; `None` if it is not a known superbox.
fn superbox(kind: [u8; 4], place: Place) -> Option<Place> {
    match (&kind, place) {
        (b"jp2h", Place::Top) => Some(Place::Header(Section::Defaults)),
        // T.801 Annex M.
        (b"jpch", Place::Top) => Some(Place::Header(Section::Codestream)),
        (b"jplh", Place::Top) => Some(Place::Header(Section::Layer)),
        (b"ftbl", Place::Top) => Some(Place::FragmentTable),
        (b"res " | b"cgrp", Place::Header(_)) => Some(place),
        // T.800 I.7.3 and T.801 Annex M.
        (b"jp2h" | b"res " | b"uinf" | b"jpch" | b"jplh" | b"cgrp" | b"ftbl" | b"comp" | b"drep", _) => {
            Some(Place::Elsewhere)
        }
        _ => None,
    }
}

/// Whether the contents of a box in this place are read.
fn is_read(kind: [u8; 4], place: Place) -> bool {
    match place {
        Place::Top => kind == *b"ftyp",
        Place::Header(_) => HeaderSection::holds(kind),
        Place::FragmentTable => kind == *b"flst",
        Place::Association | Place::Elsewhere => false,
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
