//! Header boxes of a picture: those of 'jp2h' and, in JPX, of a single codestream ('jpch') or of a compositing layer
//! ('jplh'), for which 'jp2h' holds the defaults (T.801 Annex M).

use super::box_header::BoxBody;
use super::image_header::{self, BitDepth, ImageHeader};
use super::{
    ChannelDefinition, ColourSpecification, ComponentMapping, Container, GridResolution, Palette, Resolutions,
};
use crate::error::ContainerError;

/// The boxes of one header, as far as it has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderSection {
    /// Label box.
    pub label: Option<String>,
    /// Image Header box.
    pub image_header: Option<ImageHeader>,
    /// Bits Per Component box.
    pub bits_per_component: Option<Vec<BitDepth>>,
    /// Colour Specification boxes, of a layer those of its Colour Group.
    pub colour: Vec<ColourSpecification>,
    /// Palette box.
    pub palette: Option<Palette>,
    /// Component Mapping box.
    pub component_mapping: Option<Vec<ComponentMapping>>,
    /// Channel Definition box.
    pub channel_definitions: Option<Vec<ChannelDefinition>>,
    /// Opacity box of a layer.
    pub opacity: Option<LayerOpacity>,
    /// Resolution box.
    pub resolution: Resolutions,
    /// Codestreams of a layer, in the order of their channels (Codestream Registration box); empty without one.
    pub codestreams: Vec<u16>,
    /// Palette, component mapping and channel definition boxes that could not be read.
    pub defects: Vec<ContainerError>,
}

/// How a layer that has no Channel Definition box tells its opacity ("OTyp").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerOpacity {
    /// Its last channel (0).
    LastChannel,
    /// Its last channel, by which the colours have been multiplied (1).
    LastChannelPremultiplied,
    /// One colour is transparent (2).
    ChromaKey,
}

impl HeaderSection {
    /// Whether the contents of a box of this type belong to a header.
    pub(super) const fn holds(kind: [u8; 4]) -> bool {
        matches!(
            &kind,
            b"ihdr" | b"bpcc" | b"colr" | b"pclr" | b"cmap" | b"cdef" | b"resc" | b"resd" | b"creg" | b"opct"
        )
    }

    pub(super) fn take(&mut self, kind: [u8; 4], body: BoxBody<'_>) -> Result<(), ContainerError> {
        let taken = self.read(kind, body);
        if let Err(error) = &taken
            && matches!(&kind, b"pclr" | b"cmap" | b"cdef")
            && self.defects.len() < 8
        {
            self.defects.push(error.clone());
        }
        taken
    }

    fn read(&mut self, kind: [u8; 4], mut body: BoxBody<'_>) -> Result<(), ContainerError> {
        match &kind {
            b"ihdr" => first(&mut self.image_header, &body, ImageHeader::parse)?,
            b"bpcc" => first(&mut self.bits_per_component, &body, |body| {
                image_header::parse_bits_per_component(&body)
            })?,
            b"colr" => {
                if self.colour.len() >= 64 {
                    return Err(body.error("more than 64 colour specifications"));
                }
                self.colour.push(ColourSpecification::parse(body)?);
            }
            b"pclr" => first(&mut self.palette, &body, Palette::parse)?,
            b"cmap" => first(&mut self.component_mapping, &body, ComponentMapping::parse_all)?,
            b"cdef" => first(&mut self.channel_definitions, &body, ChannelDefinition::parse_all)?,
            b"resc" => first(&mut self.resolution.capture, &body, GridResolution::parse)?,
            b"resd" => first(&mut self.resolution.display, &body, GridResolution::parse)?,
            b"opct" => {
                self.opacity = match body.u8()? {
                    0 => Some(LayerOpacity::LastChannel),
                    1 => Some(LayerOpacity::LastChannelPremultiplied),
                    2 => Some(LayerOpacity::ChromaKey),
                    other => return Err(body.error(format!("opacity type {other} is not known"))),
                };
            }
            b"creg" => {
                let _grid = body.u32()?;
                // Number, resolution and offset of each.
                while body.rest().len() >= 6 {
                    self.codestreams.push(body.u16()?);
                    let _registration = body.u32()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What `section` has takes the place of what is here.
    fn overlay(&mut self, section: &Self) {
        fn put<T: Clone>(slot: &mut Option<T>, own: &Option<T>) {
            if own.is_some() {
                slot.clone_from(own);
            }
        }
        put(&mut self.image_header, &section.image_header);
        put(&mut self.bits_per_component, &section.bits_per_component);
        put(&mut self.palette, &section.palette);
        put(&mut self.component_mapping, &section.component_mapping);
        put(&mut self.channel_definitions, &section.channel_definitions);
        put(&mut self.opacity, &section.opacity);
        put(&mut self.resolution.capture, &section.resolution.capture);
        put(&mut self.resolution.display, &section.resolution.display);
        if !section.colour.is_empty() {
            self.colour.clone_from(&section.colour);
        }
        self.defects.extend(section.defects.iter().cloned());
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

impl Container {
    /// The header boxes that hold for codestream `index`: its own and those of the first compositing layer that it is
    /// in, and where they have none, the defaults.
    #[must_use]
    pub fn of_codestream(&self, index: u32) -> Self {
        let mut own = self.clone();
        if let Some(section) = self.codestream_headers.get(index as usize) {
            own.headers.overlay(section);
        }
        // A layer without registration has the codestream of its own number.
        let mut layers = self.layer_headers.iter().zip(0_u32..);
        let found = layers.find(|(layer, number)| match &layer.codestreams[..] {
            [] => *number == index,
            codestreams => codestreams.iter().any(|&codestream| u32::from(codestream) == index),
        });
        if let Some((layer, number)) = found {
            own.headers.overlay(layer);
            if layer.codestreams.len() > 1 {
                own.not_rendered = Some(format!(
                    "compositing layer {number}, made of {} codestreams",
                    layer.codestreams.len()
                ));
            }
        }
        own
    }
}
