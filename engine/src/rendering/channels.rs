//! The channels of a picture: component mapping and palette (T.800 I.5.3.4, I.5.3.5), and which of them are the
//! colours and which the opacity (I.5.3.6).

use super::RenderChannel;
use crate::boxes::box_header::kind_name;
use crate::boxes::{ChannelKind, Container, ContainerKind, LayerOpacity, Palette};
use crate::codestream::header::{ComponentSize, ImageSize};
use crate::error::ContainerError;

/// Which channels are what.
pub(super) struct Assignment {
    /// The colours in order.
    pub(super) colours: Vec<usize>,
    /// Opacity, and whether the colours have been multiplied by it.
    pub(super) alpha: Option<(usize, bool)>,
}

impl Container {
    /// The channels before they are assigned, and the palette's columns.
    pub(super) fn channels(
        &self,
        size: &ImageSize,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<RenderChannel>, Vec<u32>), ContainerError> {
        let Some(palette) = &self.headers.palette else {
            if self.headers.component_mapping.is_some() {
                notes.push("a component mapping without a palette is passed over".into());
            }
            let components = size.components.iter().enumerate();
            return Ok((
                components.map(|(at, size)| RenderChannel::of_component(at, size)).collect(),
                Vec::new(),
            ));
        };
        let entries = u32::from(palette.entries);
        let tables = (0..palette.columns.len()).flat_map(|column| table(palette, column)).collect();
        let through = |component: usize, column: u8| -> Result<RenderChannel, ContainerError> {
            let bits = palette
                .columns
                .get(usize::from(column))
                .ok_or_else(|| self.bad(*b"cmap", format!("there is no palette column {column}")))?;
            Ok(RenderChannel {
                palette_column: Some(column),
                depth: bits.depth,
                signed: bits.signed,
                table: Some((u32::from(column) * entries, entries)),
                ..RenderChannel::of_component(component, self.component(size, component)?)
            })
        };
        let channels = match &self.headers.component_mapping {
            Some(mappings) => mappings
                .iter()
                .map(|mapping| {
                    let component = usize::from(mapping.component);
                    match mapping.palette_column {
                        Some(column) => through(component, column),
                        None => Ok(RenderChannel::of_component(component, self.component(size, component)?)),
                    }
                })
                .collect::<Result<_, _>>()?,
            None => {
                notes.push("a palette without a component mapping: all columns index component 0".into());
                (0..=u8::MAX)
                    .take(palette.columns.len())
                    .map(|column| through(0, column))
                    .collect::<Result<_, _>>()?
            }
        };
        Ok((channels, tables))
    }

    fn component<'a>(
        &self,
        size: &'a ImageSize,
        component: usize,
    ) -> Result<&'a ComponentSize, ContainerError> {
        size.components.get(component).ok_or_else(|| {
            self.bad(
                *b"cmap",
                format!("there is no component {component}: the codestream has {}", size.components.len()),
            )
        })
    }

    /// An error about the box `kind` of the JP2 header.
    fn bad(&self, kind: [u8; 4], reason: String) -> ContainerError {
        let header = self.boxes.iter().find(|found| found.kind == *b"jp2h");
        let found = header.and_then(|header| header.children.iter().find(|found| found.kind == kind));
        ContainerError::BadBox {
            kind: kind_name(kind),
            offset: found.map_or(0, |found| found.offset),
            reason,
        }
    }

    /// Which channels are the colours, and which the opacity.
    pub(super) fn assign(
        &self,
        channels: usize,
        notes: &mut Vec<String>,
    ) -> Result<Assignment, ContainerError> {
        let Some(definitions) = &self.headers.channel_definitions else {
            let guess = self.kind == ContainerKind::Codestream && matches!(channels, 2 | 4);
            let last = match self.headers.opacity {
                Some(LayerOpacity::LastChannel) => Some(false),
                Some(LayerOpacity::LastChannelPremultiplied) => Some(true),
                Some(LayerOpacity::ChromaKey) => {
                    notes.push("its transparent colour is shown as it is".into());
                    None
                }
                None => guess.then_some(false),
            };
            let last = last.filter(|_| channels > 1);
            let colours = channels - usize::from(last.is_some());
            return Ok(Assignment {
                colours: (0..colours).collect(),
                alpha: last.map(|premultiplied| (channels - 1, premultiplied)),
            });
        };
        let mut by_colour = [None; 4];
        let mut defined = vec![false; channels];
        let mut unassociated = Vec::new();
        let mut alpha = None;
        for definition in definitions {
            let channel = usize::from(definition.channel);
            *defined.get_mut(channel).ok_or_else(|| {
                self.bad(*b"cdef", format!("there is no channel {channel}: the picture has {channels}"))
            })? = true;
            match definition.kind {
                ChannelKind::Colour => match definition.association {
                    number @ 1..=4 => {
                        let slot = &mut by_colour[usize::from(number) - 1];
                        if slot.is_some() {
                            return Err(self.bad(*b"cdef", format!("two channels are colour {number}")));
                        }
                        *slot = Some(channel);
                    }
                    0 => unassociated.push(channel),
                    number => notes.push(format!("channel {channel} (colour {number}) is not shown")),
                },
                kind @ (ChannelKind::Opacity | ChannelKind::PremultipliedOpacity) => {
                    let found = (channel, kind == ChannelKind::PremultipliedOpacity);
                    match (definition.association, alpha) {
                        (0, _) => alpha = Some(found),
                        (_, None) if definition.association != u16::MAX => alpha = Some(found),
                        _ => notes.push(format!("opacity channel {channel} is not used")),
                    }
                }
                ChannelKind::Unspecified(_) => {}
            }
        }
        // Channels that the box does not mention are colours in their order, as without the box.
        let mut spare = unassociated.into_iter().chain((0..channels).filter(|&channel| !defined[channel]));
        let colours: Vec<usize> =
            by_colour.into_iter().map_while(|slot| slot.or_else(|| spare.next())).collect();
        if colours.is_empty() {
            return Err(self.bad(*b"cdef", "no channel is a colour".into()));
        }
        Ok(Assignment { colours, alpha })
    }
}

/// The entries of one column from 0 up, at most 32 bits each.
fn table(palette: &Palette, column: usize) -> Vec<u32> {
    let Some(bits) = palette.columns.get(column) else { return Vec::new() };
    let offset = if bits.signed { 1i64 << (bits.depth - 1) } else { 0 };
    let excess = bits.depth.saturating_sub(32);
    palette.column(column).map(|value| ((value + offset) >> excess) as u32).collect()
}
